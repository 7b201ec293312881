"""The smallest radius: its steps, its gradient, and what is claimed of the models it returns."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog, nnls

import engine
from engine.attacks.minimal import attack_of
from engine.attacks.options import MinimalOptions
from engine.attacks.radius_search import (
    HOPS,
    Search,
    Trail,
    distinct,
    gap_coefficients,
    gaps_of,
    hop,
)
from engine.attacks.state import without_gauge
from engine.attacks.steps import curvature, lower_largest, multipliers, nearest
from engine.errors import InvalidInput
from engine.influence.linear import LinearProblem
from tests.support.problems import random_problem

QUICK = MinimalOptions(
    start_radii=(0.8,), restarts=2, start_steps=40, steps=20, competitors=6, hops=0
)


def by_cuts(a, G, o, reach, ball):
    """The least largest entry of a + G d with ‖d‖ <= reach and ‖o + d‖ <= ball, from below: a
    linear programme in which tangent planes stand for the balls, added until they are met."""
    P = G.shape[1]
    rows = [np.append(g, -1.0) for g in G]
    bounds = list(-a)
    cost = np.append(np.zeros(P), 1.0)
    for _ in range(400):
        found = linprog(
            cost, A_ub=np.array(rows), b_ub=bounds, bounds=[(-reach, reach)] * P + [(None, None)]
        )
        assert found.x is not None
        d, worst = found.x[:P], 0.0
        for centre, size in ((np.zeros(P), reach), (-o, ball)):
            away = d - centre
            length = np.linalg.norm(away)
            worst = max(worst, length - size)
            if length > size:
                normal = away / length
                rows.append(np.append(normal, 0.0))
                bounds.append(size + normal @ centre)
        if worst < 1e-7:
            return found.fun
    raise AssertionError("the cuts have not closed in")


def a_programme(seed, P=4, c=6):
    rng = np.random.default_rng(seed)
    return rng.normal(size=c), rng.normal(size=(c, P)), 0.5 * rng.normal(size=P), rng


@pytest.mark.parametrize("seed", range(6))
def test_the_step_lowers_the_largest_gap_as_far_as_any_can(seed):
    a, G, o, rng = a_programme(seed)
    reach, ball = rng.uniform(0.1, 1.0), np.linalg.norm(o) * rng.uniform(0.85, 1.0)
    reach = max(reach, 1.1 * (np.linalg.norm(o) - ball))  # the two balls meet
    d = lower_largest(a, G, o, reach, ball)
    assert np.linalg.norm(d) <= reach * (1 + 1e-6)
    assert np.linalg.norm(o + d) <= ball * (1 + 1e-6)
    assert (a + G @ d).max() == pytest.approx(by_cuts(a, G, o, reach, ball), abs=1e-5)


def costs_near(d, reach, cost, rng):
    """The costs of steps near to `d` and far from it, none longer than `reach`."""
    ways = rng.normal(size=(4, 200, len(d)))
    ways /= np.linalg.norm(ways, axis=-1, keepdims=True)
    steps = (d + np.array([1e-3, 1e-2, 0.1, 0.5])[:, None, None] * ways).reshape(-1, len(d))
    lengths = np.linalg.norm(steps, axis=1, keepdims=True)
    return np.array([cost(step) for step in steps * np.minimum(1.0, reach / lengths)])


@pytest.mark.parametrize("seed", range(6))
def test_the_nearest_step_beats_every_other(seed):
    """Its cost is what it says, and lower than that of random steps near and far: the cost is
    convex, so that none near it being lower shows it least."""
    a, G, o, rng = a_programme(seed)
    reach, price = 0.6, 1.0

    def cost(d):
        return (o + d) @ (o + d) / 2 + price * max(0.0, (a + G @ d).max())

    d, least = nearest(a, G, o, reach, price)
    assert np.linalg.norm(d) <= reach * (1 + 1e-6)
    assert least == pytest.approx(cost(d), abs=1e-6)
    assert costs_near(d, reach, cost, rng).min() >= least - 1e-7


@pytest.mark.parametrize("order", ["highest_first", "lowest_first"])
def test_the_gradient_of_a_gap_is_that_of_finite_differences(order):
    dataset, model = random_problem(3)
    problem = LinearProblem.build(dataset, 0.25, order, "float64", "cpu")
    theta, target, chosen = problem.encode(model), 7, torch.tensor([2, 11, 30])
    forward = problem.forward(theta, 1e-12)
    gaps = gaps_of(forward.scores[0], target)
    c = gap_coefficients(forward.scores[0], gaps, chosen, target)
    gradients, _ = problem.gradient(forward, c, 1e-12)
    rng = np.random.default_rng(0)
    for _ in range(3):
        way = torch.as_tensor(rng.normal(size=theta.shape))
        ends = [
            gaps_of(problem.forward(theta + h * way, 1e-12).scores[0], target)[chosen]
            for h in (1e-5, -1e-5)
        ]
        difference = (ends[0] - ends[1]) / 2e-5  # errs by 1e-10 of the third derivative
        torch.testing.assert_close(gradients @ way[0], difference, rtol=1e-6, atol=1e-8)


def test_moves_along_the_gauge_change_no_score():
    dataset, model = random_problem(4)
    problem = LinearProblem.build(dataset, 0.25, "highest_first", "float64", "cpu")
    theta = problem.encode(model)
    way = torch.as_tensor(np.random.default_rng(1).normal(size=theta.shape))
    gauge = way - without_gauge(way, dataset.n_classes)
    assert gauge.norm() > 0.1 * way.norm()
    moved = problem.forward(theta + gauge, 1e-12).scores
    torch.testing.assert_close(moved, problem.forward(theta, 1e-12).scores, rtol=1e-8, atol=1e-12)


@settings(max_examples=6, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 200),
    k=st.integers(1, 3),
    tolerance=st.sampled_from([None, 0.0, 0.1]),
    margins=st.booleans(),
)
def test_what_is_returned_holds_by_exact_scores(seed, k, tolerance, margins):
    dataset, _ = random_problem(seed, n=30, d=4)
    honest = engine.fit(dataset, 0.05)
    before = engine.influence_scores(honest, dataset, dtype="float64").ranks
    targets = [int(before.argmax())]
    options = MinimalOptions(
        start_radii=(0.8,), restarts=2, start_steps=30, steps=15, competitors=6, k=k,
        tolerance=tolerance, margins=margins, hops=2,
    )  # fmt: skip
    found = engine.minimal_radius(honest, dataset, targets, options, device="cpu")
    starts = engine.attack_each(
        honest, dataset, targets, k=k, radius=0.8, restarts=2, learning_rates=(0.1,), steps=30,
        device="cpu",
    )  # fmt: skip
    for i, target in enumerate(targets):
        model, radius = found.models[i], found.radius[i]
        scores = engine.influence_scores(model, dataset, estimator="exact", dtype="float64")
        assert found.rank_after[i] == scores.ranks[target]
        assert found.arrived[i] == (scores.ranks[target] <= k)
        lost = honest.accuracy(*dataset.split("test")) - model.accuracy(*dataset.split("test"))
        assert found.lost_test[i] == lost
        if not found.arrived[i]:
            assert np.isnan(radius) and model is honest
            continue
        moved = model.parameters - honest.parameters
        assert radius == pytest.approx(np.linalg.norm(moved) / honest.norm, rel=1e-12)
        assert np.abs(moved.mean(0)).max() < 1e-6  # nothing is spent on the gauge
        assert tolerance is None or lost <= tolerance + 1e-9
        if starts[i].success and tolerance is None:
            assert radius <= starts[i].distance + 1e-6
    path = found.path.dropna(subset="ball")
    assert (path["radius"] <= path["ball"] * (1 + 1e-5)).all()
    assert found.starts["looks"].max() <= options.steps + 2  # one look may end what another began


def test_more_starts_find_no_larger_radius():
    dataset, _ = random_problem(21, n=30, d=4)
    honest = engine.fit(dataset, 0.05)
    target = int(engine.influence_scores(honest, dataset).ranks.argsort()[15])
    few, many = (
        engine.minimal_radius(
            honest, dataset, target, replace(QUICK, start_radii=radii, k=3), device="cpu"
        )
        for radii in ((0.8,), (0.8, 1.2))
    )
    assert few.arrived[0]
    assert many.radius[0] <= few.radius[0]
    least = float(many.starts["radius"].min())
    assert many.radius[0] == pytest.approx(least, rel=1e-5)  # the search knows it in float32


@pytest.mark.parametrize("place", [5, 15, 25])
def test_rounds_end_when_one_gains_less_than_a_hundredth(place):
    """Two starts a round; where nothing arrives, all rounds are begun."""
    dataset, _ = random_problem(21, n=30, d=4)
    honest = engine.fit(dataset, 0.05)
    target = int(engine.influence_scores(honest, dataset).ranks.argsort()[place])
    options = replace(QUICK, start_radii=(0.8, 1.2), rounds=4)
    found = engine.minimal_radius(honest, dataset, target, options, device="cpu")
    radii = found.starts["radius"].fillna(np.inf).to_numpy().reshape(-1, 2).min(1)
    best = np.minimum.accumulate(radii)
    assert found.radius[0] == pytest.approx(best[-1], rel=1e-5) or not found.arrived[0]
    goes_on = ~np.isfinite(best[1:]) | (best[1:] < 0.99 * best[:-1])
    assert len(radii) > 1 and goes_on[:-1].all()
    assert len(radii) == 4 or not goes_on[-1]
    assert len(radii) == 4 or found.arrived[0]
    alone = engine.minimal_radius(honest, dataset, target, replace(options, rounds=1), device="cpu")
    np.testing.assert_array_equal(alone.starts["radius"], found.starts["radius"][:2])


def test_the_search_ends_within_what_is_enough():
    """Nothing is looked at after the first arrival within that radius; without an end the same
    models are looked at first."""
    dataset, _ = random_problem(21, n=30, d=4)
    honest = engine.fit(dataset, 0.05)
    target = int(engine.influence_scores(honest, dataset).ranks.argsort()[15])
    options = replace(QUICK, k=3, start_radii=(0.8, 0.7), hops=2)
    on = engine.minimal_radius(honest, dataset, target, options, device="cpu")
    enough = 1.5 * on.radius[0]
    ends = engine.minimal_radius(
        honest, dataset, target, replace(options, enough=enough), device="cpu"
    )
    looks = len(ends.path)
    assert ends.arrived[0] and on.radius[0] < ends.radius[0] <= enough
    assert looks < len(on.path) and len(ends.starts) == 1
    pd.testing.assert_frame_equal(ends.path, on.path[:looks])
    inside = (ends.path["phi"] < 0) & (ends.path["radius"] <= enough)
    assert inside.tolist() == [False] * (looks - 1) + [True]
    never = engine.minimal_radius(
        honest, dataset, target, replace(options, enough=0.5 * on.radius[0]), device="cpu"
    )
    np.testing.assert_array_equal(never.radius, on.radius)


def test_hops_find_no_larger_radius_and_say_what_they_are():
    dataset, _ = random_problem(21, n=30, d=4)
    honest = engine.fit(dataset, 0.05)
    target = int(engine.influence_scores(honest, dataset).ranks.argsort()[15])
    found = {
        hops: engine.minimal_radius(
            honest, dataset, target, replace(QUICK, k=3, hops=hops), device="cpu"
        )
        for hops in (0, 2)
    }
    assert found[0].arrived[0] and found[2].radius[0] <= found[0].radius[0]
    kinds = found[2].starts["kind"].tolist()
    assert found[0].starts["kind"].tolist() == ["attack"] == kinds[:1]
    assert set(kinds[1:]) == {"hop"}
    best, idle = found[2].starts["radius"].iloc[0], 0
    for radius in found[2].starts["radius"].iloc[1:]:
        assert idle < 2  # two in a row that gained nothing would have been the last
        idle = 0 if radius < 0.99 * best else idle + 1
        best = np.fmin(best, radius)
    assert idle == 2
    again = engine.minimal_radius(honest, dataset, target, replace(QUICK, k=3, hops=2))
    np.testing.assert_array_equal(again.radius, found[2].radius)


@pytest.mark.parametrize("number", [0, 1, 2, 3])
def test_a_hop_is_as_long_as_it_says_and_depends_on_the_seed(number):
    dataset, model = random_problem(3)
    problem = LinearProblem.build(dataset, 0.25, "highest_first", "float64", "cpu")
    theta = problem.encode(model)
    search = Search(
        problem, 0.9 * theta, model.norm, 1.0, 0.0, target=4, options=QUICK, trail=Trail(5)
    )
    seen = search.look(theta, 1.0)
    moved, ball = hop(search, seen, number)
    length = float((moved - theta).norm())
    assert seen.radius == pytest.approx(0.1)
    assert length == pytest.approx(HOPS[number % len(HOPS)] * 0.1 * model.norm, rel=1e-6)
    assert ball > 0.1
    assert torch.equal(hop(search, seen, number)[0], moved)
    for other in (replace(search, target=5), replace(search, options=replace(QUICK, seed=1))):
        assert not torch.equal(hop(other, seen, number)[0], moved)


def test_searches_start_from_the_attack_of_the_same_options():
    options = attack_of(MinimalOptions(k=3, damping=0.1, seed=5, restarts=4), 0.7)
    assert (options.k, options.damping, options.seed, options.restarts) == (3, 0.1, 5, 4)
    assert (options.radius, options.objective) == (0.7, "higher_ranked")


def test_what_cannot_be_asked_is_refused():
    dataset, _ = random_problem(5)
    honest = engine.fit(dataset)
    first = int(engine.influence_scores(honest, dataset).ranks.argmin())
    with pytest.raises(InvalidInput, match="outside the honest top-1"):
        engine.minimal_radius(honest, dataset, first, QUICK)
    with pytest.raises(InvalidInput, match="target must be"):
        engine.minimal_radius(honest, dataset, 400, QUICK)
    with pytest.raises(InvalidInput, match="tolerance"):
        MinimalOptions(tolerance=-0.1)
    network = engine.fit_network(dataset, "mlp", max_iterations=2)
    with pytest.raises(InvalidInput, match="linear models only"):
        engine.minimal_radius(network, dataset, first, QUICK)


def bfgs(pairs, size):
    """B by the inverse's update, and damped by hand: H ← (1 − ρ s yᵀ) H (1 − ρ y sᵀ) + ρ s sᵀ."""
    H = np.eye(size)
    for s, y in pairs:
        B = np.linalg.inv(H)
        if s @ y < 0.2 * (s @ B @ s):
            share = 0.8 * (s @ B @ s) / (s @ B @ s - s @ y)
            y = share * y + (1 - share) * B @ s
        left = np.eye(size) - np.outer(s, y) / (s @ y)
        H = left @ H @ left.T + np.outer(s, s) / (s @ y)
    return np.linalg.inv(H)


