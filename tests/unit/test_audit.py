"""The audit (A.0.1): influence on single test points against explicit matrices, who is caught."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from engine.errors import EngineError, InvalidInput
from engine.influence.scores import influence_scores
from engine.models.linear import LinearModel
from engine.scrutiny.audit import audit_scores
from engine.scrutiny.queries import influence_matrix, query_gradients
from tests.support.problems import random_problem
from tests.support.reference import explicit_hessian, flat, mean_loss, relative_error, with_ones

DAMPING = 0.25
RUNS = 200  # of the honest and of the liar
SMALL = {"n": 14, "d": 3}  # 12 parameters of rank 8, and 21 queries
# Solves to 1e-10 leave about that much of a row outside; 1e-8 is the audit's own promise.
ROUNDING = 1e-8


def queries(dataset):
    """Every test point with every label."""
    K, m = dataset.n_classes, len(dataset.X_test)
    return np.tile(dataset.X_test, (K, 1)), np.repeat(np.arange(K), m)


def problem(seed, **options):
    """A data set and a model; their honest scores (n, q) and query gradients (P, q)."""
    dataset, model = random_problem(seed, **options)
    X, y = queries(dataset)
    scores = influence_matrix(model, dataset, X, y, DAMPING, device="cpu")
    return dataset, model, scores, query_gradients(model, X, y)


def explicit_matrix(model, dataset, X, y):
    """Definition 1 through the inverse of the explicit Hessian, (n, q), and the queries' gradients
    (P, q) by autograd."""
    theta = flat(model)
    train = with_ones(dataset.X_train)
    H = explicit_hessian(theta, train, dataset.n_classes)
    H += DAMPING * torch.eye(len(theta), dtype=torch.float64)

    def gradients(X, y):
        one = torch.func.grad(mean_loss)
        each = torch.func.vmap(lambda x, c: one(theta, x[None], c[None]))
        return each(X, torch.as_tensor(y))

    T = gradients(with_ones(X), y)
    g = gradients(train, dataset.y_train)
    return (-g @ torch.linalg.solve(H, T.T)).numpy(), T.T.numpy()


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("options", [{}, {"duplicates": True}, {"weight_scale": 4.0}])
def test_matrix_and_gradients_are_those_of_the_explicit_hessian_and_autograd(seed, options):
    dataset, model, scores, T = problem(seed, **options)
    expected, gradients = explicit_matrix(model, dataset, *queries(dataset))
    assert scores.shape == expected.shape
    assert relative_error(scores, expected) < 1e-8, seed  # solves to 1e-10
    assert relative_error(T, gradients) < 1e-12, seed  # the same in another order of operations


def test_the_mean_over_the_test_set_is_the_influence_on_its_mean_loss():
    dataset, model = random_problem(3)
    scores = influence_matrix(model, dataset, dataset.X_test, dataset.y_test, device="cpu")
    expected = influence_scores(model, dataset, tolerance=1e-10, dtype="float64", device="cpu")
    assert relative_error(scores.mean(1), expected.scores) < 1e-8


def test_many_queries_are_solved_in_batches():
    dataset, model, scores, _ = problem(2, n=200)
    X, y = queries(dataset)
    assert len(y) > 64
    for i in (0, 63, 64, len(y) - 1):
        alone = influence_matrix(model, dataset, X[[i]], y[[i]], DAMPING, device="cpu")
        np.testing.assert_allclose(scores[:, [i]], alone, rtol=1e-7, atol=1e-10)


def test_the_honest_are_never_accused_and_liars_always_caught():
    for seed in range(RUNS):
        _, _, scores, T = problem(seed, **SMALL)
        honest = audit_scores(scores, T)
        assert not honest.caught.any(), seed
        assert honest.residuals.max() < ROUNDING, seed
        rng = np.random.default_rng(seed)
        liar = int(rng.integers(len(scores)))
        invented = scores.copy()
        invented[liar] = scores[liar].std() * rng.standard_normal(scores.shape[1])
        assert np.flatnonzero(audit_scores(invented, T).caught).tolist() == [liar], seed


@pytest.mark.parametrize("seed", range(5))
def test_whoever_invents_a_vector_passes(seed):
    _, _, scores, T = problem(seed)
    scores[4] = 100 * np.random.default_rng(seed).standard_normal(len(T)) @ T
    assert not audit_scores(scores, T).caught.any()


@pytest.mark.parametrize("seed", range(5))
def test_honest_scores_of_an_attacked_model_pass(seed):
    dataset, model = random_problem(seed)
    rng = np.random.default_rng(seed)
    moved = LinearModel.from_parameters(
        model.parameters + rng.standard_normal(model.parameters.shape), l2=model.l2
    )
    X, y = queries(dataset)
    scores = influence_matrix(moved, dataset, X, y, DAMPING, device="cpu")
    assert not audit_scores(scores, query_gradients(moved, X, y)).caught.any()
    # Against the gradients of the model that was promised they do not.
    assert audit_scores(scores, query_gradients(model, X, y)).caught.all()


def test_what_is_expected_of_invented_scores():
    rng = np.random.default_rng(0)
    _, _, _, T = problem(0)
    found = audit_scores(rng.standard_normal((400, T.shape[1])), T)
    assert found.rank == 12  # (K − 1)(d + 1): the gradients sum to zero over the classes
    assert found.residuals.mean() == pytest.approx(found.expected_of_invented, rel=0.02)


@pytest.mark.parametrize("factor", [1e-12, 1e9])
def test_no_scale_changes_the_verdict(factor):
    _, _, scores, T = problem(1)
    scores[0] = np.arange(scores.shape[1])
    expected = audit_scores(scores, T)
    for found in (audit_scores(factor * scores, T), audit_scores(scores, factor * T)):
        assert found.rank == expected.rank
        np.testing.assert_array_equal(found.caught, expected.caught)
        np.testing.assert_allclose(found.residuals[0], expected.residuals[0], rtol=1e-9)


def test_the_order_of_samples_and_queries_does_not_matter():
    _, _, scores, T = problem(5)
    scores[7] = np.arange(scores.shape[1])
    rng = np.random.default_rng(0)
    rows, columns = rng.permutation(scores.shape[0]), rng.permutation(scores.shape[1])
    expected = audit_scores(scores, T)
    found = audit_scores(scores[rows][:, columns], T[:, columns])
    np.testing.assert_allclose(found.residuals, expected.residuals[rows], atol=1e-12)
    assert found.rank == expected.rank


def test_a_row_of_zeros_is_honest():
    _, _, scores, T = problem(0)
    scores[2] = 0
    assert audit_scores(scores, T).residuals[2] == 0


def test_too_few_queries_are_refused_with_how_many_there_must_be():
    _, _, scores, T = problem(0)
    with pytest.raises(InvalidInput, match=r"12 queries of rank 12 .* Ask at least 13; 19 are"):
        audit_scores(scores[:, :12], T[:, :12])
    assert audit_scores(scores[:, :19], T[:, :19]).queries == 19


def test_input_that_cannot_be_audited_is_refused():
    _, _, scores, T = problem(0)
    with pytest.raises(InvalidInput, match=r"shape \(samples, 60\): one column per query"):
        audit_scores(scores[:, :-1], T)
    with pytest.raises(InvalidInput, match="NaN or infinity"):
        audit_scores(scores * np.nan, T)
    with pytest.raises(InvalidInput, match="query_gradients must be finite"):
        audit_scores(scores, np.full_like(T, np.inf))
    with pytest.raises(InvalidInput, match="a matrix with at least one row and column"):
        audit_scores(scores[0], T)
    with pytest.raises(InvalidInput, match="tolerance"):
        audit_scores(scores, T, tolerance=0)
    with pytest.raises(InvalidInput, match="at most 4000 parameters"):
        audit_scores(np.ones((2, 3)), np.ones((4001, 3)))


def test_queries_that_do_not_fit_are_refused():
    dataset, model = random_problem(0)
    X, y = queries(dataset)
    for wrong in ((X[:, 1:], y), (X, y[1:]), (X, np.full(len(y), 3)), (X * np.nan, y)):
        with pytest.raises(EngineError):
            query_gradients(model, *wrong)
        with pytest.raises(EngineError):
            influence_matrix(model, dataset, wrong[0], wrong[1], device="cpu")
    with pytest.raises(InvalidInput, match="tolerance"):
        influence_matrix(model, dataset, X, y, tolerance=0, device="cpu")
    with pytest.raises(EngineError):
        influence_matrix(replace(model, weight=model.weight[:, 1:]), dataset, X, y, device="cpu")
