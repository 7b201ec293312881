"""Attacks on sets of targets (Fig. 3): what the two readings of success say; pure functions from
shares to sentences."""

from dataclasses import dataclass

import pandas as pd

from pages.common.keeping import shelf
from pages.common.words.rate_words import limit
from pages.common.words.wording import listed


@dataclass(frozen=True)
class Reading:
    """A way to read "success rate": the column of `share_rates`, its names, what bounds it."""

    column: str
    name: str
    text: str
    title: str
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
        "Places that targets take",
        "t targets cannot take more than t of the k places",
    ),
    "targets": Reading(
        "share_of_targets",
        "targets",
        "share of the target set that arrives",
        "Targets that arrive",
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
def finding(shares: pd.DataFrame, tolerance: float | None, radius: float) -> str:
    """Say whether the paper's two findings hold, in either reading."""
    by = {name: Trends.of(shares, reading) for name, reading in READINGS.items()}
    if not all(trends.comparable for trends in by.values()):
        return (
            f"{limit(tolerance).capitalize()}, within radius {radius:g}. The paper's two findings "
            "compare sizes and k: ask for more than one of each below."
        )
    said = "; ".join(
        f"counted in *{reading.name}*, **{verdict(by[name])}**"
        for name, reading in READINGS.items()
    )
    return (
        "In the paper, success falls as k grows, and larger target sets do better. "
        f"{limit(tolerance).capitalize()}, within radius {radius:g}: {said}."
    )


@shelf.kept
def counted(shares: pd.DataFrame) -> str:
    """Say what each reading counts, and how often the paper's two findings hold in it."""
    return " ".join(
        f"In *{reading.name}* (the {reading.text}), {evidence(Trends.of(shares, reading))}."
        for reading in READINGS.values()
    )


def lines_title(shares: pd.DataFrame, reading: Reading) -> str:
    """Say what becomes of the smallest and the largest sets from the smallest to the largest k."""
    table = shares.pivot_table(reading.column, "set_size", "k", aggfunc="first")
    first, last = table.columns[0], table.columns[-1]
    said = [
        f"{table.loc[size, first]:.0%} to {table.loc[size, last]:.0%} with sets of {size}"
        for size in dict.fromkeys((table.index[0], table.index[-1]))
    ]
    return f"{reading.title}, from k = {first} to {last}: {listed(said)}"


def grid_title(shares: pd.DataFrame, reading: Reading, split: str) -> str:
    """Say how much of what is possible is reached, over all sizes and k."""
    possible = [
        reading.possible(int(t), int(k))
        for t, k in zip(shares["set_size"], shares["k"], strict=True)
    ]
    mean = float((shares[reading.column] / possible).mean())
    return f"On {split}: {mean:.0%} of what is possible, on average"
