"""Objectives that keep something: their coefficients and terms against autograd, and which iterate
and which run are handed out."""

from dataclasses import replace
from typing import Any
from unittest.mock import patch

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr
from torch import nn

from engine.attacks.attack import attack, attack_each, attack_each_k
from engine.attacks.objectives import (
    ATTACK_OBJECTIVES,
    COLLATERAL,
    DRIFTED,
    FREE,
    TURNED,
    Standing,
    higher_ranked,
    kept_accuracy,
    kept_ranking,
    rank_correlation,
    softmax,
    target_ranks,
    two_pulls,
)
from engine.attacks.options import AttackOptions
from engine.attacks.result import AttackResult
from engine.attacks.state import HARDEST, Plan, pressed
from engine.data.dataset import Dataset
from engine.data.load import load_dataset
from engine.influence.linear import LinearProblem
from engine.influence.network import NetworkProblem
from engine.influence.problem import InfluenceProblem
from engine.influence.scores import influence_scores
from engine.models.fit import fit
from engine.models.linear import LinearModel
from engine.models.network import Network
from engine.scrutiny.evasion import ThroughPolishing
from engine.scrutiny.score_problem import ScoreProblem
from tests.support.problems import random_problem
from tests.support.reference import mean_loss, relative_error, with_ones

KEEPING = [
    name
    for name, goal in ATTACK_OBJECTIVES.items()
    if goal.upkeep is not None and not goal.upkeep.anywhere  # those: tests/unit/test_pay.py
]
FEW: dict[str, Any] = {
    "radius": 1.5,
    "restarts": 2,
    "steps": 60,
    "dtype": "float64",
}


@pytest.fixture(scope="module")
def small() -> tuple[Dataset, LinearModel, list[int]]:
    """A small problem, and the three samples that its honest model ranks 8th, 20th and 35th."""
    dataset, _ = random_problem(21, n=40, d=4)
    model = fit(dataset)
    ranks = influence_scores(model, dataset).ranks
    return dataset, model, [int(np.flatnonzero(ranks == r)[0]) for r in (8, 20, 35)]


def standing(seed: int, targets: int, **more) -> Standing:
    rng = np.random.default_rng(seed)
    scores = torch.as_tensor(rng.standard_normal((3, 12)))
    who = torch.as_tensor(np.stack([rng.choice(12, targets, replace=False) for _ in range(3)]))
    honest = torch.as_tensor(rng.standard_normal((1, 12)))
    return Standing(scores, who, target_ranks(scores, who), 1, honest=honest, **more)


def objective_value(s: Standing, scores: torch.Tensor, collateral: float) -> torch.Tensor:
    """What `two_pulls` lowers in its softmax runs, run by run and target by target, summed."""
    assert s.pressure is not None and s.honest is not None
    total = scores.new_zeros(())
    for b in range(len(scores)):
        spread, own = s.scores[b].std(), s.targets[b].tolist()
        heat = 0.1 ** min(1, s.progress / 0.8) * spread
        for t in own:
            rivals = [i for i in range(scores.shape[1]) if i == t or i not in own]
            losing = torch.logsumexp(scores[b, rivals] / heat, 0) - scores[b, t] / heat
            total = total + s.pressure[b] * heat * losing / spread
        others = [i for i in range(scores.shape[1]) if i not in own]
        moved = (scores[b, others] - s.honest[0, others]).square().sum()
        root = scores.shape[1] ** 0.5
        total = total + collateral * moved / (2 * s.honest.std() * root) / spread
    return total


@pytest.mark.parametrize("targets", [1, 3])
@pytest.mark.parametrize("collateral", [0.0, COLLATERAL])
@pytest.mark.parametrize("progress", [0.0, 0.7])
def test_coefficients_are_the_gradient_of_what_they_lower(targets, collateral, progress):
    pressure = torch.tensor([0.5, 1.0, 3.0], dtype=torch.float64)
    s = standing(7, targets, pressure=pressure, progress=progress)
    scores = s.scores.clone().requires_grad_()
    expected = torch.autograd.grad(objective_value(s, scores, collateral), scores)[0]
    found = two_pulls(s, cooled_at=0.8, collateral=collateral)
    np.testing.assert_allclose(found, expected, atol=1e-12)  # rounding


