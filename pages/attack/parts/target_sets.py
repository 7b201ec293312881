"""Attacks on sets of targets (Fig. 3): what the two readings of success say; pure functions from
shares to sentences."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from engine.attacks.rates import attempted, outcomes
from pages.common.asking.rate_view import RateView
from pages.common.keeping import shelf
from pages.common.words.rate_words import limit, top


@dataclass(frozen=True)
class Reading:
    """A way to read "success rate": the column of `share_rates`, its names, what bounds it."""

    column: str
    name: str
    text: str
    most: str

    def whole(self, set_size: int, k: int) -> int:
        """Return what a set's arrivals are counted of: its targets, or the places of the top."""
        return set_size if self.column == "share_of_targets" else k


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
    """Ask whether one model can favour many samples, and answer with what arrives of a largest set;
    'hardly' where that is a smaller part than of the smallest."""
    if not all(Trends.of(shares, reading).comparable for reading in READINGS.values()):
        return (
            f"{limit(tolerance).capitalize()}, within radius {radius:g}. The paper's two findings "
            "compare sizes and k: ask for more than one of each below."
        )
    rows = arrived(shares, k)
    fitting = rows[rows["set_size"] <= k]  # of larger ones not all can arrive
    few, many = rows.iloc[0], (fitting if len(fitting) > 1 else rows).iloc[-1]
    fewer = many["hits"] / many["of"] < few["hits"] / few["of"]
    size, reach = int(many["set_size"]), many["hits"] / many["sets"]
    some = f"about {round(reach)}" if reach >= 1 else "fewer than 1"
    get_to = "reaches" if round(reach) <= 1 else "reach"
    return (
        f"Can one model favour many samples at once? **{'Hardly' if fewer else 'Yes'}: of "
        f"{size:,} samples favoured together, {some} {get_to} {top(k)}.**"
    )


@shelf.kept
def arrived(shares: pd.DataFrame, k: int) -> pd.DataFrame:
    """Return a row for each size of the target set, the smallest first, with counts over all sets:
    set_size, sets, hits (targets that arrive in the top k), of (all targets), room (how many could
    arrive, of each set no more than k), low and high (95% interval of the hits). shares: of one
    regime, form and split."""
    rows = shares[shares["k"] == k].sort_values("set_size")
    size, sets = rows["set_size"].to_numpy(), rows["attacks"].to_numpy()
    hits, low, high = (
        rows[f"share_of_targets{end}"].to_numpy() * size * sets for end in ("", "_low", "_high")
    )
    return pd.DataFrame(
        {
            "set_size": size,
            "sets": sets,
            "hits": np.rint(hits).astype(int),
            "of": size * sets,
            "room": np.minimum(size, k) * sets,
            "low": low,
            "high": high,
        }
    )


@shelf.kept
def moved_alone(table: pd.DataFrame, view: RateView, k: int) -> pd.Series:
    """Return for each target that a sweep moves alone, by its number, whether it arrives in the top
    k, at the view's radius, limit and count."""
    rows = attempted(table)
    rows = rows[(rows["set_size"] == 1) & (rows["k"] == k) & (rows["radius"] == view.radius)]
    found = outcomes(rows, "high_accuracy", view.form, "test", view.limit)
    return found["success"].set_axis(rows["target"])


@shelf.kept
def beside_cost(table: pd.DataFrame, cost: pd.DataFrame, view: RateView) -> str:
    """Say why another part of the single targets arrives here than on the page on costs, with a
    space before; nothing where the targets are others, or fare otherwise. table: the sweep over
    sizes; cost: that over radii."""
    here, there = (moved_alone(one, view, view.k) for one in (table, cost))
    if here.empty or not set(here.index) <= set(there.index):
        return ""
    if (here != there[here.index]).any():
        return ""
    both = int((~here).sum())
    said = (
        f" The page on costs has the same attack and rule, and {there.sum()} of {len(there)} "
        f"arrive there. Of the {(~there).sum()} targets that fail there, {both} "
        f"{'is' if both == 1 else 'are'} among the {len(here)} here."
    )
    least = int(table["k"].min())
    harder = moved_alone(table, view, least)
    if here.any() and least < view.k and here.equals(harder.reindex(here.index)):
        said += f" All that reach {top(view.k)} here also reach {top(least)}."
    return said


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


def arrivals_title(shares: pd.DataFrame, k: int) -> str:
    """Say whether a smaller part of larger sets arrives."""
    rows = arrived(shares, k)
    part = (rows["hits"] / rows["of"]).to_numpy()
    if len(part) > 1 and (np.diff(part) < 0).all():
        return "The larger the set, the smaller the part that arrives"
    if part[-1] < part[0]:
        return "Of the largest sets a smaller part arrives than of the smallest"
    return "Of larger sets no smaller part arrives"


def grid_title(shares: pd.DataFrame, split: str) -> str:
    """Say how many of the possible arrivals there are, over all sizes and k."""
    every = pd.concat([arrived(shares, int(k)) for k in sorted(shares["k"].unique())])
    return f"On {split}: {every['hits'].sum():,} of {every['room'].sum():,} possible arrivals"
