"""Attacks on sets of targets (Fig. 3): what the two readings of success say; pure functions from
shares to sentences."""

from dataclasses import dataclass

import pandas as pd

from pages.common.keeping import shelf
from pages.common.words.rate_words import limit, top


@dataclass(frozen=True)
class Reading:
    """A way to read "success rate": the column of `share_rates`, its names, what bounds it."""

    column: str
    name: str
    text: str
    most: str

    def possible(self, set_size: int, k: int) -> float:
        """Return the largest share there can be: at most min(k, t) targets are in the top k."""
        whole = set_size if self.column == "share_of_targets" else k
        return min(set_size, k) / whole


READINGS = {
    "places": Reading(
        "share_of_topk",
        "places",
        "share of the top k that targets take",
        "t targets cannot take more than t of the k places",
    ),
    "targets": Reading(
        "share_of_targets",
        "targets",
        "share of the target set that arrives",
        "of t targets no more than k fit into the top k",
    ),
}


@dataclass(frozen=True)
class Trends:
    """For how many sizes success falls from the smallest k to the largest, and at how many k the
    largest sets do best, of how many each."""

    falling: int
    sizes: int
    leading: int
    ks: int

    @classmethod
    def of(cls, shares: pd.DataFrame, reading: Reading) -> "Trends":
        """shares: of one split, a row per set size and k."""
        table = shares.pivot_table(reading.column, "set_size", "k", aggfunc="first")
        falls = table.iloc[:, -1] < table.iloc[:, 0]
        leads = (table.iloc[-1] >= table.max()) & (table.iloc[-1] > table.min())
        return cls(int(falls.sum()), len(table), int(leads.sum()), table.shape[1])

    @property
    def comparable(self) -> bool:
        """Return whether there is more than one size and more than one k."""
        return self.sizes > 1 and self.ks > 1

    def verdicts(self) -> tuple[bool, bool]:
        return self.falling == self.sizes, self.leading == self.ks


def verdict(trends: Trends) -> str:
    """'both hold', 'only the first holds', …"""
    return {
        (True, True): "both hold",
        (True, False): "the first holds, the second does not",
        (False, True): "the second holds, the first does not",
        (False, False): "neither holds",
    }[trends.verdicts()]


def evidence(trends: Trends) -> str:
    return (
        f"success falls for {trends.falling} of {trends.sizes} sizes, the largest sets do best at "
        f"{trends.leading} of {trends.ks} k"
    )


@shelf.kept
def finding(shares: pd.DataFrame, tolerance: float | None, radius: float, k: int) -> str:
    """Say how many targets of the largest sets arrive in the top k."""
    by = {name: Trends.of(shares, reading) for name, reading in READINGS.items()}
    if not all(trends.comparable for trends in by.values()):
        return (
            f"{limit(tolerance).capitalize()}, within radius {radius:g}. The paper's two findings "
            "compare sizes and k: ask for more than one of each below."
        )
    rows = shares[shares["k"] == k].sort_values("set_size")
    column = READINGS["targets"].column
    few, many = rows.iloc[0], rows.iloc[-1]
    fewer = many[column] < few[column]
    lead = "One model cannot favour everybody" if fewer else "Larger sets arrive as well"
    return (
        f"**{lead}:** of {many['set_size']:.0f} targets, **{arriving(many):.1f} arrive** in "
        f"{top(k)} on average, {limit(tolerance)}."
    )


@shelf.kept
def against_paper(shares: pd.DataFrame) -> str:
    """Say whether the paper's two findings hold, in either reading; else nothing."""
    by = {name: Trends.of(shares, reading) for name, reading in READINGS.items()}
    if not all(trends.comparable for trends in by.values()):
        return ""
    said = "; ".join(
        f"counted in *{reading.name}*, **{verdict(by[name])}**"
        for name, reading in READINGS.items()
    )
    return (
        f"In the paper, success falls as k grows, and larger target sets do better. Here, {said}. "
    )


@shelf.kept
def counted(shares: pd.DataFrame) -> str:
    """Say what each reading counts, and how often the paper's two findings hold in it."""
    return " ".join(
        f"In *{reading.name}* (the {reading.text}), {evidence(Trends.of(shares, reading))}."
        for reading in READINGS.values()
    )


def arriving(row: pd.Series) -> float:
    """Return how many targets of a set arrive, on average. row: of `share_rates`."""
    return float(row[READINGS["targets"].column] * row["set_size"])


def arrivals_title(shares: pd.DataFrame, k: int) -> str:
    """Say whether more targets arrive out of larger sets."""
    rows = shares[shares["k"] == k].sort_values("set_size")
    grows = arriving(rows.iloc[-1]) > arriving(rows.iloc[0])
    return f"{'More' if grows else 'No more'} targets arrive in {top(k)} out of larger sets"


def grid_title(shares: pd.DataFrame, reading: Reading, split: str) -> str:
    """Say how much of what is possible is reached, over all sizes and k."""
    possible = [
        reading.possible(int(t), int(k))
        for t, k in zip(shares["set_size"], shares["k"], strict=True)
    ]
    mean = float((shares[reading.column] / possible).mean())
    return f"On {split}: {mean:.0%} of what is possible, on average"
