"""K-FAC, EK-FAC, TRAK, TracIn, Data-OOB and Data Banzhaf, each against its definition."""

from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from sklearn.ensemble import BaggingClassifier

from engine.data.load import load_dataset
from engine.errors import InvalidDataset, InvalidInput, NotConverged
from engine.influence.linear import LinearProblem
from engine.influence.problem import ranks
from engine.models.fit import fit
from engine.scrutiny.attributions import attribution
from engine.scrutiny.gradient_scores import (
    CHECKPOINTS,
    NAMES,
    draw_projections,
    evaluate,
    score_function,
    trak,
)
from engine.scrutiny.model_free import data_banzhaf, data_oob, maximum_sample_reuse
from engine.scrutiny.retraining import retrain_on
from engine.vocabulary import ATTRIBUTIONS, MODEL_FREE, SCORES
from tests.support.problems import random_problem
from tests.support.reference import explicit_hessian, flat, mean_loss, relative_error, with_ones

DAMPING = 0.25
FLOAT64: dict[str, Any] = {"damping": DAMPING, "dtype": "float64", "device": "cpu"}


def gradients(model, dataset, split="test"):
    """The gradient of the split's mean loss and those of the samples, by autograd, (P,), (n, P)."""
    theta, one = flat(model), torch.func.grad(mean_loss)
    X, y = with_ones(dataset.X_train), torch.as_tensor(dataset.y_train)
    features, labels = dataset.split(split)
    g = one(theta, with_ones(features), torch.as_tensor(labels))
    return g, torch.func.vmap(lambda x, c: one(theta, x[None], c[None]))(X, y)


def kronecker_factors(model, dataset):
    """S and A, as their definitions say."""
    P = torch.as_tensor(model.probabilities(dataset.X_train))
    X = with_ones(dataset.X_train)
    S = torch.stack([torch.diag(p) - torch.outer(p, p) for p in P]).mean(0)
    return S, X.T @ X / len(X)


@pytest.mark.parametrize("split", ["test", "holdout"])
@pytest.mark.parametrize("seed", range(3))
def test_kfac_is_that_of_the_explicit_kronecker_product(seed, split):
    dataset, model = random_problem(seed, duplicates=True)
    g, each = gradients(model, dataset, split)
    S, A = kronecker_factors(model, dataset)
    M = torch.kron(S, A) + DAMPING * torch.eye(len(g), dtype=g.dtype)
    expected = -each @ torch.linalg.solve(M, g)
    found = attribution("kfac", model, dataset, split, **FLOAT64).scores
    assert relative_error(found, expected.numpy()) < 1e-10


@pytest.mark.parametrize("seed", range(3))
def test_ekfac_has_the_hessians_diagonal_in_the_kronecker_eigenbasis(seed):
    dataset, model = random_problem(seed)
    g, each = gradients(model, dataset)
    S, A = kronecker_factors(model, dataset)
    U = torch.kron(torch.linalg.eigh(S)[1], torch.linalg.eigh(A)[1])
    H = explicit_hessian(flat(model), with_ones(dataset.X_train), dataset.n_classes)
    corrected = (U.T @ H @ U).diagonal()
    expected = -each @ (U @ ((U.T @ g) / (corrected + DAMPING)))
    found = attribution("ekfac", model, dataset, **FLOAT64).scores
    assert relative_error(found, expected.numpy()) < 1e-9


def margin_gradients(model, dataset):
    """∇θ log(p/(1 − p)) of every sample's own class, by autograd, (n, P)."""
    X, Y = with_ones(dataset.X_train), torch.eye(dataset.n_classes)[dataset.y_train]

    def margin(theta, x, own):
        p = (torch.softmax(x @ theta.view(dataset.n_classes, -1).T, -1) * own).sum()
        return torch.log(p) - torch.log(1 - p)

    return torch.func.vmap(torch.func.grad(margin), (None, 0, 0))(flat(model), X, Y)


def test_trak_with_given_projections_is_that_of_its_formula():
    """φ(z)ᵀ(ΦᵀΦ)⁻¹ φ_i (1 − p_i), added up over the test by the chain rule from margin to loss."""
    dataset, model = random_problem(3)
    problem = LinearProblem.build(dataset, DAMPING, dtype="float64", device="cpu")
    omegas = draw_projections(problem, count=3, width=6, seed=1)
    g, _ = gradients(model, dataset)
    K, n = dataset.n_classes, dataset.n_train
    p = torch.as_tensor(model.probabilities(dataset.X_train))[np.arange(n), dataset.y_train]
    expected = torch.zeros(n, dtype=torch.float64)
    for omega in omegas:
        own = (problem.basis @ omega).reshape(-1, 6)  # from the eigenbasis to the features'
        assert len(own) == K * (dataset.n_features + 1)
        phi = margin_gradients(model, dataset) @ own
        kernel = phi.T @ phi / n + DAMPING * torch.eye(6, dtype=torch.float64)
        # A margin's gradient has the other sign than a loss's.
        expected += phi @ torch.linalg.solve(kernel, own.T @ g) * (1 - p) / len(omegas)
    at = evaluate(problem, problem.shape(problem.encode(model))[0])
    assert relative_error(trak(problem, at, omegas).numpy(), expected.numpy()) < 1e-9


