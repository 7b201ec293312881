"""What keeps accuracy while the search for the smallest radius moves."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import engine
from engine.attacks.accuracy_limits import CLEAR, SCALE, LossBound, Margins
from engine.attacks.options import MinimalOptions
from engine.attacks.radius_search import Search, Trail, shrink
from engine.influence.linear import LinearProblem
from tests.support.problems import random_problem


def of_problem(seed: int, tolerance: float) -> tuple[LinearProblem, torch.Tensor, Margins]:
    dataset, model = random_problem(seed, n=60, d=5)
    problem = LinearProblem.build(dataset, 0.25, "highest_first", "float64", "cpu")
    theta = problem.encode(model)
    return problem, theta, Margins.of(problem.splits["test"], theta, tolerance)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 1000),
    tolerance=st.sampled_from([0.0, 0.1, 0.29, 0.5]),
    length=st.floats(0.0, 2.0),
)
def test_margins_are_met_just_where_accuracy_is_kept(seed, tolerance, length):
    """Accuracy is that of the model itself, from its own features and weights."""
    dataset, honest = random_problem(seed, n=60, d=5)
    problem, theta, limit = of_problem(seed, tolerance)
    way = torch.as_tensor(np.random.default_rng(seed).normal(size=theta.shape))
    moved = theta + length * way
    seen = limit.at(moved)
    model = honest.with_parameters(problem.decode(moved[0]))
    X, y = dataset.split("test")
    lost = honest.accuracy(X, y) - model.accuracy(X, y)
    near = bool(((seen.shortfalls >= 0) & (seen.shortfalls < CLEAR)).any())  # neither is wrong
    assert near or (seen.excess < 0) == (lost <= tolerance + 1e-9)


@pytest.mark.parametrize("tolerance", [0.0, 0.1])
def test_the_numbers_of_margins_are_those_of_the_logits(tolerance):
    problem, theta, limit = of_problem(4, tolerance)
    seen, samples = limit.at(theta), problem.splits["test"]
    names = seen.names(7)
    X = torch.as_tensor(samples.X)
    logits = (X @ theta.view(samples.n_classes, -1).T).numpy()
    shortfalls = []
    for row, label in zip(logits, samples.y.tolist(), strict=True):
        shortfalls.append((np.delete(row, label).max() - row[label]) / SCALE + CLEAR)
    expected = np.sort(shortfalls)[::-1][limit.allowed :][:7]
    np.testing.assert_allclose(seen.values(names), expected)
    assert seen.excess == pytest.approx(expected[0])
    assert len(set(names)) == 7 and max(names) < -1  # no training sample, and not the loss
    wrong = int((logits.argmax(1) != samples.y.numpy()).sum())
    assert limit.allowed == wrong + int(tolerance * len(logits) + 1e-9)


def differences(limit, theta, names, way):
    """Central differences of the numbers of an accuracy limit along a direction."""
    ends = [limit.at(theta + h * way).values(names) for h in (1e-6, -1e-6)]
    return (ends[0] - ends[1]) / 2e-6


@pytest.mark.parametrize("seed", range(3))
def test_gradients_of_both_limits_are_those_of_finite_differences(seed):
    problem, theta, margins = of_problem(seed, 0.1)
    loss = LossBound(problem, 0.7, 0.9)
    for limit in (margins, loss):
        seen = limit.at(theta)
        names = seen.names(6)
        way = torch.as_tensor(np.random.default_rng(seed).normal(size=theta.shape))
        expected = differences(limit, theta, names, way)
        torch.testing.assert_close(seen.gradients(names) @ way[0], expected, rtol=1e-6, atol=1e-8)


def test_a_loss_bound_is_met_just_below_it():
    problem, theta, _ = of_problem(2, 0.1)
    loss = float(problem.training_loss(theta, 0.0)[0])
    assert LossBound(problem, 0.5, loss + 0.1).at(theta).excess == pytest.approx(-0.2)
    assert LossBound(problem, 0.5, loss - 0.1).at(theta).excess == pytest.approx(0.2)


def test_where_all_may_be_wrong_nothing_is_held():
    _problem, theta, limit = of_problem(3, 1.0)
    assert limit.allowed >= len(limit.samples.y)
    seen = limit.at(theta)
    assert seen.excess == -np.inf and seen.names(5) == []
    assert seen.gradients([]).shape == (0, theta.shape[1])


@pytest.mark.parametrize("margins", [False, True])
@pytest.mark.parametrize("seed", [2, 5, 9])
def test_a_search_that_has_lost_too_much_goes_on_within_a_limit(seed, margins):
    """With margins every arrival from there on keeps its accuracy."""
    dataset, _ = random_problem(seed, n=40, d=4)
    honest = engine.fit(dataset, 0.05)
    target = int(engine.influence_scores(honest, dataset).ranks.argsort()[15])
    problem = LinearProblem.build(dataset, 0.25, "highest_first", "float64", "cpu")
    theta = problem.encode(honest)
    options = MinimalOptions(k=3, competitors=10, tolerance=0.05, margins=margins)
    loss, accuracy = (
        float(problem.training_loss(theta, 0.0)[0]),
        float(problem.accuracy(theta, "test")),
    )
    search = Search(problem, theta, honest.norm, accuracy, loss, target, options, Trail(200))
    start = engine.attack(
        honest, dataset, target, k=3, radius=1.0, restarts=2, steps=40, device="cpu"
    )
    far = search.look(problem.encode(start.model), np.nan)
    held = search.held(far)
    assert isinstance(held.limit, Margins if margins else LossBound)
    shrink(held, far.theta, 1.0)
    arrived = [seen for seen in search.trail.arrived if seen.kept is not None]
    assert arrived and any(seen.lost <= 0.05 + 1e-9 for seen in arrived)
    if margins:
        assert all(seen.lost <= 0.05 + 1e-9 for seen in arrived)
    again = held.held(far).limit
    if isinstance(held.limit, LossBound):
        assert isinstance(again, LossBound) and again.bound <= held.limit.bound
    else:
        assert again == held.limit


def test_without_a_tolerance_margins_change_nothing():
    dataset, _ = random_problem(3, n=40, d=4)
    honest = engine.fit(dataset, 0.05)
    options = MinimalOptions(
        k=3, start_radii=(0.8,), restarts=1, start_steps=20, steps=20, competitors=6, hops=1
    )
    target = int(engine.influence_scores(honest, dataset).ranks.argmax())
    plain, other = (
        engine.minimal_radius(honest, dataset, target, replace(options, margins=on), device="cpu")
        for on in (False, True)
    )
    np.testing.assert_array_equal(plain.radius, other.radius)
    pd.testing.assert_frame_equal(plain.path, other.path)
