"""The baseline: its sampling, gradient and Adam against independent twins, and what it promises."""

from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import chisquare

import engine
from engine.attacks.options import ReweighingOptions
from engine.attacks.reweighing import (
    RANKED_AT_ONCE,
    adam,
    draw,
    generator,
    loss_reweighing,
    loss_reweighing_each,
    minibatch_gradient,
    reweigh,
    train,
)
from engine.data.dataset import Dataset
from engine.data.load import load_dataset
from engine.errors import Cancelled, DeviceUnavailable, InvalidInput
from engine.influence.scores import influence_scores
from engine.models.fit import fit
from engine.models.linear import LinearModel
from tests.support.problems import random_problem
from tests.support.reference import explicit_scores, flat, mean_loss, relative_error, with_ones

TARGET = 16


@pytest.fixture(scope="module")
def digits() -> tuple[Dataset, LinearModel]:
    dataset = load_dataset("digits")
    return dataset, fit(dataset)


@pytest.fixture(scope="module")
def small() -> tuple[Dataset, LinearModel]:
    dataset, _ = random_problem(21, n=40, d=4)
    return dataset, fit(dataset)


@pytest.fixture(scope="module")
def found(digits):
    dataset, model = digits
    return loss_reweighing(model, dataset, TARGET)


def drawn(targets, weights, n, steps, batch_size, seed=0):
    sources = [generator(seed, t, w) for t, w in zip(targets, weights, strict=True)]
    return draw(sources, np.array(targets), np.array(weights), n, steps, batch_size)


