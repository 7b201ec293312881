"""From a sweep's table to the numbers of the paper's tables: success rates with intervals.

An attack succeeds when min(k, t) of its t targets are in the top k. Its success is counted in two
regimes, *high-accuracy* (accuracy on holdout falls by at most the tolerance) and *best* (no limit),
each in two forms: *any_run* (some run does it, the paper's) and *returned* (the one model handed
out, which was chosen on `test`, does). As transfer the *returned* form is also counted on
`holdout`, where the ranks are those that the calculator would find with a test set the attacker
never saw. *any_run* is not: it would choose the run on data that chooses nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from engine.checks import check_positive
from engine.errors import InvalidInput
from engine.options import entries
from engine.statistics import bootstrap_interval, wilson_interval
from engine.vocabulary import (
    ACCURACY_TOLERANCE,
    QUIET_CORRELATION,
    QUIET_TOLERANCE,
    ROUNDING,
)

CELL = ("dataset", "train_size", "set_size", "objective", "restarts", "radius", "k")
KIND = ("regime", "form", "split")
COUNTED = ("attacks", "successes", "rate", "low", "high", "accuracy_drop")
REGIMES = ("high_accuracy", "best")
SPLITS = {"test": "", "holdout": "_holdout"}  # of columns; lists of runs have the test's unmarked
COUNTS = (("any_run", "test"), ("returned", "test"), ("returned", "holdout"))  # forms and splits
NEEDED = (
    *("rank_before", "k", "set_size", "accuracy_before", "accuracy_after", "runs_accuracy"),
    *(f"share_of_targets{half}" for half in SPLITS.values()),
    "runs_in_top",
)
SHARES = {"share_of_targets": "set_size", "share_of_topk": "k"}  # and of what they are a share


def attempted(table: pd.DataFrame) -> pd.DataFrame:
    """Return the attacks whose targets were not in the top k before."""
    return table[table["rank_before"] > table["k"]]


def outcomes(
    table: pd.DataFrame, regime: str, form: str, split: str, tolerance: float
) -> pd.DataFrame:
    """Return for each attack (index as in `table`): in_top, the targets that its best permitted run
    (or its returned model) has in the top k; success; and drop, that model's fall of accuracy on
    holdout. form and split: one of COUNTS.

    Of several permitted runs the one with the most targets in the top counts, then the most
    accurate. Where none is permitted, in_top is 0 and drop NaN.
    """
    before = table["accuracy_before"].to_numpy()
    limit = tolerance + ROUNDING if regime == "high_accuracy" else np.inf
    needed = np.minimum(table["k"].to_numpy(), table["set_size"].to_numpy())
    if form == "returned":
        share = table[f"share_of_targets{SPLITS[split]}"].to_numpy()
        in_top = np.rint(share * table["set_size"].to_numpy()).astype(np.int64)
        drop = before - table["accuracy_after"].to_numpy()
        in_top = np.where(drop <= limit, in_top, 0)
        drop = np.where(drop <= limit, drop, np.nan)
    else:
        in_top, drop = best_runs(
            padded(table["runs_in_top"]),
            before[:, None] - padded(table["runs_accuracy"]),
            limit,
        )
    return pd.DataFrame(
        {"in_top": in_top, "success": in_top >= needed, "drop": drop}, index=table.index
    )


def padded(lists: pd.Series) -> NDArray[np.float64]:
    """Return lists, one a row, as one array (rows, longest); NaN where a list has ended."""
    longest = max((len(values) for values in lists), default=0)
    return np.array([[*values, *[np.nan] * (longest - len(values))] for values in lists], float)


def best_runs(
    in_top: NDArray[np.float64], drop: NDArray[np.float64], limit: float
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Of each row's runs (rows, runs) that lose at most `limit`: the most targets in the top, and
    the least that a run with so many loses."""
    permitted = drop <= limit  # False for the NaN of the padding
    tops = np.where(permitted, in_top, -1)
    most = tops.max(axis=1, initial=-1)
    least = np.where(permitted & (tops == most[:, None]), drop, np.inf).min(axis=1, initial=np.inf)
    return np.maximum(most, 0).astype(np.int64), np.where(most < 0, np.nan, least)


