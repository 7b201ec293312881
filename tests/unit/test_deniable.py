"""The deniable attack: true minima, the gradient through the minimum, the least ε, its checks."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

import engine
from engine.attacks.declared import Declared, Trainer, slopes
from engine.attacks.deniable import lowest_of_largest
from engine.attacks.options import DeniableOptions
from engine.data.dataset import Dataset
from engine.errors import InvalidInput
from engine.influence.newton import minimum
from engine.models.linear import LinearModel
from engine.scrutiny.admissible import AdmissibleLimits, admissible, draw
from engine.scrutiny.optimality import optimality
from tests.support.problems import random_problem
from tests.support.reference import explicit_hessian, explicit_scores, flat, mean_loss, with_ones

L2, DAMPING, TIGHT = 0.02, 0.25, 1e-12


def choices(dataset: Dataset, seed: int) -> Declared:
    rng = np.random.default_rng(seed)
    weights = rng.uniform(0.6, 1.4, dataset.n_train)
    return Declared(0.03, weights / weights.mean(), rng.uniform(0.7, 1.3, dataset.n_features))


def weighted_loss(theta, X, y, weights, l2):
    """The declared loss by autograd's primitives."""
    each = torch.nn.functional.cross_entropy(X @ theta.view(-1, X.shape[1]).T, y, reduction="none")
    return (torch.as_tensor(weights) * each).mean() + l2 / 2 * theta.square().sum()


def weighted_hessian(theta, X, n_classes, weights):
    """Its Hessian without l2: each sample's own, weighed."""
    each = zip(weights, X, strict=True)
    parts = [w * explicit_hessian(theta, x[None], n_classes) for w, x in each]
    return sum(parts) / len(X)


@pytest.mark.parametrize("seed", [0, 1])
def test_a_weighted_problem_by_autograd(seed):
    """Loss, gradient, Hessian products, scores and their gradient with weights of the samples. To
    1e-8: conjugate gradients stop at 1e-12."""
    dataset, model = random_problem(seed, n=24, d=3)
    weights = choices(dataset, seed).weights
    trainer = Trainer.on(dataset, DAMPING)
    problem = trainer.plain.weighted(weights)
    theta = problem.encode(model)
    at = flat(model).requires_grad_()
    X, y = with_ones(dataset.X_train), torch.as_tensor(dataset.y_train)
    expected = weighted_loss(at, X, y, weights, L2)
    value, gradient = problem.training_loss(theta, L2)
    assert float(value) == pytest.approx(float(expected.detach()), rel=1e-12)
    own = torch.autograd.grad(expected, at)[0].numpy()
    assert problem.decode(gradient[0]).ravel() == pytest.approx(own, abs=1e-12)

    c = np.random.default_rng(seed).standard_normal(dataset.n_train)
    at = flat(model).requires_grad_()
    H = weighted_hessian(at, X, dataset.n_classes, torch.as_tensor(weights))
    H = H + DAMPING * torch.eye(at.numel(), dtype=torch.float64)
    grad = torch.func.grad(mean_loss)
    test = with_ones(dataset.X_test), torch.as_tensor(dataset.y_test)
    g = torch.func.vmap(lambda x, label: grad(at, x[None], label[None]))(X, y)
    scores = -g @ torch.linalg.solve(H, grad(at, *test))
    forward = problem.forward(theta, TIGHT)
    assert forward.scores[0].numpy() == pytest.approx(scores.detach().numpy(), abs=1e-9)
    slope = torch.autograd.grad(scores @ torch.as_tensor(c), at)[0].numpy()
    found, _ = problem.gradient(forward, torch.as_tensor(c)[None], TIGHT)
    assert problem.decode(found[0]).ravel() == pytest.approx(slope, abs=1e-8)
    dense = problem.curvature(theta).dense(0).numpy()
    rotation = np.kron(np.eye(dataset.n_classes), problem.basis.numpy())
    assert rotation @ dense @ rotation.T == pytest.approx(H.detach().numpy(), abs=1e-10)
    product = problem.hessian_product(theta, theta)[0].numpy() + DAMPING * theta[0].numpy()
    assert product == pytest.approx(dense @ theta[0].numpy(), abs=1e-10)


