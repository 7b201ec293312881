"""Figures of the audit: pure functions from its result to Plotly figures."""

from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from engine.experiments import AuditResult
from engine.vocabulary import PLAYERS
from pages.common.figures.axes import number, power_axis, thinned
from pages.common.figures.layout import finish
from pages.common.figures.palette import (
    ATTACKED,
    BEYOND,
    CHANCE,
    FAINT,
    GREEN,
    GREY,
    HONEST,
    INK,
    LIMIT,
    MUSTARD,
    TARGET,
)

LOOKS: Mapping[str, tuple[str, str]] = {
    "honest": (HONEST, "circle"),
    "liar": (MUSTARD, "x"),
    "careful": (GREEN, "square"),
    "attacker": (ATTACKED, "diamond"),
}
LABELS = {
    "honest": "honest<br>calculator",
    "liar": "liar who in-<br>vents numbers",
    "careful": "careful<br>liar",
    "attacker": "attacker",
}
FLOOR = 1e-17  # where a residual of exactly 0 is drawn
SPREAD = 0.32  # of the marks of one calculator, up and down


def drawn_rows(residuals: NDArray[np.float64], target: int) -> NDArray[np.int64]:
    """Return which of a calculator's rows are drawn: those of the largest and of the smallest
    residuals, others between, and the target's."""
    return np.union1d(np.argsort(residuals, kind="stable")[thinned(len(residuals))], target)


def residuals(result: AuditResult) -> go.Figure:
    """Draw the rows' residuals, one line of marks a calculator; the target is ringed, and what
    lies in the shaded part is caught."""
    figure = go.Figure()
    n = result.residuals.shape[1]
    height = np.random.default_rng(0).uniform(-SPREAD, SPREAD, size=(n,))
    height[result.target] = 0
    x = np.maximum(result.residuals, FLOOR)
    for place, player in enumerate(PLAYERS):
        colour, symbol = LOOKS[player]
        y = len(PLAYERS) - 1 - place
        rows = drawn_rows(x[place], result.target)
        figure.add_scatter(
            x=x[place, rows],
            y=y + height[rows],
            mode="markers",
            name=PLAYERS[player],
            marker={"color": colour, "symbol": symbol, "size": 4.5, "opacity": 0.55},
            customdata=rows[:, None],
            hovertemplate="sample %{customdata[0]}<br>residual %{x:.1e}"
            f"<extra>{PLAYERS[player]}</extra>",
        )
        at = x[place, result.target]
        figure.add_scatter(
            x=[at],
            y=[y],
            mode="markers",
            name=f"sample {result.target}",
            marker={"symbol": "circle-open", "size": 15, "color": TARGET, "line": {"width": 3}},
            hovertemplate=f"<b>sample {result.target}</b>, the target<br>residual {at:.1e}"
            f"<extra>{PLAYERS[player]}</extra>",
        )
        caught = len(result.caught(player)) > 0
        figure.add_annotation(
            x=np.log10(result.tolerance) + 0.3,
            y=y,
            xanchor="left",
            showarrow=False,
            text="<b>caught</b>" if caught else "passes",
            font={"size": 13, "color": INK if caught else GREY},
        )
    low, high = min(float(x.min()) / 3, 1e-13), 3.0
    figure.add_vrect(x0=result.tolerance, x1=high, fillcolor=BEYOND, line_width=0, layer="below")
    figure.add_vline(x=result.tolerance, line={"color": LIMIT, "width": 1.5, "dash": "dash"})
    figure.add_annotation(
        x=np.log10(result.tolerance),
        y=1,
        yref="paper",
        yanchor="bottom",
        showarrow=False,
        text=f"tolerance {number(result.tolerance)}",
        font={"size": 12, "color": LIMIT},
    )
    figure.update_xaxes(power_axis(low, high, "residual of the reported row (log)", every=3))
    figure.update_yaxes(
        tickvals=list(range(len(PLAYERS))),
        ticktext=[LABELS[player] for player in reversed(PLAYERS)],
        range=[-0.55, len(PLAYERS) - 0.35],
        showgrid=False,
        zeroline=False,
    )
    return finish(figure, 430, showlegend=False)


def growth(result: AuditResult) -> go.Figure:
    """Draw the invented row's residual by the number of queries; a cross on the axis where any
    numbers would pass."""
    table = result.growth
    shown, refused = table[~table["refused"]], table[table["refused"]]
    figure = go.Figure()
    figure.add_scatter(
        x=shown["queries"],
        y=shown["expected"],
        mode="lines",
        name="expected of random numbers, √(1 − rank/queries)",
        line={"color": CHANCE, "width": 1.6, "dash": "dash"},
        hovertemplate="%{x} queries: %{y:.2f} expected<extra></extra>",
    )
    figure.add_scatter(
        x=shown["queries"],
        y=shown["residual"],
        mode="lines+markers",
        name="the invented row",
        line={"color": MUSTARD, "width": 2.5},
        marker={"size": 8, "symbol": "x"},
        hovertemplate="%{x} queries: residual %{y:.2f}<extra></extra>",
    )
    figure.add_scatter(
        x=refused["queries"],
        y=np.zeros(len(refused)),
        mode="markers",
        name="as many queries as rank: any numbers pass",
        cliponaxis=False,
        marker={"symbol": "line-ns", "size": 13, "line": {"color": GREY, "width": 2.5}},
        hovertemplate="%{x} queries: refused, any numbers would pass<extra></extra>",
    )
    figure.update_xaxes(title_text="queries", rangemode="tozero", zeroline=False)
    figure.update_yaxes(title_text="residual", range=[-0.02, 1.0], zerolinecolor=FAINT)
    figure = finish(figure, 330)
    figure.update_layout(legend={"orientation": "v", "x": 0.02, "y": 0.98, "yanchor": "top"})
    return figure
