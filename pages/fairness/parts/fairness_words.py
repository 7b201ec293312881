"""What the scaling attack on fairness says in words: pure functions from its result."""

import re
from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from engine.fairness.result import About, FairnessResult, largest_effect
from engine.statistics import points
from engine.vocabulary import ACCURACY_TOLERANCE, PROGRAMMES
from pages.common.keeping import shelf
from pages.common.words.wording import MINUS, listed, percent, plain

NAMES = {"dp": "DP gap", "eop": "equal-opportunity gap"}
PLAIN = {
    "dp": "how much more often one group gets the good prediction",
    "eop": "how much more often one group gets the good prediction, of those who deserve it",
}
PEOPLE = {"male": "men", "female": "women"}  # groups as one speaks of them; others as data say
PAPER_POINTS = 16  # of DP gap: the largest effect that the paper reports (Section 5.1)


def signed(share: float) -> str:
    """Write a difference of shares in points, with its sign: '+14.6', '−5.0'."""
    return points(share).replace("-", MINUS)


def titled(metric: str) -> str:
    """Name a gap at the beginning of a title."""
    return NAMES[metric][0].upper() + NAMES[metric][1:]


def people(group: str) -> str:
    """Name a group of people in a sentence: 'men', '“30 or older”'."""
    return PEOPLE.get(group, f"“{plain(group)}”")


def by_lead(about: About, gap: float) -> tuple[str, str]:
    """Return the groups by a gap's sign, the one that is ahead first."""
    zero, one = about.group_names
    return (zero, one) if gap < 0 else (one, zero)


def does(group: str, many: str, one: str) -> str:
    """Name a group with its verb: 'men get', 'the group “30 or older” gets'."""
    name = people(group)
    return f"{name} {many}" if group in PEOPLE else f"the group {name} {one}"


def who_gets(about: About, honest: float) -> str:
    """Say who gets the good prediction more often, and by how many points; before the repair, and
    after the unattacked one, whose gap is `honest`."""
    ahead, behind = by_lead(about, about.gap_before)
    turned = "less" if honest * about.gap_before < 0 else "more"
    said = (
        f"{does(ahead, 'get', 'gets')} the good prediction {size(about.gap_before)} points more "
        f"often than {people(behind)}; after the repair {size(honest)} points {turned} often."
    )
    return f"of those who deserve it, {said}" if about.metric == "eop" else said


def spoiled(about: About, scale: float, after: float, honest: float) -> str:
    """Say which group is ahead after the attacked repair, and by how many points. The group 'stays'
    ahead where that repair takes less than half of its lead, and an honest repair takes some."""
    before, same = abs(about.gap_before), about.gap_before * after > 0
    stays = same and abs(honest) < before and before / 2 < abs(after) <= before
    who = does(by_lead(about, after)[0], *(("stay", "stays") if stays else ("are", "is")))
    return (
        f"Multiply the model's parameters by {scale:g} first, and {who} {size(after)} points ahead."
    )


def size(share: float, digits: int = 1) -> str:
    """Write a difference of shares in points without its sign: '14.6'."""
    return f"{100 * abs(share):.{digits}f}"


def interval(row: pd.Series) -> str:
    return f"95% interval {signed(row['effect_low'])} to {signed(row['effect_high'])}"


def above_chance(row: pd.Series) -> bool:
    """Tell whether the interval of an effect lies above 0."""
    return bool(row["effect_low"] > 0)


def changed(number: int, total: int) -> str:
    """'none of its 200 test predictions', '3 of its 200 test predictions'."""
    return f"{number or 'none'} of its {total:,} test predictions"


def paper(metric: str) -> str:
    return (
        f"the paper: up to {PAPER_POINTS}"
        if metric == "dp"
        else "the paper reports none for this gap"
    )


@shelf.kept
def finding(result: FairnessResult) -> str:
    """Say what one multiplication does to the repaired model, as far as the data can tell."""
    about, largest = result.about, largest_effect(result.table)
    gap, limit = NAMES[about.metric], f"{100 * ACCURACY_TOLERANCE:g} points of accuracy"
    if largest is None:
        return (
            "At α = 1 the programme has no solution: there is no repaired model without the "
            "attack to compare with. Try smaller β and γ."
        )
    if largest["effect"] <= 0:
        return (
            f"On {plain(about.title)} no scale within {limit} makes the |{gap}| of the repaired "
            "model larger than it is without the attack."
        )
    column = f"{about.metric}_test"
    clear = above_chance(largest)
    after, honest = float(largest[column]), float(result.row(1)[column])
    number = int(largest["base_predictions_changed"])
    attacked, gets = spoiled(about, largest["scale"], after, honest), who_gets(about, honest)
    gets, rest = f"{gets[0].upper()}{gets[1:]}", untouched(number, about.n_test)
    if clear:
        return f"Yes. {gets} **{attacked}** {rest}"
    chance = "**The difference can be chance: its interval contains 0.**"
    return f"{gets} {attacked} {rest} {chance}"


