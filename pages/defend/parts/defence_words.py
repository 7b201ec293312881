"""What the check for a minimum finds, in words and in tables to read: pure functions."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from engine.experiments import DefenceRequest
from engine.statistics import Detection, detection
from pages.common.figures.axes import number
from pages.common.frames import named_rows
from pages.common.keeping import shelf
from pages.common.words.objective_words import NAMES, quoted
from pages.common.words.wording import count, listed
from pages.defend.parts import defence_rates as rates


@shelf.kept
def finding(table: pd.DataFrame, threshold: float) -> str:
    """Say how many models the check flags at this threshold, and how many attackers pass."""
    by = {kind: part["gradient_norm"] >= threshold for kind, part in table.groupby("kind")}
    flagged = by["attacked"][table["success"].reindex(by["attacked"].index)]
    able, _ = rates.passing_norms(table)
    limit = number(float(f"{threshold:.2g}"))  # two digits, as at the slider
    begin = ANSWERS[quantity(int(flagged.sum()), len(flagged))]
    return (
        f"**{begin}: with the limit at {limit}, the check flags {flagged.sum()} of "
        f"{count(len(flagged), 'malicious model')}.** An attacker who knows the check is "
        f"flagged with {(able >= threshold).sum()} of {count(len(able), 'sample')}. False alarms: "
        f"{by['honest'].sum()} of {count(len(by['honest']), 'honest model')}."
    )


ANSWERS = {"no": "No", "some": "Rarely", "most": "Mostly", "all": "Yes"}


def quantity(some: int, every: int) -> str:
    """'no', 'some', 'most', or 'all'"""
    return "no" if not some else "all" if some == every else "most" if 2 * some > every else "some"


def trained_to_the_end(table: pd.DataFrame) -> str:
    """Say what a check would catch that demands training to its end; empty where nothing moved."""
    moved = table[table["kind"].isin(["attacked", "adaptive"]) & table["success"]]
    exact = table[(table["kind"] == "honest") & ~table["trained"].str.startswith("sgd")]
    if moved.empty or exact.empty:
        return ""
    least = moved["gradient_norm"].min()
    below = int((exact["gradient_norm"] < least).sum())
    noisy = table[(table["kind"] == "honest") & table["trained"].str.startswith("sgd")]
    lost = int((noisy["gradient_norm"] >= least).sum())
    return (
        f"Requiring converged training, a norm below {number(least)}, catches every attack tried "
        f"here, but also flags {lost} of {len(noisy)} honest SGD models and {len(exact) - below} "
        f"of {len(exact)} trained on whole batches."
    )


@shelf.kept
def overview_title(table: pd.DataFrame) -> str:
    """Say how many honest models are as far from a minimum as an attacked one."""
    honest = table.loc[table["kind"] == "honest", "gradient_norm"]
    moved = table.loc[(table["kind"] == "attacked") & table["success"], "gradient_norm"]
    if moved.empty:
        return "No malicious model reached the top: there is nothing to tell apart"
    alike = (honest >= moved.min()).mean()
    return (
        f"{alike:.0%} of the honest models have a gradient as large as some malicious model's"
        if alike
        else "Every malicious model has a larger gradient than every honest one"
    )


@shelf.kept
def norms_caption(table: pd.DataFrame, threshold: float) -> str:
    """Say what the marks of all groups are, and how many scaled models are flagged."""
    scaled = table[table["kind"] == "scaled"]
    flagged = int((scaled["gradient_norm"] >= threshold).sum())
    return (
        "Honest trainers differ in optimiser, stopping time, L2 and, for SGD, in chance; each is "
        "checked against the loss it was trained on. "
        f"{flagged} of {count(len(scaled), 'scaled model')} are flagged"
        f"{': those nearest to 1 pass' if 0 < flagged < len(scaled) else ''}. "
        "Heights within a row mean nothing."
    )


@shelf.kept
def detector_title(table: pd.DataFrame) -> str:
    """Say how well the check tells the malicious models that reached the top from honest ones."""
    honest = table.loc[table["kind"] == "honest", "gradient_norm"]
    attacked = table[table["kind"] == "attacked"]
    reached = attacked[attacked["success"]]
    if reached.empty:
        return "No malicious model reached the top: there is nothing to tell apart"
    found = detection(honest, reached["gradient_norm"])
    return f"A malicious model has the larger gradient in {found.auc:.1%} of all pairs"


@shelf.kept
def detector_meaning(table: pd.DataFrame) -> str:
    """Say what the title's share is, with its interval; empty where nothing reached the top."""
    honest = table.loc[table["kind"] == "honest", "gradient_norm"]
    reached = table.loc[(table["kind"] == "attacked") & table["success"], "gradient_norm"]
    if reached.empty:
        return ""
    found = detection(honest, reached)
    return (
        f"All {count(len(reached), 'malicious model')} that reached the top against {len(honest)} "
        f"honest ones: AUC {found.auc:.3f} (95% {found.interval.low:.3f} to "
        f"{found.interval.high:.3f}). "
    )


