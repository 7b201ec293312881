"""Theorem 1: the closed form against the engine's scores, its proof, and attempts to beat it."""

from dataclasses import replace

import numpy as np
import pytest
import sympy
import torch
from hypothesis import given, note, settings
from hypothesis import strategies as st

import engine
from engine.data.dataset import Dataset
from engine.errors import InvalidInput
from engine.experiments import EXPERIMENTS, ImpossibleRequest, ImpossibleResult
from engine.experiments.base import Context
from engine.models.linear import LinearModel
from engine.scrutiny.impossibility import (
    ExactScores,
    ImpossibleInstance,
    impossible_instance,
    impossible_scores,
    try_random_models,
)
from tests.support.reference import explicit_hessian, relative_error, with_ones

DAMPINGS = (1e-3, 0.01, 0.25, 10.0)


def explicit(X: np.ndarray, y: np.ndarray, theta: np.ndarray, damping: float) -> np.ndarray:
    """Definition 1 for test point 0, from an explicit inverse of an explicit Hessian; X as it is,
    with its column of ones or without."""
    features, flat = torch.as_tensor(X), torch.as_tensor(theta).flatten()
    H = explicit_hessian(flat, features, 2) + damping * torch.eye(flat.numel(), dtype=torch.float64)
    residuals = torch.softmax(features @ torch.as_tensor(theta).T, 1)
    rows, label = torch.arange(len(y)), torch.as_tensor(y)
    residuals[rows, label] = -residuals[rows, 1 - label]  # p − 1, without losing its digits
    g = torch.einsum("nc,nd->ncd", residuals, features).flatten(1)
    return (-g @ torch.linalg.solve(H, g[0])).numpy()


def features(dataset: Dataset, bias: bool) -> np.ndarray:
    return with_ones(dataset.X_train).numpy() if bias else dataset.X_train.astype(np.float64)


def random_theta(seed: int, width: int, size: float = 1.0) -> np.ndarray:
    return size * np.random.default_rng(seed).standard_normal((2, width))


PROBLEMS = st.fixed_dictionaries(
    {
        "k": st.sampled_from([1, 3, 10]),
        "n_train": st.integers(11, 40),
        "n_features": st.integers(2, 6),
        "seed": st.integers(0, 10_000),
        "basis": st.booleans(),
    }
)


@given(
    problem=PROBLEMS,
    damping=st.sampled_from(DAMPINGS),
    size=st.sampled_from([0.0, 0.1, 1.0, 3.0]),
    bias=st.booleans(),
)
@settings(max_examples=150, derandomize=True)
def test_the_closed_form_is_definition_1(problem, damping, size, bias):
    """Against an explicit inverse, with the column of ones and without; errors are rounding."""
    note(f"impossible_instance(**{problem}), damping={damping}, size={size}, bias={bias}")
    instance = impossible_instance(**problem)
    X = features(instance.dataset, bias)
    theta = random_theta(problem["seed"], X.shape[1], size)
    found = impossible_scores(instance, theta, damping)
    expected = explicit(X, instance.dataset.y_train, theta, damping)
    assert relative_error(found.scores[0], expected) < 1e-10
    assert found.target[0] == pytest.approx(expected[0], rel=1e-8)
    assert found.copy[0] == pytest.approx(expected[1], rel=1e-8)
    assert found.ranks[0] == 1 + (expected > expected[0] + 1e-12 * abs(expected[0])).sum()


@pytest.mark.parametrize("k", [1, 3, 10])
@pytest.mark.parametrize("damping", DAMPINGS)
def test_the_engines_scores_are_the_closed_form(k, damping):
    """`influence_scores` knows nothing of the construction."""
    for seed in range(5):
        instance = impossible_instance(k, n_train=30, n_features=4, seed=seed)
        model = LinearModel.from_parameters(random_theta(seed, 5), 0.01)
        found = engine.influence_scores(
            model, instance.dataset, damping=damping, dtype="float64", tolerance=1e-12
        )
        exact = impossible_scores(instance, model.parameters, damping)
        assert relative_error(found.scores, exact.scores[0]) < 1e-9, seed
        assert found.ranks[instance.target] == exact.ranks[0] > k, seed
        assert (found.ranks[instance.copies] < found.ranks[instance.target]).all(), seed