def success_rates(
    table: pd.DataFrame, tolerance: float = ACCURACY_TOLERANCE, by: Sequence[str] = CELL
) -> pd.DataFrame:
    """Return success rates of a sweep's table with 95% Wilson intervals: a row per cell, regime,
    form and split, of the forms on the splits in COUNTS.

    tolerance: permitted fall of accuracy in the high-accuracy regime, a share. by: the columns that
    make a cell. Columns: those, regime, form, split, attacks, successes, rate, low, high and
    accuracy_drop, the mean fall of accuracy of the models that succeed (NaN where none does).
    Attacks whose targets were in the honest top k are left out. Raises InvalidInput.
    """
    tolerance = check_positive("tolerance", tolerance, allow_zero=True)
    found = every_outcome(attempted(check_table(table, by)), tolerance, by)
    found["drop"] = found["drop"].where(found["success"])
    rates = found.groupby([*by, *KIND], as_index=False).agg(
        attacks=("success", "size"), successes=("success", "sum"), accuracy_drop=("drop", "mean")
    )
    rates["rate"] = rates["successes"] / rates["attacks"]
    intervals = [
        wilson_interval(int(hits), int(attacks))
        for hits, attacks in zip(rates["successes"], rates["attacks"], strict=True)
    ]
    rates["low"], rates["high"] = np.array(intervals, float).reshape(-1, 2).T
    return rates[[*by, *KIND, *COUNTED]]


def share_rates(
    table: pd.DataFrame, tolerance: float = ACCURACY_TOLERANCE, by: Sequence[str] = CELL
) -> pd.DataFrame:
    """Return both readings of multi-target success, with 95% bootstrap intervals over the attacks.

    share_of_targets: mean share of the target set that reaches the top k (the paper's text);
    share_of_topk: mean share of the top k that targets take (what its Fig. 3 fits). Columns: the
    cell, regime, form, split, attacks, and both shares with their `_low` and `_high`.
    An attack whose runs all cost more than the tolerance counts as 0. Raises InvalidInput.
    """
    tolerance = check_positive("tolerance", tolerance, allow_zero=True)
    found = every_outcome(attempted(check_table(table, by)), tolerance, by)
    rows: list[dict[str, object]] = []
    for key, part in found.groupby([*by, *KIND]):
        values: dict[str, object] = {"attacks": len(part)}
        for name, whole in SHARES.items():
            shares = (part["in_top"] / part[whole]).to_numpy()
            low, high = bootstrap_interval(shares)
            values |= {name: shares.mean(), f"{name}_low": low, f"{name}_high": high}
        rows.append(dict(zip((*by, *KIND), key, strict=True)) | values)
    columns = [c for name in SHARES for c in (name, f"{name}_low", f"{name}_high")]
    return pd.DataFrame(rows, columns=[*by, *KIND, "attacks", *columns])


def quiet_rates(
    table: pd.DataFrame,
    tolerance: float = QUIET_TOLERANCE,
    correlation: float = QUIET_CORRELATION,
    by: Sequence[str] = CELL,
) -> pd.DataFrame:
    """Return how many returned models succeed on `test` *and* pass for the honest one, a row a
    cell.

    Counts: success; accurate (of those, with accuracy on holdout fallen by at most `tolerance`, a
    share); ordered (of those that succeed, with a rank correlation of at least `correlation` with
    the honest ranking); quiet, all three; rate, low and high are the share of the last among the
    attacks with its 95% Wilson interval. Attacks whose targets were in the honest top are left out.
    Raises InvalidInput.
    """
    tolerance = check_positive("tolerance", tolerance, allow_zero=True)
    rows = attempted(check_table(table, by))
    found = rows[list(by)].assign(
        success=outcomes(rows, "best", "returned", "test", tolerance)["success"],
        accurate=outcomes(rows, "high_accuracy", "returned", "test", tolerance)["success"],
    )
    found["ordered"] = found["success"] & (rows["rank_correlation"] >= correlation)
    found["quiet"] = found["accurate"] & found["ordered"]
    names = ("success", "accurate", "ordered", "quiet")
    counts = found.groupby(list(by), as_index=False).agg(
        attacks=("success", "size"), **{name: (name, "sum") for name in names}
    )
    counts["rate"] = counts["quiet"] / counts["attacks"]
    intervals = [
        wilson_interval(int(hits), int(attacks))
        for hits, attacks in zip(counts["quiet"], counts["attacks"], strict=True)
    ]
    counts["low"], counts["high"] = np.array(intervals, float).reshape(-1, 2).T
    return counts


