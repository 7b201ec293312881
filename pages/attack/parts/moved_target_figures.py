"""Figures of how easily samples are moved: pure functions from results to Plotly figures."""

from collections.abc import Collection, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from engine.experiments import SensitivityResult
from pages.attack.parts.moved_targets import NEVER, radius_name
from pages.common.figures.axes import number, thinned
from pages.common.figures.layout import custom_data, finish
from pages.common.figures.palette import ATTACKED, GREEN, GREY, INK, TARGET
from pages.common.figures.ranking_ends import Half, halves, panels, running_median
from pages.common.samples import Samples, hover_names

MOVED: dict[str, object] = {"symbol": "diamond", "size": 10, "color": ATTACKED}
NOT_MOVED: dict[str, object] = {
    "symbol": "x-thin",
    "size": 10,
    "color": INK,
    "line": {"width": 3, "color": INK},
}
NOT_TRIED: dict[str, object] = {"symbol": "circle", "size": 5, "color": GREY, "opacity": 0.55}
SAMPLE = 3  # place of a sample's index in the custom data of its points
RING: dict[str, object] = {
    "symbol": "circle-open",
    "size": 20,
    "color": TARGET,
    "line": {"width": 3},
}


def sensitivity(
    result: SensitivityResult,
    tried: pd.DataFrame,
    samples: Samples | None,
    radius: float,
    ringed: Collection[int] = (),
) -> go.Figure:
    """Draw sensitivity (the gradient norm, log) against rank from both ends, by what became of the
    attack at `radius`; the samples in `ringed` are marked."""
    n = len(result.norms)
    names = hover_names(samples, n)
    drawn = np.zeros(n, dtype=bool)
    drawn[result.ranking.top(n)[thinned(n)]] = True
    drawn[tried.index.to_numpy(dtype=np.int64)] = False  # drawn apart
    figure = panels(n)
    looks = (
        ("not tried", None, NOT_TRIED),
        (f"moved at radius {radius:g}", True, MOVED),
        (f"not moved at radius {radius:g}", False, NOT_MOVED),
    )
    for half in halves(result.ranking.ranks):
        for name, moved, marker in looks:
            inside = drawn[half.members]
            if moved is not None:
                inside = np.isin(half.members, tried.index[tried["moved"] == moved])
            _points(figure, half, inside, result, names, name, marker, moved is not None)
        _median(figure, half, result)
        rings = np.isin(half.members, list(ringed))
        if rings.any():
            figure.add_scatter(
                x=half.places[rings],
                y=result.norms[half.members[rings]],
                mode="markers+text",
                text=[f"<b>{i}</b>" for i in half.members[rings]],
                textposition="top center",
                textfont={"color": TARGET, "size": 13},
                name="your bet's samples",
                legendgroup="rings",
                showlegend=not any(t.legendgroup == "rings" for t in figure.data),
                marker=RING,
                hoverinfo="skip",
                row=1,
                col=half.column,
            )
    figure.update_yaxes(log_axis(result.norms))
    figure.update_yaxes(title_text="sensitivity of the score (log)", col=1)
    return finish(figure, 460)


def _points(
    figure: go.Figure,
    half: Half,
    inside: np.ndarray,
    result: SensitivityResult,
    names: Sequence[str],
    name: str,
    marker: dict[str, object],
    bars: bool,
) -> None:
    members = half.members[inside]
    ranks = result.ranking.ranks
    figure.add_scatter(
        x=half.places[inside],
        y=result.norms[members],
        mode="markers",
        name=name,
        legendgroup=name,
        # Both halves share an entry: that of the first that has any.
        showlegend=bool(len(members)) and not any(t.legendgroup == name for t in figure.data),
        marker=marker,
        error_y={
            "type": "data",
            "array": 2 * result.standard_errors[members],
            "color": marker["color"],
            "thickness": 1.2,
            "width": 0,
            "visible": bars,
        },
        customdata=custom_data(
            [[names[i], f"{int(ranks[i]):,}", number(result.norms[i]), int(i)] for i in members]
        ),
        hovertemplate="%{customdata[0]}<br>rank %{customdata[1]} of "
        f"{len(ranks):,}<br>sensitivity %{{customdata[2]}}"
        f"<extra>{name}</extra>",
        row=1,
        col=half.column,
    )