def test_the_minimum_is_that_of_scikit_learn():
    """It minimises Σ w_i ℓ_i + ‖θ‖²/(2C), here with a column of ones in place of its bias."""
    dataset, _ = random_problem(4, n=60, d=3)
    declared = replace(choices(dataset, 4), l2=0.05)
    start = np.zeros((dataset.n_classes, dataset.n_features + 1))
    trained = Trainer.on(dataset).train(declared, start)
    wide = with_ones(declared.features(dataset).X_train).numpy()
    ours = LogisticRegression(
        C=1 / (0.05 * dataset.n_train), fit_intercept=False, tol=1e-12, max_iter=10_000
    ).fit(wide, dataset.y_train, declared.weights)
    assert trained.model.parameters == pytest.approx(ours.coef_, abs=1e-5)
    assert trained.gradient_norm < 1e-10
    y = torch.as_tensor(dataset.y_train)
    theta = torch.as_tensor(trained.model.parameters).flatten().requires_grad_()
    loss = weighted_loss(theta, torch.as_tensor(wide), y, declared.weights, 0.05)
    assert float(torch.autograd.grad(loss, theta)[0].norm()) < 1e-10


@pytest.mark.parametrize("order", ["highest_first", "lowest_first"])
def test_slopes_through_the_minimum_by_training_again(order):
    """Central differences of trained and scored models in float64. To 1e-5: the differences' own
    error at a step of 1e-4. Scales that are powers of two are exact in float32."""
    dataset, _ = random_problem(2, n=30, d=4)
    coarse = (np.round(dataset.X_train * 64) / 64).astype(np.float32)
    dataset = replace(dataset, X_train=coarse)
    trainer = Trainer.on(dataset, DAMPING, order)
    weights = choices(dataset, 2).weights
    declared = Declared(0.03, weights, np.array([1.0, 2.0, 0.5, 1.0]))
    start = np.zeros((dataset.n_classes, dataset.n_features + 1))
    at = trainer.train(declared, start, 1e-13)
    rng = np.random.default_rng(2)
    c = torch.as_tensor(rng.standard_normal((2, dataset.n_train)))
    by_l2, by_weights, by_scales = slopes(at, c, TIGHT)

    def value(other: Declared) -> np.ndarray:
        return (c @ trainer.train(other, start, 1e-13).forward.scores[0]).numpy()

    def difference(pair: list[Declared], step: float) -> np.ndarray:
        return (value(pair[0]) - value(pair[1])) / step

    h = 1e-4
    near = [replace(declared, l2=0.03 * np.exp(s)) for s in (h, -h)]
    assert difference(near, 2 * h) == pytest.approx(by_l2, rel=1e-5, abs=1e-6)
    direction = rng.standard_normal(dataset.n_train)
    direction -= direction.mean()
    near = [replace(declared, weights=weights + s * direction) for s in (h, -h)]
    found = difference(near, 2 * h)
    assert found == pytest.approx(by_weights @ direction, rel=1e-5, abs=1e-6)
    h = 2.0**-8  # scales that float32 holds exactly, features times them as well
    for j in range(dataset.n_features):
        step = np.where(np.arange(dataset.n_features) == j, h, 0.0)
        near = [replace(declared, scales=declared.scales + s * step) for s in (1, -1)]
        # Differences at so large a step err by its square.
        found = difference(near, 2 * h)
        assert found == pytest.approx(by_scales[:, j], rel=2e-3, abs=2e-4), j


