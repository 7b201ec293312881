"""What the story's figure is given: the numbers of every step, as the browser draws them."""

import base64
from collections.abc import Mapping
from dataclasses import asdict

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.experiments.polish import steps_of
from engine.scrutiny.impossibility import impossible_instance, impossible_scores
from pages.common.keeping import shelf
from pages.common.keeping.ready import Ready
from pages.common.samples import Samples
from pages.common.widgets import replay
from pages.common.words.wording import count, decimal, percent
from pages.defend.parts import polish_rates, polish_words
from pages.fairness.parts import fairness_words
from pages.learn.parts import story_words
from pages.learn.parts.story_sources import IMPOSSIBLE, Sources
from pages.learn.parts.story_words import BUDGET, COLLUDES, PAID_RULE

WORDS = replay.Words("your digit", "▶ Play the attack", "▶ Play again")
REACH, LINES = 6.0, 33  # of the models of the impossible sample: weights from −6 to 6, so many
DAMPING = 0.25  # of its scores


def packed(values: ArrayLike, kind: str) -> str:
    """Return numbers as the browser unpacks them: little-endian, base64."""
    return base64.b64encode(np.asarray(values).astype(np.dtype(kind)).tobytes()).decode("ascii")


@shelf.kept
def told(found: Sources) -> Mapping[str, object]:
    """Return all that the browser is given: pictures and course of the attack, words and numbers
    of every step."""
    film = replay.film(found.attack, found.replay, Samples(found.dataset), WORDS)
    steps = [asdict(step) for step in story_words.story(found)]
    return Ready(
        {
            **film,
            "steps": steps,
            "score": score(found),
            "price": price(found),
            "money": money(found),
            "halves": halves(found),
            "impossible": impossible(found),
            "fairness": fairness(found),
            "undo": undo(found),
        }
    )


def score(found: Sources) -> Mapping[str, object]:
    """Return the test loss of the honest model, and after retraining without each sample."""
    table = found.removed.table.set_index("sample").sort_index()
    return {
        "loss": float(found.removed.loss),
        "without": packed(found.removed.loss + table["change"].to_numpy(), "<f4"),
        "up": packed(found.attack.before.scores > 0, "<u1"),
    }


def price(found: Sources) -> Mapping[str, object]:
    """Return the unseen samples: which of them the malicious model reads differently, and how."""
    unseen, result = Samples(found.dataset, "holdout"), found.attack
    was, now = (m.predict(found.dataset.X_holdout) for m in (result.honest, result.model))
    changed = np.flatnonzero(was != now)
    return {
        **replay.atlas(unseen, np.arange(len(unseen)), replay.SMALL),
        "count": len(unseen),
        "changed": changed.tolist(),
        "read": [f"{unseen.class_name(was[i])} → {unseen.class_name(now[i])}" for i in changed],
        "accuracy": [percent(result.accuracy_before), percent(result.accuracy_after)],
    }


def money(found: Sources) -> Mapping[str, object]:
    """Return who is paid by either model: the paid samples, their owners, and what a vendor
    earns."""
    paid, models = found.paid, ("honest", COLLUDES)
    sign = 1 if paid.order == "lowest_first" else -1
    return {
        "names": list(paid.vendors.names),
        "owner": packed(paid.vendors.owner, "<u1"),
        "favoured": int(paid.vendor),
        "paid": [
            np.argsort(sign * paid.test[model], kind="stable")[: paid.k].tolist()
            for model in models
        ],
        "earned": [
            [f"{value:,.0f}" for value in paid.paid(model, PAID_RULE, BUDGET).money]
            for model in models
        ],
        "labels": ["Honest model", f"Colludes with {paid.vendors.names[paid.vendor]}"],
    }


def halves(found: Sources) -> Mapping[str, object]:
    """Return the four rankings: by either half of the test data, of either model."""
    result, target = found.attack, found.attack.targets[0]
    rankings = (result.before, result.before_holdout, result.after, result.after_holdout)
    return {
        "ranks": packed([one.ranks for one in rankings], "<u4"),
        "rank": [f"{int(one.ranks[target]):,}" for one in rankings],
        "spearman": decimal(found.halves.iloc[0]["spearman"]),
        "halves": ["The attacker's half", "The other half"],
        "models": ["Honest model", "Malicious model"],
    }


def impossible(found: Sources) -> Mapping[str, object]:
    """Return the samples in their plane, and the ranking of all of them by each of many models."""
    instance = impossible_instance(
        IMPOSSIBLE.k, IMPOSSIBLE.n_train, IMPOSSIBLE.n_features, seed=IMPOSSIBLE.seed
    )
    weights = np.linspace(-REACH, REACH, LINES)
    first, second = np.meshgrid(weights, weights, indexing="ij")
    half = np.stack([first.ravel(), second.ravel(), np.zeros(first.size)], 1) / 2
    exact = impossible_scores(instance, np.stack([half, -half], 1), DAMPING)
    order = np.argsort(-exact.relative, axis=1, kind="stable")
    target = instance.target
    return {
        "points": np.round(instance.dataset.X_train, 3).tolist(),
        "labels": np.asarray(instance.dataset.y_train).tolist(),
        "target": int(target),
        "copies": instance.copies.tolist(),
        "weights": weights.tolist(),
        "ranks": packed(exact.ranks, "<u2"),
        "order": packed(order, "<u1"),
        "best": int(exact.ranks.min()),
        "count": len(exact.ranks),
        "n": instance.dataset.n_train,
    }


def fairness(found: Sources) -> Mapping[str, object]:
    """Return the gap before any repair, and after it at every factor, the factor 1 first."""
    result = found.fairness
    about, column = result.about, f"{result.about.metric}_test"
    rows = result.table.sort_values("scale", ascending=False).to_dict("records")
    return {
        "before": float(about.gap_before),
        "ahead": f"(plus: {fairness_words.people(about.group_names[1])} ahead)",
        "before_text": fairness_words.signed(about.gap_before),
        "gaps": [float(row[column]) for row in rows],
        "states": [
            {
                "factor": f"{row['scale']:g}",
                "gap": fairness_words.signed(row[column]),
                "changed": f"{int(row['base_predictions_changed']):,} of {about.n_test:,}",
                "accuracy": percent(row["accuracy_test"]),
            }
            for row in rows
        ],
    }


def undo(found: Sources) -> Mapping[str, object]:
    """Return the attacked targets and their ranks after every Newton step."""
    plain = polish_words.unknowing(found.polish).sort_values("rank_before")
    steps = steps_of(found.polish)
    ranks: NDArray[np.int64] = plain[[f"rank_{j}" for j in range(steps + 1)]].to_numpy(np.int64)
    inside = [int((ranks[:, j] <= polish_rates.TOP).sum()) for j in range(steps + 1)]
    return {
        "samples": plain["target"].astype(int).tolist(),
        "ranks": ranks.T.tolist(),
        "first": polish_rates.TOP,
        "states": [
            f"{after(j)}: {many} of {len(plain)} targets among the first {polish_rates.TOP}"
            for j, many in enumerate(inside)
        ],
        "inside": [f"{many} of {len(plain)}" for many in inside],
    }


def after(steps: int) -> str:
    """'As handed in', 'After 1 step', 'After 2 steps'."""
    return f"After {count(steps, 'step')}" if steps else "As handed in"
