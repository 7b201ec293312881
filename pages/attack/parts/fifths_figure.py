"""Whether sensitive samples are easier to move: attacked targets in fifths by their sensitivity."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from engine.statistics import wilson_interval
from pages.attack.parts.moved_targets import NEVER, radius_name
from pages.common.figures.axes import count_axis
from pages.common.figures.layout import finish
from pages.common.figures.palette import ATTACKED, ON_PAGE, ON_PALE, REST, paler
from pages.common.keeping import shelf

FEWEST = 10  # targets that are drawn in fifths
BELOW = 0.25  # of a bar's pitch: how far below its middle the interval stands
PLACES = ("least sensitive", "second fifth", "middle", "fourth fifth", "most sensitive")


@shelf.kept
def fifths(tried: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each fifth of the targets, the least sensitive first, and each radius that
    moved any of them: fifth (0 to 4), least (the smallest radius that was enough; infinite: none
    was), targets, of (all targets of the fifth). tried: of `moved_targets.attempts`."""
    ordered = tried.sort_values("norm", kind="stable")
    place = np.concatenate(
        [np.full(len(part), at) for at, part in enumerate(np.array_split(np.arange(len(tried)), 5))]
    )
    counts = ordered.assign(fifth=place).groupby(["fifth", "least"]).size()
    found = counts.rename("targets").reset_index()
    found["of"] = found.groupby("fifth")["targets"].transform("sum")
    return found


@shelf.kept
def moved_at(found: pd.DataFrame, radius: float) -> list[tuple[int, int]]:
    """Return for each fifth how many targets some run moved within `radius`, and of how many."""
    near = found["targets"].where(found["least"] <= radius, 0)
    by = found.assign(near=near).groupby("fifth")
    return [
        (int(moved), int(of)) for moved, of in zip(by["near"].sum(), by["of"].first(), strict=True)
    ]


def ends(found: pd.DataFrame, at: float) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return how many of the least and of the most sensitive targets move within a radius, each
    with of how many."""
    parts = moved_at(found, at)
    return parts[0], parts[-1]


@shelf.kept
def telling_radius(found: pd.DataFrame, radius: float) -> float:
    """Return `radius` or, where it moves the same part of the least and of the most sensitive
    targets, that of the radii tried at which these parts differ most. found: of `fifths`."""

    def apart(at: float) -> float:
        (few, least), (many, most) = ends(found, at)
        return abs(many / most - few / least)

    tried = [float(at) for at in sorted(found["least"].unique()) if at != NEVER]
    return max(tried, key=apart) if not apart(radius) and tried else radius


def title(found: pd.DataFrame, radius: float) -> str:
    """Say which end moves more often within `radius`, and whether the 95% intervals of both are
    apart. found: of `fifths`."""
    few, many = ends(found, radius)
    rates = [moved / of for moved, of in (few, many)]
    if rates[0] == rates[1]:
        return "The most and the least sensitive samples move alike"
    if wilson_interval(*few).overlaps(wilson_interval(*many)):
        return f"At radius {radius:g} alone, the difference may be chance"
    more = "most" if rates[1] > rates[0] else "least"
    return f"The {more} sensitive samples move more often than chance explains"


def counts(found: pd.DataFrame, radius: float) -> str:
    """Say how many of the least and of the most sensitive targets move within `radius`."""
    (few, least), (many, most) = ends(found, radius)
    return (
        f"At radius {radius:g}, {few} of the {least} least sensitive samples move, and {many} of "
        f"the {most} most sensitive. Thin lines: 95% intervals."
    )


def by_fifth(found: pd.DataFrame, radius: float) -> go.Figure:
    """Draw a bar for each fifth, split by the smallest radius that moved the targets: the darker,
    the easier; on each, as a thin line, the 95% interval of what moves within `radius`. found: of
    `fifths`."""
    figure = go.Figure()
    radii = sorted(found["least"].unique())
    for least, colour, ink in zip(radii, *shades(radii), strict=True):
        part = found[found["least"] == least]
        never = least == NEVER
        name = "not moved" if never else f"moved at radius {radius_name(least)}"
        figure.add_bar(
            x=part["targets"].to_numpy(),
            y=part["fifth"].to_numpy(),
            orientation="h",
            width=0.68,
            name=name if never or least == radii[0] else radius_name(least),
            marker={"color": colour},
            text=[f"{n}" for n in part["targets"]],
            textposition="inside",
            insidetextanchor="middle",
            textangle=0,
            textfont={"size": 14, "color": ink},
            customdata=part[["targets", "of"]].to_numpy(),
            hovertemplate="%{customdata[0]} of %{customdata[1]} samples<extra>" + name + "</extra>",
        )
    _intervals(figure, found, radius)
    figure.update_xaxes(**count_axis(int(found["of"].max()), "attacked samples"))
    figure.update_yaxes(
        tickvals=list(range(len(PLACES))),
        ticktext=list(PLACES),
        range=[len(PLACES) - 0.5, -0.5],
        showgrid=False,
        zeroline=False,
    )
    return finish(figure, 330, barmode="stack", legend={"traceorder": "normal"})


def _intervals(figure: go.Figure, found: pd.DataFrame, radius: float) -> None:
    """Draw the 95% interval of what moves within `radius`, below the numbers of each bar."""
    parts = moved_at(found, radius)
    moved, of = (np.array(values) for values in zip(*parts, strict=True))
    low, high = np.array([wilson_interval(*part) for part in parts]).T * of
    figure.add_scatter(
        x=moved,
        y=np.arange(len(parts)) + BELOW,
        mode="markers",
        marker={"color": ON_PALE, "size": 5},
        error_x={
            "type": "data",
            "symmetric": False,
            "array": high - moved,
            "arrayminus": moved - low,
            "color": ON_PALE,
            "thickness": 1.5,
            "width": 3,
        },
        name=f"95% interval at radius {radius:g}",
        showlegend=False,
        customdata=np.stack([moved, of, low / of, high / of], axis=1),
        hovertemplate=f"at radius {radius:g}: "
        "<b>%{customdata[0]} of %{customdata[1]}</b><br>95% interval %{customdata[2]:.0%} to "
        "%{customdata[3]:.0%}<extra></extra>",
    )


def shades(radii: Sequence[float]) -> tuple[list[str], list[str]]:
    """Return a colour for each radius, the smallest darkest, and that of the text on it."""
    finite = [radius for radius in radii if radius != NEVER]
    white = np.linspace(0, 0.8, len(finite)) if len(finite) > 1 else [0.0]
    more = len(radii) - len(finite)
    colours = [paler(ON_PAGE[ATTACKED].text, float(share)) for share in white] + [REST] * more
    inks = ["#FFFFFF" if share < 0.2 else ON_PALE for share in white]
    return colours, inks + [ON_PALE] * more
