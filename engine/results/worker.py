"""The worker process: takes jobs one after the other, oldest first, and writes what becomes of
them.

`python -m engine.results.worker` is started by `Jobs.start_worker`. It imports torch before the
first job asks for it, keeps opened data sets in memory, and leaves when it has been idle for a
while or when the engine's source has changed under it.
"""

import functools
import json
import logging
import os
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from engine.errors import Cancelled, EngineError, InvalidDataset
from engine.experiments import Data, Source, hash_of, make_request, source_of
from engine.results.compute import compute_and_keep
from engine.results.jobs import (
    CANCEL,
    LOCK,
    PROGRESS,
    STATE,
    SUBMITTING,
    WORKER,
    Job,
    died_message,
    read_json,
    read_progress,
    waiting,
    write_json,
)
from engine.settings import ROOT, Settings, read_settings

POLL_SECONDS = 0.02
LOOK_AT_SOURCE_SECONDS = 1.0
SETTLED_SECONDS = 0.1
KEPT_FOLDERS = 200  # of ended jobs
log = logging.getLogger("engine.results.worker")


def source_time() -> float:
    """When the engine's code last changed."""
    return max(path.stat().st_mtime for path in (ROOT / "engine").rglob("*.py"))


@functools.lru_cache(maxsize=4)
def opened(source: Source, data_dir: Path, changed: float) -> Data:
    return source.open(data_dir)


def compute(job: Job, settings: Settings, progress: Callable[[dict[str, Any]], None]) -> None:
    """Run a job and keep its result."""
    request = make_request(job.experiment, job.request)
    source, data_dir = source_of(request), settings.data_dir
    dataset = None if source is None else opened(source, data_dir, source.changed(data_dir))
    if hash_of(dataset) != job.data_hash:
        raise InvalidDataset(
            f"The data set '{request.dataset}' has changed since this was asked for. Ask again."
        )
    compute_and_keep(job.experiment, request, dataset, settings, progress)


def run(job: Job, folder: Path, settings: Settings) -> None:
    """One job from 'running' to its end, whatever that is."""
    began = time.time()

    def say(status: str, message: str = "") -> None:
        ended = None if status == "running" else time.time()
        write_json(
            folder / STATE,
            {
                "status": status,
                "message": message,
                "pid": os.getpid(),
                "began": began,
                "ended": ended,
            },
        )

    say("running")
    try:
        with (folder / PROGRESS).open("a", encoding="utf-8") as lines:

            def progress(record: dict[str, Any]) -> None:
                if (folder / CANCEL).exists():
                    raise Cancelled("Cancelled on request.")
                lines.write(json.dumps(record) + "\n")
                lines.flush()

            compute(job, settings, progress)
        say("done")
    except Cancelled:
        say("cancelled")
    except EngineError as error:
        say("failed", str(error))
    except Exception as error:  # the worker outlives any job; the log has the whole story
        log.exception("Job %s failed", job.id)
        say("failed", f"{type(error).__name__}: {error}")


def bury(jobs_dir: Path) -> None:
    """Jobs that an earlier worker left running have died with it: say so once and for all."""
    for folder in jobs_dir.iterdir():
        said = read_json(folder / STATE)
        if said is None and (folder / STATE).exists():
            shutil.rmtree(folder, ignore_errors=True)  # nobody can say any more what became of it
        elif said is not None and said["status"] == "running":
            message = died_message(read_progress(folder))
            write_json(
                folder / STATE, {**said, "status": "died", "message": message, "ended": time.time()}
            )


def prune(jobs_dir: Path) -> None:
    """Forget the oldest ended jobs; their results stay in the store."""
    ended = [f for f in jobs_dir.iterdir() if (f / STATE).exists() or (f / CANCEL).exists()]
    ended.sort(key=changed, reverse=True)
    if len(ended) <= KEPT_FOLDERS:
        return
    with FileLock(jobs_dir / SUBMITTING):  # or one that is asked for again just now would go too
        for folder in ended[KEPT_FOLDERS:]:
            if (folder / STATE).exists() or (folder / CANCEL).exists():
                shutil.rmtree(folder, ignore_errors=True)


def changed(path: Path) -> float:
    """When a file or the entries of a folder last changed; 0 for one that is no more."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def work(settings: Settings, jobs_dir: Path, source: float) -> None:
    """Take jobs until idle for too long, or until the source has changed; no job runs on old code.

    A submission changes the jobs' folder, so that an idle look is one `stat`, not hundreds. File
    times may be coarse: a change counts as seen only when it is some time ago.
    """
    import engine.attacks.attack
    import engine.models.fit  # noqa: F401  # warm: the first job must not wait for torch

    looked, busy, seen = time.monotonic(), time.monotonic(), 0.0
    while True:
        touched = changed(jobs_dir)
        queue = waiting(jobs_dir) if touched != seen else []
        if queue:
            if source_time() != source:
                return
            run(queue[0], jobs_dir / queue[0].id, settings)
            prune(jobs_dir)
            busy = time.monotonic()
            continue
        seen = touched if time.time() - touched > SETTLED_SECONDS else 0.0
        now = time.monotonic()
        if now - busy > settings.worker_idle_seconds:
            return
        if now - looked > LOOK_AT_SOURCE_SECONDS:
            looked = now
            if source_time() != source:
                return
        time.sleep(POLL_SECONDS)


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    source = source_time()  # before torch: what changes while that is imported is noticed
    settings = read_settings()
    jobs_dir = settings.cache_dir / "jobs"
    jobs_dir.mkdir(parents=True, exist_ok=True)
    lock = FileLock(jobs_dir / LOCK)
    try:
        lock.acquire(timeout=2)  # longer than anybody holds it who only asks whether it is held
    except Timeout:
        log.info("Another worker is alive")
        return
    with lock:
        write_json(jobs_dir / WORKER, {"pid": os.getpid()})
        bury(jobs_dir)
        work(settings, jobs_dir, source)
    if waiting(jobs_dir):  # asked for while it was leaving, by somebody who saw the lock held
        os.execv(sys.executable, [sys.executable, "-m", "engine.results.worker"])


if __name__ == "__main__":
    main()
