"""Which targets were moved, how far the model had to go, and what could have told beforehand."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from engine.experiments import SensitivityResult
from engine.results.store import Stored
from engine.statistics import Interval, auc, paired_interval, rank_correlation
from pages.common.keeping import shelf
from pages.common.words.wording import decimal

OBJECTIVE, ORDER = "higher_ranked", "highest_first"
ATTACKS = pd.DataFrame(
    {
        "set_size": pd.Series(dtype=int),
        "k": pd.Series(dtype=int),
        "rank_before": pd.Series(dtype=int),
        "target": pd.Series(dtype=int),
        "radius": pd.Series(dtype=float),
        "any_run_success": pd.Series(dtype=bool),
    }
)  # none, with the columns that are looked at
NEVER = np.inf  # in place of the smallest radius: none of those tried was enough
WELL = -0.7  # a rank correlation with the smallest radius: from here on a clue predicts well
PREDICTORS = {
    "norm": "sensitivity of the score",
    "nearness": "nearness to either end of the ranking",
    "rank": "nearness to the top of the ranking",
}


@shelf.kept
def attempts(sweep: pd.DataFrame, result: SensitivityResult, k: int, radius: float) -> pd.DataFrame:
    """Return a row per attacked target (its index): rank, norm, error (a standard error), least
    (the smallest radius at which some run brought it into the top k) and moved (whether one did at
    `radius`). Single targets outside the honest top k alone."""
    rows = sweep[(sweep["set_size"] == 1) & (sweep["k"] == k) & (sweep["rank_before"] > k)]
    hits = rows.pivot_table(
        index="target", columns="radius", values="any_run_success", aggfunc="max", fill_value=False
    ).astype(bool)
    radii = hits.columns.to_numpy(dtype=float)
    least = np.where(hits, radii, NEVER).min(axis=1, initial=NEVER)
    targets = hits.index.to_numpy()
    moved = hits[radius].to_numpy() if radius in hits else np.zeros(len(hits), bool)
    return pd.DataFrame(
        {
            "rank": result.ranking.ranks[targets],
            "norm": result.norms[targets],
            "error": result.standard_errors[targets],
            "least": least,
            "moved": moved,
        },
        index=pd.Index(targets, name="sample"),
    )


@shelf.kept
def at_radius(attacks: pd.DataFrame, radius: float) -> pd.DataFrame:
    """Return the attacks of one radius."""
    return attacks[attacks["radius"] == radius]


@shelf.kept
def attacks_in(stored: Sequence[Stored], n: int, damping: float, l2: float) -> pd.DataFrame:
    """Return the attacks among stored sweeps and single ones, as rows of a sweep: those on all n
    training samples, with this damping and l2, by the paper's objective, in its order."""
    rows = [ATTACKS]
    for one in stored:
        asked = one.manifest.request
        if (asked["damping"], asked["l2"], asked["order"]) != (damping, l2, ORDER):
            continue
        if one.manifest.experiment == "sweep":
            table = one.result
            chosen = (table["objective"] == OBJECTIVE) & (table["train_size"] == n)
            rows.append(table.loc[chosen, list(ATTACKS.columns)])
        elif len(one.result.targets) == 1 and asked["objective"] == OBJECTIVE:
            (target,) = one.result.targets
            found = {
                "set_size": 1,
                "k": one.result.k,
                "rank_before": int(one.result.before.ranks[target]),
                "target": target,
                "radius": asked["radius"],
                "any_run_success": bool(one.result.any_run_success),
            }
            rows.append(pd.DataFrame([found]))
    return pd.concat([part for part in rows if len(part)] or rows[:1], ignore_index=True)


@dataclass(frozen=True)
class Prediction:
    """How well something known beforehand foretells success: Spearman's correlation with the
    smallest radius (negative: more of it, less radius), and the area under the ROC curve at one
    radius (NaN where all or none were moved there)."""

    correlation: float
    correlation_interval: Interval
    area: float
    area_interval: Interval

    @property
    def tells(self) -> bool:
        """Return whether the correlation's interval leaves out 0."""
        return not self.correlation_interval.low <= 0 <= self.correlation_interval.high


