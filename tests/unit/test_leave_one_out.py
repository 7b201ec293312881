"""Retraining without a sample: against scikit-learn's models, and against influence scores."""

import dataclasses

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

import engine.scrutiny.leave_one_out as module
from engine.data.load import load_dataset
from engine.errors import InvalidDataset, InvalidInput, NotConverged
from engine.influence.linear import LinearProblem
from engine.influence.scores import influence_scores
from engine.models.fit import fit
from engine.scrutiny.leave_one_out import leave_one_out, retrain
from engine.scrutiny.sensitivity import MOST_AT_ONCE
from tests.support.problems import random_problem


def with_ones(X: np.ndarray) -> np.ndarray:
    return np.concatenate([X, np.ones((len(X), 1))], axis=1).astype(np.float64)


def retrained_loss(dataset, l2: float, split: str, without: int | None = None) -> float:
    """The mean loss of scikit-learn's model on all samples but one. It minimises
    C·Σ L + ½‖θ‖², so that C = 1/(n·l2) keeps the divisor n when a sample is gone."""
    keep = np.arange(dataset.n_train) != (-1 if without is None else without)
    n_classes = dataset.n_classes
    options = {"C": 1 / (dataset.n_train * l2), "fit_intercept": False}
    model = LogisticRegression(**options, solver="newton-cg", tol=1e-12, max_iter=1000)
    X, y = with_ones(dataset.X_train[keep]), dataset.y_train[keep]
    features, labels = dataset.split(split)
    probabilities = model.fit(X, y).predict_proba(with_ones(features))
    return log_loss(labels, probabilities, labels=range(n_classes))


@pytest.mark.parametrize(
    ("seed", "n_classes", "l2", "split"),
    [(1, 3, 0.01, "test"), (2, 4, 0.25, "holdout"), (3, 5, 0.05, "test")],
)
def test_the_changes_are_those_of_models_retrained_by_scikit_learn(seed, n_classes, l2, split):
    dataset, _ = random_problem(seed, n=60, n_classes=n_classes, duplicates=True)
    some = [0, 7, 21, 40, 59]
    found = leave_one_out(dataset, some, l2=l2, split=split)
    loss = retrained_loss(dataset, l2, split)
    expected = [retrained_loss(dataset, l2, split, i) - loss for i in some]
    # Both stop at gradients near 1e-9: losses agree to about that.
    assert found.loss == pytest.approx(loss, abs=1e-8)
    np.testing.assert_allclose(found.changes, expected, rtol=0, atol=1e-8)
    np.testing.assert_array_equal(found.indices, some)
    assert (found.gradient_norms <= module.GRADIENT_TOLERANCE).all()


def test_two_classes():
    """scikit-learn's model of two classes has one vector, of half the penalty: not comparable, but
    the gradient says that a minimum was found."""
    dataset, _ = random_problem(4, n_classes=2)
    found = leave_one_out(dataset, [0, 5])
    assert (found.gradient_norms <= module.GRADIENT_TOLERANCE).all()
    assert (found.changes != 0).all()


def test_batches_do_not_change_the_numbers():
    """More samples than a batch holds: as if each were alone."""
    dataset, _ = random_problem(5, n=MOST_AT_ONCE + 6)
    heard: list[tuple[int, int]] = []
    found = leave_one_out(
        dataset, range(70), on_step=lambda done, total: heard.append((done, total))
    )
    assert heard == [(64, 70), (70, 70)]
    for i in (0, 63, 64, 69):
        alone = leave_one_out(dataset, [i])
        np.testing.assert_allclose(found.changes[i], alone.changes[0], rtol=0, atol=1e-9)


def test_influence_estimates_it_where_l2_is_the_damping():
    """On digits, over 60 samples spread evenly over the ranking."""
    dataset = load_dataset("digits")
    n = dataset.n_train
    found = influence_scores(fit(dataset, l2=0.25), dataset, damping=0.25)
    spread = found.ranks.argsort()[np.linspace(0, n - 1, 60).astype(int)]
    retrained = leave_one_out(dataset, spread.tolist(), l2=0.25)
    assert spearmanr(-found.scores[spread] / n, retrained.changes).statistic >= 0.98


def test_the_estimate_is_of_first_order():
    """The error of −I/n falls as 1/n²: eight copies of the data bring it down 64-fold."""
    errors = []
    for copies in (1, 8):
        dataset, _ = random_problem(6)
        dataset = dataclasses.replace(
            dataset,
            X_train=np.tile(dataset.X_train, (copies, 1)),
            y_train=np.tile(dataset.y_train, copies),
        )
        some = range(10)
        scores = influence_scores(
            fit(dataset, l2=0.1), dataset, damping=0.1, dtype="float64", tolerance=1e-10
        ).scores[:10]
        changes = leave_one_out(dataset, some, l2=0.1).changes
        errors.append(np.abs(changes + scores / dataset.n_train))
    ratio = errors[0].sum() / errors[1].sum()
    assert 40 <= ratio <= 90  # 64, and what terms of higher order add for so few samples


def test_a_class_is_not_left_without_samples():
    dataset, _ = random_problem(7)
    y = dataset.y_train.copy()
    y[y == 2] = 0
    y[5] = 2
    lonely = dataclasses.replace(dataset, y_train=y)
    with pytest.raises(InvalidDataset, match=r"Sample 5 is the only training sample of class 2"):
        leave_one_out(lonely, [1, 5])
    assert len(leave_one_out(lonely, [1]).changes) == 1


def test_no_minimum_in_time_is_said():
    dataset, model = random_problem(8)
    problem = LinearProblem.build(dataset, 0.01, dtype="float64", device="cpu")
    start = problem.shape(problem.encode(model))
    with pytest.raises(NotConverged, match=r"without sample 0 stopped at .* A larger l2"):
        retrain(problem, start, torch.tensor([0]), 0.01, tolerance=1e-30, rounds=3)


@pytest.mark.parametrize(
    ("indices", "options", "message"),
    [
        ([], {}, "targets must be at least one training index"),
        ([40], {}, r"target must be a whole number in \[0, 39\]. Got 40"),
        ([1, 1], {}, r"distinct"),
        (0, {"l2": 0.0}, "l2 must be"),
        (0, {"split": "train"}, "split must be one of"),
    ],
)
def test_bad_input_is_named(indices, options, message):
    dataset, _ = random_problem(9)
    with pytest.raises(InvalidInput, match=message):
        leave_one_out(dataset, indices, **options)