def test_the_gap_is_positive_for_every_model_and_damping():
    """Theorem 1 as algebra, in two dimensions, from Definition 1 to a positive number."""
    damping, odds = sympy.symbols("lambda odds", positive=True)
    p = odds / (1 + odds)
    s = sympy.Matrix(sympy.symbols("s1 s2", positive=True))  # other signs: turn the axes
    M = sympy.Matrix(2, 2, sympy.symbols("m1:5", real=True))
    A = M * M.T  # any mean of p_i (1 − p_i) x_i x_iᵀ is such a product
    x = (2 * A + damping * sympy.eye(2)) * s  # s solves for x
    u = sympy.Matrix([1, -1])
    H = sympy.kronecker_product(u * u.T, A) + damping * sympy.eye(4)
    step, along = sympy.kronecker_product(u, s), sympy.kronecker_product(u, x)
    assert sympy.expand(H * step - along) == sympy.zeros(4, 1)  # u ⊗ s = (H + λI)⁻¹ (u ⊗ x)
    q = (along.T * step)[0]
    target, copy = (-(r * along.T * (p - 1) * step)[0] for r in (p - 1, p))  # Definition 1
    assert sympy.simplify(target + (1 - p) ** 2 * q) == 0
    assert sympy.simplify(copy - p * (1 - p) * q) == 0
    assert sympy.simplify(copy - target - (1 - p) * q) == 0
    squares = 4 * sum(v**2 for v in M.T * s) + 2 * damping * sum(v**2 for v in s)
    assert sympy.expand(q - squares) == 0
    assert squares.is_positive
    assert sympy.simplify(1 - p).is_positive


def test_the_papers_special_case_has_a_number_for_q():
    """x = e₁, basis vectors, no bias: q = 2 / (λ + 2 p(1 − p) n₁/n)."""
    instance = impossible_instance(k=2, n_train=20, n_features=4, seed=3, basis=True)
    X = instance.dataset.X_train
    assert (np.sort(X, axis=1)[:, -1] == 1).all()
    assert (X.sum(1) == 1).all()
    share = float(X[:, 0].mean())
    for damping in DAMPINGS:
        found = impossible_scores(instance, random_theta(5, 4), damping)
        p = found.p[0]
        assert found.q[0] == pytest.approx(2 / (damping + 2 * p * (1 - p) * share), rel=1e-12)
        elsewhere = X[:, 0] == 0  # orthogonal to x: no influence at all
        assert not found.scores[0][elsewhere].any()


def test_orthogonal_vectors_do_not_hold_the_target_down_with_a_bias():
    """Without one they stand at 0 above the target; with one they may fall below it."""
    instance = impossible_instance(k=1, n_train=12, n_features=3, seed=0, basis=True)
    other = np.flatnonzero(instance.dataset.X_train[:, 0] == 0)
    below = {True: 0, False: 0}
    for bias in below:
        for seed in range(50):
            theta = random_theta(seed, 3 + bias, 3.0)
            scores = impossible_scores(instance, theta).scores[0]
            below[bias] += int((scores[other] < scores[instance.target]).any())
    assert below[False] == 0
    assert below[True] > 0


def test_a_duplicate_of_the_target_ties_with_it():
    """The target's own label on the copies: the same score, the same rank, and no obstacle."""
    instance = impossible_instance(k=3, n_train=20, seed=1)
    y = instance.dataset.y_train.copy()
    y[instance.copies] = y[instance.target]
    agreeing = replace(instance, dataset=replace(instance.dataset, y_train=y))
    for seed in range(20):
        found = impossible_scores(agreeing, random_theta(seed, 3)).relative[0]
        assert (found[instance.copies] == found[instance.target]).all(), seed
    assert try_random_models(agreeing, 2000).best_rank == 1


