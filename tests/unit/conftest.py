"""What several unit tests are given."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from engine.results.jobs import Jobs
from engine.settings import read_settings
from tests.support.queues import kill


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[Jobs]:
    settings = read_settings({"IAL_CACHE_DIR": str(tmp_path / "cache"), "IAL_DEVICE": "cpu"})
    made = Jobs(replace(settings, published=tmp_path / "published"))  # nothing is published here
    yield made
    kill(made)