def reweighing_rates(
    table: pd.DataFrame, ks: Sequence[int], tolerance: float = ACCURACY_TOLERANCE
) -> pd.DataFrame:
    """Return success rates of the loss-reweighing baseline, with 95% Wilson intervals.

    table: a row per target and weight (the experiment `baseline`). Columns: target_weight, k,
    regime, split and those of `success_rates`; targets in the honest top k are left out.
    """
    tolerance = check_positive("tolerance", tolerance, allow_zero=True)
    rows: list[dict[str, object]] = []
    by_k = {k: list(table[table["rank_before"] > k].groupby("target_weight")) for k in ks}
    for k, regime, split in product(ks, REGIMES, SPLITS):
        limit = tolerance + ROUNDING if regime == "high_accuracy" else np.inf
        for weight, part in by_k[k]:
            ranks, drops = part[f"rank_{split}"].to_numpy(), part["accuracy_drop"].to_numpy()
            hits = (ranks <= k) & (drops <= limit)
            low, high = wilson_interval(int(hits.sum()), len(part))
            rows.append(
                {
                    "target_weight": weight,
                    "k": k,
                    "regime": regime,
                    "split": split,
                    "attacks": len(part),
                    "successes": int(hits.sum()),
                    "rate": float(hits.mean()),
                    "low": low,
                    "high": high,
                    "accuracy_drop": float(drops[hits].mean()) if hits.any() else np.nan,
                }
            )
    return pd.DataFrame(rows, columns=["target_weight", "k", "regime", "split", *COUNTED])


def highest(rates: pd.DataFrame, over: str = "radius") -> pd.DataFrame:
    """Return for each cell the radius of the highest rate, as the paper reads a table with several
    radii.

    Of equal rates the one with the smaller fall of accuracy, then the smaller radius. The interval
    is that of the chosen cell, not widened for the choice.
    """
    keys = [c for c in rates.columns if c not in (over, *COUNTED)]
    ordered = rates.sort_values(
        ["rate", "accuracy_drop", over], ascending=[False, True, True], na_position="last"
    )
    return (
        ordered.groupby(keys, sort=True, as_index=False)
        .head(1)
        .sort_values(keys, ignore_index=True)
    )


def chosen_on_test(rates: pd.DataFrame, over: str = "radius") -> pd.DataFrame:
    """Return both splits' rates at the one value of `over` that `highest` chooses on `test` alone.

    rates: of one form, regime and k, with a row for each value of `over` and split. Returns its two
    rows, indexed by split: what an attacker gets who picks the radius without unseen data.
    """
    best = highest(rates[rates["split"] == "test"], over)[over].iloc[0]
    return rates[rates[over] == best].set_index("split", drop=False)


def every_outcome(table: pd.DataFrame, tolerance: float, by: Sequence[str]) -> pd.DataFrame:
    """Return the outcome of each attack in every regime, form and split, with its cell's
    columns."""
    columns = list(dict.fromkeys((*by, *SHARES.values())))
    kinds = [(regime, *count) for regime, count in product(REGIMES, COUNTS)]
    found = pd.concat([outcomes(table, *kind, tolerance) for kind in kinds], ignore_index=True)
    for name in columns:
        found[name] = np.tile(table[name].to_numpy(), len(kinds))
    for place, name in enumerate(KIND):
        found[name] = np.repeat([kind[place] for kind in kinds], len(table))
    return found


def check_table(table: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """`table` with an index of its own, if it is a sweep's; raises InvalidInput."""
    if not isinstance(table, pd.DataFrame):
        raise InvalidInput("table", type(table).__name__, "what `sweep` returns")
    if not all(isinstance(name, str) for name in entries("by", by)):
        raise InvalidInput("by", by, "names of columns")
    missing = sorted({*by, *NEEDED} - set(table.columns))
    if missing or table.empty:
        fault = f"a table without {', '.join(missing)}" if missing else "an empty table"
        raise InvalidInput("table", fault, "what `sweep` returns")
    return table.reset_index(drop=True)
