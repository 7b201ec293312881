"""Whether sensitive samples are easier to move: attacked targets in fifths by their sensitivity."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from engine.statistics import wilson_interval
from pages.attack.parts.moved_targets import NEVER
from pages.common.figures.layout import finish
from pages.common.figures.palette import ATTACKED, BEYOND, INK, translucent
from pages.common.keeping import shelf
from pages.common.words import rate_words

FEWEST = 10  # targets that are drawn in fifths
BARS = 0.8  # of the figure's width; the counts stand to the right of it
TITLE = "How many samples reach the top, from the least to the most sensitive"
PLACES = ("least sensitive", "less", "medium", "more", "most sensitive")


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


def doubt(found: pd.DataFrame, radius: float) -> str:
    """Say whether the difference of both ends within `radius` may be chance, with its intervals;
    nothing where they do not differ. found: of `fifths`."""
    few, many = ends(found, radius)
    if few[0] / few[1] == many[0] / many[1]:
        return ""
    intervals = [wilson_interval(*part) for part in (few, many)]
    said = " and ".join(f"{low:.0%} to {high:.0%}" for low, high in intervals)
    if intervals[0].overlaps(intervals[1]):
        return f"At this model move, the difference may be chance: the 95% intervals are {said}."
    return f"Chance hardly explains this difference: the 95% intervals are {said}."


def by_fifth(found: pd.DataFrame, radius: float) -> go.Figure:
    """Draw a bar for each fifth: how many of its targets move within `radius`, with the count
    beside it. Both ends, which the page's answer compares, are darker. found: of `fifths`."""
    parts = moved_at(found, radius)
    moved, of = (np.array(values) for values in zip(*parts, strict=True))
    between = len(parts) - 2
    figure = go.Figure()
    for name, counts, colours in (
        ("reach the top", moved, [ATTACKED, *[translucent(ATTACKED, 0.5)] * between, ATTACKED]),
        ("do not", of - moved, [BEYOND] * len(parts)),
    ):
        figure.add_bar(
            x=counts / of,
            y=list(range(len(parts))),
            orientation="h",
            width=0.68,
            name=name,
            showlegend=False,
            marker={"color": colours},
            customdata=np.stack([counts, of], axis=1),
            hovertemplate=f"<b>%{{customdata[0]}} of %{{customdata[1]}}</b> {name}<extra></extra>",
        )
    for at, (some, every) in enumerate(parts):
        figure.add_annotation(
            x=BARS + 0.02,
            xref="paper",
            xanchor="left",
            y=at,
            showarrow=False,
            text=f"<b>{some} of {every}</b>" if at in (0, len(parts) - 1) else f"{some} of {every}",
            font={"size": 15, "color": INK},
        )
    figure.update_xaxes(
        domain=[0, BARS],
        range=[0, 1],
        showticklabels=False,
        showgrid=False,
        zeroline=False,
        title_text=f"samples at the top when the model moves by {rate_words.share(radius)}",
    )
    figure.update_yaxes(
        tickvals=list(range(len(PLACES))),
        ticktext=list(PLACES),
        tickfont={"size": 14},
        range=[len(PLACES) - 0.5, -0.5],
        showgrid=False,
        zeroline=False,
    )
    return finish(figure, 300, barmode="stack", margin={"t": 8})
