"""Who asked for a job, how many one visitor may have, and the queue that is closed."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from engine.errors import TooMany
from engine.experiments import AttackRequest
from engine.results import owners
from engine.results.jobs import JOB, Jobs
from engine.results.queue import ASKED, queue_lock, recover
from engine.settings import ROOT, read_settings
from tests.support.queues import wait

FIRST = AttackRequest(targets=(16,), radius=0.35, restarts=1)
SECOND, THIRD = replace(FIRST, targets=(17,)), replace(FIRST, targets=(18,))


@pytest.fixture
def jobs(tmp_path) -> Jobs:
    """A queue from which no worker takes anything."""
    return Jobs(read_settings({"IAL_CACHE_DIR": str(tmp_path), "IAL_WORKERS": "no"}))


def test_who_asks_first_and_who_joins_are_owners(jobs):
    job = jobs.submit("attack", FIRST, "ann")
    assert jobs.submit("attack", FIRST, "bob") == job
    jobs.submit("attack", FIRST, "ann")
    jobs.submit("attack", FIRST)  # the command line: nobody in particular
    assert jobs.owners_of(job) == ("ann", "bob")
    assert Jobs(jobs.settings).owners_of(job) == ("ann", "bob")


def test_a_job_of_two_goes_on_for_the_other(jobs):
    job = jobs.submit("attack", FIRST, "ann")
    jobs.submit("attack", FIRST, "bob")
    jobs.withdraw(job, "carl")  # not one of them
    jobs.withdraw(job, "ann")
    assert jobs.owners_of(job) == ("bob",)
    assert jobs.state(job).status == "queued"
    jobs.withdraw(job, "bob")
    assert jobs.state(job).status == "cancelled"
    assert jobs.submit("attack", FIRST, "dan") == job
    assert jobs.owners_of(job) == ("dan",)
    assert jobs.state(job).status == "queued"


def test_a_job_of_nobody_is_not_cancelled_by_withdrawing(jobs):
    job = jobs.submit("attack", FIRST)
    jobs.withdraw(job, "ann")
    assert jobs.state(job).status == "queued"


def test_one_visitor_has_so_many_jobs_at_most(jobs):
    first = jobs.submit("attack", FIRST, "ann", most=2)
    jobs.submit("attack", SECOND, "ann", most=2)
    with pytest.raises(TooMany, match="You have 2 computations that wait or run already"):
        jobs.submit("attack", THIRD, "ann", most=2)
    assert jobs.submit("attack", FIRST, "ann", most=2) == first, "it is one of theirs already"
    jobs.submit("attack", THIRD, "bob", most=2)
    with pytest.raises(TooMany):
        jobs.submit("attack", THIRD, "ann", most=2)  # joining counts too
    jobs.withdraw(first, "ann")
    jobs.submit("attack", THIRD, "ann", most=2)
    jobs.submit("attack", FIRST, "ann")  # no limit was given


def test_the_queue_is_closed_and_opened_for_every_process(jobs):
    assert not owners.is_frozen(jobs.folder)
    owners.freeze(jobs.folder, True)
    owners.freeze(jobs.folder, True)
    assert owners.is_frozen(Jobs(jobs.settings).folder)
    owners.freeze(jobs.folder, False)
    owners.freeze(jobs.folder, False)
    assert not owners.is_frozen(jobs.folder)


ASKS = """
import sys
from engine.experiments import AttackRequest
from engine.results.jobs import Jobs
from engine.settings import read_settings

jobs = Jobs(read_settings({"IAL_CACHE_DIR": sys.argv[1], "IAL_WORKERS": "no"}))
jobs.submit("attack", AttackRequest(targets=(16,), radius=0.35, restarts=1), "ann")
"""


def asked_by_one_that_was_killed(jobs: Jobs, folder: Path) -> Path:
    """What is left of a process that was killed while it waited for the queue's lock."""
    jobs.folder.mkdir(parents=True, exist_ok=True)
    with queue_lock(jobs.folder):
        server = subprocess.Popen([sys.executable, "-c", ASKS, str(folder)], cwd=ROOT)
        try:
            wait(lambda: any(jobs.folder.glob(f"{ASKED}*/{JOB}")))
        finally:
            server.kill()
            server.wait()
    (left,) = jobs.folder.glob(f"{ASKED}*")
    return left


def test_what_a_killed_server_was_asked_for_is_not_lost(jobs: Jobs, tmp_path: Path) -> None:
    left = asked_by_one_that_was_killed(jobs, tmp_path)
    with queue_lock(jobs.folder):
        recover(jobs.folder)
    assert left.is_dir(), "its process may live: it takes in what it was asked for by itself"
    os.utime(left, (1e9, 1e9))
    with queue_lock(jobs.folder):
        recover(jobs.folder)
    assert not left.exists()
    ((job, state),) = jobs.all()
    assert (job.request["targets"], state.status) == ([16], "queued")
    assert jobs.owners_of(job.id) == ("ann",)


def test_what_was_asked_for_once_more_meanwhile_is_one_job(jobs: Jobs, tmp_path: Path) -> None:
    left = asked_by_one_that_was_killed(jobs, tmp_path)
    os.utime(left, (1e9, 1e9))
    job = jobs.submit("attack", FIRST, "bob")
    assert [known.id for known, _ in jobs.all()] == [job]
    assert set(jobs.owners_of(job)) == {"ann", "bob"}
    assert not list(jobs.folder.glob(f"{ASKED}*"))


def test_what_was_written_down_by_half_is_cleared_away(jobs: Jobs) -> None:
    half = jobs.folder / f"{ASKED}half"
    half.mkdir(parents=True)
    os.utime(half, (1e9, 1e9))
    jobs.submit("attack", FIRST)
    assert not half.exists()
    assert len(jobs.all()) == 1


def test_a_refused_request_leaves_nothing(jobs: Jobs) -> None:
    jobs.submit("attack", FIRST, "ann", most=1)
    with pytest.raises(TooMany):
        jobs.submit("attack", SECOND, "ann", most=1)
    assert len(jobs.all()) == 1
    assert not list(jobs.folder.glob(f"{ASKED}*"))
