"""Conditioning and differing samples in words: pure functions from results to sentences, tables."""

import numpy as np
import pandas as pd

from engine.experiments import ConditioningResult
from engine.experiments.conditioning import FIRST
from pages.common.keeping import shelf
from pages.common.words.wording import count, decimal, percent

SAMPLES = 12  # of a table
NAMES = {"honest": "honest", "attacked": "malicious"}  # of the models, in results and on screens
LOOSE = 0.01  # the usual L2 penalty, as a damping


def least_alike(result: ConditioningResult) -> float:
    """Return the damping that keeps the fewest of the first samples: of several such, the nearest
    to the usual one."""
    rows = result.by_damping
    others = rows[(rows["model"] == "honest") & (rows["damping"] != result.damping)]
    fewest = others[others["kept"] == others["kept"].min()]["damping"].to_numpy()
    return float(fewest[np.abs(np.log(fewest / result.damping)).argmin()])


@shelf.kept
def finding(result: ConditioningResult) -> str:
    """Say how few of the first samples stay where another damping is chosen, and what it is for."""
    rows = result.by_damping
    others = rows[(rows["model"] == "honest") & (rows["damping"] != result.damping)]
    least = round(FIRST * others["kept"].min())
    only = "only " if least <= FIRST / 2 else ""
    verdict = "Yes" if only else "No" if least == FIRST else "In part"
    return (
        f"**{verdict}: with damping {least_alike(result):g} instead of the paper's "
        f"{result.damping:g}, {only}{least} of the top ten stay.** The damping keeps scores from "
        "growing without bound."
    )


@shelf.kept
def first_ten_title(result: ConditioningResult, damping: float) -> str:
    """Say how many of the first ten samples stay at a damping."""
    kept = round(FIRST * result.at("honest", damping)["kept"])
    return f"With damping {damping:g}, {kept} of the paper's top ten stay"


@shelf.kept
def spectrum_title(result: ConditioningResult, damping: float) -> str:
    values = result.eigenvalues[0]
    below = int((values < damping).sum())
    return f"Damping {damping:g} outweighs the data in {below} of {count(len(values), 'direction')}"


@shelf.kept
def spectrum_caption(result: ConditioningResult, damping: float) -> str:
    below = result.at("honest", damping)["below"]
    return (
        "A direction is one way to change the model. Its curvature, an eigenvalue of the Hessian "
        "H, says how firmly the data hold the model there. "
        f"Directions below the dotted line carry {below:.0%} of the honest model's scores. "
        f"{result.flat[0]} directions have no curvature and are not drawn: for example, the same "
        "vector added to every class."
    )


@shelf.kept
def numbers_said(result: ConditioningResult, damping: float) -> str:
    """Say in the field's numbers how well both models are conditioned."""
    parts = []
    for place, (model, name) in enumerate(NAMES.items()):
        row = result.at(model, damping)
        parts.append(
            f"{name} model: stable rank {result.stable[place]:.1f}, effective dimension "
            f"{row['dimension']:.1f}, condition number {row['condition']:.3g}"
        )
    return (
        f"At damping {damping:g}, {'; '.join(parts)}. A score's share is counted in absolute "
        "parts, since signed ones cancel. The ranking at damping "
        f"{LOOSE:g} has Spearman {decimal(result.at('honest', LOOSE)['correlation'])} with the "
        "usual one."
    )


@shelf.kept
def by_damping_title(result: ConditioningResult) -> str:
    rows = result.by_damping[result.by_damping["model"] == "honest"]
    worst = rows.iloc[int(rows["correlation"].to_numpy().argmin())]
    return (
        "The ranking is partly the damping's choice: another one agrees with it only to "
        f"{decimal(worst['correlation'])}"
    )


@shelf.kept
def first_samples(result: ConditioningResult, order: str) -> pd.DataFrame:
    """Return the honest model's first samples: what their scores owe to the damping."""
    sign = -1 if order == "highest_first" else 1
    first = np.argsort(sign * result.scores[0], kind="stable")[:SAMPLES]
    scores, slopes = result.scores[0][first], result.slopes[0][first]
    return pd.DataFrame(
        {
            "rank": np.arange(1, len(first) + 1),
            "sample": first,
            "score": [f"{value:.3g}" for value in scores],
            "if the damping doubles": [
                f"{100 * np.log(2) * slope / value:+.0f}%".replace("-", "−")
                for slope, value in zip(slopes, scores, strict=True)
            ],
            "from below the damping": [percent(value) for value in result.below[0][first]],
        }
    )


def unseen(result: ConditioningResult) -> pd.DataFrame:
    """Return the rows of the holdout samples, on which accuracy is measured."""
    return result.differences[result.differences["split"] == "holdout"]


@shelf.kept
def differences_title(result: ConditioningResult) -> str:
    rows = unseen(result)
    other = rows[rows["said_first"] != rows["said_second"]]
    surer = int((rows["confidence_second"] < rows["confidence_first"]).sum())
    return (
        f"The models predict otherwise for {len(other)} of {len(rows):,} unseen samples; the "
        f"malicious one is less sure of {surer / len(rows):.0%} of them"
    )


@shelf.kept
def changed(result: ConditioningResult, names: tuple[str, ...]) -> pd.DataFrame:
    """Return the unseen samples that the models predict otherwise, those farthest apart first."""
    rows = unseen(result)
    rows = rows[rows["said_first"] != rows["said_second"]]
    rows = rows.sort_values("divergence", ascending=False)[:SAMPLES]
    return pd.DataFrame(
        {
            "unseen sample": rows["sample"],
            "class": [names[label] for label in rows["label"]],
            "honest says": [names[label] for label in rows["said_first"]],
            "sure": [percent(value) for value in rows["confidence_first"]],
            "malicious says": [names[label] for label in rows["said_second"]],
            "sure of it": [percent(value) for value in rows["confidence_second"]],
        }
    )


@shelf.kept
def moved(result: ConditioningResult, names: tuple[str, ...]) -> pd.DataFrame:
    """Return the training samples whose rank changes by the largest factor, with what both models
    say."""
    rows = result.differences[result.differences["split"] == "train"]
    factor = np.abs(np.log((rows["rank_second"] / rows["rank_first"]).to_numpy()))
    rows = rows.iloc[np.argsort(-factor, kind="stable")[:SAMPLES]]
    return pd.DataFrame(
        {
            "sample": rows["sample"],
            "class": [names[label] for label in rows["label"]],
            "honest rank": rows["rank_first"],
            "malicious rank": rows["rank_second"],
            "honest says": [names[label] for label in rows["said_first"]],
            "malicious says": [names[label] for label in rows["said_second"]],
        }
    )
