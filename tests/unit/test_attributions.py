"""Other scores of the training samples, each against its definition in float64."""

from itertools import combinations
from math import comb
from typing import Any

import numpy as np
import pytest
import torch

from engine.errors import InvalidInput
from engine.influence.problem import ranks
from engine.influence.scores import influence_scores
from engine.scrutiny.attributions import attribution, knn_shapley
from engine.scrutiny.sensitivity import MOST_AT_ONCE
from engine.vocabulary import ATTRIBUTIONS
from tests.support.problems import random_problem
from tests.support.reference import explicit_hessian, flat, mean_loss, relative_error, with_ones

DAMPING = 0.25
FLOAT64: dict[str, Any] = {"damping": DAMPING, "dtype": "float64", "device": "cpu"}
WITH_MODEL = [name for name in ATTRIBUTIONS if name != "knn_shapley"]


def explicit(name, model, dataset, split):
    """The scores through the explicit Hessian and autograd's gradients, (n,)."""
    theta = flat(model)
    X, y = with_ones(dataset.X_train), torch.as_tensor(dataset.y_train)
    features, labels = dataset.split(split)
    one = torch.func.grad(mean_loss)
    g = one(theta, with_ones(features), torch.as_tensor(labels))
    each = torch.func.vmap(lambda x, c: one(theta, x[None], c[None]))(X, y)
    H = explicit_hessian(theta, X, dataset.n_classes)
    H += DAMPING * torch.eye(len(theta), dtype=torch.float64)
    solved = torch.linalg.solve(H, each.T).T
    return {
        "influence": -solved @ g,
        "gradient_dot": -each @ g,
        "cosine": -each @ g / (each.norm(dim=1) * g.norm()),
        "self_influence": (solved * each).sum(1),
        "relative": -solved @ g / solved.norm(dim=1),
    }[name].numpy()


@pytest.mark.parametrize("split", ["test", "holdout"])
@pytest.mark.parametrize("name", WITH_MODEL)
def test_scores_are_those_of_the_explicit_hessian(name, split):
    # Solves stop at a relative residual of 1e-6, of all samples at 1e-5 (EACH_TOLERANCE).
    allowed = 1e-4 if name in ("self_influence", "relative") else 1e-5
    for seed in range(4):
        dataset, model = random_problem(seed, duplicates=True)
        found = attribution(name, model, dataset, split, **FLOAT64)
        expected = explicit(name, model, dataset, split)
        assert relative_error(found.scores, expected) < allowed, seed


def test_influence_is_that_of_definition_1():
    dataset, model = random_problem(1)
    found = attribution("influence", model, dataset, **FLOAT64)
    expected = influence_scores(model, dataset, dtype="float64", device="cpu")
    np.testing.assert_allclose(found.scores, expected.scores, rtol=1e-9)
    np.testing.assert_array_equal(found.ranks, expected.ranks)


@pytest.mark.parametrize("name", WITH_MODEL)
def test_single_precision_is_near(name):
    dataset, model = random_problem(6)
    found = attribution(name, model, dataset, damping=DAMPING, device="cpu")
    assert relative_error(found.scores, explicit(name, model, dataset, "test")) < 1e-3


@pytest.mark.parametrize("name", list(ATTRIBUTIONS))
def test_ranks_follow_the_order(name):
    dataset, model = random_problem(2)
    high = attribution(name, model, dataset, **FLOAT64)
    low = attribution(name, model, dataset, order="lowest_first", **FLOAT64)
    np.testing.assert_array_equal(high.scores, low.scores)
    np.testing.assert_array_equal(high.ranks, ranks(high.scores))
    np.testing.assert_array_equal(low.ranks, ranks(-high.scores))


def test_signs_and_bounds():
    dataset, model = random_problem(4)
    own = attribution("self_influence", model, dataset, **FLOAT64).scores
    assert (own >= 0).all()
    cosine = attribution("cosine", model, dataset, **FLOAT64).scores
    assert np.abs(cosine).max() <= 1 + 1e-9
    influence = attribution("influence", model, dataset, **FLOAT64).scores
    relative = attribution("relative", model, dataset, **FLOAT64).scores
    np.testing.assert_array_equal(np.sign(influence), np.sign(relative))
    # Helpful neighbours are negative, as a helpful sample's influence is.
    values = knn_shapley(*dataset.split("train"), *dataset.split("test"))
    found = attribution("knn_shapley", model, dataset, **FLOAT64).scores
    np.testing.assert_array_equal(found, -values)


