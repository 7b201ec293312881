"""The one job runner, as its callers see it: submit, state, cancel. The work is done by `worker`.

A job is a folder under <cache>/jobs, named by the key of its result, so that equal requests join:

    job.json         what to compute, and when it was asked for
    progress.jsonl   one record a line, written while it runs
    state.json       from the worker: running, done, failed or cancelled
    cancel           there when somebody asked for it to stop

One worker process a cache folder: it holds `worker.lock` for its life, which the kernel releases
however it ends. A job that is `running` under no living worker has died.
"""

import functools
import json
import os
import shutil
import subprocess
import sys
import time
import uuid
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from engine.errors import InvalidInput
from engine.experiments import EXPERIMENTS, NO_DATA, Source, make_request, source_of
from engine.results.store import Store, key
from engine.settings import ROOT, Settings

JOB, PROGRESS, STATE, CANCEL = "job.json", "progress.jsonl", "state.json", "cancel"
LOCK, WORKER, LOG = "worker.lock", "worker.json", "worker.log"
SUBMITTING = "submit.lock"  # so that of equal requests at one moment the second joins the first


@dataclass(frozen=True)
class JobState:
    """status: queued, running, done, failed, cancelled, died or unknown. place: 1 for the next in
    the queue, 0 when not queued. progress: every record so far. seconds: since the job began to
    run."""

    status: str
    place: int = 0
    message: str = ""
    progress: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = 0.0


@dataclass(frozen=True)
class Job:
    """What a job's folder says about what is to be computed."""

    id: str
    experiment: str
    request: dict[str, Any]
    data_hash: str
    submitted: int  # nanoseconds since the epoch: the order of the queue


def write_json(path: Path, value: Any) -> None:
    """All at once: a reader sees the old file or the new one."""
    making = path.with_name(f".{path.name}-{uuid.uuid4().hex[:8]}")
    making.write_text(json.dumps(value), encoding="utf-8")
    making.replace(path)


