"""Sensitivity, retraining and single test samples as experiments: computed, kept, read again."""

import dataclasses
from typing import Any

import numpy as np
import pandas as pd
import pytest

from engine.attacks.result import Ranking
from engine.errors import Cancelled, InvalidInput
from engine.experiments import (
    Context,
    ExplainRequest,
    LeaveOneOutRequest,
    SensitivityRequest,
    experiment,
    make_request,
)
from engine.experiments.leave_one_out import run_leave_one_out
from engine.experiments.sensitivity import spread
from engine.influence.problem import ranks
from engine.influence.scores import influence_scores
from engine.models.fit import fit
from engine.scrutiny.sensitivity import exact_sensitivity
from tests.support.problems import random_problem

DATASET, _ = random_problem(31, n=40)
REQUESTS: dict[str, Any] = {
    "sensitivity": SensitivityRequest("any", probes=32, n_exact=5, dtype="float64"),
    "leave-one-out": LeaveOneOutRequest("any", n_samples=6),
    "explain": ExplainRequest("any", image=3),
}


def there_and_back(name: str, folder):
    """A result as it was computed, and as it is read from its files."""
    entry = experiment(name)
    result = entry.run(REQUESTS[name], DATASET, Context(device="cpu"))
    entry.save(result, folder)
    return result, entry.load(folder)


@pytest.mark.parametrize("name", list(REQUESTS))
def test_what_is_kept_is_read_again(tmp_path, name):
    result, again = there_and_back(name, tmp_path)
    for item in dataclasses.fields(result):
        was, is_ = getattr(result, item.name), getattr(again, item.name)
        if isinstance(was, pd.DataFrame):
            pd.testing.assert_frame_equal(was, is_)
        elif isinstance(was, Ranking):
            np.testing.assert_array_equal(was.scores, is_.scores)
            np.testing.assert_array_equal(was.ranks, is_.ranks)
        else:
            np.testing.assert_array_equal(was, is_)
    assert experiment(name).describe(again) == experiment(name).describe(result)


def test_sensitivity_beside_the_ranking_with_exact_norms_to_compare(tmp_path):
    result, _ = there_and_back("sensitivity", tmp_path)
    model = fit(DATASET, l2=0.01)
    scores = influence_scores(model, DATASET)
    np.testing.assert_array_equal(result.ranking.ranks, scores.ranks)
    ends = result.ranking.ranks[result.exact_indices[[0, -1]]]
    assert list(ends) == [1, 40]
    expected = exact_sensitivity(model, DATASET, result.exact_indices.tolist(), dtype="float64")
    np.testing.assert_allclose(result.exact_norms, expected, rtol=1e-5)
    assert result.error < 0.6  # 12.5% is expected of 32 probes
    assert "32 probes" in experiment("sensitivity").describe(result)


def test_no_exact_norms_no_error(tmp_path):
    request = dataclasses.replace(REQUESTS["sensitivity"], n_exact=0)
    result = experiment("sensitivity").run(request, DATASET, Context(device="cpu"))
    assert len(result.exact_norms) == 0
    assert np.isnan(result.error)


def test_retraining_beside_its_estimates(tmp_path):
    result, _ = there_and_back("leave-one-out", tmp_path)
    table = result.table
    assert list(table["rank"]) == [1, 9, 17, 24, 32, 40]
    # l2 and damping are equal here, so that both estimates are one
    np.testing.assert_allclose(table["estimate"], table["matching"], rtol=1e-6)
    pearson, spearman = result.agreement()
    assert pearson > 0.97
    assert spearman == result.agreement("matching")[1] == pytest.approx(1)
    found = influence_scores(fit(DATASET, l2=0.25), DATASET, damping=0.25, dtype="float64")
    np.testing.assert_allclose(
        table["estimate"], -found.scores[table["sample"]] / 40, rtol=1e-6, atol=1e-12
    )


def test_the_only_sample_of_a_class_is_left_in(tmp_path):
    y = DATASET.y_train.copy()
    y[y == 2] = 0
    y[5] = 2
    lonely = dataclasses.replace(DATASET, y_train=y)
    result = run_leave_one_out(LeaveOneOutRequest("any", n_samples=0), lonely, Context())
    assert sorted(result.table["sample"]) == [i for i in range(40) if i != 5]


def test_one_test_sample_is_a_column_of_the_mean(tmp_path):
    """The mean over the test half of what `explain` finds is the ranking's score."""
    parts = []
    for image in range(len(DATASET.y_test)):
        request = ExplainRequest("any", image=image)
        result = experiment("explain").run(request, DATASET, Context(device="cpu"))
        assert result.label == DATASET.y_test[image]
        parts.append(result.ranking.scores)
    model = fit(DATASET, l2=0.01)
    expected = influence_scores(model, DATASET, dtype="float64").scores
    np.testing.assert_allclose(np.mean(parts, axis=0), expected, rtol=1e-4, atol=1e-7)
    p = model.probabilities(DATASET.X_test)[image]
    assert result.predicted == p.argmax()
    assert result.loss == pytest.approx(-np.log(p[result.label]))


def test_a_test_sample_that_is_not_there_is_refused():
    with pytest.raises(InvalidInput, match=r"image must be a whole number in \[0, 19\]"):
        experiment("explain").run(ExplainRequest("any", image=20), DATASET, Context())


@pytest.mark.parametrize("name", ["sensitivity", "leave-one-out"])
def test_progress_counts_and_may_stop(name):
    def stop(progress):
        assert 0 < progress.done <= progress.total
        raise Cancelled("enough")

    with pytest.raises(Cancelled):
        experiment(name).run(REQUESTS[name], DATASET, Context(device="cpu", progress=stop))


@pytest.mark.parametrize("count", [0, 1, 2, 7, 30, 100])
def test_a_spread_is_even_and_has_no_sample_twice(count):
    scores = np.random.default_rng(1).standard_normal(30)
    found = spread(Ranking(scores, ranks(scores)), count)
    assert len(set(found)) == len(found) == min(count, 30)
    if count >= 2:
        assert found[0] == scores.argmax() and found[-1] == scores.argmin()


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("sensitivity", {"probes": 1}, "probes"),
        ("sensitivity", {"n_exact": -1}, "n_exact"),
        ("leave-one-out", {"l2": 0}, "l2"),
        ("leave-one-out", {"split": "train"}, "split"),
        ("leave-one-out", {"n_samples": -1}, "n_samples"),
        ("explain", {"image": -1}, "image"),
        ("explain", {"damping": float("nan")}, "damping"),
    ],
)
def test_bad_requests_are_refused(name, values, message):
    with pytest.raises(InvalidInput, match=message):
        make_request(name, values)
