"""The replay of an attack, played in the browser: play, scrub, step; no request per frame.

All samples stand in the order of their rank, the first ten larger, in a row of their own. The
browser is given every recorded step at once, and slides the samples from step to step.
"""

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from engine.attacks.result import AttackResult, Ranking, Replay
from pages.common.keeping import shelf
from pages.common.keeping.ready import Ready
from pages.common.samples import Samples
from pages.common.widgets.component import Component
from pages.common.words import wording

PLAYS_MS = 6000  # from the honest model to the returned one
FRAMES = 61  # at most; of longer runs some steps are left out
DRAWN = 3000  # samples at most; of larger data sets the ranking is thinned
PICTURED = 1500  # samples whose pictures are all sent; of larger data sets those that come first
FIRST = 10  # that stand in a row of their own
SMALL, LARGE = 16, 40  # px of a picture among all samples, and of one among the first
PLAYER = Component("replay", "drawing.js", "player.js")


@dataclass(frozen=True)
class Words:
    """What the player calls things. target: 'sample 16', or 'your sample'."""

    target: str
    play: str = "▶ Play the attack"
    again: str = "▶ Play again"


def play(data: Mapping[str, object], key: str, tells: bool = False) -> bool:
    """Show the player; returns whether it has arrived at the last step, where it `tells` so: the
    page then runs again, once."""
    import streamlit as st

    PLAYER.show(key, data, {"tells": tells}, arrived=lambda: None)
    return tells and (st.session_state.get(key) or {}).get("arrived") == data["id"]


@dataclass(frozen=True)
class Frame:
    """One step as it is said: in short and when read aloud, accuracy and distance as shares."""

    short: str
    name: str
    accuracy: float
    distance: float


@shelf.kept
def film(
    result: AttackResult, replay: Replay, samples: Samples, words: Words
) -> Mapping[str, object]:
    """Return what the browser is given: the honest model, then the recorded steps, in words and as
    ranks of the samples that are drawn."""
    kept = shown_steps(len(replay.steps))
    last = int(replay.steps[-1])
    frames = [Frame("before", "The honest model", result.accuracy_before, 0.0)]
    for i in kept:
        short, name = named(int(replay.steps[i]), last)
        frames.append(Frame(short, name, float(replay.accuracy[i]), float(replay.distance[i])))
    ranks = np.vstack([result.before.ranks, replay.ranks[kept]])
    return Ready(reel(frames, ranks, samples, result.targets[0], words))


@shelf.kept
def still(
    before: Ranking, accuracy: float, samples: Samples, target: int, words: Words
) -> Mapping[str, object]:
    """Return what the browser is given where there is no attack yet: the honest model alone."""
    frame = Frame("before", "The honest model", accuracy, 0.0)
    return Ready(reel([frame], before.ranks[np.newaxis], samples, target, words))


def reel(
    frames: Sequence[Frame],
    ranks: NDArray[np.integer],
    samples: Samples,
    target: int,
    words: Words,
) -> dict[str, object]:
    """Return frames with the ranks (frames, n) of all samples as the browser takes them."""
    n = len(samples)
    drawn = drawn_samples(ranks, target)
    small = np.dtype("<u2" if n < 2**16 else "<u4")
    told = [
        {
            "short": frame.short,
            "rank": f"{rank:,}",
            "accuracy": wording.percent(frame.accuracy),
            "share": frame.accuracy,
            "distance": f"{frame.distance:.0%}",
            "said": f"{frame.name}: {words.target} is at rank {rank:,} of {n:,}, accuracy "
            f"{wording.percent(frame.accuracy)}, model moved by {frame.distance:.0%}.",
        }
        for frame, rank in zip(frames, ranks[:, target].tolist(), strict=True)
    ]
    return {
        "id": f"{samples.dataset.content_hash[:12]}-{target}-{len(told)}-{told[-1]['said']}",
        "n": n,
        "at": int(np.flatnonzero(drawn == target)[0]),
        "tenth": n // 10,
        "ms": PLAYS_MS,
        "frames": told,
        "ranks": base64.b64encode(ranks[:, drawn].astype(small).tobytes()).decode("ascii"),
        "wide": small.itemsize > 2,
        "words": {
            "label": f"Replay of the attack on {words.target}",
            "rank": f"Rank of {words.target}",
            "of": f"of {n:,}",
            "accuracy": "Accuracy",
            "distance": "Model moved",
            "step": "Attack step",
            "curve": "rank at each step",
            "climb": "rank",
            "slider": "Step of the attack",
            "slides": "step",
            "first": "the top ten",
            "play": words.play,
            "again": words.again,
        },
        **pictures(samples, drawn, ranks, target),
    }