def test_the_slope_by_scales_is_exact_as_a_penalty():
    """The scales read as a penalty of the unscaled model, differentiated by autograd."""
    dataset, _ = random_problem(6, n=20, d=3)
    trainer = Trainer.on(dataset, DAMPING)
    declared = replace(Declared.usual(dataset, 0.04), scales=np.array([1.0, 0.5, 2.0]))
    at = trainer.train(declared, np.zeros((dataset.n_classes, 4)), 1e-13)
    c = torch.as_tensor(np.random.default_rng(1).standard_normal((1, dataset.n_train)))
    _, _, by_scales = slopes(at, c, TIGHT)
    X, y = with_ones(dataset.X_train), torch.as_tensor(dataset.y_train)
    K, D = dataset.n_classes, X.shape[1]
    theta = torch.as_tensor(trainer.unscaled(at)).flatten()
    s = torch.cat([torch.as_tensor(declared.scales), torch.ones(1, dtype=torch.float64)])
    s = s.requires_grad_()
    Q = torch.diag((1 / s.square()).repeat(K))
    H = explicit_hessian(theta, X, K)
    theta = theta - torch.linalg.solve(  # one Newton step at the minimum has its derivative
        H + 0.04 * Q, torch.func.grad(mean_loss)(theta, X, y) + 0.04 * Q @ theta
    )
    H = explicit_hessian(theta, X, K) + DAMPING * Q
    grad = torch.func.grad(mean_loss)
    g = torch.func.vmap(lambda x, label: grad(theta, x[None], label[None]))(X, y)
    test = grad(theta, with_ones(dataset.X_test), torch.as_tensor(dataset.y_test))
    value = c[0] @ (-g @ torch.linalg.solve(H, test))
    expected = torch.autograd.grad(value, s)[0][:-1].numpy()
    assert by_scales[0] == pytest.approx(expected, rel=1e-6, abs=1e-8)
    assert len(expected) == D - 1


def test_without_choices_scores_are_the_usual_ones():
    dataset, _ = random_problem(7, n=40, d=4)
    model = engine.fit(dataset, l2=L2)
    trained = Trainer.on(dataset).train(Declared.usual(dataset, L2), model.parameters)
    theta = torch.as_tensor(trained.model.parameters).flatten()
    expected = explicit_scores(theta, dataset, DAMPING).numpy()
    assert trained.forward.scores[0].numpy() == pytest.approx(expected, abs=1e-8)
    assert trained.declared.epsilon == 0


def test_the_programme_of_a_step():
    """Every limit is kept, and no random step within the limits does better."""
    rng = np.random.default_rng(3)
    values, G = rng.standard_normal(4), rng.standard_normal((4, 9))
    low, high = -rng.random(9), rng.random(9)
    low[2] = high[2] = 0.0
    step, least = lowest_of_largest(values, G, low, high, slice(1, 6))
    assert (step >= low - 1e-9).all() and (step <= high + 1e-9).all()
    assert step[1:6].sum() == pytest.approx(0, abs=1e-9)
    assert (values + G @ step).max() == pytest.approx(least, abs=1e-9)
    for _ in range(300):  # nobody finds less
        other = rng.uniform(low, high)
        other[1:6] -= other[1:6].mean()
        if (other < low).any() or (other > high).any():
            continue
        assert (values + G @ other).max() >= least - 1e-9


@pytest.fixture(scope="module")
def attacked():
    dataset, _ = random_problem(3, n=60, d=5)
    model = engine.fit(dataset, l2=0.01)
    ranks = engine.influence_scores(model, dataset, dtype="float64").ranks
    target = int(np.flatnonzero(ranks == 5)[0])
    return dataset, model, target


@pytest.mark.parametrize("means", ["weights", "scales", "together"])
def test_what_is_found_is_a_minimum_with_the_target_on_top(attacked, means):
    dataset, model, target = attacked
    options = DeniableOptions(means=means, fits=40)
    (found,) = engine.needed_epsilon(model, dataset, target, 0.6, options)
    assert found.rank_before == 5 and found.epsilon <= 0.6 + 1e-6
    declared = found.declared
    assert declared.weights.mean() == pytest.approx(1, abs=1e-9)
    assert np.abs(declared.weights - 1).max() <= 0.6 + 1e-6
    scaled = declared.features(dataset)
    checked = optimality(found.model, scaled, declared.l2, declared.weights)
    assert checked.gradient_norm < 1e-10
    kept = engine.polish(found.model, scaled, declared.l2, 3, weights=declared.weights).model
    moved = np.linalg.norm(kept.parameters - found.model.parameters)
    assert moved < 1e-9 * found.model.norm
    ranks = engine.influence_scores(found.model, scaled, dtype="float64", tolerance=1e-10).ranks
    assert ranks[target] == found.rank_after
    assert found.arrived == (ranks[target] == 1)
    if means == "weights":
        assert (declared.scales == 1).all() and declared.l2 == model.l2
    if means == "together":
        assert found.arrived


