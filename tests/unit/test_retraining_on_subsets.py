"""Training on subsets, the linear datamodelling score and selection curves: against scikit-learn's
models on the same subsets, and SciPy's correlation."""

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

import engine
from engine.data.load import load_dataset
from engine.errors import InvalidDataset, InvalidInput, NotConverged
from engine.influence.linear import LinearProblem
from engine.influence.scores import influence_scores
from engine.models.fit import fit
from engine.models.linear import LinearModel
from engine.scrutiny.datamodelling import (
    compare,
    draw_halves,
    linear_datamodelling_score,
    odd_part,
)
from engine.scrutiny.model_free import data_banzhaf
from engine.scrutiny.queries import influence_matrix
from engine.scrutiny.retraining import GRADIENT_TOLERANCE, newton, retrain_on
from engine.scrutiny.selection import kept, selection_curve
from tests.support.problems import random_problem


def with_ones(X: np.ndarray) -> np.ndarray:
    return np.concatenate([X, np.ones((len(X), 1))], axis=1).astype(np.float64)


def by_sklearn(dataset, mask, l2):
    """scikit-learn's model of a subset: it minimises C·Σ L + ½‖θ‖², so that C = 1/(|S|·l2)."""
    options = {"C": 1 / (mask.sum() * l2), "fit_intercept": False}
    model = LogisticRegression(**options, solver="newton-cg", tol=1e-12, max_iter=1000)
    return model.fit(with_ones(dataset.X_train[mask]), dataset.y_train[mask])


@pytest.mark.parametrize(("seed", "n_classes", "l2"), [(1, 3, 0.01), (2, 4, 0.25)])
def test_models_of_subsets_are_those_of_scikit_learn(seed, n_classes, l2):
    dataset, _ = random_problem(seed, n=60, n_classes=n_classes, duplicates=True)
    rng = np.random.default_rng(seed)
    subsets = rng.random((5, 60)) < rng.uniform(0.4, 0.9, (5, 1))  # of different sizes
    subsets[:, :n_classes] = True  # the first samples have a class each
    found = retrain_on(dataset, subsets, l2)
    assert (found.gradient_norms <= GRADIENT_TOLERANCE).all()
    for b, mask in enumerate(subsets):
        theirs = by_sklearn(dataset, mask, l2)
        for split in ("test", "holdout"):
            X, y = dataset.split(split)
            loss = log_loss(y, theirs.predict_proba(with_ones(X)), labels=range(n_classes))
            # Both stop at gradients near 1e-9: losses agree to about that.
            assert found.mean_losses(split)[b] == pytest.approx(loss, abs=1e-7)
            assert found.accuracies[split][b] == theirs.score(with_ones(X), y)


def test_data_banzhaf_is_that_of_scikit_learns_models():
    """Each sample by itself: the mean loss of models with it minus that of models without it."""
    dataset, _ = random_problem(9, n=50)
    drawn = np.random.default_rng(2).random((30, 50)) < 0.5
    X, y = dataset.split("test")
    losses = [
        log_loss(y, by_sklearn(dataset, mask, 0.1).predict_proba(with_ones(X)), labels=range(3))
        for mask in drawn
    ]
    theirs = []
    for i in range(50):
        inside = [loss for loss, mask in zip(losses, drawn, strict=True) if mask[i]]
        outside = [loss for loss, mask in zip(losses, drawn, strict=True) if not mask[i]]
        theirs.append(np.mean(inside) - np.mean(outside))
    ours = data_banzhaf(dataset, subsets=30, l2=0.1, seed=2, device="cpu")
    np.testing.assert_allclose(ours, theirs, atol=1e-6)
    assert spearmanr(ours, theirs).statistic > 0.99


def test_where_training_begins_changes_nothing():
    dataset, _ = random_problem(3, n=50)
    halves = draw_halves(50, 6, seed=1)
    warm = retrain_on(dataset, halves, 0.05)
    nowhere = LinearModel(np.zeros((3, 5)), np.zeros(3), 0.05)
    cold = retrain_on(dataset, halves, 0.05, start=nowhere)
    np.testing.assert_allclose(cold.losses["test"], warm.losses["test"], rtol=0, atol=1e-7)


def test_a_training_that_does_not_end_names_its_subset():
    dataset, _ = random_problem(4)
    problem = LinearProblem.build(dataset, 0.01, dtype="float64", device="cpu")
    start = problem.shape(problem.encode(fit(dataset)))
    weights = start.new_ones(2, dataset.n_train)
    weights[1, 10:] = 0
    with pytest.raises(NotConverged, match="Retraining on half 1 stopped at a gradient"):
        newton(problem, start, weights, 0.01, lambda b: f"on half {b}", rounds=2)


def test_a_subset_without_a_class_is_an_error_that_names_both():
    dataset, _ = random_problem(5)
    subsets = np.ones((3, dataset.n_train), dtype=bool)
    subsets[2] = dataset.y_train != 1
    with pytest.raises(InvalidDataset, match=r"Subset 2 has \d+ training .* class 1 \('b'\)"):
        retrain_on(dataset, subsets)
    with pytest.raises(InvalidInput, match="subsets must be bool"):
        retrain_on(dataset, subsets.astype(int))
    rare = dataset.y_train == 2
    with pytest.raises(InvalidDataset, match="none of class"):
        selection_curve(np.where(rare, 99, 1), dataset, [0.3], "first")