def _median(figure: go.Figure, half: Half, result: SensitivityResult) -> None:
    at, median = running_median(half.places, result.norms[half.members])
    figure.add_scatter(
        x=at,
        y=median,
        mode="lines",
        name="running median",
        legendgroup="median",
        showlegend=half.column == 1,
        line={"color": GREEN, "width": 3},
        hoverinfo="skip",
        row=1,
        col=half.column,
    )


def log_axis(values: np.ndarray) -> dict[str, object]:
    """Return a log axis with a tick at every power of ten. Where these are few, three times each
    power has a tick too."""
    positive = values[values > 0]
    low, high = np.log10(positive.min()), np.log10(positive.max())
    exponents = range(int(np.floor(low)), int(np.ceil(high)) + 1)
    factors = (1, 3) if high - low < 3 else (1,)
    ticks = [factor * 10.0**e for e in exponents for factor in factors]
    margin = 0.06 * (high - low) + 0.02
    return {
        "type": "log",
        "range": [low - margin, high + 2 * margin],
        "tickvals": ticks,
        "ticktext": [number(t) for t in ticks],
        "minor": {"ticks": ""},
    }


def by_radius(tried: pd.DataFrame, samples: Samples | None, radius: float) -> go.Figure:
    """Draw the targets by the smallest radius that moved them, against the gradient norm
    (log)."""
    names = hover_names(samples, int(tried.index.max()) + 1)
    levels = sorted(tried["least"].unique())
    rows = {level: place for place, level in enumerate(levels)}
    figure = go.Figure()
    for level, place in rows.items():
        part = tried[tried["least"] == level].sort_values("norm")
        median = float(part["norm"].median())
        figure.add_scatter(
            x=[median, median],
            y=[place - 0.34, place + 0.34],
            mode="lines",
            line={"color": GREEN, "width": 4},
            name="median",
            legendgroup="median",
            showlegend=place == 0,
            hovertemplate=f"median {number(median)} of {len(part)}<extra></extra>",
        )
    looks = ((True, MOVED, "moved"), (False, NOT_MOVED, "not moved"))
    for moved, marker, name in looks:
        part = tried[tried["moved"] == moved]
        # Neighbours stand apart: the place within a row goes by the order of the norms.
        apart = part.groupby("least")["norm"].rank(method="first") % 5 - 2
        figure.add_scatter(
            x=part["norm"],
            y=part["least"].map(rows) + 0.11 * apart,
            mode="markers",
            name=f"{name} at radius {radius:g}",
            showlegend=bool(len(part)),
            marker=marker | {"size": 9},
            customdata=custom_data(
                [
                    [names[i], f"{r:,}", radius_name(least), int(i)]
                    for i, r, least in zip(part.index, part["rank"], part["least"], strict=True)
                ]
            ),
            hovertemplate="%{customdata[0]}<br>rank %{customdata[1]}, sensitivity %{x:.3g}<br>"
            "smallest radius: %{customdata[2]}"
            f"<extra>{name} at radius {radius:g}</extra>",
        )
    figure.update_xaxes(log_axis(tried["norm"].to_numpy()))
    figure.update_xaxes(title_text="sensitivity of the target's score (log)")
    counts = tried["least"].value_counts()
    figure.update_yaxes(
        title_text="smallest radius that moves it",
        tickvals=list(rows.values()),
        ticktext=[
            f"{'never' if level == NEVER else f'{level:g}'} ({counts[level]})" for level in levels
        ],
        range=[-0.6, len(levels) - 0.4],
        showgrid=False,
        zeroline=False,
    )
    return finish(figure, 120 + 62 * max(len(levels), 2))