def test_trak_with_many_projections_is_the_exact_kernels():
    dataset, model = random_problem(4)
    problem = LinearProblem.build(dataset, DAMPING, dtype="float64", device="cpu")
    phi, (g, _) = margin_gradients(model, dataset), gradients(model, dataset)
    n = dataset.n_train
    p = torch.as_tensor(model.probabilities(dataset.X_train))[np.arange(n), dataset.y_train]
    kernel = phi.T @ phi / n + DAMPING * torch.eye(phi.shape[1], dtype=torch.float64)
    exact = phi @ torch.linalg.solve(kernel, g) * (1 - p)
    at = evaluate(problem, problem.shape(problem.encode(model))[0])
    agreement = [
        spearmanr(trak(problem, at, draw_projections(problem, 10, width)), exact).statistic
        for width in (4, 600)
    ]
    assert agreement[1] > 0.99 and agreement[1] > agreement[0]


def test_tracin_adds_up_the_checkpoints():
    dataset, model = random_problem(5)
    stops = [fit(dataset, model.l2, "adam", stop, "cpu") for stop in CHECKPOINTS]
    expected = [-each @ g for g, each in (gradients(one, dataset) for one in [*stops, model])]
    found = attribution("tracin", model, dataset, **FLOAT64).scores
    assert relative_error(found, torch.stack(expected).mean(0).numpy()) < 1e-9


@pytest.mark.parametrize("name", NAMES)
def test_what_an_attack_differentiates_is_what_attribution_says(name):
    dataset, model = random_problem(6, duplicates=True)
    problem = LinearProblem.build(dataset, DAMPING, dtype="float64", device="cpu")
    scored = score_function(name, problem, dataset, model.l2)
    at = evaluate(problem, problem.shape(problem.encode(model))[0])
    expected = attribution(name, model, dataset, **FLOAT64).scores
    allowed = 1e-4 if name in ("self_influence", "relative") else 1e-9  # solved to 1e-5 there
    assert relative_error(scored(problem, at).numpy(), expected) < allowed


def test_data_oob_is_scikit_learns_out_of_bag_share():
    dataset, _ = random_problem(7, n=60)
    X, y = np.asarray(dataset.X_train), dataset.y_train
    theirs = BaggingClassifier(n_estimators=40, random_state=3, oob_score=True).fit(X, y)
    # Fully grown trees are sure: the mean probability of the label is the share that is right.
    expected = theirs.oob_decision_function_[np.arange(60), y]
    np.testing.assert_allclose(data_oob(dataset, trees=40, seed=3), -expected, atol=1e-12)
    with pytest.raises(NotConverged, match="in the bag of all 1 trees"):
        data_oob(dataset, trees=1)


def test_maximum_sample_reuse_over_all_subsets_is_the_banzhaf_value():
    rng, n = np.random.default_rng(8), 5
    value = {members: rng.standard_normal() for members in product((False, True), repeat=n)}

    def gain(i: int) -> float:
        """The mean of v(S ∪ i) − v(S) over the subsets of the others."""
        found = []
        for members in value:
            if not members[i]:
                joined = (*members[:i], True, *members[i + 1 :])
                found.append(value[joined] - value[members])
        return float(np.mean(found))

    found = maximum_sample_reuse(np.array(list(value)), list(value.values()))
    np.testing.assert_allclose(found, [gain(i) for i in range(n)], atol=1e-12)
    with pytest.raises(InvalidInput, match="sample 2 is in all of them"):
        maximum_sample_reuse(np.eye(2, 3, dtype=bool), [1.0, 2.0])


def test_data_banzhaf_is_the_mean_over_retrained_models():
    dataset, _ = random_problem(9, n=50)
    found = data_banzhaf(dataset, subsets=30, l2=0.1, seed=2)
    drawn = np.random.default_rng(2).random((30, 50)) < 0.5
    losses = retrain_on(dataset, drawn, 0.1).mean_losses("test")
    expected = [losses[drawn[:, i]].mean() - losses[~drawn[:, i]].mean() for i in range(50)]
    np.testing.assert_allclose(found, expected, atol=1e-12)
    rare, _ = random_problem(10, n=20, n_classes=6)
    with pytest.raises(InvalidDataset, match="none of class"):
        data_banzhaf(rare, subsets=40)


@pytest.mark.parametrize("name", [name for name in SCORES if name not in ATTRIBUTIONS])
def test_ranks_follow_the_order_and_no_model_enters_where_it_says_so(name):
    dataset, model = random_problem(11, n=60)
    low = attribution(name, model, dataset, order="lowest_first", device="cpu")
    np.testing.assert_array_equal(low.ranks, ranks(-low.scores))
    other = attribution(name, model.with_parameters(2 * model.parameters), dataset, device="cpu")
    assert np.array_equal(low.scores, other.scores) == (name in MODEL_FREE)


def test_ekfac_is_nearer_to_influence_than_kfac_on_digits():
    dataset = load_dataset("digits")
    model = fit(dataset, device="cpu")
    exact = attribution("influence", model, dataset, device="cpu")
    agreement = {
        name: spearmanr(attribution(name, model, dataset, device="cpu").scores, exact.scores)[0]
        for name in ("kfac", "ekfac")
    }
    assert agreement["ekfac"] > agreement["kfac"] > 0.8
