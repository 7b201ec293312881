"""Every numerical kernel on tensors that claim to be on CUDA: any mix-up of devices raises here.

Fake tensors hold no values, so nothing may branch on one: solves do a fixed number of iterations.
"""

from functools import partial

import numpy as np
import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

from engine.attacks.objectives import ATTACK_OBJECTIVES, Standing, target_ranks, worst_needed
from engine.attacks.options import ReweighingOptions
from engine.attacks.reweighing import train
from engine.attacks.state import (
    Plan,
    arrivals,
    init,
    iterates,
    leave,
    move,
    pressed,
    project,
    record,
)
from engine.attacks.stealth import gradient_norm_terms
from engine.influence.estimators import Estimator, Lissa, cg_iterations, exact, lissa
from engine.influence.linear import LinearProblem, Samples, eigenbasis, rotate, sketch
from engine.influence.mixed import in_precision
from engine.influence.network import NetworkProblem, Part
from engine.influence.products import Labels
from engine.influence.solve import fixed_iterations
from engine.models.network import MODULES, cross_entropy
from engine.scrutiny import attributions, sensitivity
from engine.scrutiny.leave_one_out import mean_loss
from engine.vocabulary import ATTRIBUTIONS, ESTIMATORS

N, M, D, K, B = 64, 32, 1025, 5, 4
# Of a step with five iterations a solve, and of one with precision 'fixed', which does four and
# decomposes nothing: lower them when a step needs fewer.
KERNELS, KERNELS_FIXED = 207, 146


@pytest.fixture
def cuda():
    with FakeTensorMode(), torch.device("cuda"):
        yield


def problem(iterations: int, estimator: str = "cg") -> LinearProblem:
    """Tensors without values cannot say when a solve is done: it does so many iterations."""
    steps = Lissa(samples=iterations, batch_size=1)
    solvers: dict[str, Estimator] = {
        "cg": cg_iterations(iterations),
        "exact": exact,
        "lissa": partial(lissa, steps, checked=False),
    }
    X = torch.randn(N, D)
    eigenvalues, basis = eigenbasis(X)
    train = Samples(rotate(X, basis), torch.randint(K, (N,)), K)
    split = Samples(rotate(torch.randn(M, D), basis), torch.randint(K, (M,)), K)
    return LinearProblem(
        train=train,
        splits={"test": split, "holdout": split},
        eigenvalues=eigenvalues.float(),
        basis=basis,
        n_classes=K,
        damping=0.25,
        sign=1,
        sketch=None,
        estimator=solvers[estimator],
    )


def on_cuda(*tensors: torch.Tensor) -> bool:
    return all(t.device.type == "cuda" for t in tensors)


@pytest.mark.parametrize("estimator", list(ESTIMATORS))
def test_forward_and_gradient(cuda, estimator):
    p = problem(3, estimator)
    forward = p.forward(torch.randn(B, K * D), 1e-3)
    assert forward.scores.shape == (B, N)
    gradient, solution = p.gradient(forward, torch.randn(B, N), 1e-3)
    assert gradient.shape == (B, K * D)
    assert on_cuda(forward.scores, forward.accuracy, gradient, solution.x, solution.image)
    assert on_cuda(p.accuracy(torch.randn(B, K * D), "holdout"))


def test_the_pieces_of_a_solve(cuda):
    p = problem(2)
    curvature = p.curvature(torch.randn(B, K * D))
    b = torch.randn(B, K, D)
    solution = fixed_iterations(curvature, b, torch.zeros(B, K, N), 2)
    warm = solution.warm.select(torch.arange(2))
    part = curvature.select(torch.arange(2))
    pulled = part.pull(part.curved(warm.image), warm.x)
    assert pulled.shape == (2, K, D)
    assert on_cuda(pulled, warm.energy, part.precondition(b[:2]))


def test_the_sketch(cuda):
    X = torch.randn(N, D)
    found = sketch(X)
    assert found is not None
    assert on_cuda(found.omega, found.X)


