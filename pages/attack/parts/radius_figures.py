"""Figures of the smallest radii: pure functions from the stored result to Plotly figures."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from engine.experiments import MinimalRadiusResult
from engine.vocabulary import ACCURACY_TOLERANCE
from pages.attack.parts.radius_words import compared_radii, edge
from pages.common.figures.axes import rank_axis
from pages.common.figures.layout import custom_data, finish
from pages.common.figures.palette import ATTACKED, CHOSEN, HONEST, INK
from pages.common.samples import Samples, hover_names
from pages.common.words.objective_words import NAMES

SAMPLE = 0  # place of a target in the custom data of its point
SEARCH = "the search"


def steps(result: MinimalRadiusResult, accurate: bool) -> pd.DataFrame:
    """Return radius and number of the targets moved within it, a row at each jump. accurate: count
    only models that lose no more accuracy than is tolerated."""
    counted = result.arrived
    if accurate:
        counted = result.moved(np.inf, ACCURACY_TOLERANCE)
    radii = np.sort(result.radius[counted])
    return pd.DataFrame({"radius": radii, "moved": np.arange(1, len(radii) + 1)})


def curve(result: MinimalRadiusResult, within: float) -> go.Figure:
    """Draw how many targets move within each radius, a step each, and mark the radius `within`."""
    figure = go.Figure()
    total = len(result.targets)
    end = 100 * edge(result)
    lost = f"of these, at most {100 * ACCURACY_TOLERANCE:g} points of accuracy lost"
    for accurate, name, width, dash, colour in (
        (False, f"samples moved, of {total}", 4, "solid", ATTACKED),
        (True, lost, 2, "dot", INK),  # dark: seen where it lies on the other, too
    ):
        table = steps(result, accurate)
        x = np.concatenate([[0.0], 100 * table["radius"], [end]])
        moved = np.concatenate([[0], table["moved"]])
        figure.add_scatter(
            x=x,
            y=np.append(moved, moved[-1]),
            mode="lines",
            line={"shape": "hv", "color": colour, "width": width, "dash": dash},
            name=name,
            hovertemplate="within %{x:.1f}%: <b>%{y} of " + f"{total}</b><extra>{name}</extra>",
        )
    reached = int(result.moved(within).sum())
    figure.add_scatter(
        x=[100 * within] * 2,
        y=[0, reached],
        mode="lines+markers+text",
        line={"color": CHOSEN, "width": 1.6},
        marker={"color": CHOSEN, "size": [0.01, 11]},
        text=["", f"<b>{reached} of {total}</b>"],
        textposition="top left" if within > edge(result) / 4 else "top right",
        textfont={"size": 15, "color": INK},
        cliponaxis=False,
        showlegend=False,
        hoverinfo="skip",
    )
    figure.update_xaxes(
        title_text="how far the model moves, % of its weights' size", range=[0, end], ticksuffix="%"
    )
    figure.update_yaxes(  # inside: the axis below is as wide as the slider above
        ticklabelposition="inside top",
        range=[-0.02 * total, 1.1 * total],
        **count_ticks(total),
    )
    return finish(figure, 330)


def count_ticks(total: int) -> dict[str, list[object]]:
    """Return the ticks of an axis of counts up to `total`, which is named as all."""
    step = max(round(total / 4), 1)
    values = [*range(0, total - step // 2, step), total]
    return {"tickvals": [*values], "ticktext": [*map(str, values[:-1]), f"all {total}"]}


def rivals(result: MinimalRadiusResult) -> go.Figure:
    """Draw, for each radius that attacks were given, a bar for the search and for each of them: how
    many targets it moves within that radius with accuracy kept."""
    radii = compared_radii(result)
    moved, totals, colours = {}, [], []
    for radius in radii:
        at, there = f" within {radius:g}" if len(radii) > 1 else "", result.on(radius)
        moved[SEARCH + at] = int(there.moved(radius, ACCURACY_TOLERANCE).sum())
        rivals = [*dict.fromkeys(there.others["objective"])]
        for objective in rivals:
            hits = there.moved_by(objective, radius, ACCURACY_TOLERANCE)
            moved[NAMES[objective] + at] = int(hits.sum())
        colours += [ATTACKED, *[HONEST] * len(rivals)]
        totals += [len(there.targets)] * (1 + len(rivals))
    figure = go.Figure()
    figure.add_bar(
        x=list(moved.values()),
        y=list(moved),
        orientation="h",
        width=0.6,
        marker={"color": colours},
        text=[f"{n} of {total}" for n, total in zip(moved.values(), totals, strict=True)],
        textposition="outside",
        textfont={"size": 14, "color": INK},
        cliponaxis=False,
        hovertemplate="%{y}: <b>%{text}</b><extra></extra>",
    )
    figure.update_xaxes(
        title_text="samples moved" + (f" within radius {radii[0]:g}" if len(radii) == 1 else ""),
        range=[0, 1.3 * max(totals)],  # room for the count beside a full bar, on a phone too
        showticklabels=False,
        showgrid=False,
    )
    figure.update_yaxes(type="category", autorange="reversed", showgrid=False)
    return finish(figure, 110 + 44 * len(moved), showlegend=False)


def against_rank(result: MinimalRadiusResult, samples: Samples | None) -> go.Figure:
    """Draw smallest radius of each target against its honest rank; those that never arrived on
    top."""
    n = len(result.honest_ranks)
    names = hover_names(samples, n)
    top = 1.12 * max(result.radius[result.arrived], default=0.1)
    figure = go.Figure()
    looks: tuple[tuple[bool, str, dict[str, object]], ...] = (
        (True, "moved", {"symbol": "diamond", "size": 11, "color": ATTACKED}),
        (
            False,
            "not moved by any search",
            {"symbol": "x-thin", "size": 11, "line": {"width": 3, "color": INK}},
        ),
    )
    for arrived, name, marker in looks:
        these = np.flatnonzero(result.arrived == arrived)
        if not len(these):
            continue
        figure.add_scatter(
            x=result.rank_before[these],
            y=result.radius[these] if arrived else np.full(len(these), top),
            mode="markers",
            name=name,
            marker=marker,
            customdata=custom_data(
                [
                    [int(result.targets[i]), names[result.targets[i]], f"{result.rank_before[i]:,}"]
                    for i in these
                ]
            ),
            hovertemplate="%{customdata[1]}<br>honest rank %{customdata[2]}"
            + ("<br>smallest radius %{y:.3f}" if arrived else "")
            + f"<extra>{name}</extra>",
        )
    figure.update_xaxes(rank_axis(n, "rank under the honest model (log)"))
    figure.update_yaxes(title_text="smallest radius found", range=[0, 1.06 * top])
    return finish(figure, 380)
