"""The one job runner, as its callers see it: submit, state, cancel. The work is done by `worker`;
`queue` says what lies on disk.

Every server and program that shares a cache folder shares its queue. It has two lanes: what takes
seconds never waits for what takes minutes (`lanes`). Workers take one job at a time, and outlive
whoever started them.
"""

import functools
import logging
import os
import shutil
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from engine.experiments import EXPERIMENTS, NO_DATA, Request, Source, make_request, source_of
from engine.experiments.cost import Size, size_of
from engine.progress import Progress
from engine.results import lanes, owners
from engine.results.lanes import LANES, SHORT
from engine.results.manifest import key
from engine.results.queue import (
    ASKED,
    CANCEL,
    JOB,
    LOG,
    PROGRESS,
    SETTINGS,
    STATE,
    Job,
    State,
    check_id,
    ended_at,
    going,
    has_ended,
    is_held,
    job_folders,
    living,
    queue_lock,
    read_deaths,
    read_job,
    read_json,
    read_progress,
    read_state,
    read_worker,
    recover,
    resumed_message,
    take_in,
    waiting,
    worker_lock,
    write_json,
)
from engine.results.store import Store
from engine.settings import ROOT, Settings, environment_of

__all__ = ["JOB", "PROGRESS", "STATE", "Job", "JobState", "Jobs"]

LOOK_SECONDS = 2.0  # between two looks at whether every job has a worker
log = logging.getLogger(__name__)
watched: set[Path] = set()  # the queues that this process looks after


@dataclass(frozen=True)
class JobState:
    """status: queued, running, done, failed, cancelled, died or unknown. place: 1 for the next in
    its lane, 0 when not queued. progress: every report of the worker that has it. seconds: that it
    has run, under all its workers; resumed: how many of them ended under it."""

    status: str
    place: int = 0
    message: str = ""
    progress: tuple[Progress, ...] = ()
    seconds: float = 0.0
    resumed: int = 0


@functools.lru_cache(maxsize=64)
def facts_of(source: Source, data_dir: Path, changed: float) -> tuple[str, Size]:
    """Return the content hash of data, and their size."""
    data = source.open(data_dir)
    return data.content_hash, size_of(data)