def untouched(number: int, total: int) -> str:
    """Say that the scores change, and how many predictions do."""
    if not number:
        return "The multiplication changes no prediction, only the scores."
    return f"The scores change, and so do {number} of the {total:,} test predictions."


def taken_away(result: FairnessResult, row: pd.Series) -> bool:
    """Tell whether the repair lowers the gap, and at a row's scale leaves more than half of it."""
    before, column = abs(result.about.gap_before), f"{result.about.metric}_test"
    return bool(abs(result.row(1)[column]) < before and abs(row[column]) > before / 2)


@shelf.kept
def price(result: FairnessResult) -> str:
    """State the effect with its interval, the paper's effect, and the change of accuracy."""
    about, largest, honest = result.about, largest_effect(result.table), result.row(1)
    if largest is None:
        return ""
    few = (
        ""
        if above_chance(largest)
        else f" The interval contains 0: {about.n_test:,} test rows are too few to tell this from "
        "chance."
    )
    column = f"{about.metric}_test"
    return (
        f"In size the gap goes from {size(honest[column], 2)} to {size(largest[column], 2)} "
        f"points. The effect on the |{NAMES[about.metric]}| is {signed(largest['effect'])} points "
        f"({interval(largest)}; {paper(about.metric)}). The repaired model's accuracy goes from "
        f"{percent(honest['accuracy_test'])} to {percent(largest['accuracy_test'])}.{few}"
    )


@shelf.kept
def repair(result: FairnessResult) -> pd.DataFrame:
    """List the gap before the repair, after it, and after a repair that was attacked where that
    does most: name, gap (points, signed), low and high (of the 95% interval; NaN where none)."""
    metric, largest = result.about.metric, largest_effect(result.table)
    rows: list[tuple[str, float, float, float]] = [
        ("before the repair", 100 * result.about.gap_before, np.nan, np.nan)
    ]
    if largest is None:
        return pd.DataFrame(rows, columns=["model", "gap", "low", "high"])
    shown = [("repaired", result.row(1))]
    if largest["scale"] != 1:
        shown.append((f"repaired, parameters × {largest['scale']:g}", largest))
    for name, row in shown:
        gap, low, high = (100 * float(row[f"{metric}_test{end}"]) for end in ("", "_low", "_high"))
        rows.append((name, gap, low, high))
    return pd.DataFrame(rows, columns=["model", "gap", "low", "high"])


@shelf.kept
def repair_title(result: FairnessResult) -> str:
    """Say whether the multiplication takes the repair away."""
    largest = largest_effect(result.table)
    if largest is None:
        return "There is no repaired model to compare with"
    if largest["effect"] <= 0:
        return "The multiplication does not take the repair away"
    if not above_chance(largest):
        return "The multiplication seems to take the repair away, but it can be chance"
    if taken_away(result, largest):
        return "The repair works, until the parameters are multiplied"
    return "The multiplication makes the gap larger"


def gap_title(result: FairnessResult) -> str:
    """Say the gap at the scale where the attack does most."""
    about, largest = result.about, largest_effect(result.table)
    if largest is None:
        return f"{titled(about.metric)} on test: nothing to compare with at α = 1"
    return (
        f"{titled(about.metric)} on test at every scale: {signed(largest[f'{about.metric}_test'])} "
        f"points at α = {largest['scale']:g}"
    )


def worst(result: FairnessResult) -> str:
    """Say what the search on validation found, and what that scale does on test."""
    found = result.worst
    if found is None:
        return "The search on validation found no scale within the accuracy condition."
    tried = result.searched["scale"]
    return (
        f"A search that sees validation alone ({len(tried)} scales from {tried.min():g} to "
        f"{tried.max():g}) finds α = {found['scale']:.3g}"
        f"{', an end of that range,' if found['scale'] in (tried.min(), tried.max()) else ''} the "
        f"worst: on test "
        f"{signed(found['effect'])} points ({interval(found)}), accuracy "
        f"{percent(found['accuracy_test'])}."
    )


def who_is_ahead(about: About) -> str:
    """Say what the sign of the gap means."""
    zero, one = map(plain, about.group_names)
    return f"Positive: {one} ahead of {zero} in being predicted “{plain(about.label_names[1])}”" + (
        " among those who truly are." if about.metric == "eop" else "."
    )


@shelf.kept
def largest_effects(results: Iterable[tuple[str, FairnessResult]]) -> dict[str, pd.Series]:
    """Pick from each result the row with the largest effect, by the names given; none from a result
    that has no effect to compare."""
    rows = {name: largest_effect(result.table) for name, result in results}
    return {name: row for name, row in rows.items() if row is not None}