@pytest.mark.parametrize("target", [0, 4, 9])
@pytest.mark.parametrize("weight", [1.0, 10.0, 1000.0])
def test_the_target_is_drawn_as_often_as_its_weight_says(target, weight):
    """Chi-square over all samples; seeded, so that p > 0.001 is no gamble."""
    n, draws = 10, 200_000
    counts = np.bincount(drawn([target], [weight], n, 100, draws // 100).ravel(), minlength=n)
    expected = np.full(n, draws / (weight + n - 1))
    expected[target] *= weight
    assert counts.shape == (n,)
    assert chisquare(counts, expected).pvalue > 0.001


def test_a_huge_weight_draws_nothing_else_and_overflows_nowhere():
    assert (drawn([3], [1e300], 50, 10, 100) == 3).all()


def test_draws_belong_to_seed_target_and_weight():
    both = drawn([3, 7], [1.0, 10.0], 50, 4, 8)
    np.testing.assert_array_equal(both[:, :1], drawn([3], [1.0], 50, 4, 8))
    np.testing.assert_array_equal(both[:, 1:], drawn([7], [10.0], 50, 4, 8))
    for other in (drawn([4], [1.0], 50, 4, 8), drawn([3], [1.5], 50, 4, 8)):
        assert (both[:, :1] != other).mean() > 0.5
    assert (both != drawn([3, 7], [1.0, 10.0], 50, 4, 8, seed=1)).mean() > 0.5


def test_draws_do_not_depend_on_how_many_are_made_at_once():
    sources = [generator(0, 3, 10.0)]
    parts = [draw(sources, np.array([3]), np.array([10.0]), 50, steps, 8) for steps in (3, 1, 2)]
    np.testing.assert_array_equal(np.concatenate(parts), drawn([3], [10.0], 50, 6, 8))


def minibatches(dataset, B, b, seed=0):
    rng = np.random.default_rng(seed)
    X, y = with_ones(dataset.X_train), torch.as_tensor(dataset.y_train)
    theta = torch.as_tensor(rng.standard_normal((B, dataset.n_classes, X.shape[1])))
    return theta, X, y, torch.as_tensor(rng.integers(dataset.n_train, size=(B, b)))


def test_the_gradient_equals_autograd(small):
    theta, X, y, index = minibatches(small[0], B=3, b=7)
    closed = minibatch_gradient(theta, X, y, index, l2=0.3)
    for i in range(3):
        twin = theta[i].clone().requires_grad_()
        loss = mean_loss(twin.flatten(), X[index[i]], y[index[i]]) + 0.15 * twin.square().sum()
        loss.backward()
        assert relative_error(closed[i], twin.grad) < 1e-13  # float64 rounding


def test_steps_equal_torch_adam(small):
    theta, X, y, _ = minibatches(small[0], B=2, b=7)
    twin = torch.nn.Parameter(theta.clone())
    optimizer = torch.optim.Adam([twin], lr=0.02)
    first, second = torch.zeros_like(theta), torch.zeros_like(theta)
    for count in range(1, 6):
        index = minibatches(small[0], B=2, b=7, seed=count)[3]
        gradient = minibatch_gradient(theta, X, y, index, l2=0.3)
        adam(theta, first, second, gradient, count, 0.02)
        twin.grad = gradient
        optimizer.step()
        assert relative_error(theta, twin.detach()) < 1e-13


def test_training_equals_a_plain_loop(small):
    """The twin: one model, PyTorch's loss, its Adam, and the same draws; across a block of
    draws."""
    X, y = with_ones(small[0].X_train), torch.as_tensor(small[0].y_train)
    options = ReweighingOptions(steps=70, batch_size=5, learning_rate=0.01, seed=3)
    weights = np.array([1.0, 50.0])
    trained = train(X, y, 3, np.array([8, 2]), weights, options=options, l2=0.02)
    twin = torch.zeros_like(trained[1]).requires_grad_()
    optimizer = torch.optim.Adam([twin], lr=0.01)
    for index in drawn([2], [50.0], len(y), 70, 5, seed=3)[:, 0]:
        optimizer.zero_grad()
        (mean_loss(twin.flatten(), X[index], y[index]) + 0.01 * twin.square().sum()).backward()
        optimizer.step()
    assert relative_error(trained[1], twin.detach()) < 1e-9


def test_without_weight_it_approximates_the_honest_model(digits, found):
    row = found.table.iloc[0]
    assert row["target_weight"] == 1
    assert abs(row["accuracy_drop"]) <= 0.012  # seen over seeds: 0.003 to 0.010
    assert row["rank_correlation"] > 0.95  # seen over seeds: 0.977 to 0.989
    assert row["distance"] < 0.15


def test_a_huge_weight_leaves_the_target_s_class_alone(digits):
    """Trained on one sample alone, Adam moves every weight by its feature's sign only: the model
    sees the target's class wherever ⟨x, sign(x_target)⟩ > 0, and nowhere else."""
    dataset, model = digits
    result = loss_reweighing(model, dataset, TARGET, 1e12, steps=300, batch_size=16, l2=0)
    (blind,), label = result.models, dataset.y_train[TARGET]
    side = (with_ones(dataset.X_train) @ with_ones(dataset.X_train)[TARGET].sign()).numpy()
    clear = np.abs(side) > 0.1  # Adam's ε bends the plane a little
    assert clear.mean() > 0.98
    np.testing.assert_array_equal((blind.predict(dataset.X_train) == label)[clear], side[clear] > 0)
    assert blind.probabilities(dataset.X_train)[TARGET, label] > 0.95
    assert result.table["accuracy_drop"][0] > 0.7


def test_the_weight_is_paid_for_in_accuracy(found):
    table = found.table
    assert table["target_weight"].tolist() == [10**power for power in range(7)]
    assert table["accuracy_holdout"].iloc[-1] < table["accuracy_holdout"].iloc[0] - 0.3
    assert (table["rank_correlation"].diff().dropna() < 0).all()
    assert (table["gradient_norm"].diff().dropna() > 0).all()


def test_the_table_says_what_the_public_calls_say(digits, found):
    dataset, model = digits
    honest = influence_scores(model, dataset)
    assert found.rank_before == honest.ranks[TARGET] == 1126
    assert found.rank_before_holdout == influence_scores(model, dataset, "holdout").ranks[TARGET]
    assert found.accuracy_before == model.accuracy(dataset.X_holdout, dataset.y_holdout)
    for trained, (_, row) in zip(found.models, found.table.iterrows(), strict=True):
        for split in ("test", "holdout"):
            asked = influence_scores(trained, dataset, split, dtype="float64", tolerance=1e-10)
            # in float32 and a batch, scores that nearly tie may change places: 1e-5 of the largest
            near = 1e-5 * np.abs(asked.scores).max()
            own = asked.scores[TARGET]
            best = 1 + (asked.scores > own + near).sum()
            assert best <= row[f"rank_{split}"] <= (asked.scores >= own - near).sum()
            accuracy = trained.accuracy(*dataset.split(split))
            assert row[f"accuracy_{split}"] == accuracy
        on_test = influence_scores(trained, dataset)
        assert row["score_test"] == pytest.approx(on_test.scores[TARGET], rel=1e-3)
        away = np.linalg.norm(trained.parameters - model.parameters) / model.norm
        assert row["distance"] == pytest.approx(away)
        assert row["accuracy_drop"] == found.accuracy_before - row["accuracy_holdout"]


def test_the_gradient_norm_is_the_honest_training_loss_s(small):
    dataset, model = small
    result = loss_reweighing(model, dataset, 3, 100, steps=50, dtype="float64")
    theta = flat(result.models[0]).requires_grad_()
    X, y = with_ones(dataset.X_train), torch.as_tensor(dataset.y_train)
    (mean_loss(theta, X, y) + model.l2 / 2 * theta.square().sum()).backward()
    assert theta.grad is not None
    assert result.table["gradient_norm"][0] == pytest.approx(float(theta.grad.norm()))
    scores = explicit_scores(theta.detach(), dataset, 0.25)
    assert result.table["score_test"][0] == pytest.approx(float(scores[3]))


def test_a_batch_equals_each_alone(digits):
    """The same draws; θ differs by the rounding of the products alone."""
    dataset, model = digits
    options: dict[str, Any] = {"steps": 150, "batch_size": 32, "seed": 5}
    together = loss_reweighing_each(model, dataset, [7, 900], (1, 1e4), **options)
    for target, result in zip([7, 900], together, strict=True):
        assert result.target == target
        for weight, trained in zip((1, 1e4), result.models, strict=True):
            alone = loss_reweighing(model, dataset, target, weight, **options).models[0]
            assert relative_error(trained.parameters, alone.parameters) < 1e-4


def test_chunks_change_nothing(small):
    """Of models that are trained together, and of those that are ranked together: five targets
    have 35 models, more than one chunk's."""
    dataset, model = small
    steps_seen: list[tuple[int, int]] = []
    options = ReweighingOptions(steps=20, batch_size=8, dtype="float64")
    targets = [3, 5, 8, 13, 21]
    whole = reweigh(options, model, dataset, targets)
    assert sum(len(result.models) for result in whole) > RANKED_AT_ONCE
    for target, together in zip(targets, whole, strict=True):
        steps_seen.clear()
        [parts] = reweigh(
            options, model, dataset, [target], numbers_at_once=250,
            on_step=lambda *seen: steps_seen.append(seen),
        )  # fmt: skip
        assert steps_seen == [(i + 1, 80) for i in range(80)]  # 7 models, 2 at once
        for one, other in zip(together.models, parts.models, strict=True):
            assert relative_error(one.parameters, other.parameters) < 1e-12
        for column in ("rank_test", "rank_holdout", "gradient_norm"):
            np.testing.assert_allclose(together.table[column], parts.table[column], rtol=1e-9)


def test_seeds_reproduce(small):
    dataset, model = small
    first, again, other = (
        loss_reweighing(model, dataset, 3, 10, steps=20, seed=seed).models[0].parameters
        for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, again)
    assert relative_error(other, first) > 1e-3


def test_l2_is_the_honest_model_s_unless_given(small):
    dataset, model = small
    as_model, same, stronger = (
        loss_reweighing(model, dataset, 3, 1, steps=200, learning_rate=0.01, l2=l2).models[0]
        for l2 in (None, model.l2, 1.0)
    )
    np.testing.assert_array_equal(as_model.parameters, same.parameters)
    assert (as_model.l2, stronger.l2) == (model.l2, 1.0)
    assert stronger.norm < 0.8 * same.norm


def test_lowest_first_turns_the_ranks_round(small):
    dataset, model = small
    options: dict[str, Any] = {"steps": 50, "batch_size": 8}
    high = loss_reweighing(model, dataset, 3, **options)
    low = loss_reweighing(model, dataset, 3, **options, order="lowest_first")
    n = dataset.n_train
    assert low.rank_before == n + 1 - high.rank_before
    np.testing.assert_array_equal(low.table["rank_test"], n + 1 - high.table["rank_test"])
    np.testing.assert_allclose(low.table["score_test"], high.table["score_test"])
    np.testing.assert_allclose(low.table["rank_correlation"], high.table["rank_correlation"])


def test_success_is_that_of_some_weight_within_the_tolerance(found):
    best = int(found.table["rank_test"].min())
    assert found.success(best)
    assert not found.success(best - 1)
    dear = found.table.assign(accuracy_drop=[0.01, 0.03 + 1e-17, 0.2, 0.3, 0.4, 0.5, 0.6])
    dear["rank_test"] = [50, 40, 30, 20, 5, 3, 2]
    result = engine.ReweighingResult(**{**vars(found), "table": dear})
    assert result.success(2)
    assert not result.success(30, tolerance=0.03)
    assert result.success(40, tolerance=0.03)


def test_a_caller_can_stop_it(digits):
    seen = []

    def watch(done, of):
        seen.append((done, of))
        if done == 3:
            raise Cancelled("stopped by the test")

    with pytest.raises(Cancelled):
        loss_reweighing(digits[1], digits[0], TARGET, steps=10, on_step=watch)
    assert seen == [(1, 10), (2, 10), (3, 10)]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"target": 1200}, r"target must be a whole number in \[0, 1199\]. Got 1200"),
        ({"target": -1}, "target must be"),
        ({"target": [3]}, "target must be a whole number"),
        ({"target": 1.5}, "target must be"),
        ({"target_weight": 0.5}, "target_weight must be a finite number >= 1.* Got 0.5"),
        ({"target_weight": 0}, "target_weight must be"),
        ({"target_weight": float("inf")}, "target_weight must be a finite number"),
        ({"target_weight": float("nan")}, "target_weight must be a finite number"),
        ({"target_weight": "10"}, "target_weight must be a finite number >= 1.* Got '10'"),
        ({"target_weight": ()}, "target_weight must be at least one weight"),
        ({"target_weight": (1, 10, 10.0)}, "target_weight must be distinct"),
        ({"target_weight": (1, -10)}, "target_weight must be"),
        ({"steps": 0}, "steps must be a whole number >= 1. Got 0"),
        ({"batch_size": 0}, "batch_size must be a whole number >= 1. Got 0"),
        ({"batch_size": 2.5}, "batch_size must be"),
        ({"learning_rate": 0}, "learning_rate must be"),
        ({"l2": -1}, "l2 must be a finite number >= 0"),
        ({"damping": 0}, "damping must be"),
        ({"order": "sideways"}, "order must be one of"),
        ({"seed": -3}, "seed must be"),
        ({"dtype": "float16"}, "dtype must be one of"),
    ],
)
def test_bad_input_is_named(digits, options, words):
    dataset, model = digits
    with pytest.raises(InvalidInput, match=words):
        loss_reweighing(model, dataset, **{"target": 5, **options})


def test_many_targets_are_distinct_and_at_least_one(digits):
    for targets, words in [([], "at least one"), ([4, 4], "distinct")]:
        with pytest.raises(InvalidInput, match=words):
            loss_reweighing_each(digits[1], digits[0], targets)


def test_cuda_without_cuda_is_refused(digits):
    with pytest.raises(DeviceUnavailable, match="Use device='auto' or 'cpu'"):
        loss_reweighing(digits[1], digits[0], 5, device="cuda:99")
