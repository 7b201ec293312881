"""Figures of what a scaled model does to the training rows: their influence, their removal."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from engine.fairness.result import FairnessResult
from pages.common.figures.axes import rank_axis, thinned
from pages.common.figures.layout import finish
from pages.common.figures.palette import ATTACKED, BAND, GREEN, GREY
from pages.common.figures.ranking import rank_unchanged
from pages.fairness.parts.fairness_figures import HONEST


def ranks(effects_on_gap: NDArray[np.float32]) -> NDArray[np.int64]:
    """Rank rows by their effect on the gap, (n_train,): 1 + the number of rows with a smaller one.
    The removal of rank 1 lowers the gap most."""
    return np.searchsorted(np.sort(effects_on_gap), effects_on_gap, side="left") + 1


def row_table(result: FairnessResult, scale: float) -> pd.DataFrame:
    """Tabulate the training rows: at α = 1 and at `scale`, the effect of removing each on the gap,
    its rank by that, and the share of it that is removed."""
    table = pd.DataFrame({"row": np.arange(result.about.n_train)})
    for name, s in (("honest", HONEST), ("scaled", scale)):
        place = result.place(s)
        table[f"effect_on_gap_{name}"] = result.on_gap[place]
        table[f"rank_{name}"] = ranks(result.on_gap[place])
        table[f"removed_{name}"] = result.removed[place]
    return table


def n_drawn(result: FairnessResult, scale: float) -> int:
    """Count the rows that `rank_to_rank` shows."""
    return len(drawn_rows(*rank_pair(result, scale), result.about.top_k))


def rank_pair(result: FairnessResult, scale: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rank the rows at α = 1 and at `scale`, (n_train,) each."""
    honest, scaled = (ranks(result.on_gap[result.place(s)]) for s in (HONEST, scale))
    return honest, scaled


def drawn_rows(honest: NDArray[np.int64], scaled: NDArray[np.int64], top: int) -> NDArray[np.int64]:
    """Choose the rows that `rank_to_rank` shows: all, or both ends, both tops and a thinned
    middle."""
    order = np.argsort(honest, kind="stable")
    return np.unique(
        np.concatenate(
            [
                order[thinned(len(order))],
                np.flatnonzero(honest <= top),
                np.flatnonzero(scaled <= top),
            ]
        )
    )


def rank_to_rank(result: FairnessResult, scale: float) -> go.Figure:
    """Draw every training row's influence rank at α = 1 against that at `scale`; on the diagonal
    nothing moved. The honest top is marked, the top at `scale` shaded."""
    honest, scaled = rank_pair(result, scale)
    n, top = len(honest), result.about.top_k
    drawn = drawn_rows(honest, scaled, top)
    figure = go.Figure()
    figure.add_hrect(y0=0.75, y1=top + 0.5, fillcolor=BAND, line_width=0, layer="below")
    figure.add_trace(rank_unchanged(n))
    looks = (
        ("other rows", drawn[honest[drawn] > top], {"size": 4.5, "color": GREY, "opacity": 0.7}),
        (
            f"top {top} at α = 1",
            drawn[honest[drawn] <= top],
            {"size": 7, "color": GREEN, "symbol": "diamond"},
        ),
    )
    for name, rows, marker in looks:
        figure.add_scatter(
            x=honest[rows],
            y=scaled[rows],
            mode="markers",
            name=name,
            marker=marker,
            customdata=rows,
            hovertemplate="<b>training row %{customdata}</b><br>rank %{x:,} → %{y:,}"
            f"<extra>{name}</extra>",
        )
    figure.update_xaxes(rank_axis(n, "rank at α = 1 (log)"))
    figure.update_yaxes(rank_axis(n, f"rank at α = {scale:g} (log)", reverse=True))
    return finish(figure, 460)


REMOVAL_LOOKS = (
    ("at both", GREY, ""),
    ("at α = 1 only", GREEN, "/"),
    ("at this α only", ATTACKED, "\\"),
)


def shared_removal(result: FairnessResult, scale: float) -> tuple[float, float, float]:
    """Add up the weight removed at both α = 1 and `scale`, at α = 1 only, at `scale` only (in
    rows); NaN where either has no solution."""
    honest, scaled = (result.removed[result.place(s)].astype(np.float64) for s in (HONEST, scale))
    both = float(np.minimum(honest, scaled).sum())
    return both, float(honest.sum()) - both, float(scaled.sum()) - both


def removed_weights(result: FairnessResult, scale: float) -> go.Figure:
    """Draw the weight that the programme removes at α = 1 and at `scale`, and what they share."""
    both, honest, scaled = shared_removal(result, scale)
    names = [f"α = {scale:g}", "α = 1"] if scale != HONEST else ["α = 1 ", "α = 1"]
    figure = go.Figure()
    for (name, colour, pattern), values in zip(
        REMOVAL_LOOKS, ([both, both], [0.0, honest], [scaled, 0.0]), strict=True
    ):
        figure.add_bar(
            y=names,
            x=values,
            name=name,
            orientation="h",
            marker={
                "color": colour,
                "pattern": {"shape": pattern, "fillmode": "overlay", "size": 8, "solidity": 0.12},
            },
            text=[f"{v:,.0f}" if v >= 0.5 else "" for v in values],
            textposition="inside",
            insidetextanchor="middle",
            textangle=0,
            hovertemplate=f"%{{y}}: %{{x:,.1f}} rows removed {name}<extra></extra>",
        )
    figure.update_layout(barmode="stack", uniformtext={"mode": "hide", "minsize": 13})
    figure.update_xaxes(title_text="weight removed (training rows)", zeroline=False)
    return finish(figure, 230)
