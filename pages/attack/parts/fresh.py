"""Rates on targets that nobody tuned on: pure functions from sweep tables to a table and words.

Radii, starts and learning rates of the objectives `accurate` and `quiet` were chosen on targets
that the sweeps of TUNED_SEED drew: their rates there are of the best of several settings. The rates
here are of the settings chosen there, on targets that REPORTED_SEED draws; a target that both draw
is left out. On the data sets without a sweep of TUNED_SEED nothing was chosen: they get the
settings of digits.
"""

from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from engine.attacks.rates import attempted, quiet_rates, success_rates
from engine.statistics import wilson_interval
from engine.vocabulary import ACCURACY_TOLERANCE, QUIET_CORRELATION, QUIET_TOLERANCE
from pages.common.frames import named_rows
from pages.common.keeping import shelf
from pages.common.words.objective_words import NAMES, quoted
from pages.common.words.wording import listed

TUNED_SEED, REPORTED_SEED = 0, 1  # of the targets' draw
ROLE, TUNED_ROLES = "fresh", ("cost", "frontier", "ablation")  # of published sweeps on either
TUNED = (
    f" Radii, starts and learning rates of {quoted('accurate')} and {quoted('quiet')} were chosen "
    "on these very targets, which flatters them."
)
ELSEWHERE = " Rates on fresh targets stand on the page “What does it cost?”."
COUNTED = (
    "Of the models that are handed out: how many have the target in the top and lose at most "
    f"{100 * ACCURACY_TOLERANCE:g} points of accuracy on unseen data, with the 95% interval; and "
    f"how many lose at most {100 * QUIET_TOLERANCE:g} point and keep a rank correlation of at "
    f"least {QUIET_CORRELATION:g} with the honest ranking. The targets are others than those on "
    "which radius, starts and learning rate were chosen; on a data set on which nothing was "
    "chosen, the attacks have the settings of digits."
)


def unseen(fresh: pd.DataFrame, tuned: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Return the attacks of a sweep on targets that no sweep of TUNED_SEED on the same data has."""
    if not (fresh["seed"] == REPORTED_SEED).all():
        raise ValueError(f"a sweep whose targets were drawn with seed {REPORTED_SEED} is needed")
    seen = {target for table in tuned for target in table["target"]}
    return fresh[~fresh["target"].isin(seen)].reset_index(drop=True)


def rates(tables: Mapping[str, Sequence[pd.DataFrame]], k: int) -> pd.DataFrame:
    """Return a row for each data set and objective: attacks, moved (in the top k by the returned
    model, with accuracy kept) with its interval low, high, and quiet, as in `quiet_rates`. tables:
    the sweeps of `unseen` targets by data set."""
    rows = []
    for data, sweeps in tables.items():
        for table in sweeps:
            if attempted(table[table["k"] == k]).empty:
                continue
            kept = success_rates(table, ACCURACY_TOLERANCE).query(
                "k == @k and regime == 'high_accuracy' and form == 'returned' and split == 'test'"
            )
            quiet = quiet_rates(table).query("k == @k")
            for row, also in zip(named_rows(kept), named_rows(quiet), strict=True):
                low, high = wilson_interval(int(row.successes), int(row.attacks))
                rows.append(
                    {
                        "data": data,
                        "objective": row.objective,
                        "radius": row.radius,
                        "attacks": row.attacks,
                        "moved": row.successes,
                        "low": low,
                        "high": high,
                        "quiet": also.quiet,
                    }
                )
    return pd.DataFrame(rows)


@shelf.kept
def shown(found: pd.DataFrame) -> pd.DataFrame:
    """Return the rates as a table to read."""
    return pd.DataFrame(
        {
            "data": found["data"],
            "attack": [f"{NAMES[row.objective]}, {row.radius:g}" for row in named_rows(found)],
            "moved, accuracy kept": [
                f"{row.moved} of {row.attacks} ({row.low:.0%} to {row.high:.0%})"
                for row in named_rows(found)
            ],
            "and the ranks": found["quiet"],
        }
    )


@shelf.kept
def sentence(found: pd.DataFrame, data: str, k: int) -> str:
    """Say what the attacks do on fresh targets of one data set; empty where that is not known."""
    rows = found[found["data"] == data]
    if rows.empty:
        return ""
    said = [
        f"{quoted(row.objective)} moves {row.moved} of {row.attacks}" for row in named_rows(rows)
    ]
    return f"With accuracy kept, {listed(said)} into the top {k}."
