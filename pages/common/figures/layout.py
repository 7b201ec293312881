"""The layout that all figures share, and the data behind their points."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

SHARED = {
    "margin": {"l": 8, "r": 12, "t": 34, "b": 8},
    "hoverlabel": {"align": "left"},
    "legend": {"orientation": "h", "x": 0, "y": 1.0, "yanchor": "bottom", "title": {"text": ""}},
    "dragmode": False,
}
AXES = {
    "xaxis": {"automargin": True, "separatethousands": True, "title": {"standoff": 8}},
    "yaxis": {"automargin": True, "separatethousands": True, "title": {"standoff": 6}},
}


def finish(figure: go.Figure, height: int, **layout: object) -> go.Figure:
    """Give a figure the margins, hover and legend that all figures share. `layout` holds further
    properties; parts of the layout are mappings."""
    set_plainly(figure, **SHARED)
    set_plainly(figure, height=height, **layout)
    for axis, shared in AXES.items():
        names = {axis, *(name for name in figure._layout if name.startswith(axis))}
        set_plainly(figure, **dict.fromkeys(names, shared))
    return figure


def set_plainly(figure: go.Figure, **layout: object) -> None:
    """Do what `figure.update_layout` does, faster; parts of the layout are mappings. Plotly
    prepares each of its changes for a browser, and here is none. Plotly does not check these
    values: a test opens every page and checks them."""
    merge(figure._layout, layout)


def merge(held: dict[str, Any], new: Mapping[str, object]) -> None:  # values of any property
    """Set values in a plain layout. Mappings within it are merged: a name that `new` does not hold
    keeps its value."""
    for name, value in new.items():
        if isinstance(value, Mapping):
            merge(held.setdefault(name, {}), value)
        else:
            held[name] = value


def custom_data(rows: Sequence[Sequence[object]]) -> NDArray[np.object_]:
    """Return rows of custom data as an array, (points, columns): Plotly looks at every cell of a
    list of lists, more than once."""
    return np.array(rows, dtype=object)
