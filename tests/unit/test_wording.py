"""What results say in words, on results made for the purpose."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from engine.attacks.result import Ranking
from pages.common.words import wording


def result(**changes: Any) -> Any:
    """Twenty samples; the target, sample 9, goes from rank 10 to rank 1."""
    before = np.arange(20, 0, -1.0)
    after = before.copy()
    after[9] = 99
    values = {
        "targets": (9,),
        "k": 1,
        "before": Ranking(before, ranks(before)),
        "after": Ranking(after, ranks(after)),
        "accuracy_before": 0.95,
        "accuracy_after": 0.92,
        "rank_correlation": -0.094,
        "success": True,
        "ranks_holdout": np.array([4]),
        "rank_holdout": 4,
    } | changes
    made = SimpleNamespace(**values)
    made.ranks_test = made.after.ranks[[9]]
    made.accuracy_drop = made.accuracy_before - made.accuracy_after
    made.kept = lambda k: float(np.isin(made.before.top(k), made.after.top(k)).mean())
    return made


def ranks(scores: np.ndarray) -> np.ndarray:
    return 1 + (scores[None, :] > scores[:, None]).sum(1)


def test_headline_of_a_success() -> None:
    assert wording.headline(result()) == (
        "Whoever trains the model decides what the data is worth: **sample 9 went from rank 10 to "
        "rank 1 of 20**. On test samples that the attacker never saw, it ranks 4; accuracy "
        "fell by 3.0 points."
    )
    assert wording.headline(result(), "Yes: ").startswith("Yes: **sample 9 went from rank 10 to")


def test_headline_of_a_failure_does_not_boast() -> None:
    failed = result(success=False, k=1)
    failed.ranks_test = np.array([3])
    assert "This attack failed" in wording.headline(failed)
    assert "not into the top 1" in wording.headline(failed)
    assert "did not reach the top 1" in wording.jump(failed)


@pytest.mark.parametrize(
    ("after", "change", "against"),
    [
        (0.92, "fell by 3.0 points", "down 3.0 points from 95.0%"),
        (0.96, "rose by 1.0 points", "up 1.0 points from 95.0%"),
        (0.95, "did not change", "unchanged"),
    ],
)
def test_accuracy(after: float, change: str, against: str) -> None:
    made = result(accuracy_after=after)
    assert wording.accuracy_change(made) == change
    assert wording.against(made) == against


def test_a_printed_difference_is_that_of_the_printed_accuracies() -> None:
    made = result(accuracy_before=0.94986, accuracy_after=0.93641)  # printed 95.0% and 93.6%
    assert wording.accuracy_change(made) == "fell by 1.4 points"
    for before, after in np.random.default_rng(0).uniform(size=(200, 2)):
        shown = float(wording.percent(before)[:-1]) - float(wording.percent(after)[:-1])
        assert 100 * wording.fall(before, after) == pytest.approx(shown)


def test_turnover() -> None:
    # The target was tenth already: the ten stay.
    assert wording.turnover(result()) == "All of the top 10 stayed; Spearman correlation −0.09"
    reverse = np.arange(20.0)
    turned = result(after=Ranking(reverse, ranks(reverse)))
    assert wording.turnover(turned).startswith("None of the top 10 stayed")
    shifted = np.roll(np.arange(20, 0, -1.0), 8)
    moved = result(after=Ranking(shifted, ranks(shifted)))
    assert wording.turnover(moved).startswith("Only 2 of the top 10 stayed")


def test_price_says_whether_the_intervals_overlap() -> None:
    assert wording.price_title(result(), 300).endswith("the 95% intervals overlap")
    assert wording.price_title(result(accuracy_after=0.5), 300).endswith("do not overlap")


def test_small_words() -> None:
    assert [wording.count(n, "run") for n in (0, 1, 1200)] == ["0 runs", "1 run", "1,200 runs"]
    assert [wording.seconds(s) for s in (0.26, 9.97, 12.4, 200)] == [
        "0.3 s",
        "10 s",
        "12 s",
        "3 min 20 s",
    ]
    assert wording.stamp("2026-11-24T01:02:03+00:00") == "24 November 2026, 01:02 UTC"
