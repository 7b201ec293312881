"""Figures of the scaling attack on fairness: pure functions from its result to Plotly figures.

What the attack makes of the repaired model is the accent colour, what validation says blue, what
is honest grey; a hollow mark costs too much accuracy, a cross on the axis has no solution.
"""

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from engine.fairness.result import FairnessResult, unnoticed
from engine.vocabulary import ACCURACY_TOLERANCE
from pages.common.figures.axes import number
from pages.common.figures.layout import finish
from pages.common.figures.palette import ATTACKED, FAINT, GREEN, GREY, INK, MUSTARD, PAPER
from pages.common.figures.rates import band
from pages.common.frames import named_rows
from pages.fairness.parts.fairness_words import PAPER_POINTS, largest_effects, signed, titled

HONEST = 1.0
LONE = 1.04  # how wide the band of a scale is whose neighbours have no solution, as a factor


def scale_axis(scales: NDArray[np.float64], title: str) -> dict[str, object]:
    """Make a log axis of scales; its ticks are the powers of ten."""
    low, high = np.log10(scales.min()), np.log10(scales.max())
    powers = range(int(np.floor(low)), int(np.ceil(high)) + 1)
    return {
        "type": "log",
        "title": {"text": title},
        "range": [low - 0.12, high + 0.12],
        "tickvals": [10.0**power for power in powers],
        "ticktext": [f"{10.0**power:g}" for power in powers],
        "minor": {"ticks": ""},
        "zeroline": False,
    }


def spans(feasible: NDArray[np.bool_]) -> list[NDArray[np.int64]]:
    """Split the places that have a solution into runs of neighbours."""
    places = np.flatnonzero(feasible)
    breaks = np.flatnonzero(np.diff(places) > 1) + 1
    return [part for part in np.split(places, breaks) if len(part)]


def gap_by_scale(result: FairnessResult) -> go.Figure:
    """Draw the repaired model's signed gap on test against the scale, with its bootstrap band,
    and the model's accuracy below. No line leads over a scale without a solution."""
    table, metric = result.table, result.about.metric
    figure = make_subplots(
        rows=2, cols=1, shared_xaxes=True, row_heights=[0.68, 0.32], vertical_spacing=0.06
    )
    worst = result.worst
    scales = table["scale"].to_numpy(dtype=np.float64)
    shown = scales if worst is None else np.append(scales, worst["scale"])
    for row, quantity in ((1, metric), (2, "accuracy")):
        _draw_bands(figure, table, f"{quantity}_test", row)
    figure.add_scatter(
        x=scales,
        y=100 * table[f"{metric}_val"].to_numpy(),
        mode="lines",
        name="validation",
        line={"color": MUSTARD, "width": 1.4, "dash": "dash"},
        hovertemplate="α = %{x:.4g}<br>validation %{y:+.1f} points<extra></extra>",
        row=1,
        col=1,
    )
    for row, quantity in ((1, metric), (2, "accuracy")):
        _draw_test(figure, table, f"{quantity}_test", row)
    if worst is not None:
        _mark_worst(figure, worst, metric)
    heights = _draw_references(figure, result)
    bottom, top = _gap_range(table, metric, heights)
    infeasible = scales[~table["feasible"].to_numpy(dtype=bool)]
    if len(infeasible):
        figure.add_scatter(
            x=infeasible,
            y=np.full(len(infeasible), bottom),
            mode="markers",
            name="no solution",
            cliponaxis=False,
            marker={"symbol": "x-thin", "size": 10, "color": GREY, "line": {"width": 2.4}},
            hovertemplate="α = %{x:.4g}<br>the programme has no solution<extra></extra>",
            row=1,
            col=1,
        )
    figure.update_yaxes(
        title_text=f"{titled(metric)} (points)", range=[bottom, top], zerolinecolor=FAINT, row=1
    )
    figure.update_yaxes(title_text="accuracy (%)", nticks=5, row=2)
    figure.update_xaxes({**scale_axis(shown, ""), "showticklabels": False}, row=1)
    figure.update_xaxes(scale_axis(shown, "factor α on the parameters of the model (log)"), row=2)
    return finish(figure, 540)