def read_json(path: Path) -> dict[str, Any] | None:
    """None where there is no such file, or where it is none of ours (a power cut can empty it)."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return values if isinstance(values, dict) else None


def read_job(folder: Path) -> Job | None:
    values = read_json(folder / JOB)
    if values is None or set(values) != {f.name for f in fields(Job)}:
        return None
    return Job(**values)


def read_progress(folder: Path) -> list[dict[str, Any]]:
    """The complete lines so far; the last may be half written."""
    try:
        text = (folder / PROGRESS).read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    return [json.loads(line) for line in text.split("\n")[:-1]]


def waiting(jobs_dir: Path) -> list[Job]:
    """The queue: jobs that no worker has taken and nobody has cancelled, oldest first."""
    if not jobs_dir.is_dir():
        return []
    found = [
        read_job(folder)
        for folder in jobs_dir.iterdir()
        if folder.is_dir()
        and not folder.name.startswith(".")
        and not (folder / STATE).exists()
        and not (folder / CANCEL).exists()
    ]
    return sorted((j for j in found if j is not None), key=lambda j: (j.submitted, j.id))


@functools.lru_cache(maxsize=64)
def content_hash(source: Source, data_dir: Path, changed: float) -> str:
    return source.open(data_dir).content_hash


class Jobs:
    """The queue of one cache folder, as seen from any process."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.store = Store.of(settings)
        self.folder = settings.cache_dir / "jobs"
        self._started: subprocess.Popen | None = None

    def submit(self, experiment: str, request: Any) -> str:
        """Queue a request, unless its result is there or it is under way; returns the job's id.

        Raises InvalidInput or InvalidDataset where the data set cannot be opened.
        """
        request = make_request(experiment, asdict(request))
        data_hash = self.data_hash(request)
        job = key(experiment, request, data_hash)
        stored = self.store.find(experiment, request, data_hash)
        lasts = EXPERIMENTS[experiment].lasts
        if stored is not None and (lasts is None or lasts(stored.result, self.settings.data_dir)):
            return job
        self.folder.mkdir(parents=True, exist_ok=True)
        with FileLock(self.folder / SUBMITTING):
            if self.state(job).status not in ("queued", "running"):
                self._place(Job(job, experiment, asdict(request), data_hash, time.time_ns()))
        self.start_worker()
        return job

    def data_hash(self, request: Any) -> str:
        """The content hash of a request's data. Raises InvalidInput, InvalidDataset,
        DataUnavailable."""
        source, data_dir = source_of(request), self.settings.data_dir
        if source is None:
            return NO_DATA
        return content_hash(source, data_dir, source.changed(data_dir))

    def _place(self, job: Job) -> None:
        """Put a job into the queue, instead of an ended one of the same id."""
        making = self.folder / f".making-{uuid.uuid4().hex[:12]}"
        making.mkdir()
        write_json(making / JOB, asdict(job))
        self._discard(job.id)
        making.rename(self.folder / job.id)

    def state(self, job: str) -> JobState:
        """Where a job stands; 'unknown' for one that was never submitted here, or was cleared
        away."""
        folder = self.folder / check_id(job)
        described = read_job(folder)
        if described is None:
            done = any(self.store.has(e, job) for e in EXPERIMENTS)
            return JobState("done" if done else "unknown")
        said = read_json(folder / STATE)
        if said is None:
            return self._queued(described, folder)
        progress = read_progress(folder)
        status, message = said["status"], said["message"]
        seconds = said["ended"] - said["began"] if said["ended"] else time.time() - said["began"]
        if status == "running" and not self._runs(said["pid"]):
            said = read_json(folder / STATE) or said  # it may have ended between the two looks
            status, message = said["status"], said["message"]
            if status == "running":
                status, message = "died", died_message(progress)
        if status == "done" and not self.store.has(described.experiment, job):
            status = "unknown"  # finished once, but its result is gone
        return JobState(status, 0, message, progress, seconds)

    def all(self, most_ended: int = 20) -> list[tuple[Job, JobState]]:
        """Every job that runs, then those that wait, in their order, then the ended ones, the
        latest first and at most so many."""
        folders = self.folder.iterdir() if self.folder.is_dir() else ()
        known = {f.name: f for f in folders if not f.name.startswith(".") and (f / JOB).exists()}
        going = [self._look(f) for f in known.values() if not has_ended(f)]
        ended = sorted(filter(has_ended, known.values()), key=ended_at, reverse=True)[:most_ended]
        found = [one for one in (*going, *map(self._look, ended)) if one is not None]
        order = {"running": 0, "queued": 1}
        return sorted(found, key=lambda one: (order.get(one[1].status, 2), one[1].place))

    def _look(self, folder: Path) -> tuple[Job, JobState] | None:
        """A job and where it stands; None where it was cleared away meanwhile."""
        job = read_job(folder)
        return None if job is None else (job, self.state(job.id))

    def cancel(self, job: str) -> None:
        """Ask a job to stop: a waiting one never runs, a running one stops at its next step."""
        folder = self.folder / check_id(job)
        if folder.is_dir():
            (folder / CANCEL).touch()

    def start_worker(self) -> None:
        """Start the worker process unless one is alive."""
        if self.worker_alive() or (self._started is not None and self._started.poll() is None):
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        settings = {
            "IAL_CACHE_DIR": str(self.settings.cache_dir.resolve()),
            "IAL_DATA_DIR": str(self.settings.data_dir.resolve()),
            "IAL_DEVICE": self.settings.device,
            "IAL_WORKER_IDLE_S": str(self.settings.worker_idle_seconds),
            "IAL_JOBS": str(self.settings.jobs),
            "IAL_CLUSTER": self.settings.cluster or "",
            "IAL_CLUSTER_FALLBACK": "yes" if self.settings.cluster_fallback else "no",
        }
        with (self.folder / LOG).open("ab") as log:
            self._started = subprocess.Popen(
                [sys.executable, "-m", "engine.results.worker"],
                cwd=ROOT,
                env={**os.environ, **settings},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # it outlives the server: a job goes on
            )

    def worker_alive(self) -> bool:
        """Whether some process holds the worker's lock."""
        if not (self.folder / LOCK).exists():
            return False
        try:
            FileLock(self.folder / LOCK).acquire(timeout=0).lock.release()
        except Timeout:
            return True
        return False

    def worker_pid(self) -> int | None:
        """The process number of the living worker."""
        said = read_json(self.folder / WORKER)
        return said["pid"] if said is not None and self.worker_alive() else None

    def _runs(self, pid: int) -> bool:
        return self.worker_pid() == pid

    def _queued(self, job: Job, folder: Path) -> JobState:
        if (folder / CANCEL).exists():
            return JobState("cancelled")
        code = None if self._started is None else self._started.poll()
        if code is not None and code > 0 and not self.worker_alive():  # it would fail again
            log = self.folder / LOG
            return JobState(
                "failed", 0, f"The worker process ended with exit code {code}; {log} says why."
            )
        self.start_worker()  # if the last one has died, those behind its job must not wait for ever
        ids = [j.id for j in waiting(self.folder)]
        return JobState("queued", ids.index(job.id) + 1 if job.id in ids else 1)

    def _discard(self, job: str) -> None:
        """Clear away an ended job of the same id."""
        old = self.folder / f".old-{uuid.uuid4().hex[:12]}"
        try:
            (self.folder / job).rename(old)
        except FileNotFoundError:
            return
        shutil.rmtree(old)


def has_ended(folder: Path) -> bool:
    """Whether a job's worker has said that it is over, or it was cancelled while it waited."""
    said = read_json(folder / STATE)
    return (folder / CANCEL).exists() if said is None else said["status"] != "running"


def ended_at(folder: Path) -> float:
    """When an ended job's last word was written; 0 for one that was cleared away."""
    for name in (STATE, CANCEL):
        try:
            return (folder / name).stat().st_mtime
        except FileNotFoundError:
            continue
    return 0.0


def died_message(progress: list[dict[str, Any]]) -> str:
    last = next((r for r in reversed(progress) if "step" in r and "steps" in r), None)
    where = "early on" if last is None else f"at step {last['step']} of {last['steps']}"
    return f"The worker process ended {where} without a word. Start again: a new worker takes over."


def check_id(job: str) -> str:
    """A job's id is a key: nothing else may become part of a path."""
    if not job.isalnum():
        raise InvalidInput("job", job, "the id that submit returned")
    return job
