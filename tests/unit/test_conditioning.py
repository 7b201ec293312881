"""The spectrum of H and what it means for scores: against the explicit Hessian by autograd's
reference, the solver's scores, and finite differences in the damping."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import engine
from engine.attacks.result import Ranking
from engine.errors import InvalidInput
from engine.influence.problem import ranks
from engine.influence.scores import influence_scores
from engine.scrutiny import conditioning
from engine.scrutiny.conditioning import Spectrum, spectrum
from engine.scrutiny.differences import COLUMNS, model_differences
from tests.support.problems import random_problem
from tests.support.reference import (
    explicit_hessian,
    explicit_scores,
    flat,
    mean_loss,
    relative_error,
    with_ones,
)

DAMPINGS = (0.001, 0.25, 4.0)


@pytest.fixture(scope="module", params=[(1, 3), (2, 2), (3, 4)])
def problem(request):
    seed, n_classes = request.param
    return random_problem(seed, n_classes=n_classes)


@pytest.fixture(scope="module")
def found(problem) -> Spectrum:
    dataset, model = problem
    return spectrum(model, dataset)


def test_eigenvalues_are_those_of_autograds_hessian(problem, found) -> None:
    dataset, model = problem
    X, y = with_ones(dataset.X_train), torch.as_tensor(dataset.y_train)
    H = torch.func.hessian(lambda theta: mean_loss(theta, X, y))(flat(model))
    expected = np.linalg.eigvalsh(H.numpy())[::-1]
    np.testing.assert_allclose(found.eigenvalues, expected, atol=1e-12)  # float64, of order 1
    assert relative_error(explicit_hessian(flat(model), X, dataset.n_classes), H) < 1e-12


def test_the_numbers_of_a_spectrum_are_those_of_the_matrix(problem, found) -> None:
    dataset, model = problem
    H = explicit_hessian(flat(model), with_ones(dataset.X_train), dataset.n_classes).numpy()
    norms = np.linalg.norm(H, "fro"), np.linalg.norm(H, 2)
    assert found.stable_rank == pytest.approx((norms[0] / norms[1]) ** 2, rel=1e-10)
    assert found.flat == len(H) - np.linalg.matrix_rank(H, tol=1e-12 * norms[1])
    assert found.flat >= dataset.n_features + 1  # the same vector added to every class
    for damping in DAMPINGS:
        damped = H + damping * np.eye(len(H))
        inside = np.trace(np.linalg.solve(damped, H))
        assert found.effective_dimension(damping) == pytest.approx(inside, rel=1e-10)
        assert found.condition(damping) == pytest.approx(np.linalg.cond(damped), rel=1e-8)


@pytest.mark.parametrize("damping", DAMPINGS)
@pytest.mark.parametrize("split", ["test", "holdout"])
def test_scores_at_every_damping_follow_from_one_decomposition(problem, damping, split) -> None:
    dataset, model = problem
    ours = spectrum(model, dataset, split).scores(damping)
    assert relative_error(ours, explicit_scores(flat(model), dataset, damping, split)) < 1e-9
    solved = influence_scores(
        model, dataset, split=split, damping=damping, dtype="float64", tolerance=1e-10
    )
    assert relative_error(solved.scores, ours) < 1e-7


@pytest.mark.parametrize("damping", DAMPINGS)
def test_slopes_are_the_derivative_in_the_logarithm_of_the_damping(found, damping) -> None:
    step = 1e-4
    scores = [found.scores(damping * np.exp(side * step)) for side in (1, -1)]
    measured = (scores[0] - scores[1]) / (2 * step)
    assert relative_error(found.slopes(damping), measured) < 1e-7  # of a central difference


def test_the_part_below_the_damping_is_that_of_its_directions(problem) -> None:
    """By projectors on the eigenspace below λ, made from the explicit Hessian."""
    dataset, model = problem
    damping = 0.05
    theta, X = flat(model), with_ones(dataset.X_train)
    H = explicit_hessian(theta, X, dataset.n_classes).numpy()
    e, V = np.linalg.eigh(H)
    g_test = engine.query_gradients(model, dataset.X_test, dataset.y_test).mean(1)
    g = engine.query_gradients(model, dataset.X_train, dataset.y_train)
    parts = np.abs((V.T @ g) * (V.T @ g_test)[:, None]) / (e[:, None] + damping)
    expected = parts[e < damping].sum(0) / parts.sum(0)
    below = spectrum(model, dataset).below(damping)
    np.testing.assert_allclose(below, expected, atol=1e-9)
    assert 0 < below.mean() < 1


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.floats(1e-4, 10), st.floats(1.5, 100))
def test_more_damping_leaves_fewer_dimensions(seed: int, damping: float, factor: float) -> None:
    dataset, model = random_problem(seed, n=20, d=3)
    one = spectrum(model, dataset)
    assert one.effective_dimension(damping * factor) < one.effective_dimension(damping)
    assert one.effective_dimension(damping) <= len(one.eigenvalues) - one.flat + 1e-9
    assert 1 <= one.stable_rank <= len(one.eigenvalues) - one.flat + 1e-9
    assert (one.below(damping * factor) >= -1e-12).all()
    assert (one.below(damping) <= one.below(10 * one.eigenvalues[0]) + 1e-9).all()


def test_what_is_refused(problem, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset, model = problem
    one = spectrum(model, dataset)
    with pytest.raises(InvalidInput, match="damping"):
        one.scores(0)
    with pytest.raises(InvalidInput, match="split"):
        spectrum(model, dataset, "train")
    monkeypatch.setattr(conditioning, "MOST_PARAMETERS", 3)
    with pytest.raises(InvalidInput, match="at most 3 parameters"):
        spectrum(model, dataset)


def test_two_models_are_compared_sample_by_sample(problem) -> None:
    dataset, model = problem
    other = model.with_parameters(model.parameters + 0.3 * np.eye(*model.parameters.shape))
    scores = [influence_scores(one, dataset, dtype="float64").scores for one in (model, other)]
    rankings = tuple(Ranking(one, ranks(one)) for one in scores)
    table = model_differences(model, other, dataset, (rankings[0], rankings[1]))
    assert tuple(table.columns) == COLUMNS
    for split in ("train", "test", "holdout"):
        X, y = dataset.split(split)
        rows = table[table["split"] == split]
        P, Q = (one.probabilities(X) for one in (model, other))
        np.testing.assert_array_equal(rows["label"], y)
        np.testing.assert_array_equal(rows["said_first"], model.predict(X))
        np.testing.assert_array_equal(rows["said_second"], other.predict(X))
        np.testing.assert_allclose(rows["confidence_second"], Q[np.arange(len(y)), Q.argmax(1)])
        expected = [sum(p * np.log(p / q)) for p, q in zip(P, Q, strict=True)]
        np.testing.assert_allclose(rows["divergence"], expected, rtol=1e-9, atol=1e-12)
        if split == "train":
            np.testing.assert_array_equal(rows["rank_first"], rankings[0].ranks)
            np.testing.assert_array_equal(rows["rank_second"], rankings[1].ranks)
        else:
            assert (rows[["rank_first", "rank_second"]] == 0).to_numpy().all()
    same = model_differences(model, model, dataset)
    assert (same["divergence"] == 0).all()