@pytest.mark.parametrize("name", list(ATTACK_OBJECTIVES))
def test_objectives(cuda, name):
    scores, targets = torch.randn(B, N), torch.randint(N, (B, 3))
    found = target_ranks(scores, targets)
    standing = Standing(
        scores, targets, found, 2, torch.randn(1, N), torch.rand(B), 0.5,
        restart=torch.arange(B), lost=torch.rand(B), drift=torch.rand(B),
    )  # fmt: skip
    goal = ATTACK_OBJECTIVES[name]
    c = goal.coefficients(standing)
    assert c.shape == (B, N)
    assert on_cuda(found, c, worst_needed(found, 2))
    if goal.upkeep is not None:
        quality = goal.upkeep.quality(standing)
        assert quality.shape == (B,)
        assert on_cuda(quality)


def plan_of(theta: torch.Tensor, objective: str) -> Plan:
    """A plan of B runs from `theta`, a target each."""
    return Plan(
        theta=theta,
        honest=theta[:1],
        targets=torch.randint(N, (B, 1)),
        learning_rates=torch.rand(B),
        ball=1.0,
        k=1,
        steps=100,
        objective=ATTACK_OBJECTIVES[objective],
    )


def test_the_parts_of_a_step(cuda):
    theta = torch.randn(B, K * D)
    plan = plan_of(theta, "target")
    state = init(plan)
    state = leave(state, torch.arange(2))
    state = move(plan, state, torch.randn(2, K * D))
    assert on_cuda(state.theta, state.first_moment, state.active, state.best_rank)
    assert on_cuda(project(theta, theta[:1], 1.0))


def test_the_parts_that_serve_several_k(cuda):
    theta = torch.randn(B, K * D)
    plan = Plan(
        theta=theta,
        honest=theta[:1],
        targets=torch.randint(N, (B, 1)),
        learning_rates=torch.rand(B),
        ball=1.0,
        k=1,
        steps=100,
        objective=ATTACK_OBJECTIVES["target"],
        wider=(3, 10),
    )
    state = init(plan)
    assert on_cuda(state.reached, state.steps_taken, state.kept_theta, state.kept_accuracy)
    first = arrivals(plan, state, torch.randint(N, (B,)))
    assert first.shape == (3, B)
    assert on_cuda(first)
    for which in range(3):
        served, accuracy = iterates(state, which, slice(1, 4))
        assert served.shape == (3, K * D)
        assert on_cuda(served, accuracy)
    better = arrivals(plan, state, torch.randint(N, (B,)), torch.rand(B).double())
    assert better.shape == (3, B)
    assert on_cuda(better, pressed(plan, state.pressure, torch.randint(N, (B,))))
    left = leave(state, torch.arange(2))
    assert arrivals(plan, left, torch.randint(N, (2,))).shape == (3, 2)
    p = problem(2)
    for split in ("test", "holdout"):
        forward = p.forward(theta, 1e-6, split=split)
        assert on_cuda(target_ranks(forward.scores, plan.targets))


class Counter(TorchDispatchMode):
    """Counts what is dispatched but views, and what makes the host wait for the device: a check of
    a decomposition does too, which fake tensors leave out."""

    WAITS = (
        *("aten._local_scalar_dense", "aten.nonzero", "aten.is_nonzero", "aten.masked_select"),
        "aten._linalg_eigh",
    )
    VIEWS = (  # and memory that is only laid out
        *("view", "expand", "unsqueeze", "squeeze", "select", "slice", "transpose", "permute"),
        *("t", "detach", "_unsafe_view", "lift_fresh", "new_empty", "unbind"),
    )

    def __init__(self):
        super().__init__()
        self.kernels = self.waits = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = str(func.overloadpacket)
        self.waits += name in self.WAITS
        library, _, short = name.partition(".")
        self.kernels += library == "aten" and short not in self.VIEWS
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize(
    ("fixed", "kernels", "waits"), [(False, KERNELS, 1), (True, KERNELS_FIXED, 0)]
)
def test_a_step_of_fixed_width_dispatches_few_kernels(cuda, fixed, kernels, waits):
    """Scores, coefficients, gradient, what is kept, and the move; five iterations a solve, or, with
    precision 'fixed', as that solves."""
    theta, p = torch.randn(B, K * D), problem(5)
    if fixed:
        in_fixed, _ = in_precision(p, "fixed", p.forward(theta[:1], 1e-3))
        assert isinstance(in_fixed, LinearProblem) and in_fixed.diagonal is not None
        p = in_fixed
    plan = plan_of(theta, "higher_ranked")
    assert plan.tops.shape == (1, 1)  # made now: once an attack
    state = init(plan)
    for samples in (p.train, p.splits["test"]):
        assert isinstance(samples.labels, Labels)  # made now: once a data set
    with Counter() as counted:
        forward = p.forward(theta, 1e-3)
        found = target_ranks(forward.scores, plan.targets)
        rank = worst_needed(found, plan.k)
        c = plan.objective.coefficients(Standing(forward.scores, plan.targets, found, plan.k))
        new = arrivals(plan, state, rank)
        state = record(plan, state, rank, forward.accuracy, None, new)
        gradient, _ = p.gradient(forward, c, 1e-3)
        move(plan, state, gradient)
    assert (counted.waits, counted.kernels) == (waits, kernels)


