"""Who asked for a job, how many one visitor may have, and the queue that is closed."""

from dataclasses import replace

import pytest

from engine.errors import TooMany
from engine.experiments import AttackRequest
from engine.results import owners
from engine.results.jobs import Jobs
from engine.settings import read_settings

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
