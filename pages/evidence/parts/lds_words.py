"""Scores beside retraining in words: pure functions from results to sentences and tables."""

import numpy as np
import pandas as pd

from engine.experiments import LdsResult, SelectionResult
from engine.experiments.lds import MATCHING
from pages.common.frames import named_rows
from pages.common.keeping import shelf
from pages.common.words.score_names import SCORE_NAMES
from pages.common.words.wording import decimal, percent
from pages.evidence.parts.lds_figures import pulls_up

MODELS = {"honest": "honest", "attacked": "malicious", "either": "none needed"}
FEW = 0.5  # of the samples: at which share curves are compared in words


@shelf.kept
def finding(result: LdsResult) -> str:
    """Answer the page's question for influence, and say what the attack leaves of it."""
    honest, fallen = result.row("influence", "honest"), result.row("influence", "attacked")
    if honest["low"] <= 0:
        answer = "**No: influence scores do not predict which of {n} retrained models do better.**"
    else:
        answer = "**Yes: influence scores predict which of {n} retrained models do better.**"
    return (
        f"{answer.format(n=len(result.outcomes))} The rank correlation of predicted and real loss "
        f"is {decimal(honest['lds'])} (1 is perfect, 0 is chance). Scores from the malicious model "
        f"do {worse(honest, fallen)}: {decimal(fallen['lds'])}."
    )


def worse(honest: pd.Series, fallen: pd.Series) -> str:
    """Say whether an attribution predicts less well under the malicious model."""
    return "so less well" if fallen["lds"] < honest["lds"] else "no worse"


@shelf.kept
def best(result: LdsResult) -> str:
    """Say how well influence predicts retraining where the damping is the training's L2."""
    return (
        f"With damping = L2, influence reaches {decimal(result.row(MATCHING, 'honest')['lds'])}; "
        f"sums of scores reach at most {decimal(result.ceiling)}, because losses do not add up."
    )


@shelf.kept
def scores_title(result: LdsResult) -> str:
    """Say how many attributions predict retraining, by their 95% intervals."""
    table = result.table[result.table["model"] != "attacked"]
    better = int((table["low"] > 0).sum())
    return f"{better} of {len(table)} scores predict retraining better than chance"


@shelf.kept
def scores_table(result: LdsResult) -> pd.DataFrame:
    """Return every score with its interval and its share of the ceiling."""
    rows = list(named_rows(result.table))
    return pd.DataFrame(
        {
            "attribution": [SCORE_NAMES[row.attribution] for row in rows],
            "model": [MODELS[row.model] for row in rows],
            "score": [
                f"{decimal(row.lds)} ({decimal(row.low)} to {decimal(row.high)})" for row in rows
            ],
            "of the ceiling": [percent(row.lds / result.ceiling) for row in rows],
        }
    )


@shelf.kept
def sums_title(result: LdsResult, name: str) -> str:
    """Say whether a higher predicted loss comes with a higher real one, by the 95% interval."""
    rows = result.table[result.table["attribution"] == name]
    row = rows[rows["model"] != "attacked"].iloc[0]
    if row["low"] > 0:
        return f"The higher the loss that {SCORE_NAMES[name]} predicts, the higher the real loss"
    return f"The loss that {SCORE_NAMES[name]} predicts says little about the real loss"


def at_half(result: SelectionResult, name: str) -> tuple[float, float, dict[bool, float]]:
    """Return the share nearest to a half, the mean accuracy of random samples there, and that of
    the samples which pull the loss down (False) or up (True); NaN where no model was trained."""
    chance = result.by_chance()["accuracy_holdout", "mean"]
    share = float(min(chance.index, key=lambda kept: abs(kept - FEW)))
    found = {}
    for end in ("first", "last"):
        curve = result.curve(name, "honest", end)
        row = curve[curve["share"] == share].iloc[0]
        found[pulls_up(end, result.order)] = float(row["accuracy_holdout"])
    return share, float(chance[share]), found


@shelf.kept
def selection_title(result: SelectionResult, name: str) -> str:
    """Say whether random samples do better than those that a score picks."""
    share, chance, found = at_half(result, name)
    best = float(np.nanmax([*found.values()]))
    chosen, part = SCORE_NAMES[name], "half" if share == FEW else f"share of {percent(share)}"
    if chance > best:
        return (
            f"A random {part} trains a better model than one that {chosen} picks: "
            f"{percent(chance)} against {percent(best)}"
        )
    return (
        f"The {part} that {chosen} picks trains a better model than a random one: "
        f"{percent(best)} against {percent(chance)}"
    )


@shelf.kept
def selection_said(result: SelectionResult, name: str) -> str:
    """Say what is left at the share nearest to a half, kept from either end, beside random
    samples, and why a score is no recipe for choosing."""
    share, chance, found = at_half(result, name)
    down, up = ("no model" if np.isnan(v) else percent(v) for v in (found[False], found[True]))
    why = (
        "A score says what one sample adds while all others stay. Picked together, samples of "
        "like scores repeat each other, and some classes become rare."
    )
    return (
        f"With {percent(share)} of the samples: accuracy {down} with those that pull the "
        f"loss down, {up} with those that pull it up, {percent(chance)} at random. "
        f"{why if chance > np.nanmax([*found.values()]) else ''}"
    ).rstrip()


@shelf.kept
def lost_classes(result: SelectionResult, names: tuple[str, ...]) -> str:
    """Say which selections lose a class, in one sentence; empty where none does."""
    lost = result.table[result.table["lost"] >= 0]
    if lost.empty:
        return ""
    first = lost.iloc[0]
    label = int(first["lost"])
    called = names[label] if label < len(names) else str(label)
    return (
        f"{len(lost)} of {len(result.table)} selections lose a class and are not trained; the "
        f"first keeps {percent(float(first['share']))} by "
        f"{SCORE_NAMES.get(str(first['attribution']), str(first['attribution']))} and has no "
        f"“{called}”."
    )
