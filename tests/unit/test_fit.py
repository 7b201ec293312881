"""The honest model against scikit-learn, and its optimality."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from engine.data.load import load_dataset
from engine.errors import DeviceUnavailable, InvalidInput
from engine.models.fit import fit
from engine.models.linear import LinearModel
from tests.support.problems import random_problem
from tests.support.reference import mean_loss, relative_error, with_ones


def test_digits_equal_scikit_learn():
    """Its penalty spares the intercept, so the column of ones is passed as a feature."""
    dataset = load_dataset("digits")
    model = fit(dataset, l2=0.01)
    X = np.c_[dataset.X_train.astype(np.float64), np.ones(dataset.n_train)]
    other = LogisticRegression(
        C=1 / (0.01 * dataset.n_train), fit_intercept=False, tol=1e-10, max_iter=5000
    ).fit(X, dataset.y_train)
    assert relative_error(model.parameters, other.coef_) < 1e-5
    assert model.accuracy(dataset.X_holdout, dataset.y_holdout) > 0.93


@pytest.mark.parametrize("l2", [1e-3, 0.01, 1.0])
def test_gradient_is_zero_at_the_minimum(l2):
    dataset, _ = random_problem(0, n=80)
    model = fit(dataset, l2=l2)
    theta = torch.as_tensor(model.parameters).flatten().requires_grad_()
    loss = mean_loss(theta, with_ones(dataset.X_train), torch.as_tensor(dataset.y_train))
    loss = loss + l2 / 2 * theta.square().sum()
    norm = torch.autograd.grad(loss, theta)[0].norm()
    assert norm < 1e-6
    assert model.gradient_norm == pytest.approx(float(norm), rel=1e-6, abs=1e-12)


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_other_optimisers_come_to_the_same_minimum(optimizer):
    """Adam to its tolerance; SGD as near as its noise allows, nearer the longer it runs."""
    dataset, _ = random_problem(0, n=80)
    exact = fit(dataset, l2=0.1)
    found = fit(dataset, l2=0.1, optimizer=optimizer, max_iterations=4000)
    far = fit(dataset, l2=0.1, optimizer=optimizer, max_iterations=20)
    near = relative_error(found.parameters, exact.parameters)
    assert near < (1e-6 if optimizer == "adam" else 0.25)
    assert near < relative_error(far.parameters, exact.parameters)


def test_the_seed_decides_the_batches():
    dataset, _ = random_problem(1)
    one, two, again = (
        fit(dataset, optimizer="sgd", max_iterations=10, seed=seed).parameters for seed in (1, 2, 1)
    )
    np.testing.assert_array_equal(one, again)
    assert (one != two).any()


def test_fewer_iterations_stop_early_and_say_so():
    dataset, _ = random_problem(1)
    early = fit(dataset, max_iterations=2)
    assert early.iterations == 2
    assert early.gradient_norm > 100 * fit(dataset).gradient_norm


def test_predictions_agree_with_each_other():
    dataset, model = random_problem(2)
    X = dataset.X_test
    p = model.probabilities(X)
    np.testing.assert_allclose(p.sum(axis=1), 1)
    np.testing.assert_array_equal(p.argmax(axis=1), model.predict(X))
    assert model.accuracy(X, model.predict(X)) == 1
    again = LinearModel.from_parameters(model.parameters, model.l2)
    np.testing.assert_array_equal(again.logits(X), model.logits(X))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"l2": 0}, "l2 must be a finite number > 0. Got 0"),
        ({"l2": "much"}, "l2"),
        ({"optimizer": "newton"}, "optimizer must be one of 'lbfgs', 'adam', 'sgd'"),
        ({"max_iterations": 0}, "max_iterations must be a whole number >= 1"),
    ],
)
def test_bad_options_are_named(options, words):
    dataset, _ = random_problem(3)
    with pytest.raises(InvalidInput, match=words):
        fit(dataset, **options)


def test_cuda_without_cuda_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    dataset, _ = random_problem(3)
    with pytest.raises(DeviceUnavailable, match=r"device 'cuda' .* Use device='auto' or 'cpu'"):
        fit(dataset, device="cuda")


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(InvalidInput, match="of shapes"):
        LinearModel(weight=np.zeros((3, 2)), bias=np.zeros(2), l2=0.01)
    model = LinearModel(weight=np.zeros((3, 2)), bias=np.zeros(3), l2=0.01)
    with pytest.raises(InvalidInput, match=r"X must be of shape \(samples, 2\)"):
        model.predict(np.zeros((4, 5)))
