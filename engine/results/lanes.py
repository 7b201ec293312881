"""The two lanes of the queue: what takes seconds never waits for what takes minutes.

Each lane has its own order and its own workers. Those of the long lane give way: the system gives
them a processor core only a tenth as often as the short lane's and the server. On a CPU the short
lane has a one-threaded worker a core, which is the fastest way through many small attacks; and a
job of its own is all that such a worker computes, so that no result depends on who else asked.
"""

import logging
import os
import time
from pathlib import Path

from engine.experiments import Request, experiment
from engine.experiments.cost import Size
from engine.settings import Settings
from engine.threads import PASSIVE

SHORT, LONG = "short", "long"
LANES = (SHORT, LONG)
SHORT_SECONDS = 90.0  # estimated from above for two cores: most such jobs take a third of it
SHARE = {SHORT: 1 / 3, LONG: 2 / 3}  # of the memory that all jobs together may take
NICENESS = 10  # of the long lane: a process of niceness 0 has nine times its share of a core
AUTOGROUP = Path("/proc/self/autogroup")
TRIES, RETRY_SECONDS = 20, 0.05  # the kernel takes only a few changes of autogroups a second
log = logging.getLogger(__name__)


def lane_of(name: str, request: Request, size: Size) -> str:
    """Choose a request's lane, by the estimate of its experiment."""
    estimate = experiment(name).seconds
    return SHORT if estimate and estimate(request, size) <= SHORT_SECONDS else LONG


def places(lane: str, settings: Settings, gpus: int) -> int:
    """Count the jobs of a lane that run at once: as the settings say, or one a GPU, or on a CPU as
    many short ones as there are cores and one long one, which may use them all."""
    on_gpu = gpus or settings.device.startswith("cuda")
    alone = cores() if lane == SHORT and not on_gpu else 1
    return chosen(lane, settings) or gpus or alone


def chosen(lane: str, settings: Settings) -> int:
    """Return how many jobs of a lane the settings want at once, 0 where they leave it open."""
    return settings.short_jobs_at_once if lane == SHORT else settings.jobs_at_once


def cores() -> int:
    """Count the processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def environment_for(lane: str) -> dict[str, str]:
    """Make the variables that a lane's worker is started with: they hold from the moment when the
    libraries are loaded that read them."""
    alone = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    return PASSIVE | (alone if lane == SHORT else {})


def give_way(autogroup: Path = AUTOGROUP) -> None:
    """Have this process, and those that it starts, take a core only when others leave it one.

    Where Linux shares the cores among sessions first, as desktops do, a process is nice to its own
    session alone: its session is told to be nice too.
    """
    own = os.getpriority(os.PRIO_PROCESS, 0)  # a worker's successor is born with its niceness
    os.setpriority(os.PRIO_PROCESS, 0, max(own, NICENESS))
    if not autogroup.exists():
        return
    for _ in range(TRIES):
        try:
            autogroup.write_text(str(NICENESS), encoding="ascii")
            return
        except BlockingIOError:  # others have just changed theirs
            time.sleep(RETRY_SECONDS)
        except OSError as error:
            log.warning("This session does not give way to others: %s", error)
            return
    log.warning("This session does not give way to others: the system takes no change")
