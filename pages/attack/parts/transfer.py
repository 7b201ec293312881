"""What is left of an attack on test data that the attacker never saw: pure functions from sweep
tables to sentences.

Unseen data chooses nothing here: counted are the models that are handed out, at the radius at which
they succeed most often on the attacker's own test set. Neither a maximum over runs nor one over
radii is taken on the unknown test set.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pandas as pd

from engine.attacks.rates import attempted, chosen_on_test
from pages.common.asking.rate_view import RateView
from pages.common.frames import row_of
from pages.common.keeping import shelf
from pages.common.words.objective_words import NAMES, quoted
from pages.common.words.wording import count, listed

END = 0.1  # of a ranking: its first and its last tenth


def chosen(table: pd.DataFrame, view: RateView, k: int) -> pd.DataFrame:
    """Return rates of the returned models at k on both test sets, at the radius chosen on the
    attacker's own, a row each, indexed by split. table: attacks with one objective."""
    rates = replace(view, form="returned").rates(table)
    return chosen_on_test(rates[rates["k"] == k])


@shelf.kept
def carried_over(table: pd.DataFrame, view: RateView) -> str:
    """Say how many succeed on the unknown test set, at the smallest and at the largest k."""
    said = []
    for k in sorted({int(table["k"].min()), int(table["k"].max())}):
        unseen = row_of(chosen(table, view, k), "holdout")
        said.append(
            f"{unseen['successes']} of {unseen['attacks']} at k = {k} (radius {unseen['radius']:g})"
        )
    return listed(said)


@dataclass(frozen=True)
class Landing:
    """Where the targets that an objective's returned models have in the top on the attacker's own
    test set stand on the unknown one: how many, and of them how many in the last and in the first
    tenth of all n samples."""

    objective: str
    radius: float
    arrived: int
    last: int
    first: int


def landing(table: pd.DataFrame, view: RateView) -> Landing | None:
    """Return where an objective's targets land, at the view's k and the radius chosen on the
    attacker's own test set; None where none arrives. table: attacks with one objective on one
    training set."""
    radius = float(row_of(chosen(table, view, view.k), "test")["radius"])
    rows = attempted(table[(table["k"] == view.k) & (table["radius"] == radius)])
    there = rows[rows["success"]]
    if there.empty:
        return None
    n, ranks = int(there["train_size"].iloc[0]), there["rank_holdout"]
    last, first = int((ranks > (1 - END) * n).sum()), int((ranks <= END * n).sum())
    objective = str(there["objective"].iloc[0])
    return Landing(objective, radius, len(there), last, first)


@shelf.kept
def landings(tables: Sequence[pd.DataFrame], view: RateView) -> tuple[Landing, ...]:
    """`landing` of each objective that moves anything, in the lab's order; tables: of sweeps."""
    table = pd.concat(tables, ignore_index=True)
    parts = {str(name): part for name, part in table.groupby("objective")}
    found = [landing(parts[name], view) for name in NAMES if name in parts]
    return tuple(one for one in found if one is not None)


def landed(found: Sequence[Landing]) -> str:
    """Say where the moved targets stand on the unknown test set, in a sentence for a caption."""
    if not found:
        return ""
    said = [
        f"of {count(one.arrived, 'target')} moved by {quoted(one.objective)} (radius "
        f"{one.radius:g}), {one.last} in the last tenth of the ranking and {one.first} in the first"
        for one in found
    ]
    return (
        "**Where the moved targets stand by the unknown test set**, under the same models: "
        f"{'; '.join(said)}."
    )
