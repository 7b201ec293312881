"""The loss-reweighing baseline on one target, beside a finished attack on it."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from engine.attacks.result import AttackResult
from engine.experiments import AttackRequest, BaselineRequest
from engine.results.store import Stored
from pages.common.asking import door
from pages.common.figures.axes import rank_axis
from pages.common.figures.layout import finish, set_plainly
from pages.common.figures.palette import ATTACKED, BAND, CHANCE
from pages.common.keeping import shelf
from pages.common.lab.shared import baseline_request
from pages.common.widgets import take_away
from pages.common.widgets.figure import FigureBlock
from pages.common.words.wording import points


def power(weight: float) -> str:
    """1, 10, 100, 1,000, 10k, 100k, 1M: few characters on an axis."""
    for size, letter in ((1e6, "M"), (1e4, "k")):
        if weight >= size:
            return f"{weight / (1e6 if letter == 'M' else 1e3):g}{letter}"
    return f"{weight:,g}"


def figure(table: pd.DataFrame, attack: AttackResult) -> go.Figure:
    """Rank of the target and accuracy by its weight in training, with the attack's as lines."""
    table = table.sort_values("target_weight")
    n, weights = len(attack.before.ranks), table["target_weight"].to_numpy()
    drawn = make_subplots(
        rows=2, cols=1, shared_xaxes=True, row_heights=[0.62, 0.38], vertical_spacing=0.07
    )
    looks = (
        ("rank_test", "rank, attacker's test set", {"color": CHANCE, "width": 2.4}, "square"),
        (
            "rank_holdout",
            "rank, unknown test set",
            {"color": CHANCE, "dash": "dash"},
            "diamond-open",
        ),
    )
    for column, name, line, symbol in looks:
        drawn.add_scatter(
            x=weights,
            y=table[column].to_numpy(),
            mode="lines+markers",
            name=name,
            line=line,
            marker={"size": 8, "symbol": symbol},
            hovertemplate="weight %{x:,}<br>rank %{y:,}<extra>baseline</extra>",
            row=1,
            col=1,
        )
    drawn.add_scatter(
        x=weights,
        y=table["accuracy_holdout"].to_numpy(),
        mode="lines+markers",
        showlegend=False,
        line={"color": CHANCE, "width": 2.4},
        marker={"size": 8, "symbol": "square"},
        hovertemplate="weight %{x:,}<br>accuracy %{y:.1%}<extra>baseline</extra>",
        row=2,
        col=1,
    )
    drawn.add_hrect(
        y0=0.75, y1=attack.k + 0.5, fillcolor=BAND, line_width=0, layer="below", row=1, col=1
    )
    _attack_lines(drawn, attack)
    axis = {"type": "log", "tickvals": weights, "zeroline": False}
    set_plainly(
        drawn,
        yaxis=rank_axis(n, "rank of the target", reverse=True),
        yaxis2={"title": {"text": "accuracy"}, "tickformat": ".0%", "nticks": 4},
        xaxis={**axis, "showticklabels": False},
        xaxis2={
            **axis,
            "ticktext": [power(w) for w in weights],
            "title": {"text": "weight of the target in training"},
        },
    )
    return finish(drawn, 430)


def _attack_lines(drawn: go.Figure, attack: AttackResult) -> None:
    """Draw the attack's rank and accuracy, across both panels."""
    here = (
        (1, float(attack.ranks_test[0]), f"the attack: rank {attack.ranks_test[0]:,}"),
        (2, attack.accuracy_after, f"the attack: {attack.accuracy_after:.1%}"),
    )
    for row, value, text in here:
        drawn.add_hline(y=value, line={"color": ATTACKED, "width": 2}, row=row, col=1)
        drawn.add_annotation(
            x=0,
            xref="x domain",
            y=np.log10(value) if row == 1 else value,  # the rank axis is logarithmic
            text=text,
            showarrow=False,
            xanchor="left",
            yanchor="top",
            font={"color": ATTACKED, "size": 12},
            row=row,
            col=1,
        )


@shelf.kept
def title(table: pd.DataFrame, attack: AttackResult) -> str:
    """Say how far the baseline comes, and at what price."""
    best = table.sort_values(["rank_test", "accuracy_drop"]).iloc[0]
    rank, drop = int(best["rank_test"]), float(best["accuracy_drop"])
    if rank <= attack.k:
        cost = f"{points(drop)} of accuracy" if drop > 0 else "no accuracy"
        return f"Training on the target more often gets there too, and costs {cost}"
    return f"Training on the target more often brings it only to rank {rank:,}"


def show(attack: AttackResult, request: AttackRequest) -> None:
    """Show the baseline, if it has been computed, or the button that has it computed."""
    asked = baseline_request(request)
    stored = door.find("baseline", asked)
    if stored is None:
        weights = len(asked.target_weights)
        door.offer(
            [door.Computation.of("baseline", asked)],
            f"The loss-reweighing baseline: {weights} models, trained with the target drawn up to "
            "a million times as often. Seconds on small data.",
            "training step",
        )
        return
    FigureBlock(
        name="baseline",
        title=title(stored.result, attack),
        kind="Rank of the target and accuracy against its weight in training",
        build=figure,
        values=(stored.result, attack),
        table=lambda: stored.result,
        results=(stored,),
        caption="The paper's baseline, which knows no influence function: a model trained from "
        "scratch on minibatches in which the target is drawn so many times as often as any other "
        f"sample. {asked.steps:,} steps of Adam with {asked.batch_size} samples each; a weight of "
        "1 is ordinary training.",
    ).show()
    files_and_code(stored, asked)


def files_and_code(stored: Stored, request: BaselineRequest) -> None:
    """Show the baseline's table, request and code."""
    tables = {"Baseline": lambda: stored.result}
    take_away.folded("Take the baseline with you", "take-baseline", stored, request, tables)
