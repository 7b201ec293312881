"""What figures of rates are made of: bands, bars, and the looks of the objectives."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from pages.common.figures.palette import ATTACKED, GREEN, MUSTARD, translucent
from pages.common.words.objective_words import NAMES

OBJECTIVE_LOOKS: Mapping[str, tuple[str, str, str, str]] = {  # name, colour, symbol, dash
    "higher_ranked": (NAMES["higher_ranked"], ATTACKED, "circle", "solid"),
    "accurate": (NAMES["accurate"], MUSTARD, "diamond", "dash"),
    "quiet": (NAMES["quiet"], GREEN, "square", "dot"),
}


def band(
    x: NDArray[np.float64],
    low: NDArray[np.float64],
    high: NDArray[np.float64],
    colour: str,
    opacity: float = 0.15,
) -> go.Scatter:
    """Draw the area between two lines."""
    return go.Scatter(
        x=np.concatenate([x, x[::-1]]),
        y=np.concatenate([high, low[::-1]]),
        fill="toself",
        fillcolor=translucent(colour, opacity),
        line={"width": 0},
        mode="lines",
        hoverinfo="skip",
        showlegend=False,
    )


def rate_dots(
    part: pd.DataFrame, at: NDArray[np.float64], name: str, marker: Mapping[str, object], over: str
) -> go.Scatter:
    """Draw rates as marks at `at` with their intervals. part: successes, attacks and accuracy_drop
    too, and the column `over` that they are the best of."""
    return go.Scatter(
        x=at,
        y=part["rate"].to_numpy(),
        mode="markers",
        name=name,
        marker=marker,
        error_y=bars(part),
        customdata=[
            [
                row["successes"],
                row["attacks"],
                f"at {over.replace('target_', '')} {row[over]:,g}",
                f"the successes lose {100 * row['accuracy_drop']:.1f} points on average"
                if row["successes"]
                else "none succeeds",
            ]
            for _, row in part.iterrows()
        ],
        hovertemplate="<b>%{y:.0%}</b>, %{customdata[0]} of %{customdata[1]} attacks<br>"
        f"%{{customdata[2]}}<br>%{{customdata[3]}}<extra>{name}</extra>",
    )


def bars(part: pd.DataFrame) -> dict[str, object]:
    """Return error bars from rate, low and high."""
    return {
        "type": "data",
        "symmetric": False,
        "array": (part["high"] - part["rate"]).to_numpy(),
        "arrayminus": (part["rate"] - part["low"]).to_numpy(),
        "thickness": 1.8,
        "width": 4,
    }
