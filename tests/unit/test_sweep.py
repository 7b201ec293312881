"""Sweeps: the table, its targets and batches, and that an interruption changes nothing in it."""

import os
import re
import signal
import subprocess
import sys
import textwrap
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from engine.attacks.attack import attack_each
from engine.attacks.batch import ATTACKS_AT_ONCE, Batch, attacks_at_once, bytes_per_run
from engine.attacks.options import AttackOptions
from engine.attacks.rates import success_rates
from engine.attacks.sweep import draw_targets, sweep
from engine.data.subset import training_subset, with_training_subset
from engine.errors import Cancelled, InvalidInput
from engine.experiments import SweepRequest, make_request, values_of
from engine.influence.scores import influence_scores
from engine.models.fit import fit
from engine.progress import OnProgress, Progress, ignore
from engine.results.compute import compute_and_keep
from engine.results.store import Store, open_folder
from engine.settings import ROOT, Settings, read_settings
from tests.support.problems import random_problem

DATASET, _ = random_problem(7, n=60, d=4)
MODEL = fit(DATASET)
RANKS = influence_scores(MODEL, DATASET, device="cpu").ranks
# As small as can be: 4 runs of 6 steps an attack
OPTIONS: dict[str, Any] = {"restarts": (2,), "steps": 6, "device": "cpu", "jobs": 1}
FAR = np.argsort(RANKS, kind="stable")[[20, 40, 55]].tolist()  # outside every top asked for here
SUCCESSES = ["rank_test", "rank_holdout", "success", "success_holdout", "any_run_success"]


class Stock:
    """What a sweep would keep, and the records that it tells."""

    def __init__(self) -> None:
        self.tables: dict[Batch, pd.DataFrame] = {}
        self.computed: list[Batch] = []
        self.told: list[Progress] = []

    def find(self, batch: Batch) -> pd.DataFrame | None:
        return self.tables.get(batch)

    def keep(self, batch: Batch, table: pd.DataFrame, seconds: float) -> None:
        self.tables[batch] = table
        self.computed.append(batch)

    @property
    def options(self) -> dict[str, Any]:
        return {"find": self.find, "keep": self.keep, "on_progress": self.told.append}


def test_the_table_has_a_row_an_attack_and_k_in_the_order_asked():
    table = sweep(
        DATASET, targets=FAR, radii=(0.4, 0.1), ks=(5, 1), objectives=("target", "top_k"), **OPTIONS
    )
    assert len(table) == 3 * 2 * 2 * 2
    assert list(table.columns[:4]) == ["dataset", "train_size", "seed", "set_size"]
    assert table["objective"].tolist() == ["target"] * 12 + ["top_k"] * 12
    assert table["radius"].tolist() == ([0.4] * 6 + [0.1] * 6) * 2
    # one run serves every k, and its rows come together; top_k runs once a k
    assert table["k"].tolist() == [1, 5] * 6 + ([1] * 3 + [5] * 3) * 2
    assert table["target"].tolist()[:6] == [t for t in FAR for _ in range(2)]
    assert table["target"].tolist()[12:18] == FAR * 2
    assert (table["targets"] == table["target"].astype(str)).all()
    assert (table["rank_before"] == RANKS[table["target"]]).all()
    assert set(table["dataset"]) == {DATASET.name}
    assert set(table["train_size"]) == {60}
    assert (table["runs"] == 4).all()
    assert (table["runs_accuracy"].map(len) == 4).all()
    may_lack = ["any_run_accuracy", "any_run_accuracy_holdout"]  # no run succeeded
    assert not table.drop(columns=may_lack).isna().to_numpy().any()


