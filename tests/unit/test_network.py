"""Networks: against the closed form on a linear layer, and against explicit Hessians elsewhere."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from engine.attacks.objectives import ATTACK_OBJECTIVES
from engine.attacks.state import Plan, init, step
from engine.data.dataset import Dataset
from engine.data.load import load_dataset
from engine.data.subset import training_subset, with_training_subset
from engine.errors import InvalidInput
from engine.influence.estimators import named
from engine.influence.linear import LinearProblem
from engine.influence.network import ROWS_PER_CHUNK, NetworkProblem
from engine.models.fit import fit
from engine.models.fit_network import fit_network
from engine.models.linear import LinearModel
from engine.models.network import Cnn, Network, architecture
from tests.support.problems import random_problem
from tests.support.reference import relative_error

TIGHT = 1e-12  # of solves that are compared with explicit ones


def smooth(d: int, K: int, width: int = 4) -> nn.Module:
    return nn.Sequential(nn.Linear(d, width), nn.Tanh(), nn.Linear(width, K))


def some_network(seed: int = 0, **options) -> tuple[Dataset, Network]:
    """A small problem and a network at random parameters, which is no minimum."""
    dataset, _ = random_problem(seed, **options)
    module = smooth(dataset.n_features, dataset.n_classes)
    count = sum(p.numel() for p in module.parameters())
    theta = np.random.default_rng(seed).standard_normal(count)
    return dataset, Network(module, theta, l2=0.01)


def explicit_scores(
    theta: torch.Tensor, dataset: Dataset, damping: float, split: str = "test"
) -> torch.Tensor:
    """Definition 1 for the network of `smooth`, its forward pass and Hessian written out."""
    d, K, h = dataset.n_features, dataset.n_classes, 4

    def losses(t: torch.Tensor, X: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        W, b, V, c = t.split([h * d, h, K * h, K])
        logits = torch.tanh(X @ W.view(h, d).T + b) @ V.view(K, h).T + c
        return torch.logsumexp(logits, 1) - logits[torch.arange(len(y)), y]

    def samples(split: str) -> tuple[torch.Tensor, torch.Tensor]:
        X, y = dataset.split(split)
        return torch.as_tensor(X, dtype=torch.float64), torch.as_tensor(y)

    train, test = samples("train"), samples(split)
    H = torch.func.hessian(lambda t: losses(t, *train).mean())(theta)
    g = torch.func.grad(lambda t: losses(t, *test).mean())(theta)
    each = torch.func.jacrev(lambda t: losses(t, *train))(theta)
    return -each @ torch.linalg.solve(H + damping * torch.eye(len(theta)).double(), g)


def in_the_network(wide: np.ndarray) -> torch.Tensor:
    """θ (K, d+1), the bias last, in the order of an `nn.Linear`: (1, P)."""
    return torch.as_tensor(np.concatenate([wide[:, :-1].ravel(), wide[:, -1]])).unsqueeze(0)


@pytest.fixture(scope="module")
def linear_twice() -> tuple[Dataset, LinearModel, LinearProblem, NetworkProblem]:
    dataset = load_dataset("digits")
    model = fit(dataset)
    layer = nn.Linear(dataset.n_features, dataset.n_classes)
    same = Network(layer, in_the_network(model.parameters)[0].numpy(), l2=model.l2)
    return (
        dataset,
        model,
        LinearProblem.build(dataset, dtype="float64"),
        NetworkProblem.build(dataset, same, dtype="float64"),
    )


@pytest.mark.parametrize("split", ["test", "holdout"])
def test_a_linear_layer_is_the_closed_form(linear_twice, split):
    dataset, model, linear, network = linear_twice
    rng = np.random.default_rng(0)
    points = [model.parameters + 0.1 * rng.standard_normal(model.parameters.shape) for _ in "ab"]
    theta = torch.cat([linear.encode(model.with_parameters(p)) for p in points])
    expected = linear.forward(theta, TIGHT, split=split)
    found = network.forward(torch.cat([in_the_network(p) for p in points]), TIGHT, split=split)
    assert relative_error(found.scores, expected.scores) < 1e-6
    assert torch.equal(found.accuracy, expected.accuracy)
    c = torch.as_tensor(rng.standard_normal((2, dataset.n_train)))
    gradient = linear.gradient(expected, c, TIGHT)[0]
    unrotated = torch.cat([in_the_network(linear.decode(g)) for g in gradient])
    assert relative_error(network.gradient(found, c, TIGHT)[0], unrotated) < 1e-6


def test_a_step_of_an_attack_on_a_linear_layer_is_that_of_the_closed_form(linear_twice):
    """In the features' own basis: Adam's step depends on the basis."""
    dataset, model, rotated, network = linear_twice
    eye = torch.eye(len(rotated.basis), dtype=torch.float64)
    X = {s: torch.as_tensor(dataset.split(s)[0], dtype=torch.float64) for s in ("train", "test")}
    wide = {s: torch.cat([x, x.new_ones(len(x), 1)], 1) for s, x in X.items()}
    linear = LinearProblem(
        train=network_samples(rotated.train, wide["train"]),
        splits={s: network_samples(rotated.splits["test"], wide["test"]) for s in rotated.splits},
        eigenvalues=torch.ones(len(eye), dtype=torch.float64),
        basis=eye,
        n_classes=dataset.n_classes,
        damping=0.25,
        sign=1,
        sketch=None,
    )
    rng = np.random.default_rng(1)
    point = model.parameters + 0.05 * rng.standard_normal(model.parameters.shape)

    def moved(problem, encode) -> np.ndarray:
        plan = Plan(
            theta=encode(point),
            honest=encode(model.parameters),
            targets=torch.tensor([[16]]),
            learning_rates=torch.tensor([0.1], dtype=torch.float64),
            ball=0.3 * model.norm,
            k=1,
            steps=5,
            objective=ATTACK_OBJECTIVES["higher_ranked"],
        )
        state = init(plan)
        for _ in range(3):
            state, _ = step(problem, plan, state)
        return state.theta.numpy()

    found = moved(network, in_the_network)
    expected = moved(linear, lambda p: torch.as_tensor(p.reshape(1, -1)))
    unrotated = in_the_network(expected.reshape(dataset.n_classes, -1)).numpy()
    # the attack solves to 1e-3, along two ways; Adam's first steps magnify what is near 0
    assert relative_error(found, unrotated) < 1e-3


def network_samples(samples, X):
    return replace(samples, X=X)


@pytest.mark.parametrize("estimator", ["cg", "exact"])
@pytest.mark.parametrize("order", ["highest_first", "lowest_first"])
def test_scores_and_gradient_of_a_network(estimator, order):
    """At damping 2 the matrix is positive definite everywhere here."""
    dataset, model = some_network(3)
    problem = NetworkProblem.build(
        dataset, model, 2.0, order, "float64", estimator=named(estimator)
    )
    sign = problem.sign
    theta = torch.as_tensor(model.parameters).requires_grad_()
    expected = sign * explicit_scores(theta, dataset, 2.0)
    forward = problem.forward(problem.encode(model), TIGHT)
    assert relative_error(forward.scores[0], expected.detach()) < 1e-9
    c = torch.as_tensor(np.random.default_rng(3).standard_normal(dataset.n_train))
    reference = torch.autograd.grad(expected @ c, theta)[0]
    found = problem.gradient(forward, c.unsqueeze(0), TIGHT)[0][0]
    assert relative_error(found, reference) < 1e-8


def tiny_cnn() -> tuple[Dataset, Network]:
    """Pictures of 4 × 3 pixels in 2 colours, and a network at random parameters."""
    dataset, _ = random_problem(6, n=40, d=24)
    module = Cnn((4, 3, 2), dataset.n_classes, channels=3)
    count = sum(p.numel() for p in module.parameters())
    theta = 0.4 * np.random.default_rng(6).standard_normal(count)
    return dataset, Network(module, theta, l2=0.01)


def convolved(theta: torch.Tensor, X: torch.Tensor, K: int) -> torch.Tensor:
    """The logits of `tiny_cnn`, its convolution written out pixel by pixel."""
    kernels, bias, V, c = theta.split([3 * 2 * 9, 3, K * 12, K])
    images = X.view(-1, 4, 3, 2)
    padded = torch.zeros(len(X), 6, 5, 2, dtype=X.dtype)
    padded[:, 1:5, 1:4] = images
    seen = []
    for channel in kernels.view(3, 2, 3, 3).unbind():
        for row in (0, 2):
            for column in (0, 2):
                patch = padded[:, row : row + 3, column : column + 3]  # n, 3, 3, 2
                seen.append((patch * channel.permute(1, 2, 0)).sum((1, 2, 3)))
    hidden = torch.stack(seen, 1).view(-1, 3, 4).transpose(1, 2) + bias  # n, places, channels
    return torch.tanh(hidden).flatten(1) @ V.view(K, 12).T + c


def test_the_convolution_is_one():
    dataset, model = tiny_cnn()
    expected = convolved(
        torch.as_tensor(model.parameters),
        torch.as_tensor(dataset.X_test, dtype=torch.float64),
        dataset.n_classes,
    )
    np.testing.assert_allclose(model.logits(dataset.X_test), expected, rtol=1e-12, atol=1e-12)


def test_scores_and_gradient_of_a_convolutional_network():
    """Against an explicit Hessian, and its inverse differentiated by autograd."""
    dataset, model = tiny_cnn()
    problem = NetworkProblem.build(dataset, model, 2.0, dtype="float64")
    theta = torch.as_tensor(model.parameters).requires_grad_()

    def losses(t: torch.Tensor, split: str) -> torch.Tensor:
        X, y = dataset.split(split)
        said = convolved(t, torch.as_tensor(X, dtype=torch.float64), dataset.n_classes)
        return nn.functional.cross_entropy(said, torch.as_tensor(y), reduction="none")

    H = torch.func.hessian(lambda t: losses(t, "train").mean())(theta)
    g = torch.func.grad(lambda t: losses(t, "test").mean())(theta)
    each = torch.func.jacrev(lambda t: losses(t, "train"))(theta)
    expected = -each @ torch.linalg.solve(H + 2 * torch.eye(len(theta)).double(), g)
    forward = problem.forward(problem.encode(model), TIGHT)
    assert relative_error(forward.scores[0], expected.detach()) < 1e-9
    c = torch.as_tensor(np.random.default_rng(6).standard_normal(dataset.n_train))
    reference = torch.autograd.grad(expected @ c, theta)[0]
    found = problem.gradient(forward, c.unsqueeze(0), TIGHT)[0][0]
    assert relative_error(found, reference) < 1e-8


def test_the_gradient_is_what_finite_differences_see():
    dataset, model = some_network(4)
    problem = NetworkProblem.build(dataset, model, 2.0, dtype="float64")
    theta = problem.encode(model)
    c = torch.as_tensor(np.random.default_rng(4).standard_normal((1, dataset.n_train)))
    gradient = problem.gradient(problem.forward(theta, TIGHT), c, TIGHT)[0]
    direction = torch.as_tensor(np.random.default_rng(5).standard_normal(theta.shape))
    ahead, behind = (
        (c * problem.forward(theta + h * direction, TIGHT).scores).sum() for h in (1e-5, -1e-5)
    )
    assert float((ahead - behind) / 2e-5) == pytest.approx(
        float((gradient * direction).sum()), rel=1e-6
    )


@pytest.mark.parametrize("name", ["mlp", "cnn"])
def test_a_model_depends_on_no_neighbour_and_no_chunk(name):
    whole = load_dataset("digits")
    dataset = with_training_subset(whole, training_subset(whole, 120, 0))
    model = fit_network(dataset, architecture(name, whole).build(), max_iterations=20)
    problem = NetworkProblem.build(dataset, model, 1.0, dtype="float64")
    rng = np.random.default_rng(0)
    theta = problem.encode(model) + 0.02 * torch.as_tensor(
        rng.standard_normal((3, model.parameters.size))
    )
    c = torch.as_tensor(rng.standard_normal((3, dataset.n_train)))
    together = problem.forward(theta, 1e-9)
    gradient = problem.gradient(together, c, 1e-9)[0]
    splits = {split: replace(part, chunk=50) for split, part in problem.splits.items()}
    chunked = replace(problem, train=replace(problem.train, chunk=50), splits=splits)
    alone = chunked.forward(theta[1:2], 1e-9)
    assert relative_error(together.scores[1:2], alone.scores) < 1e-7
    assert torch.equal(together.accuracy[1:2], alone.accuracy)
    assert relative_error(gradient[1:2], chunked.gradient(alone, c[1:2], 1e-9)[0]) < 1e-7


def test_the_training_loss_and_its_derivatives():
    dataset, model = some_network(5)
    problem = NetworkProblem.build(dataset, model, dtype="float64")
    X, y = torch.as_tensor(dataset.X_train).double(), torch.as_tensor(dataset.y_train)
    d, K = dataset.n_features, dataset.n_classes

    def loss(t: torch.Tensor) -> torch.Tensor:
        W, b, V, c = t.split([4 * d, 4, K * 4, K])
        said = torch.tanh(X @ W.view(4, d).T + b) @ V.view(K, 4).T + c
        return nn.functional.cross_entropy(said, y) + 0.05 * t.square().sum()

    theta = problem.encode(model)
    value, gradient = problem.training_loss(theta, 0.1)
    assert float(value) == pytest.approx(float(loss(theta[0])), rel=1e-12)
    assert relative_error(gradient[0], torch.func.grad(loss)(theta[0])) < 1e-12
    V = torch.as_tensor(np.random.default_rng(0).standard_normal(theta.shape))
    expected = torch.func.hessian(loss)(theta[0]) @ V[0] - 0.1 * V[0]
    assert relative_error(problem.hessian_product(theta, V)[0], expected) < 1e-12


def test_the_drift_of_predictions():
    """Of two models in a batch, in chunks, against a formula written out and its derivative."""
    dataset, model = some_network(6, n=ROWS_PER_CHUNK + 17)
    problem = NetworkProblem.build(dataset, model, dtype="float64")
    X = torch.cat([torch.as_tensor(dataset.X_train), torch.as_tensor(dataset.X_test)]).double()
    d, K = dataset.n_features, dataset.n_classes

    def said(t: torch.Tensor) -> torch.Tensor:
        W, b, V, c = t.split([4 * d, 4, K * 4, K])
        logits = torch.tanh(X @ W.view(4, d).T + b) @ V.view(K, 4).T + c
        return torch.log_softmax(logits, -1)

    honest = problem.encode(model)
    away = torch.as_tensor(np.random.default_rng(1).standard_normal((2, honest.shape[1])))
    values, gradients = problem.drift(honest + away, honest)
    for t, value, gradient in zip(honest + away, values, gradients, strict=True):

        def drift(t: torch.Tensor) -> torch.Tensor:
            before = said(honest[0])
            return (before.exp() * (before - said(t))).sum() / len(X)

        assert float(value) == pytest.approx(float(drift(t)), rel=1e-12)
        assert relative_error(gradient, torch.func.grad(drift)(t)) < 1e-12


def test_a_solve_says_where_the_matrix_is_not_positive_definite():
    """Of two models in a batch one is at a minimum, the other where curvature is negative; the
    first is solved as if it were alone."""
    dataset, model = some_network(0)
    problem = NetworkProblem.build(dataset, model, 1e-3, dtype="float64")
    minimum = fit_network(dataset, model.module, l2=1e-4)
    theta = torch.cat([problem.encode(minimum), problem.encode(model)])
    eigenvalues = torch.linalg.eigvalsh(problem.curvature(theta[1:]).dense(0))
    assert eigenvalues[0] < 0, "the second is meant to be indefinite"
    found = problem.forward(theta, 1e-8).solution
    assert bool(found.lowest[0] == torch.inf) and float(found.residual[0]) <= 1e-8
    assert eigenvalues[0] <= found.lowest[1] <= 0
    alone = problem.forward(theta[:1], 1e-8).solution
    assert relative_error(found.x[:1], alone.x) < 1e-9


def test_networks_on_digits_are_trained_to_a_minimum():
    dataset = load_dataset("digits")
    model = fit_network(dataset, "mlp", l2=0.1)
    assert model.gradient_norm < 1e-4
    assert model.accuracy(dataset.X_holdout, dataset.y_holdout) > 0.9
    again = fit_network(dataset, "mlp", l2=0.1)
    assert np.array_equal(model.parameters, again.parameters)
    other = fit_network(dataset, "mlp", l2=0.1, seed=1, max_iterations=1)
    assert not np.array_equal(model.parameters, other.parameters)


def test_ones_own_module_is_trained_from_its_own_parameters_and_left_alone():
    dataset, _ = random_problem(0)
    module = smooth(dataset.n_features, dataset.n_classes)
    before = [p.clone() for p in module.parameters()]
    model = fit_network(dataset, module, max_iterations=3)
    assert all(torch.equal(a, b) for a, b in zip(before, module.parameters(), strict=True))
    with torch.no_grad():
        nn.utils.vector_to_parameters(
            torch.as_tensor(model.parameters).float(), module.parameters()
        )
        said = module(torch.as_tensor(dataset.X_holdout)).argmax(1)
    assert np.array_equal(model.predict(dataset.X_holdout), said)


def test_what_cannot_be_used_is_refused_in_words():
    dataset, model = some_network(0)
    with pytest.raises(InvalidInput, match="not the pixels of its samples"):
        fit_network(dataset, "cnn")
    with pytest.raises(InvalidInput, match="'mlp', 'cnn'"):
        fit_network(dataset, "transformer")
    with pytest.raises(InvalidInput, match=r"logits of shape \(2, 3\)"):
        fit_network(dataset, nn.Linear(dataset.n_features, 7))
    with pytest.raises(InvalidInput, match="maps features"):
        fit_network(dataset, nn.Linear(9, 3))
    with pytest.raises(InvalidInput, match="parameters must be of shape"):
        model.with_parameters(model.parameters[1:])
    with pytest.raises(InvalidInput, match="finite"):
        model.with_parameters(np.full(model.parameters.shape, np.nan)).check_fits(dataset)


def test_a_residuals_norm_is_exact_for_a_network():
    """‖r − (H + λI) V‖, which linear models estimate from a sketch."""
    dataset, model = some_network()
    problem = NetworkProblem.build(dataset, model, 2.0, dtype="float64")
    theta = problem.encode(model).repeat(3, 1)
    operator = problem.curvature(theta)
    r, V = torch.randn((2, *theta.shape), dtype=theta.dtype)
    found = operator.sketched_norm(r, V, operator.curved(operator.image(V)))
    hessian = problem.hessian_product(theta, V) + problem.damping * V
    torch.testing.assert_close(found, (r - hessian).norm(dim=1))
    alpha = torch.tensor([0.5, 0.0, -2.0], dtype=theta.dtype)
    found = operator.sketched_norm(r, V, operator.curved(operator.image(V)), alpha)
    torch.testing.assert_close(found, (r - alpha.unsqueeze(1) * hessian).norm(dim=1))
