"""What other attributions say in words: pure functions from their result and request."""

import math
from collections.abc import Mapping

import pandas as pd

from engine.experiments import AttributionsRequest, AttributionsResult
from engine.statistics import wilson_interval
from pages.common.frames import named_rows
from pages.common.keeping import shelf
from pages.common.words import reproduce
from pages.common.words.score_names import SCORE_NAMES
from pages.common.words.wording import decimal, listed
from pages.defend.parts.other_scores_figures import KINDS, alarm_row

MAIN = ("whole", "knn_shapley")  # the alarm chosen beforehand: its score never sees the model
UNBROKEN = "\u00a0"  # a space at which no line ends
FOLLOWS = 0.5  # of influence's move on the log scale: from there another score has moved along
HARDLY = 0.25  # of influence's move on the log scale: up to there a score has hardly moved


def alarm_name(kind: str, score: str) -> str:
    """'kNN-Shapley, whole ranking': an alarm in a menu."""
    return f"{SCORE_NAMES[score]}, {KINDS[kind]}"


def follows(result: AttributionsResult) -> tuple[list[str], list[str]]:
    """Return the other scores by which the target has climbed at least half as far as by influence,
    on the log scale of ranks, and those by which it has not."""
    needed = FOLLOWS * climb(result, "influence")
    others = [name for name in SCORE_NAMES if name in result.names and name != "influence"]
    moved = [name for name in others if needed > 0 and climb(result, name) >= needed]
    return moved, [name for name in others if name not in moved]


def climb(result: AttributionsResult, name: str) -> float:
    """Return how far the target has climbed by a score, on the log scale of ranks."""
    t = result.target
    return math.log(result.before[name].ranks[t] / result.after[name].ranks[t])


def why_given_away(result: AttributionsResult, stayed: list[str]) -> str:
    """Say how far the target moved by the scores `stayed`: 'by these scores it hardly moved'."""
    most = max(abs(climb(result, name)) for name in stayed)
    by = "this score" if len(stayed) == 1 else "these scores"
    hardly = most <= HARDLY * climb(result, "influence")
    return f"by {by} it {'hardly moved' if hardly else 'did not move along'}"


def ranks(result: AttributionsResult, names: list[str]) -> str:
    """'gradient dot product (1,172 → 1) and cosine of gradients (973 → 3)'"""
    t = result.target
    return listed(
        [
            f"{SCORE_NAMES[name]} ({before.ranks[t]:,} → {result.after[name].ranks[t]:,})"
            for name, before in ((name, result.before[name]) for name in names)
        ]
    )


def share(hits: int, total: int, what: str) -> str:
    """'27 of 33 malicious models (82%, 95% interval 66% to 91%)'"""
    low, high = wilson_interval(hits, total)
    return f"{hits} of {total} {what} ({hits / total:.0%}, 95% interval {low:.0%} to {high:.0%})"


@shelf.kept
def finding(result: AttributionsResult) -> str:
    """Say how many scores could have noticed, and how far the target went by influence."""
    moved, stayed = follows(result)
    t = result.target
    old, new = result.before["influence"].ranks[t], result.after["influence"].ranks[t]
    failed = "" if new <= result.k else f", not into the top {result.k}"
    moves = f"The attack moved sample {t} from rank {old:,} to rank{UNBROKEN}{new:,}"
    took = f"{moves} by influence{failed}"
    if not moved:
        return f"{took}."
    many = len(moved) + len(stayed)
    if not stayed:
        return f"**No: none of the {many} other scores gives it away.** {took}; all moved along."
    which = listed([SCORE_NAMES[name] for name in stayed])
    give = "gives" if len(stayed) == 1 else "give"
    return (
        f"**Yes, {len(stayed)} of the {many} other scores {give} it away: {which}.** {took}; "
        f"{why_given_away(result, stayed)}."
    )


@shelf.kept
def more(result: AttributionsResult) -> str:
    """Say what the main alarm is worth."""
    parts = []
    if not result.alarms.empty:
        row = alarm_row(result, *MAIN)
        parts.append(
            f"As an alarm, disagreement with {SCORE_NAMES[MAIN[1]]} **finds "
            f"{share(int(row['found']), result.count('attacked'), 'malicious models')}** and "
            f"accuses {int(row['flagged'])} of {result.count('unknown')} honest ones."
        )
    return " ".join(parts)


@shelf.kept
def apart(result: AttributionsResult) -> str:
    """Say which scores moved along and which did not, with their ranks."""
    moved, stayed = follows(result)
    parts = []
    if moved:
        parts.append(
            f"At least half as far as influence, on the log scale: {ranks(result, moved)}."
        )
    if stayed:
        parts.append(f"Less than half as far, or not at all: {ranks(result, stayed)}.")
    return " ".join(parts)


