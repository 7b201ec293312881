"""What a computation may do to the process that it runs in: work for the tests of other processes.

A module of its own, so that those processes need to import nothing else.
"""

import os
import signal
import time
from pathlib import Path

from engine.errors import InvalidInput


def square(task: int) -> tuple[int, int]:
    """The square, and who computed it."""
    time.sleep(0.05)
    return task * task, os.getpid()


def die_once(task: tuple[int, str]) -> int:
    """Task 2 ends its process the first time, as the kernel does when memory is short."""
    number, folder = task
    mark = Path(folder) / "died"
    if number == 2 and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number * number


def die_always(task: tuple[int, str]) -> int:
    """Task 2 waits until another is finished, and ends its process every time."""
    number, folder = task
    if number == 2:
        while not any(Path(folder).iterdir()):
            time.sleep(0.01)
        time.sleep(0.3)  # until that one has been delivered
        os.kill(os.getpid(), signal.SIGKILL)
    (Path(folder) / str(number)).touch()
    return number * number


def refuse(task: int) -> int:
    if task == 2:
        raise InvalidInput("task", task, "another one")
    return task


def wait_long(task: int) -> int:
    if task > 1:
        time.sleep(60)
    return os.getpid()
