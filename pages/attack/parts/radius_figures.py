"""Figures of the smallest radii: pure functions from the stored result to Plotly figures."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from engine.experiments import MinimalRadiusResult
from engine.vocabulary import ACCURACY_TOLERANCE
from pages.common.figures.axes import rank_axis
from pages.common.figures.layout import custom_data, finish
from pages.common.figures.palette import ATTACKED, GREEN, INK, MUSTARD, VIOLET
from pages.common.samples import Samples, hover_names
from pages.common.words.objective_words import NAMES

LOOKS = ((MUSTARD, "square"), (GREEN, "diamond"), (VIOLET, "triangle-up"))
SAMPLE = 0  # place of a target in the custom data of its point


def steps(result: MinimalRadiusResult, accurate: bool) -> pd.DataFrame:
    """Return radius and share of the targets moved within it, a row at each jump. accurate: count
    only models that lose no more accuracy than is tolerated."""
    counted = result.arrived
    if accurate:
        counted = result.moved(np.inf, ACCURACY_TOLERANCE)
    radii = np.sort(result.radius[counted])
    return pd.DataFrame(
        {"radius": radii, "share": np.arange(1, len(radii) + 1) / len(result.targets)}
    )


def curve(result: MinimalRadiusResult) -> go.Figure:
    """Draw share of the targets moved against radius, without a grid, and other attacks at
    theirs."""
    figure = go.Figure()
    total = len(result.targets)
    farthest = max(result.radius[result.arrived], default=0.0)
    end = 1.08 * max(farthest, result.others["radius"].max())
    for accurate, name, dash in (
        (False, "the search, whatever it costs", "dot"),
        (True, f"the search, at most {100 * ACCURACY_TOLERANCE:g} points lost", "solid"),
    ):
        table = steps(result, accurate)
        x = np.concatenate([[0.0], table["radius"], [end]])
        share = np.concatenate([[0.0], table["share"]])
        y = np.append(share, share[-1])
        figure.add_scatter(
            x=x,
            y=y,
            mode="lines",
            line={"shape": "hv", "color": ATTACKED, "width": 3 if accurate else 1.8, "dash": dash},
            name=name,
            hovertemplate="within radius %{x:.3f}: <b>%{y:.0%}</b> of " + f"{total} targets"
            f"<extra>{name}</extra>",
        )
    asked = list(dict.fromkeys(result.others["objective"]))
    for (colour, symbol), objective in zip(LOOKS, asked, strict=False):
        radii = sorted(set(result.others["radius"]))
        moved = [int(result.moved_by(objective, r, ACCURACY_TOLERANCE).sum()) for r in radii]
        figure.add_scatter(
            x=radii,
            y=[m / total for m in moved],
            mode="markers",
            marker={"color": colour, "symbol": symbol, "size": 13},
            name=NAMES[objective],
            customdata=custom_data([[m] for m in moved]),
            hovertemplate="attack at radius %{x:g}: <b>%{customdata[0]}</b> of "
            f"{total}<extra>{NAMES[objective]}</extra>",
        )
    figure.update_xaxes(title_text="radius: how far the model may go", range=[0, end])
    figure.update_yaxes(title_text="targets moved", tickformat=".0%", range=[-0.02, 1.04])
    return finish(figure, 380)


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
