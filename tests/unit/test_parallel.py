"""Many computations at once: nothing is lost when processes end, and nothing waits for ever."""

import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import dask
import joblib
import pandas as pd
import psutil
import pytest
from distributed import Client, LocalCluster

from engine.attacks.options import SweepOptions
from engine.attacks.sweep import Execution, sweep, sweep_with
from engine.errors import ClusterUnavailable, InvalidInput, WorkerDied
from engine.parallel import compute_all, is_distributed, numbered, on_cluster
from engine.progress import Progress
from engine.settings import ROOT
from tests.support.chores import die_always, die_once, refuse, square, wait_long
from tests.support.problems import random_problem

pytestmark = pytest.mark.timeout(120)  # what waits for ever is to fail, and soon
PATIENCE = 60.0  # seconds; a process needs a few to start, more on a busy machine
SMALL, _ = random_problem(3, n=80, d=5)
SWEEP: dict[str, Any] = {
    "targets": 10,
    "radii": (0.2,),
    "ks": (1, 3),
    "restarts": (1,),
    "steps": 20,
}
SWEEP |= {"memory_gb": 1e-4, "device": "cpu"}  # for 2 attacks at once: 5 batches
QUIET = {"threads_per_worker": 1, "dashboard_address": ":0", "silence_logs": 50}  # of clusters


def wait(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.05)


def alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


class Gathered(dict):
    """What was delivered, by the number of its task; nothing twice."""

    def __call__(self, number: int, result: Any) -> None:
        assert number not in self
        self[number] = result


@pytest.fixture(scope="module")
def here() -> pd.DataFrame:
    """The sweep that clusters and processes are to equal."""
    return sweep(SMALL, **SWEEP, jobs=1)


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    """Two processes of one thread; the scheduler gives up on a task when two have died of it."""
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 1}),
        LocalCluster(n_workers=2, **QUIET) as made,
    ):
        pids = worker_pids(made)
        yield made
        pids |= worker_pids(made)
    wait(lambda: not any(map(alive, pids)))


def worker_pids(cluster: LocalCluster) -> set[int]:
    with Client(cluster.scheduler_address, set_as_default=False) as client:
        client.wait_for_workers(2, timeout=PATIENCE)
        return set(client.run(os.getpid).values())


def test_one_process_computes_here_in_order():
    got = Gathered()
    compute_all(square, [3, 1, 2], got)
    assert list(got) == [0, 1, 2]
    assert {pid for _, pid in got.values()} == {os.getpid()}


def test_no_tasks_are_no_work():
    for processes in (1, 2):
        compute_all(square, [], Gathered(), processes)


def test_two_processes_compute_each_task_once():
    got = Gathered()
    compute_all(square, range(8), got, processes=2)
    assert {i: value for i, (value, _) in got.items()} == {i: i * i for i in range(8)}
    assert os.getpid() not in {pid for _, pid in got.values()}


def test_a_task_whose_process_was_killed_is_computed_again(tmp_path):
    got = Gathered()
    compute_all(die_once, [(i, str(tmp_path)) for i in range(5)], got, processes=2)
    assert got == {i: i * i for i in range(5)}
    assert (tmp_path / "died").exists()


def test_a_task_whose_process_always_dies_is_named(tmp_path):
    got = Gathered()
    tasks = [(i, str(tmp_path)) for i in range(5)]
    with pytest.raises(WorkerDied, match=r"computed task no 2 was ended .* smaller memory budget"):
        compute_all(die_always, tasks, got, 2, describe=lambda task: f"task no {task[0]}")
    assert got
    assert got.items() <= {i: i * i for i in (0, 1, 3, 4)}.items()


@pytest.mark.parametrize("processes", [1, 2])
def test_errors_pass_through_as_they_are(processes):
    with pytest.raises(InvalidInput, match=r"task must be another one. Got 2") as caught:
        compute_all(refuse, range(5), Gathered(), processes)
    assert (caught.value.name, caught.value.value) == ("task", 2)