def test_the_table_is_that_of_attack_each():
    table = sweep(DATASET, targets=FAR, radii=(1.5,), ks=(5,), **OPTIONS)
    found = attack_each(MODEL, DATASET, FAR, 5, 1.5, restarts=2, steps=6, device="cpu")
    for (_, row), result in zip(table.iterrows(), found, strict=True):
        runs = result.runs
        assert row["target"] == result.targets[0]
        assert (row["rank_test"], row["rank_holdout"]) == (result.rank_test, result.rank_holdout)
        assert row["rank_before_holdout"] == result.before_holdout.ranks[row["target"]]
        assert result.rank_test is not None and result.rank_holdout is not None
        assert row["success"] == result.success == (result.rank_test <= 5)
        assert row["success_holdout"] == (result.rank_holdout <= 5)
        assert row["any_run_success"] == result.any_run_success
        for name in ("accuracy_before", "accuracy_after", "rank_correlation", "topk_kept"):
            assert row[name] == getattr(result, name)
        assert row["predictions_changed"] == result.predictions_changed
        assert row["distance"] == result.distance <= 1.5 * (1 + 1e-6)
        assert row["steps"] == runs.loc[runs["returned"], "steps"].iloc[0]
        assert row["runs_stuck"] == (~runs["reached"]).sum()
        assert row["stuck"] == (not runs["reached"].any())
        assert row["runs_in_top"] == (runs["rank_test"] <= 5).astype(int).tolist()
        assert row["runs_in_top_holdout"] == (runs["rank_holdout"] <= 5).astype(int).tolist()
        assert row["runs_accuracy"] == runs["accuracy_holdout"].tolist()
        best = runs.loc[runs["rank_test"] <= 5, "accuracy_holdout"].max()  # NaN of none
        np.testing.assert_equal(row["any_run_accuracy"], best)
    assert table["any_run_success"].nunique() == 2  # both cases were seen


def test_nothing_is_reused_across_radii():
    options = OPTIONS | {"targets": 3, "ks": (3,), "objectives": ("higher_ranked", "target")}
    both = sweep(DATASET, radii=(0.4, 0.1), **options)
    for radius in (0.4, 0.1):
        alone = sweep(DATASET, radii=(radius,), **options)
        mine = both[both["radius"] == radius].reset_index(drop=True)
        pd.testing.assert_frame_equal(mine, alone)


def test_one_sweep_equals_one_for_each_k():
    """Float64: the batches are the same, but runs leave them at other times."""
    options: dict[str, Any] = OPTIONS | {
        "targets": FAR,
        "radii": (1.5,),
        "dtype": "float64",
        "steps": 12,
    }
    together = sweep(DATASET, ks=(1, 5), **options)
    for k in (1, 5):
        alone = sweep(DATASET, ks=(k,), **options)
        mine = together[together["k"] == k].reset_index(drop=True)
        pd.testing.assert_frame_equal(mine, alone, rtol=1e-6)
        assert mine["any_run_success"].any()


def test_several_targets_are_counted_by_hand():
    sets = [tuple(FAR), (FAR[0], FAR[2], 3)]
    table = sweep(DATASET, targets=sets, radii=(3.0,), ks=(2, 5), **OPTIONS)
    assert table["k"].tolist() == [2, 2, 5, 5]
    assert table["targets"].tolist() == [" ".join(map(str, s)) for s in sets] * 2
    assert table["set_size"].tolist() == [3] * 4
    for k in (2, 5):
        found = attack_each(MODEL, DATASET, sets, k, 3.0, restarts=2, steps=6, device="cpu")
        mine = table[table["k"] == k]
        for (_, row), result in zip(mine.iterrows(), found, strict=True):
            inside = sum(rank <= k for rank in result.ranks_test)
            assert row["share_of_targets"] == inside / 3
            assert row["share_of_topk"] == inside / k
            assert row["success"] == (inside >= min(k, 3))
            assert row["rank_test"] == sorted(result.ranks_test)[min(k, 3) - 1]
            holdout = sum(rank <= k for rank in result.ranks_holdout)
            assert row["share_of_targets_holdout"] == holdout / 3
            assert row["share_of_topk_holdout"] == holdout / k
            assert row["success_holdout"] == (holdout >= min(k, 3))


def test_a_set_may_be_larger_than_k_and_fills_the_top():
    table = sweep(DATASET, targets=3, set_sizes=(4, 1), radii=(0.5,), ks=(2,), **OPTIONS)
    assert table["set_size"].tolist() == [4, 4, 4, 1, 1, 1]
    assert (table["share_of_topk"] <= 1).all()
    inside = (table["share_of_topk"] * 2).round()
    assert (table["success"] == (inside >= np.minimum(2, table["set_size"]))).all()


def test_targets_are_drawn_outside_the_top_of_the_largest_k():
    table = sweep(DATASET, targets=12, ks=(1, 20), set_sizes=(1, 3), radii=(0.2,), **OPTIONS)
    heads = table.loc[table["set_size"] == 1, "target"].unique()
    assert len(heads) == 12
    assert (RANKS[heads] > 20).all()
    sets = [tuple(map(int, t.split())) for t in table.loc[table["set_size"] == 3, "targets"]]
    assert {s[0] for s in sets} == set(heads)  # the sets contain the single targets
    assert all(len(set(s)) == 3 and (RANKS[list(s)] > 20).all() for s in sets)


