"""What the check for a minimum finds, in words and in tables to read: pure functions."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from engine.experiments import DefenceRequest
from engine.statistics import Detection, detection
from pages.common.figures.axes import number
from pages.common.frames import named_rows
from pages.common.keeping import shelf
from pages.common.words.objective_words import NAMES
from pages.common.words.wording import count, listed

REQUEST = DefenceRequest()  # the check that the page shows: of the paper's objective


@shelf.kept
def finding(table: pd.DataFrame, threshold: float) -> str:
    """What the check finds at this threshold, and what passes it, in words."""
    by = {kind: part for kind, part in table.groupby("kind")}
    alarms = (by["honest"]["gradient_norm"] >= threshold).mean()
    reached = by["attacked"][by["attacked"]["success"]]
    found = (reached["gradient_norm"] >= threshold).mean() if len(reached) else 0.0
    adaptive = by["adaptive"].query("stealth > 0")
    able = adaptive[adaptive["success"]].groupby("target")["gradient_norm"].min()
    passed = int((able < threshold).sum())
    targets = adaptive["target"].nunique()
    return (
        f"A check that flags {alarms:.0%} of {count(len(by['honest']), 'honest model')} flags "
        f"**{found:.0%} of the {count(len(reached), 'model')} that moved a target to the top**. "
        f"But an attacker who knows the check passes it for **at least {passed} of {targets} "
        "targets**."
    )


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
def norms_title(table: pd.DataFrame) -> str:
    """The ranges of the gradient norms of honest models and of attacks that arrived."""
    honest = table.loc[table["kind"] == "honest", "gradient_norm"]
    moved = table.loc[(table["kind"] == "attacked") & table["success"], "gradient_norm"]
    return f"Honest models reach from {number(honest.min())} to {number(honest.max())}" + (
        f", attacked ones at the top from {number(moved.min())} to {number(moved.max())}"
        if len(moved)
        else ""
    )


@shelf.kept
def norms_caption(table: pd.DataFrame, threshold: float) -> str:
    """What the marks are, and how many scaled models are flagged."""
    scaled = table[table["kind"] == "scaled"]
    flagged = int((scaled["gradient_norm"] >= threshold).sum())
    return (
        "Each mark is one model. Honest trainers differ in optimiser, stopping time, l2 and, for "
        "SGD, in chance; each is checked against the loss it was trained on. "
        f"{flagged} of {count(len(scaled), 'scaled model')} are flagged"
        f"{': those nearest to 1 pass' if 0 < flagged < len(scaled) else ''}. "
        f"Heights within a row mean nothing. {trained_to_the_end(table)}"
    )


@shelf.kept
def detector_title(table: pd.DataFrame) -> str:
    """How well the check tells the attacked models that reached the top from honest ones."""
    honest = table.loc[table["kind"] == "honest", "gradient_norm"]
    attacked = table[table["kind"] == "attacked"]
    reached = attacked[attacked["success"]]
    if reached.empty:
        return "No attacked model reached the top: there is nothing to tell apart"
    found = detection(honest, reached["gradient_norm"])
    return (
        f"{count(len(reached), 'attacked model')} that reached the top against {len(honest)} "
        f"honest ones: AUC {found.auc:.3f} (95% {found.interval.low:.3f} to "
        f"{found.interval.high:.3f})"
    )


@shelf.kept
def with_failures(table: pd.DataFrame) -> str:
    """What the check makes of the attacks that failed, with a space before it; empty where none
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
    """The areas under the curves as a table to read."""
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
    """What the best weight gives the attacker who knows the check."""
    knowing = kept[kept["weight"] > 0]
    best = knowing.iloc[knowing["share"].argmax()]
    return (
        f"Who knows the check and gives it weight {best['weight']:g} reaches the top unflagged for "
        f"{best['unflagged']:.0f} of {best['attacks']:.0f} targets"
    )


@shelf.kept
def caught_title(rows: pd.DataFrame) -> str:
    """How many the check flags, where the most objectives can be compared."""
    most = rows.groupby("radius")["objective"].count()
    radius = most[most == most.max()].index.max()
    said = [
        f"{row.flagged} of {row.attacks} by {NAMES[row.objective]}"
        for row in rows[rows["radius"] == radius].itertuples()
    ]
    return f"Models flagged at radius {radius:g}: {listed(said)}"


def budgets(requests: Sequence[DefenceRequest]) -> str:
    """'4 runs of at most 100 steps for Algorithm 3', and so on."""
    return listed(
        [
            f"{count(max(r.restarts, 1) * len(r.learning_rates), 'run')} of at most {r.steps} "
            f"steps for {NAMES[r.objective]}"
            for r in requests
        ]
    )


@shelf.kept
def objectives_table(rows: pd.DataFrame, passed: Mapping[str, tuple[int, int]]) -> pd.DataFrame:
    """The rows as a table to read."""
    read = [
        {
            "attack": f"{NAMES[row.objective]}, {row.radius:g}",
            "reach the top": f"{row.reached} of {row.attacks}",
            "and pass": row.passed,
            "flagged": f"{row.flagged} ({row.low:.0%} to {row.high:.0%})",
            "p": "" if row.objective == REQUEST.objective else f"{row.p:.2g}",
            "AUC": f"{row.auc:.3f} ({row.auc_low:.3f} to {row.auc_high:.3f})",
            "knows the check and passes": "{} of {}".format(*passed[row.objective])
            if row.radius == REQUEST.stealth_radius
            else "",
        }
        for row in named_rows(rows)
    ]
    return pd.DataFrame(read)


@shelf.kept
def kept_table(kept: pd.DataFrame) -> pd.DataFrame:
    """What the attacker keeps, as a table to read."""
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
