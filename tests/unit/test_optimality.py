"""The check for a minimum against autograd and dense Hessians; the attacker who knows it."""

import numpy as np
import pytest
import torch

from engine.attacks.attack import attack
from engine.attacks.stealth import gradient_norm_terms
from engine.errors import InvalidInput
from engine.influence.linear import LinearProblem
from engine.influence.scores import influence_scores
from engine.models.fit import fit
from engine.models.linear import LinearModel
from engine.scrutiny.optimality import optimality
from tests.support.problems import random_problem
from tests.support.reference import explicit_hessian, flat, mean_loss, with_ones


def training_loss(theta: torch.Tensor, dataset, l2: float) -> torch.Tensor:
    loss = mean_loss(theta, with_ones(dataset.X_train), torch.as_tensor(dataset.y_train))
    return loss + l2 / 2 * theta.square().sum()


@pytest.mark.parametrize("seed", range(5))
def test_loss_and_gradient(seed):
    dataset, model = random_problem(seed)
    found = optimality(model, dataset)
    theta = flat(model).requires_grad_()
    loss = training_loss(theta, dataset, model.l2)
    gradient = torch.autograd.grad(loss, theta)[0]
    assert found.loss == pytest.approx(loss.item(), rel=1e-12)
    assert found.gradient_norm == pytest.approx(float(gradient.norm()), rel=1e-10)
    assert 0 < found.relative <= 1


@pytest.mark.parametrize("l2", [0.003, 0.1])
def test_the_smallest_eigenvalue_is_that_of_the_hessian(l2):
    dataset, model = random_problem(0)
    theta = flat(model)
    H = explicit_hessian(theta, with_ones(dataset.X_train), dataset.n_classes)
    H = H + l2 * torch.eye(len(H), dtype=torch.float64)
    smallest = float(torch.linalg.eigvalsh(H)[0])
    assert optimality(model, dataset, l2).smallest_eigenvalue == pytest.approx(smallest, abs=1e-10)


def test_a_trained_model_is_a_minimum_and_a_scaled_one_is_not():
    dataset, _ = random_problem(1, n=80)
    model = fit(dataset, l2=0.05)
    assert optimality(model, dataset).relative < 1e-6
    for scale in (0.5, 0.9, 1.1):
        scaled = type(model)(scale * model.weight, scale * model.bias, model.l2)
        assert optimality(scaled, dataset).relative > 0.01
    assert optimality(model, dataset, l2=0.06).relative > 0.01  # of another loss


def test_bad_input_is_named():
    dataset, model = random_problem(2)
    with pytest.raises(InvalidInput, match="l2 must be"):
        optimality(model, dataset, l2=0)
    with pytest.raises(InvalidInput, match=r"model\.weight"):
        optimality(random_problem(2, d=6)[1], dataset)


@pytest.mark.parametrize("seed", range(5))
def test_the_stealth_term_by_autograd(seed):
    dataset, _ = random_problem(seed)
    problem = LinearProblem.build(dataset, dtype="float64", device="cpu")
    drawn = np.random.default_rng(seed).standard_normal((3, 3 * 6))
    theta = torch.as_tensor(drawn)
    values, gradients = gradient_norm_terms(problem, 0.05, 2.0)(theta)
    for row in range(3):
        t = torch.as_tensor(problem.decode(theta[row])).flatten().requires_grad_()
        loss = training_loss(t, dataset, 0.05)
        (g,) = torch.autograd.grad(loss, t, create_graph=True)
        norm = 2.0 * g.norm()
        (expected,) = torch.autograd.grad(norm, t)
        assert values[row].item() == pytest.approx(norm.item(), rel=1e-9)
        found = problem.decode(gradients[row]).ravel()
        np.testing.assert_allclose(found, expected.numpy(), rtol=1e-6, atol=1e-8)


def test_at_the_minimum_the_stealth_term_pulls_nowhere():
    dataset, model = random_problem(0)
    problem = LinearProblem.build(dataset, dtype="float64", device="cpu")
    zero = torch.zeros_like(problem.encode(model))
    pulled = gradient_norm_terms(problem, 0.05, 1.0)(zero)[1]
    assert torch.isfinite(pulled).all()


def test_a_stealthy_attack_ends_nearer_to_a_minimum():
    dataset, _ = random_problem(3, n=80, d=6)
    model = fit(dataset, l2=0.05)
    target = int(np.argmax(influence_scores(model, dataset).ranks == 60))
    plain, stealthy = (
        attack(
            model,
            dataset,
            target,
            radius=0.4,
            restarts=0,
            steps=40,
            stealth=weight,
            dtype="float64",
        )
        for weight in (0.0, 1.0)
    )
    norms = []
    for found in (plain, stealthy):
        assert isinstance(found.model, LinearModel)
        norms.append(optimality(found.model, dataset, 0.05).gradient_norm)
    assert norms[1] < norms[0]
    with pytest.raises(InvalidInput, match="stealth must be"):
        attack(model, dataset, target, stealth=-1)
