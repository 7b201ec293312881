"""Figures of the deniable attack: pure functions from the stored result to Plotly figures."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from engine.experiments import DeniableResult
from pages.common.figures.axes import rank_axis
from pages.common.figures.layout import finish
from pages.common.figures.palette import ATTACKED, BAND, FAINT, GREY, HONEST, MUSTARD, TARGET
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


def moves(result: DeniableResult, epsilon: float, means: str) -> go.Figure:
    """Draw each random target that some `means` move to the top, its rank in usual training and in
    the trainer's model, rank 1 to the right; in colour those that need no more than ε. The last
    row is of all targets that do not arrive, at their usual ranks."""
    rows = result.rows(means, "random")
    arrived = rows[rows["arrived"]].sort_values("epsilon")
    others = rows[~rows["arrived"]]
    within = arrived[arrived["epsilon"] <= epsilon + 1e-9]
    height = {int(target): -place for place, target in enumerate(arrived["target"])}
    figure, last = go.Figure(), -len(arrived)
    for row in named_rows(within):
        figure.add_scatter(
            x=[row.rank_before, row.rank_after],
            y=[height[row.target]] * 2,
            mode="lines",
            line={"color": TARGET, "width": 2.5},
            hoverinfo="skip",
            showlegend=False,
        )
    groups = (
        ("usual training", arrived, "rank_before", "circle", HONEST, "bottom right"),
        ("the trainer's model", within, "rank_after", "diamond", ATTACKED, "top center"),
    )
    for name, part, column, symbol, colour, where in groups:
        figure.add_scatter(
            x=part[column],
            y=[height[target] for target in part["target"]],
            mode="markers+text",
            name=name,
            marker={"symbol": symbol, "size": 11, "color": colour},
            text=[f"{rank:,}" for rank in part[column]],
            textposition=where,
            cliponaxis=False,
            customdata=part[["target", "epsilon"]].to_numpy(),
            hovertemplate="sample %{customdata[0]}: rank %{x:,}<br>needs ε = %{customdata[1]:.2f}"
            f"<extra>{name}</extra>",
        )
    figure.add_scatter(
        x=others["rank_before"],
        y=[last] * len(others),
        mode="markers",
        showlegend=False,
        marker={"symbol": "circle-open", "size": 10, "color": HONEST},
        customdata=others["target"],
        hovertemplate="sample %{customdata}: rank %{x:,}<extra>does not reach the top</extra>",
    )
    figure.add_vrect(x0=0.75, x1=result.k + 0.5, fillcolor=BAND, line_width=0, layer="below")
    n = len(result.samples)
    figure.update_xaxes(rank_axis(n, f"rank of {n:,} (log)", reverse=True))
    figure.update_yaxes(
        tickvals=[*height.values(), last],
        ticktext=[
            *(
                f"<b>sample {row.target}</b><br>needs ±{row.epsilon:.0%}"
                for row in named_rows(arrived)
            ),
            f"<b>{len(others)} others</b><br>not reached",
        ],
        range=[last - 0.6, 0.7],
        zeroline=False,
    )
    return finish(figure, 90 + 38 * (len(arrived) + 1), showlegend=True)


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
        marker={"color": HONEST, "size": 4},
        name="by averaged scores",
        hovertemplate="usual rank %{x:,}: rank %{y:,} by averaged scores<extra></extra>",
    )
    figure.update_xaxes(rank_axis(len(samples), "usual rank (log)"))
    figure.update_yaxes(title_text="rank", rangemode="tozero")
    return finish(figure, 400)
