"""The ranking while an attack runs: the target stands at the best rank so far."""

import re

import numpy as np
import pytest

from engine.attacks.result import Ranking
from engine.data.load import load_dataset
from pages.common.samples import Samples
from pages.common.widgets import climb


@pytest.fixture(scope="module")
def samples() -> Samples:
    return Samples(load_dataset("digits"))


def ranking(samples: Samples, sign: int) -> Ranking:
    """Scores and ranks, the largest first or the smallest first."""
    scores = np.random.default_rng(3).normal(size=len(samples))
    order = np.argsort(-sign * scores)
    ranks = np.empty(len(samples), np.int64)
    ranks[order] = np.arange(1, len(samples) + 1)
    return Ranking(scores, ranks)


def places(text: str, kind: str) -> list[tuple[float, float]]:
    found = re.findall(rf'class="{kind}" style="left:([\d.]+)%;top:([\d.]+)%"', text)
    return [(float(x), float(y)) for x, y in found]


@pytest.mark.parametrize("sign", [1, -1], ids=["highest first", "lowest first"])
def test_the_target_climbs_to_the_upper_left_as_its_rank_falls(samples: Samples, sign: int) -> None:
    before = ranking(samples, sign)
    target = int(np.flatnonzero(before.ranks == 900)[0])
    seen = []
    for best in (900, 90, 1):
        text = climb.drawn(before, samples, target, [best, 900, 950], 1)
        assert f'data-rank="{best}"' in text
        assert f"the best rank so far is {best:,} of 1,200; it was 900" in text
        (place,) = places(text, "target")
        seen.append(place)
        (was,) = places(text, "was")
        assert was == pytest.approx((climb.across(900, 1200), was[1]), abs=0.01)
    assert seen == sorted(seen, reverse=True)  # to the left
    assert [y for _, y in seen] == sorted((y for _, y in seen), reverse=True)  # and up
    assert seen[-1] == pytest.approx((climb.across(1, 1200), climb.HIGH), abs=0.01)


def test_other_runs_stand_where_they_are(samples: Samples) -> None:
    before = ranking(samples, 1)
    text = climb.drawn(before, samples, 5, [7, 40, 40, 300], 1)
    across = [x for x, _ in places(text, "run")]
    assert across == pytest.approx([climb.across(r, 1200) for r in (40, 300)], abs=0.01)
