"""Work that one process of a test run does for all of them."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock


def once(
    factory: pytest.TempPathFactory, name: str, fill: Callable[[Path], object], seconds: float = 280
) -> Path:
    """Return the run's folder `name`, which the first process that asks for it fills.

    The others wait for it, at most so many seconds. Nobody may change it afterwards: a test that
    writes takes a copy. What was begun and not finished is begun again.
    """
    base = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent  # that of the run: each process has a folder of its own below it
    folder, whole = base / f"once-{name}", base / f"once-{name}.done"
    with FileLock(base / f"once-{name}.lock", timeout=seconds):
        if not whole.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            fill(folder)
            whole.touch()
    return folder
