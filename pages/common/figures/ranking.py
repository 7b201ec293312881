"""Figures of influence rankings and attacks: pure functions from results to Plotly figures.

The target is the accent colour everywhere; what belongs to the honest model is grey, what belongs
to the malicious one blue. Shapes and dashes repeat what colours say.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from engine.attacks.result import Ranking
from engine.statistics import Interval
from pages.common.figures.axes import SignedScale, number, rank_axis, thinned, thinning
from pages.common.samples import Samples

# Okabe and Ito's colours (grey aside): fit for colour-blind readers, legible on light and dark.
ACCENT, BLUE, GREY = "#D55E00", "#0072B2", "#868E96"
FAINT = "rgba(134, 142, 150, 0.45)"
ALSO_DRAWN = 150  # first of the malicious ranking, where moves from the honest one are thinned
BAND = "rgba(213, 94, 0, 0.13)"


def finish(figure: go.Figure, height: int, **layout: Any) -> go.Figure:
    """The margins, hover and legend that all figures share."""
    figure.update_layout(
        height=height,
        margin={"l": 8, "r": 12, "t": 34, "b": 8},
        hoverlabel={"align": "left"},
        legend={"orientation": "h", "x": 0, "y": 1.0, "yanchor": "bottom", "title": {"text": ""}},
        dragmode=False,
        **layout,
    )
    figure.update_xaxes(automargin=True, title_standoff=8)
    figure.update_yaxes(automargin=True, title_standoff=6)
    return figure


def _ring(x: float, y: float, name: str, hover: str, customdata: Any = None) -> go.Scatter:
    return go.Scatter(
        x=[x],
        y=[y],
        mode="markers",
        name=name,
        marker={"symbol": "circle-open", "size": 17, "color": ACCENT, "line": {"width": 3.5}},
        customdata=customdata,
        hovertemplate=hover + "<extra></extra>",
        showlegend=False,
    )


def score_meaning(order: str) -> str:
    """What rank 1 stands for, in one sentence (Definition 1's sign)."""
    sign = "A positive score means that up-weighting the sample raises the test loss."
    if order == "lowest_first":
        return f"Rank 1 is the lowest score. {sign}"
    return f"Rank 1 is the highest score, what the paper calls most valuable. {sign}"


def ranking(
    before: Ranking,
    samples: Samples,
    target: int | None = None,
    k: int = 1,
    after: Ranking | None = None,
) -> go.Figure:
    """Influence score against rank, honest and (if given) malicious on the same axes.

    The target is ringed; with `after` an arrow leads from where it was to where it is. Every drawn
    point carries its sample's index as the first entry of `customdata`.
    """
    shown = [r for r in (before, after) if r is not None]
    scale = SignedScale.of(*(r.scores for r in shown))
    n = len(before.scores)
    low = float(min(r.scores.min() for r in shown))
    high = float(max(r.scores.max() for r in shown))
    labels = samples.labels()
    figure = go.Figure()
    looks = (
        ("honest model", before, {"symbol": "circle", "size": 6, "color": GREY}),
        (
            "malicious model",
            after,
            {"symbol": "diamond-open", "size": 6.5, "color": BLUE, "line": {"width": 1.4}},
        ),
    )
    for name, one, marker in looks:
        if one is None:
            continue
        drawn = one.top(n)[thinned(n)]
        if target is not None and target not in drawn:
            drawn = np.append(drawn, target)
        figure.add_scatter(
            x=one.ranks[drawn],
            y=scale(one.scores[drawn]),
            mode="markers",
            name=name,
            marker=marker,
            # Clicking selects; without this Plotly fades all other points.
            selected={"marker": {"opacity": 1}},
            unselected={"marker": {"opacity": 1}},
            customdata=_rows(one, labels, drawn),
            hovertemplate=f"<b>sample %{{customdata[0]}}</b>, class “%{{customdata[1]}}”<br>"
            f"score %{{customdata[2]}}<br>rank %{{customdata[3]}} of {n:,}<extra>{name}</extra>",
        )
    figure.add_vrect(x0=0.75, x1=k + 0.5, fillcolor=BAND, line_width=0, layer="below")
    figure.add_annotation(
        x=np.log10(k + 0.5),
        y=0.01 if falls(before) else 0.99,
        yref="paper",
        text=f"top {k}",
        showarrow=False,
        xanchor="left",
        yanchor="bottom" if falls(before) else "top",
        font={"color": ACCENT, "size": 12},
    )
    if target is not None:
        _mark_target(figure, scale, before, after, labels, target)
    if n > len(thinned(n)):
        figure.add_annotation(
            x=0.995,
            y=0.99 if falls(before) else 0.01,  # the corner that a monotone curve leaves free
            xref="paper",
            yref="paper",
            xanchor="right",
            yanchor="top" if falls(before) else "bottom",
            showarrow=False,
            text=f"{len(thinned(n)):,} of {n:,} samples drawn; both ends are whole",
            font={"size": 11},
        )
    figure.update_xaxes(rank_axis(n, f"influence rank, 1 to {n:,} (log scale)"))
    figure.update_yaxes(scale.axis(low, high, "influence score", falls(before)))
    return finish(figure, 430, showlegend=after is not None)


def falls(one: Ranking) -> bool:
    """Whether rank 1 is the highest score, not the lowest."""
    return bool(one.scores[one.ranks.argmin()] >= one.scores[one.ranks.argmax()])


def table(rows: Sequence[Sequence[Any]]) -> NDArray[np.object_]:
    """Custom data as an array: Plotly looks at every cell of a list of lists, more than once."""
    return np.array(rows, dtype=object)


def _rows(
    one: Ranking, labels: NDArray[np.str_], indices: NDArray[np.int64]
) -> NDArray[np.object_]:
    """What hovers say of samples: index, class, score and rank, (samples, 4)."""
    rows = [[int(i), str(labels[i]), number(one.scores[i]), int(one.ranks[i])] for i in indices]
    return table(rows)


def _mark_target(
    figure: go.Figure,
    scale: SignedScale,
    before: Ranking,
    after: Ranking | None,
    labels: NDArray[np.str_],
    target: int,
) -> None:
    """Ring the target, and lead an arrow from its honest to its malicious place.

    A ranking is monotone, so that the space above it to the right and below it to the left (for one
    that rises: the other two corners) is free: labels stand there and run through no point.
    """
    places = [("", before)] if after is None else [("before: ", before), ("after: ", after)]
    upward = 1 if falls(before) else -1
    sides = [1 if one.ranks[target] < len(one.ranks) ** 0.6 else -1 for _, one in places]
    for (word, one), side in zip(places, sides, strict=True):
        rank, height = int(one.ranks[target]), float(scale(one.scores[target]))
        # Two labels on one side: that of the point which the other's label would cover stands off.
        covered = any(side * (int(other.ranks[target]) - rank) > 0 for _, other in places)
        away = 2.4 if covered and len(set(sides)) == 1 else 1
        figure.add_trace(
            _ring(
                rank,
                height,
                f"sample {target}",
                f"<b>sample {target}</b>, class “{labels[target]}”<br>"
                f"score {number(one.scores[target])}<br>{word}rank {rank:,}",
                customdata=_rows(one, labels, np.array([target])),
            )
        )
        figure.add_annotation(
            x=np.log10(rank),
            y=height,
            text=f"<b>{word}rank {rank:,}</b>",
            ax=22 * side * away,
            ay=-26 * side * away * upward,
            xanchor="left" if side > 0 else "right",
            yanchor="bottom" if side * upward > 0 else "top",
            standoff=11,
            arrowhead=0,
            arrowwidth=1.2,
            arrowcolor=ACCENT,
            font={"color": ACCENT, "size": 13},
        )
    if after is not None and before.ranks[target] != after.ranks[target]:
        figure.add_annotation(
            x=np.log10(after.ranks[target]),
            y=float(scale(after.scores[target])),
            ax=np.log10(before.ranks[target]),
            ay=float(scale(before.scores[target])),
            axref="x",
            ayref="y",
            text="",
            standoff=12,
            startstandoff=12,
            arrowhead=2,
            arrowsize=1.4,
            arrowwidth=2,
            arrowcolor=ACCENT,
        )


def rank_to_rank(before: Ranking, after: Ranking, samples: Samples, target: int) -> go.Figure:
    """Rank before against rank after, one dot a sample; on the diagonal nothing has moved."""
    n = len(before.ranks)
    labels = samples.labels()
    drawn = before.top(n)[thinned(n)]
    drawn = np.unique(np.concatenate([drawn, after.top(min(n, ALSO_DRAWN)), [target]]))
    figure = go.Figure()
    figure.add_scatter(
        x=[1, n],
        y=[1, n],
        mode="lines",
        name="rank unchanged",
        hoverinfo="skip",
        line={"color": GREY, "width": 1, "dash": "dash"},
    )
    figure.add_scatter(
        x=before.ranks[drawn],
        y=after.ranks[drawn],
        mode="markers",
        name="a training sample",
        marker={"size": 4.5, "color": GREY, "opacity": 0.75},
        customdata=table([[int(i), str(labels[i])] for i in drawn]),
        hovertemplate="<b>sample %{customdata[0]}</b>, class “%{customdata[1]}”<br>"
        "rank %{x:,} → %{y:,}<extra></extra>",
    )
    x, y = int(before.ranks[target]), int(after.ranks[target])
    figure.add_scatter(
        x=[x, x],
        y=[x, y],
        mode="lines",
        line={"color": ACCENT, "width": 2},
        hoverinfo="skip",
        name="the target",
    )
    figure.add_trace(
        _ring(x, y, "the target", f"<b>sample {target}</b>, the target<br>rank {x:,} → {y:,}")
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
        arrowcolor=ACCENT,
        font={"color": ACCENT, "size": 13},
    )
    figure.update_xaxes(rank_axis(n, "rank under the honest model (log)"))
    figure.update_yaxes(rank_axis(n, "rank under the malicious model (log)", reverse=True))
    return finish(figure, 520)


def moves_thinning(n: int) -> str:
    """What a caption adds where `rank_to_rank` does not draw every sample."""
    if not thinning(n):
        return ""
    return (
        f" Not all {n:,} are drawn: both ends of the honest ranking and the first {ALSO_DRAWN:,} "
        "of the malicious one are whole, the others are thinned."
    )


def price(honest: float, malicious: float, intervals: tuple[Interval, Interval]) -> go.Figure:
    """Accuracy on the unseen half, honest and malicious, each with its Wilson interval."""
    rows = (
        ("malicious", malicious, intervals[1], ACCENT, "diamond"),
        ("honest", honest, intervals[0], GREY, "circle"),
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
