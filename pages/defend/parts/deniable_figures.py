"""Figures of the deniable attack: pure functions from the stored result to Plotly figures."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from engine.experiments import DeniableResult
from pages.common.figures.axes import rank_axis
from pages.common.figures.layout import finish
from pages.common.figures.palette import ATTACKED, FAINT, GREY, HONEST, LIMIT, MUSTARD
from pages.common.frames import named_rows

CROWDS = {"random": "random targets", "near": "targets near the top"}
MEANS = {"weights": "weights", "scales": "scales", "together": "L2, weights and scales"}
LINE = 0.07  # of the axis: the height of a line's name
COLOURS = {"random": ATTACKED, "near": MUSTARD}


def steps(result: DeniableResult) -> pd.DataFrame:
    """Return means, crowd, epsilon, share: of each crowd, how many are moved within ε, a row at
    each jump."""
    tables = []
    for (means, crowd), rows in result.table.groupby(["means", "crowd"], sort=False):
        needed = np.sort(rows.loc[rows["arrived"], "epsilon"].to_numpy())
        share = np.arange(1, len(needed) + 1) / len(rows)
        named = {"means": means, "crowd": crowd}
        tables.append(pd.DataFrame(named | {"epsilon": needed, "share": share}))
    return pd.concat(tables, ignore_index=True)


def curve(result: DeniableResult, epsilon: float, means: str) -> go.Figure:
    """Draw share of each crowd that some `means` move against ε, as staircases; `epsilon` is
    marked."""
    figure, table = go.Figure(), steps(result)
    table = table[table["means"] == means]
    ends: list[tuple[float, str, str]] = []
    for crowd in result.table.loc[result.table["means"] == means, "crowd"].unique():
        part = table[table["crowd"] == crowd]
        share = np.concatenate([[0.0], part["share"]])
        name = CROWDS[crowd]
        figure.add_scatter(
            x=np.concatenate([[0.0], part["epsilon"], [result.limit]]),
            y=np.append(share, share[-1]),
            mode="lines",
            line={"shape": "hv", "color": COLOURS[crowd], "width": 3},
            name=name,
            hovertemplate="within ε %{x:.3f}: <b>%{y:.0%}</b>" + f"<extra>{name}</extra>",
        )
        ends.append((share[-1], name, COLOURS[crowd]))
    label(figure, ends, result.limit)
    figure.add_vline(x=epsilon, line={"color": GREY, "width": 2, "dash": "dash"})
    figure.update_xaxes(
        title_text="allowed change, ε",
        tickprefix="±",
        range=[0, 1.02 * result.limit],
    )
    figure.update_yaxes(
        title_text="targets that reach the top", tickformat=".0%", range=[-0.02, 1.04]
    )
    return finish(figure, 360, showlegend=False, margin={"t": 8})


def others_said(rows: pd.DataFrame, k: int, tolerance: float | None) -> str:
    """'11 not moved', '3 lose over 2.5 points of accuracy': of the targets that do not count, in
    lines."""
    dear = int((rows.loc[~rows["arrived"], "rank_after"] <= k).sum())
    far = int((~rows["arrived"]).sum()) - dear
    parts = [f"{far} not moved"] if far else []
    if dear:
        price = "too much" if tolerance is None else f"over {100 * tolerance:g} points of accuracy"
        parts.append(f"{dear} lose{'s' if dear == 1 else ''} {price}")
    return "<br>".join(parts)


def moves(result: DeniableResult, epsilon: float, means: str, tolerance: float | None) -> go.Figure:
    """Draw how much each random target needs that some `means` move to the top: a bar to its ε, in
    colour where that is within `epsilon`, with its usual rank and its rank in the trainer's model.
    The last row says why the others do not count; tolerance: the accuracy that a model may lose."""
    rows = result.rows(means, "random")
    arrived = rows[rows["arrived"]].sort_values("epsilon", kind="stable")
    others, last = len(rows) - len(arrived), -len(arrived)
    figure = go.Figure()
    for place, row in enumerate(named_rows(arrived)):
        within = row.epsilon <= epsilon + 1e-9
        figure.add_bar(
            x=[row.epsilon],
            y=[-place],
            orientation="h",
            width=0.66,
            marker={"color": ATTACKED if within else FAINT},
            text=f"<b>±{row.epsilon:.0%}</b>",
            textposition="outside",
            cliponaxis=False,
            textfont={"size": 15},
            hovertemplate=f"sample {row.target}: needs ε = {row.epsilon:.2f}<extra></extra>",
        )
    if others:
        figure.add_annotation(
            x=0.01 * result.limit,
            y=last,
            xanchor="left",
            text=others_said(rows, result.k, tolerance),
            align="left",
            showarrow=False,
            font={"size": 14, "color": GREY},
        )
    figure.add_vline(x=epsilon, line={"color": LIMIT, "width": 2, "dash": "dash"})
    figure.add_annotation(
        x=epsilon,
        y=1,
        yref="paper",
        xanchor="right" if epsilon > 0.9 * result.limit else "center",
        yanchor="bottom",
        text="allowed",
        showarrow=False,
        font={"size": 14, "color": LIMIT},
    )
    figure.update_xaxes(
        title_text="smallest change that moves the sample",
        tickformat=".0%",
        tickprefix="±",
        dtick=0.1,
        range=[0, 1.04 * result.limit],
    )
    named = [
        f"<b>sample {row.target}</b><br>rank {row.rank_before:,} → {row.rank_after:,}"
        for row in named_rows(arrived)
    ]
    figure.update_yaxes(
        tickvals=[-place for place in range(len(arrived) + bool(others))],
        ticktext=[*named, f"<b>{others} others</b>"] if others else named,
        tickfont={"size": 13},
        range=[(last if others else last + 1) - 0.5, 0.6],
        showgrid=False,
        zeroline=False,
    )
    height = 90 + 44 * (len(arrived) + bool(others))
    return finish(figure, height, showlegend=False, margin={"t": 28})


def label(figure: go.Figure, ends: Sequence[tuple[float, str, str]], limit: float) -> None:
    """Write each line's name above its right end, names of close ends one above the other; ends:
    height, name and colour."""
    free = -1.0
    for height, name, colour in sorted(ends):
        free = max(height, free + LINE)
        figure.add_annotation(
            x=limit,
            y=free,
            xanchor="right",
            yanchor="bottom",
            showarrow=False,
            text=name,
            xshift=-8,
            font={"size": 14, "color": colour},
        )


def intervals(result: DeniableResult, epsilon: float) -> go.Figure:
    """Draw the ranks that honest draws give each sample, best to worst, against its usual
    rank."""
    samples = result.samples.sort_values("rank")
    low, high = samples[f"lowest_{epsilon:g}"], samples[f"highest_{epsilon:g}"]
    x, figure = samples["rank"], go.Figure()
    figure.add_scatter(
        x=np.repeat(x, 3),
        y=np.column_stack([low, high, np.full(len(low), np.nan)]).ravel(),
        mode="lines",
        line={"color": FAINT, "width": 1},
        name="honest draws, best to worst",
        hoverinfo="skip",
    )
    figure.add_scatter(
        x=x,
        y=samples[f"averaged_{epsilon:g}"],
        mode="markers",
        marker={"color": HONEST, "size": 6},
        name="by averaged scores",
        hovertemplate="usual rank %{x:,}: rank %{y:,} by averaged scores<extra></extra>",
    )
    figure.update_xaxes(rank_axis(len(samples), "usual rank (log)"))
    figure.update_yaxes(title_text="rank", rangemode="tozero")
    return finish(figure, 400)
