"""What new samples are worth in words: pure functions from results to sentences and tables."""

import numpy as np
import pandas as pd

from engine.experiments import CandidatesResult, PlaygroundRequest, PlaygroundResult
from pages.common.figures.axes import number
from pages.common.keeping import shelf
from pages.common.words.wording import count, percent

SHOWN = {"clouds": "Two clouds", "digits": "Handwritten 3s and 8s"}  # as links have them
SHORT = {"Two clouds": "Made up", "Handwritten 3s and 8s": "3s and 8s"}  # as they are seen


@shelf.kept
def finding(result: PlaygroundResult) -> str:
    """Say where the attack leaves the values of new points."""
    return (
        "Each place below is a possible new sample: at green places it would help the model, at "
        "yellow ones it would harm. **After an attack, help and harm swap on "
        f"{result.disagreement:.0%} of this plane**, pale places included."
    )


def what_is_shown(request: PlaygroundRequest, result: PlaygroundResult) -> str:
    """Say at the figure what its points are, and what to do."""
    made = "made up" if request.points == "clouds" else "handwritten 3s and 8s"
    return (
        "**Drag the mark with the thick frame: it is the new sample.** The small marks "
        f"are {len(result.y)} training samples, {made}."
    )


@shelf.kept
def attacked(result: PlaygroundResult) -> str:
    """Say what the attack did to its own target, and how the disagreement is counted."""
    n, target = len(result.y), result.target
    return (
        "The attack moved the sample in the orange ring from rank "
        f"{result.before.ranks[target]} to rank {result.after.ranks[target]} of {n}; accuracy "
        f"went from {percent(result.accuracy_before)} to {percent(result.accuracy_after)}. The "
        "disagreement counts both labels."
    )


def origin(request: PlaygroundRequest, result: PlaygroundResult) -> str:
    """Say what the points are, and how they are looked at."""
    n = len(result.y)
    points = (
        f"The {n} points are made up: they are drawn by seed {request.seed}."
        if request.points == "clouds"
        else f"The {n} points are all handwritten 3s and 8s among the training digits, on the "
        "first two principal components of their pixels."
    )
    return (
        f"{points} On the dashed line both labels are equally likely. Your browser computes each "
        f"value exactly from the model ({count(len(result.y_test), 'test point')}, damping "
        f"{request.damping:g}); nothing is sent. Only the colours between grid cells are smoothed. "
        "Ranks are among the training points and the new one, 1 for the highest score."
    )


@shelf.kept
def candidates_title(result: CandidatesResult) -> str:
    """Say how many candidates would help, by either model, and how many change sides."""
    honest, attacked = result.own("honest"), result.own("attacked")
    turned = int(((honest > 0) != (attacked > 0)).sum())
    return (
        f"{turned} of {len(honest):,} unseen samples change sides: {int((honest < 0).sum())} would "
        f"help by the honest model, {int((attacked < 0).sum())} by the malicious one"
    )


@shelf.kept
def check_title(result: CandidatesResult) -> str:
    """Say how far prediction and measurement are apart."""
    return (
        f"Training with {count(len(result.check), 'candidate')} changes the test loss as their "
        f"scores say, to {100 * result.error:.1g}%"
    )


@shelf.kept
def fragile(result: CandidatesResult) -> str:
    """Say which checked candidate changes sides with the damping, if any does."""
    table = result.check
    turned = table[(table["predicted"] > 0) != (table["usual"] > 0)]
    if turned.empty:
        return ""
    worst = turned.iloc[int(turned["predicted"].abs().to_numpy().argmax())]
    return (
        f" {len(turned)} of the {len(table)} checked ones have the other sign at the usual "
        f"damping; of these unseen sample {int(worst['candidate'])} is the largest: "
        f"{number(worst['usual'])} there, {number(worst['predicted'])} with damping = L2."
    )


@shelf.kept
def candidates_table(result: CandidatesResult, names: tuple[str, ...]) -> pd.DataFrame:
    """Return one row per candidate, with its true label."""
    return pd.DataFrame(
        {
            "unseen sample": np.arange(len(result.labels)),
            "class": [names[label] for label in result.labels],
            "honest": result.own("honest"),
            "attacked": result.own("attacked"),
            "would rank (honest)": result.would_rank("honest"),
            "would rank (attacked)": result.would_rank("attacked"),
        }
    )


@shelf.kept
def points_table(result: PlaygroundResult) -> pd.DataFrame:
    """Return one row per training point of the plane."""
    return pd.DataFrame(
        {
            result.features[0]: result.X[:, 0],
            result.features[1]: result.X[:, 1],
            "class": [result.classes[label] for label in result.y],
            "score_honest": result.before.scores,
            "rank_honest": result.before.ranks,
            "score_attacked": result.after.scores,
            "rank_attacked": result.after.ranks,
        }
    )
