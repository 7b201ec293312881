"""The experiment on the deniable attack: its targets, its numbers, its files."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import engine
from engine.errors import InvalidInput
from engine.experiments import Context, DeniableRequest, DeniableResult, experiment
from engine.experiments.base import values_of
from engine.experiments.deniable import CHECKED, TRIED, caught, drawn_targets
from engine.statistics import detection
from tests.support.problems import random_problem
from tests.support.stores import same

REQUEST = DeniableRequest(
    dataset="small",
    n_targets=3, n_near=2, near=15, draws=4, trainers=4, around=2, points=5, fits=25,
    epsilons=(0.1, 0.5), tolerance=None, limit=0.6,
)  # fmt: skip


@pytest.fixture(scope="module")
def result() -> DeniableResult:
    dataset, _ = random_problem(3, n=60, d=5)
    found: DeniableResult = experiment("deniable").run(REQUEST, dataset, Context(device="cpu"))
    return found


def test_targets_are_fresh() -> None:
    ranks = np.random.default_rng(3).permutation(1200) + 1
    drawn = drawn_targets(DeniableRequest(), ranks)
    every = [*drawn["random"], *drawn["near"]]
    assert not set(every) & set(TRIED)
    assert (ranks[every] > 1).all() and (ranks[drawn["near"]] <= 60).all()
    assert [len(drawn[crowd]) for crowd in ("random", "near")] == [20, 8]
    other = drawn_targets(DeniableRequest(seed=3), ranks)
    assert other != drawn


def test_every_arrival_passes_the_checks_that_look_for_a_minimum(result: DeniableResult) -> None:
    """And none of those that hold it against one loss: polishing it leads back."""
    found = result.arrived
    assert len(found) > 4, "this small problem is easy"
    assert (found["rank_after"] == 1).all() and (found["gap"] < 0).all()
    assert found["gradient_norm"].max() < 1e-9 and found["relative"].max() < 1e-8
    assert found["audit"].max() < 1e-6, "the tolerance of an audit"
    assert (found["declared_after"] == 1).all()
    assert (found["usual_after"] == found["rank_before"]).all()
    assert found["usual_norm"].min() > 1e-4
    assert result.table.loc[~result.table["arrived"], list(CHECKED)].isna().to_numpy().all()


def test_draws_and_honest_trainers(result: DeniableResult) -> None:
    samples = result.samples
    for epsilon in (0.1, 0.5):
        assert (samples[f"lowest_{epsilon:g}"] <= samples[f"highest_{epsilon:g}"]).all()
    width = [(samples[f"highest_{e:g}"] - samples[f"lowest_{e:g}"]).median() for e in (0.1, 0.5)]
    assert width[0] < width[1]
    assert len(result.drawn) == 2 * 4 and len(result.trainers) == 4
    line = result.line.set_index("l2")
    assert line["correlation"].loc[0.01] == pytest.approx(1) and len(line) == 5
    assert (samples["best_by_l2"] <= samples["rank"]).all()
    area = detection(result.trainers["averaged"], result.arrived["averaged"]).auc
    assert caught(result) == area


def test_what_is_saved_comes_back(result: DeniableResult, tmp_path: Path) -> None:
    kind = experiment("deniable")
    kind.save(result, tmp_path)
    assert same(kind.load(tmp_path), result)
    said = kind.describe(result)
    assert f"{len(result.arrived)}: largest gradient norm" in said
    none = replace(result, table=result.table.assign(arrived=False))
    assert np.isnan(caught(none)) and "0 of 3 in the top 1" in kind.describe(none)
    assert np.isinf(none.needed("weights", "random")).all()


def test_one_target_again_by_the_public_call(result: DeniableResult) -> None:
    """What the table says of a target is what `needed_epsilon` finds."""
    dataset, _ = random_problem(3, n=60, d=5)
    row = result.arrived.iloc[0]
    options = engine.DeniableOptions(means=row["means"], fits=25)
    model = engine.fit(dataset)
    (found,) = engine.needed_epsilon(model, dataset, int(row["target"]), 0.6, options)
    assert found.epsilon == pytest.approx(row["epsilon"], abs=1e-6)
    assert found.rank_after == row["rank_after"]


def test_equal_requests_have_equal_values() -> None:
    assert values_of(DeniableRequest(limit=0.5, k=1)) == values_of(DeniableRequest())
    with pytest.raises(InvalidInput, match="means"):
        DeniableRequest(means=("l2",))