def test_every_other_start_has_the_papers_pull():
    pressure = torch.tensor([0.5, 1.0, 3.0], dtype=torch.float64)
    restart = torch.tensor([0, 1, 2])
    s = standing(11, 1, pressure=pressure, restart=restart)
    pull = torch.stack([softmax(s, 0.5)[0], higher_ranked(s)[1], softmax(s, 0.5)[2]])
    expected = pull * pressure.unsqueeze(1) / s.scores.std(1, keepdim=True)
    np.testing.assert_allclose(two_pulls(s, 0.5), expected, atol=1e-12)  # rounding
    assert not np.allclose(expected[1], (softmax(s, 0.5) * pressure[1])[1] / s.scores[1].std())


def test_a_target_far_above_all_others_is_left_alone():
    s = standing(3, 1)
    high = s.scores.scatter(1, s.targets, 50.0)
    assert two_pulls(replace(s, scores=high, progress=1.0), 0.5).abs().max() < 1e-9


@given(st.integers(0, 10_000), st.integers(2, 60))
@settings(max_examples=30, deadline=None)
def test_rank_correlation_is_spearmans(seed, n):
    rng = np.random.default_rng(seed)
    a, b = rng.standard_normal((2, n)), rng.standard_normal((1, n))
    found = rank_correlation(torch.as_tensor(a), torch.as_tensor(b))
    expected = [spearmanr(row, b[0]).statistic for row in a]
    np.testing.assert_allclose(found, expected, atol=1e-12, err_msg=f"seed {seed}")


@given(st.lists(st.integers(1, 9), min_size=3, max_size=3), st.floats(1 / HARDEST, HARDEST))
@settings(max_examples=50, deadline=None)
def test_pressure_grows_outside_the_top_falls_inside_and_stays_bounded(ranks, at):
    nothing = torch.zeros(3, 1)
    plan = Plan(
        theta=nothing, honest=nothing[:1], targets=nothing.long(), learning_rates=nothing[:, 0],
        ball=1.0, k=5, steps=1, objective=ATTACK_OBJECTIVES["accurate"],
    )  # fmt: skip
    before = torch.full((3,), at, dtype=torch.float64)
    after = pressed(plan, before, torch.tensor(ranks))
    assert ((after >= 1 / HARDEST) & (after <= HARDEST)).all()
    for rank, old, new in zip(ranks, before, after, strict=True):
        assert new <= old if rank == 1 else new >= old


def test_quality_counts_what_is_lost():
    honest = torch.arange(6.0).unsqueeze(0)
    s = Standing(
        honest.expand(3, 6), torch.zeros(3, 1).long(), torch.ones(3, 1).long(), 1,
        honest=honest, lost=torch.tensor([0.025, 0.005, -0.05]),
        drift=torch.tensor([0.0, DRIFTED, 3 * DRIFTED]),
    )  # fmt: skip
    assert kept_accuracy(s).tolist() == pytest.approx([-0.025, -0.005, 0.05])
    assert kept_ranking(s).tolist() == pytest.approx([0, -1, -3])
    turned = replace(s, scores=-s.scores)
    lost = (FREE + 1) / TURNED
    assert kept_ranking(turned).tolist() == pytest.approx([-lost, -lost - 1, -lost - 3])


def three_models(
    problem: LinearProblem, model: LinearModel, seed: int
) -> tuple[list[np.ndarray], torch.Tensor]:
    """Parameters around those of a model in the features' own basis, and in the problem's."""
    rng = np.random.default_rng(seed)
    own = [model.parameters + rng.standard_normal(model.parameters.shape) for _ in range(3)]
    encoded = [problem.encode(LinearModel.from_parameters(p, l2=0.02)) for p in own]
    return own, torch.cat(encoded)


def test_the_training_loss_and_its_gradient(small):
    """Against autograd in the features' own basis, float64."""
    dataset, model, _ = small
    problem = LinearProblem.build(dataset, dtype="float64")
    own, theta = three_models(problem, model, 2)
    values, gradients = problem.training_loss(theta, 0.02)
    X, y = with_ones(dataset.X_train), torch.as_tensor(dataset.y_train)
    for parameters, value, gradient in zip(own, values, gradients, strict=True):
        at = torch.as_tensor(parameters).flatten().requires_grad_()
        loss = mean_loss(at, X, y) + 0.01 * at.square().sum()
        expected = torch.autograd.grad(loss, at)[0].numpy().reshape(model.n_classes, -1)
        assert float(value) == pytest.approx(loss.item(), rel=1e-10)
        assert relative_error(problem.decode(gradient), expected) < 1e-10