def test_a_computation_can_be_stopped_from_done(recwarn):
    def stop(number: int, result: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compute_all(square, range(50), stop, processes=2)
    assert not recwarn.list  # joblib's own word that tasks were dropped: they were to be


def test_processes_do_not_outlive_a_killed_parent():
    script = """
        from engine.parallel import compute_all
        from tests.support.chores import wait_long
        compute_all(wait_long, range(6), lambda i, pid: print(pid, flush=True), processes=2)
    """
    arguments = [sys.executable, "-c", textwrap.dedent(script)]
    with subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        workers = {int(parent.stdout.readline()) for _ in range(2)}
        assert all(map(alive, workers))
        parent.kill()
    wait(lambda: not any(map(alive, workers)))


def test_two_processes_of_which_one_is_killed_give_the_table_of_one(here):
    killed: list[int] = []
    kept: dict[Any, Any] = {}

    def kill_one(progress: Progress) -> None:
        if progress.last and not killed:
            mine = psutil.Process().children()
            killed.append(next(p.pid for p in mine if "popen_loky" in " ".join(p.cmdline())))
            os.kill(killed[0], signal.SIGKILL)

    def keep(batch: Any, table: pd.DataFrame, seconds: float) -> None:
        kept[batch] = len(table)
        assert seconds > 0

    table = sweep(SMALL, **SWEEP, jobs=2, on_progress=kill_one, keep=keep)
    assert killed
    assert list(kept.values()) == [4] * 5
    pd.testing.assert_frame_equal(table, here)


def test_a_cluster_by_joblibs_configuration_gives_the_table_of_here(here, cluster):
    with (
        Client(cluster.scheduler_address, set_as_default=False) as client,
        joblib.parallel_config(backend="dask", client=client),
    ):
        assert is_distributed()
        table = sweep(SMALL, **SWEEP)
    assert not is_distributed()
    pd.testing.assert_frame_equal(table, here)


def test_a_worker_of_the_cluster_killed_in_mid_sweep_changes_nothing(here, cluster):
    pids = worker_pids(cluster)
    killed: list[int] = []

    def kill_one(progress: Progress) -> None:
        if progress.last and not killed:
            killed.append(min(pids))
            os.kill(killed[0], signal.SIGKILL)

    table = sweep(SMALL, **SWEEP, cluster=cluster.scheduler_address, on_progress=kill_one)
    assert killed
    pd.testing.assert_frame_equal(table, here)
    assert worker_pids(cluster) != pids  # it was one of them, and dask has put another in its place


def test_on_a_cluster_a_task_that_kills_is_named_and_all_others_are_delivered(cluster, tmp_path):
    """joblib's dask backend waits for ever here."""
    got = Gathered()
    tasks = [(i, str(tmp_path)) for i in range(5)]
    with (
        on_cluster(cluster.scheduler_address),
        pytest.raises(WorkerDied, match=r"computed task no 2 was ended from outside"),
    ):
        compute_all(die_always, tasks, got, describe=lambda task: f"task no {task[0]}")
    assert got == {i: i * i for i in (0, 1, 3, 4)}
    worker_pids(cluster)  # both are back


def test_on_a_cluster_errors_pass_through_as_they_are(cluster):
    with on_cluster(cluster.scheduler_address), pytest.raises(InvalidInput, match="task must be"):
        compute_all(refuse, range(5), Gathered())


def listening() -> tuple[socket.socket, str]:
    """Something that takes connections and says nothing."""
    mute = socket.socket()
    mute.bind(("127.0.0.1", 0))
    mute.listen()
    return mute, f"tcp://127.0.0.1:{mute.getsockname()[1]}"


def test_a_cluster_that_does_not_answer_is_named_in_time():
    mute, address = listening()
    threads = threading.active_count()
    for where in (address, "tcp://127.0.0.1:9", "nonsense"):
        began = time.monotonic()
        with (
            pytest.raises(ClusterUnavailable, match=f"No dask scheduler answers at '{where}'"),
            on_cluster(where, seconds=1),
        ):
            pass
        assert time.monotonic() - began < 10
    assert threading.active_count() <= threads
    mute.close()


def test_a_sweep_falls_back_on_this_machine_where_that_is_asked(here):
    notices: list[str] = []
    given = SWEEP.copy()
    targets, device = given.pop("targets"), given.pop("device")
    options = SweepOptions(**given)
    nowhere = Execution(device=device, cluster="tcp://127.0.0.1:9", jobs=1, connect_seconds=1.0)
    with pytest.raises(ClusterUnavailable, match="No dask scheduler answers"):
        sweep_with(options, SMALL, targets, nowhere)
    instead = replace(
        nowhere,
        cluster_fallback=True,
        on_progress=lambda progress: notices.append(progress.notice),
    )
    table = sweep_with(options, SMALL, targets, instead)
    [notice] = filter(None, notices)
    assert "'tcp://127.0.0.1:9'" in notice
    assert notice.endswith("Computing on this machine instead, as asked.")
    pd.testing.assert_frame_equal(table, here)


def test_a_process_of_the_pool_ends_though_its_parent_died_before_its_first_task():
    gone = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"],
                          capture_output=True, text=True, check=True)  # fmt: skip
    code = (
        "import sys, time; from engine.parallel import numbered; "
        "numbered(time.sleep, 0, 60, int(sys.argv[1]))"
    )
    orphan = subprocess.run(
        [sys.executable, "-c", code, gone.stdout], cwd=ROOT, timeout=50, check=False
    )
    assert orphan.returncode == 1
    assert numbered(abs, 3, -2, os.getpid()) == (3, 2)  # in the parent itself: nothing ends


def test_a_cluster_without_workers_is_not_waited_for():
    with LocalCluster(n_workers=1, **QUIET) as cluster:
        with on_cluster(cluster.scheduler_address):

            def leave(number: int, result: Any) -> None:
                cluster.scale(0)

            with pytest.raises(ClusterUnavailable, match="has lost its workers"):
                compute_all(wait_long, range(4), leave, patience=1.0)
        with (
            pytest.raises(ClusterUnavailable, match="has no workers"),
            on_cluster(cluster.scheduler_address),
        ):
            pass


def test_a_scheduler_that_ends_under_its_work_is_said():
    with (
        LocalCluster(n_workers=1, **QUIET) as cluster,
        on_cluster(cluster.scheduler_address),
        pytest.raises(ClusterUnavailable, match="scheduler has gone, or was restarted"),
    ):
        compute_all(wait_long, range(4), lambda number, result: cluster.close())
