"""Waiting for jobs, and ending their processes."""

import contextlib
import os
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import psutil

from engine.experiments import AttackRequest
from engine.results.jobs import Jobs, JobState
from engine.results.lanes import SHORT
from engine.results.queue import is_held, living, read_state
from engine.settings import read_settings

PATIENCE = 300.0  # seconds; a worker needs a few to import torch, minutes on a busy machine
# Many steps in a small ball: it takes long enough to be looked at, cancelled or killed, and is of
# the short lane.
LONG = AttackRequest(targets=(919,), radius=0.05, steps=3000)


def queue(folder: Path, **environment: str) -> Jobs:
    """A queue in a folder of its own; nothing is published there."""
    place = {"IAL_CACHE_DIR": str(folder / "cache"), "IAL_DEVICE": "cpu"}
    settings = read_settings(place | environment)
    return Jobs(replace(settings, published=folder / "published"))


def worker_alive(jobs: Jobs) -> bool:
    """Whether any worker is alive."""
    return any(map(is_held, jobs.folder.glob("worker-*.lock")))


def worker_pids(jobs: Jobs) -> list[int]:
    """The process numbers of all living workers, by slot."""
    return [worker.pid for worker in living(jobs.folder)]


def worker_pid(jobs: Jobs, lane: str = SHORT) -> int | None:
    """The process number of a lane's first worker, if it is alive."""
    first = (
        worker.pid for worker in living(jobs.folder) if (worker.lane, worker.slot) == (lane, 0)
    )
    return next(first, None)


def kill(jobs: Jobs, lane: str = SHORT) -> int | None:
    """End a lane's first worker, which this test started, without a word of warning."""
    pid = worker_pid(jobs, lane)
    if pid is not None:
        os.kill(pid, signal.SIGKILL)
        wait(lambda: worker_pid(jobs, lane) != pid)
    return pid


def kill_worker_of(jobs: Jobs, job: str) -> None:
    """End the worker that computes a job, whichever of its lane that is."""
    state = read_state(jobs.folder / job)
    assert state is not None
    (worker,) = (worker for worker in living(jobs.folder) if worker.id == state.worker)
    os.kill(worker.pid, signal.SIGKILL)
    wait(lambda: worker not in living(jobs.folder))


def kill_all(jobs: Jobs) -> None:
    """End every worker that this test started, also one that begins or waits for the lock of
    another: it would take the place of the one that is killed."""

    def none_left() -> bool:
        found = worker_processes(jobs)
        for process in found:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        return not found

    wait(none_left)


def worker_processes(jobs: Jobs) -> list[psutil.Process]:
    """The processes that are, or are about to be, a worker of this queue."""
    place = str(jobs.settings.cache_dir)
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):  # it has just ended, or is not ours to look at
            is_worker = "engine.results.worker" in process.cmdline()  # none of a zombie
            if is_worker and process.environ().get("IAL_CACHE_DIR") == place:
                found.append(process)
    return found


def settle(jobs: Jobs) -> None:
    """Cancel what runs or waits: the next test finds the workers idle, and what was kept."""
    going = [job.id for job, state in jobs.all() if state.status in ("queued", "running")]
    for job in going:
        jobs.cancel(job)
    wait(lambda: all(jobs.state(job).status not in ("queued", "running") for job in going))


def wait(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.05)


def until(jobs: Jobs, job: str, *statuses: str) -> JobState:
    wait(lambda: jobs.state(job).status in statuses)
    return jobs.state(job)
