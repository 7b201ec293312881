"""Figures of what new samples are worth: pure functions from results to Plotly figures."""

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from engine.experiments import CandidatesResult
from pages.common.figures.axes import SignedScale, number
from pages.common.figures.layout import custom_data, finish
from pages.common.figures.palette import ATTACKED, GREY, HONEST


def signed(figure: go.Figure, x: NDArray, y: NDArray, titles: tuple[str, str]) -> SignedScale:
    """Give a figure of signed values on both axes one scale, its zero lines and its diagonal;
    returns the scale."""
    scale = SignedScale.of(x, y)
    low, high = (float(f([*x, *y])) for f in (np.min, np.max))
    for axis, title in zip(("xaxis", "yaxis"), titles, strict=True):
        shown = scale.axis(low, high, title)
        figure.update_layout({axis: {**shown, "zeroline": False}})
    ends = scale([low, high])
    figure.add_scatter(
        x=ends, y=ends, mode="lines", line={"color": GREY, "dash": "dot", "width": 1},
        hoverinfo="skip", showlegend=False,
    )  # fmt: skip
    figure.add_vline(x=0, line={"color": GREY, "width": 1})
    figure.add_hline(y=0, line={"color": GREY, "width": 1})
    return scale


def candidates(result: CandidatesResult, names: tuple[str, ...]) -> go.Figure:
    """Draw each candidate's score under both models; those that change sides stand out."""
    honest, attacked = result.own("honest"), result.own("attacked")
    figure = go.Figure()
    scale = signed(
        figure, honest, attacked, ("score under the honest model", "under the attacked one")
    )
    turned = (honest > 0) != (attacked > 0)
    for some, label, colour, symbol in (
        (~turned, "same side", GREY, "circle"),
        (turned, "changes sides", ATTACKED, "diamond"),
    ):
        chosen = np.flatnonzero(some)
        figure.add_scatter(
            x=scale(honest[some]),
            y=scale(attacked[some]),
            mode="markers",
            name=label,
            marker={"color": colour, "symbol": symbol, "size": 8, "opacity": 0.75},
            customdata=custom_data(
                [
                    (int(i), names[result.labels[i]], number(honest[i]), number(attacked[i]))
                    for i in chosen
                ]
            ),
            hovertemplate="unseen sample %{customdata[0]}, class “%{customdata[1]}”<br>honest "
            "%{customdata[2]}, attacked %{customdata[3]}<extra></extra>",
        )
    return finish(figure, 460)


def check(result: CandidatesResult) -> go.Figure:
    """Draw what scores predict against what training with the candidates does."""
    table = result.check
    predicted, measured = (table[name].to_numpy() for name in ("predicted", "measured"))
    figure = go.Figure()
    scale = signed(
        figure, predicted, measured, ("score, damping = L2", "measured by training with it")
    )
    figure.add_scatter(
        x=scale(predicted),
        y=scale(measured),
        mode="markers",
        marker={"color": HONEST, "size": 9},
        customdata=custom_data(
            [
                (int(i), number(p), number(m))
                for i, p, m in zip(table["candidate"], predicted, measured, strict=True)
            ]
        ),
        hovertemplate="unseen sample %{customdata[0]}<br>predicted %{customdata[1]}, measured "
        "%{customdata[2]}<extra></extra>",
        showlegend=False,
    )
    return finish(figure, 420)