def named(step: int, last: int) -> tuple[str, str]:
    """Return what a step is called, in short and when read aloud: at 0 the attack starts."""
    if step == 0:
        return "start", "The start, a random model nearby"
    return f"{step} of {last}", f"Step {step} of {last}"


def shown_steps(count: int) -> NDArray[np.int64]:
    """Return which of `count` recorded steps are played: all, or evenly chosen ones; the last
    always."""
    return np.unique(np.linspace(0, count - 1, min(count, FRAMES - 1)).round().astype(np.int64))


def first_ones(ranks: NDArray[np.integer], target: int) -> NDArray[np.int64]:
    """Return the samples that are ever among the first, and the target."""
    ever = np.flatnonzero((ranks <= FIRST).any(0))
    return np.union1d(ever, [target]).astype(np.int64)


def drawn_samples(ranks: NDArray[np.integer], target: int) -> NDArray[np.int64]:
    """Return the samples that are drawn: all or, of many, evenly from the honest ranking, with all
    that are ever among the first."""
    n = ranks.shape[1]
    if n <= DRAWN:
        return np.arange(n)
    even = np.argsort(ranks[0], kind="stable")[np.linspace(0, n - 1, DRAWN).astype(np.int64)]
    return np.union1d(even, first_ones(ranks, target))


def pictures(
    samples: Samples, drawn: NDArray[np.int64], ranks: NDArray[np.integer], target: int
) -> Mapping[str, object]:
    """Return one picture of all pictures, and where each drawn sample's is in it (−1: nowhere)."""
    if samples.dataset.images is None:
        return {"atlas": None}
    every = len(drawn) <= PICTURED
    shown = drawn if every else first_ones(ranks, target)
    drawn_once = atlas(samples, shown, SMALL if every else LARGE)
    slots = np.full(len(drawn), -1)
    slots[np.searchsorted(drawn, shown)] = np.arange(len(shown))
    return {**drawn_once, "slots": slots.tolist()}


@shelf.kept
def atlas(samples: Samples, shown: NDArray[np.int64], most: int) -> Mapping[str, object]:
    """Return one picture of these samples' pictures, each at most so many pixels wide. Where all
    samples are drawn it is the same for every attack."""
    if samples.dataset.images is None:
        return {"atlas": None}
    images = np.asarray(getattr(samples.dataset.images, samples.split))
    cell = min(max(images.shape[1:3]), most)
    columns = int(np.ceil(np.sqrt(len(shown))))
    lines = -(-len(shown) // columns)
    whole = Image.new("RGB" if images.ndim == 4 else "L", (columns * cell, lines * cell))
    for slot, index in enumerate(shown):
        values = images[index]
        if values.dtype != np.uint8:
            values = np.rint(np.clip(values.astype(np.float64), 0, 1) * 255).astype(np.uint8)
        tile = Image.fromarray(values).resize((cell, cell), Image.Resampling.BICUBIC)
        whole.paste(tile, (slot % columns * cell, slot // columns * cell))
    buffer = io.BytesIO()
    whole.save(buffer, "PNG")
    uri = "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
    return {"atlas": uri, "grey": images.ndim == 3, "cell": cell, "columns": columns}
