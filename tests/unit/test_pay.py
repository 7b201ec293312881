"""The objectives `pay`: coefficients against finite differences of the share, and that the targets
earn more than what attacks that move them bring."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from engine.attacks.attack import attack
from engine.attacks.objectives import (
    ATTACK_OBJECTIVES,
    Standing,
    earned,
    owned,
    soft_weights,
    target_ranks,
)
from engine.data.dataset import Dataset
from engine.influence.scores import influence_scores
from engine.market.vendors import Vendors, vendors_of_sets
from engine.models.fit import fit
from engine.models.linear import LinearModel
from engine.vocabulary import PAY
from tests.support.problems import random_problem
from tests.support.vendors import vendor_share

N, T = 15, 4


def standing(seed: int, progress: float = 0.3) -> Standing:
    rng = np.random.default_rng(seed)
    scores = torch.as_tensor(rng.standard_normal((3, N)))
    who = torch.as_tensor(np.stack([rng.choice(N, T, replace=False) for _ in range(3)]))
    return Standing(scores, who, target_ranks(scores, who), 5, progress=progress)


def soft_share(s: Standing, rule: str, scores: torch.Tensor) -> torch.Tensor:
    """The share (B,) with steps of the width and at the place of `s`, at other scores."""
    own = owned(s)
    heat = s.scores.std(1, keepdim=True) * 0.1**s.progress
    if rule == "rank":  # pair by pair: a sample earns 1 + how many others it is above
        gaps = (scores.unsqueeze(2) - scores.unsqueeze(1)) / heat.unsqueeze(2)
        above = torch.sigmoid(gaps) * (1 - torch.eye(N))
        weights = 1 + above.sum(2)
    elif rule == "top_k":
        ordered = s.scores.sort(dim=1, descending=True).values
        middle = ordered[:, s.k - 1 : s.k + 1].mean(1, keepdim=True)
        weights = 1 / (1 + torch.exp(-(scores - middle) / heat))
    else:
        weights = torch.relu(scores)
    return (own * weights).sum(1) / weights.sum(1)


@pytest.mark.parametrize(("name", "rule"), list(PAY.items()))
def test_coefficients_are_finite_differences_of_the_share(name, rule):
    """Central differences of step 1e-6 in float64: right to about 1e-9."""
    for seed in range(5):
        s, step = standing(seed), 1e-6
        c = ATTACK_OBJECTIVES[name].coefficients(s)
        for i in range(N):
            moved = torch.zeros(N, dtype=torch.float64)
            moved[i] = step
            up, down = (soft_share(s, rule, s.scores + sign * moved) for sign in (1, -1))
            np.testing.assert_allclose(c[:, i], -(up - down) / (2 * step), atol=1e-8, err_msg=seed)


def test_steps_grow_narrow_so_that_soft_shares_become_the_shares():
    for seed in range(3):
        s = standing(seed, progress=4.0)
        for rule in PAY.values():
            np.testing.assert_allclose(soft_share(s, rule, s.scores), earned(s, rule), atol=1e-3)


@pytest.mark.parametrize("rule", PAY.values())
def test_what_targets_earn_is_what_payments_say(rule):
    s = standing(7)
    for row, targets, share in zip(s.scores, s.targets, earned(s, rule), strict=True):
        owner = np.ones(N, dtype=np.int64)
        owner[targets] = 0
        vendors = Vendors(("own", "rest"), owner)
        paid = vendor_share(row.numpy(), vendors, 0, rule, k=s.k)
        assert float(share) == pytest.approx(paid, rel=1e-12)


def test_where_nobody_is_paid_nothing_divides_by_zero():
    s = standing(0)
    s = replace(s, scores=-s.scores.abs())
    assert earned(s, "positive").tolist() == [0, 0, 0]
    assert not ATTACK_OBJECTIVES["pay"].coefficients(s).any()


def test_a_step_at_the_last_place_needs_no_sample_behind_it():
    s = replace(standing(1), k=N)
    weights, slope = soft_weights(s, "top_k")
    assert torch.isfinite(weights).all() and (slope > 0).all()


@pytest.fixture(scope="module")
def market() -> tuple[Dataset, LinearModel, list[int]]:
    dataset, _ = random_problem(21, n=40, d=4)
    return dataset, fit(dataset), [3, 8, 13, 21, 34]


@pytest.mark.parametrize(("name", "rule"), list(PAY.items()))
@pytest.mark.parametrize("order", ["highest_first", "lowest_first"])
def test_the_targets_earn_at_least_what_moving_them_to_the_top_brings(market, name, rule, order):
    """From the same starts with the same radius; and the returned model is the run's best one."""
    dataset, model, own = market
    others = [i for i in range(dataset.n_train) if i not in own]
    vendors = vendors_of_sets({"own": own, "rest": others}, dataset.n_train)
    k = 8
    found = {
        objective: attack(
            model, dataset, own, k, 0.5, objective, restarts=1, steps=40, order=order,
            learning_rates=(0.1,),
        )
        for objective in (name, "higher_ranked")
    }  # fmt: skip

    def share(scores: np.ndarray) -> float:
        return vendor_share(scores, vendors, 0, rule, k=k, order=order)

    honest = share(influence_scores(model, dataset).scores)
    paid, moved = (share(result.after.scores) for result in found.values())
    assert paid > honest
    assert paid >= moved
    assert found[name].distance <= 0.5 + 1e-6


def test_a_run_counts_as_arrived_by_the_model_it_hands_out(market):
    dataset, model, own = market
    result = attack(model, dataset, own[0], 1, 0.05, "pay", restarts=1, steps=5)
    assert result.runs["reached"].tolist() == (result.runs["rank_test"] <= 1).tolist()
    assert result.success == bool(result.rank_test == 1)


def test_a_vendor_that_is_first_already_can_still_earn_more(market):
    """Other objectives refuse a target in the top: there is nothing to bring about."""
    dataset, model, _ = market
    first = int(influence_scores(model, dataset).scores.argmax())
    result = attack(model, dataset, first, 1, 0.3, "pay", restarts=0, steps=10)
    before, after = (
        np.maximum(r.scores, 0)[first] / np.maximum(r.scores, 0).sum()
        for r in (result.before, result.after)
    )
    assert after > before
