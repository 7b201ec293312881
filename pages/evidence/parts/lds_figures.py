"""Figures of scores beside retraining: pure functions from results to figures."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from engine.experiments import LdsResult, SelectionResult
from pages.common.figures.layout import finish
from pages.common.figures.palette import (
    ATTACKED,
    CHANCE,
    GREY,
    HONEST,
    LIMIT,
    LOWERS,
    RAISES,
    translucent,
)
from pages.common.words.score_names import SCORE_NAMES
from pages.common.words.wording import decimal

LOOKS = {
    "honest": ("honest model", HONEST, "circle"),
    "attacked": ("malicious model", ATTACKED, "diamond"),
    "either": ("needs no model", GREY, "square-open"),
}
PREDICTED, MEASURED = "predicted loss", "real loss, after retraining"
ENDS_OF_PREDICTED = {-2: "← lower", 2: "higher →"}  # standard deviations from the mean
KEPT = {True: "samples that pull the loss up", False: "samples that pull the loss down"}
ENDS = {True: (RAISES, "dot"), False: (LOWERS, "solid")}
SPLITS = {"accuracy": "accuracy on holdout", "loss": "test loss"}
COLUMNS = {"accuracy": "accuracy_holdout", "loss": "loss_test"}


def ordered(result: LdsResult) -> list[str]:
    """List the attributions by their score under the honest model, the best first."""
    table = result.table[result.table["model"] != "attacked"]
    return list(table.sort_values("lds", ascending=False)["attribution"])


def all_scores(result: LdsResult) -> go.Figure:
    """Draw the linear datamodelling score of each attribution, with 95% intervals and the
    ceiling."""
    names = ordered(result)
    height = {name: len(names) - place for place, name in enumerate(names)}
    figure = go.Figure()
    for which, (label, colour, symbol) in LOOKS.items():
        part = result.table[result.table["model"] == which]
        aside = {"honest": 0.14, "attacked": -0.14, "either": 0.0}[which]
        figure.add_scatter(
            x=part["lds"],
            y=[height[name] + aside for name in part["attribution"]],
            mode="markers",
            name=label,
            marker={"color": colour, "symbol": symbol, "size": 10, "line": {"width": 1.5}},
            error_x={
                "type": "data",
                "symmetric": False,
                "array": part["high"] - part["lds"],
                "arrayminus": part["lds"] - part["low"],
                "color": colour,
                "thickness": 1.2,
                "width": 0,
                "visible": which != "attacked",  # the table has its intervals
            },
            customdata=[SCORE_NAMES[name] for name in part["attribution"]],
            hovertemplate=f"%{{customdata}}: %{{x:.2f}}<extra>{label}</extra>",
        )
    figure.add_vline(x=0, line={"color": GREY, "width": 1})
    figure.add_vline(x=result.ceiling, line={"color": LIMIT, "width": 1.5, "dash": "dash"})
    figure.add_annotation(
        x=result.ceiling, y=0.5, text="the most<br>that sums reach", showarrow=False,
        xanchor="right", yanchor="bottom", xshift=-4, font={"color": LIMIT, "size": 13},
        align="right",
    )  # fmt: skip
    figure.update_xaxes(title_text="agreement (0: chance, 1: full)", range=[-0.45, 1.0])
    figure.update_yaxes(
        tickvals=list(height.values()),
        ticktext=[SCORE_NAMES[name] for name in height],
        range=[0.4, len(names) + 0.8],
        zeroline=False,
    )
    return finish(figure, 470)


def sums(result: LdsResult, name: str) -> go.Figure:
    """Draw what one attribution's sums over the halves predict against the retrained models' loss:
    a panel per model, with its score and the line of least squares."""
    rows = result.table[result.table["attribution"] == name]
    models = [which for which in LOOKS if which in set(rows["model"])]
    figure = make_subplots(
        1,
        len(models),
        shared_yaxes=True,
        horizontal_spacing=0.06,
        subplot_titles=[
            f"<b>{LOOKS[which][0]}: {decimal(result.row(name, which)['lds'])}</b>"
            for which in models
        ],
    )
    for column, which in enumerate(models, 1):
        label, colour, symbol = LOOKS[which]
        x = result.sums[result.place(name, which)]
        x = (x - x.mean()) / (x.std() or 1.0)
        slope, level = np.polyfit(x, result.outcomes, 1)
        ends = np.array([x.min(), x.max()])
        figure.add_scatter(
            x=x,
            y=result.outcomes,
            mode="markers",
            name=label,
            marker={"color": colour, "symbol": symbol, "size": 7, "opacity": 0.6},
            hovertemplate="predicted loss %{x:.2f} standard deviations from the mean<br>real loss "
            "%{y:.4f}<extra></extra>",
            row=1,
            col=column,
        )
        figure.add_scatter(
            x=ends, y=slope * ends + level, mode="lines", line={"color": colour, "width": 3},
            hoverinfo="skip", row=1, col=column,
        )  # fmt: skip
        figure.layout.annotations[column - 1].font = {"color": colour, "size": 16}
    figure.update_xaxes(
        title={"text": PREDICTED, "standoff": 12},
        matches="x",
        showgrid=False,
        tickvals=list(ENDS_OF_PREDICTED),
        ticktext=list(ENDS_OF_PREDICTED.values()),
    )
    figure.update_yaxes(title_text=MEASURED, row=1, col=1)
    return finish(figure, 360, showlegend=False)


def selected(result: SelectionResult, name: str, what: str) -> go.Figure:
    """Draw how well models do that are trained on part of the samples, chosen from either end of an
    honest ranking or at random; what: 'accuracy' or 'loss'."""
    column = COLUMNS[what]
    whole = float(result.everything[column])
    figure = go.Figure()
    chance = result.by_chance()[column]
    shares = chance.index.to_numpy()
    figure.add_scatter(
        x=np.concatenate([shares, shares[::-1]]),
        y=np.concatenate([chance["min"], chance["max"][::-1]]),
        mode="lines",
        fill="toself",
        fillcolor=translucent(CHANCE, 0.35),
        line={"width": 0},
        name="random samples",
        hoverinfo="skip",
    )
    for end in ("last", "first"):
        curve = result.curve(name, "honest", end)
        if not curve.empty:
            add_curve(figure, curve, column, pulls_up(end, result.order), whole)
    figure.add_hline(y=whole, line={"color": GREY, "width": 1, "dash": "dot"})
    for line, (text, colour) in enumerate(
        (("random samples", CHANCE), *((KEPT[up], ENDS[up][0]) for up in (False, True)))
    ):
        figure.add_annotation(
            x=0.99, y=0.3 - 0.1 * line, xref="paper", yref="paper", xanchor="right",
            text=f"<b>{text}</b>", showarrow=False, font={"color": colour, "size": 14},
        )  # fmt: skip
    figure.update_xaxes(title_text="share of the training samples that is kept", tickformat=".0%")
    figure.update_yaxes(
        title_text=SPLITS[what],
        tickformat=".0%" if what == "accuracy" else "",
        type="linear" if what == "accuracy" else "log",
    )
    return finish(figure, 400, showlegend=False)


def pulls_up(end: str, order: str) -> bool:
    """Return whether the samples at an end of the ranking pull the test loss up."""
    return (end == "first") == (order == "highest_first")


def add_curve(figure: go.Figure, curve: pd.DataFrame, column: str, up: bool, whole: float) -> None:
    """Draw one end's curve, up to the model of all samples. A point that loses a class is missing
    from it."""
    colour, dash = ENDS[up]
    figure.add_scatter(
        x=[*curve["share"], 1.0],
        y=[*curve[column], whole],
        mode="lines+markers",
        name=KEPT[up],
        line={"color": colour, "width": 2.5, "dash": dash},
        marker={"symbol": "diamond" if up else "circle", "size": 8, "color": colour},
        connectgaps=False,
        hovertemplate="%{x:.0%} kept: %{y:.3f}<extra></extra>",
    )
