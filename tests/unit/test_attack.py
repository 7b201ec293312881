"""Algorithm 3: its step against PyTorch's own Adam and autograd, and what an attack promises."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import engine
from engine.attacks import batch
from engine.attacks.attack import (
    attack,
    attack_each,
    attack_each_k,
    honest_scores,
    make_plan,
    starts,
)
from engine.attacks.objectives import ATTACK_OBJECTIVES, Standing, target_ranks, worst_needed
from engine.attacks.options import AttackOptions
from engine.attacks.result import AttackResult
from engine.attacks.state import Plan, init, project, step, without_gauge
from engine.data.dataset import Dataset
from engine.data.load import load_dataset
from engine.errors import Cancelled, DeviceUnavailable, InvalidInput
from engine.experiments import AttackRequest, SweepRequest, values_of
from engine.influence.linear import LinearProblem
from engine.influence.mixed import in_precision
from engine.influence.scores import influence_scores
from engine.models.fit import fit
from engine.models.linear import LinearModel
from tests.support.kept import bytes_kept
from tests.support.problems import random_problem
from tests.support.reference import explicit_scores, relative_error


@pytest.fixture(scope="module")
def digits() -> tuple[Dataset, LinearModel]:
    dataset = load_dataset("digits")
    return dataset, fit(dataset)


@pytest.fixture(scope="module")
def small() -> tuple[Dataset, LinearModel]:
    dataset, _ = random_problem(21, n=40, d=4)
    return dataset, fit(dataset)


def outside(model: LinearModel, dataset: Dataset, rank: int) -> int:
    """The training sample of that rank under the honest model."""
    found = influence_scores(model, dataset).ranks
    return int(np.flatnonzero(found == rank)[0])


def plan_for(problem, model, targets, k=1, steps=100, objective="higher_ranked", ball=1.0):
    """One run per learning rate, from θ* moved along a fixed direction."""
    honest = problem.encode(model)
    rates = torch.tensor([0.01, 0.1], dtype=honest.dtype)
    direction = torch.as_tensor(
        np.random.default_rng(0).standard_normal(honest.shape), dtype=honest.dtype
    )
    theta = honest + ball * direction / direction.norm()
    return Plan(
        theta=theta.repeat(2, 1),
        honest=honest,
        targets=torch.tensor([targets, targets]),
        learning_rates=rates,
        ball=ball,
        k=k,
        steps=steps,
        objective=ATTACK_OBJECTIVES[objective],
    )


def test_steps_equal_torch_adam_on_autograd(small):
    """The twin: autograd through an explicit inverse, torch.optim.Adam, projection; float64."""
    dataset, model = small
    problem = LinearProblem.build(dataset, dtype="float64")
    target = outside(model, dataset, 30)
    # Solves inside a step stop at 1e-3, so the twin agrees to that order, not to rounding.
    plan = plan_for(problem, model, [target], ball=0.5)
    state = init(plan)
    basis = problem.basis
    # The twin lives in the same basis as the attack.
    theta = [torch.nn.Parameter(plan.theta[i].clone()) for i in range(2)]
    optimizers = [
        torch.optim.Adam([p], lr=float(rate))
        for p, rate in zip(theta, plan.learning_rates, strict=True)
    ]
    for _ in range(4):
        if len(state.active) < 2:
            break
        state, _info = step(problem, plan, state)
        for p, optimizer in zip(theta, optimizers, strict=True):
            optimizer.zero_grad()
            original = (p.view(dataset.n_classes, -1) @ basis.T).flatten()
            scores = explicit_scores(original, dataset, 0.25)
            above = (scores > scores[target]).double().detach()
            (scores @ above / above.sum() - scores[target]).backward()
            optimizer.step()
            with torch.no_grad():
                p.copy_(project(p.unsqueeze(0), plan.honest, plan.ball)[0])
        for i, row in zip(state.active.tolist(), state.theta, strict=True):
            assert relative_error(row, theta[i].detach()) < 5e-3
    assert state.step >= 3


def test_learning_rates_fall_to_a_tenth_after_half(small):
    dataset, model = small
    problem = LinearProblem.build(dataset, dtype="float64")
    plan = plan_for(problem, model, [outside(model, dataset, 40)], steps=4, ball=100.0)
    state, lengths = init(plan), []
    while len(state.active) == 2 and state.step < 4:
        before = state.theta
        state, _ = step(problem, plan, state)
        if len(state.active) == 2:
            lengths.append(float((state.theta - before)[0].norm()))
    assert len(lengths) >= 3
    assert lengths[2] < 0.2 * lengths[1]


def test_a_run_can_be_left_and_taken_up_again(digits):
    """States are values: going on from one twice gives the same, bit for bit."""
    dataset, model = digits
    problem = LinearProblem.build(dataset)
    plan = plan_for(problem, model, [outside(model, dataset, 900)], ball=0.8)
    state = init(plan)
    for _ in range(3):
        state, _ = step(problem, plan, state)

    def go_on(state):
        for _ in range(4):
            state, info = step(problem, plan, state)
        return state, info

    first, info = go_on(state)
    second, again = go_on(state)
    assert torch.equal(first.theta, second.theta)
    np.testing.assert_array_equal(info.rank, again.rank)
    assert torch.equal(first.best_theta, second.best_theta)


def test_a_batch_of_attacks_equals_each_alone(digits):
    """Same starts, and the same first steps up to the rounding of the products."""
    dataset, model = digits
    targets = [outside(model, dataset, r) for r in (300, 800)]
    options: dict[str, Any] = {"radius": 0.15, "restarts": 2, "steps": 5}
    together = attack_each(model, dataset, targets, **options)
    for target, result in zip(targets, together, strict=True):
        alone = attack(model, dataset, target, **options)
        early = result.trajectory.query("step <= 2")
        twin = alone.trajectory.query("step <= 2")
        np.testing.assert_allclose(early["loss"], twin["loss"], rtol=2e-3)
        assert result.targets == alone.targets == (target,)
        assert result.runs["run"].tolist() == [0, 1, 2, 3]


def test_a_worthless_sample_goes_to_the_top(digits):
    dataset, model = digits
    target = outside(model, dataset, 1126)
    result = attack(model, dataset, target, k=1, radius=0.35)
    assert result.before.ranks[target] == 1126
    assert (result.rank_test, result.success, result.any_run_success) == (1, True, True)
    # the returned model really has that rank: asked again, in float64, of the public call
    exact = influence_scores(result.model, dataset, dtype="float64", tolerance=1e-10)
    assert exact.ranks[target] == 1
    assert result.distance <= 0.35 * (1 + 1e-6)
    honest = np.linalg.norm(result.model.parameters - model.parameters)
    assert honest / model.norm == pytest.approx(result.distance)
    assert result.accuracy_after == result.model.accuracy(dataset.X_holdout, dataset.y_holdout)
    assert len(result.runs) == 10
    assert result.runs["returned"].sum() == 1


def test_the_returned_run_is_chosen_without_holdout(digits):
    dataset, model = digits
    result = attack(model, dataset, outside(model, dataset, 500), restarts=3)
    runs = result.runs
    best = runs[runs["rank_test"] == runs["rank_test"].min()]
    returned = runs[runs["returned"]].iloc[0]
    assert returned["rank_test"] == best["rank_test"].min()
    assert returned["accuracy_test"] == best["accuracy_test"].max()
    assert returned["rank_test"] == result.rank_test
    assert returned["rank_holdout"] == result.rank_holdout
    assert returned["accuracy_holdout"] == pytest.approx(result.accuracy_after)


def test_runs_that_arrive_leave_and_others_go_on(digits):
    dataset, model = digits
    result = attack(model, dataset, outside(model, dataset, 1126), radius=0.35)
    last = result.trajectory.groupby("run")["step"].max()
    arrived = result.runs.set_index("run")["reached"]
    final = result.trajectory.groupby("run")["rank"].last()
    assert (final[arrived] <= 1).all()
    assert (last[~arrived] == 100).all()
    assert last.min() < last.max()


def test_every_iterate_stays_in_the_ball(small):
    dataset, model = small
    problem = LinearProblem.build(dataset, dtype="float64")
    plan = plan_for(problem, model, [outside(model, dataset, 35)], ball=0.2)
    state = init(plan)
    while not state.finished and state.step < 20:
        state, _ = step(problem, plan, state)
        distance = (state.theta - plan.honest).norm(dim=1)
        assert (distance <= plan.ball * (1 + 1e-12)).all()


def test_starts_lie_on_the_sphere_and_belong_to_their_target():
    theta = np.ones(6)
    points = starts(theta, 2.0, 4, seed=0, targets=[3])
    np.testing.assert_allclose(np.linalg.norm(points - theta, axis=1), 2.0)
    np.testing.assert_array_equal(points[:2], starts(theta, 2.0, 2, seed=0, targets=[3]))
    assert not np.allclose(points, starts(theta, 2.0, 4, seed=1, targets=[3]))
    assert not np.allclose(points, starts(theta, 2.0, 4, seed=0, targets=[4]))
    np.testing.assert_array_equal(starts(theta, 2.0, 0, seed=0, targets=[3]), theta[None])


@pytest.mark.parametrize("objective", ["higher_ranked", "accurate"])
def test_without_the_gauge_none_of_the_ball_is_spent_on_it(small, objective):
    """The part of a move that is the same for every class changes no score."""
    dataset, model = small
    target, options = outside(model, dataset, 30), AttackOptions(objective=objective, radius=0.6)
    for free in (False, True):
        asked = replace(options, gauge_free=free, steps=15)
        problem, before = honest_scores(asked, model, dataset, "cpu", None)
        plan = make_plan(asked, problem, model, before=before, sets=[(target,)], ks=(1,))
        state = init(plan)
        shares = []
        while not state.finished:
            offset = (state.theta - plan.honest).double()
            shared = offset - without_gauge(offset, dataset.n_classes)
            shares.append(float((shared.norm(dim=1) / offset.norm(dim=1)).max()))
            if state.step == 0:  # on the sphere all the same
                lengths = offset.norm(dim=1).numpy()
                np.testing.assert_allclose(lengths, plan.ball, rtol=1e-5)
            assert bool((offset.norm(dim=1) <= plan.ball * (1 + 1e-5)).all())
            state, _ = step(problem, plan, state)
        assert max(shares) < 1e-5 if free else min(shares) > 0.01


def test_the_gauge_of_a_network_is_refused_and_a_default_request_keeps_its_key(small):
    dataset, _ = small
    network = engine.fit_network(dataset, "mlp", device="cpu")
    with pytest.raises(InvalidInput, match="gauge_free must be False for a network"):
        attack(network, dataset, 3, steps=1, gauge_free=True, device="cpu")
    assert "gauge_free" not in values_of(AttackRequest()) | values_of(SweepRequest())
    assert values_of(AttackRequest(gauge_free=True))["gauge_free"] is True


def test_no_restarts_start_once_at_the_honest_model(small):
    dataset, model = small
    target = outside(model, dataset, 20)
    result = attack(model, dataset, target, restarts=0, steps=2, learning_rates=(0.01,))
    assert len(result.runs) == 1
    assert result.trajectory.query("step == 0")["rank"].tolist() == [20]


def test_lowest_first_is_the_attack_on_negated_scores(digits):
    dataset, model = digits
    target = outside(model, dataset, 100)
    result = attack(model, dataset, target, radius=0.35, order="lowest_first", restarts=2)
    assert result.before.ranks[target] == 1101
    assert result.success
    exact = influence_scores(result.model, dataset)
    assert exact.scores[target] == exact.scores.min()


KS = (1, 3, 10, 30)


@pytest.fixture(scope="module")
def several(digits) -> dict[str, list[dict[int, AttackResult]]]:
    """One run for every k, in float64: a batch that runs leave at other times rounds otherwise,
    and in float32 that shows after some tens of steps."""
    dataset, model = digits
    targets = [outside(model, dataset, r) for r in (600, 1126)]
    options: dict[str, Any] = {"radius": 0.3, "restarts": 1, "steps": 40, "dtype": "float64"}
    return {
        objective: attack_each_k(
            model, dataset, targets, KS, AttackOptions(objective=objective, **options)
        )
        for objective in ("higher_ranked", "target")
    }


@pytest.mark.parametrize("objective", ["higher_ranked", "target"])
def test_one_run_serves_every_k(digits, several, objective):
    dataset, model = digits
    options: dict[str, Any] = {"radius": 0.3, "restarts": 1, "steps": 40, "dtype": "float64"}
    targets = [by_k[1].targets[0] for by_k in several[objective]]
    for k in KS:
        alone = attack_each(model, dataset, targets, k, objective=objective, **options)
        for by_k, twin in zip(several[objective], alone, strict=True):
            result = by_k[k]
            assert (result.k, result.targets) == (k, twin.targets)
            # ranks, accuracies, who arrived, and when
            pd.testing.assert_frame_equal(result.runs, twin.runs)
            assert (result.success, result.any_run_success) == (twin.success, twin.any_run_success)
            np.testing.assert_array_equal(result.after.ranks, twin.after.ranks)
            np.testing.assert_array_equal(result.after_holdout.ranks, twin.after_holdout.ranks)
            assert (result.accuracy_after, result.topk_kept) == (
                twin.accuracy_after, twin.topk_kept
            )  # fmt: skip
            np.testing.assert_allclose(result.model.parameters, twin.model.parameters, atol=1e-9)
            columns = ["run", "step", "rank"]
            pd.testing.assert_frame_equal(result.trajectory[columns], twin.trajectory[columns])


def test_what_serves_a_wider_k_is_the_first_iterate_in_that_top(digits, several):
    dataset, _ = digits
    seen = set()
    for by_k in several["higher_ranked"]:
        for k, result in by_k.items():
            runs = result.runs.set_index("run")
            for run, path in result.trajectory.groupby("run"):
                ranks, steps = path["rank"].to_numpy(), runs.loc[run, "steps"]
                assert path["step"].tolist() == list(range(steps + 1))
                assert (ranks[:-1] > k).all()
                assert (ranks[-1] <= k) == runs.loc[run, "reached"]
            exact = influence_scores(result.model, dataset, dtype="float64", tolerance=1e-10)
            assert exact.ranks[result.targets[0]] == result.rank_test
            assert result.success == (result.rank_test <= k)
            seen.add((k, result.rank_test))
        steps = [by_k[k].runs["steps"] for k in KS]
        assert all((later <= first).all() for first, later in pairwise(steps))
    assert any(1 < rank <= k for k, rank in seen)  # a wider k was served on the way to the first


def test_several_k_are_refused_where_runs_depend_on_k(small):
    dataset, model = small
    targets = [outside(model, dataset, r) for r in (30, 35)]
    with pytest.raises(InvalidInput, match=r"ks must be a single k: runs of the objective 'top_k'"):
        attack_each_k(model, dataset, targets, (1, 3), AttackOptions(objective="top_k"))
    with pytest.raises(InvalidInput, match=r"ks must be a single k: .*sets of targets .*\(1, 3\)"):
        attack_each_k(model, dataset, [targets], (3, 1))
    found = attack_each_k(model, dataset, [targets], (2,), AttackOptions(restarts=1, steps=1))
    assert list(found[0]) == [2]
    for ks in ((), 3, (0,), (41,), ("1",)):
        with pytest.raises(InvalidInput, match=r"^ks? must be"):
            attack_each_k(model, dataset, targets, ks)  # type: ignore[arg-type]  # the point


def test_k_come_back_ascending_and_once(small):
    dataset, model = small
    target = outside(model, dataset, 35)
    [found] = attack_each_k(
        model, dataset, [target], [10, 2, 10], AttackOptions(restarts=1, steps=2)
    )
    assert list(found) == [2, 10]


def test_several_targets_take_the_top_k(digits):
    dataset, model = digits
    targets = [outside(model, dataset, r) for r in (200, 400, 900)]
    result = attack(model, dataset, targets, k=3, radius=0.5, restarts=3)
    inside = int((result.ranks_test <= 3).sum())
    assert result.share_of_targets == result.share_of_topk == inside / 3
    assert result.success == (inside == 3)
    assert result.rank_test is None
    wider = attack(model, dataset, targets, k=2, radius=0.5, restarts=2)
    assert wider.success == (int((wider.ranks_test <= 2).sum()) >= 2)


SCORES = torch.tensor([[0.1, 0.5, 0.3, 0.9, -1.0]])


@pytest.mark.parametrize(
    ("name", "k", "expected"),
    [
        ("higher_ranked", 1, [0, 0.5, -1, 0.5, 0]),
        ("top_k", 1, [0, 0, -1, 1, 0]),
        ("top_k", 2, [0, 0.5, -1, 0.5, 0]),
        ("target", 1, [0, 0, -1, 0, 0]),
        ("higher_ranked", 3, [0, 0, 0, 0, 0]),  # already in the top 3: nothing left to do
    ],
)
def test_objectives_by_hand(name, k, expected):
    targets = torch.tensor([[2]])
    standing = Standing(SCORES, targets, target_ranks(SCORES, targets), k)
    c = ATTACK_OBJECTIVES[name].coefficients(standing)
    assert c[0].tolist() == pytest.approx(expected)


def test_several_targets_add_their_single_coefficients():
    """Eq. 5, over the targets that are not yet at the top."""
    targets = torch.tensor([[0, 1, 3]])  # ranks 4, 2 and 1
    standing = Standing(SCORES, targets, target_ranks(SCORES, targets), 1)
    c = ATTACK_OBJECTIVES["higher_ranked"].coefficients(standing)
    third = 1 / 3
    assert c[0].tolist() == pytest.approx([-1, third - 1, third, third + 1, 0])
    assert worst_needed(standing.ranks, 2).tolist() == [2]


def test_every_step_is_reported_and_can_stop_the_attack(digits):
    dataset, model = digits
    seen = []

    def watch(info):
        seen.append(info)
        if info.step == 2:
            raise Cancelled("stopped by the test")

    with pytest.raises(Cancelled):
        attack(model, dataset, outside(model, dataset, 700), radius=0.1, on_step=watch)
    assert [i.step for i in seen] == [0, 1, 2]
    assert seen[0].rank.shape == seen[0].run.shape == (10,)
    assert ((seen[0].accuracy_test > 0) & (seen[0].accuracy_holdout <= 1)).all()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"targets": 1200}, r"target must be a whole number in \[0, 1199\]. Got 1200"),
        ({"targets": -1}, "target must be"),
        ({"targets": "7"}, "targets must be a training index"),
        ({"targets": 1.5}, "target must be"),
        ({"targets": []}, "targets must be at least one"),
        ({"targets": [4, 4]}, r"targets must be distinct; \[4\] appear more than once"),
        ({"k": 0}, "k must be a whole number >= 1. Got 0"),
        ({"k": 1201}, r"k must be a whole number in \[1, 1200\]. Got 1201"),
        ({"radius": 0}, "radius must be a finite number > 0. Got 0"),
        ({"radius": -0.5}, "radius must be"),
        ({"radius": float("inf")}, "radius must be"),
        ({"objective": "magic"}, "objective must be one of 'higher_ranked', 'top_k', 'target'"),
        ({"restarts": -1}, "restarts must be a whole number >= 0"),
        ({"steps": 0}, "steps must be"),
        ({"seed": -3}, "seed must be"),
        ({"learning_rates": ()}, "learning_rates must be a sequence with at least one"),
        ({"learning_rates": (0.0,)}, "learning_rates must be"),
        ({"damping": 0}, "damping must be"),
        ({"order": "sideways"}, "order must be one of"),
    ],
)
def test_bad_input_is_named(digits, options, words):
    dataset, model = digits
    with pytest.raises(InvalidInput, match=words):
        attack(model, dataset, **{"targets": 5, **options})


def test_a_target_already_in_the_top_is_refused(digits):
    dataset, model = digits
    first = outside(model, dataset, 1)
    with pytest.raises(
        InvalidInput, match=rf"target must be outside the honest top-1 .* Got {first}"
    ):
        attack(model, dataset, first)
    attack(model, dataset, [first, outside(model, dataset, 50)], k=2, steps=1, restarts=1)


def test_cuda_without_cuda_is_refused(digits):
    with pytest.raises(DeviceUnavailable, match="Use device='auto' or 'cpu'"):
        attack(digits[1], digits[0], 5, device="cuda:99")


def test_an_attack_that_memory_cannot_hold_is_refused_with_what_would_fit(monkeypatch):
    dataset, _ = random_problem(0)
    each = batch.bytes_per_run(dataset, "float32")
    kept = batch.bytes_of_features(dataset, "float32")
    monkeypatch.setattr(batch, "memory_available", lambda device: 7 * each + kept)
    batch.check_memory(AttackOptions(restarts=3), dataset, "cpu")
    with pytest.raises(InvalidInput, match="at most 3 here: 8 runs"):
        batch.check_memory(AttackOptions(restarts=4), dataset, "cpu")
    monkeypatch.setattr(batch, "memory_available", lambda device: kept // 2)
    with pytest.raises(InvalidInput, match="at most 0 here: 2 runs"):
        batch.check_memory(AttackOptions(restarts=1), dataset, "cpu")


@pytest.mark.parametrize("precision", ["full", "mixed"])
def test_memory_for_the_features_is_that_of_the_tensors_which_an_attack_keeps(precision):
    dataset, _ = random_problem(0, n=300, d=20)
    problem, _ = in_precision(LinearProblem.build(dataset, device="cpu").packed(), precision)
    assert isinstance(problem, LinearProblem)
    size = bytes_kept(problem)
    most = batch.bytes_of_features(dataset, "float32")
    unpacked = problem.train.packed is None and precision == "full"
    assert size <= most <= (2 if unpacked else 1.5) * size
