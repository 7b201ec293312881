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
    """How many statements hold, differ, or cannot be told."""
    by = {v: sum(c.verdict == v for c in compared) for v in VERDICTS}
    return (
        f"Of {len(compared)} checks of what the paper states, on the data that is published here, "
        f"**{by[REPRODUCED]} reproduced**, {by[DIFFERS]} differ and {by[NOT_COMPARABLE]} cannot be "
        f"compared. The {levels} success rates of its tables cannot be compared in level: the "
        "features here are others."
    )


def as_table(compared: Sequence[Comparison]) -> pd.DataFrame:
    names = list(Comparison.__dataclass_fields__)
    return pd.DataFrame([[getattr(c, n) for n in names] for c in compared], columns=names)


def orders_title(compared: Sequence[Comparison]) -> str:
    """On which data no part of the recipe hurts, and on which one does."""
    by = {
        verdict: [c.data for c in compared if (c.source, c.verdict) == ("Table 2", verdict)]
        for verdict in (REPRODUCED, DIFFERS)
    }
    said = [
        f"{text} {listed(by[verdict])}"
        for verdict, text in (
            (REPRODUCED, "no step from the simplest method to the paper's does worse on"),
            (DIFFERS, "one does on"),
        )
        if by[verdict]
    ]
    return "The order of the methods: " + "; ".join(said)
