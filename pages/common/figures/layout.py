"""The layout that all figures share, and the data behind their points."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray


def finish(figure: go.Figure, height: int, **layout: object) -> go.Figure:
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


def custom_data(rows: Sequence[Sequence[object]]) -> NDArray[np.object_]:
    """Rows of custom data as an array, (points, columns): Plotly looks at every cell of a list of
    lists, more than once."""
    return np.array(rows, dtype=object)