def test_all_samples_are_solved_for_in_batches():
    """Of more samples than a batch holds, those on both sides of its end are right."""
    dataset, model = random_problem(0, n=MOST_AT_ONCE + 20)
    for name in ("self_influence", "relative"):
        found = attribution(name, model, dataset, **FLOAT64).scores
        assert relative_error(found, explicit(name, model, dataset, "test")) < 1e-4


def value(members, X, y, x, label, k):
    """v(S): the share of the k nearest of S that have the test point's label, over k."""
    members = list(members)
    distances = np.linalg.norm(X[members] - x, axis=1)
    nearest = np.array(members, int)[np.argsort(distances, kind="stable")[:k]]
    return float((y[nearest] == label).sum()) / k


def brute_force(X, y, X_test, y_test, k):
    """The Shapley values by their definition, over all subsets."""
    n = len(X)
    found = np.zeros(n)
    for x, label in zip(X_test, y_test, strict=True):
        for i in range(n):
            others = [j for j in range(n) if j != i]
            for size in range(n):
                for S in combinations(others, size):
                    with_i = value(sorted((*S, i)), X, y, x, label, k)
                    gain = with_i - value(S, X, y, x, label, k)
                    found[i] += gain / (n * comb(n - 1, size))
    return found / len(X_test)


def neighbours(seed, n, m=2):
    """Few places on a line of whole numbers: ties in distance are the rule."""
    rng = np.random.default_rng(seed)
    X, X_test = rng.integers(3, size=(n, 1)), rng.integers(3, size=(m, 1))
    return X, rng.integers(3, size=n), X_test, rng.integers(3, size=m)


@pytest.mark.parametrize("k", [1, 2, 3])
@pytest.mark.parametrize("n", [3, 5, 8])
def test_knn_shapley_is_the_mean_over_all_subsets(n, k):
    for seed in range(2):
        X, y, X_test, y_test = neighbours(seed, n)
        expected = brute_force(X, y, X_test, y_test, k)
        np.testing.assert_allclose(knn_shapley(X, y, X_test, y_test, k), expected, atol=1e-12)


def test_knn_shapley_values_sum_to_what_all_samples_are_worth():
    for seed in range(20):
        X, y, X_test, y_test = neighbours(seed, 30, 7)
        for k in (1, 5, 30):
            everybody = np.mean(
                [
                    value(range(30), X, y, x, c, k)  # the empty set is worth 0
                    for x, c in zip(X_test, y_test, strict=True)
                ]
            )
            assert knn_shapley(X, y, X_test, y_test, k).sum() == pytest.approx(everybody)


def test_knn_shapley_follows_its_samples():
    dataset, _ = random_problem(0)
    X, y = dataset.split("train")
    test = dataset.split("test")
    expected = knn_shapley(X, y, *test)
    rng = np.random.default_rng(0)
    order, other = rng.permutation(len(X)), rng.permutation(len(test[1]))
    found = knn_shapley(X[order], y[order], test[0][other], test[1][other])
    np.testing.assert_allclose(found, expected[order], atol=1e-14)
    few = knn_shapley(X, y, *test, rows_at_once=3)
    np.testing.assert_allclose(few, expected, atol=1e-14)


def test_bad_input_is_refused():
    dataset, model = random_problem(0)
    with pytest.raises(InvalidInput, match="name must be one of 'influence', 'gradient_dot'"):
        attribution("shap", model, dataset)
    with pytest.raises(InvalidInput, match="split"):
        attribution("influence", model, dataset, split="train")
    with pytest.raises(InvalidInput, match="order"):
        attribution("influence", model, dataset, order="up")
    with pytest.raises(InvalidInput, match="damping"):
        attribution("influence", model, dataset, damping=0)
    with pytest.raises(InvalidInput, match=r"neighbours must be a whole number in \[1, 40\]"):
        attribution("knn_shapley", model, dataset, neighbours=41)
    other, _ = random_problem(0, d=4)
    for name in ATTRIBUTIONS:
        with pytest.raises(InvalidInput):
            attribution(name, model, other)
