"""A worker process: takes the jobs of a lane one after the other, oldest first, and writes what
becomes of them.

`python -m engine.results.worker LANE SLOT` is started by `Jobs.start_worker`; where there are GPUs,
each slot is on one of them. One of the long lane gives way to all others. It imports torch before
the first job asks for it, keeps opened data sets in memory, and leaves when it has been idle for a
while or when the engine's source or the lab's settings have changed under it.
"""

import functools
import logging
import os
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from dataclasses import asdict, replace
from importlib import import_module
from pathlib import Path
from typing import NoReturn

import psutil
from filelock import FileLock, Timeout

from engine.checks import check_choice
from engine.errors import Cancelled, EngineError, InvalidDataset
from engine.experiments import Data, Source, hash_of, make_request, source_of
from engine.progress import OnProgress, Progress
from engine.results.compute import compute_and_keep
from engine.results.lanes import LANES, LONG, SHORT, give_way, places
from engine.results.queue import (
    CANCEL,
    PROGRESS,
    SETTINGS,
    STATE,
    Job,
    Worker,
    claim,
    has_ended,
    queue_lock,
    read_deaths,
    read_json,
    read_worker,
    say,
    waiting,
    worker_file,
    worker_lock,
    write_json,
)
from engine.results.store import Store
from engine.results.watchdog import Watchdog, end_below, limits_of
from engine.settings import ROOT, Settings, read_settings

POLL_SECONDS = 0.02
LOOK_SECONDS = 1.0  # at the source, the settings, and jobs whose worker has ended
SETTLED_SECONDS = 0.1
KEPT_FOLDERS = 200  # of ended jobs
WARM = ("engine.attacks.attack", "engine.models.fit")  # torch: the first job must not wait for it
# What some jobs need. A worker imports it while no job waits: jobs on digits do without.
WARM_WHILE_IDLE = ("scipy.stats", "sklearn.datasets")
log = logging.getLogger("engine.results.worker")


def source_time() -> float:
    """Return when the engine's code last changed."""
    return max(path.stat().st_mtime for path in (ROOT / "engine").rglob("*.py"))


@functools.lru_cache(maxsize=4)
def opened(source: Source, data_dir: Path, changed: float) -> Data:
    return source.open(data_dir)


def compute(job: Job, settings: Settings, progress: OnProgress, threads: int) -> None:
    """Run a job and keep its result, unless an earlier worker did and only could not say so.
    threads: of the CPU, 0 for a choice by the size of the data. Raises InvalidDataset."""
    request = make_request(job.experiment, job.request)
    source, data_dir = source_of(request), settings.data_dir
    dataset = None if source is None else opened(source, data_dir, source.changed(data_dir))
    if hash_of(dataset) != job.data_hash:
        raise InvalidDataset(
            f"The data set '{job.request.get('dataset')}' has changed since this was asked for. "
            "Ask again."
        )
    store = Store.of(settings)
    kept = (store.local / job.experiment / job.id).is_dir()
    if not (kept and store.holds(job.experiment, request, job.data_hash, data_dir)):
        compute_and_keep(job.experiment, request, dataset, settings, progress, threads=threads)


def gpus(settings: Settings) -> int:
    """Return how many GPUs jobs can be spread over; 0 where the settings name the device."""
    import torch

    return torch.cuda.device_count() if settings.device == "auto" else 0


def on_own_gpu(settings: Settings, slot: int, count: int) -> Settings:
    """Return the settings of the worker in that slot, of `count` GPUs."""
    return replace(settings, device=f"cuda:{slot % count}") if count > 1 else settings


def run(job: Job, jobs_dir: Path, settings: Settings, worker: Worker) -> None:
    """Run a claimed job to its end, and write how it ended."""
    folder, began = jobs_dir / job.id, time.time()
    before = read_deaths(folder).seconds

    def ended(status: str, message: str = "") -> None:
        say(folder, worker, status, began, before, message)

    def break_off(status: str, message: str) -> NoReturn:
        """End the job from outside: with this process, which a new worker follows."""
        log.warning("Job %s is broken off: %s %s", job.id, status, message)
        ended(status, message)
        end_below(psutil.Process())
        start_anew(worker.lane, worker.slot)
        os._exit(0)

    def tell(progress: Progress) -> None:
        if (folder / CANCEL).exists():
            raise Cancelled("Cancelled on request.")
        lines.write(progress.to_json() + "\n")
        lines.flush()

    status, message = "done", ""
    limits = limits_of(settings, worker.at_once, worker.lane)
    with (
        (folder / PROGRESS).open("w", encoding="utf-8") as lines,
        Watchdog(folder, limits, before, break_off),
    ):
        try:
            compute(job, settings, tell, threads=1 if worker.lane == SHORT else 0)
        except Cancelled:
            status = "cancelled"
        except EngineError as error:
            status, message = "failed", str(error)
        except Exception as error:  # the worker outlives any job; the log has the whole story
            log.exception("Job %s failed", job.id)
            status, message = "failed", f"{type(error).__name__}: {error}"
    ended(status, message)


