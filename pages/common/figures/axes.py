"""Axes that the figures share: ranks on a log scale, signed scores on an asinh scale."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

DRAWN_POINTS = 600  # a ranking of more keeps both tails whole: a browser draws mark by mark
MINUS = "−"


def decades(n: int) -> list[int]:
    """1, 10, 100 … up to n: the only ticks a rank axis shows."""
    return [10**e for e in range(int(math.log10(max(n, 1))) + 1)]


def column_axis(heads: Sequence[str]) -> dict[str, object]:
    """Return an x axis at the top, with a head over each column of marks at 0, 1, 2 …"""
    return {
        "side": "top",
        "tickvals": list(range(len(heads))),
        "ticktext": list(heads),
        "tickangle": 0,
        "tickfont": {"size": 12},
        "range": [-0.5, len(heads) - 0.5],
        "showgrid": False,
        "zeroline": False,
    }


def power_axis(low: float, high: float, title: str, every: int = 1) -> dict[str, object]:
    """Return a log axis from `low` to `high` whose ticks are the powers of ten with exponents that
    `every` divides."""
    bounds = [math.log10(low), math.log10(high)]
    powers = range(math.ceil(bounds[0] - 1e-9), math.floor(bounds[1] + 1e-9) + 1)
    ticks = [power for power in powers if power % every == 0]
    return {
        "type": "log",
        "title": {"text": title},
        "range": bounds,
        "tickvals": [10.0**power for power in ticks],
        "ticktext": [
            f"10<sup>{power}</sup>".replace("-", MINUS) if power else "1" for power in ticks
        ],
        "minor": {"ticks": ""},
        "zeroline": False,
    }


def share_axis(title: str) -> dict[str, object]:
    """Return the axis of bars that add up to the whole: three ticks, no grid."""
    ticks = [0, 0.5, 1]
    names = [f"{tick:.0%}" for tick in ticks]
    return dict(range=[0, 1.01], tickvals=ticks, ticktext=names, showgrid=False, title_text=title)


def count_axis(most: int, title: str) -> dict[str, object]:
    """Return the axis of bars that add up to `most`: three ticks, no grid."""
    ticks = sorted({0, most // 2, most})
    return dict(range=[0, 1.01 * most], tickvals=ticks, showgrid=False, title_text=title)


def rank_axis(n: int, title: str, reverse: bool = False) -> dict[str, object]:
    """Return a log axis of the ranks 1…n. Positions of annotations on it are log10(rank)."""
    low, high = -0.12, math.log10(max(n, 2)) + 0.08
    ticks = decades(n)
    return {
        "type": "log",
        "title": {"text": title},
        "range": [high, low] if reverse else [low, high],
        "tickvals": ticks,
        "ticktext": [f"{t:,}" for t in ticks],
        "minor": {"ticks": ""},
        "zeroline": False,
    }


def thinned(n: int, limit: int = DRAWN_POINTS) -> NDArray[np.int64]:
    """Return positions 0…n−1 to draw, ascending, at most `limit`: whole tails, and a middle that is
    drawn the more thinly the farther it is from both, evenly so on a log axis."""
    if n <= limit:
        return np.arange(n)
    tail = limit // 4
    inwards = np.geomspace(tail, (n - 1) / 2, limit // 2 - tail).astype(np.int64)
    ends = np.concatenate([np.arange(tail), inwards])
    return np.unique(np.concatenate([ends, n - 1 - ends]))


def thinning(n: int) -> str:
    """Say what a caption adds where not every sample of a ranking is drawn."""
    drawn = len(thinned(n))
    if drawn == n:
        return ""
    return f" {drawn:,} of {n:,} samples are drawn: both ends are whole, the middle is thinned."


def number(value: float) -> str:
    """Return a number in few characters, with a true minus sign."""
    text = f"{value:.3g}"
    if "e" in text:
        mantissa, exponent = text.split("e")
        text = f"{mantissa}e{int(exponent)}"
    return text.replace("-", MINUS)


@dataclass(frozen=True)
class SignedScale:
    """y = asinh(score / linear): linear below `linear`, logarithmic beyond, both signs.

    Influence scores span decades on both sides of zero; on a linear axis all but the tails is flat.
    """

    linear: float

    @classmethod
    def of(cls, *scores: ArrayLike) -> "SignedScale":
        """Return the scale whose linear part holds the smaller half of the scores."""
        sizes = np.abs(np.concatenate([np.ravel(s) for s in scores]))
        sizes = sizes[sizes > 0]
        return cls(float(np.median(sizes)) if len(sizes) else 1.0)

    def __call__(self, scores: ArrayLike) -> NDArray[np.float64]:
        return np.arcsinh(np.asarray(scores, dtype=np.float64) / self.linear)

    def ticks(self, low: float, high: float, gap: float = 0.055) -> list[float]:
        """Return zero and powers of ten (with 3s where they leave room) between two scores."""
        span = float(self(high) - self(low)) or 1.0
        largest = max(abs(low), abs(high), self.linear)
        exponents = range(math.floor(math.log10(self.linear)), math.ceil(math.log10(largest)) + 1)
        chosen = [0.0]
        for factor in (1, 3):
            for exponent in reversed(exponents):
                for value in (factor * 10.0**exponent, -factor * 10.0**exponent):
                    apart = min(abs(float(self(value) - self(c))) for c in chosen)
                    if low <= value <= high and apart >= gap * span:
                        chosen.append(value)
        return sorted(chosen)

    def axis(self, low: float, high: float, title: str, falls: bool = True) -> dict[str, object]:
        """Return a y axis over this scale, its ticks labelled with real scores, with room for a
        label at the side of rank 1: above, where scores fall with the rank."""
        ticks = self.ticks(low, high)
        bottom, top = float(self(low)), float(self(high))
        height = (top - bottom) or 1.0
        below, above = (0.06, 0.17) if falls else (0.17, 0.06)
        return {
            "title": {"text": title},
            "range": [bottom - below * height, top + above * height],
            "tickvals": self(ticks),
            "ticktext": [number(t) for t in ticks],
            "zeroline": False,
        }
