"""The two lanes of the queue: which requests belong where, and that neither waits for the other."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest

from engine.data.load import load_dataset
from engine.experiments import (
    AttackRequest,
    AuditRequest,
    BaselineRequest,
    DefenceRequest,
    FairnessRequest,
    RankingRequest,
    Request,
    SensitivityRequest,
    SweepRequest,
)
from engine.experiments.cost import Size
from engine.progress import ignore
from engine.results import lanes
from engine.results.compute import compute_and_keep
from engine.results.jobs import Jobs
from engine.results.lanes import LONG, SHORT, lane_of
from engine.results.store import open_folder
from tests.support.queues import kill, kill_all, kill_worker_of, queue, until, wait, worker_pid

DIGITS, LARGE = Size(1200, 64, 10), Size(6941, 1280, 101)
# Twelve batches of one attack each, so that there is much to be lost and to go on from.
SWEEP = SweepRequest(
    n_targets=12,
    radii=(0.2,),
    ks=(1,),
    restarts=(1,),
    learning_rates=(0.1,),
    steps=10,
    memory_gb=0.001,
)
ENDLESS = replace(SWEEP, n_targets=40, radii=(0.05,), steps=4000)
TWO_SHORT = {"IAL_JOBS": "1", "IAL_SHORT_JOBS_AT_ONCE": "2"}  # and one long, in one process


@pytest.fixture(scope="module")
def workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jobs]:
    made = queue(tmp_path_factory.mktemp("lanes"), **TWO_SHORT)
    yield made
    kill_all(made)


@pytest.mark.parametrize(
    ("name", "request_", "size", "lane"),
    [
        ("attack", AttackRequest(), DIGITS, SHORT),
        ("attack", AttackRequest(restarts=50), DIGITS, SHORT),
        ("attack", AttackRequest(restarts=500), DIGITS, LONG),
        ("attack", AttackRequest(), LARGE, LONG),
        ("ranking", RankingRequest(), DIGITS, SHORT),
        ("ranking", RankingRequest(), LARGE, SHORT),
        ("audit", AuditRequest(), DIGITS, SHORT),
        ("sensitivity", SensitivityRequest(), DIGITS, SHORT),
        ("sensitivity", SensitivityRequest(), LARGE, LONG),
        ("fairness", FairnessRequest(), Size(1000, 57, 2), SHORT),
        ("fairness", FairnessRequest(), Size(30_000, 100, 2), LONG),
        ("baseline", BaselineRequest(), DIGITS, LONG),
        ("defence", DefenceRequest(), DIGITS, LONG),
        ("sweep", replace(SWEEP, n_targets=1), DIGITS, LONG),
    ],
)
def test_what_takes_seconds_is_short(name: str, request_: Request, size: Size, lane: str) -> None:
    assert lane_of(name, request_, size) == lane


def attack(target: int) -> AttackRequest:
    return AttackRequest(targets=(target,), restarts=1, steps=5)


def at_work(jobs: Jobs, job: str) -> None:
    wait(lambda: len(jobs.state(job).progress) > 1)


def batches(jobs: Jobs) -> set[str]:
    """The batches of sweeps that are kept."""
    return {path.name for path in (jobs.store.local / "batch").glob("[!.]*")}


def test_short_jobs_finish_while_a_long_one_runs(warm: Jobs) -> None:
    long = warm.submit("sweep", ENDLESS)
    at_work(warm, long)
    asked = [attack(target) for target in range(100, 120)]
    short = [warm.submit("attack", request) for request in asked]
    behind = warm.submit("sweep", replace(SWEEP, seeds=(1,)))
    assert warm.state(behind).place == 1  # of its own lane, whatever waits in the other
    last = warm.state(short[-1])
    assert last.place <= len(short)
    wait(lambda: all(warm.state(job).status == "done" for job in short))
    assert warm.state(long).status == "running"
    # What it says of a target does not depend on the nineteen beside it.
    found = warm.store.find("attack", asked[7], load_dataset("digits").content_hash)
    assert found is not None
    alone = replace(warm.settings, cache_dir=warm.settings.cache_dir.parent / "alone")
    folder = compute_and_keep("attack", asked[7], load_dataset("digits"), alone, ignore, threads=1)
    among, apart = found.result, open_folder(folder).result
    for name in ("model", "after", "after_holdout"):
        for values in vars(getattr(apart, name)):
            mine, theirs = (getattr(getattr(r, name), values) for r in (among, apart))
            np.testing.assert_array_equal(mine, theirs, err_msg=f"{name}.{values}")
    pd.testing.assert_frame_equal(among.trajectory, apart.trajectory, check_exact=True)


@pytest.mark.parametrize("lane", [SHORT, LONG])
def test_cancelled_in_either_lane(warm: Jobs, lane: str) -> None:
    endless = AttackRequest(targets=(919,), radius=0.05, restarts=1, steps=5000)
    running = {SHORT: ("attack", endless), LONG: ("sweep", ENDLESS)}
    ids = {lane: warm.submit(*asked) for lane, asked in running.items()}
    for job in ids.values():
        at_work(warm, job)
    other = LONG if lane == SHORT else SHORT
    warm.cancel(ids[lane])
    assert until(warm, ids[lane], "cancelled", "done", "failed").status == "cancelled"
    assert warm.state(ids[other]).status == "running"


@pytest.mark.parametrize("lane", [SHORT, LONG])
def test_a_worker_that_is_killed_loses_nothing_in_either_lane(warm: Jobs, lane: str) -> None:
    seed = 2 if lane == SHORT else 3
    long = warm.submit("sweep", replace(SWEEP, steps=40, seeds=(seed,)))
    at_work(warm, long)
    short = warm.submit("attack", replace(attack(919), steps=400, radius=0.02, seed=seed))
    at_work(warm, short)
    killed, spared = (short, long) if lane == SHORT else (long, short)
    kill_worker_of(warm, killed)
    for job in (long, short):
        assert until(warm, job, "done", "failed", "died").status == "done"
    assert (warm.state(killed).resumed, warm.state(spared).resumed) == (1, 0)


def test_a_sweep_that_gave_way_has_the_table_of_an_undisturbed_one(
    warm: Jobs, tmp_path: Path
) -> None:
    """Short jobs come between its batches, and its worker is killed among them."""
    before = batches(warm)
    long = warm.submit("sweep", SWEEP)
    at_work(warm, long)
    short = [warm.submit("attack", attack(target)) for target in range(200, 210)]
    wait(lambda: batches(warm) > before)
    kill(warm, LONG)
    for job in (*short, long):
        assert until(warm, job, "done", "failed", "died").status == "done"
    resumed = warm.state(long)
    assert resumed.resumed == 1
    assert resumed.progress[0].found > 0  # it went on from what was kept
    digits = load_dataset("digits")
    given_way = warm.store.find("sweep", SWEEP, digits.content_hash)
    assert given_way is not None
    alone = replace(warm.settings, cache_dir=tmp_path / "alone")
    undisturbed = open_folder(compute_and_keep("sweep", SWEEP, digits, alone, ignore)).result
    pd.testing.assert_frame_equal(given_way.result, undisturbed, check_exact=True)


def has_ended(jobs: Jobs, job: str) -> bool:
    """Look at a job, as a page does: this starts a worker where one has died."""
    return jobs.state(job).status not in ("queued", "running")


def test_the_long_lane_gives_way(warm: Jobs) -> None:
    warm.submit("attack", attack(300))
    sweep = warm.submit("sweep", ENDLESS)
    wait(lambda: None not in (worker_pid(warm, SHORT), worker_pid(warm, LONG)))
    short, long = (psutil.Process(worker_pid(warm, lane)) for lane in (SHORT, LONG))
    wait(lambda: long.nice() == lanes.NICENESS)
    assert short.nice() == 0
    assert short.environ()["OMP_NUM_THREADS"] == "1"
    assert {p.environ()["OMP_WAIT_POLICY"] for p in (short, long)} == {"PASSIVE"}
    autogroup = Path(f"/proc/{long.pid}/autogroup")
    if autogroup.exists():
        wait(lambda: autogroup.read_text().split()[-1] == str(lanes.NICENESS))
    kill(warm, LONG)  # its successor, which whoever looks starts, is as nice as it was, no nicer

    def follower_gives_way() -> bool:
        pid = None if has_ended(warm, sweep) else worker_pid(warm, LONG)
        return pid is not None and psutil.Process(pid).nice() == lanes.NICENESS

    wait(follower_gives_way)


def test_giving_way_needs_no_autogroup(tmp_path: Path) -> None:
    """The process that gives way is one of its own: its niceness cannot be taken back."""
    code = (
        "import os, sys; from pathlib import Path; from engine.results.lanes import give_way; "
        "[give_way(Path(sys.argv[1])) for _ in range(2)]; print(os.nice(0))"
    )
    for path in (tmp_path / "none", tmp_path):  # a folder cannot be written: said, not raised
        said = subprocess.run(
            [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True
        )
        assert int(said.stdout) == lanes.NICENESS
        assert ("does not give way" in said.stderr) == path.is_dir()
