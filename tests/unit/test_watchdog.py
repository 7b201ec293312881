"""Time and memory of a job: what is measured, what breaks a limit, and what becomes of it."""

import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest

from engine.errors import Cancelled
from engine.experiments import BaselineRequest, SweepRequest
from engine.results import lanes, watchdog
from engine.results.jobs import Jobs, JobState
from engine.results.lanes import LONG as LONG_LANE
from engine.results.lanes import SHORT
from engine.results.queue import CANCEL, USAGE, read_json
from engine.results.watchdog import (
    GB,
    JobLimits,
    Watchdog,
    broken,
    clears_up,
    end_below,
    limits_of,
    machine_memory,
    memory_of,
)
from engine.settings import Settings, read_settings
from pages.evidence.parts import library_words
from tests.support.queues import LONG, kill_all, until, wait, worker_pid, worker_pids

MB = 2**20
HOG = "import sys, time; held = b'x' * {n}; print('ready', flush=True); time.sleep(100)"
NESTED = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", {inner!r}], stdout=subprocess.PIPE)
child.stdout.readline()
print("ready", flush=True)
child.wait()
"""


def start(code: str) -> subprocess.Popen:
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    return process


@pytest.fixture
def hogs() -> Iterator[tuple[subprocess.Popen, int]]:
    """A process with a child that holds 100 MB."""
    process = start(NESTED.format(inner=HOG.format(n=100 * MB)))
    [child] = psutil.Process(process.pid).children()
    yield process, child.pid
    for pid in (child.pid, process.pid):
        if psutil.pid_exists(pid):
            psutil.Process(pid).kill()
    process.wait()


def test_memory_is_that_of_all_processes_without_files(hogs, tmp_path):
    process, _ = hogs
    # a Python without anything takes some 5 to 10 MB, and there are two
    assert 100 * MB < memory_of(psutil.Process(process.pid)) < 140 * MB
    me, path = psutil.Process(), tmp_path / "features.npy"
    np.save(path, np.ones(8 * MB))  # 64 MB
    before = memory_of(me)
    mapped = np.load(path, mmap_mode="r")
    assert float(mapped.sum()) == 8 * MB
    assert memory_of(me) - before < 30 * MB
    held = np.ones(8 * MB)
    assert memory_of(me) - before > 60 * MB
    del held


def test_all_below_are_ended_but_those_who_clear_up(hogs):
    process, child = hogs
    tracker = start("import time; print('resource_tracker', flush=True); time.sleep(100)")
    end_below(psutil.Process())
    process.wait(timeout=10)
    gone, _ = psutil.wait_procs([psutil.Process(child)] if psutil.pid_exists(child) else [], 10)
    assert not psutil.pid_exists(child) or gone
    assert tracker.poll() is None
    tracker.kill()
    tracker.wait()


def test_limits_are_those_of_the_settings_or_a_share_of_the_machine():
    settings = read_settings({"IAL_JOB_HOURS": "2", "IAL_JOB_MEMORY_GB": "3"})
    assert limits_of(settings, 4, LONG_LANE) == JobLimits(7200, 3 * GB)
    long, short = (limits_of(read_settings({}), 2, lane) for lane in (LONG_LANE, SHORT))
    assert long.seconds == short.seconds == 24 * 3600
    # two jobs in either lane fit into it together
    assert 2 * long.memory + 2 * short.memory == pytest.approx(0.8 * machine_memory())
    assert long.memory == pytest.approx(2 * short.memory)


def test_a_container_has_less_memory_than_its_machine(tmp_path):
    container = tmp_path / "memory.max"
    whole = machine_memory(container)
    assert whole == psutil.virtual_memory().total
    container.write_text("max\n")
    assert machine_memory(container) == whole
    container.write_text(f"{64 * MB}\n")
    assert machine_memory(container) == 64 * MB


def test_what_breaks_a_limit_is_said_with_its_setting():
    limits = JobLimits(5400, 2 * GB)
    assert broken(limits, 5400, 2 * GB) is None
    memory, hours = broken(limits, 0, 2.5 * GB), broken(limits, 5 * 3600, 0)
    assert memory is not None
    assert hours is not None
    assert memory.startswith("It took 2.5 GB of memory, and a job may take 2.0 GB here (IAL_JOB_ME")
    assert "fewer restarts" in memory
    assert hours.startswith("It took 5 hours, and a job may take 1.5 hours here (IAL_JOB_HOURS).")
    assert "go on from there" in hours


def test_time_counts_under_all_workers_and_a_job_that_does_not_stop_is_ended(tmp_path):
    ends: list[tuple[str, str]] = []
    dog = Watchdog(tmp_path, JobLimits(100, GB), 99.0, lambda *end: ends.append(end))
    assert dog.look(MB) is None
    dog.began -= 2
    status, message = dog.look(MB) or ("", "")
    assert (status, "IAL_JOB_HOURS" in message) == ("failed", True)
    used = read_json(tmp_path / USAGE)
    assert used is not None
    assert used["memory"] == used["peak"] == MB
    assert 2 <= used["seconds"] < 10
    dog = Watchdog(
        tmp_path, JobLimits(100, GB), 0.0, lambda *end: ends.append(end), cancel_seconds=60
    )
    (tmp_path / CANCEL).touch()
    assert dog.look(MB) is None
    assert dog.asked is not None
    dog.asked -= 59
    assert dog.look(MB) is None
    dog.asked -= 2
    assert dog.look(MB) == ("cancelled", "")


def test_it_decides_before_or_after_the_job_has_ended_never_both(tmp_path):
    ends: list[tuple[str, str]] = []
    broken_at_once = JobLimits(0.0, GB)
    with Watchdog(
        tmp_path, broken_at_once, 0.0, lambda *end: ends.append(end), look_seconds=0.01
    ) as dog:
        time.sleep(0.3)
    seen = len(ends)
    assert seen > 0
    dog.thread.join(timeout=10)
    assert len(ends) == seen
    with pytest.raises(Cancelled), Watchdog(tmp_path, JobLimits(9, GB), 0.0, lambda *end: None):
        raise Cancelled("as the job says")


def lab(folder: Path, **limits: str) -> Jobs:
    settings = read_settings({"IAL_CACHE_DIR": str(folder), "IAL_DEVICE": "cpu", **limits})
    return Jobs(settings)


def test_a_job_that_breaks_a_limit_fails_with_its_children_and_the_next_goes_on(tmp_path):
    # more than any job takes alone, and less than one with two processes below it
    jobs = lab(tmp_path, IAL_JOB_MEMORY_GB="0.6")
    processes = SweepRequest(n_targets=40, radii=(0.05,), ks=(1,), steps=5000, memory_gb=0.2)
    jobs.settings = replace(jobs.settings, jobs=2)
    try:
        slow = jobs.submit("sweep", processes)
        behind = jobs.submit("baseline", BaselineRequest(targets=(16,), steps=5))
        assert jobs.state(behind).place > 0  # in the same lane
        children: set[psutil.Process] = set()

        def computing() -> list[psutil.Process]:
            return [child for child in children if computes(child)]

        while jobs.state(slow).status in ("queued", "running"):
            if pid := worker_pid(jobs, LONG_LANE):
                children |= set(psutil.Process(pid).children(recursive=True))
            time.sleep(0.05)
        state = jobs.state(slow)
        assert state.status == "failed"
        assert "(IAL_JOB_MEMORY_GB)" in state.message
        wait(lambda: not computing())
        assert children
        assert until(jobs, behind, "done", "failed").status == "done"
    finally:
        kill_all(jobs)


def test_a_cancelled_sweep_over_two_processes_ends_with_both_of_them(tmp_path):
    jobs = lab(tmp_path)
    # a batch that would go on for minutes after the moment at which it is cancelled
    processes = SweepRequest(n_targets=40, radii=(0.05,), ks=(1,), steps=5000, memory_gb=0.2)
    jobs.settings = replace(jobs.settings, jobs=2)
    try:
        slow = jobs.submit("sweep", processes)
        found: list[psutil.Process] = []

        def spread() -> bool:
            """Whether two processes compute below the worker; those are remembered."""
            if pid := worker_pid(jobs, LONG_LANE):
                found[:] = filter(computes, psutil.Process(pid).children(recursive=True))
            return len(found) > 1

        wait(spread)
        assert jobs.state(slow).status == "running"
        jobs.cancel(slow)
        until(jobs, slow, "cancelled")
        wait(lambda: not any(computes(one) for one in found))
        behind = jobs.submit("baseline", BaselineRequest(targets=(16,), steps=5))
        assert until(jobs, behind, "done", "failed").status == "done"
    finally:
        kill_all(jobs)


def computes(process: psutil.Process) -> bool:
    """Whether a process is alive and more than one that waits to clear up."""
    try:
        return process.status() != "zombie" and not clears_up(process)
    except psutil.NoSuchProcess:
        return False


def test_a_job_that_takes_too_much_memory_fails_in_words(tmp_path):
    jobs = lab(tmp_path, IAL_JOB_MEMORY_GB="0.05")  # less than torch alone
    try:
        job = jobs.submit("attack", LONG)
        state = until(jobs, job, "failed", "done", "died")
        assert state.status == "failed"
        assert "and a job may take 51.2 MB here (IAL_JOB_MEMORY_GB)" in state.message
        wait(lambda: worker_pid(jobs) is not None)  # its worker has given way to a new one
        # whoever raises the limit and starts the lab again has it obeyed, though a worker is there
        again = lab(tmp_path, IAL_JOB_MEMORY_GB="4")
        again.watch()
        assert again.submit("attack", LONG) == job
        until(again, job, "running")
        time.sleep(3 * watchdog.LOOK_SECONDS)
        assert again.state(job).status == "running"
        again.cancel(job)
        until(again, job, "cancelled")
    finally:
        kill_all(jobs)


def test_more_than_one_job_at_a_time_where_a_setting_says_so(tmp_path):
    jobs = lab(tmp_path, IAL_SHORT_JOBS_AT_ONCE="2")
    requests = [replace(LONG, seed=seed) for seed in range(3)]
    try:
        first, second, third = (jobs.submit("attack", request) for request in requests)
        until(jobs, first, "running")
        until(jobs, second, "running")
        assert jobs.state(third).place == 1
        assert len(worker_pids(jobs)) == len(set(worker_pids(jobs))) == 2
        jobs.cancel(first)
        until(jobs, third, "running")
        assert jobs.state(second).status == "running"
        for job in (second, third):
            jobs.cancel(job)
            until(jobs, job, "cancelled")
    finally:
        kill_all(jobs)


def test_every_gpu_has_a_worker_of_its_own(monkeypatch):
    import torch

    from engine.results.lanes import LANES, places
    from engine.results.worker import gpus, on_own_gpu

    auto = read_settings({})

    def at_once(settings: Settings) -> tuple[int, ...]:
        return tuple(places(lane, settings, gpus(settings)) for lane in LANES)

    monkeypatch.setattr(lanes, "cores", lambda: 8)
    assert at_once(read_settings({"IAL_DEVICE": "cpu"})) == (8, 1)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    assert at_once(auto) == (4, 4)
    assert [on_own_gpu(auto, i, gpus(auto)).device for i in (0, 3)] == ["cuda:0", "cuda:3"]
    six = replace(auto, jobs_at_once=6)
    assert at_once(six) == (4, 6)
    assert at_once(replace(auto, short_jobs_at_once=1)) == (1, 4)
    assert on_own_gpu(six, 5, gpus(six)).device == "cuda:1"
    named = replace(auto, device="cuda:2")
    assert (at_once(named), on_own_gpu(named, 0, gpus(named)).device) == ((1, 1), "cuda:2")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert on_own_gpu(auto, 0, gpus(auto)).device == "auto"


def test_the_page_says_what_a_job_may_take_and_how_often_it_was_resumed():
    limits = {SHORT: JobLimits(24 * 3600, 2 * GB), LONG_LANE: JobLimits(24 * 3600, 18.9 * GB)}
    said = library_words.limits_said(limits, {SHORT: 4, LONG_LANE: 1})
    assert (
        "Short ones: 4 run at a time, with at most 2.0 GB of memory each. "
        "Long ones: 1 runs at a time, with at most 18.9 GB each"
    ) in said
    assert "A computation may take 24 hours at most." in said
    resumed = [library_words.resumed(JobState("running", resumed=often)) for often in range(3)]
    assert resumed == ["", " · resumed", " · resumed 2 times"]