def test_probes_of_sensitivity(cuda, monkeypatch):
    monkeypatch.setattr(sensitivity, "check_converged", lambda *given: None)
    p = problem(3)
    forward = p.forward(torch.randn(1, K * D), 1e-3)
    found = sensitivity.project(p, forward, torch.randn(B, K, D), 1e-3)
    assert found.shape == (B, N)
    assert on_cuda(found)


def test_a_mix_up_would_be_seen(cuda):
    """The mode does raise: this file's other tests can fail."""
    p = problem(1)
    with pytest.raises(RuntimeError, match="device"):
        p.forward(torch.randn(B, K * D, device="cpu"), 1e-3)


def test_the_training_of_the_baseline(cuda):
    p = problem(1)
    targets, weights = np.array([3, 3, 7, 7]), np.array([1.0, 1e6, 1.0, 1e6])
    options = ReweighingOptions(steps=3, batch_size=8)
    assert isinstance(p.train.X, torch.Tensor)
    theta = train(p.train.X, p.train.y, K, targets, weights, options=options, l2=0.01)
    assert theta.shape == (B, K, D)
    assert on_cuda(theta)


def test_the_training_gradient_and_its_norm(cuda):
    p = problem(1)
    theta = torch.randn(B, K * D)
    P = p.probabilities(theta, p.train.X)
    kept = p.training_gradient(p.shape(theta), P, 0.01, torch.ones(B, N))
    values, gradients = gradient_norm_terms(p, 0.01, 2.0)(theta)
    assert (kept.shape, values.shape, gradients.shape) == ((B, K, D), (B,), (B, K * D))
    assert on_cuda(kept, values, gradients, mean_loss(p, kept, "test"))
    for values, gradients in (p.training_loss(theta, 0.0), p.drift(theta, theta[:1])):
        assert (values.shape, gradients.shape) == ((B,), (B, K * D))
        assert on_cuda(values, gradients)


@pytest.mark.parametrize("name", [name for name in ATTRIBUTIONS if name != "knn_shapley"])
def test_other_scores(cuda, monkeypatch, name):
    monkeypatch.setattr(attributions, "check_converged", lambda *given: None)
    p = problem(2)
    forward = p.forward(torch.randn(1, K * D), 1e-3)
    scores = attributions.score(name, p, forward)
    assert scores.shape == (N,)
    assert on_cuda(scores)


@pytest.mark.parametrize("kind", ["mlp", "cnn"])
def test_networks(kind):
    """On the meta device: reverse mode wants a CUDA runtime even for tensors that claim CUDA. They
    too hold no values, and raise where they meet a tensor from elsewhere."""
    with torch.device("meta"):
        module = MODULES[kind]((8, 8), K)
        P = sum(p.numel() for p in module.parameters())
        part = Part(module, cross_entropy, torch.randn(N, 64), torch.randint(K, (N,)))
        p = NetworkProblem(part, {"test": part, "holdout": part}, 0.25, 1, cg_iterations(2))
        theta = torch.randn(B, P)
        forward = p.forward(theta, 1e-3)
        gradient, solution = p.gradient(forward, torch.randn(B, N), 1e-3)
        value, slope = p.training_loss(theta, 0.01)
        product = p.hessian_product(theta, slope)
        drift, away = p.drift(theta, theta[:1])
    assert (forward.scores.shape, gradient.shape, value.shape) == ((B, N), (B, P), (B,))
    found = [forward.scores, forward.accuracy, gradient, solution.x, value, slope, product]
    assert (drift.shape, away.shape) == ((B,), (B, P))
    found += [drift, away]
    assert all(t.device.type == "meta" for t in found)
    with pytest.raises(RuntimeError, match=r"device|meta"):
        p.forward(torch.randn(B, P), 1e-3)