@given(
    log_odds=st.floats(-1e6, 1e6),
    damping=st.sampled_from([1e-9, 1e-3, 0.25, 1e9]),
    k=st.sampled_from([1, 3, 10]),
)
@settings(max_examples=200, derandomize=True)
def test_no_model_is_too_sure(log_odds, damping, k):
    """Where p or 1 − p underflows the scores lose their digits; ranks and the gap's logarithm do
    not."""
    instance = impossible_instance(k, n_train=20, n_features=2)
    theta = np.zeros((2, 3))
    theta[0, 2] = log_odds
    found = impossible_scores(instance, theta, damping)
    assert found.log_odds[0] == pytest.approx(log_odds, rel=1e-12)
    assert np.isfinite(found.log_gap).all()
    assert found.q[0] > 0
    assert found.ranks[0] > k
    assert (found.relative[0, instance.copies] > found.relative[0, 0]).all()
    assert found.copy[0] - found.target[0] == pytest.approx(np.exp(found.log_gap[0]), rel=1e-9)


def test_scores_that_underflow_are_all_zero_and_ranks_are_not_fooled():
    instance = impossible_instance(k=3, n_train=20)
    theta = np.zeros((2, 3))
    theta[0, 2] = 800.0
    found = impossible_scores(instance, theta)
    assert not found.scores.any()
    assert found.ranks[0] == 4
    assert found.log_gap[0] == pytest.approx(-800 + np.log(found.q[0]), rel=1e-12)


@given(seed=st.integers(0, 1000), bias=st.booleans())
@settings(max_examples=30, derandomize=True)
def test_only_the_difference_of_the_classes_counts(seed, bias):
    instance = impossible_instance(k=2, n_train=15, n_features=3, seed=seed)
    theta = random_theta(seed, 3 + bias)
    shifted = impossible_scores(instance, theta + 7.0)
    found = impossible_scores(instance, theta)
    np.testing.assert_allclose(shifted.relative, found.relative, rtol=1e-9)


def test_a_batch_computes_what_each_model_alone_does():
    instance = impossible_instance(k=3, n_train=25, n_features=4)
    theta = np.stack([random_theta(seed, 5, 3.0) for seed in range(6)])
    together = impossible_scores(instance, theta)
    alone = [impossible_scores(instance, one) for one in theta]
    np.testing.assert_allclose(
        together.scores, np.concatenate([a.scores for a in alone]), rtol=1e-12
    )
    assert together.ranks.tolist() == [int(a.ranks[0]) for a in alone]
    assert isinstance(together, ExactScores)


@pytest.mark.parametrize("k", [1, 3, 10])
def test_no_random_model_beats_it_and_the_best_come_as_close_as_can_be(k):
    instance = impossible_instance(k)
    found = try_random_models(instance)
    assert len(found.table) == 10_000
    assert found.beaten == 0
    assert found.best_rank == k + 1  # above everything but its copies
    assert np.isfinite(found.table["log_gap"]).all()
    again = try_random_models(instance)
    np.testing.assert_array_equal(found.table["rank"], again.table["rank"])
    assert not found.table.equals(try_random_models(instance, seed=1).table)


