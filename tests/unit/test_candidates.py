"""What a new sample would be worth: against the explicit Hessian, training samples' own scores, and
scikit-learn's models that are trained with the sample at a small weight."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

import engine
from engine.errors import InvalidDataset, InvalidInput
from engine.influence.scores import influence_scores
from engine.models.fit import fit
from engine.scrutiny.candidates import (
    added_effects,
    candidate_scores,
    mean_loss,
    query_direction,
)
from engine.scrutiny.direction import scores_by_label
from tests.support.problems import random_problem
from tests.support.reference import explicit_hessian, flat, relative_error, with_ones

L2 = 0.05


@pytest.fixture(scope="module", params=[(1, 3), (4, 2)])
def trained(request):
    seed, n_classes = request.param
    dataset, _ = random_problem(seed, n_classes=n_classes)
    return dataset, fit(dataset, l2=L2)


@pytest.mark.parametrize("split", ["test", "holdout"])
@pytest.mark.parametrize("damping", [0.01, 0.25])
def test_a_candidate_is_scored_by_definition_1(trained, split, damping) -> None:
    dataset, model = trained
    X, y = dataset.split("holdout" if split == "test" else "test")
    H = explicit_hessian(flat(model), with_ones(dataset.X_train), dataset.n_classes).numpy()
    g = engine.query_gradients(model, *dataset.split(split)).mean(1)
    s = np.linalg.solve(H + damping * np.eye(len(H)), g)
    expected = -engine.query_gradients(model, X, y).T @ s
    found = candidate_scores(model, dataset, X, y, split, damping)
    assert relative_error(found, expected) < 1e-8  # the solve's residual is 1e-10
    assert relative_error(query_direction(model, dataset, split, damping).flatten(), s) < 1e-8


def test_a_training_sample_as_a_candidate_has_the_score_that_it_has(trained) -> None:
    dataset, model = trained
    found = candidate_scores(model, dataset, dataset.X_train, dataset.y_train)
    own = influence_scores(model, dataset, dtype="float64", tolerance=1e-10).scores
    assert relative_error(found, own) < 1e-7


def test_it_predicts_what_training_with_the_sample_does(trained) -> None:
    """The loss of scikit-learn's models, trained with weight ε on the candidate: I(z) per ε."""
    dataset, model = trained
    X, y = dataset.X_holdout[:5].astype(np.float64), dataset.y_holdout[:5]
    predicted = candidate_scores(model, dataset, X, y, damping=L2)
    n, epsilon = dataset.n_train, 1e-3

    def loss_with(x, label: int, weight: float) -> float:
        wide = with_ones(np.concatenate([dataset.X_train, x[None]])).numpy()
        weights = np.append(np.full(n, 1 / n), weight)  # C · Σ w L + ½‖θ‖²: l2 = 1/C
        options = {"C": 1 / L2, "fit_intercept": False, "tol": 1e-12, "max_iter": 2000}
        fitted = LogisticRegression(**options, solver="newton-cg")
        fitted.fit(wide, np.append(dataset.y_train, label), weights)
        says = fitted.predict_proba(with_ones(dataset.X_test).numpy())
        return log_loss(dataset.y_test, says, labels=range(dataset.n_classes))

    errors = [
        relative_error(added_effects(model, dataset, X, y, weight=weight), predicted)
        for weight in (1e-3, 1e-4)
    ]
    assert errors[1] < 1e-4
    assert errors[1] < errors[0] / 50  # it is off by ε²
    if dataset.n_classes > 2:  # of two classes scikit-learn has one row w, another penalty
        one_sided = [
            (loss_with(x, c, epsilon) - loss_with(x, c, 0)) / epsilon
            for x, c in zip(X, y, strict=True)
        ]
        assert relative_error(predicted, one_sided) < 0.05  # one side: ε, not ε²


def test_every_label_is_scored_and_they_weigh_out(trained) -> None:
    """The model's own probabilities weigh a place's scores to 0: labels as it expects them."""
    dataset, model = trained
    scores = scores_by_label(model, query_direction(model, dataset), dataset.X_holdout)
    assert scores.shape == (len(dataset.y_holdout), dataset.n_classes)
    balance = (model.probabilities(dataset.X_holdout) * scores).sum(1)
    np.testing.assert_allclose(balance, 0, atol=1e-12 * np.abs(scores).max() + 1e-15)
    own = candidate_scores(model, dataset, dataset.X_holdout, dataset.y_holdout)
    np.testing.assert_allclose(scores[np.arange(len(own)), dataset.y_holdout], own, rtol=1e-9)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.01, 2))
def test_adding_a_vector_to_every_class_changes_no_score(seed: int, damping: float) -> None:
    dataset, model = random_problem(seed, n=20, d=3)
    moved = model.with_parameters(model.parameters + np.arange(4.0))
    asked = (dataset, dataset.X_holdout, dataset.y_holdout, "test", damping)
    ours, same = (candidate_scores(one, *asked) for one in (model, moved))
    np.testing.assert_allclose(ours, same, rtol=1e-6, atol=1e-9)


def test_mean_loss_is_scikit_learns(trained) -> None:
    dataset, model = trained
    expected = log_loss(
        dataset.y_test, model.probabilities(dataset.X_test), labels=range(dataset.n_classes)
    )
    assert mean_loss(model, *dataset.split("test")) == pytest.approx(expected, rel=1e-12)


def test_what_is_refused(trained) -> None:
    dataset, model = trained
    X, y = dataset.X_holdout, dataset.y_holdout
    with pytest.raises(InvalidInput, match="of shape"):
        candidate_scores(model, dataset, X[:, 1:], y)
    with pytest.raises(InvalidDataset, match="label"):
        candidate_scores(model, dataset, X, y + dataset.n_classes)
    with pytest.raises(InvalidInput, match="damping"):
        candidate_scores(model, dataset, X, y, damping=0)
    with pytest.raises(InvalidInput, match="split"):
        candidate_scores(model, dataset, X, y, "train")
    with pytest.raises(InvalidInput, match="weight"):
        added_effects(model, dataset, X, y, weight=1)
