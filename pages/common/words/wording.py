"""What results say in words: pure functions from a result to sentences, with their numbers."""

import re
from collections.abc import Sequence
from datetime import datetime

import numpy as np
import pandas as pd

from engine.attacks.options import AttackOptions
from engine.attacks.result import AttackResult
from engine.statistics import Interval, wilson_interval
from pages.common.figures.axes import MINUS as MINUS
from pages.common.keeping import shelf

DECIDES = "Whoever trains the model decides what the data is worth: "
STOPPING = ("higher_ranked", "top_k", "target")  # objectives whose runs end when they arrive
KEEPING = ("accurate", "quiet")  # those whose runs all end once one of them keeps enough


def percent(share: float) -> str:
    return f"{100 * share:.1f}%".replace("-", MINUS)


def points(share: float) -> str:
    """Return a difference of accuracies in points: '3.0 points', '0.7 points', '1 point'."""
    return f"{100 * abs(share):.1f} points"


def fall(before: float, after: float) -> float:
    """Return the difference of two shares as `percent` prints them: whoever subtracts the printed
    numbers finds the printed difference (95.0% to 93.6% are 1.4 points, not a rounded 1.34)."""
    return round(round(100 * before, 1) - round(100 * after, 1), 1) / 100


def count(number: int, noun: str, plural: str = "") -> str:
    """'1 run', '3 runs'."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def listed(names: Sequence[str]) -> str:
    """'a', 'a and b', 'a, b and c'."""
    return " and ".join([*([", ".join(names[:-1])] if names[1:] else []), *names[-1:]])


def plain(text: str) -> str:
    """Return a text whose every character is shown as it is, where Markdown is expected."""
    return re.sub(r"([\\`*_{}\[\]()<>#+!|~:$-])", r"\\\1", text)


def accuracy_change(result: AttackResult) -> str:
    """'fell by 3.0 points', 'rose by 0.3 points', 'did not change'."""
    drop = fall(result.accuracy_before, result.accuracy_after)
    if not drop:
        return "did not change"
    return f"{'fell' if drop > 0 else 'rose'} by {points(drop)}"


@shelf.kept
def against(result: AttackResult) -> str:
    """'down 3.0 points from 95.0%', 'unchanged': what became of the accuracy."""
    return change_from(result.accuracy_before, result.accuracy_after)


def change_from(before: float, after: float) -> str:
    """'down 3.0 points from 95.0%', 'unchanged': what became of an accuracy."""
    drop = fall(before, after)
    if not drop:
        return "unchanged"
    return f"{'down' if drop > 0 else 'up'} {points(drop)} from {percent(before)}"


@shelf.kept
def headline(result: AttackResult, lead: str = "") -> str:
    """Return the finding: where the target went, and what it cost. lead: how a success begins."""
    target = result.targets[0]
    old, new, n = (
        int(result.before.ranks[target]),
        int(result.ranks_test[0]),
        len(result.before.ranks),
    )
    change = accuracy_change(result)
    if result.success:
        return (
            f"{lead or DECIDES}**sample {target} went from rank {old:,} to rank {new:,} of "
            f"{n:,}**. On test samples that the attacker never saw, it ranks "
            f"{result.rank_holdout:,}; accuracy {change}."
        )
    price = f"accuracy on unseen data {change}"
    if new == old:
        return (
            f"This attack failed: **sample {target} stayed at rank {old:,} of {n:,}**, not in the "
            f"top {result.k}; {price}."
        )
    return (
        f"This attack failed: **sample {target} went from rank {old:,} to rank {new:,} of "
        f"{n:,}**, not into the top {result.k}; {price}."
    )


@shelf.kept
def climb(result: AttackResult, first: int = 10) -> str:
    """Return in one glance what an attack did: where the target went, and who of the first stayed.
    Of an attack that failed it is the headline."""
    if not result.success:
        return headline(result)
    target, n = result.targets[0], len(result.before.ranks)
    first = min(first, n)
    kept = round(result.kept(first) * first)
    stay = "none stays" if not kept else "1 stays" if kept == 1 else f"{kept} stay"
    return (
        f"**Sample {target} climbs from rank {int(result.before.ranks[target]):,} to rank "
        f"{result.rank_test:,} of {n:,}.** Of the {first} samples that were first, {stay} in the "
        f"top {first}."
    )


RANK_ONE = {  # the sign of Definition 1, said alike on every page
    "highest_first": "Rank 1 is the sample that raises the test loss most, as in the paper: it "
    "matters most, but it harms.",
    "lowest_first": "Rank 1 is here the sample that lowers the test loss most: it helps. The paper "
    "ranks the other end first.",
}


def rank_one(order: str) -> str:
    """Say which end of the scores is rank 1, and which end the paper ranks first."""
    return RANK_ONE[order]


PULLS = {"lowest_first": "down", "highest_first": "up"}  # the test loss: what the first one does
PAID = {
    "lowest_first": "The paper pays the other way round: samples that pull the loss up earn, "
    "rank 1 most.",
    "highest_first": "As in the paper, these samples are paid although they harm: rank 1 most.",
}


def paid_end(order: str) -> str:
    """Say beside what is paid for that the paper pays for rank 1."""
    return PAID[order]


def turnover(result: AttackResult, first: int = 10) -> str:
    """Return the second finding: what is left of the honest ranking."""
    return f"{stayed(result, first)}; Spearman correlation {decimal(result.rank_correlation)}"


def stayed(result: AttackResult, first: int = 10) -> str:
    """Say how many of the honest top are still in it."""
    first = min(first, len(result.before.ranks))
    kept = round(result.kept(first) * first)
    if kept == 0:
        return f"None of the top {first} stayed"
    if kept == first:
        return f"All of the top {first} stayed"
    return f"{'Only ' if kept <= first / 2 else ''}{kept} of the top {first} stayed"


def jump(result: AttackResult) -> str:
    """Say what became of the target's rank."""
    target = result.targets[0]
    ranks = f"rank {int(result.before.ranks[target]):,} → {int(result.ranks_test[0]):,}"
    if result.success:
        return f"The target jumps: {ranks}"
    return f"The target did not reach the top {result.k}: {ranks}"


