"""What all sessions of a server share."""

import threading
from pathlib import Path

import pytest

from engine.results.jobs import Jobs
from engine.settings import read_settings
from pages.common.lab.shared import warm_up


def test_a_worker_is_started_before_anybody_asks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs, started = Jobs(read_settings({"IAL_CACHE_DIR": str(tmp_path)})), threading.Event()
    monkeypatch.setattr(jobs, "start_worker", started.set)
    warm_up(jobs, seconds=0.01)
    assert started.wait(timeout=30)
