"""How far the model must move for a sample to reach the top: attacked targets in fifths by their
sensitivity."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from pages.attack.parts.moved_targets import NEVER
from pages.common.figures.layout import finish
from pages.common.figures.palette import ATTACKED, ON_PAGE, ON_PALE, REST, paler
from pages.common.keeping import shelf
from pages.common.words.rate_words import share

FEWEST = 10  # targets that are drawn in fifths
PALEST = 0.75  # share of white in the palest shade
DARKEST = ON_PAGE[ATTACKED].text
TITLE = "How far must the model move?"
PLACES = ("least sensitive", "less", "medium", "more", "most sensitive")
MOST = len(PLACES) - 1


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
def needed(found: pd.DataFrame) -> float:
    """Return the smallest radius tried that moves all targets of the most sensitive fifth; infinite
    where none does. found: of `fifths`."""
    return float(found.loc[found["fifth"] == MOST, "least"].max())


@shelf.kept
def beyond(found: pd.DataFrame) -> int:
    """Count the targets outside the most sensitive fifth that need a larger radius than `needed`.
    found: of `fifths`."""
    others = found[found["fifth"] != MOST]
    return int(others.loc[others["least"] > needed(found), "targets"].sum())


@shelf.kept
def sizes(found: pd.DataFrame) -> tuple[int, int]:
    """Return how many targets the most sensitive fifth has, and all others. found: of `fifths`."""
    most = int(found.loc[found["fifth"] == MOST, "targets"].sum())
    return most, int(found["targets"].sum()) - most


@shelf.kept
def against_order(found: pd.DataFrame) -> tuple[str, str] | None:
    """Return the first two neighbouring rows that are out of order: fewer of the less sensitive
    targets, named first, need more than `needed`. None where no rows are. found: of `fifths`."""
    more = found[found["least"] > needed(found)].groupby("fifth")["targets"].sum()
    counts = more.reindex(range(len(PLACES)), fill_value=0).to_numpy()
    wrong = np.flatnonzero(counts[:-1] < counts[1:])
    return (PLACES[wrong[0]], PLACES[wrong[0] + 1]) if len(wrong) else None


def by_fifth(found: pd.DataFrame) -> go.Figure:
    """Draw a bar for each fifth. A coloured part counts the targets that need one radius, the grey
    part those that need more than `needed`. found: of `fifths`."""
    counts = found.pivot_table(
        index="fifth", columns="least", values="targets", aggfunc="sum", fill_value=0
    ).reindex(range(len(PLACES)), fill_value=0)
    every, enough = counts.sum(axis=1).to_numpy(), needed(found)
    few = [at for at in sorted(map(float, counts.columns)) if at != NEVER and at <= enough]
    pale = [paler(ATTACKED, white) for white in np.linspace(0.4, PALEST, len(few))]
    parts = [
        (f"up to {share(at)}", counts[at].to_numpy(), colour)
        for at, colour in zip(few, [DARKEST, *pale], strict=False)
    ]
    more = counts.drop(columns=few).sum(axis=1).to_numpy()
    parts.append(("no tried move is enough" if enough == NEVER else "further", more, REST))
    rows = f", {every[0]} in each row" if len({*every}) == 1 else ""
    figure = go.Figure()
    for name, moved, colour in parts:
        if not moved.any():
            continue
        figure.add_bar(
            x=moved / every,
            y=list(PLACES),
            orientation="h",
            width=0.68,
            name=name,
            marker={"color": colour},
            text=[f"{n}" if n else "" for n in moved],
            constraintext="none",
            textposition="inside",
            insidetextanchor="middle",
            textangle=0,
            textfont={"size": 15, "color": ON_PALE if colour != DARKEST else "#FFFFFF"},
            customdata=np.stack([moved, every], axis=1),
            hovertemplate=f"<b>%{{customdata[0]}} of %{{customdata[1]}}</b><extra>{name}</extra>",
        )
    figure.update_xaxes(
        range=[0, 1],
        showticklabels=False,
        showgrid=False,
        zeroline=False,
        title_text=f"attacked samples{rows}",
    )
    figure.update_yaxes(
        type="category",
        tickfont={"size": 14},
        showgrid=False,
    )
    return finish(
        figure,
        340,
        barmode="stack",
        legend={
            "traceorder": "normal",
            "title": {"text": "needed move:", "side": "left"},
        },
    )
