"""The workbench in the browser: a shelf of samples, the replay, and a desk for the chosen one."""

from collections.abc import Mapping

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from engine.attacks.result import AttackResult, Ranking, Replay
from engine.experiments import SensitivityResult
from engine.statistics import rank_correlation
from pages.common.keeping import shelf
from pages.common.keeping.ready import Ready
from pages.common.samples import Samples
from pages.common.widgets import replay
from pages.common.widgets.component import Component
from pages.common.words.wording import decimal

KEY = "bench"
FIRST = 10  # of the honest ranking, of whom it is said how many are still there
WALL = 330  # px that the wall of all samples is high, about
BENCH = Component("bench", "drawing.js", "player.js", "replay.css")
WORDS = {
    "shelf": "Samples to choose from",
    "stage": "The ranking, step by step",
    "desk": "The chosen sample",
    "number": "Number",
    "example": "such as 16",
    "label": "Class",
    "every": "all classes",
    "place": "Rank now",
    "places": [
        ["", "any rank"],
        ["first", "first ten"],
        ["tenth", "first tenth"],
        ["last", "last tenth"],
    ],
    "ease": "Sensitivity",
    "eases": [
        ["", "any"],
        ["0", "weakest third"],
        ["1", "middle third"],
        ["2", "strongest third"],
    ],
    "found": "{} of {n} samples, by rank now",
    "more": "Show more",
    "rank": "rank {}",
    "sample": "sample {}, class “{class}”",
    "honestRank": "Honest rank",
    "rankNow": "Rank now",
    "score": "Honest score",
    "ask": "Move it to the top",
    "done": "This attack is shown here.",
    "running": "This attack is running.",
    "price": "The price at this step",
    "accuracy": "Accuracy",
    "order": "Other ranks (Spearman)",
    "kept": "Top ten that stay",
    "moved": "Who else moved",
    "honestAxis": "honest rank → 1",
    "nowAxis": "rank now → 1",
    "movedAlt": "Rank under the honest model against rank now, for every sample; the chosen sample "
    "is at {honest} and {now}.",
}


def thirds(values: NDArray[np.floating]) -> NDArray[np.int64]:
    """Return the third that each value lies in: 0 for the smallest, 1, or 2 for the largest."""
    return np.searchsorted(np.quantile(values, [1 / 3, 2 / 3]), values, side="right")


def chosen_words(drawn: NDArray[np.int64], samples: Samples, before: Ranking) -> dict[str, object]:
    """Return what the desk says of each drawn sample: number, class, honest score."""
    return {
        "samples": drawn.tolist(),
        "classes": list(samples.dataset.class_names),
        "labels": samples.dataset.y_train[drawn].tolist(),
        "scores": [f"{score:.3g}".replace("-", "−") for score in before.scores[drawn].tolist()],
    }


def thirds_of(found: SensitivityResult | None, drawn: NDArray[np.int64]) -> list[int] | None:
    """Return the third of the sensitivities that each drawn sample is in; None where unknown."""
    return None if found is None else thirds(found.norms)[drawn].tolist()


@shelf.kept
def attacked(
    result: AttackResult, steps: Replay, samples: Samples, found: SensitivityResult | None
) -> Mapping[str, object]:
    """Return what the browser is given of a finished attack."""
    kept = replay.shown_steps(len(steps.steps))
    ranks = np.vstack([result.before.ranks, steps.ranks[kept]]).astype(np.int64)
    words = replay.Words(f"sample {result.targets[0]}")
    film = dict(replay.film(result, steps, samples, words))
    film["frames"] = with_price(film["frames"], ranks)
    return Ready(film | on_the_bench(result.before, ranks, samples, result.targets[0], found))


@shelf.kept
def honest(
    before: Ranking, accuracy: float, samples: Samples, target: int, found: SensitivityResult | None
) -> Mapping[str, object]:
    """Return what the browser is given before an attack: the honest ranking alone."""
    ranks = before.ranks[np.newaxis]
    film = dict(replay.still(before, accuracy, samples, target, replay.Words(f"sample {target}")))
    film["frames"] = with_price(film["frames"], ranks)
    return Ready(film | on_the_bench(before, ranks, samples, target, found))


def on_the_bench(
    before: Ranking,
    ranks: NDArray[np.int64],
    samples: Samples,
    target: int,
    found: SensitivityResult | None,
) -> dict[str, object]:
    """Return what shelf and desk are given beside the film."""
    drawn = replay.drawn_samples(ranks, target)
    return {
        "room": WALL,
        "content": samples.dataset.content_hash,
        "bench": WORDS,
        "ease": thirds_of(found, drawn),
        **chosen_words(drawn, samples, before),
    }


def with_price(frames: object, ranks: NDArray[np.int64]) -> list[dict[str, object]]:
    """Return the frames, each with what is left of the honest ranking (its first row)."""
    assert isinstance(frames, list)
    first = np.argsort(ranks[0], kind="stable")[:FIRST]
    order = rank_correlation(ranks, ranks[0])
    stay = (ranks[:, first] <= FIRST).sum(1)
    return [
        {**frame, "order": decimal(float(rho)), "kept": f"{kept} of {len(first)}"}
        for frame, rho, kept in zip(frames, order, stay.tolist(), strict=True)
    ]


def asked_for() -> int | None:
    """Return the sample whose attack the desk's button has just asked for."""
    asked = (st.session_state.get(KEY) or {}).get("attack")
    return asked if isinstance(asked, int) else None