@shelf.kept
def other_attackers(results: Mapping[str, AttributionsResult]) -> pd.DataFrame:
    """Return the main alarm against attackers with other goals, a row for each: attack (its name),
    found, attacked (models that reached the top), auc, auc_low, auc_high. The honest models, and so
    the threshold, are the same."""
    rows = []
    for name, result in results.items():
        if result.alarms.empty:
            continue
        row = alarm_row(result, *MAIN)
        area = {column: float(row[column]) for column in ("auc", "auc_low", "auc_high")}
        found = {"found": int(row["found"]), "attacked": result.count("attacked")}
        rows.append({"attack": name} | found | area)
    return pd.DataFrame(rows)


@shelf.kept
def against_others(rows: pd.DataFrame) -> str:
    """Say what the main alarm is worth against the one of them that it finds least, in a sentence
    with a space before it."""
    if rows.empty:
        return ""
    least = rows.iloc[int((rows["found"] / rows["attacked"]).to_numpy().argmin())]
    return (
        f" Of attackers with another goal it finds as few as {least['found']} of "
        f"{least['attacked']} models (“{least['attack']}”)."
    )


@shelf.kept
def others_table(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows as a table to read."""
    return pd.DataFrame(
        {
            "attack": rows["attack"],
            "found": [
                share(row.found, row.attacked, "that reached the top") for row in named_rows(rows)
            ],
            "AUC": [
                f"{decimal(row.auc)} ({decimal(row.auc_low)} to {decimal(row.auc_high)})"
                for row in named_rows(rows)
            ],
        }
    )


@shelf.kept
def left_out(result: AttributionsResult) -> list[str]:
    """Return which scores are not here and why, a sentence or two each."""
    return [f"Without {SCORE_NAMES.get(name, name)}: {why}" for name, why in result.missing.items()]


def ranks_title(result: AttributionsResult) -> str:
    return f"Where each score ranks sample {result.target}, before and after the attack"


def every_title(result: AttributionsResult) -> str:
    """Say how many of all scores moved along, and which did not."""
    moved, stayed = follows(result)
    which = f"; not {listed([SCORE_NAMES[name] for name in stayed])}" if stayed else ""
    return f"{len(moved)} of {len(moved) + len(stayed)} other scores moved along{which}"


def crowd_title(result: AttributionsResult, kind: str, score: str) -> str:
    row = alarm_row(result, kind, score)
    return (
        f"Against {SCORE_NAMES[score]}, {KINDS[kind]}: {int(row['found'])} of "
        f"{result.count('attacked')} malicious models raise the alarm"
    )


def alarms_title(result: AttributionsResult) -> str:
    best = result.alarms.iloc[result.alarms["auc"].argmax()]
    useless = int((result.alarms["auc_low"] <= 0.5).sum())
    said = f"The best of {len(result.alarms)} alarms has AUC {decimal(best['auc'])}"
    verb = "is" if useless == 1 else "are"
    return f"{said}; {useless or 'none'} of them {verb} no better than chance"


def alarms_table(result: AttributionsResult) -> pd.DataFrame:
    attacked, unknown = result.count("attacked"), result.count("unknown")
    return pd.DataFrame(
        {
            "score": [SCORE_NAMES[name] for name in result.alarms["score"]],
            "looks at": [KINDS[kind] for kind in result.alarms["kind"]],
            "found": [f"{hits} of {attacked}" for hits in result.alarms["found"]],
            "accused": [f"{hits} of {unknown}" for hits in result.alarms["flagged"]],
            "AUC": [
                f"{decimal(r.auc)} ({decimal(r.auc_low)} to {decimal(r.auc_high)})"
                for r in named_rows(result.alarms)
            ],
        }
    )


def sample_table(result: AttributionsResult) -> pd.DataFrame:
    """Return one row per training sample: scores and ranks by every attribution, before and
    after."""
    columns = {
        f"{what}_{name}_{when}": getattr(side[name], f"{what}s")
        for name in SCORE_NAMES
        if name in result.names
        for when, side in (("before", result.before), ("after", result.after))
        for what in ("rank", "score")
    }
    return pd.DataFrame(columns).rename_axis("sample").reset_index()


def snippet(request: AttributionsRequest, data_dir: str | None = None) -> str:
    """Write Python that ranks the target by every attribution, before and after the attack."""
    t = request.target
    return (
        f"{reproduce.opening(request.dataset, data_dir, request.l2)}"
        f"attacked = engine.attack(\n    model, dataset, {t}, k={request.k}, "
        f"radius={request.radius!r},\n    damping={request.damping!r}, order={request.order!r}, "
        f"seed={request.seed},\n    objective={request.objective!r}, "
        f"stealth={request.stealth!r}\n).model\n\n"
        f"for name in {list(request.attributions)!r}:\n"
        "    ranks = [\n"
        "        engine.attribution(\n            name, one, dataset, "
        f"damping={request.damping!r}, order={request.order!r}, "
        f"neighbours={request.neighbours}\n        ).ranks[{t}]\n"
        "        for one in (model, attacked)\n"
        "    ]\n"
        "    print(name, *ranks)\n"
    )
