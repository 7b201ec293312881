"""What several unit tests are given."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.results.jobs import Jobs
from tests.support.queues import kill_all, queue, settle


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[Jobs]:
    """A queue of one worker a lane, which the test starts."""
    made = queue(tmp_path, IAL_SHORT_JOBS_AT_ONCE="1")
    yield made
    kill_all(made)


@pytest.fixture(scope="module")
def workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jobs]:
    made = queue(tmp_path_factory.mktemp("workers"), IAL_SHORT_JOBS_AT_ONCE="1")
    yield made
    kill_all(made)


@pytest.fixture
def warm(workers: Jobs) -> Iterator[Jobs]:
    """The same for all tests of a module, each with requests of its own: what the earlier ones
    started is still there, as a new worker takes seconds to import torch."""
    yield workers
    settle(workers)