def test_draws_are_seeded_distinct_and_nested():
    outside = np.arange(100, 160)
    drawn = draw_targets(outside, 20, 4, seed=1)
    assert drawn == draw_targets(outside, 20, 4, seed=1)
    assert drawn != draw_targets(outside, 20, 4, seed=2)
    assert drawn[:5] == draw_targets(outside, 5, 4, seed=1)
    assert len({s[0] for s in drawn}) == 20
    for size in (1, 2, 3):
        assert [s[:size] for s in drawn] == list(draw_targets(outside, 20, size, seed=1))
    assert all(len(set(s)) == 4 and set(s) <= set(outside.tolist()) for s in drawn)
    everyone = draw_targets(outside, 60, 60, seed=0)
    assert {s[0] for s in everyone} == set(outside.tolist())


def test_each_seed_draws_its_own_targets():
    table = sweep(DATASET, targets=6, seeds=(0, 1), radii=(0.2,), **OPTIONS)
    first, second = (set(table.loc[table["seed"] == s, "target"]) for s in (0, 1))
    assert len(first) == len(second) == 6
    assert first != second


def test_training_sizes_attack_the_same_targets_in_smaller_sets():
    stock = Stock()
    table = sweep(
        DATASET, targets=4, train_sizes=(0, 30, 45), radii=(0.4,), **OPTIONS, **stock.options
    )
    assert table["train_size"].tolist() == [60] * 4 + [30] * 4 + [45] * 4
    assert table["target"].tolist() == table["target"].tolist()[:4] * 3
    for size in (30, 45):
        indices = training_subset(DATASET, size, seed=0)
        part = with_training_subset(DATASET, indices)
        mine = table[table["train_size"] == size]
        places = np.searchsorted(indices, mine["target"])
        model = fit(part)
        found = attack_each(model, part, places.tolist(), 1, 0.4, restarts=2, steps=6, device="cpu")
        assert mine["rank_test"].tolist() == [r.rank_test for r in found]
        assert mine["rank_before"].tolist() == [r.before.ranks[r.targets[0]] for r in found]
        assert mine["accuracy_after"].tolist() == [r.accuracy_after for r in found]
    # a batch says its targets in the numbers of the whole data set, and its size as it was asked
    assert {b.train_size for b in stock.tables} == {0, 30, 45}
    assert {b.targets for b in stock.tables} == {tuple((t,) for t in table["target"][:4])}


def test_the_whole_training_set_is_one_size_by_either_name():
    table = sweep(DATASET, targets=4, train_sizes=(0, 60), radii=(0.4,), **OPTIONS)
    assert len(table) == 4
    pd.testing.assert_frame_equal(
        table, sweep(DATASET, targets=4, train_sizes=(60,), radii=(0.4,), **OPTIONS)
    )


def test_batches_depend_on_the_request_alone():
    request: dict[str, Any] = {"targets": 12, "radii": (0.1, 0.4), "ks": (1, 3)}
    one, two = Stock(), Stock()
    table = sweep(DATASET, **request, **OPTIONS, **one.options)
    assert [len(b.targets) for b in one.computed] == [10, 2, 10, 2]
    again = sweep(DATASET, **request, **OPTIONS | {"jobs": 2}, find=one.find, keep=two.keep)
    assert two.computed == []  # other processes look for the very same batches
    pd.testing.assert_frame_equal(table, again)


def test_a_smaller_budget_makes_smaller_batches_and_the_same_table():
    request: dict[str, Any] = {"targets": 12, "radii": (1.5,), "ks": (5,), "dtype": "float64"}
    roomy, tight = Stock(), Stock()
    table = sweep(DATASET, **request, **OPTIONS, **roomy.options)
    one = 4 * (bytes_per_run(DATASET, "float64") + 3 * 8 * 60) / 1e9
    again = sweep(DATASET, **request, memory_gb=3.5 * one, **OPTIONS, **tight.options)
    assert [len(b.targets) for b in roomy.computed] == [10, 2]
    assert [len(b.targets) for b in tight.computed] == [3, 3, 3, 3]
    pd.testing.assert_frame_equal(table[SUCCESSES], again[SUCCESSES])
    pd.testing.assert_frame_equal(table, again, rtol=1e-6)  # products of other widths round so


