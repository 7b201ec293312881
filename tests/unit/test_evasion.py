"""Attackers who know of polishing: their gradients by autograd, and that each does what it says."""

import numpy as np
import pytest
import torch

from engine.attacks.attack import attack_each_k
from engine.attacks.options import AttackOptions
from engine.attacks.stealth import decrement_terms, gradient_norm_terms
from engine.errors import InvalidInput
from engine.influence.linear import LinearProblem
from engine.influence.network import NetworkProblem
from engine.influence.scores import influence_scores
from engine.models.fit import fit
from engine.scrutiny.evasion import Passage, ThroughPolishing, keep_hiding
from engine.scrutiny.polish import polish
from tests.support.problems import random_problem
from tests.support.reference import (
    explicit_hessian,
    explicit_scores,
    flat,
    mean_loss,
    relative_error,
    with_ones,
)
from tests.unit.test_polish import some_network

L2, DAMPING, TIGHT = 0.05, 0.25, 1e-12


def explicit_newton(theta: torch.Tensor, dataset, l2: float) -> tuple[torch.Tensor, torch.Tensor]:
    """θ after one whole Newton step, and the decrement, differentiable in θ."""
    X, y = with_ones(dataset.X_train), torch.as_tensor(dataset.y_train)
    loss = mean_loss(theta, X, y) + l2 / 2 * theta.square().sum()
    (g,) = torch.autograd.grad(loss, theta, create_graph=True)
    A = explicit_hessian(theta, X, dataset.n_classes)
    u = torch.linalg.solve(A + l2 * torch.eye(len(g), dtype=torch.float64), g)
    return theta - u, torch.sqrt(g @ u)


@pytest.mark.parametrize(("seed", "depths"), [(0, (0, 1)), (1, (1,)), (2, (0, 2))])
def test_the_gradient_through_newton_steps_by_autograd(seed, depths):
    dataset, model = random_problem(seed, weight_scale=0.3)  # near enough for whole steps
    assert (polish(model, dataset, L2, steps=2).lengths == 1).all()
    inner = LinearProblem.build(dataset, DAMPING, dtype="float64", device="cpu")
    problem = ThroughPolishing(inner, L2, target=4, depths=depths, step_tolerance=TIGHT)
    forward = problem.forward(problem.encode(model), TIGHT)
    c = torch.as_tensor(np.random.default_rng(seed).standard_normal((1, dataset.n_train)))
    gradient, _ = problem.gradient(forward, c, TIGHT)

    theta = flat(model).requires_grad_()
    at = [theta]
    for _ in range(max(depths)):
        at.append(explicit_newton(at[-1], dataset, L2)[0])
    leads = []
    for depth in depths:
        scores = explicit_scores(at[depth], dataset, DAMPING)
        leads.append((scores - scores[4]) / scores.std().detach())
    largest = torch.stack(leads).max(0).values
    np.testing.assert_allclose(forward.scores[0], largest.detach(), rtol=1e-7, atol=1e-9)
    (expected,) = torch.autograd.grad(largest @ c[0], theta)
    # Both are exact but for solves to 1e-12, twice through a Hessian's inverse.
    assert relative_error(problem.decode(gradient[0]).ravel(), expected) < 1e-7


def test_the_gradient_through_a_shortened_and_shifted_step_by_differences():
    """A network, where the step is shifted: its shift and length are held fixed."""
    dataset, model = some_network(0, scale=1.5)
    inner = NetworkProblem.build(dataset, model, 2.0, dtype="float64", device="cpu")
    problem = ThroughPolishing(inner, L2, target=4, depths=(1,), step_tolerance=TIGHT)
    theta = problem.encode(model)
    forward = problem.forward(theta, TIGHT)
    state = forward.state
    assert isinstance(state, Passage)
    passed = state.steps[0]
    assert float(passed.shift) > 0, "the case that is meant"
    c = torch.as_tensor(np.random.default_rng(1).standard_normal((1, dataset.n_train)))
    gradient, _ = problem.gradient(forward, c, TIGHT)
    direction = torch.as_tensor(np.random.default_rng(2).standard_normal(theta.shape))
    std = state.forwards[1].scores.std()

    def value(t: torch.Tensor) -> float:
        g = inner.training_loss(t, L2)[1]
        u = inner.damped(L2 + float(passed.shift)).inverse_product(t, g, TIGHT).x
        scores = inner.forward(t - passed.length * u, TIGHT).scores
        return float(((scores - scores[:, 4:5]) / std * c).sum())

    h = 1e-5  # differences err by h²; their rounding by 1e-11/h
    slope = (value(theta + h * direction) - value(theta - h * direction)) / (2 * h)
    assert float((gradient * direction).sum()) == pytest.approx(slope, rel=1e-4)


