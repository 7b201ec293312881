"""What all sessions of a server share."""

import threading
from pathlib import Path

from engine.results.jobs import Jobs
from engine.results.lanes import SHORT
from engine.settings import read_settings
from pages.common.lab.shared import warm_up


def test_a_worker_is_started_before_anybody_asks(tmp_path: Path) -> None:
    started = threading.Event()

    class Noting(Jobs):
        def start_worker(self, lane: str = SHORT, slot: int = 0) -> None:
            started.set()

    warm_up(Noting(read_settings({"IAL_CACHE_DIR": str(tmp_path)})), seconds=0.01)
    assert started.wait(timeout=30)
