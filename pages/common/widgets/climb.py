"""The ranking while an attack runs: where the target stands, and where its runs are."""

from collections.abc import Sequence
from html import escape

import numpy as np

from engine.attacks.result import Ranking
from pages.common.samples import Samples
from pages.common.widgets import blocks
from pages.common.widgets.blocks import portrait

POINTS = 120  # of the curve
HIGH, LOW = 8.0, 92.0  # percent of the height: where the first and the last rank stand


def show(before: Ranking, samples: Samples, target: int, ranks: Sequence[int], k: int) -> None:
    """Show the honest ranking and the target's rank in each run; the best rank is labelled."""
    blocks.html(drawn(before, samples, target, ranks, k))


def drawn(before: Ranking, samples: Samples, target: int, ranks: Sequence[int], k: int) -> str:
    """Return the figure as HTML. The curve is the honest model's: the score at every rank."""
    n, was, best = len(samples), int(before.ranks[target]), min(ranks)
    scores = np.sort(before.scores)
    if before.ranks[int(np.argmax(before.scores))] == 1:  # rank 1 has the largest score
        scores = scores[::-1]

    def place(rank: int) -> tuple[float, float]:
        """Return percent from the left and from the top."""
        low, high = float(scores.min()), float(scores.max())
        share = (float(scores[rank - 1]) - low) / ((high - low) or 1.0)
        if scores[0] < scores[-1]:
            share = 1 - share
        return across(rank, n), HIGH + (LOW - HIGH) * (1 - share)

    shown = np.unique(np.geomspace(1, n, min(POINTS, n)).round().astype(int))
    curve = " ".join("{:.2f},{:.2f}".format(*place(int(rank))) for rank in shown)
    others = "".join(dot(*place(rank), "run") for rank in sorted(set(ranks))[1:])
    x, y = place(best)
    label = f"Live: the best rank so far is {best:,} of {n:,}; it was {was:,}"
    top = across(min(k + 1, n), n)
    return (
        f'<div class="ial-climb" role="img" data-figure="climb" data-rank="{best}" '
        f'aria-label="{escape(label)}"><div class="top" style="width:{top:.2f}%"></div>'
        f'<svg viewBox="0 0 100 100" preserveAspectRatio="none"><polyline points="{curve}"/></svg>'
        f"{others}{dot(*place(was), 'was')}"
        f'<div class="target" style="left:{x:.2f}%;top:{y:.2f}%">{portrait(samples, target)}'
        f"<b>rank {best:,}</b></div>"
        f'<span class="first">rank 1</span><span class="last">rank {n:,}</span></div>'
    )


def across(rank: int, n: int) -> float:
    """Return where a rank stands, in percent from the left, logarithmic."""
    return 4 + 92 * float(np.log(rank) / np.log(max(n, 2)))


def dot(x: float, y: float, kind: str) -> str:
    return f'<i class="{kind}" style="left:{x:.2f}%;top:{y:.2f}%"></i>'