@shelf.kept
def with_failures(table: pd.DataFrame) -> str:
    """Say what the check makes of the attacks that failed, with a space before it; empty where none
    did."""
    honest = table.loc[table["kind"] == "honest", "gradient_norm"]
    attacked = table[table["kind"] == "attacked"]
    failed, reached = attacked[~attacked["success"]], attacked[attacked["success"]]
    if failed.empty or reached.empty:
        return ""
    every = detection(honest, attacked["gradient_norm"])
    alone = detection(honest, failed["gradient_norm"])
    return (
        f" With the {count(len(failed), 'attack')} that failed, whose models alone have AUC "
        f"{alone.auc:.3f}, it would be {every.auc:.3f}. The same runs serve every k: models of one "
        "target and radius are not independent, and the intervals are too narrow by that."
    )


@shelf.kept
def areas_table(found: Mapping[str, Detection]) -> pd.DataFrame:
    """Return the areas under the curves as a table to read."""
    intervals = [curve.interval for curve in found.values()]
    return pd.DataFrame(
        {
            "models": list(found),
            "AUC": [f"{curve.auc:.3f}" for curve in found.values()],
            "95% interval": [f"{each.low:.3f} to {each.high:.3f}" for each in intervals],
        }
    )


@shelf.kept
def stealth_title(kept: pd.DataFrame) -> str:
    """Say what the best weight gives the attacker who knows the check."""
    knowing = kept[kept["weight"] > 0]
    best = knowing.iloc[knowing["share"].argmax()]
    return (
        f"With weight {best['weight']:g} alone {best['unflagged']:.0f} of {best['attacks']:.0f} "
        "targets reach the top unflagged"
    )


@shelf.kept
def caught_title(rows: pd.DataFrame) -> str:
    """Say which objective the check flags least, where the most objectives can be compared."""
    most = rows.groupby("radius")["objective"].count()
    radius = most[most == most.max()].index.max()
    compared = rows[rows["radius"] == radius]
    least = compared.loc[compared["rate"].idxmin()]
    return (
        f"The check flags {least['flagged']} of {least['attacks']} attacks by "
        f"{quoted(str(least['objective']))}, the fewest at radius {radius:g}"
    )


def budgets(requests: Sequence[DefenceRequest]) -> str:
    """'4 runs of at most 100 steps for Algorithm 3', and so on."""
    return listed(
        [
            f"{count(max(r.restarts, 1) * len(r.learning_rates), 'run')} of at most {r.steps} "
            f"steps for {quoted(r.objective)}"
            for r in requests
        ]
    )


@shelf.kept
def objectives_table(
    rows: pd.DataFrame, passed: Mapping[str, tuple[int, int]], request: DefenceRequest
) -> pd.DataFrame:
    """Return the rows as a table to read; the objective of `request` is that of the paper."""
    read = [
        {
            "attack": f"{NAMES[row.objective]}, {row.radius:g}",
            "reach the top": f"{row.reached} of {row.attacks}",
            "and pass": row.passed,
            "flagged": f"{row.flagged} ({row.low:.0%} to {row.high:.0%})",
            "p": "" if row.objective == request.objective else f"{row.p:.2g}",
            "AUC": f"{row.auc:.3f} ({row.auc_low:.3f} to {row.auc_high:.3f})",
            "knows the check and passes": "{} of {}".format(*passed[row.objective])
            if row.radius == request.stealth_radius
            else "",
        }
        for row in named_rows(rows)
    ]
    return pd.DataFrame(read)


@shelf.kept
def kept_table(kept: pd.DataFrame) -> pd.DataFrame:
    """Return what the attacker keeps, as a table to read."""
    rows = [
        {
            "weight": f"{row.weight:g}",
            "reach the top": f"{row.reached} of {row.attacks}",
            "and pass": f"{row.unflagged} ({row.low:.0%} to {row.high:.0%})",
            "median gradient norm": number(row.norm),
            "accuracy lost, of those that reach it": (
                "–" if np.isnan(row.accuracy_drop) else f"{100 * row.accuracy_drop:.1f} points"
            ),
        }
        for row in named_rows(kept)
    ]
    return pd.DataFrame(rows)