def repair_bars(rows: pd.DataFrame, gap: str) -> go.Figure:
    """Draw the size of the gap before the repair, after it, and after the attacked one. rows: as
    `fairness_words.repair`, signed; gap: its name."""
    figure = go.Figure()
    colours = (GREY, GREEN, ATTACKED)
    for place, row in enumerate(named_rows(rows)):
        figure.add_bar(
            y=[f"{row.model}<br><b>{abs(row.gap):.1f} points</b>"],
            x=[abs(row.gap)],
            orientation="h",
            width=0.62,
            marker={"color": colours[place], "pattern": {"shape": "/" if place == 2 else ""}},
            showlegend=False,
            hovertemplate=f"{row.model}: {signed(row.gap / 100)} points"
            + (
                ""
                if np.isnan(row.low)
                else f"<br>95% interval {signed(row.low / 100)} to {signed(row.high / 100)}"
            )
            + "<extra></extra>",
        )
    figure.update_yaxes(autorange="reversed", showgrid=False, tickfont={"size": 14})
    most = float(rows["gap"].abs().max())
    figure.update_xaxes(title_text=f"size of the {gap} (points)", range=[0, 1.05 * most or 1])
    return finish(figure, 90 + 62 * len(rows))


def _mark_worst(figure: go.Figure, worst: pd.Series, metric: str) -> None:
    """Mark the scale that the search found on validation, at its gap on test."""
    figure.add_scatter(
        x=[worst["scale"]],
        y=[100 * worst[f"{metric}_test"]],
        mode="markers",
        name="worst on validation, here on test",
        marker={"symbol": "star-open", "size": 19, "color": INK, "line": {"width": 2}},
        hovertemplate="found on validation: α = %{x:.4g}<br>on test %{y:+.1f} points"
        "<extra></extra>",
        row=1,
        col=1,
    )


def _draw_references(figure: go.Figure, result: FairnessResult) -> list[float]:
    """Draw lines at the gap before any reweighing and at the one without the attack, and below at
    the least accuracy that counts as kept. Returns the gaps, in points."""
    honest = result.row(HONEST)
    references = {"before any reweighing": ("dot", 100 * result.about.gap_before)}
    if honest["feasible"]:
        gap = 100 * honest[f"{result.about.metric}_test"]
        references["α = 1: without the attack"] = ("dash", gap)
        figure.add_hline(
            y=100 * (honest["accuracy_test"] - ACCURACY_TOLERANCE),
            line={"color": GREY, "width": 1.5, "dash": "dot"},
            annotation={
                "text": f"{100 * ACCURACY_TOLERANCE:g} points below α = 1",
                "font": {"size": 12, "color": GREY},
            },
            annotation_position="top left",
            row=2,
            col=1,
        )
    for name, (dash, height) in references.items():
        line = {"color": GREY, "width": 1.6, "dash": dash}
        figure.add_hline(y=height, name=name, showlegend=True, line=line, row=1, col=1)
    return [height for _, height in references.values()]


def _gap_range(table: pd.DataFrame, metric: str, lines: list[float]) -> tuple[float, float]:
    """Return the range, in points, that holds all that is drawn, and 0, with a little room."""
    columns = [f"{metric}_test_low", f"{metric}_test_high", f"{metric}_val"]
    heights = np.append(100 * table[columns].to_numpy(dtype=np.float64).ravel(), [0.0, *lines])
    low, high = float(np.nanmin(heights)), float(np.nanmax(heights))
    room = 0.07 * ((high - low) or 1.0)
    return low - room, high + room


def _draw_bands(figure: go.Figure, table: pd.DataFrame, column: str, row: int) -> None:
    """Draw the 95% intervals, a band for every run of scales that have a solution."""
    for places in spans(table["feasible"].to_numpy(dtype=bool)):
        part = table.iloc[places]
        x = part["scale"].to_numpy(dtype=np.float64)
        low, high = (100 * part[f"{column}_{end}"].to_numpy() for end in ("low", "high"))
        if len(x) == 1:
            x, low, high = np.array([x[0] / LONE, x[0] * LONE]), low.repeat(2), high.repeat(2)
        figure.add_trace(band(x, low, high, ATTACKED), row, 1)


