"""The workbench in the browser: a shelf of samples, the replay, and a desk for the chosen one."""

from collections.abc import Mapping
from dataclasses import dataclass

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
from pages.common.words import wording

KEY = "bench"
FIRST = 10  # of the honest ranking, of whom it is said how many are still there
BENCH = Component("bench", "drawing.js", "player.js", "ladder.js", "replay.css")
PLAY = "▶ Play it from the start"
WORDS: Mapping[str, object] = {
    "desk": "The chosen sample",
    "stage": "The ranking before and after the attack",
    "price": "The price",
    "mayCost": "What it may cost",
    "shelf": "Samples to choose from",
    "another": "Choose another sample",
    "number": "Search by sample number",
    "example": "such as 16",
    "filter": "Filter by class or rank",
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
    "found": "The ranking, with each rank",
    "foundNow": "The ranking at this step",
    "some": "{} of {n} match",
    "more": "Show more",
    "rank": "rank {}",
    "sample": "sample {}, class “{class}”",
    "chosen": "Sample {}",
    "stands": "Class “{class}”. It is at rank {} of {n}.",
    "stood": "Class “{class}”. It was at rank {} of {n}; now it is at rank {now}.",
    "ask": "Move sample {} to the top",
    "running": "This attack is running.",
    "before": "Before",
    "honest": "ranking of the honest model",
    "after": "After the attack",
    "unknown": "who will be first?",
    "notYet": "not begun",
    "step": "step {}",
    "legend": [
        ["target", "the attacked sample"],
        ["first", "the ten that were first"],
        ["rest", "others"],
    ],
    "ofHonest": "of the honest model",
    "ends": ["honest model", "after the attack"],
    "jump": "Choose another sample",
    "prices": ["Accuracy on unseen data", "Model moved by"],
    "time": "Time {}",
    "else": "More numbers",
    "order": "Other ranks (Spearman)",
    "kept": "Top ten that stay",
    "score": "Honest score",
}


@dataclass(frozen=True)
class Effort:
    """What the attack may cost, or has cost, as the bench says it.

    allowed: the distance, as a share of the honest model's length; time and time_note: of the
    attack that is shown, or of one that is to come; most: what one takes at most, in words."""

    allowed: float
    time: str
    time_note: str
    most: str

    def words(self) -> dict[str, str]:
        return {
            "allowed": f"{self.allowed:.0%} at most",
            "moved": f"of its weights' size; the limit is {self.allowed:.0%}",
            "time": self.time,
            "timeNote": self.time_note,
            "takes": f"It takes {self.most} at most.",
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
    words = replay.Words(f"sample {result.targets[0]}", PLAY, PLAY)
    film = dict(replay.film(result, steps, samples, words))
    film["frames"] = with_price(film["frames"], ranks)
    film["ended"] = True  # it opens with what the attack came to
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
        "content": samples.dataset.content_hash,
        "bench": words_for(len(samples)),
        "ease": thirds_of(found, drawn),
        **chosen_words(drawn, samples, before),
    }


def words_for(n: int) -> dict[str, object]:
    """Return the words of the bench for a data set of n training samples."""
    counted = {name: str(WORDS[name]).replace("{n}", f"{n:,}") for name in ("stands", "stood")}
    return {**WORDS, **counted}


def with_price(frames: object, ranks: NDArray[np.int64]) -> list[dict[str, object]]:
    """Return the frames. Each says what became of the accuracy and of the honest ranking, which is
    the first row."""
    assert isinstance(frames, list)
    first = np.argsort(ranks[0], kind="stable")[:FIRST]
    order = rank_correlation(ranks, ranks[0])
    stay = (ranks[:, first] <= FIRST).sum(1)
    return [
        {
            **frame,
            "lost": wording.change_from(frames[0]["share"], frame["share"]),
            "order": wording.decimal(float(rho)),
            "kept": f"{kept} of {len(first)}",
        }
        for frame, rho, kept in zip(frames, order, stay.tolist(), strict=True)
    ]


def asked_for() -> int | None:
    """Return the sample whose attack the desk's button has just asked for."""
    asked = (st.session_state.get(KEY) or {}).get("attack")
    return asked if isinstance(asked, int) else None
