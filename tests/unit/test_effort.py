"""What a computation may take, against what the published ones took."""

from types import SimpleNamespace
from typing import Any

import pytest

from pages.common import effort


def of_size(n: int, d: int, k: int, name: str = "some") -> Any:
    return SimpleNamespace(n_train=n, n_features=d, n_classes=k, name=name)


def test_the_estimate_is_that_of_the_published_sweeps() -> None:
    # 480 runs of 100 steps on 5,000 × 1,280 features of 10 classes took 5,904 s.
    one = effort.attack_seconds(of_size(5000, 1280, 10), 1, 100) - effort.FIXED_SECONDS
    assert 480 * one == pytest.approx(5904, rel=0.2)
    # Ten runs of 100 steps on digits took 4.7 s.
    assert 2 < effort.attack_seconds(of_size(1200, 64, 10), 10, 100) < 10


def test_the_estimate_grows_with_everything() -> None:
    small, steps = of_size(1000, 99, 10), 50
    one = effort.attack_seconds(small, 2, steps) - effort.FIXED_SECONDS
    for larger, runs, many in (
        (of_size(2000, 99, 10), 2, steps),
        (of_size(1000, 199, 10), 2, steps),
        (of_size(1000, 99, 20), 2, steps),
        (small, 4, steps),
        (small, 2, 2 * steps),
    ):
        found = effort.attack_seconds(larger, runs, many) - effort.FIXED_SECONDS
        assert found == pytest.approx(2 * one)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (5, "half a minute"),
        (31, "a minute"),
        (91, "2 minutes"),
        (1700, "29 minutes"),
        (5500, "2 hours"),
        (3600 * 30, "30 hours"),
        (86400 * 3, "3 days"),
    ],
)
def test_durations_are_rounded_up(seconds: float, words: str) -> None:
    assert effort.duration(seconds) == words


def test_training_that_takes_long_is_announced() -> None:
    assert effort.training(of_size(1200, 64, 10)) == ""
    said = effort.training(of_size(6941, 1280, 101))
    assert said.startswith(", 101 classes from 1,280 features: about ")
    assert "half a minute" in said


def test_data_like_digits_needs_no_word() -> None:
    assert effort.beside_digits(None) == ""
    assert effort.beside_digits(of_size(1200, 64, 10)) == ""
    said = effort.beside_digits(of_size(6941, 1280, 101, "big"))
    assert "“big” has 1,168 times as many" in said
    assert said.endswith("what takes a minute there may take 20 hours here.")
