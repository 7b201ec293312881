"""Waiting for jobs, and ending their processes."""

import os
import signal
import time
from collections.abc import Callable

from engine.experiments import AttackRequest
from engine.results.jobs import Jobs, JobState
from engine.results.lanes import SHORT
from engine.results.queue import living

PATIENCE = 300.0  # seconds; a worker needs a few to import torch, minutes on a busy machine
# Many steps in a small ball: it takes long enough to be looked at, cancelled or killed, and is of
# the short lane.
LONG = AttackRequest(targets=(919,), radius=0.05, steps=3000)


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


def kill_all(jobs: Jobs) -> None:
    """End every worker that this test started."""
    for pid in worker_pids(jobs):
        os.kill(pid, signal.SIGKILL)
    wait(lambda: not jobs.worker_alive())


def wait(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.02)


def until(jobs: Jobs, job: str, *statuses: str) -> JobState:
    wait(lambda: jobs.state(job).status in statuses)
    return jobs.state(job)
