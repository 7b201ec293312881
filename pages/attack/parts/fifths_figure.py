"""Whether sensitive samples are easier to move: attacked targets in fifths by their sensitivity."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from pages.attack.parts.moved_targets import NEVER, radius_name
from pages.common.figures.axes import share_axis
from pages.common.figures.layout import finish
from pages.common.figures.palette import ATTACKED, ON_PAGE, ON_PALE, REST, paler
from pages.common.keeping import shelf

FEWEST = 10  # targets that are drawn in fifths
PLACES = ("least", "second", "middle", "fourth", "most")
WIDE = 0.07  # of a fifth: what a part of a bar must be to hold its number


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


def by_fifth(found: pd.DataFrame) -> go.Figure:
    """Draw a bar for each fifth, split by the smallest radius that moved the targets: the darker,
    the easier. found: of `fifths`."""
    figure = go.Figure()
    radii = sorted(found["least"].unique())
    for radius, colour, ink in zip(radii, *shades(radii), strict=True):
        part = found[found["least"] == radius]
        shares = (part["targets"] / part["of"]).to_numpy()
        name = "not moved" if radius == NEVER else f"moved at radius {radius_name(radius)}"
        figure.add_bar(
            x=shares,
            y=[PLACES[place] for place in part["fifth"]],
            orientation="h",
            width=0.68,
            name=name,
            marker={"color": colour},
            text=[
                f"{n}" if share >= WIDE else ""
                for n, share in zip(part["targets"], shares, strict=True)
            ],
            textposition="inside",
            insidetextanchor="middle",
            textangle=0,
            textfont={"size": 14, "color": ink},
            customdata=part[["targets", "of"]].to_numpy(),
            hovertemplate="%{customdata[0]} of %{customdata[1]} targets<extra>" + name + "</extra>",
        )
    figure.update_xaxes(**share_axis("of the targets in each fifth"))
    figure.update_yaxes(
        type="category",
        categoryorder="array",
        categoryarray=PLACES,
        autorange="reversed",
        showgrid=False,
        title_text="sensitivity of the score",
    )
    return finish(figure, 340, barmode="stack", legend={"traceorder": "normal"})


def shades(radii: Sequence[float]) -> tuple[list[str], list[str]]:
    """Return a colour for each radius, the smallest darkest, and that of the text on it."""
    finite = [radius for radius in radii if radius != NEVER]
    white = np.linspace(0, 0.8, len(finite)) if len(finite) > 1 else [0.0]
    more = len(radii) - len(finite)
    colours = [paler(ON_PAGE[ATTACKED].text, float(share)) for share in white] + [REST] * more
    inks = ["#FFFFFF" if share < 0.2 else ON_PALE for share in white]
    return colours, inks + [ON_PALE] * more
