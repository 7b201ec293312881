"""Attacks on any score: its gradient against differences in θ, and what it makes of a target."""

import numpy as np
import pytest
import torch

from engine.attacks.attack import attack_each_k
from engine.attacks.options import AttackOptions
from engine.models.fit import fit
from engine.models.linear import as_linear
from engine.scrutiny.attributions import attribution
from engine.scrutiny.gradient_scores import NAMES
from engine.scrutiny.score_problem import ScoreProblem
from tests.support.problems import random_problem


@pytest.mark.parametrize("order", ["highest_first", "lowest_first"])
@pytest.mark.parametrize("name", NAMES)
def test_the_gradient_of_a_sum_of_scores_is_that_of_differences(name, order):
    dataset, model = random_problem(1, n=20, d=3)
    problem = ScoreProblem.of(
        name, dataset, 0.01, order=order, dtype="float64", device="cpu", seed=2
    )
    theta = problem.encode(model)
    rng = np.random.default_rng(0)
    c = torch.as_tensor(rng.standard_normal((1, 20)))
    gradient, _ = problem.gradient(problem.forward(theta, 1e-6), c, 1e-6)
    direction = torch.as_tensor(rng.standard_normal(theta.shape))
    h = 1e-6

    def value(at: torch.Tensor) -> float:
        return float((c * problem.forward(at, 1e-6).scores).sum())

    difference = (value(theta + h * direction) - value(theta - h * direction)) / (2 * h)
    # Central differences with h = 1e-6 in float64 keep some eight digits.
    assert float((gradient * direction).sum()) == pytest.approx(difference, rel=1e-5)


@pytest.mark.parametrize("name", ["gradient_dot", "cosine", "kfac"])
def test_an_attack_on_a_score_moves_the_target_by_that_score(name):
    dataset, _ = random_problem(2, n=60)
    model = fit(dataset, device="cpu")
    honest = attribution(name, model, dataset, device="cpu").ranks
    target = int(np.flatnonzero(honest == 20)[0])
    options = AttackOptions(k=3, radius=1.0, restarts=2, learning_rates=(0.1,), steps=40)
    problem = ScoreProblem.of(name, dataset, 0.01, device="cpu")
    [by_k] = attack_each_k(model, dataset, [target], (3,), options, device="cpu", problem=problem)
    result = by_k[3]
    assert result.success and result.distance <= 1.0 + 1e-6
    np.testing.assert_array_equal(result.before.ranks, honest)
    seen = attribution(name, as_linear(result.model), dataset, device="cpu").ranks
    assert seen[target] == result.rank_test
    on_holdout = attribution(name, as_linear(result.model), dataset, "holdout", device="cpu")
    assert on_holdout.ranks[target] == result.rank_holdout
