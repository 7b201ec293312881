"""A ranking seen from both ends: two panels with one y axis, each with a log axis of places.

What matters in a ranking is at its ends, and a log axis of ranks shows only one of them.
"""

from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from pages.common.figures.axes import decades, rank_axis

FACTOR = 1.5  # a running median is that of the places within this factor of its own


@dataclass(frozen=True, eq=False)
class Half:
    """The samples nearer to one end: indices, and their places counted from it (1 is the end)."""

    name: str
    column: int
    members: NDArray[np.int64]
    places: NDArray[np.int64]


def halves(ranks: NDArray[np.int64]) -> tuple[Half, Half]:
    """Return the upper and the lower half of a ranking."""
    n = len(ranks)
    upper = ranks <= (n + 1) // 2
    first, last = np.flatnonzero(upper), np.flatnonzero(~upper)
    return Half("top", 1, first, ranks[first]), Half("bottom", 2, last, n + 1 - ranks[last])


def running_median(
    places: NDArray[np.int64], values: NDArray[np.float64], points: int = 60
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return places spread evenly on a log axis, and the median of the values near each of them."""
    if not len(places):
        return np.empty(0), np.empty(0)
    at = np.geomspace(places.min(), places.max(), points)
    near = [values[(places >= p / FACTOR) & (places <= p * FACTOR)] for p in at]
    return at, np.array([np.median(some) if len(some) else np.nan for some in near])


def panels(n: int) -> go.Figure:
    """Draw an empty figure of both panels for a ranking of n samples: the ends are at the
    edges."""
    figure = make_subplots(rows=1, cols=2, shared_yaxes=True, horizontal_spacing=0.02)
    half = (n + 1) // 2
    figure.update_xaxes(rank_axis(half, "rank, from the top"), col=1)
    bottom = rank_axis(half, f"rank, to the bottom ({n:,})", reverse=True)
    ticks = [f"{n + 1 - place:,}" for place in decades(half)]
    figure.update_xaxes(bottom | {"ticktext": ticks}, col=2)
    return figure
