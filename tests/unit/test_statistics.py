"""Wilson intervals and the sign test against SciPy's own and by hand; the bootstrap's coverage."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, rankdata, spearmanr
from sklearn.metrics import roc_auc_score

from engine.errors import InvalidInput
from engine.statistics import (
    Interval,
    auc,
    bootstrap_interval,
    detection,
    mean_ranks,
    paired_interval,
    rank_correlation,
    sign_test,
    wilson_interval,
)


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
def test_bad_input_of_the_bootstrap_is_named(
    values: Any, options: dict[str, Any], name: str
) -> None:
    with pytest.raises(InvalidInput, match=name):
        bootstrap_interval(values, **options)


def test_rank_correlation_and_area_are_those_of_scipy_and_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    first = rng.integers(0, 6, (5, 40)).astype(float)  # with ties
    second = np.where(rng.random((5, 40)) < 0.1, np.inf, first + rng.integers(0, 6, (5, 40)))
    expected = [spearmanr(a, b).statistic for a, b in zip(first, second, strict=True)]
    np.testing.assert_allclose(rank_correlation(first, second), expected, rtol=1e-12)
    hits = rng.random((5, 40)) < 0.3
    expected = [roc_auc_score(h, a) for h, a in zip(hits, first, strict=True)]
    np.testing.assert_allclose(auc(first, hits), expected, rtol=1e-12)


def test_what_does_not_vary_has_no_correlation_and_no_area() -> None:
    assert np.isnan(rank_correlation([1, 2, 3], [5, 5, 5]))
    assert np.isnan(auc([1, 2, 3], [True, True, True]))
    assert np.isnan(paired_interval(auc, [1, 2, 3], [False] * 3)).all()


def test_the_paired_interval_covers() -> None:
    """95% intervals of a correlation hold its true value in about 95% of 200 repetitions."""
    rng = np.random.default_rng(1)
    covered = 0
    for _ in range(200):
        a = rng.standard_normal(60)
        b = 0.5 * a + np.sqrt(0.75) * rng.standard_normal(60)
        low, high = paired_interval(rank_correlation, a, b, resamples=400)
        covered += low <= 6 / np.pi * np.arcsin(0.25) <= high  # Spearman's of a normal pair
    assert 178 <= covered <= 200  # five of its standard deviations below the mean


def test_detection_against_scikit_learn():
    rng = np.random.default_rng(0)
    honest, manipulated = rng.normal(size=60).round(1), rng.normal(1, size=40).round(1)
    found = detection(honest, manipulated)
    labels = np.repeat([0, 1], [60, 40])
    expected = roc_auc_score(labels, np.concatenate([honest, manipulated]))
    assert found.auc == pytest.approx(expected)
    assert found.interval.low < found.auc < found.interval.high
    for threshold, alarm, share in zip(
        found.thresholds, found.false_alarms, found.found, strict=True
    ):
        assert alarm == pytest.approx((honest >= threshold).mean())
        assert share == pytest.approx((manipulated >= threshold).mean())
    assert np.trapezoid(found.found, found.false_alarms) == pytest.approx(found.auc)


def test_the_interval_of_the_area_is_that_of_samples_drawn_one_by_one() -> None:
    rng = np.random.default_rng(2)
    honest, manipulated = rng.normal(size=30).round(1), rng.normal(1, size=20).round(1)
    draws = [
        np.random.default_rng(seed).integers(n, size=(200, n)) for seed, n in [(5, 30), (6, 20)]
    ]
    labels = np.repeat([0, 1], [30, 20])
    areas = [
        roc_auc_score(labels, np.concatenate([honest[first], manipulated[second]]))
        for first, second in zip(*draws, strict=True)
    ]
    found = detection(honest, manipulated, resamples=200, seed=5).interval
    # Sums of halves: both differ by the rounding of a few float64 operations.
    assert found == pytest.approx(np.quantile(areas, [0.025, 0.975]), abs=1e-12)


def test_the_interval_of_the_area_covers_it():
    """The area of two unit normals one apart is Φ(1/√2) = 0.760."""
    rng = np.random.default_rng(1)
    covered = []
    for _ in range(150):
        d = detection(rng.normal(size=50), rng.normal(1, size=50), resamples=300)
        covered.append(d.interval.low <= 0.760 <= d.interval.high)
    assert np.mean(covered) > 0.88


@pytest.mark.parametrize(
    ("honest", "manipulated"), [([], [1.0]), ([1.0], [np.nan]), ([[1.0]], [1.0])]
)
def test_detection_needs_numbers(honest, manipulated):
    with pytest.raises(InvalidInput, match="must be a sequence of finite numbers"):
        detection(honest, manipulated)


@pytest.mark.parametrize("shape", [(0,), (1,), (7,), (3, 50), (2, 4, 9)])
@pytest.mark.parametrize("levels", [2, 5, 10**6])
def test_mean_ranks_are_those_of_scipy(shape: tuple[int, ...], levels: int) -> None:
    values = np.random.default_rng(levels).integers(0, levels, shape)
    np.testing.assert_array_equal(mean_ranks(values), rankdata(values, axis=-1))
    missing = np.where(values == values.max(initial=0), np.nan, values)
    np.testing.assert_array_equal(mean_ranks(missing), rankdata(missing, axis=-1))
