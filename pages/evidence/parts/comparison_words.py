"""All comparisons with the paper, in sentences and as one table."""

from collections.abc import Sequence

import pandas as pd

from pages.common.words.wording import listed
from pages.evidence.parts.comparisons import (
    DIFFERS,
    NOT_COMPARABLE,
    REPRODUCED,
    VERDICTS,
    Comparison,
)


def finding(compared: Sequence[Comparison], levels: int) -> str:
    """Say how many statements hold, differ, or cannot be told."""
    by = {v: sum(c.verdict == v for c in compared) for v in VERDICTS}
    return (
        f"**{by[REPRODUCED]} of {len(compared)} checks of the paper's statements are reproduced**, "
        f"{by[DIFFERS]} differ and {by[NOT_COMPARABLE]} cannot be compared. Orders and trends are "
        f"checked; the {levels} success rates of its tables are not: the features here are others."
    )


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