def across(rows: Mapping[str, pd.Series]) -> str:
    """Say on which data sets the effect can be told from chance."""
    clear = [plain(name) for name, row in rows.items() if above_chance(row)]
    unclear = [plain(name) for name, row in rows.items() if not above_chance(row)]
    if not clear:
        return f"Statistically clear on none of {listed(unclear)}"
    rest = f"; not on {listed(unclear)}" if unclear else ""
    return f"Statistically clear on {listed(clear)}{rest}"


def reshuffled(row: pd.Series, top_k: int) -> str:
    """Say what became of the influence ranking at a scale."""
    kept = round(row["topk_overlap"] * top_k)
    return (
        f"Influence ranking: Spearman {row['spearman']:.2f} with the honest one; {kept} of its top "
        f"{top_k} kept"
    ).replace("-", MINUS)


@shelf.kept
def pipeline(result: FairnessResult, scale: float) -> list[tuple[str, str, bool]]:
    """List the five steps (name, text, whether it is the attack's) with this run's numbers; in
    brackets those without the attack."""
    about, row, honest = result.about, result.row(scale), result.row(1)
    attacked = scale != 1
    gap = NAMES[about.metric]

    def beside(text: str) -> str:
        return f" (α = 1: {text})" if attacked and honest["feasible"] else ""

    programme = f"{PROGRAMMES[row['programme']].capitalize()}. "
    if row["feasible"]:
        programme += (
            f"Removed: {row['removed']:,.1f} of {about.n_train:,} rows"
            f"{beside(format(honest['removed'], ',.1f'))}."
        )
        outcome = (
            f"{titled(about.metric)} on test {signed(row[f'{about.metric}_test'])} points"
            f"{beside(signed(honest[f'{about.metric}_test']))}, accuracy "
            f"{percent(row['accuracy_test'])}{beside(percent(honest['accuracy_test']))}."
        )
    else:
        programme += "It has no solution at this scale."
        outcome = "No weights, no repaired model."
    return [
        (
            "1 · Train the model",
            f"{about.n_train:,} rows; test accuracy {percent(about.accuracy_before)}, {gap} "
            f"{signed(about.gap_before)} points.",
            False,
        ),
        (
            "2 · Multiply it by α",
            f"θ* becomes {scale:g}·θ*; {row['base_predictions_changed']} of {about.n_test:,} test "
            "predictions change."
            if attacked
            else "Not done: α = 1.",
            attacked,
        ),
        (
            "3 · Influence on the validation gap",
            "Of every training row, at "
            + (
                f"{scale:g}·θ*; Spearman {row['spearman']:.2f} with the honest scores.".replace(
                    "-", MINUS
                )
                if attacked
                else "θ*."
            ),
            False,
        ),
        ("4 · Linear programme", programme, False),
        ("5 · Retrain on the weights", outcome, False),
    ]


def description(about: About) -> list[str]:
    """Describe the data set and the pipeline's strengths, as lines of Markdown."""
    low, high = about.rates_test
    zero, one = map(plain, about.group_names)
    bad, good = map(plain, about.label_names)
    return [
        f"**{plain(about.title)}**: {about.n_train:,} training, {about.n_val:,} validation and "
        f"{about.n_test:,} test rows; {about.n_features:,} features after encoding.",
        f"**Groups**: {one} (s = 1, {about.share_group_1:.0%} of the test rows) and {zero} "
        "(s = 0). The gap is the first's rate minus the second's.",
        f"**Favourable outcome**: {good} (y = 1), true of {high:.0%} of {one} and {low:.0%} of "
        f"{zero} in the test rows; otherwise {bad} (y = 0).",
        f"**Pipeline**: β = {about.beta:g} of the gap to be removed, γ = {about.gamma:g} of the "
        f"possible gain in validation loss to be realised, L2 = {about.l2:g}.",
        *map(plain, about.notes),
    ]


def readable(table: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Order the columns, what the page speaks of first; name them and the programme in words."""
    first = ["chosen", "scale", f"{metric}_test", f"{metric}_test_low", f"{metric}_test_high"]
    first += ["accuracy_test", "effect", "effect_low", "effect_high", "programme", "feasible"]
    first += ["removed", f"{metric}_val", "accuracy_val"]
    first = [name for name in first if name in table]
    rest = [name for name in table if name not in first]
    found = table.assign(programme=table["programme"].map(PROGRAMMES))[[*first, *rest]]
    return found.rename(columns=column_words)


def column_words(column: str) -> str:
    """A column in words: 'DP gap, test, low' for the lower end of its interval."""
    words = {**NAMES, "val": "validation"}
    parts = re.split(r"_(?=test|val|low|high)", column)
    return ", ".join(words.get(part, part.replace("_", " ")) for part in parts)
