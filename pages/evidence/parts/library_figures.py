"""The figure of two results of the library side by side."""

from textwrap import wrap

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from pages.common.figures.layout import finish
from pages.common.figures.palette import FAINT, GREEN, INK
from pages.evidence.parts.main_numbers import figure as said

MOST = 12  # rows that are drawn
LOOKS = {"A": (INK, "circle"), "B": (GREEN, "diamond")}


def farthest(numbers: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that both results have and that differ most, in relation to the larger of the
    two, at most `MOST`, with that larger one as `size`. numbers: of `side_by_side`."""
    both = numbers.dropna(subset=["A", "B"])
    size = both[["A", "B"]].abs().max(axis=1)
    both = both.assign(size=size)[size > 0]
    apart = (both["B"] - both["A"]).abs() / both["size"]
    return both.loc[apart.sort_values(ascending=False, kind="stable").index[:MOST]]


def pair(numbers: pd.DataFrame) -> go.Figure:
    """Draw two results' numbers as a pair of marks a row; each row has its own scale, from 0 to the
    larger of the two. numbers: of `farthest`."""
    figure = go.Figure()
    scaled = numbers[["A", "B"]].div(numbers["size"], axis=0)
    places = np.arange(len(numbers))
    figure.add_scatter(
        x=np.column_stack([scaled["A"], scaled["B"], np.full(len(numbers), np.nan)]).ravel(),
        y=np.repeat(places, 3),
        mode="lines",
        line={"color": FAINT, "width": 3},
        hoverinfo="skip",
        showlegend=False,
    )
    for name, (colour, symbol) in LOOKS.items():
        figure.add_scatter(
            x=scaled[name].to_numpy(),
            y=places,
            mode="markers+text",
            name=name,
            marker={"size": 12, "color": colour, "symbol": symbol},
            text=[said(value) for value in numbers[name]],
            textposition="top center" if name == "A" else "bottom center",
            customdata=numbers["number"].to_numpy(object),
            hovertemplate=f"%{{customdata}}<br>{name}: %{{text}}<extra></extra>",
        )
    low = min(0.0, float(scaled.min().min()))
    figure.update_xaxes(range=[low - 0.12, 1.12], showticklabels=False, showgrid=False)
    figure.update_yaxes(
        tickvals=places,
        ticktext=["<br>".join(wrap(str(name), 24)) for name in numbers["number"]],
        range=[len(numbers) - 0.4, -0.6],
        zeroline=False,
    )
    return finish(figure, 80 + 52 * len(numbers))