def test_the_budget_is_kept():
    one = 4 * (bytes_per_run(DATASET, "float32") + 3 * 4 * 60)
    two, none = AttackOptions(restarts=2), AttackOptions(restarts=0)
    assert attacks_at_once(two, DATASET, 1, one / 1e9 * (1 + 1e-12)) == 1
    assert attacks_at_once(two, DATASET, 1, 2.99 * one / 1e9) == 2
    assert attacks_at_once(two, DATASET, 1, 1.0) == ATTACKS_AT_ONCE
    # no restarts is one start; a set takes more than a target, float64 twice as much
    assert attacks_at_once(none, DATASET, 1, 2.5 * one / 1e9) == 5
    assert attacks_at_once(two, DATASET, 20, 5.5 * one / 1e9) < 5
    assert attacks_at_once(replace(two, dtype="float64"), DATASET, 1, 4.5 * one / 1e9) == 2
    needed = rf"at least {one / 1e9:.3g}: one attack of 4 runs on 'random 7' .*Got 1e-07"
    with pytest.raises(InvalidInput, match=needed):
        sweep(DATASET, targets=2, memory_gb=1e-7, **OPTIONS)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            {"targets": []},
            r"targets must be a number of targets, or at least one .* Got \[\]",
        ),
        ({"targets": 0}, r"targets must be a whole number in \[1, 60\]. Got 0"),
        ({"targets": 61}, r"targets must be a whole number in \[1, 60\]. Got 61"),
        ({"targets": 1.5}, r"targets must be a whole number in \[1, 60\]. Got 1.5"),
        ({"targets": True}, "targets must be a whole number"),
        ({"targets": "7"}, "targets must be a training index"),
        ({"targets": [60]}, r"target must be a whole number in \[0, 59\]. Got 60"),
        ({"targets": [5, 9, 5]}, r"targets must be distinct: every attack once. Got \[5, 9, 5\]"),
        ({"targets": [(5, 9), (9, 5)]}, "targets must be distinct"),
        ({"targets": [(5, 5)]}, r"targets must be distinct; \[5\] appear"),
        ({"targets": 55, "ks": (10,)}, "at most 50, the samples outside the honest top k. Got 55"),
        ({"targets": 2, "set_sizes": (51,), "ks": (10,)}, "set_size must be at most 50, .* Got 51"),
        ({"set_sizes": (61,)}, r"set_size must be a whole number in \[1, 60\]. Got 61"),
        ({"set_sizes": (0,)}, "set_sizes must be a whole number >= 1. Got 0"),
        ({"ks": (60,)}, r"k must be a whole number in \[1, 59\]. Got 60"),
        ({"ks": ()}, "ks must be a sequence with at least one"),
        ({"ks": 3}, "ks must be a sequence with at least one"),
        ({"radii": ()}, "radii must be a sequence with at least one"),
        ({"radii": 0.3}, "radii must be a sequence with at least one"),
        ({"radii": (0.1, -1)}, "radii must be a finite number > 0. Got -1"),
        ({"objectives": "target"}, "objectives must be a sequence"),
        ({"objectives": ("magic",)}, "objectives must be one of"),
        ({"restarts": (-1,)}, "restarts must be"),
        ({"train_sizes": (61,)}, r"train_size must be a whole number in \[0, 60\]. Got 61"),
        ({"train_sizes": (2,)}, r"train_size must be a whole number in \[3, 60\]. Got 2"),
        (
            {"train_sizes": (0, 12), "ks": (12,)},
            "ks must be below the 12 training samples of train_size=12. Got 12",
        ),
        ({"seeds": (-1,)}, "seeds must be"),
        ({"learning_rates": ()}, "learning_rates must be"),
        ({"steps": 0}, "steps must be"),
        ({"damping": 0}, "damping must be"),
        ({"l2": -1}, "l2 must be"),
        ({"order": "sideways"}, "order must be one of"),
        ({"dtype": "float16"}, "dtype must be one of"),
        ({"memory_gb": 0}, "memory_gb must be"),
        ({"jobs": -1}, "jobs must be a whole number >= 0. Got -1"),
        ({"device": "abacus"}, "device must be"),
    ],
)
def test_bad_input_is_named_before_anything_is_computed(options, words):
    stock = Stock()
    with pytest.raises(InvalidInput, match=words):
        sweep(DATASET, **{"targets": 3, **OPTIONS, **options}, **stock.options)
    assert not stock.computed


