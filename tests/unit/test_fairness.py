"""The fairness pipeline against retraining, autograd, vertex enumeration and the published runs."""

from dataclasses import replace
from itertools import combinations, product

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InvalidInput
from engine.fairness.gaps import HONEST, count_cells, gaps_of_cells, resample_cells
from engine.fairness.options import FairnessOptions
from engine.fairness.pipeline import (
    LEAST_REMOVAL,
    MOST_FAIRNESS,
    Effects,
    choose_removal,
    log_losses,
    predict,
    removal_effects,
    soft_gap,
    train,
)
from engine.fairness.result import largest_effect, unnoticed
from engine.fairness.scaling import Pipeline, analyse, fairness_scaling
from tests.support.tables import original, random_table

METRICS = ["dp", "eop"]


def objective(theta: torch.Tensor, X, y, l2, weights) -> torch.Tensor:
    logits = torch.as_tensor(X) @ theta
    losses = torch.nn.functional.binary_cross_entropy_with_logits(
        logits, torch.as_tensor(y, dtype=torch.float64), reduction="none"
    )
    return (torch.as_tensor(weights) * losses).sum() + l2 / 2 * (theta**2).sum()


@pytest.mark.parametrize("seed", range(3))
def test_training_reaches_the_minimum_of_the_summed_objective(seed):
    """The gradient, by autograd, vanishes; whatever it starts from."""
    d = random_table(seed)
    weights = np.random.default_rng(seed).random(d.n_train)
    found = train(d.X_train, d.y_train, d.l2, weights)
    theta = torch.as_tensor(found).requires_grad_()
    objective(theta, d.X_train, d.y_train, d.l2, weights).backward()
    assert theta.grad is not None
    assert theta.grad.abs().max() < 1e-6
    again = train(d.X_train, d.y_train, d.l2, weights, start=np.full(d.n_features, 3.0))
    np.testing.assert_allclose(again, found, atol=1e-7)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("seed", range(3))
def test_the_soft_gap_and_its_gradient(seed, metric):
    d = random_table(seed)
    theta = np.random.default_rng(seed).standard_normal(d.n_features)
    X, y, group = d.split("val")
    value, gradient = soft_gap(theta, X, y, group, metric)
    t = torch.as_tensor(theta).requires_grad_()
    p = torch.sigmoid(torch.as_tensor(X) @ t)
    if metric == "dp":
        expected = p[group == 1].mean() - p[group == 0].mean()
    else:
        losses = -torch.log(p)
        expected = losses[(group == 0) & (y == 1)].mean() - losses[(group == 1) & (y == 1)].mean()
    expected.backward()
    assert value == pytest.approx(expected.item(), abs=1e-12)
    assert t.grad is not None
    np.testing.assert_allclose(gradient, t.grad.numpy(), atol=1e-12)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("seed", range(3))
def test_removal_effects_equal_retraining_without_a_little_of_a_row(seed, metric):
    """Central differences of the retrained model in the row's weight, at the minimum θ*."""
    d = random_table(seed, n=60)
    theta = train(d.X_train, d.y_train, d.l2)
    effects = removal_effects(theta, d, metric, d.l2)
    X, y, group = d.split("val")
    step = 1e-3
    for row in range(0, d.n_train, 7):
        values = []
        for sign in (1, -1):
            weights = np.ones(d.n_train)
            weights[row] -= sign * step
            moved = train(d.X_train, d.y_train, d.l2, weights)
            values.append((soft_gap(moved, X, y, group, metric)[0], log_losses(moved, X, y).sum()))
        slopes = (np.array(values[0]) - np.array(values[1])) / (2 * step)
        assert effects.on_gap[row] == pytest.approx(slopes[0], abs=2e-6)
        assert effects.on_loss[row] == pytest.approx(slopes[1], abs=2e-5)
    assert effects.gap == pytest.approx(soft_gap(theta, X, y, group, metric)[0])


def test_log_losses_stay_finite():
    X, y = np.array([[1e5], [-1e5]]), np.array([0, 1])
    np.testing.assert_allclose(log_losses(np.array([1.0]), X, y), [1e5, 1e5])


def vertices(n: int, rows: np.ndarray, limits: np.ndarray):
    """Every feasible basic solution of 0 <= x <= 1, rows·x <= limits: at most two coordinates are
    strictly between their bounds."""
    for free in [(), *combinations(range(n), 1), *combinations(range(n), 2)]:
        rest = [i for i in range(n) if i not in free]
        for corner in product((0.0, 1.0), repeat=len(rest)):
            x = np.zeros(n)
            x[rest] = corner
            for tight in combinations(range(len(rows)), len(free)):
                if free:
                    A = rows[np.ix_(tight, free)]
                    if abs(np.linalg.det(A)) < 1e-12:
                        continue
                    x[list(free)] = np.linalg.solve(A, limits[list(tight)] - rows[list(tight)] @ x)
                if (
                    (x >= -1e-9).all()
                    and (x <= 1 + 1e-9).all()
                    and (rows @ x <= limits + 1e-9).all()
                ):
                    yield x.copy()
                x[list(free)] = 0


