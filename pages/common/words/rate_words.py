"""What success rates say in words: pure functions from rates to sentences."""

import pandas as pd

from pages.common.words.wording import count

FORMS = {"any_run": "some run", "returned": "the returned model"}  # the first is the paper's count
SHOWN_FORMS = {"some run": "one of the tries", "the returned model": "the model handed out"}


def hits(rate: pd.Series) -> str:
    """'32 of 50'."""
    return f"{rate['successes']} of {rate['attacks']}"


def interval(rate: pd.Series) -> str:
    """'The 95% interval of 32 of 50 is 50% to 76%.'"""
    return f"The 95% interval of {hits(rate)} is {rate['low']:.0%} to {rate['high']:.0%}."


def limit(tolerance: float | None) -> str:
    """Return the condition on accuracy, as part of a sentence."""
    if tolerance is None:
        return "at any cost in accuracy"
    return f"at a cost of at most {100 * tolerance:g} points of accuracy"


def share(radius: float) -> str:
    """Write a radius as the pages say it: how far the model moves, '30%' of its weights' size."""
    return f"{round(100 * radius, 6):g}%"


def top(k: int) -> str:
    return "the very top" if k == 1 else f"the top {k}"


def course(rates: pd.DataFrame, x: str) -> str:
    """'8% at 0.05, 92% at 0.5, 70% at 1': the first, the highest and the last rate."""
    ordered = rates.sort_values(x)
    peak = ordered.iloc[ordered["rate"].argmax()]
    shown = {row[x]: row["rate"] for row in (ordered.iloc[0], peak, ordered.iloc[-1])}
    return ", ".join(f"{rate:.0%} at {at:,g}" for at, rate in shown.items())


def attacks(table: pd.DataFrame) -> str:
    return count(int(table["target"].nunique()), "target")
