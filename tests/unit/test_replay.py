"""The replay of an attack: what is kept of its steps, and what the browser is given."""

import base64
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.attacks.attack import attack, attack_each, make_plan, problem_of, replay_every
from engine.attacks.options import AttackOptions
from engine.attacks.result import AttackResult, Replay
from engine.attacks.summary import replay
from engine.data.dataset import Dataset
from engine.experiments import AttackRequest, Context, ReplayRequest, experiment, make_request
from engine.experiments.files import load_fields, save_fields
from engine.influence.scores import influence_scores
from engine.models.fit import fit
from engine.options import taken_from
from engine.results.store import Store
from engine.settings import PUBLISHED
from pages.common.asking.links import EXAMPLE
from pages.common.samples import Samples
from pages.common.widgets.replay import DRAWN, FRAMES, Words, drawn_samples, film, shown_steps
from tests.support.problems import random_problem
from tests.support.stores import same

QUICK: dict[str, Any] = {"k": 2, "radius": 0.6, "restarts": 2, "steps": 12}


@pytest.fixture(scope="module")
def small() -> Dataset:
    return random_problem(21, n=40, d=4)[0]


def last_ranked(dataset: Dataset) -> int:
    return int(np.argmax(influence_scores(fit(dataset), dataset).ranks))


@pytest.fixture(scope="module", params=["higher_ranked", "accurate"])
def attacked(request: pytest.FixtureRequest, small: Dataset) -> AttackResult:
    return attack(fit(small), small, last_ranked(small), objective=request.param, **QUICK)


def kept(result: AttackResult) -> Replay:
    assert result.replay is not None
    return result.replay


def test_the_last_step_has_the_ranks_of_the_result(attacked: AttackResult) -> None:
    found = kept(attacked)
    np.testing.assert_array_equal(found.ranks[-1], attacked.after.ranks)
    assert found.ends_in(attacked)
    assert found.distance[-1] == attacked.distance
    assert found.ranks.dtype == np.uint8  # the smallest that holds 40


def test_the_steps_are_those_of_the_returned_run(attacked: AttackResult) -> None:
    found, target = kept(attacked), attacked.targets[0]
    own = attacked.trajectory.merge(attacked.runs.query("returned")[["run"]])
    own = own.set_index("step").loc[found.steps]
    np.testing.assert_array_equal(found.steps, np.arange(len(found.steps)))
    np.testing.assert_array_equal(found.ranks[:, target], own["rank"])
    np.testing.assert_array_equal(found.accuracy, own["accuracy_holdout"])
    assert (found.distance <= QUICK["radius"] * (1 + 1e-5)).all()  # float32


def test_a_run_that_never_arrives_is_replayed_up_to_its_best_step(small: Dataset) -> None:
    options = QUICK | {"radius": 0.02, "k": 1}
    result = attack(fit(small), small, last_ranked(small), **options)
    assert not result.success
    own = result.trajectory.merge(result.runs.query("returned")[["run"]])
    best = own.sort_values(["rank", "accuracy_test", "step"], ascending=[True, False, True]).iloc[0]
    assert kept(result).steps[-1] == best["step"]
    assert kept(result).ends_in(result)


def test_batches_keep_no_replay(small: Dataset) -> None:
    [result] = attack_each(fit(small), small, [last_ranked(small)], **QUICK)
    assert result.replay is None
    assert replay([], 0, 0, result.after, 0.0, 0.0) is None


def test_what_an_attack_holds_is_bounded(small: Dataset) -> None:
    model, options = fit(small), AttackOptions(**QUICK)
    problem = problem_of(options, model, small, "cpu")
    before = problem.forward(problem.encode(model), 1e-6)
    plan = make_plan(options, problem, model, before=before, sets=[(3,)], ks=(2,))
    assert replay_every(plan, 1_200) == 1
    assert replay_every(plan, 2_000_000) == 5  # 4 runs × 13 steps × 2 million / 25 million, up


def test_a_result_keeps_its_replay_and_one_without_it_opens(
    attacked: AttackResult, tmp_path: Path
) -> None:
    save_fields(attacked, tmp_path)
    assert same(load_fields(AttackResult, tmp_path).replay, attacked.replay)
    without = replace(attacked, replay=None)
    save_fields(without, tmp_path)
    assert load_fields(AttackResult, tmp_path).replay is None


def test_the_experiment_takes_the_steps_of_the_attack(small: Dataset, tmp_path: Path) -> None:
    values = QUICK | {"dataset": "small", "targets": [last_ranked(small)]}
    request = make_request("replay", values)
    assert isinstance(request, ReplayRequest)
    entry = experiment("replay")
    made = entry.run(request, small, Context())
    assert made.ends_in(attack(fit(small), small, last_ranked(small), **QUICK))
    entry.save(made, tmp_path)
    assert same(entry.load(tmp_path), made)
    assert f"up to step {made.steps[-1]};" in entry.describe(made)
    assert type(request.attack) is AttackRequest


def test_the_published_replay_ends_in_the_published_attack() -> None:
    asked = taken_from(ReplayRequest, EXAMPLE)
    store = Store(PUBLISHED, PUBLISHED)
    played, made = store.find_published("replay", asked), store.find_published("attack", EXAMPLE)
    assert played is not None
    assert made is not None
    assert made.result.replay is None  # it was published before results kept their steps
    assert played.result.ends_in(made.result)


def test_the_browser_is_given_the_ranks_and_the_words(
    attacked: AttackResult, small: Dataset
) -> None:
    found, target = kept(attacked), attacked.targets[0]
    shown = film(attacked, found, Samples(small), Words("sample 3"))
    ranks = np.frombuffer(base64.b64decode(str(shown["ranks"])), "<u2").reshape(-1, 40)
    np.testing.assert_array_equal(ranks[0], attacked.before.ranks)
    np.testing.assert_array_equal(ranks[1:], found.ranks)
    frames = shown["frames"]
    assert isinstance(frames, list)
    assert [f["rank"] for f in frames] == [f"{r:,}" for r in ranks[:, target]]
    assert frames[-1]["said"].startswith(f"Step {found.steps[-1]} of {found.steps[-1]}: sample 3")
    assert shown["atlas"] is None  # features have no pictures
    assert shown["at"] == target


def test_long_runs_and_large_data_are_thinned() -> None:
    steps = shown_steps(400)
    assert len(steps) == FRAMES - 1
    assert (steps[0], steps[-1]) == (0, 399)
    rng = np.random.default_rng(0)
    ranks = np.stack([rng.permutation(9_000) + 1 for _ in range(3)])
    drawn = drawn_samples(ranks, 17)
    assert DRAWN <= len(drawn) <= DRAWN + 31
    assert 17 in drawn
    assert set(np.flatnonzero((ranks <= 10).any(0))) <= set(drawn)