def prune(jobs_dir: Path) -> None:
    """Forget the oldest ended jobs; their results stay in the store."""
    ended = [f for f in jobs_dir.iterdir() if (f / STATE).exists() or (f / CANCEL).exists()]
    ended.sort(key=changed, reverse=True)
    if len(ended) <= KEPT_FOLDERS:
        return
    with queue_lock(jobs_dir):  # or one that is asked for again just now would go too
        for folder in ended[KEPT_FOLDERS:]:
            if has_ended(folder):
                shutil.rmtree(folder, ignore_errors=True)


def changed(path: Path) -> float:
    """Return when a file or the entries of a folder last changed; 0 for a removed one."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def work(settings: Settings, jobs_dir: Path, worker: Worker, is_stale: Callable[[], bool]) -> None:
    """Take jobs until idle for too long, or until the source or the settings have changed; no job
    runs on old code.

    A submission changes the jobs' folder, so that an idle look is one `stat`, not hundreds. File
    times may be coarse: a change counts as seen only when it is some time ago.
    """
    looked, busy, seen = time.monotonic(), time.monotonic(), 0.0
    cold = list(WARM_WHILE_IDLE)
    while True:
        touched = changed(jobs_dir)
        if touched != seen and waiting(jobs_dir, worker.lane) and is_stale():
            return
        job = claim(jobs_dir, worker) if touched != seen else None
        if job is not None:
            run(job, jobs_dir, settings, worker)
            prune(jobs_dir)
            busy = time.monotonic()
            continue
        if cold:
            import_module(cold.pop(0))
            continue
        seen = touched if time.time() - touched > SETTLED_SECONDS else 0.0
        now = time.monotonic()
        if now - busy > settings.worker_idle_seconds:
            return
        if now - looked > LOOK_SECONDS:
            looked, seen = now, 0.0
            if is_stale():
                return
        time.sleep(POLL_SECONDS)


def start_anew(lane: str, slot: int) -> None:
    """Start the worker that follows this one; it waits until this one's lock is free."""
    command = [sys.executable, "-m", "engine.results.worker", lane, str(slot)]
    subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    lane, slot = check_choice("lane", sys.argv[1], LANES), int(sys.argv[2])
    source = source_time()  # before torch: what changes while that is imported is noticed
    jobs_dir = read_settings().cache_dir / "jobs"
    jobs_dir.mkdir(parents=True, exist_ok=True)
    follow = read_json(jobs_dir / SETTINGS)
    os.environ.update(follow or {})
    settings = read_settings()
    lock = FileLock(worker_lock(jobs_dir, lane, slot))
    try:
        lock.acquire(timeout=2)  # longer than anybody holds it who only asks whether it is held
    except Timeout:
        log.info("Another worker is alive")
        return

    def is_stale() -> bool:
        return source_time() != source or read_json(jobs_dir / SETTINGS) != follow

    with lock:
        earlier, own_file = read_worker(jobs_dir, lane, slot), worker_file(jobs_dir, lane, slot)
        many = earlier.at_once if earlier else 1
        worker = Worker(uuid.uuid4().hex, os.getpid(), slot, many, lane)
        write_json(own_file, asdict(worker))  # the earlier one's job is let go

        for name in WARM:
            import_module(name)

        worker = replace(worker, at_once=places(lane, settings, gpus(settings)))
        if slot >= worker.at_once:
            log.info("No more than %d %s jobs run at once here", worker.at_once, lane)
            return
        write_json(own_file, asdict(worker))
        if lane == LONG:
            give_way()  # not before: on a busy machine it would take minutes to be there
        work(on_own_gpu(settings, slot, gpus(settings)), jobs_dir, worker, is_stale)
    if waiting(jobs_dir, lane):  # asked for while it was leaving, by somebody who saw the lock held
        start_anew(lane, slot)


if __name__ == "__main__":
    main()