def end_of_run(options: AttackOptions) -> str:
    """Say when a run of an attack ends: some objectives go on after they have arrived."""
    if options.objective in STOPPING:
        return f"when it arrives in the shaded top {options.k}, or after {options.steps} steps"
    ends = f"after at most {options.steps} steps"
    if options.objective in KEEPING:
        ends += " or as soon as one run keeps enough"
    return f"{ends}, and goes on after it has arrived"


def decimal(value: float) -> str:
    return f"{value:.2f}".replace("-", MINUS)


def runs_title(result: AttackResult) -> str:
    """'Ten runs; ten reach the top 1'"""
    runs, reached = len(result.runs), int(result.runs["reached"].sum())
    if reached == runs:
        return f"All {count(runs, 'run')} reach the top {result.k}"
    verb = "reaches" if reached == 1 else "reach"
    return f"{count(runs, 'run')}; {reached or 'none'} {verb} the top {result.k}"


def intervals(result: AttackResult, holdout: int) -> tuple[Interval, Interval]:
    """Wilson intervals of the honest and the malicious accuracy on `holdout` samples."""
    return (
        wilson_interval(round(result.accuracy_before * holdout), holdout),
        wilson_interval(round(result.accuracy_after * holdout), holdout),
    )


def accuracies(result: AttackResult, holdout: int) -> pd.DataFrame:
    """Return both models' accuracy on `holdout` unseen samples with its 95% interval."""
    values = (result.accuracy_before, result.accuracy_after)
    ends = intervals(result, holdout)
    return pd.DataFrame(
        {
            "model": ["honest", "malicious"],
            "accuracy_holdout": values,
            "low": [end.low for end in ends],
            "high": [end.high for end in ends],
        }
    )


def price_title(result: AttackResult, holdout: int) -> str:
    """Say what the attack cost, and whether the difference could be told from chance."""
    honest, malicious = intervals(result, holdout)
    verdict = "overlap" if honest.overlaps(malicious) else "do not overlap"
    return (
        f"Accuracy {percent(result.accuracy_before)} → {percent(result.accuracy_after)} on "
        f"{holdout:,} unseen samples; the 95% intervals {verdict}"
    )


def movement(result: AttackResult) -> str:
    """Say how much else moved: the share of samples whose rank changed by more than a tenth of
    n."""
    n = len(result.before.ranks)
    moved = float((np.abs(result.after.ranks - result.before.ranks) > n / 10).mean())
    return f"{moved:.0%} of all samples moved by more than {n // 10:,} ranks"


def day(iso: str) -> str:
    """Write the day of an ISO time: '24 November 2026'."""
    moment = datetime.fromisoformat(iso)
    return f"{moment.day} {moment:%B %Y}"


def stamp(iso: str) -> str:
    """Return an ISO time as '24 November 2026, 01:12 UTC' (or without zone where it has none)."""
    return f"{day(iso)}, {clock(iso)}"


def clock(iso: str) -> str:
    """Return the time of day of an ISO time as '01:12 UTC' (or without zone where it has none)."""
    moment = datetime.fromisoformat(iso)
    return f"{moment:%H:%M} {moment.tzname() or ''}".strip()


def seconds(value: float) -> str:
    """Write how long a computation took, in short: '0.3 s', '12 s', '3 min 20 s'."""
    if value < 9.95:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def sentence_case(text: str) -> str:
    return text[0].upper() + text[1:]
