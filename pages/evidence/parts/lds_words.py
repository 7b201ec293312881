"""Scores beside retraining in words: pure functions from results to sentences and tables."""

import pandas as pd

from engine.experiments import LdsResult, SelectionResult
from engine.experiments.lds import MATCHING
from pages.common.frames import named_rows
from pages.common.keeping import shelf
from pages.common.words.score_names import SCORE_NAMES
from pages.common.words.wording import decimal, listed, percent

MODELS = {"honest": "honest", "attacked": "attacked", "either": "none enters"}
FEW = 0.5  # of the samples: at which share curves are compared in words


@shelf.kept
def finding(result: LdsResult) -> str:
    """Say how well influence predicts retraining, and what the attack leaves of it."""
    best, usual = result.row(MATCHING, "honest"), result.row("influence", "honest")
    fallen = result.row("influence", "attacked")
    return (
        f"**Influence (damping = L2) predicts which of {len(result.outcomes)} retrained models do "
        f"better, with a rank correlation of {decimal(best['lds'])}**; sums of scores reach at "
        f"most {decimal(result.ceiling)}. With the paper's damping it is {decimal(usual['lds'])}, "
        f"and {decimal(fallen['lds'])} for an attacked model."
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
    """Return the score of one attribution under either model."""
    models = result.table.loc[result.table["attribution"] == name, "model"]
    said = [f"{decimal(result.row(name, m)['lds'])} ({MODELS[m]})" for m in models]
    return f"Score of “{SCORE_NAMES[name]}”: {listed(said)}"


@shelf.kept
def selection_said(result: SelectionResult, name: str) -> str:
    """Say what is left at the share nearest to a half, kept from either end, beside random
    samples."""
    chance = result.by_chance()["accuracy_holdout", "mean"]
    share = min(chance.index, key=lambda kept: abs(kept - FEW))

    def accuracy(end: str) -> str:
        curve = result.curve(name, "honest", end)
        row = curve[curve["share"] == share].iloc[0]
        return "no model" if pd.isna(row["accuracy_holdout"]) else percent(row["accuracy_holdout"])

    down, up = ("last", "first") if result.order == "highest_first" else ("first", "last")
    return (
        f"With {percent(share)} of the samples: accuracy {accuracy(down)} with those that pull the "
        f"loss down, {accuracy(up)} with those that pull it up, {percent(chance[share])} at random."
    )


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