def test_targets_that_a_training_subset_lacks_are_named():
    kept = set(training_subset(DATASET, 30, seed=0).tolist())
    lost = sorted(set(range(60)) - kept)[:2]
    near = [t for t in FAR if t in kept]
    with pytest.raises(
        InvalidInput,
        match=rf"targets must be among the 30 training samples that train_size=30 keeps with seed 0"
        rf"; give a number of targets to have them drawn there. Got \[{lost[0]}, {lost[1]}\]",
    ):
        sweep(DATASET, targets=[*lost, *near], train_sizes=(0, 30), **OPTIONS)


@pytest.mark.parametrize("objective", ["higher_ranked", "top_k"])
def test_a_target_in_the_top_before_is_refused_before_anything_is_computed(objective):
    inside = int(np.flatnonzero(RANKS == 2)[0])
    options: dict[str, Any] = OPTIONS | {"targets": [*FAR, inside], "objectives": (objective,)}
    stock = Stock()
    with pytest.raises(InvalidInput, match=rf"target must be outside the honest top-3 .*{inside} "):
        sweep(DATASET, ks=(3,), **options, **stock.options)
    if objective == "top_k":
        with pytest.raises(InvalidInput, match="target must be outside the honest top-3"):
            sweep(DATASET, ks=(1, 3), **options, **stock.options)
    else:  # one run serves both, and has something to do; the rates leave k = 3 out
        table = sweep(DATASET, ks=(1, 3), **options, radii=(0.2,))
        rates = success_rates(table).query("form == 'returned' and split == 'test'")
        assert rates.set_index(["k", "regime"])["attacks"].to_dict() == {
            (1, "high_accuracy"): 4, (1, "best"): 4, (3, "high_accuracy"): 3, (3, "best"): 3
        }  # fmt: skip
    assert not stock.computed


def test_progress_tells_of_every_batch_and_of_steps():
    stock = Stock()
    sweep(DATASET, targets=12, radii=(0.2,), **OPTIONS, **stock.options)
    assert stock.told[0] == Progress(done=0, total=12)
    assert [p.done for p in stock.told if p.last] == [10, 12]
    steps = [p for p in stock.told if p.steps]
    assert steps
    assert steps[0] == Progress(done=0, total=12, step=0, steps=6)
    last = stock.told[-1]
    assert re.fullmatch(
        r"the attacks on targets \d+, \d+ with k \(1,\), radius 0.2, objective 'higher_ranked', "
        "restarts 2, train_size all, seed 0",
        last.last,
    )


def stop_after(batches: int, stock: Stock) -> OnProgress:
    def watch(progress: Progress) -> None:
        if len(stock.computed) == batches:
            raise Cancelled("stopped by the test")

    return watch


def test_a_stopped_sweep_goes_on_where_it_stopped():
    options: dict[str, Any] = OPTIONS | {"targets": 3, "radii": (0.1, 0.4, 0.5, 1.5), "ks": (1, 3)}
    whole = sweep(DATASET, **options)
    stock = Stock()
    with pytest.raises(Cancelled):
        sweep(DATASET, **options, **stock.options | {"on_progress": stop_after(2, stock)})
    assert len(stock.tables) == len(stock.computed) == 2
    table = sweep(DATASET, **options, **stock.options)
    assert len(stock.computed) == len(stock.tables) == 4  # the two that were missing, each once
    assert stock.told[0].found == 2
    pd.testing.assert_frame_equal(table, whole)


REQUEST = SweepRequest(
    n_targets=3, radii=(0.1, 0.4), ks=(1, 3), set_sizes=(1, 2), restarts=(1,), steps=6
)


def settings(folder: Path) -> Settings:
    made = read_settings({"IAL_CACHE_DIR": str(folder), "IAL_DEVICE": "cpu", "IAL_JOBS": "1"})
    return replace(made, published=folder / "published")


def table_bytes(folder: Path) -> bytes:
    return (folder / "table.parquet").read_bytes()


