"""Whether sensitive samples are easier to move: attacked targets in fifths by their sensitivity."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from pages.attack.parts.moved_targets import NEVER, radius_name
from pages.common.figures.axes import count_axis
from pages.common.figures.layout import finish
from pages.common.figures.palette import ATTACKED, ON_PAGE, ON_PALE, REST, paler
from pages.common.keeping import shelf

FEWEST = 10  # targets that are drawn in fifths
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


def title(found: pd.DataFrame, radius: float) -> str:
    """Say how many of the least and of the most sensitive targets move within `radius`; where that
    is the same part of both, within the radius at which it differs most. found: of `fifths`."""

    def ends(at: float) -> tuple[tuple[int, int], tuple[int, int]]:
        parts = moved_at(found, at)
        return parts[0], parts[-1]

    def apart(at: float) -> float:
        (few, least), (many, most) = ends(at)
        return abs(many / most - few / least)

    tried = [float(at) for at in sorted(found["least"].unique()) if at != NEVER]
    if not apart(radius) and tried:
        radius = max(tried, key=apart)
    (few, least), (many, most) = ends(radius)
    return (
        f"At radius {radius:g}, {few} of the {least} least sensitive samples move, and {many} of "
        f"the {most} most sensitive"
    )


def by_fifth(found: pd.DataFrame) -> go.Figure:
    """Draw a bar for each fifth, split by the smallest radius that moved the targets: the darker,
    the easier. found: of `fifths`."""
    figure = go.Figure()
    radii = sorted(found["least"].unique())
    for radius, colour, ink in zip(radii, *shades(radii), strict=True):
        part = found[found["least"] == radius]
        never = radius == NEVER
        name = "not moved" if never else f"moved at radius {radius_name(radius)}"
        figure.add_bar(
            x=part["targets"].to_numpy(),
            y=[PLACES[place] for place in part["fifth"]],
            orientation="h",
            width=0.68,
            name=name if never or radius == radii[0] else radius_name(radius),
            marker={"color": colour},
            text=[f"{n}" for n in part["targets"]],
            textposition="inside",
            insidetextanchor="middle",
            textangle=0,
            textfont={"size": 14, "color": ink},
            customdata=part[["targets", "of"]].to_numpy(),
            hovertemplate="%{customdata[0]} of %{customdata[1]} samples<extra>" + name + "</extra>",
        )
    figure.update_xaxes(**count_axis(int(found["of"].max()), "attacked samples"))
    figure.update_yaxes(
        type="category",
        categoryorder="array",
        categoryarray=PLACES,
        autorange="reversed",
        showgrid=False,
    )
    return finish(figure, 330, barmode="stack", legend={"traceorder": "normal"})


def shades(radii: Sequence[float]) -> tuple[list[str], list[str]]:
    """Return a colour for each radius, the smallest darkest, and that of the text on it."""
    finite = [radius for radius in radii if radius != NEVER]
    white = np.linspace(0, 0.8, len(finite)) if len(finite) > 1 else [0.0]
    more = len(radii) - len(finite)
    colours = [paler(ON_PAGE[ATTACKED].text, float(share)) for share in white] + [REST] * more
    inks = ["#FFFFFF" if share < 0.2 else ON_PALE for share in white]
    return colours, inks + [ON_PALE] * more