class Jobs:
    """The queue of one cache folder, as seen from any process."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.store = Store.of(settings)
        self.folder = settings.cache_dir / "jobs"
        self._started: dict[tuple[str, int], subprocess.Popen] = {}
        self._starting = threading.Lock()

    def submit(self, experiment: str, request: Request, owner: str = "", most: int = 0) -> str:
        """Queue a request, unless its result is there or it is under way; returns the job's id.

        owner: the visitor who asks, of whom at most `most` jobs wait or run at once (0: any
        number). Raises InvalidInput or InvalidDataset where the data set cannot be opened, TooMany.
        """
        request = make_request(experiment, asdict(request))  # checked: it may come from anywhere
        data_hash, size = self._facts(request)
        job = key(experiment, request, data_hash)
        if self.store.holds(experiment, request, data_hash, self.settings.data_dir):
            return job
        lane = lanes.lane_of(experiment, request, size)
        asked = self._write_down(
            Job(job, experiment, asdict(request), data_hash, time.time_ns(), lane), owner
        )
        try:
            with queue_lock(self.folder):  # of equal requests the second joins the first
                recover(self.folder)
                owners.check_room(self.folder, job, owner, most)
                take_in(self.folder, asked)
        finally:
            shutil.rmtree(asked, ignore_errors=True)  # where it was refused, or there already
        self.start_workers()
        return job

    def data_hash(self, request: Request) -> str:
        """Return the content hash of a request's data. Raises InvalidInput, InvalidDataset,
        DataUnavailable."""
        return self._facts(request)[0]

    def _facts(self, request: Request) -> tuple[str, Size]:
        source, data_dir = source_of(request), self.settings.data_dir
        if source is None:
            return NO_DATA, Size()
        return facts_of(source, data_dir, source.changed(data_dir))

    def _write_down(self, job: Job, owner: str) -> Path:
        """Write down what is asked for, before anything is waited for: if this process ends
        meanwhile, whoever looks after the queue next takes it in. Returns its folder."""
        self.folder.mkdir(parents=True, exist_ok=True)
        asked = self.folder / f"{ASKED}{uuid.uuid4().hex[:12]}"
        asked.mkdir()
        owners.join(asked, owner)
        write_json(asked / JOB, asdict(job), durable=True)
        return asked

    def state(self, job: str, experiment: str = "") -> JobState:
        """Return where a job stands; 'unknown' for one that was never submitted here, or was
        cleared
        away. experiment: the job's, where it is known: only its results are looked through then."""
        return self._state(job, None, (experiment,) if experiment else EXPERIMENTS)

    def _state(
        self, job: str, ids: Sequence[str] | None, experiments: Iterable[str] = EXPERIMENTS
    ) -> JobState:
        """Return where a job stands; ids: of those that wait in its lane, where they are known."""
        folder = self.folder / check_id(job)
        described = read_job(folder)
        if described is None:
            done = any(self.store.has(e, job) for e in experiments)
            return JobState("done" if done else "unknown")
        said = read_state(folder)
        if said is not None and said.status == "running" and not self._runs(said):
            with queue_lock(self.folder):
                recover(self.folder)
            said = read_state(folder)
        if said is None:
            return self._queued(described, folder, ids)
        deaths = read_deaths(folder)
        status, message = said.status, said.message
        seconds = (said.ended or time.time()) - said.began + said.before
        if status == "running":
            message = resumed_message(deaths)
        if status == "done" and not self.store.has(described.experiment, job):
            status = "unknown"  # finished once, but its result is gone
        return JobState(status, 0, message, read_progress(folder), seconds, deaths.count)

    def all(self, most_ended: int = 20) -> list[tuple[Job, JobState]]:
        """Return every job that runs, then those that wait, lane by lane and in their order, then
        the ended ones, the latest first and at most so many."""
        known = [f for f in job_folders(self.folder) if (f / JOB).exists()]
        self.start_workers()
        ids = {lane: [job.id for job in waiting(self.folder, lane)] for lane in LANES}

        def look(folder: Path) -> tuple[Job, JobState] | None:
            """Return a job and where it stands; None where it was cleared away meanwhile."""
            job = read_job(folder)
            return None if job is None else (job, self._state(job.id, ids[job.lane]))

        active = [look(f) for f in known if not has_ended(f)]
        ended = sorted(filter(has_ended, known), key=ended_at, reverse=True)[:most_ended]
        found = [one for one in (*active, *map(look, ended)) if one is not None]
        order = {"running": 0, "queued": 1}

        def place(one: tuple[Job, JobState]) -> tuple[int, int, int]:
            job, state = one
            lane = LANES.index(job.lane) if state.status in order else 0
            return order.get(state.status, 2), lane, state.place

        return sorted(found, key=place)

    def cancel(self, job: str) -> None:
        """Ask a job to stop: a waiting one never runs, a running one stops at its next step."""
        folder = self.folder / check_id(job)
        if folder.is_dir():
            (folder / CANCEL).touch()

    def withdraw(self, job: str, owner: str) -> None:
        """Take back what a visitor asked for: the job is cancelled unless others asked for it."""
        folder = self.folder / check_id(job)
        if folder.is_dir():
            with queue_lock(self.folder):
                if owners.leave(folder, owner):
                    self.cancel(job)

    def owners_of(self, job: str) -> tuple[str, ...]:
        """Return the visitors who asked for a job and have not taken it back, the first one
        first."""
        return owners.owners_of(self.folder / check_id(job))

    def at_once(self, lane: str) -> int:
        """Return how many jobs of a lane run at once. Where the settings do not say whether there
        are GPUs, the lane's first worker does, because it imports torch."""
        if self.settings.device != "auto":
            return lanes.places(lane, self.settings, gpus=0)
        first = read_worker(self.folder, lane, 0)
        return lanes.chosen(lane, self.settings) or (1 if first is None else first.at_once)

    def start_workers(self, among: Iterable[str] = LANES) -> None:
        """Start a worker for every job that runs or waits in these lanes, within the bound of its
        lane, unless they are there."""
        free = {
            (lane, slot)
            for lane in among
            for slot in range(self.at_once(lane))
            if not self._has_worker(lane, slot)
        }
        if free:
            wanted = Counter(job.lane for job in going(self.folder))
            for lane, slot in sorted(free):
                if slot < wanted[lane]:
                    self.start_worker(lane, slot)

    def start_worker(self, lane: str = SHORT, slot: int = 0) -> None:
        """Start one worker process, unless it is alive or another process sees to them."""
        if not self.settings.workers:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._starting, (self.folder / LOG).open("ab") as log_file:
            if self._has_worker(lane, slot):
                return
            environment = environment_of(self.settings) | lanes.environment_for(lane)
            self._started[lane, slot] = subprocess.Popen(
                [sys.executable, "-m", "engine.results.worker", lane, str(slot)],
                cwd=ROOT,
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=log_file,
                stderr=log_file,
                start_new_session=True,  # it outlives the server: a job goes on
            )

    def watch(self) -> None:
        """Keep every job supplied with a worker from now on, whether anybody looks or not; workers
        follow its settings from their next job on."""
        self.folder.mkdir(parents=True, exist_ok=True)
        follow = environment_of(self.settings)
        del follow["IAL_CACHE_DIR"], follow["IAL_WORKERS"]  # the folder may be moved; not theirs
        if read_json(self.folder / SETTINGS) != follow:
            write_json(self.folder / SETTINGS, follow)
        with self._starting:
            if self.folder.resolve() in watched:
                return
            watched.add(self.folder.resolve())
        threading.Thread(target=self._watch, name="jobs", daemon=True).start()

    def _watch(self) -> None:
        while True:
            try:
                if self.folder.is_dir():
                    with queue_lock(self.folder):
                        recover(self.folder)
                    self.start_workers(lane for lane in LANES if not self._fails(lane))
            except OSError:  # a full disk, say: it may have room at the next look
                log.exception("The queue in %s cannot be looked after", self.folder)
            time.sleep(LOOK_SECONDS)

    def _has_worker(self, lane: str, slot: int) -> bool:
        """Return whether a worker is alive, or was started just now."""
        started = self._started.get((lane, slot))
        begins = started is not None and started.poll() is None
        return begins or is_held(worker_lock(self.folder, lane, slot))

    def _fails(self, lane: str) -> int:
        """Return the exit code of a lane's first worker where that cannot work and would fail
        again; else 0."""
        started = self._started.get((lane, 0))
        code = 0 if started is None else started.poll() or 0
        return code if code > 0 and not is_held(worker_lock(self.folder, lane, 0)) else 0

    def _runs(self, said: State) -> bool:
        """Return whether the worker that took a job is alive."""
        return any(worker.id == said.worker for worker in living(self.folder))

    def _queued(self, job: Job, folder: Path, ids: Sequence[str] | None) -> JobState:
        deaths = read_deaths(folder)
        if (folder / CANCEL).exists():
            return JobState("cancelled")
        if code := self._fails(job.lane):
            log = self.folder / LOG
            return JobState(
                "failed", 0, f"The worker process ended with exit code {code}; {log} says why."
            )
        if ids is None:
            self.start_workers([job.lane])  # if one has died, those behind must not wait for ever
            ids = [j.id for j in waiting(self.folder, job.lane)]
        place = ids.index(job.id) + 1 if job.id in ids else 1
        message = resumed_message(deaths)
        return JobState("queued", place, message, (), deaths.seconds, deaths.count)
