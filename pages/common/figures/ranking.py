"""The figure of an influence ranking: score against rank, before and after an attack."""

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from engine.attacks.result import Ranking
from pages.common.figures.axes import SignedScale, number, rank_axis, thinned
from pages.common.figures.layout import custom_data, finish, set_plainly
from pages.common.figures.palette import ATTACKED, BAND, GREY, HONEST, TARGET
from pages.common.samples import Samples


def ring(
    x: float, y: float, name: str, hover: str, customdata: NDArray[np.object_] | None = None
) -> go.Scatter:
    """Draw the mark of the target."""
    return go.Scatter(
        x=[x],
        y=[y],
        mode="markers",
        name=name,
        marker={"symbol": "circle-open", "size": 17, "color": TARGET, "line": {"width": 3.5}},
        customdata=customdata,
        hovertemplate=hover + "<extra></extra>",
        showlegend=False,
    )


def rank_unchanged(n: int) -> go.Scatter:
    """Draw the diagonal of a figure of ranks 1…n against ranks 1…n."""
    return go.Scatter(
        x=[1, n],
        y=[1, n],
        mode="lines",
        name="rank unchanged",
        hoverinfo="skip",
        line={"color": GREY, "width": 1, "dash": "dash"},
    )


def ranking(
    before: Ranking,
    samples: Samples,
    target: int | None = None,
    k: int = 1,
    after: Ranking | None = None,
) -> go.Figure:
    """Draw influence score against rank, honest and (if given) malicious on the same axes.

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
    _points(figure, scale, before, after, labels, target)
    figure.add_vrect(x0=0.75, x1=k + 0.5, fillcolor=BAND, line_width=0, layer="below")
    figure.add_annotation(
        x=np.log10(k + 0.5),
        y=0.01 if falls(before) else 0.99,
        yref="paper",
        text=f"top {k}",
        showarrow=False,
        xanchor="left",
        yanchor="bottom" if falls(before) else "top",
        font={"color": TARGET, "size": 12},
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
            text=f"{len(thinned(n)):,} of {n:,} samples drawn",
            font={"size": 12},
        )
    set_plainly(
        figure,
        xaxis=rank_axis(n, f"influence rank, 1 to {n:,} (log scale)"),
        yaxis=scale.axis(low, high, "influence score", falls(before)),
    )
    return finish(figure, 430, showlegend=after is not None)


def _points(
    figure: go.Figure,
    scale: SignedScale,
    before: Ranking,
    after: Ranking | None,
    labels: NDArray[np.str_],
    target: int | None,
) -> None:
    """Draw the samples of both rankings, thinned; the target is drawn in any case."""
    n = len(before.scores)
    looks = (
        ("honest model", before, {"symbol": "circle", "size": 6, "color": HONEST}),
        (
            "malicious model",
            after,
            {"symbol": "diamond-open", "size": 6.5, "color": ATTACKED, "line": {"width": 1.4}},
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


def falls(one: Ranking) -> bool:
    """Return whether rank 1 is the highest score, not the lowest."""
    return bool(one.scores[one.ranks.argmin()] >= one.scores[one.ranks.argmax()])


def _rows(
    one: Ranking, labels: NDArray[np.str_], indices: NDArray[np.int64]
) -> NDArray[np.object_]:
    """Return what hovers say of samples: index, class, score and rank, (samples, 4)."""
    rows = [[int(i), str(labels[i]), number(one.scores[i]), int(one.ranks[i])] for i in indices]
    return custom_data(rows)


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
            ring(
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
            arrowcolor=TARGET,
            font={"color": TARGET, "size": 13},
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
            arrowcolor=TARGET,
        )
