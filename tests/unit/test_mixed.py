"""Solves in mixed precision: against explicit float64 ones, and what attacks promise with them."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import engine
from engine import rows
from engine.attacks.attack import attack_with, honest_scores, make_plan
from engine.attacks.options import AttackOptions
from engine.attacks.result import AttackResult
from engine.attacks.state import init, step
from engine.data.dataset import Dataset
from engine.data.load import load_dataset
from engine.errors import InvalidInput
from engine.experiments import EXPERIMENTS, AttackRequest, Context, SweepRequest, values_of
from engine.influence import estimators, solve
from engine.influence.estimators import MOST_LEFT, Estimator
from engine.influence.linear import LinearProblem, LinearState
from engine.influence.mixed import (
    COARSE_GRADIENT,
    FIXED,
    MIXED_TOLERANCE,
    fastest,
    in_precision,
    step_tolerances,
)
from engine.influence.solve import Solution
from engine.models.linear import LinearModel
from engine.rows import Halved
from engine.speed.synthetic import synthetic
from engine.statistics import wilson_interval
from tests.benchmarks.half import Posed, cosine, moves
from tests.support.problems import random_problem
from tests.support.reference import explicit_gradient, explicit_scores, flat, relative_error
from tests.unit.test_fake_tensors import Counter

HALF_ROUNDING = 2**-8  # of bfloat16: half a unit in its last place, relative to the number
MEASURED = 1e-4  # a residual is measured in float32


def in_both(dataset: Dataset, damping: float = 0.25) -> tuple[LinearProblem, LinearProblem]:
    full = LinearProblem.build(dataset, damping=damping, device="cpu")
    made, precision = in_precision(full, "mixed")
    assert isinstance(made, LinearProblem) and precision == "mixed"
    return full, made


def true_residual(problem: LinearProblem, theta: torch.Tensor, x, b, columns=None) -> float:
    """‖b − (H + λI) x‖/‖b‖ in float64, of the first `columns`; None for all."""
    theta = theta[:columns]
    assert isinstance(problem.train.X, torch.Tensor)
    double = replace(
        problem,
        train=replace(problem.train, X=problem.train.X.double(), packed=None),
        eigenvalues=problem.eigenvalues.double(),
        sketch=None,
    )
    operator = double.curvature(theta.double())
    r = b.double() - operator.pull(operator.curved(operator.image(x.double())), x.double())
    return float((r.flatten(1).norm(dim=1) / b.double().flatten(1).norm(dim=1)).max())


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**20),
    n=st.integers(8, 80),
    d=st.integers(1, 12),
    n_classes=st.integers(2, 6),
    weight_scale=st.sampled_from([0.1, 1.0, 4.0]),
    damping=st.sampled_from([1e-3, 1e-2, 0.25, 10.0]),
    columns=st.integers(1, 4),
)
def test_every_solve_reaches_its_residual_whatever_bfloat16_loses(
    seed, n, d, n_classes, weight_scale, damping, columns
):
    dataset, model = random_problem(seed, n, d, n_classes, weight_scale)
    _, problem = in_both(dataset, damping)
    generator = torch.Generator().manual_seed(seed)
    theta = problem.encode(model).repeat(columns, 1)
    theta = theta + torch.randn(theta.shape, generator=generator)
    b = torch.randn(theta.shape, generator=generator)
    found = problem.inverse_product(theta, b, MIXED_TOLERANCE)
    assert float(found.residual.max()) <= MIXED_TOLERANCE
    residual = true_residual(problem, theta, found.x, problem.shape(b))
    assert residual <= MIXED_TOLERANCE + MEASURED
    assert (
        relative_error(
            found.image, rows.times(problem.train.X, found.x.flatten(0, 1)).view(found.image.shape)
        )
        < 1e-5
    )  # the image is that of x in float32


@pytest.mark.parametrize("checked", [True, False])
def test_where_bfloat16_loses_more_than_the_tolerance_float32_goes_on(checked):
    """With this damping H + λI, rounded, has directions of no positive curvature."""
    dataset, model = random_problem(0, n=40, d=6)
    _, problem = in_both(dataset, damping=1e-5)
    if not checked:
        assert problem.gradient_estimator is not None
        problem = replace(problem, estimator=problem.gradient_estimator)
    theta = problem.encode(model)
    b = torch.randn(theta.shape, generator=torch.Generator().manual_seed(0))
    shaped = problem.shape(b)
    b = (shaped - shaped.mean(1, keepdim=True)).flatten(1)  # the rest is no direction of H
    found = problem.inverse_product(theta, b, MIXED_TOLERANCE)
    assert found.corrected and bool((found.lowest > 0).all())
    assert true_residual(problem, theta, found.x, problem.shape(b)) <= MIXED_TOLERANCE + MEASURED


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**20),
    n=st.integers(8, 80),
    d=st.integers(1, 12),
    n_classes=st.integers(2, 6),
    damping=st.sampled_from([1e-3, 1e-2, 0.25, 10.0]),
    columns=st.integers(1, 4),
)
def test_a_fixed_number_of_iterations_goes_on_where_it_is_not_enough(
    seed, n, d, n_classes, damping, columns
):
    """Each column alone, so that its numbers do not depend on its neighbours; zeros stay zero."""
    dataset, model = random_problem(seed, n, d, n_classes)
    full = LinearProblem.build(dataset, damping=damping, device="cpu")
    problem, precision = in_precision(full, "fixed")
    assert isinstance(problem, LinearProblem) and precision == "fixed"
    generator = torch.Generator().manual_seed(seed)
    theta = problem.encode(model).repeat(columns + 1, 1)
    theta = theta + torch.randn(theta.shape, generator=generator)
    b = torch.randn(theta.shape, generator=generator)
    b[-1] = 0
    found = problem.inverse_product(theta, b, 1e-3)
    assert float(found.residual.max()) <= MOST_LEFT
    assert true_residual(problem, theta, found.x[:-1], problem.shape(b)[:-1], columns) <= (
        MOST_LEFT + MEASURED
    )
    assert not found.x[-1].any() and not found.image[-1].any()
    image = rows.times(problem.train.X, found.x.flatten(0, 1)).view(found.image.shape)
    assert relative_error(found.image, image) < 1e-5
    assert bool((found.iterations >= FIXED).all())
    for column in range(columns):
        if found.iterations[column] == FIXED:
            own = slice(column, column + 1)
            alone = problem.inverse_product(theta[own], b[own], 1e-3)
            assert relative_error(alone.x, found.x[own]) < 1e-3


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**20),
    d=st.integers(2, 12),
    n_classes=st.integers(2, 6),
    weight_scale=st.sampled_from([0.3, 1.0, 3.0]),
)
def test_scores_and_gradient_are_near_the_explicit_ones(seed, d, n_classes, weight_scale):
    dataset, model = random_problem(seed, 80, d, n_classes, weight_scale)
    _, problem = in_both(dataset)
    forward = problem.forward(problem.encode(model), MIXED_TOLERANCE)
    exact = explicit_scores(flat(model), dataset, 0.25).numpy()
    assert relative_error(forward.scores[0].numpy(), exact) < 0.1
    c = np.random.default_rng(seed).standard_normal(dataset.n_train)
    coefficients = torch.as_tensor(c, dtype=torch.float32)[None]
    found, _ = problem.gradient(forward, coefficients, MIXED_TOLERANCE)
    wanted = explicit_gradient(model, dataset, c, 0.25)
    own = problem.decode(found[0]).ravel()
    cosine = own @ wanted.ravel() / (np.linalg.norm(own) * np.linalg.norm(wanted))
    assert cosine >= 0.999, cosine


@settings(max_examples=30, deadline=None)
@given(n=st.integers(1, 60), D=st.integers(1, 40), c=st.integers(1, 9), seed=st.integers(0, 99))
def test_products_in_bfloat16_lose_only_what_rounding_takes(n, D, c, seed):
    generator = torch.Generator().manual_seed(seed)
    X, V, M = (torch.randn(shape, generator=generator) for shape in ((n, D), (c, D), (c, n)))
    half = Halved.of(X)
    assert (len(half), half.shape) == (n, (n, D))
    for found, exact, bound in (
        (rows.times(half, V), V @ X.T, V.abs() @ X.abs().T),
        (rows.under(M, half), M @ X, M.abs() @ X.abs()),
    ):
        assert found.dtype == torch.float32
        assert bool(((found - exact).abs() <= 3 * HALF_ROUNDING * bound + 1e-6).all())


def test_tight_solves_are_those_of_full_precision_bit_by_bit():
    dataset, model = random_problem(3, n=60, d=8)
    full, problem = in_both(dataset)
    theta = full.encode(model)
    for tolerance in (1e-6, 1e-3):
        one, other = full.forward(theta, tolerance), problem.forward(theta, tolerance)
        assert torch.equal(one.scores, other.scores)
        c = torch.ones_like(one.scores)
        gradients = (p.gradient(f, c, tolerance)[0] for p, f in ((full, one), (problem, other)))
        assert torch.equal(*gradients)


def test_a_corrected_solve_of_the_scores_has_that_of_the_gradient_checked_too():
    dataset, model = random_problem(5, n=60, d=6)
    _, problem = in_both(dataset)
    asked: list[str] = []

    def noted(name: str, solve: Estimator) -> Estimator:
        def call(*parts: Any) -> Solution:
            asked.append(name)
            return solve(*parts)

        return call

    assert problem.gradient_estimator is not None
    problem = replace(
        problem,
        estimator=noted("checked", problem.estimator),
        gradient_estimator=noted("quick", problem.gradient_estimator),
    )
    forward = problem.forward(problem.encode(model), MIXED_TOLERANCE)
    c = torch.ones_like(forward.scores)
    assert isinstance(forward.state, LinearState) and not forward.state.corrected
    for corrected in (False, True):
        state = replace(forward.state, corrected=corrected)
        problem.gradient(replace(forward, state=state), c, MIXED_TOLERANCE)
    assert asked == ["checked", "quick", "checked"]


@pytest.fixture(scope="module")
def small() -> tuple[Dataset, LinearModel]:
    dataset, _ = random_problem(21, n=60, d=6)
    return dataset, engine.fit(dataset, device="cpu")


def attacked(small: tuple[Dataset, LinearModel], precision: str) -> list[AttackResult]:
    dataset, model = small
    ranks = engine.influence_scores(model, dataset, device="cpu").ranks
    targets = np.flatnonzero(ranks > 1)[:30].tolist()
    return engine.attack_each(
        model, dataset, targets, radius=0.6, restarts=1, steps=40, precision=precision, device="cpu"
    )


@pytest.mark.parametrize("precision", ["mixed", "fixed"])
def test_what_arrives_is_at_the_top_exactly_and_as_often(small, precision):
    dataset, _ = small
    full, found = attacked(small, "full"), attacked(small, precision)
    moved = [sum(r.success for r in some) for some in (full, found)]
    low, high = wilson_interval(moved[0], len(full))
    assert 0 < moved[0] < len(full) and low <= moved[1] / len(found) <= high
    assert {r.precision for r in full} == {"full"} and {r.precision for r in found} == {precision}
    for result in found:
        assert isinstance(result.model, LinearModel)
        exact = explicit_scores(flat(result.model), dataset, 0.25).numpy()
        [target] = result.targets
        assert result.success == bool(exact[target] >= exact.max())
        assert bool(result.runs["reached"].any()) == result.success
        rank = 1 + int((exact > exact[target]).sum())
        assert result.rank_test == rank
    assert any(
        not np.array_equal(a.model.parameters, b.model.parameters)
        for a, b in zip(full, found, strict=True)
    )


@pytest.mark.parametrize("name", ["digits", "breast_cancer", "wide", "wide, many classes"])
def test_a_steps_gradient_points_where_the_exact_one_does(name):
    """Its cosine to that of solves at 1e-6, over the first steps of ten runs."""
    wide = {"wide": (1100, 550, 10), "wide, many classes": (700, 520, 25)}
    if name in wide:
        n, d, K = wide[name]
        dataset = synthetic(n, n // 3, d, K)
    else:
        dataset = load_dataset(name)
    posed = Posed.of(dataset)
    state, steps = init(posed.plan), 0
    while steps < 4 and moves(posed, state):
        for precision, (problem, plan) in posed.each().items():
            assert cosine(posed, state, problem, plan) >= 0.999, (precision, steps)
        state, steps = step(posed.full, posed.plan, state)[0], steps + 1
    assert steps >= 2


@pytest.mark.parametrize(
    ("n", "d", "fast", "chosen"),
    [
        (1000, 511, True, "mixed"),
        (1000, 510, True, "full"),
        (400, 511, True, "full"),
        (1000, 511, False, "coarse"),
    ],
)
def test_auto_goes_by_the_size_and_by_the_machine(n, d, fast, chosen):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((n, d), dtype=np.float32), np.arange(n) % 10
    names = tuple("abcdefghij")
    dataset = Dataset("wide", X, y, X[:20], y[:20], X[20:40], y[20:40], names)
    problem = LinearProblem.build(dataset, device="cpu", rotated=False)
    assert fastest(problem, fast) == chosen
    assert in_precision(problem, "auto")[1] == fastest(problem, rows.has_half_product())
    assert in_precision(problem, "full") == (problem, "full")
    wide = "full" if chosen == "full" else "coarse"
    assert in_precision(problem, "coarse") == (problem, wide)
    gradients = COARSE_GRADIENT if wide == "coarse" else 1e-3
    assert step_tolerances(problem, wide, 1e-3) == (1e-3, gradients)
    assert step_tolerances(problem, "full", 1e-3) == (1e-3, 1e-3)


def test_a_coarse_attack_on_large_data_says_so_and_its_rank_is_exact():
    dataset = synthetic(1100, 100, 520, 10)
    model = engine.fit(dataset, max_iterations=20, device="cpu")
    ranks = engine.influence_scores(model, dataset, device="cpu").ranks
    target = int(np.flatnonzero(ranks == 40)[0])
    options = AttackOptions(steps=6, restarts=1, radius=1.0, precision="coarse")
    full = attack_with(replace(options, precision="full"), model, dataset, target, device="cpu")
    found = attack_with(options, model, dataset, target, device="cpu")
    assert (full.precision, found.precision) == ("full", "coarse")
    assert not np.array_equal(full.model.parameters, found.model.parameters)
    exact = engine.influence_scores(found.model, dataset, device="cpu").ranks
    assert found.rank_test == exact[target]


def test_a_step_of_fixed_iterations_makes_a_gpu_wait_twice(small, monkeypatch):
    """Once for what arrives, once for what is recorded: counted on the CPU, as if a look waited."""
    dataset, model = small
    options = AttackOptions(restarts=2, radius=0.1, precision="fixed")
    target = int(np.argmax(engine.influence_scores(model, dataset, device="cpu").ranks))
    full, before = honest_scores(options, model, dataset, "cpu", None)
    problem, _ = in_precision(full, "fixed", before)
    plan = make_plan(options, problem, model, before=before, sets=[(target,)], ks=(1,))
    for module in (solve, estimators):
        monkeypatch.setattr(module, "looks_often", lambda b: False)
    copied: list[torch.Tensor] = []

    def to_host(given: torch.Tensor) -> torch.Tensor:
        copied.append(given)
        return given

    monkeypatch.setattr(torch.Tensor, "cpu", to_host)
    state, _ = step(problem, plan, init(plan))
    copied.clear()
    with Counter() as counted:
        state, info = step(problem, plan, state)
    assert len(info.rank) == len(state.active) == 4
    assert counted.waits + len(copied) == 2


def test_digits_are_attacked_in_full_precision_by_auto():
    dataset = load_dataset("digits")
    assert in_precision(LinearProblem.build(dataset, device="cpu"), "auto")[1] == "full"


def test_float64_stays_in_full_precision(small):
    dataset, _ = small
    problem = LinearProblem.build(dataset, dtype="float64", device="cpu")
    for precision in ("mixed", "coarse", "fixed", "auto"):
        assert in_precision(problem, precision) == (problem, "full")


def test_networks_have_no_mixed_precision(small):
    dataset, _ = small
    network = engine.fit_network(dataset, "mlp", device="cpu")
    options = AttackOptions(steps=1, restarts=1)
    for precision in ("mixed", "coarse", "fixed"):
        with pytest.raises(InvalidInput, match="precision must be 'full' or 'auto'"):
            attack_with(replace(options, precision=precision), network, dataset, 3, device="cpu")
    result = attack_with(replace(options, precision="auto"), network, dataset, 3, device="cpu")
    assert result.precision == "full"


def test_a_request_keeps_its_key_and_its_result_says_the_precision(small, tmp_path):
    dataset, _ = small
    assert "precision" not in values_of(AttackRequest()) | values_of(SweepRequest())
    assert values_of(AttackRequest(precision="auto"))["precision"] == "auto"
    request = AttackRequest("random", (30,), restarts=1, steps=3, radius=2.0, precision="mixed")
    attack = EXPERIMENTS["attack"]
    result = attack.run(request, dataset, Context(device="cpu"))
    attack.save(result, tmp_path)
    assert attack.load(tmp_path).precision == "mixed"
    sweep = SweepRequest(
        "random", n_targets=2, radii=(0.5,), restarts=(1,), steps=3, precision="mixed"
    )
    table = EXPERIMENTS["sweep"].run(sweep, dataset, Context(device="cpu", jobs=1))
    assert set(table["precision"]) == {"mixed"}
    plain = EXPERIMENTS["sweep"].run(
        replace(sweep, precision="full"), dataset, Context(device="cpu", jobs=1)
    )
    assert "precision" not in plain