@pytest.mark.parametrize("k", [1, 3])
def test_the_attack_does_not_beat_it(k):
    instance = impossible_instance(k, n_train=20)
    model = engine.fit(instance.dataset)
    result = engine.attack(
        model, instance.dataset, instance.target, k=k, radius=1.0, restarts=3, steps=40
    )
    assert not result.any_run_success
    assert result.rank_test is not None
    assert result.rank_test > k
    assert result.trajectory["rank"].min() > k
    exact = impossible_scores(instance, result.model.parameters)
    assert exact.ranks[0] == result.rank_test


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"k": 0}, "k must be a whole number >= 1. Got 0"),
        ({"k": 1.5}, "k must be a whole number >= 1"),
        ({"k": 10, "n_train": 10}, "n_train must be at least k + 1 = 11"),
        ({"n_features": 1}, "n_features must be a whole number >= 2. Got 1"),
        ({"seed": -1}, "seed must be a whole number >= 0"),
    ],
)
def test_instances_that_cannot_be(options, words):
    with pytest.raises(InvalidInput) as caught:
        impossible_instance(**options)
    assert words in str(caught.value)


def test_the_smallest_instance_is_the_target_and_its_copies():
    instance = impossible_instance(k=4, n_train=5)
    assert instance.dataset.y_train.tolist() == [0, 1, 1, 1, 1]
    assert len(np.unique(instance.dataset.X_train, axis=0)) == 1
    assert try_random_models(instance, 500).table["rank"].unique().tolist() == [5]


@pytest.mark.parametrize(
    ("theta", "words"),
    [
        (np.zeros((2, 4)), r"theta must be of shape (…, 2, 3) or (…, 2, 2). Got (2, 4)"),
        (np.zeros((3, 3)), "theta must be of shape"),
        (np.zeros(()), "theta must be of shape"),
        (np.full((2, 3), np.nan), "theta must be finite"),
        (np.array([[1e308] * 3, [-1e308] * 3]), "theta must be finite"),
    ],
)
def test_models_that_cannot_be(theta, words):
    with pytest.raises(InvalidInput) as caught:
        impossible_scores(impossible_instance(), theta)
    assert words in str(caught.value)


def test_other_nonsense_is_refused():
    instance = impossible_instance()
    with pytest.raises(InvalidInput, match="damping must be a finite number > 0"):
        impossible_scores(instance, np.zeros((2, 3)), damping=0)
    with pytest.raises(InvalidInput, match="count must be a whole number >= 1"):
        try_random_models(instance, count=0)
    at_zero = replace(instance.dataset, X_train=np.zeros_like(instance.dataset.X_train))
    nowhere = ImpossibleInstance(at_zero, k=1)
    with pytest.raises(InvalidInput, match="x must be other than 0 where the model has no bias"):
        impossible_scores(nowhere, np.zeros((2, 2)))
    assert impossible_scores(nowhere, np.zeros((2, 3))).q[0] > 0


@pytest.fixture(scope="module")
def result() -> ImpossibleResult:
    request = ImpossibleRequest(k=2, n_train=12, count=300, restarts=1, steps=5)
    return EXPERIMENTS["impossible"].run(request, None, Context(device="cpu"))


def test_the_experiment_counts_what_it_tried(result):
    assert result.tried == 300 + len(result.attack.trajectory)
    assert result.beaten == 0
    assert result.best_rank >= 3
    said = EXPERIMENTS["impossible"].describe(result)
    assert (
        "0 of 300 random models and 0 of 2 runs of the attack have the target in the top 2" in said
    )


def test_the_result_is_kept_and_opened_again(result, tmp_path):
    EXPERIMENTS["impossible"].save(result, tmp_path)
    again = EXPERIMENTS["impossible"].load(tmp_path)
    assert again.random.table.equals(result.random.table)
    assert again.random.k == result.random.k
    assert (again.tried, again.best_rank) == (result.tried, result.best_rank)
    np.testing.assert_array_equal(again.attack.after.scores, result.attack.after.scores)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"k": 60}, "k must be below n_train = 60"),
        ({"count": 0}, "count must be a whole number >= 1"),
        ({"radius": 0}, "radius must be a finite number > 0"),
        ({"n_features": 1}, "n_features"),
        ({"seed": -1}, "seed"),
    ],
)
def test_requests_are_checked(values, words):
    with pytest.raises(InvalidInput, match=words):
        ImpossibleRequest(**values)
