"""Settings that every test shares."""

import os
import sys
from collections.abc import Iterator

import pytest

# The tests' problems are small: a second thread gains nothing there, and stalls on a busy machine.
# Said before torch is loaded, and in the environment, for the processes that tests start.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import psutil
import torch
from hypothesis import settings

MAIN = sys.modules["__main__"]
EXTRA = 2  # processes beside one a core
EACH = 2.5e9  # bytes of a process and what it starts

# No deadline: a busy machine is no fault. On failure the line that repeats the example is printed.
settings.register_profile("lab", deadline=None, print_blob=True)
settings.load_profile("lab")

torch.set_num_threads(1)

# "auto" is the processor for the tests, whatever the machine has: they compare with tensors that
# lie there. What a GPU makes of it is compared in unit/test_real_gpu.py, which asks for one.
torch.cuda.is_available = lambda: False


@pytest.hookimpl(optionalhook=True)  # it is pytest-xdist's
def pytest_xdist_auto_num_workers() -> int:
    """How many processes `-n auto` starts: more than cores, as a test often waits for another
    process, a browser or a pause to end; and no more than memory holds."""
    cores, memory = len(os.sched_getaffinity(0)), psutil.virtual_memory().total
    return max(min(cores + EXTRA, int(memory / EACH)), 1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest: at the end it would keep one process at work alone."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


@pytest.fixture(autouse=True)
def own_main() -> Iterator[None]:
    """The test run's own `__main__`: AppTest leaves its script there, and a process that a later
    test starts would run that script."""
    sys.modules["__main__"] = MAIN
    yield
    sys.modules["__main__"] = MAIN
