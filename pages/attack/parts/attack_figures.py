"""Figures of one attack beside the ranking: who else moved, and what accuracy it cost."""

import numpy as np
import plotly.graph_objects as go

from engine.attacks.result import AttackResult, Ranking
from engine.statistics import Interval
from pages.common.figures.axes import rank_axis, thinned, thinning
from pages.common.figures.layout import custom_data, finish
from pages.common.figures.palette import ATTACKED, GREY, HONEST, TARGET
from pages.common.figures.ranking import rank_unchanged, ring
from pages.common.figures.trajectories import run_states, trajectories
from pages.common.samples import Samples

ALSO_DRAWN = 150  # first of the malicious ranking, where moves from the honest one are thinned


def every_run(result: AttackResult, steps: int) -> go.Figure:
    """Draw the trajectories of a finished attack, of at most so many steps a run."""
    return trajectories(
        result.trajectory,
        run_states(result.runs, steps),
        len(result.before.ranks),
        result.k,
        steps,
        result.accuracy_before,
        int(result.before.ranks[result.targets[0]]),
    )


def rank_to_rank(before: Ranking, after: Ranking, samples: Samples, target: int) -> go.Figure:
    """Rank before against rank after, one dot a sample; on the diagonal nothing has moved."""
    n = len(before.ranks)
    labels = samples.labels()
    drawn = before.top(n)[thinned(n)]
    drawn = np.unique(np.concatenate([drawn, after.top(min(n, ALSO_DRAWN)), [target]]))
    figure = go.Figure()
    figure.add_trace(rank_unchanged(n))
    figure.add_scatter(
        x=before.ranks[drawn],
        y=after.ranks[drawn],
        mode="markers",
        name="a training sample",
        marker={"size": 4.5, "color": GREY, "opacity": 0.75},
        customdata=custom_data([[int(i), str(labels[i])] for i in drawn]),
        hovertemplate="<b>sample %{customdata[0]}</b>, class “%{customdata[1]}”<br>"
        "rank %{x:,} → %{y:,}<extra></extra>",
    )
    x, y = int(before.ranks[target]), int(after.ranks[target])
    figure.add_scatter(
        x=[x, x],
        y=[x, y],
        mode="lines",
        line={"color": TARGET, "width": 2},
        hoverinfo="skip",
        name="the target",
    )
    figure.add_trace(
        ring(x, y, "the target", f"<b>sample {target}</b>, the target<br>rank {x:,} → {y:,}")
    )
    figure.add_annotation(
        x=np.log10(x),
        y=np.log10(y),
        text=f"<b>{x:,} → {y:,}</b>",
        ax=-30,
        ay=26,
        standoff=10,
        xanchor="right",
        arrowhead=0,
        arrowwidth=1.2,
        arrowcolor=TARGET,
        font={"color": TARGET, "size": 13},
    )
    figure.update_xaxes(rank_axis(n, "rank under the honest model (log)"))
    figure.update_yaxes(rank_axis(n, "rank under the malicious model (log)", reverse=True))
    return finish(figure, 520)


def moves_thinning(n: int) -> str:
    """Say what a caption adds where `rank_to_rank` does not draw every sample."""
    if not thinning(n):
        return ""
    return (
        f" Not all {n:,} are drawn: both ends of the honest ranking and the first {ALSO_DRAWN:,} "
        "of the malicious one are whole, the others are thinned."
    )


def price(honest: float, malicious: float, intervals: tuple[Interval, Interval]) -> go.Figure:
    """Draw accuracy on the unseen half, honest and malicious, each with its Wilson interval."""
    rows = (
        ("malicious", malicious, intervals[1], ATTACKED, "diamond"),
        ("honest", honest, intervals[0], HONEST, "circle"),
    )
    figure = go.Figure()
    for name, accuracy, interval, colour, symbol in rows:
        figure.add_scatter(
            x=[accuracy],
            y=[name],
            mode="markers+text",
            name=name,
            showlegend=False,
            text=f"<b>{accuracy:.1%}</b>",
            textposition="top center",
            marker={"size": 12, "color": colour, "symbol": symbol},
            error_x={
                "type": "data",
                "symmetric": False,
                "array": [interval.high - accuracy],
                "arrayminus": [accuracy - interval.low],
                "color": colour,
                "thickness": 2.2,
                "width": 7,
            },
            hovertemplate=f"{name}: {accuracy:.1%}<br>95% interval {interval.low:.1%} to "
            f"{interval.high:.1%}<extra></extra>",
        )
    figure.update_xaxes(title_text="accuracy on unseen data", tickformat=".0%", nticks=7)
    figure.update_yaxes(range=[-0.6, 1.75], showgrid=False)
    return finish(figure, 190)