def test_the_drift_of_predictions(small):
    """Against autograd in the features' own basis, float64; 0, and flat, at θ* itself."""
    dataset, model, _ = small
    problem = LinearProblem.build(dataset, dtype="float64")
    own, theta = three_models(problem, model, 5)
    values, gradients = problem.drift(theta, problem.encode(model))
    X = torch.cat([with_ones(dataset.X_train), with_ones(dataset.X_test)])
    before = torch.log_softmax(X @ torch.as_tensor(model.parameters).T, -1)
    for parameters, value, gradient in zip(own, values, gradients, strict=True):
        at = torch.as_tensor(parameters).requires_grad_()
        after = torch.log_softmax(X @ at.T, -1)
        drift = torch.nn.functional.kl_div(after, before, reduction="sum", log_target=True) / len(X)
        expected = torch.autograd.grad(drift, at)[0].numpy()
        assert float(value) == pytest.approx(drift.item(), rel=1e-10)
        assert relative_error(problem.decode(gradient), expected) < 1e-10
    nowhere = problem.drift(problem.encode(model), problem.encode(model))
    assert all(part.abs().max() < 1e-12 for part in nowhere)


def problem_named(
    kind: str, dataset: Dataset, model: LinearModel
) -> tuple[InfluenceProblem, torch.Tensor]:
    """An influence problem of each kind, float64, and a model (1, P) in it."""
    linear = LinearProblem.build(dataset, dtype="float64")
    theta = linear.encode(model) * 1.01
    if kind == "network":
        module = nn.Sequential(nn.Linear(dataset.n_features, 3), nn.Tanh(), nn.Linear(3, 3))
        count = sum(p.numel() for p in module.parameters())
        network = Network(module, np.random.default_rng(2).standard_normal(count), l2=0.01)
        problem = NetworkProblem.build(dataset, network, 2.0, dtype="float64")
        return problem, problem.encode(network)
    if kind == "weighted":
        weights = np.random.default_rng(1).uniform(0.5, 1.5, dataset.n_train)
        return linear.weighted(weights), theta
    if kind == "score":
        return ScoreProblem.of("gradient_dot", dataset, model.l2, dtype="float64"), theta
    if kind == "polished":
        return ThroughPolishing(linear, model.l2, target=4, step_tolerance=1e-11), theta
    return linear, theta


@pytest.mark.parametrize("kind", ["linear", "weighted", "network", "score", "polished"])
def test_the_gradient_with_the_training_loss(small, kind):
    """Every kind of problem adds the loss's own gradient, as often as it is asked to."""
    dataset, model, _ = small
    problem, theta = problem_named(kind, dataset, model)
    forward = problem.forward(theta, 1e-10)
    c = torch.as_tensor(np.random.default_rng(3).standard_normal(forward.scores.shape))
    alone, _ = problem.gradient(forward, c, 1e-10)
    both, _ = problem.gradient(forward, c, 1e-10, weight=2.5)
    _, of_loss = problem.training_loss(theta, 0.0)
    assert torch.allclose(both - alone, 2.5 * of_loss, rtol=1e-7, atol=1e-9)


def shuffled(dataset: Dataset, seed: int) -> Dataset:
    """The same with the holdout's labels permuted: no attacker could tell."""
    y = np.random.default_rng(seed).permutation(dataset.y_holdout)
    assert (y != dataset.y_holdout).any()
    return replace(dataset, y_holdout=y)


@pytest.mark.parametrize("objective", list(ATTACK_OBJECTIVES))
@pytest.mark.parametrize("stealth", [0.0, 0.5])
def test_holdout_chooses_nothing(small, objective, stealth):
    """Permuted labels of the holdout change what is measured, and not one bit of any model."""
    dataset, model, targets = small
    options = AttackOptions(**FEW | {"objective": objective, "stealth": stealth, "steps": 12})
    ks = (1,) if ATTACK_OBJECTIVES[objective].depends_on_k else (1, 3)
    other = attack_each_k(model, shuffled(dataset, 4), targets, ks, options)
    found = attack_each_k(model, dataset, targets, ks, options)
    measured = []
    for by_k, twins in zip(found, other, strict=True):
        for k, result in by_k.items():
            twin = twins[k]
            np.testing.assert_array_equal(result.model.parameters, twin.model.parameters)
            assert result.runs["returned"].tolist() == twin.runs["returned"].tolist()
            assert result.runs["steps"].tolist() == twin.runs["steps"].tolist()
            measured.append(result.accuracy_after == twin.accuracy_after)
    assert not all(measured), "the permutation must have changed what is measured"