@pytest.mark.parametrize("seed", range(3))
def test_the_decrement_s_gradient_by_autograd(seed):
    dataset, model = random_problem(seed)
    problem = LinearProblem.build(dataset, dtype="float64", device="cpu")
    theta = flat(model).requires_grad_()
    decrement = explicit_newton(theta, dataset, L2)[1]
    (expected,) = torch.autograd.grad(3 * decrement, theta)
    value, gradient = decrement_terms(problem, L2, 3.0)(problem.encode(model))
    # Its solve is good to 1e-4, in the gradient to first order.
    assert float(value) == pytest.approx(3 * decrement.item(), rel=1e-6)
    assert relative_error(problem.decode(gradient[0]).ravel(), expected) < 1e-3


@pytest.fixture(scope="module")
def arrived():
    """A small problem with an attack that arrived in the top 3."""
    dataset, _ = random_problem(0, n=80, d=6)
    model = fit(dataset, l2=L2)
    target = int(np.argmax(influence_scores(model, dataset).ranks == 15))
    options = AttackOptions(k=3, radius=0.9, restarts=2, steps=40, dtype="float64")
    [by_k] = attack_each_k(model, dataset, [target], (3,), options, device="cpu")
    assert by_k[3].success
    return dataset, model, target, options, by_k[3].model


@pytest.mark.parametrize("terms", [gradient_norm_terms, decrement_terms])
def test_hiding_lowers_its_measure_and_stays_in_the_top(arrived, terms):
    dataset, model, target, options, start = arrived
    problem = LinearProblem.build(dataset, DAMPING, dtype="float64", device="cpu")
    measure = terms(problem, L2, 1.0)
    options = AttackOptions(k=3, radius=0.9, steps=25, learning_rates=(0.01,), dtype="float64")
    [found] = keep_hiding(
        measure, model, dataset, [(target, start)], options, problem=problem, device="cpu"
    )
    before, after = (float(measure(problem.encode(one))[0]) for one in (start, found))
    assert after < 0.97 * before
    assert influence_scores(found, dataset, dtype="float64").ranks[target] <= 3


def test_an_attack_through_polishing_leads_before_and_after(arrived):
    dataset, model, target, _, plain = arrived
    options = AttackOptions(k=3, radius=2.0, restarts=2, steps=100, dtype="float64")
    inner = LinearProblem.build(dataset, DAMPING, dtype="float64", device="cpu")
    problem = ThroughPolishing(inner, L2, target, (0, 1))
    [by_k] = attack_each_k(model, dataset, [target], (3,), options, device="cpu", problem=problem)

    def ranks(one) -> list[int]:
        polished = polish(one, dataset, L2).model
        both = (influence_scores(m, dataset, dtype="float64").ranks for m in (one, polished))
        return [int(found[target]) for found in both]

    assert ranks(plain)[0] <= 3 < ranks(plain)[1]
    # The rank that it reports is its worst lead's, so that neither is worse.
    assert max(ranks(by_k[3].model)) <= int(by_k[3].ranks_test[0])
    assert sum(ranks(by_k[3].model)) < sum(ranks(plain))


def test_bad_input_is_named(arrived):
    dataset, model, *_ = arrived
    problem = LinearProblem.build(dataset, DAMPING, device="cpu")
    with pytest.raises(InvalidInput, match="arrived must be"):
        keep_hiding(gradient_norm_terms(problem, L2, 1.0), model, dataset, [], AttackOptions())