@pytest.mark.parametrize("gap", [0.5, 50.0])
@pytest.mark.parametrize("seed", range(6))
def test_the_programme_is_solved(seed, gap):
    """Against every vertex of the polytope, for six rows."""
    rng = np.random.default_rng(seed)
    effects = Effects(gap, rng.standard_normal(6), rng.standard_normal(6))
    beta, gamma = 0.3, 0.1
    removal = choose_removal(effects, beta, gamma)
    if gap >= -np.minimum(effects.on_gap, 0).sum():
        assert removal.programme == MOST_FAIRNESS
        rows, limits = np.stack([effects.on_loss, np.ones(6)]), np.array([0.0, 6.0])
        cost = effects.on_gap
    else:
        assert removal.programme == LEAST_REMOVAL
        rows = np.stack([effects.on_gap, effects.on_loss])
        limits = np.array([-beta * gap, gamma * np.minimum(effects.on_loss, 0).sum()])
        cost = np.ones(6)
    costs = [cost @ x for x in vertices(6, rows, limits)]
    if not costs:
        assert removal.shares is None
        return
    assert removal.shares is not None
    assert cost @ removal.shares == pytest.approx(min(costs), abs=1e-7)
    assert (rows @ removal.shares <= limits + 1e-7).all()


def gaps_by_hand(group, y, predicted) -> tuple[float, float, float]:
    def rate(where) -> float:
        return float(predicted[where].mean())

    return (
        rate(group == 1) - rate(group == 0),
        rate((group == 1) & (y == 1)) - rate((group == 0) & (y == 1)),
        float((predicted == y).mean()),
    )


@given(st.integers(0, 10_000), st.integers(30, 80))
def test_gaps_of_cells_equal_those_of_rows(seed, n):
    rng = np.random.default_rng(seed)
    group, y, predicted, honest = rng.integers(2, size=(4, n))
    group[:4], y[:4] = [0, 1, 0, 1], 1
    cells = count_cells(group, y, predicted, honest)
    assert cells.sum() == n
    for of, who in ((2, predicted), (HONEST, honest)):
        found = gaps_of_cells(cells, of)
        assert (found.dp, found.eop, found.accuracy) == pytest.approx(gaps_by_hand(group, y, who))


def test_drawing_cells_is_drawing_rows():
    """Mean and spread of the resampled gap agree with those of rows drawn one by one."""
    rng = np.random.default_rng(0)
    group, y, predicted = rng.integers(2, size=(3, 200))
    cells = count_cells(group, y, predicted, predicted)
    fast = np.asarray(gaps_of_cells(resample_cells(cells, 4000, seed=1)).dp)
    drawn = rng.integers(200, size=(4000, 200))
    slow = np.array([gaps_by_hand(group[i], y[i], predicted[i])[0] for i in drawn])
    assert fast.mean() == pytest.approx(slow.mean(), abs=4 * slow.std() / np.sqrt(4000) * 2**0.5)
    assert fast.std() == pytest.approx(slow.std(), rel=0.05)


@given(st.floats(1e-4, 1e3), st.integers(0, 50))
def test_scaling_changes_no_prediction_of_the_base_model(scale, seed):
    d = random_table(seed, n=40)
    pipeline = Pipeline(d)
    X = d.split("test")[0]
    assert (predict(scale * pipeline.theta, X) == predict(pipeline.theta, X)).all()


@pytest.mark.parametrize("metric", METRICS)
def test_the_table(metric):
    d = random_table(1)
    table = fairness_scaling(d, [2.0, 0.1], metric)
    assert table["scale"].tolist() == [0.1, 1.0, 2.0]
    honest = table[table["scale"] == 1].iloc[0]
    assert honest["spearman"] == pytest.approx(1)
    assert honest["topk_overlap"] == 1
    assert honest["effect"] == honest["effect_low"] == honest["effect_high"] == 0
    assert honest["gradient_norm"] < 1e-8
    assert (table["base_predictions_changed"] == 0).all()
    assert table["base_accuracy_test"].nunique() == 1
    for _, row in table.iterrows():
        for name in ("dp", "eop", "accuracy"):
            assert row[f"{name}_test_low"] <= row[f"{name}_test"] <= row[f"{name}_test_high"]
        expected = abs(row[f"{metric}_test"]) - abs(honest[f"{metric}_test"])
        assert row["effect"] == pytest.approx(expected)
    # the whole of one row, by the pipeline's own parts put together again
    scaled = 0.1 * train(d.X_train, d.y_train, d.l2)
    strength = getattr(d, metric)
    removal = choose_removal(
        removal_effects(scaled, d, metric, d.l2), strength.beta, strength.gamma
    )
    assert removal.shares is not None
    downstream = train(d.X_train, d.y_train, d.l2, 1 - removal.shares)
    dp, eop, accuracy = gaps_by_hand(
        d.group_test, d.y_test, predict(downstream, d.X_test).astype(int)
    )
    first = table.iloc[0]
    assert (first["dp_test"], first["eop_test"], first["accuracy_test"]) == (dp, eop, accuracy)
    assert first["removed"] == pytest.approx(removal.shares.sum())