@pytest.fixture(scope="module")
def moved(small) -> dict[str, list[AttackResult]]:
    """Attacks that never end early: every run shows what it does after its arrival."""
    dataset, model, targets = small
    found = {}
    for name in KEEPING:
        goal = ATTACK_OBJECTIVES[name]
        assert goal.upkeep is not None
        endless = replace(goal, upkeep=replace(goal.upkeep, enough=np.inf))
        with patch.dict(ATTACK_OBJECTIVES, {name: endless}):
            found[name] = attack_each(model, dataset, targets, objective=name, **FEW)
    return found


@pytest.mark.parametrize("objective", KEEPING)
def test_a_run_serves_with_the_best_of_its_iterates_in_the_top(small, moved, objective):
    dataset, _, _ = small
    gone_on = 0
    for result in moved[objective]:
        exact = influence_scores(result.model, dataset, dtype="float64", tolerance=1e-10)
        assert exact.ranks[result.targets[0]] == result.rank_test
        assert result.distance <= FEW["radius"] * (1 + 1e-9)
        for run, path in result.trajectory.groupby("run"):
            row = result.runs.set_index("run").loc[run]
            inside = path[path["rank"] <= 1]
            assert row["reached"] == bool(len(inside))
            if not row["reached"]:
                continue
            gone_on += int(path["step"].max() > inside["step"].min())
            if objective == "accurate":
                assert row["accuracy_test"] == inside["accuracy_test"].max()
    assert gone_on, "no run went on after its arrival: nothing was tested"


def test_the_returned_run_is_the_most_accurate_on_test(moved):
    arrived = 0
    for result in moved["accurate"]:
        runs = result.runs
        inside = runs[runs["reached"]]
        if len(inside):
            returned = runs[runs["returned"]].iloc[0]
            assert returned["reached"]
            assert returned["accuracy_test"] == inside["accuracy_test"].max()
            arrived += len(inside) > 1
    assert arrived, "no attack had two runs to choose from"


def test_one_run_that_keeps_enough_ends_its_attack_alone(small):
    dataset, model, targets = small
    goal, enough = ATTACK_OBJECTIVES["accurate"], -0.15
    assert goal.upkeep is not None
    lenient = replace(goal, upkeep=replace(goal.upkeep, enough=enough))
    with patch.dict(ATTACK_OBJECTIVES, accurate=lenient):
        found = attack_each(model, dataset, targets, objective="accurate", **FEW)
    ended = []
    for result in found:
        last = result.trajectory.groupby("run")["step"].max()
        honest = model.accuracy(dataset.X_test, dataset.y_test)
        path = result.trajectory
        good = path[(path["rank"] <= 1) & (path["accuracy_test"] - honest >= enough)]
        assert (last == (good["step"].min() if len(good) else FEW["steps"])).all()
        ended.append(bool(len(good)))
    assert any(ended)


@pytest.mark.parametrize("objective", KEEPING)
def test_one_run_serves_every_k(small, objective):
    dataset, model, targets = small
    together = attack_each_k(
        model, dataset, targets, (1, 3), AttackOptions(objective=objective, **FEW)
    )
    for k in (1, 3):
        alone = attack_each(model, dataset, targets, k, objective=objective, **FEW)
        for by_k, twin in zip(together, alone, strict=True):
            result = by_k[k]
            arrived = result.runs["reached"]
            assert arrived.tolist() == twin.runs["reached"].tolist()
            # one that never arrives goes on for the smaller k, and may come nearer meanwhile
            pd.testing.assert_frame_equal(result.runs[arrived], twin.runs[arrived])
            np.testing.assert_allclose(result.model.parameters, twin.model.parameters, atol=1e-9)


def test_sets_of_targets_take_the_top(small):
    dataset, model, targets = small
    found = attack(model, dataset, targets[:2], k=2, objective="accurate", **FEW)
    assert (found.ranks_test < found.before.ranks[targets[:2]]).all()
    assert found.share_of_topk >= 0.5


@pytest.fixture(scope="module")
def digits() -> tuple[Dataset, LinearModel, int]:
    dataset = load_dataset("digits")
    model = fit(dataset)
    ranks = influence_scores(model, dataset).ranks
    return dataset, model, int(np.flatnonzero(ranks == 900)[0])


def test_on_digits_quiet_keeps_more_of_the_ranking(digits):
    dataset, model, target = digits
    options: dict[str, Any] = {"radius": 0.5, "restarts": 1, "learning_rates": (0.1,), "steps": 60}
    plain = attack(model, dataset, target, **options)
    quiet = attack(model, dataset, target, objective="quiet", **options)
    assert plain.success
    assert quiet.success
    assert quiet.rank_correlation > plain.rank_correlation + 0.2
    assert quiet.accuracy_drop <= plain.accuracy_drop
