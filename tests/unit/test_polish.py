"""Polishing against explicit Hessians, scikit-learn and itself."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from torch import nn

import engine
from engine.errors import InvalidInput
from engine.influence.linear import LinearProblem
from engine.influence.network import NetworkProblem
from engine.influence.newton import newton_step
from engine.models.fit import fit
from engine.models.linear import LinearModel
from engine.models.network import Network
from engine.scrutiny.polish import check_claims, polish
from tests.support.problems import random_problem
from tests.support.reference import explicit_hessian, flat, mean_loss, relative_error, with_ones

L2 = 0.05
TIGHT = 1e-12  # relative residual of solves that are compared with explicit ones


def explicit_step(model: LinearModel, dataset: engine.Dataset, l2: float) -> tuple:
    """θ, a whole Newton step, the decrement and the loss, by autograd and a dense solve."""
    X, y = with_ones(dataset.X_train), torch.as_tensor(dataset.y_train)
    theta = flat(model).requires_grad_()
    loss = mean_loss(theta, X, y) + l2 / 2 * theta.square().sum()
    (g,) = torch.autograd.grad(loss, theta)
    A = explicit_hessian(theta.detach(), X, dataset.n_classes)
    u = torch.linalg.solve(A + l2 * torch.eye(len(g), dtype=torch.float64), g)
    return theta.detach().numpy(), u.numpy(), float(torch.sqrt(g @ u)), loss.item()


@pytest.mark.parametrize("seed", range(4))
def test_a_step_by_an_explicit_hessian(seed):
    dataset, model = random_problem(seed, duplicates=seed % 2 == 1)
    found = polish(model, dataset, L2, tolerance=TIGHT)
    theta, u, decrement, loss = explicit_step(model, dataset, L2)
    assert isinstance(found.model, LinearModel)
    # Both solve the same system; its condition number is below 1e4, so rounding leaves 1e-9.
    assert relative_error(found.model.parameters.ravel(), theta - found.lengths[0] * u) < 1e-9
    assert found.decrements[0] == pytest.approx(decrement, rel=1e-9)
    assert found.losses[0] == pytest.approx(loss, rel=1e-12)
    assert found.solves == 1 and found.iterations > 0
    assert found.shifts.tolist() == [0.0]


def test_a_trained_model_stays_where_it_is():
    dataset, _ = random_problem(1, n=80)
    model = fit(dataset, l2=L2)
    found = polish(model, dataset, steps=2)
    assert isinstance(found.model, LinearModel)
    # Training stops at a largest gradient entry of 1e-8, and l2 = 0.05 bounds A⁻¹.
    assert np.abs(found.model.parameters - model.parameters).max() < 1e-6
    assert found.decrements[0] < 1e-6
    assert found.losses[-1] == pytest.approx(found.losses[0], rel=1e-12)
    scores = engine.influence_scores(model, dataset, dtype="float64")
    again = engine.influence_scores(found.model, dataset, dtype="float64")
    np.testing.assert_array_equal(scores.ranks, again.ranks)


def test_it_converges_to_the_optimum_of_scikit_learn():
    dataset, model = random_problem(2, n=60)
    # From so far whole steps lead away: the step is shortened, and then whole again.
    found = polish(model, dataset, L2, steps=9, tolerance=1e-10)
    assert found.lengths.min() < 1 == found.lengths[-1]
    assert found.fell.all()
    X = with_ones(dataset.X_train).numpy()
    theirs = LogisticRegression(
        C=1 / (len(X) * L2), fit_intercept=False, solver="newton-cg", tol=1e-12, max_iter=500
    ).fit(X, dataset.y_train)
    assert isinstance(found.model, LinearModel)
    assert relative_error(found.model.parameters, theirs.coef_) < 1e-6  # theirs ends near 1e-8
    assert found.gradient_norms[-1] < 1e-12


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 50), st.floats(1e-3, 0.3), st.floats(0.0, 4.0))
def test_the_decrement_is_never_negative_and_bounds_the_fall(seed, l2, scale):
    dataset, model = random_problem(seed, weight_scale=scale)
    found = polish(model, dataset, l2, steps=2)
    assert (found.decrements >= 0).all()
    # ‖∇L‖²/λ_max <= decrement² <= ‖∇L‖²/l2, because l2 is A's smallest eigenvalue
    assert (found.decrements <= found.gradient_norms[:2] / np.sqrt(l2) * (1 + 1e-6)).all()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 50), st.floats(1e-4, 0.05))
def test_near_the_minimum_each_step_shrinks_decrement_and_loss(seed, distance):
    dataset, _ = random_problem(seed)
    best = fit(dataset, l2=L2)
    direction = np.random.default_rng(seed).standard_normal(best.parameters.shape)
    near = best.with_parameters(
        best.parameters + distance * best.norm * direction / np.linalg.norm(direction)
    )
    found = polish(near, dataset, steps=2)
    # At 5% of ‖θ*‖ the quadratic convergence of Newton's method has begun.
    assert found.decrements[1] <= 0.5 * found.decrements[0]
    assert found.fell[0]


def test_a_batch_is_polished_as_each_model_alone():
    dataset, model = random_problem(0)
    problem = LinearProblem.build(dataset, dtype="float64", device="cpu")
    theta = torch.cat([problem.encode(model), 0.3 * problem.encode(model)])
    both = newton_step(problem, theta, L2, TIGHT)
    for row in range(2):
        alone = newton_step(problem, theta[row : row + 1], L2, TIGHT)
        torch.testing.assert_close(both.theta[row], alone.theta[0], rtol=1e-9, atol=1e-12)
        assert float(both.decrement[row]) == pytest.approx(float(alone.decrement), rel=1e-9)


def some_network(seed: int, scale: float) -> tuple[engine.Dataset, Network]:
    dataset, _ = random_problem(seed)
    module = nn.Sequential(nn.Linear(5, 3), nn.Tanh(), nn.Linear(3, 3))
    count = sum(p.numel() for p in module.parameters())
    theta = scale * np.random.default_rng(seed).standard_normal(count)
    return dataset, Network(module, theta, l2=L2)


def of_network(model: Network, dataset: engine.Dataset, l2: float):
    """The training loss of a network as a function of θ."""
    X = torch.as_tensor(dataset.X_train, dtype=torch.float64)
    y = torch.as_tensor(dataset.y_train)

    def loss(t: torch.Tensor) -> torch.Tensor:
        W, b, V, c = t.split([15, 3, 9, 3])
        logits = torch.tanh(X @ W.view(3, 5).T + b) @ V.view(3, 3).T + c
        return nn.functional.cross_entropy(logits, y) + l2 / 2 * t.square().sum()

    return loss


@pytest.mark.parametrize("seed", range(3))
def test_a_network_s_step_is_shifted_until_the_hessian_is_positive(seed):
    dataset, model = some_network(seed, scale=1.5)
    found = polish(model, dataset, L2, tolerance=1e-10)
    theta, loss = torch.as_tensor(model.parameters), of_network(model, dataset, L2)
    H, g = torch.func.hessian(loss)(theta), torch.func.grad(loss)(theta)
    assert float(torch.linalg.eigvalsh(H)[0]) < 0, "the case that is meant"
    mu = found.shifts[0]
    assert mu > 0 and found.solves > 1
    u = torch.linalg.solve(H + mu * torch.eye(len(g), dtype=torch.float64), g)
    expected = (theta - found.lengths[0] * u).numpy()
    assert relative_error(found.model.parameters, expected) < 1e-6
    assert found.losses[1] == pytest.approx(float(loss(torch.as_tensor(expected))), rel=1e-6)
    assert found.fell[0] == (found.losses[1] <= found.losses[0])


def test_a_network_s_slope_of_curvature_by_autograd():
    dataset, model = some_network(4, scale=0.7)
    problem = NetworkProblem.build(dataset, model, dtype="float64", device="cpu")
    theta = torch.as_tensor(model.parameters)
    V, W = torch.as_tensor(np.random.default_rng(0).standard_normal((2, 1, len(theta))))
    loss = of_network(model, dataset, 0.0)

    def form(t: torch.Tensor) -> torch.Tensor:
        return V[0] @ torch.func.hessian(loss)(t) @ W[0]

    found = problem.curvature_slope(theta.unsqueeze(0), V, W)[0]
    assert relative_error(found, torch.func.grad(form)(theta)) < 1e-9


def test_claims_are_the_first_samples_followed_through_the_steps():
    dataset, model = random_problem(3)
    found = check_claims(model, dataset, L2, k=3, steps=2)
    before = engine.influence_scores(model, dataset, dtype="float64").ranks
    assert found.claimed.tolist() == np.argsort(before, kind="stable")[:3].tolist()
    assert found.ranks[0].tolist() == [1, 2, 3]
    after = engine.influence_scores(found.polished.models[0], dataset, dtype="float64").ranks
    assert found.ranks[1].tolist() == after[found.claimed].tolist()
    assert found.worst == found.ranks[1].max()
    assert found.decrement == found.polished.decrements[0]
    assert found.has_ranking.all()


def test_bad_input_is_named():
    dataset, model = random_problem(0)
    for options, words in (
        ({"l2": 0}, "l2 must be"),
        ({"steps": 0}, "steps must be"),
        ({"tolerance": -1.0}, "tolerance must be"),
    ):
        with pytest.raises(InvalidInput, match=words):
            polish(model, dataset, **options)
    with pytest.raises(InvalidInput, match="k must be"):
        check_claims(model, dataset, k=0)
