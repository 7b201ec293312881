"""Wilson intervals and the sign test against SciPy's own and by hand; the bootstrap's coverage."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from engine.errors import InvalidInput
from engine.statistics import Interval, bootstrap_interval, sign_test, wilson_interval


@given(st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_equals_scipy(counts: tuple[int, int]) -> None:
    successes, trials = counts
    for confidence in (0.5, 0.95, 0.999):
        expected = binomtest(successes, trials).proportion_ci(confidence, method="wilson")
        # Both are a few float64 operations on numbers of order 1.
        assert wilson_interval(successes, trials, confidence) == pytest.approx(
            (expected.low, expected.high), abs=1e-12
        )


def test_known_value() -> None:
    # z = 1.959964; centre (0.5 + z²/20) / (1 + z²/10) = 0.5; half-width 0.263405
    assert wilson_interval(5, 10) == pytest.approx((0.2366, 0.7634), abs=5e-5)


def test_ends_stay_in_the_unit_interval() -> None:
    assert wilson_interval(0, 7).low == 0
    assert wilson_interval(7, 7).high == 1


def test_overlap() -> None:
    assert Interval(0.1, 0.3).overlaps(Interval(0.3, 0.5))
    assert not Interval(0.1, 0.3).overlaps(Interval(0.31, 0.5))


@pytest.mark.parametrize(
    ("successes", "trials", "confidence", "name"),
    [
        (3, 2, 0.95, "successes"),
        (-1, 2, 0.95, "successes"),
        (0, 0, 0.95, "trials"),
        (1, 2, 1.0, "confidence"),
    ],
)
def test_bad_input_is_named(successes: int, trials: int, confidence: float, name: str) -> None:
    with pytest.raises(InvalidInput, match=name):
        wilson_interval(successes, trials, confidence)


@given(st.integers(0, 300), st.integers(0, 300))
def test_the_sign_test_is_scipys_binomial_test(first: int, second: int) -> None:
    p = sign_test(first, second)
    if first + second == 0:
        assert p == 1
    else:
        # both sum float64 probabilities
        assert p == pytest.approx(binomtest(first, first + second, 0.5).pvalue, rel=1e-9)


@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_the_bootstrap_covers_the_mean_as_often_as_it_says(confidence: float) -> None:
    """600 samples of 60 uniform numbers: the count's standard deviation is under 1.7%, and the
    percentile bootstrap of 60 values is known to fall a percent short."""
    rng = np.random.default_rng(11)
    covered = 0
    for i in range(600):
        low, high = bootstrap_interval(rng.random(60), confidence, resamples=500, seed=i)
        covered += low <= 0.5 <= high
    assert covered / 600 == pytest.approx(confidence, abs=0.04)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=40), st.integers(0, 100))
def test_the_bootstrap_contains_the_samples_mean(values: list[float], seed: int) -> None:
    low, high = bootstrap_interval(values, resamples=400, seed=seed)
    rounding = 1e-12 * max(map(abs, values))
    assert min(values) - rounding <= low <= np.mean(values) + rounding
    assert np.mean(values) - rounding <= high <= max(values) + rounding
    assert bootstrap_interval(values, resamples=400, seed=seed) == (low, high)


def test_the_bootstrap_by_hand() -> None:
    # means of 0, 1 drawn twice: 0 and 1 a quarter of the time each
    assert bootstrap_interval([0, 1]) == (0, 1)
    assert bootstrap_interval([0, 1], confidence=0.4) == (0.5, 0.5)
    assert bootstrap_interval([3.5]) == (3.5, 3.5)


@pytest.mark.parametrize(
    ("values", "options", "name"),
    [
        ([], {}, "values"),
        (0.5, {}, "values"),
        ([[1.0, 2.0]], {}, "values"),
        ([1.0, float("nan")], {}, "values"),
        ([1.0, 2.0], {"confidence": 1.0}, "confidence"),
        ([1.0, 2.0], {"resamples": 0}, "resamples"),
    ],
)
def test_bad_input_of_the_bootstrap_is_named(values: object, options: dict, name: str) -> None:
    with pytest.raises(InvalidInput, match=name):
        bootstrap_interval(values, **options)