def test_the_gradient_is_that_of_the_training_loss():
    """slope = dL(αθ*)/dα by differences; both vanish at α = 1 alone."""
    d = random_table(2)
    pipeline = Pipeline(d)

    def loss(scale: float) -> float:
        theta = scale * pipeline.theta
        total = log_losses(theta, d.X_train, d.y_train).sum() + d.l2 / 2 * theta @ theta
        return total / d.n_train

    for scale in (0.2, 1.0, 3.0):
        run = pipeline.run(scale)
        slope = (loss(scale + 1e-5) - loss(scale - 1e-5)) / 2e-5
        assert run.slope == pytest.approx(slope, abs=1e-8)
        assert run.gradient_norm * np.linalg.norm(pipeline.theta) >= abs(run.slope) * (1 - 1e-9)


def test_an_infeasible_programme_is_shown_as_such():
    """Nothing improves the validation loss by ten times what is possible."""
    d = random_table(3)
    result = analyse(Pipeline(d, FairnessOptions(gamma=10.0, scales=(0.5,))))
    assert not result.table["feasible"].any()
    assert result.table[["dp_test", "effect", "accuracy_val", "removed"]].isna().all(axis=None)
    assert np.isnan(result.removed).all()
    assert largest_effect(result.table) is None
    assert result.worst is None


def test_the_search_looks_at_validation_alone_and_keeps_to_the_tolerance():
    d = random_table(4)
    options = FairnessOptions(scales=(1.0,), tolerance=0.02)
    result = analyse(Pipeline(d, options))
    worst = result.worst
    assert worst is not None
    honest = result.row(1)
    able = result.searched[result.searched["accuracy_val"] >= honest["accuracy_val"] - 0.02 - 1e-9]
    assert abs(worst["dp_val"]) == able["dp_val"].abs().max()
    others = result.searched[~result.searched["chosen"]]
    assert others[["dp_test", "accuracy_test", "effect"]].isna().all(axis=None)
    assert not np.isnan(worst["dp_test"])
    rng = np.random.default_rng(0)
    shuffled = rng.permutation(len(d.y_test))
    other = analyse(Pipeline(replace(d, y_test=d.y_test[shuffled]), options))
    assert other.worst["scale"] == worst["scale"]


def test_unnoticed_counts_a_drop_of_exactly_the_tolerance():
    table = fairness_scaling(random_table(5), [0.5])
    table["accuracy_test"] = [0.63, 0.66]
    assert unnoticed(table).all()
    table["accuracy_test"] = [0.62, 0.66]
    assert unnoticed(table).tolist() == [False, True]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"scales": []}, "scales must be a sequence"),
        ({"scales": [0.5, 0]}, "scales must be a finite number > 0. Got 0"),
        ({"scales": [-1.0]}, "Got -1.0"),
        ({"scales": "default"}, "scales must be"),
        ({"metric": "di"}, "metric must be one of 'dp', 'eop'"),
        ({"l2": 0}, "l2 must be"),
        ({"beta": -0.1}, "beta must be"),
        ({"gamma": float("nan")}, "gamma must be"),
        ({"top_k": 0}, "top_k must be"),
        ({"resamples": 0}, "resamples must be"),
        ({"seed": -1}, "seed must be"),
    ],
)
def test_bad_input_is_named(options, words):
    with pytest.raises(InvalidInput, match=words):
        fairness_scaling(random_table(0, n=30), **{"scales": [1.0], **options})


def test_german_as_it_was_run_independently():
    """The figures of an independent run of the same programme."""
    table = fairness_scaling(original("german"), [0.001, 0.05, 0.2, 0.5, 1.0])
    np.testing.assert_allclose(table["dp_test"], [0.131, 0.145, 0.115, 0.056, -0.018], atol=0.01)
    np.testing.assert_allclose(
        table["accuracy_test"], [0.660, 0.655, 0.660, 0.660, 0.645], atol=0.0051
    )
    np.testing.assert_allclose(
        table["removed"], [0.026, 1.308, 5.6, 15.513, 31.771], rtol=1e-4, atol=5e-4
    )
    assert (table["programme"] == LEAST_REMOVAL).all()


def test_beyond_the_trained_scale_adult_becomes_nonsense():
    """Why the search has a condition: at α = 2 closing the gap is out of reach."""
    table = fairness_scaling(original("adult"), [2.0])
    row = table[table["scale"] == 2].iloc[0]
    assert row["programme"] == MOST_FAIRNESS
    assert row["dp_test"] == pytest.approx(-0.97, abs=0.01)
    assert row["accuracy_test"] == pytest.approx(0.50, abs=0.01)
    assert not unnoticed(table).iloc[1]