def test_fixed_epsilon_keeps_to_its_box_and_more_room_helps(attacked):
    dataset, model, target = attacked
    options = DeniableOptions(means="together", fits=30, l2_factor=1.0)
    gaps = []
    for epsilon in (0.05, 0.3):
        (found,) = engine.deniable_attack(model, dataset, [target], epsilon, options)
        assert found.epsilon <= epsilon + 1e-6
        assert found.declared.l2 == pytest.approx(model.l2)
        gaps.append(found.gap)
    assert gaps[1] < gaps[0]


def test_draws_keep_their_limits_and_centre(attacked):
    dataset, model, _ = attacked
    usual, rng = Declared.usual(dataset, 0.01), np.random.default_rng(0)
    for means, l2, weights, scales in (
        ("weights", False, True, False), ("scales", False, False, True),
        ("together", True, True, True),
    ):  # fmt: skip
        one = draw(AdmissibleLimits(means, 0.2, 10.0), usual, rng)
        assert (one.l2 != 0.01) == l2 and 0.001 <= one.l2 <= 0.1
        assert bool((one.weights != 1).any()) == weights
        assert bool((one.scales != 1).any()) == scales
        assert np.abs(one.scales - 1).max() <= 0.2 and np.abs(one.weights - 1).max() <= 0.25
        assert one.weights.mean() == pytest.approx(1)
    found = admissible(Trainer.on(dataset), model, AdmissibleLimits("together", 0.2, 2.0), 5, 0)
    assert found.ranks.shape == (5, dataset.n_train)
    assert (found.lowest <= found.averaged.clip(max=60)).sum() > 50
    assert (found.lowest <= found.highest).all()
    honest = engine.influence_scores(model, dataset, dtype="float64").ranks
    assert found.correlations(honest).min() > 0.5


def test_refusals(attacked):
    dataset, model, target = attacked
    honest = engine.influence_scores(model, dataset).ranks
    first = int(np.flatnonzero(honest == 1)[0])
    no_options: Any = {}  # which the types would not allow
    for wrong, message in (
        (lambda: engine.deniable_attack(model, dataset, target, 1.0), r"epsilon .*\(0, 1\)"),
        (lambda: engine.needed_epsilon(model, dataset, target, 0), "limit must be"),
        (lambda: engine.needed_epsilon(model, dataset, first), "outside the honest top-1"),
        (lambda: DeniableOptions(means="l2"), "means must be"),
        (lambda: DeniableOptions(l2_factor=0.5), "l2_factor must be"),
        (lambda: Declared(0.01, np.full(3, 2.0), np.ones(2)), "of mean 1"),
        (lambda: Declared(0.01, np.ones(3), np.zeros(2)), "scales must be"),
        (lambda: engine.polish(model, dataset, weights=[1.0]), r"weights must be of shape \(60,\)"),
        (
            lambda: engine.deniable_attack(model, dataset, target, 0.1, no_options),
            "options must be",
        ),
    ):
        with pytest.raises(InvalidInput, match=message):
            wrong()


def test_minimum_ends_where_it_is_told(attacked):
    dataset, model, _ = attacked
    problem = Trainer.on(dataset).plain
    far = problem.encode(LinearModel.from_parameters(3 * model.parameters, 0.01))
    theta, norms = minimum(problem, torch.cat([far, problem.encode(model)]), 0.01, 1e-11)
    assert float(norms.max()) <= 1e-11
    assert problem.decode(theta[0]) == pytest.approx(problem.decode(theta[1]), abs=1e-8)