@pytest.mark.parametrize("seed", range(4))
def test_curvature_is_learned_as_by_the_update_of_the_inverse(seed):
    rng = np.random.default_rng(seed)
    pairs = [(rng.normal(size=5), rng.normal(size=5)) for _ in range(3)]
    B = curvature(pairs, 5)
    np.testing.assert_allclose(B, bfgs(pairs, 5), rtol=1e-8, atol=1e-10)
    assert np.linalg.eigvalsh(B).min() > 0
    A = rng.normal(size=(5, 5))
    A = A @ A.T + np.eye(5)
    s = rng.normal(size=5)
    np.testing.assert_allclose(curvature([(s, A @ s)], 5) @ s, A @ s)  # the secant condition


@pytest.mark.parametrize("seed", range(4))
def test_the_nearest_step_with_curvature_beats_every_other(seed):
    a, G, o, rng = a_programme(seed)
    reach, price = 0.6, 1.0
    pairs = [(rng.normal(size=4), rng.normal(size=4)) for _ in range(2)]
    B = bfgs(pairs, 4)

    def cost(d):
        return o @ o / 2 + o @ d + d @ B @ d / 2 + price * max(0.0, (a + G @ d).max())

    d, least = nearest(a, G, o, reach, price, pairs)
    assert np.linalg.norm(d) <= reach * (1 + 1e-6)
    assert least == pytest.approx(cost(d), abs=1e-6)
    assert costs_near(d, reach, cost, rng).min() >= least - 1e-6