def _draw_test(figure: go.Figure, table: pd.DataFrame, column: str, row: int) -> None:
    """Draw the line on test; a mark is hollow where too much accuracy is lost."""
    kept = unnoticed(table).to_numpy(dtype=bool)
    lost = "" if kept.all() else f"<br>hollow: costs more than {100 * ACCURACY_TOLERANCE:g} points"
    unit = " points" if row == 1 else "%"
    sign = "+" if row == 1 else ""
    figure.add_scatter(
        x=table["scale"].to_numpy(),
        y=100 * table[f"{column}"].to_numpy(),
        mode="lines+markers",
        name=f"test, 95% band{lost if row == 1 else ''}",
        showlegend=row == 1,
        connectgaps=False,
        line={"color": ATTACKED, "width": 2.6},
        marker={
            "size": 9,
            "color": ATTACKED,
            "symbol": np.where(kept, "circle", "circle-open"),
            "line": {"width": 2, "color": ATTACKED},
        },
        customdata=100 * table[[f"{column}_low", f"{column}_high"]].to_numpy(),
        hovertemplate=f"α = %{{x:.4g}}<br><b>%{{y:{sign}.1f}}{unit}</b><br>95% interval "
        f"%{{customdata[0]:{sign}.1f}} to %{{customdata[1]:{sign}.1f}}<extra></extra>",
        row=row,
        col=1,
    )


def effects(results: tuple[tuple[str, FairnessResult], ...]) -> go.Figure:
    """Draw the largest effect on each data set with its 95% interval; filled where that excludes 0.
    All results are of the same gap."""
    rows, metric = largest_effects(results), results[0][1].about.metric
    figure = go.Figure()
    names = []
    for name, row in reversed(list(rows.items())):
        names.append(f"{name}<br><b>{signed(row['effect'])}</b>")
        effect, low, high = (100 * float(row[c]) for c in ("effect", "effect_low", "effect_high"))
        figure.add_scatter(
            x=[effect],
            y=names[-1:],
            mode="markers",
            showlegend=False,
            marker={
                "size": 12,
                "color": ATTACKED,
                "symbol": "diamond" if low > 0 else "diamond-open",
                "line": {"width": 2, "color": ATTACKED},
            },
            error_x={
                "type": "data",
                "symmetric": False,
                "array": [high - effect],
                "arrayminus": [effect - low],
                "color": ATTACKED,
                "thickness": 2.2,
                "width": 7,
            },
            hovertemplate=f"<b>{name}</b>, α = {row['scale']:g}<br>{signed(row['effect'])} points"
            f"<br>95% interval {signed(row['effect_low'])} to {signed(row['effect_high'])}"
            "<extra></extra>",
        )
    figure.add_vline(x=0, line={"color": GREY, "width": 1.5})
    if metric == "dp":
        figure.add_vline(
            x=PAPER_POINTS,
            line={"color": PAPER, "width": 1.6, "dash": "dash"},
            annotation={
                "text": f"the paper: up to {PAPER_POINTS}",
                "font": {"color": PAPER, "size": 12},
                "yref": "paper",
                "y": 1,
                "yanchor": "bottom",
                "xanchor": "right",
            },
        )
    figure.update_xaxes(title_text="|gap| with the attack minus without (points)")
    figure.update_yaxes(
        categoryorder="array",
        categoryarray=names,
        range=[-0.6, len(names) - 0.3],
        showgrid=False,
    )
    return finish(figure, 110 + 70 * len(names))


def gradient_norms(result: FairnessResult) -> go.Figure:
    """Draw the norm of the training loss's gradient at αθ* against α: 0 at α = 1 alone."""
    both = pd.concat([result.table, result.searched], ignore_index=True)
    both = both.drop_duplicates("scale").sort_values("scale")
    scales, norms = both["scale"].to_numpy(), both["gradient_norm"].to_numpy()
    honest = float(result.row(HONEST)["gradient_norm"])
    figure = go.Figure()
    figure.add_scatter(
        x=scales,
        y=norms,
        mode="lines+markers",
        line={"color": ATTACKED, "width": 2.2},
        marker={"size": 5},
        showlegend=False,
        text=[number(norm) for norm in norms],
        hovertemplate="α = %{x:.4g}<br>‖∇L(αθ*)‖ = %{text}<extra></extra>",
    )
    figure.add_scatter(
        x=[HONEST],
        y=[honest],
        mode="markers",
        cliponaxis=False,
        marker={"size": 13, "color": GREY, "symbol": "diamond"},
        showlegend=False,
        hovertemplate=f"α = 1, the trained model<br>‖∇L(θ*)‖ = {number(honest)}<extra></extra>",
    )
    figure.add_annotation(
        x=0,
        y=honest,
        text="the trained model",
        xanchor="right",
        ax=-34,
        ay=-14,
        showarrow=True,
        arrowhead=0,
        arrowcolor=GREY,
        standoff=8,
        font={"color": GREY, "size": 12},
    )
    figure.update_xaxes(scale_axis(scales, "factor α on the parameters of the model (log)"))
    figure.update_yaxes(title_text="gradient norm", rangemode="tozero", zeroline=True)
    return finish(figure, 320)
