"""Figures of success rates: pure functions from rates and sweep tables to Plotly figures.

Solid lines and filled marks are the attacker's own test set, dashed lines and hollow marks the one
that the attacker never saw; bands and bars are 95% intervals.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from pages.common.figures.layout import finish
from pages.common.figures.palette import ATTACKED, CHANCE, GREEN, GREY
from pages.common.figures.rates import OBJECTIVE_LOOKS, band, bars, rate_dots


class SplitLook(NamedTuple):
    """How the rates on a test set are drawn."""

    name: str
    colour: str
    width: float
    dash: str
    symbol: str


SPLIT_LOOKS = {
    "test": SplitLook("attacker's own test set", ATTACKED, 3, "solid", "circle"),
    "holdout": SplitLook("unknown test set", GREEN, 2.2, "dash", "diamond-open"),
}
Scale = str  # of the x axis: "log", "linear" or "category"


def x_axis(values: Sequence[float], title: str, scale: Scale) -> dict[str, object]:
    """Return an axis whose only ticks are the values that were computed."""
    marks = sorted({float(v) for v in values})
    axis: dict[str, object] = {"title": {"text": title}, "zeroline": False}
    if scale == "log":
        axis["type"] = "log"
    return axis | {"tickvals": marks, "ticktext": [f"{v:,g}" for v in marks]}


def success_against(
    rates: pd.DataFrame,
    table: pd.DataFrame,
    x: str,
    title: str,
    tolerance: float | None,
    scale: Scale = "log",
) -> go.Figure:
    """Draw success rate against `x` (a column of both), and below it the accuracy that it costs.

    rates: of one k, regime and form, for both splits. table: the sweep's rows of that k; the lower
    panel has the fall of accuracy of the returned models, median and middle half. tolerance: the
    permitted fall, None where there is no limit.
    """
    figure = make_subplots(
        rows=2, cols=1, shared_xaxes=True, row_heights=[0.66, 0.34], vertical_spacing=0.07
    )
    for split, look in SPLIT_LOOKS.items():
        part = rates[rates["split"] == split].sort_values(x)
        at = part[x].to_numpy(dtype=np.float64)
        figure.add_trace(
            band(at, part["low"].to_numpy(), part["high"].to_numpy(), look.colour), 1, 1
        )
        figure.add_scatter(
            x=at,
            y=part["rate"].to_numpy(),
            mode="lines+markers",
            name=look.name,
            line={"color": look.colour, "width": look.width, "dash": look.dash},
            marker={"size": 9, "symbol": look.symbol},
            customdata=part[["successes", "attacks", "low", "high"]].to_numpy(),
            hovertemplate=f"{title} %{{x}}<br><b>%{{y:.0%}}</b>, %{{customdata[0]}} of "
            "%{customdata[1]} attacks<br>95% interval %{customdata[2]:.0%} to "
            f"%{{customdata[3]:.0%}}<extra>{look.name}</extra>",
            row=1,
            col=1,
        )
    _accuracy_lost(figure, table, x, title, tolerance)
    figure.update_yaxes(
        title_text="success rate", tickformat=".0%", range=[-0.03, 1.05], row=1, col=1
    )
    figure.update_yaxes(title_text="accuracy lost (points)", nticks=5, row=2, col=1)
    values = rates[x].tolist()
    figure.update_xaxes({**x_axis(values, "", scale), "showticklabels": False}, row=1, col=1)
    figure.update_xaxes(x_axis(values, title, scale), row=2, col=1)
    return finish(figure, 500)


def _accuracy_lost(
    figure: go.Figure, table: pd.DataFrame, x: str, title: str, tolerance: float | None
) -> None:
    """Draw the lower panel of `success_against`."""
    drop = 100 * (table["accuracy_before"] - table["accuracy_after"])
    by = drop.groupby(table[x])
    low, middle, high = (by.quantile(q).to_numpy() for q in (0.25, 0.5, 0.75))
    at = by.median().index.to_numpy(dtype=np.float64)
    figure.add_trace(band(at, low, high, ATTACKED), 2, 1)
    figure.add_scatter(
        x=at,
        y=middle,
        mode="lines+markers",
        name="returned models, median and middle half",
        showlegend=False,
        line={"color": ATTACKED, "width": 2},
        marker={"size": 7},
        customdata=np.stack([low, high], axis=1),
        hovertemplate=f"{title} %{{x}}<br>median fall %{{y:.1f}} points<br>middle half "
        "%{customdata[0]:.1f} to %{customdata[1]:.1f}<extra></extra>",
        row=2,
        col=1,
    )
    if tolerance is not None:
        figure.add_hline(
            y=100 * tolerance,
            line={"color": GREY, "width": 1.4, "dash": "dot"},
            row=2,
            col=1,
            annotation={"text": f"permitted: {100 * tolerance:g} points", "font": {"size": 12}},
            annotation_position="top left",
        )


METHOD_LOOKS = {
    ("attack", "high_accuracy"): ("attack, accuracy kept", ATTACKED, "circle"),
    ("attack", "best"): ("attack, any accuracy", ATTACKED, "circle-open"),
    ("baseline", "high_accuracy"): ("baseline, accuracy kept", CHANCE, "square"),
    ("baseline", "best"): ("baseline, any accuracy", CHANCE, "square-open"),
}


def attack_against_baseline(rates: pd.DataFrame) -> go.Figure:
    """Draw success of attack and baseline by k, with and without the accuracy limit.

    rates: a row per method, regime and k, with rate, low, high, attacks and accuracy_drop.
    """
    ks = sorted(rates["k"].unique())
    figure = go.Figure()
    for place, ((method, regime), (name, colour, symbol)) in enumerate(METHOD_LOOKS.items()):
        part = rates[(rates["method"] == method) & (rates["regime"] == regime)].sort_values("k")
        if part.empty:
            continue
        at = np.array([ks.index(k) for k in part["k"]]) + 0.16 * (place - 1.5)
        edge = {"width": 2, "color": colour}
        marker = {"symbol": symbol, "size": 11, "color": colour, "line": edge}
        over = "radius" if method == "attack" else "target_weight"
        figure.add_trace(rate_dots(part, at, name, marker, over))
    figure.update_xaxes(
        tickvals=list(range(len(ks))),
        ticktext=[f"top {k}" for k in ks],
        range=[-0.6, len(ks) - 0.4],
    )
    figure.update_yaxes(title_text="success rate", tickformat=".0%", range=[-0.03, 1.05])
    return finish(figure, 380)


def frontier(points: pd.DataFrame) -> go.Figure:
    """Draw what success costs: per objective and radius the share of attacks that succeed against
    the accuracy lost, and how much of the honest ranking is left.

    points: a row per objective and radius with rate, low, high, drop (median of the returned
    models, points) and correlation (median Spearman with the honest ranking).
    """
    figure = make_subplots(
        rows=2, cols=1, shared_xaxes=True, row_heights=[0.55, 0.45], vertical_spacing=0.07
    )
    for objective, (name, colour, symbol, dash) in OBJECTIVE_LOOKS.items():
        part = points[points["objective"] == objective].sort_values("radius")
        if part.empty:
            continue
        labelled = objective == "higher_ranked"  # the others stand too close for labels
        for row, (column, what) in enumerate(
            (("rate", "success rate"), ("correlation", "rank correlation")), 1
        ):
            figure.add_scatter(
                x=part["drop"].to_numpy(),
                y=part[column].to_numpy(),
                mode="lines+markers" + ("+text" if row == 2 and labelled else ""),  # x is shared
                text=[f"r={r:g}" for r in part["radius"]],
                textposition="top right",
                textfont={"size": 12},
                line={"color": colour, "width": 2, "dash": dash},
                marker={"size": 9, "symbol": symbol},
                error_y=bars(part) if row == 1 else None,
                name=name,
                legendgroup=name,
                showlegend=row == 1,
                hovertemplate="radius %{text}<br>accuracy lost %{x:.1f} points<br>"
                f"{what} %{{y:.2f}}<extra>{name}</extra>",
                row=row,
                col=1,
            )
    figure.update_yaxes(
        title_text="success rate", tickformat=".0%", range=[-0.05, 1.12], row=1, col=1
    )
    figure.update_yaxes(title_text="agreement with honest order", range=[-0.25, 1.19], row=2, col=1)
    low, high = float(points["drop"].min()), float(points["drop"].max())
    room = 0.16 * ((high - low) or 1.0)  # for the labels
    figure.update_xaxes(range=[low - room, high + room], zeroline=False)
    figure.update_xaxes(title_text="accuracy lost (points)", row=2, col=1)
    return finish(figure, 480, showlegend=len(set(points["objective"])) > 1)
