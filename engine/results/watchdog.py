"""What a job may take: its time and memory, looked at while it runs.

Time counts under all the workers that a job has had. Memory is that of the worker and of all
processes below it: what they have allocated, without the pages of files, which the system takes
back when it needs them. A GPU's memory is not limited.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

from engine.data.untrusted.limits import size
from engine.results import lanes
from engine.results.queue import CANCEL, USAGE, write_json
from engine.settings import Settings

LOOK_SECONDS = 0.5
CANCEL_SECONDS = 20.0  # that a job has to stop by itself
SHARE = 0.8  # of the machine's memory that all jobs together may take
GB = 2**30
CONTAINER = Path("/sys/fs/cgroup/memory.max")
TRACKER = "resource_tracker"  # joblib's, which clears away what an ended process leaves in memory
KEPT = "What was finished is kept."
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class JobLimits:
    """Of one job: seconds, and bytes of memory."""

    seconds: float
    memory: float


def limits_of(settings: Settings, at_once: int, lane: str) -> JobLimits:
    """Return the limits of one job of a lane that runs so many at once."""
    memory = settings.job_memory_gb * GB or SHARE * lanes.SHARE[lane] * machine_memory() / at_once
    return JobLimits(3600 * settings.job_hours, memory)


def machine_memory(container: Path = CONTAINER) -> int:
    """Return the bytes that all processes here may take: the machine's, or what the file
    `container` says."""
    total = int(psutil.virtual_memory().total)
    try:
        return min(total, int(container.read_text()))
    except (OSError, ValueError):  # no container, or 'max'
        return total


def memory_of(process: psutil.Process) -> int:
    """Return the bytes that a process and all below it have allocated."""
    total = 0
    for one in (process, *below(process)):
        try:
            info = one.memory_info()
        except psutil.Error:  # it has just ended
            continue
        total += info.rss - getattr(info, "shared", 0)
    return total


def below(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.Error:
        return []


def clears_up(process: psutil.Process) -> bool:
    """Return whether a process only waits to clear away what others leave."""
    return any(TRACKER in word for word in process.cmdline())


def end_below(process: psutil.Process) -> None:
    """End all processes below one, but those that clear away what the others leave."""
    for one in below(process):
        try:
            if not clears_up(one):
                one.kill()
        except psutil.Error:
            continue


def broken(limits: JobLimits, seconds: float, memory: float) -> str | None:
    """Return which limit a job breaks, in words; None where it breaks none."""
    if memory > limits.memory:
        return (
            f"It took {size(memory)} of memory, and a job may take {size(limits.memory)} here "
            f"(IAL_JOB_MEMORY_GB). {KEPT} Ask for less at once: fewer restarts or targets, a "
            "smaller memory budget, fewer processes."
        )
    if seconds > limits.seconds:
        return (
            f"It took {duration(seconds)}, and a job may take {duration(limits.seconds)} here "
            f"(IAL_JOB_HOURS). {KEPT} Start again to go on from there, or ask for less: fewer "
            "targets, restarts or steps."
        )
    return None


def duration(seconds: float) -> str:
    """Write a limit in words, to three digits: '24 hours', '1.5 hours', '36 seconds'."""
    number, unit = (seconds, "second") if seconds < 3600 else (seconds / 3600, "hour")
    shown = f"{number:.3g}"
    return f"{shown} {unit}{'' if shown == '1' else 's'}"


class Watchdog:
    """Looks after the job in a folder, from a thread of its own, until the block is left.

    Where the job breaks a limit or does not stop when asked to, `end(status, message)` is called,
    which is not to return: the job itself may be deep in a computation. It looks every
    `look_seconds`; a job has `cancel_seconds` to stop by itself.
    """

    def __init__(
        self,
        folder: Path,
        limits: JobLimits,
        before: float,
        end: Callable[[str, str], None],
        look_seconds: float = LOOK_SECONDS,
        cancel_seconds: float = CANCEL_SECONDS,
    ) -> None:
        self.folder, self.limits, self.before, self.end = folder, limits, before, end
        self.look_seconds, self.cancel_seconds = look_seconds, cancel_seconds
        self.began, self.peak = time.monotonic(), 0
        self.asked: float | None = None  # when it was seen that the job is to stop
        self.over = threading.Event()
        self.deciding = threading.Lock()  # the job ends by itself, or is ended
        self.thread = threading.Thread(target=self.watch, name="watchdog", daemon=True)

    def __enter__(self) -> "Watchdog":
        self.thread.start()
        return self

    def __exit__(self, *raised: object) -> None:
        with self.deciding:
            self.over.set()

    def watch(self) -> None:
        process = psutil.Process()
        while not self.over.wait(self.look_seconds):
            try:
                verdict = self.look(memory_of(process))
                with self.deciding:
                    if verdict is not None and not self.over.is_set():
                        self.end(*verdict)
            except OSError:  # a full disk, say: it may have room at the next look
                log.exception("The watchdog of %s cannot write", self.folder.name)

    def look(self, memory: int) -> tuple[str, str] | None:
        """Tell what is used; how the job has to end, if it has to."""
        now = time.monotonic()
        self.peak = max(self.peak, memory)
        used = {"seconds": now - self.began, "memory": memory, "peak": self.peak}
        write_json(self.folder / USAGE, used)
        if self.asked is None and (self.folder / CANCEL).exists():
            self.asked = now
        if self.asked is not None and now - self.asked > self.cancel_seconds:
            return "cancelled", ""
        message = broken(self.limits, self.before + now - self.began, memory)
        return None if message is None else ("failed", message)