@pytest.mark.parametrize("n", [10, 11])
def test_halves_come_with_their_complements(n):
    halves = draw_halves(n, 8, seed=2)
    assert (halves.sum(1) == n // 2).all()
    left_out = ~(halves[::2] | halves[1::2])
    assert not (halves[::2] & halves[1::2]).any()
    assert (left_out.sum(1) == n % 2).all()
    assert (left_out == left_out[0]).all()
    assert (halves == draw_halves(n, 8, seed=2)).all()
    assert not (halves == draw_halves(n, 8, seed=3)).all()


@pytest.mark.parametrize("subsets", [2, 7])
def test_an_odd_number_of_subsets_or_too_few_are_refused(subsets):
    with pytest.raises(InvalidInput, match="subsets"):
        draw_halves(10, subsets)


def test_the_score_is_scipys_correlation_with_models_retrained_by_scikit_learn():
    dataset, model = random_problem(6, n=40)
    scores = influence_scores(model, dataset, dtype="float64").scores
    queries = influence_matrix(model, dataset, *dataset.split("test"), damping=0.25)
    single = linear_datamodelling_score(scores, dataset, subsets=10, l2=0.1, seed=4)
    each = linear_datamodelling_score(queries, dataset, subsets=10, l2=0.1, seed=4)
    halves = draw_halves(40, 10, seed=4)
    X, y = dataset.split("test")
    theirs = []
    for mask in halves:
        p = by_sklearn(dataset, mask, 0.1).predict_proba(with_ones(X))
        theirs.append(-np.log(p[np.arange(len(y)), y]))
    losses = np.array(theirs)
    sums = np.array([scores[mask].sum() for mask in halves])
    expected = spearmanr(sums, losses.mean(1)).statistic
    assert single.score == pytest.approx(expected, abs=1e-12)
    by_query = [
        spearmanr([queries[mask, j].sum() for mask in halves], losses[:, j]).statistic
        for j in range(len(y))
    ]
    np.testing.assert_allclose(each.per_query, by_query, atol=1e-12)
    assert each.score == pytest.approx(np.mean(by_query))
    assert single.interval.low <= single.interval.high
    with pytest.raises(InvalidInput, match="of shapes"):
        compare(scores[:-1], halves, losses.mean(1))


def test_no_additive_scores_correlate_more_with_the_losses_than_their_odd_part():
    rng = np.random.default_rng(7)
    halves = draw_halves(30, 40, seed=7)
    signs = np.where(halves, 1.0, -1.0)
    additive = signs @ rng.standard_normal(30)
    outcomes = additive + 0.3 * (signs @ rng.standard_normal(30)) ** 2  # even in a pair
    most = np.corrcoef(odd_part(outcomes), outcomes)[0, 1]
    best, *_ = np.linalg.lstsq(halves - 0.5, outcomes - outcomes.mean(), rcond=None)
    for scores in (best, *rng.standard_normal((200, 30))):
        assert np.corrcoef(halves @ scores, outcomes)[0, 1] <= most + 1e-9
    # Additive outcomes have no even part, and their own scores reach the ceiling of 1.
    exact = compare(np.arange(30.0), halves, halves @ np.arange(30.0))
    assert exact.score == pytest.approx(1) and exact.ceiling == pytest.approx(1)


def test_influence_with_damping_equal_to_l2_reaches_nine_tenths_of_the_ceiling_on_digits():
    dataset = load_dataset("digits")
    model = fit(dataset, l2=0.25, device="cpu")
    scores = influence_scores(model, dataset, damping=0.25, device="cpu").scores
    found = linear_datamodelling_score(scores, dataset, subsets=20, l2=0.25, device="cpu")
    assert found.score >= 0.9 * found.ceiling
    assert found.ceiling <= 1


def test_selection_keeps_the_share_that_it_says():
    ranks = np.array([3, 1, 2, 5, 3])  # two tie
    assert kept(ranks, 0.4, "first").tolist() == [False, True, True, False, False]
    assert kept(ranks, 0.6, "first").tolist() == [True, True, True, False, False]
    assert kept(ranks, 0.4, "last").tolist() == [False, False, False, True, True]
    for share in (0, 0.01, 1.2):
        with pytest.raises(InvalidInput, match="share"):
            kept(ranks, share, "first")


def test_a_selection_curve_is_that_of_scikit_learns_models():
    dataset, model = random_problem(8, n=60)
    scored = influence_scores(model, dataset, dtype="float64")
    table = engine.selection_curve(scored.ranks, dataset, [0.5, 0.8, 1.0], "last", l2=0.1)
    order = np.argsort(scored.ranks, kind="stable")
    X, y = dataset.split("holdout")
    for row in table.to_dict("records"):
        mask = np.zeros(60, dtype=bool)
        mask[order[60 - int(row["samples"]) :]] = True
        theirs = by_sklearn(dataset, mask, 0.1)
        assert row["accuracy_holdout"] == theirs.score(with_ones(X), y)
        loss = log_loss(y, theirs.predict_proba(with_ones(X)), labels=range(3))
        assert row["loss_holdout"] == pytest.approx(loss, abs=1e-7)
    assert table["samples"].tolist() == [30, 48, 60]