def test_multipliers_explain_a_minimum_and_nothing_else():
    rng = np.random.default_rng(0)
    G, mu = rng.normal(size=(3, 8)), np.array([0.5, 0.0, 2.0])
    offset = -mu @ G
    np.testing.assert_allclose(multipliers(G, offset), mu, atol=1e-10)
    assert (multipliers(G, -offset) >= 0).all()


def stationarity(search, theta):
    """How much of the offset no limit that is met holds up: 0 at a local minimum."""
    here = search.linearised(search.look(theta, np.nan))
    held = here.values > -1e-3
    _, left = nnls(-here.gradients[held].T, here.offset)
    return left / np.linalg.norm(here.offset)


@pytest.mark.parametrize("seed", [21, 23, 25])
def test_refined_models_are_nearer_and_almost_local_minima(seed):
    """The conditions of Karush, Kuhn and Tucker hold, which they do not where searches end."""
    dataset, _ = random_problem(seed, n=30, d=4)
    honest = engine.fit(dataset, 0.05)
    target = int(engine.influence_scores(honest, dataset).ranks.argsort()[15])
    options = replace(QUICK, k=3, start_radii=(0.8, 1.2), competitors=20, steps=40)
    plain = engine.minimal_radius(honest, dataset, target, options, device="cpu")
    found = engine.minimal_radius(
        honest, dataset, target, replace(options, refined=2), device="cpu"
    )
    assert plain.arrived[0] and found.radius[0] <= plain.radius[0]
    kinds = found.starts["kind"].tolist()
    assert kinds[:2] == ["attack"] * 2 and 1 <= kinds.count("refined") <= 2
    pd.testing.assert_frame_equal(
        found.starts.head(2).drop(columns=["seconds", "start_seconds"]),
        plain.starts.drop(columns=["seconds", "start_seconds"]),
    )
    problem = LinearProblem.build(dataset, options.damping, options.order, "float64", "cpu")
    theta = problem.encode(honest)
    search = Search(
        problem, theta, honest.norm, 1.0, 0.0, target=target, options=options, trail=Trail(99)
    )
    assert stationarity(search, problem.encode(found.models[0])) < 0.1
    assert found.radius[0] < 0.999 * plain.radius[0]


def test_models_that_hardly_differ_are_refined_once():
    dataset, model = random_problem(3)
    problem = LinearProblem.build(dataset, 0.25, "highest_first", "float64", "cpu")
    theta = problem.encode(model)
    search = Search(
        problem, 0.9 * theta, model.norm, 1.0, 0.0, target=4, options=QUICK, trail=Trail(9)
    )
    seen = [search.look(factor * theta, np.nan) for factor in (1.2, 1.0, 1.001, 1.1)]
    chosen = distinct(search, seen)
    assert [one is other for one, other in zip(chosen, (seen[1], seen[3], seen[0]), strict=True)]
    assert len(chosen) == 3