def test_a_sweep_killed_in_mid_batch_goes_on_where_it_stopped(tmp_path):
    """Through the store: SIGKILL in a step of the third batch, then the same request again."""
    script = f"""
        import time
        from pathlib import Path
        from engine.attacks import sweep
        from engine.results.compute import compute_and_keep
        from tests.unit import test_sweep as here

        sweep.TELL_SECONDS = 0.0
        batches = 0

        def tell(progress):
            global batches
            batches += bool(progress.last)
            if batches == 2 and progress.step == 3:
                print("killed here", flush=True)
                time.sleep(60)

        where = here.settings(Path({str(tmp_path / "killed")!r}))
        compute_and_keep("sweep", here.REQUEST, here.DATASET, where, tell)
    """
    arguments = [sys.executable, "-c", textwrap.dedent(script)]
    with subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "killed here\n"
        os.kill(child.pid, signal.SIGKILL)
    where = settings(tmp_path / "killed")
    assert len(list((where.cache_dir / "results" / "batch").iterdir())) == 2
    assert not (where.cache_dir / "results" / "sweep").exists()
    told: list[Progress] = []
    folder = compute_and_keep("sweep", REQUEST, DATASET, where, told.append)
    assert told[0].found == 2
    assert sum(bool(p.last) for p in told) == 4
    undisturbed = compute_and_keep(
        "sweep", REQUEST, DATASET, settings(tmp_path / "undisturbed"), ignore
    )
    assert table_bytes(folder) == table_bytes(undisturbed)
    assert folder.name == undisturbed.name
    # a third time all of it is there
    told.clear()
    compute_and_keep("sweep", REQUEST, DATASET, where, told.append, replace_old=True)
    assert told == [Progress(done=18, total=18, found=6)]


def test_a_damaged_batch_is_computed_again(tmp_path):
    where = settings(tmp_path)
    folder = compute_and_keep("sweep", REQUEST, DATASET, where, ignore)
    before = table_bytes(folder)
    batch = next((where.cache_dir / "results" / "batch").iterdir())
    (batch / "table.parquet").write_bytes(b"not a table")
    told: list[Progress] = []
    again = compute_and_keep("sweep", REQUEST, DATASET, where, told.append, replace_old=True)
    assert sum(bool(p.last) for p in told) == 1
    assert table_bytes(again) == before


def test_a_wider_sweep_takes_up_the_batches_of_a_narrower_one(tmp_path):
    where = settings(tmp_path)
    compute_and_keep("sweep", REQUEST, DATASET, where, ignore)
    told: list[Progress] = []
    wider = replace(REQUEST, radii=(0.1, 0.2, 0.4))
    compute_and_keep("sweep", wider, DATASET, where, told.append)
    assert (told[0].found, sum(bool(p.last) for p in told)) == (6, 3)


def test_a_stored_table_is_the_one_that_was_computed(tmp_path):
    where = settings(tmp_path)
    folder = compute_and_keep("sweep", REQUEST, DATASET, where, ignore)
    options: dict[str, Any] = values_of(REQUEST)
    options.pop("dataset")
    computed = sweep(DATASET, targets=options.pop("n_targets"), **options, device="cpu", jobs=1)
    pd.testing.assert_frame_equal(open_folder(folder).result, computed)
    found = Store.of(where).find("sweep", REQUEST, DATASET.content_hash)
    assert found is not None
    assert len(computed) == len(REQUEST) * 2


def test_equal_requests_are_one(tmp_path):
    other = make_request("sweep", asdict(REQUEST) | {"radii": [0.1, 0.4, 0.1], "ks": [3, 1, 3]})
    assert other == REQUEST
    assert len(REQUEST) == 3 * 2 * 2


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"radii": []}, "radii must be a sequence with at least one entry"),
        ({"radii": 0.1}, "radii must be a sequence"),
        ({"ks": [0]}, "ks must be a whole number >= 1. Got 0"),
        ({"n_targets": 0}, "n_targets must be"),
        ({"objectives": ["x"]}, "objectives must be one of"),
        ({"set_sizes": [0]}, "set_sizes must be"),
        ({"seeds": [-1]}, "seeds must be"),
        ({"memory_gb": 0}, "memory_gb must be"),
        ({"targets": [1]}, "field of 'sweep' must be one of"),
    ],
)
def test_requests_are_checked(values, words):
    with pytest.raises(InvalidInput, match=words):
        make_request("sweep", values)


def test_a_batch_is_not_to_be_asked_for(tmp_path):
    request = make_request("batch", {"dataset": "digits", "batch": {}})
    with pytest.raises(InvalidInput, match="experiment must be a sweep: batches are computed as"):
        compute_and_keep("batch", request, DATASET, settings(tmp_path), ignore)
