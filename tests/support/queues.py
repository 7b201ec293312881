"""Waiting for jobs, and ending their processes."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from engine.experiments import AttackRequest
from engine.results.jobs import Jobs, JobState
from engine.settings import read_settings

PATIENCE = 100.0  # seconds; a worker needs a few to import torch, more on a busy machine


# Many steps in a small ball: it takes long enough to be looked at, cancelled or killed.
LONG = AttackRequest(targets=(919,), radius=0.05, steps=3000)


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[Jobs]:
    settings = read_settings({"IAL_CACHE_DIR": str(tmp_path / "cache"), "IAL_DEVICE": "cpu"})
    made = Jobs(replace(settings, published=tmp_path / "published"))  # nothing is published here
    yield made
    kill(made)


def kill(jobs: Jobs) -> int | None:
    """End the worker that this test started, without a word of warning."""
    pid = jobs.worker_pid()
    if pid is not None:
        os.kill(pid, signal.SIGKILL)
        wait(lambda: not jobs.worker_alive())
    return pid


def wait(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.02)


def until(jobs: Jobs, job: str, *statuses: str) -> JobState:
    wait(lambda: jobs.state(job).status in statuses)
    return jobs.state(job)
