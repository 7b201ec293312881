"""The experiment on the smallest radius: its targets, its comparison, its files."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from engine.attacks.attack import attack
from engine.attacks.sweep import draw_targets
from engine.data.dataset import Dataset
from engine.errors import InvalidInput
from engine.experiments import Context, MinimalRadiusRequest, MinimalRadiusResult, experiment
from engine.experiments.base import honest_model
from engine.experiments.minimal_radius import (
    TABLES,
    TUNING_SEEDS,
    TUNING_TARGETS,
    fresh_targets,
    pooled,
)
from engine.models.linear import LinearModel
from engine.models.model import Model
from engine.progress import Progress
from engine.statistics import holm, sign_test
from tests.support.problems import random_problem
from tests.support.stores import same

REQUEST = MinimalRadiusRequest(
    n_targets=2, start_radii=(0.8,), restarts=1, start_steps=15, steps=12, hops=1, competitors=5,
    radii=(0.2, 0.8), other_restarts=1, objectives=("higher_ranked",),
)  # fmt: skip


def made(radius, lost, other, k=1) -> MinimalRadiusResult:
    """A result of three or more targets, with one attack at radius 0.2 that reached `other`."""
    radius = np.asarray(radius, dtype=float)
    n = len(radius)
    others = pd.DataFrame(
        {
            "objective": "accurate", "radius": 0.2, "target": np.arange(n), "arrived": other,
            "any_run": other, "rank": 1, "lost_test": 0.0, "lost_holdout": 0.0,
            "distance": 0.2, "seconds": 2.0,
        }
    )  # fmt: skip
    return MinimalRadiusResult(
        k=k,
        targets=np.arange(n),
        radius=radius,
        arrived=np.isfinite(radius),
        rank_before=np.arange(n) + 5,
        rank_after=np.where(np.isfinite(radius), 1, 9),
        lost_test=np.asarray(lost, dtype=float),
        lost_holdout=np.asarray(lost, dtype=float),
        honest_ranks=np.arange(20) + 1,
        parameters=np.empty(0),
        starts=pd.DataFrame({"target": np.arange(n), "start_seconds": 1.0, "seconds": 2.0}),
        path=pd.DataFrame({"target": np.arange(n)}),
        others=others,
    )


def test_the_comparison_is_paired() -> None:
    result = made(
        [0.1, 0.19, 0.2, 0.25, np.nan, 0.15],
        [0.0, 0.05, 0.03, 0.0, 0.0, 0.0],
        [True, False, False, False, True, False],
    )
    assert result.moved(0.2).tolist() == [True, True, True, False, False, True]
    assert result.moved(0.2, 0.03).tolist() == [True, False, True, False, False, True]
    (row,) = result.compared(0.03).to_dict("records")
    assert (row["minimal"], row["other"]) == (3, 2)
    assert (row["only_minimal"], row["only_other"]) == (2, 1)
    assert row["p"] == row["p_holm"] == sign_test(2, 1)
    assert (row["seconds"], row["minimal_seconds"]) == (12.0, 18.0)


def lots() -> tuple[MinimalRadiusResult, MinimalRadiusResult]:
    """Two lots of three targets. The search alone moves one of the first and two of the other."""
    one = made([0.1, 0.19, 0.3], [0.0] * 3, [True, False, False])
    two = made([0.1, 0.19, 0.2], [0.0] * 3, [True, False, False])
    later = {name: getattr(two, name) for name in TABLES}
    moved = {name: table.assign(target=table["target"] + 3) for name, table in later.items()}
    return one, replace(two, targets=two.targets + 3, **moved)


def test_lots_of_targets_are_put_side_by_side() -> None:
    one, two = lots()
    both = pooled([one, two])
    assert both.targets.tolist() == [0, 1, 2, 3, 4, 5]
    assert both.moved(0.2).tolist() == [*one.moved(0.2), *two.moved(0.2)]
    theirs = both.moved_by("accurate", 0.2).tolist()
    assert theirs == [*one.moved_by("accurate", 0.2), *two.moved_by("accurate", 0.2)]
    assert both.seconds == one.seconds + two.seconds
    (row,) = both.compared(0.03, looks=2).to_dict("records")
    assert (row["minimal"], row["other"], row["only_minimal"]) == (5, 2, 3)
    assert row["p"] == row["p_holm"] == 2 * sign_test(3, 0)
    assert one.compared(0.03, looks=2)["p"].tolist() == [1.0]  # never above 1


def test_a_rank_that_rounding_changes_does_not_part_lots() -> None:
    one, two = lots()
    ranks = two.honest_ranks.copy()
    ranks[3:5] = ranks[[4, 3]]
    assert len(pooled([one, replace(two, honest_ranks=ranks)]).targets) == 6


def test_a_lot_that_was_attacked_at_one_radius_alone_counts_there() -> None:
    """At 0.1 only the first lot was attacked; at 0.2 both were."""
    one, two = lots()
    nearer = one.others.assign(radius=0.1, arrived=False)
    one = replace(one, others=pd.concat([nearer, one.others], ignore_index=True))
    both = pooled([one, two])
    assert both.on(0.2) is both
    assert both.on(0.1).targets.tolist() == one.targets.tolist()
    assert set(both.on(0.1).starts["target"]) == set(one.targets.tolist())
    near, far = both.compared(0.03).sort_values("radius").to_dict("records")
    assert (near["radius"], near["targets"]) == (0.1, 3)
    assert (far["radius"], far["targets"]) == (0.2, 6)
    assert (near["minimal"], far["minimal"], far["other"]) == (one.moved(0.1, 0.03).sum(), 5, 2)
    assert near["minimal_seconds"] == one.seconds


def test_lots_that_do_not_belong_together_are_refused() -> None:
    one, two = lots()
    with pytest.raises(InvalidInput, match="without a target in common"):
        pooled([one, one])
    ranks = two.honest_ranks
    many = ranks.copy()
    many[:4] = many[[1, 0, 3, 2]]  # each by one place, but four samples
    others = [replace(two, honest_ranks=other) for other in (ranks[::-1], ranks[:-1], many)]
    for other in (replace(two, k=2), *others):
        with pytest.raises(InvalidInput, match="the same k and honest model"):
            pooled([one, other])


def test_holm_by_hand() -> None:
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03]), [0.03, 0.06, 0.06])
    np.testing.assert_allclose(holm([0.6, 0.9]), [1.0, 1.0])
    assert holm([]).tolist() == []
    with pytest.raises(ValueError, match="p_values"):
        holm([1.2])


def test_reported_targets_were_not_tuned_on() -> None:
    ranks = np.random.default_rng(3).permutation(200) + 1
    outside = np.flatnonzero(ranks > 3)
    tuned = [t for s in TUNING_SEEDS for (t,) in draw_targets(outside, TUNING_TARGETS, 1, s)]
    request = MinimalRadiusRequest(k=3, n_targets=30)
    drawn = fresh_targets(request, ranks)
    assert len(set(drawn)) == 30 and not set(drawn) & set(tuned)
    assert (ranks[list(drawn)] > 3).all()
    assert fresh_targets(replace(request, targets_seed=5), ranks) != drawn
    # Where few are left, fewer of those that were tuned on are left out.
    assert len(fresh_targets(replace(request, n_targets=190), ranks)) == 190


def test_what_is_saved_comes_back(tmp_path: Path) -> None:
    dataset, _ = random_problem(6, n=40, d=3)
    kind = experiment("minimal-radius")
    result = kind.run(REQUEST, dataset, Context(device="cpu"))
    kind.save(result, tmp_path)
    assert same(kind.load(tmp_path), result)
    assert len(result.others) == 2 * 2 and len(result.targets) == 2
    assert result.parameters.shape == (2, 3, 4)
    assert "radius 0.2" in kind.describe(result) and "higher_ranked" in kind.describe(result)
    bare = kind.run(replace(REQUEST, keep_models=False), dataset, Context(device="cpu"))
    assert bare.parameters.size == 0
    np.testing.assert_array_equal(bare.radius, result.radius)


def test_attacks_get_the_time_of_the_search() -> None:
    """Each begins again from other random starts, and keeps the best of what it handed out."""
    dataset, _ = random_problem(6, n=40, d=3)
    request = replace(
        REQUEST, n_targets=4, radii=(0.2,), start_steps=5, equal_time=True, keep_models=False
    )
    result = experiment("minimal-radius").run(request, dataset, Context(device="cpu"))
    honest = honest_model(dataset, request.l2, Context(device="cpu"))
    ((_, rows),) = result.others.groupby("objective")
    assert (rows["rounds"] > 1).any(), "a search takes longer than five steps of Adam"
    assert rows["seconds"].sum() >= result.seconds or rows["arrived"].all()
    for row in rows.head(2).itertuples():
        tries = []
        for seed in range(min(row.rounds, 8)):
            made = attack(
                honest,
                dataset,
                row.target,
                radius=0.2,
                restarts=1,
                learning_rates=(0.1,),
                steps=5,
                seed=seed,
                device="cpu",
            )
            lost = result_lost(honest, made.model, dataset)
            tries.append((int(made.ranks_test[0]), round(lost, 9)))
        best = (row.rank, round(row.lost_test, 9))
        assert best <= min(tries) if row.rounds > 8 else best == min(tries)
    settled = rows[rows["arrived"] & (rows["lost_test"] <= request.tolerance)]
    assert (rows["rounds"].max() >= settled["rounds"]).all()


def test_one_by_one_is_each_target_alone() -> None:
    """An attack has the time of the search for its own target, and the numbers are those of a
    request for that target."""
    dataset, _ = random_problem(6, n=40, d=3)
    request = replace(
        REQUEST, n_targets=3, start_steps=5, equal_time=True, one_by_one=True, keep_models=False
    )
    kind = experiment("minimal-radius")
    reports: list[Progress] = []
    result = kind.run(request, dataset, Context(device="cpu", progress=reports.append))
    assert [(seen.done, seen.total) for seen in reports] == [(n, 9) for n in range(10)]
    assert request.tolerance is not None
    spent = result.starts.groupby("target")[["start_seconds", "seconds"]].sum().sum(axis=1)
    for row in result.others.itertuples():
        unnoticed = row.arrived and row.lost_test <= request.tolerance + 1e-9
        assert unnoticed or row.seconds >= spent[row.target]
    # The targets of a smaller request are the first of the draw: what is finished can be told.
    fewer = kind.run(replace(request, n_targets=2), dataset, Context(device="cpu"))
    assert fewer.targets.tolist() == result.targets[:2].tolist()
    np.testing.assert_array_equal(fewer.radius, result.radius[:2])
    together = kind.run(replace(request, one_by_one=False), dataset, Context(device="cpu"))
    assert together.targets.tolist() == result.targets.tolist()


def result_lost(honest: LinearModel, model: Model, dataset: Dataset) -> float:
    X, y = dataset.X_test, dataset.y_test
    return honest.accuracy(X, y) - model.accuracy(X, y)
