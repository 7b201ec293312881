"""What several unit tests are given."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from engine.results.jobs import Jobs
from engine.settings import read_settings
from tests.support.queues import kill_all


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[Jobs]:
    """A queue of one worker a lane; nothing is published there."""
    place = {"IAL_CACHE_DIR": str(tmp_path / "cache"), "IAL_DEVICE": "cpu"}
    settings = read_settings(place | {"IAL_SHORT_JOBS_AT_ONCE": "1"})
    made = Jobs(replace(settings, published=tmp_path / "published"))
    yield made
    kill_all(made)