def predictor(name: str, tried: pd.DataFrame, n: int) -> NDArray[np.float64]:
    """Return one of PREDICTORS for every attempt: higher stands for easier."""
    rank = tried["rank"].to_numpy(dtype=float)
    values = {
        "norm": tried["norm"].to_numpy(),
        "nearness": -np.minimum(rank, n + 1 - rank),
        "rank": -rank,
    }
    return values[name]


@shelf.kept
def prediction(name: str, tried: pd.DataFrame, n: int) -> Prediction | None:
    """Judge one of PREDICTORS by n samples' attempts; None for fewer than three attempts, or where
    every target needed the same radius."""
    if len(tried) < 3 or tried["least"].nunique() < 2:
        return None
    values, least = predictor(name, tried, n), tried["least"].to_numpy()
    moved = tried["moved"].to_numpy()
    return Prediction(
        float(rank_correlation(values, least)),
        paired_interval(rank_correlation, values, least),
        float(auc(values, moved)),
        paired_interval(auc, values, moved),
    )


def radius_name(radius: float) -> str:
    return "none tried" if np.isinf(radius) else f"{radius:g}"


def between(interval: Interval, digits: int = 2) -> str:
    low, high = (f"{end:.{digits}f}".replace("-", "−") for end in interval)
    return f"95% interval {low} to {high}"


def verdict(found: Prediction) -> str:
    """Say whether the norm tells beforehand which targets are easy, whatever the answer is."""
    if not found.tells:
        return "Sensitivity does not tell which samples are easy to move"
    if found.correlation > 0:
        return "Samples with more sensitive scores are harder to move, not easier"
    return f"Sensitivity {strength(found)} predicts which samples are easy to move"


def strength(found: Prediction) -> str:
    return "only partly" if found.correlation > WELL else "well"


@shelf.kept
def measured(found: Prediction, tried: pd.DataFrame, k: int) -> str:
    return (
        f"Spearman {decimal(found.correlation)} ({between(found.correlation_interval)}) between "
        f"sensitivity and the smallest radius that brings a target into the top {k}, over "
        f"{len(tried)} targets."
    )


@shelf.kept
def against_place(tried: pd.DataFrame, n: int) -> str:
    """Return the norm beside the cheapest clue, the sample's place in the ranking."""
    norm, place = prediction("norm", tried, n), prediction("nearness", tried, n)
    if norm is None or place is None or not place.tells:
        return ""
    as_well = "at least as well" if abs(place.correlation) >= abs(norm.correlation) else "less well"
    return (
        f"Where a sample stands tells {as_well}, without any gradient: Spearman "
        f"{decimal(place.correlation)} ({between(place.correlation_interval)}) for its nearness to "
        "either end of the ranking."
    )


def ends_against_middle(result: SensitivityResult) -> float:
    """Return the median norm of the twentieth at an end of the ranking over that of the rest: of
    the two ends the one where it is smaller."""
    first, middle, last = result.at_ends
    return min(first, last) / middle


@shelf.kept
def deal(tried: pd.DataFrame, number: int, most: int = 3) -> list[int]:
    """Deal round `number` of the bet, the same for everyone: up to three targets that needed
    different radii; none where all needed the same."""
    rng = np.random.default_rng(number)
    levels = rng.permutation(sorted(tried["least"].unique()))[:most]
    if len(levels) < 2:
        return []
    return [int(rng.choice(tried.index[tried["least"] == level])) for level in levels]


def norms_table(result: SensitivityResult, tried: pd.DataFrame) -> pd.DataFrame:
    """Return a row per training sample: rank, score and gradient norm; whether it was moved, if it
    was attacked."""
    table = pd.DataFrame(
        {
            "sample": range(len(result.norms)),
            "rank": result.ranking.ranks,
            "score": result.ranking.scores,
            "gradient_norm": result.norms,
            "standard_error": result.standard_errors,
        }
    )
    return table.join(tried[["moved", "least"]].rename(columns={"least": "smallest_radius"}))
