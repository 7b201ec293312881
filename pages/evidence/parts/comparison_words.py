"""All comparisons with the paper, in sentences and as one table."""

from collections.abc import Sequence
from html import escape

import pandas as pd

from pages.common.words.wording import listed
from pages.evidence.parts.comparisons import (
    DIFFERS,
    NOT_COMPARABLE,
    REPRODUCED,
    VERDICTS,
    Comparison,
)

STAND_IN = " stand-in"
SIGNS = {REPRODUCED: "✓", DIFFERS: "✗", NOT_COMPARABLE: "–"}
LOOKS = {REPRODUCED: "good", DIFFERS: "bad", NOT_COMPARABLE: "open"}  # classes of the style


def finding(compared: Sequence[Comparison], levels: int) -> str:
    """Say how many statements hold, and what is not checked."""
    held = sum(c.verdict == REPRODUCED for c in compared)
    answer = "Mostly" if 2 * held > len(compared) else "In part"
    return (
        f"**{answer}: {held} of {len(compared)} checks of the paper's statements are reproduced.** "
        f"Orders and trends are checked. The {levels} success rates of its tables are not "
        "compared: this lab turns the pictures into other features."
    )


def reasons_label(compared: Sequence[Comparison]) -> str:
    """Return the question that the reasons of the verdicts answer."""
    differ = any(c.verdict == DIFFERS for c in compared)
    return f"{'Why do some differ' if differ else 'What was found'}? Statement by statement"


def verdict_list(compared: Sequence[Comparison]) -> str:
    """Return HTML with a line for each statement, and on it a tile for each check: the data, with
    the sign and in the colour of the verdict."""
    lines = []
    for short in dict.fromkeys(c.short for c in compared):
        found = [c for c in compared if c.short == short]
        said = "".join(
            f'<li class="{LOOKS[c.verdict]}" title="{c.verdict}"><b>{SIGNS[c.verdict]}</b> '
            f'<span class="verdict">{c.verdict}: </span>{escape(chip(c.data))}</li>'
            for verdict in VERDICTS
            for c in found
            if c.verdict == verdict
        )
        lines.append(f"<li><span>{escape(short[0].upper() + short[1:])}</span><ul>{said}</ul></li>")
    return f'<ul class="ial-verdicts">{"".join(lines)}</ul>'


def chip(data: str) -> str:
    """Return a data set's name on a tile; a star stands for a stand-in, which the page explains."""
    name = data.removeprefix("the ")
    return f"{name.removesuffix(STAND_IN)}*" if name.endswith(STAND_IN) else name


def as_table(compared: Sequence[Comparison]) -> pd.DataFrame:
    names = list(Comparison.__dataclass_fields__)
    return pd.DataFrame([[getattr(c, n) for n in names] for c in compared], columns=names)


def orders_title(compared: Sequence[Comparison]) -> str:
    """Say on which data a part of the recipe hurts, or that none does."""
    hurts = [c.data for c in compared if (c.source, c.verdict) == ("Table 2", DIFFERS)]
    return (
        f"One part of the recipe does worse than the step before, on {listed(hurts)}"
        if hurts
        else "No part of the recipe does worse than the step before"
    )
