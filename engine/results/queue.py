"""The queue as it lies on disk: what callers (`jobs`) and workers (`worker`) read and write.

A job is a folder under <cache>/jobs, named by the key of its result, so that equal requests join:

    owners.json      the visitors who asked for it (`owners`)
    job.json         what to compute, and when it was asked for: the order of the queue
    state.json       from its worker: running, done, failed, cancelled or died; none while it waits
    progress.jsonl   one report a line, written while it runs
    usage.json       the time and the memory that it has taken
    deaths.json      the workers that have ended under it
    cancel           there when somebody asked for it to stop

There are two lanes (`lanes`), each with an order and workers of its own. Worker N of a lane holds
`worker-LANE-N.lock` for its life, which the kernel releases however it ends; `worker-LANE-N.json`
says which process that is. A job that is `running` under no living worker goes back to its place.
Whoever moves jobs about holds `queue.lock`. What is asked for is written down before that, as a
folder `.asked-…`; the queue takes in those that were left behind.
"""

import json
import shutil
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import MISSING, asdict, dataclass, fields, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from filelock import FileLock, Timeout

from engine.errors import InvalidInput
from engine.progress import Progress
from engine.results.lanes import LONG
from engine.results.manifest import sync

JOB, PROGRESS, STATE, CANCEL = "job.json", "progress.jsonl", "state.json", "cancel"
OWNERS = "owners.json"
ASKED, LEFT_SECONDS = ".asked-", 10.0  # after which nobody is there any more who asked
USAGE, DEATHS = "usage.json", "deaths.json"
SETTINGS = "settings.json"  # those of the lab that was started last: workers follow them
LOG = "worker.log"
Json = dict[str, Any]  # whatever a file of a job holds: its reader knows the fields
Kept = TypeVar("Kept", "Job", "State", "Worker", "Deaths")  # what is kept as a file of its fields
# A job is given up when so much work was lost with workers that ended under it in a row, without
# getting further. An end counts for at least the start of the next worker, and for at most a third
# of the limit: no job is given up for two.
LOST_SECONDS, LEAST_SECONDS, MOST_SECONDS = 300.0, 12.0, 100.0


@dataclass(frozen=True)
class Job:
    """What a job's folder says about what is to be computed."""

    id: str
    experiment: str
    request: dict[str, object]
    data_hash: str
    submitted: int  # nanoseconds since the epoch: the order of the lane
    lane: str = LONG


@dataclass(frozen=True)
class Worker:
    """A worker process. `id` tells it from every other one, which its number does not: after a
    restart of the machine that may be an earlier worker's. at_once: how many its lane may have."""

    id: str
    pid: int
    slot: int
    at_once: int
    lane: str = LONG


@dataclass(frozen=True)
class State:
    """What a job's worker says of it. status: running, done, failed, cancelled or died. pid,
    worker: the worker's process number and id. began, ended: seconds since the epoch. before:
    seconds that earlier workers have worked at the job."""

    status: str
    message: str = ""
    pid: int = 0
    worker: str = ""
    began: float = 0.0
    ended: float | None = None
    before: float = 0.0


@dataclass(frozen=True)
class Deaths:
    """The workers that have ended under a job. count: how many. lost: seconds lost in a row
    without getting beyond `furthest` finished parts. worker: the last one's id. seconds: that all
    of them have worked at it."""

    count: int = 0
    lost: float = 0.0
    furthest: int = 0
    worker: str = ""
    seconds: float = 0.0


def write_json(path: Path, value: object, durable: bool = False) -> None:
    """Write a file all at once: a reader sees the old one or the new one; a durable one survives a
    power cut."""
    making = path.with_name(f".{path.name}-{uuid.uuid4().hex[:8]}")
    making.write_text(json.dumps(value), encoding="utf-8")
    if durable:
        sync(making)
    making.replace(path)


def read_json(path: Path) -> Json | None:
    """Read an object; None where there is no such file, or one that holds none (a power cut can
    empty it)."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return values if isinstance(values, dict) else None


@lru_cache(maxsize=2000)
def content(path: Path, *version: int) -> Json | None:
    """Do what `read_json` does, for one version of a file: its inode, time and size. Each version
    is a file of its own (`write_json`)."""
    return read_json(path)


def read_as(kind: type[Kept], path: Path) -> Kept | None:
    """Read a dataclass from a file of its fields; None where a field without a default is missing.
    Fields of another version of the lab are left out. A file that has not changed is parsed once:
    whoever looks at the queue asks for every job in it."""
    try:
        about = path.stat()
    except OSError:
        return None
    values = content(path, about.st_ino, about.st_mtime_ns, about.st_size)
    known = {f.name: values[f.name] for f in fields(kind) if f.name in values} if values else {}
    needed = {f.name for f in fields(kind) if f.default is MISSING}
    return kind(**known) if known and needed <= set(known) else None


def read_job(folder: Path) -> Job | None:
    return read_as(Job, folder / JOB)


def read_state(folder: Path) -> State | None:
    """Read the state of a job; None for one that waits."""
    return read_as(State, folder / STATE)


def read_deaths(folder: Path) -> Deaths:
    return read_as(Deaths, folder / DEATHS) or Deaths()


def read_progress(folder: Path) -> tuple[Progress, ...]:
    """Read the complete lines so far; a last line may be half written."""
    try:
        text = (folder / PROGRESS).read_text(encoding="utf-8")
    except FileNotFoundError:
        return ()
    return tuple(Progress.from_json(line) for line in text.split("\n")[:-1])


def check_id(job: str) -> str:
    """Check that a job's id is a key, since it becomes part of a path; return it.

    Raises InvalidInput.
    """
    if not job.isalnum():
        raise InvalidInput("job", job, "the id that submit returned")
    return job


# Jobs.


def queue_lock(jobs_dir: Path) -> FileLock:
    """Lock the queue: every process that adds, takes or clears away jobs holds this lock."""
    return FileLock(jobs_dir / "queue.lock")


def job_folders(jobs_dir: Path) -> Iterator[Path]:
    if jobs_dir.is_dir():
        for folder in jobs_dir.iterdir():
            if not folder.name.startswith(".") and folder.is_dir():
                yield folder


def waiting(jobs_dir: Path, lane: str) -> list[Job]:
    """Return a lane's queue: the jobs that no worker has taken and nobody has cancelled, oldest
    first."""
    found = [
        read_job(folder)
        for folder in job_folders(jobs_dir)
        if not (folder / STATE).exists() and not (folder / CANCEL).exists()
    ]
    own = (job for job in found if job is not None and job.lane == lane)
    return sorted(own, key=lambda job: (job.submitted, job.id))


def has_ended(folder: Path) -> bool:
    """Return whether a job's worker has written that it is over, or it was cancelled while it
    waited."""
    said = read_state(folder)
    return (folder / CANCEL).exists() if said is None else said.status != "running"


def ended_at(folder: Path) -> float:
    """Return when the last file of an ended job was written; 0 for one that was cleared away."""
    for name in (STATE, CANCEL):
        try:
            return (folder / name).stat().st_mtime
        except FileNotFoundError:
            continue
    return 0.0


def going(jobs_dir: Path) -> list[Job]:
    """Yield the jobs that run or wait."""
    found = [read_job(folder) for folder in job_folders(jobs_dir) if not has_ended(folder)]
    return [job for job in found if job is not None]


def claim(jobs_dir: Path, worker: Worker) -> Job | None:
    """Take the next job of the worker's lane, which no other worker takes then; None where none
    waits."""
    with queue_lock(jobs_dir):
        recover(jobs_dir)
        queue = waiting(jobs_dir, worker.lane)
        if not queue:
            return None
        folder = jobs_dir / queue[0].id
        before = read_deaths(folder).seconds
        (folder / PROGRESS).unlink(missing_ok=True)  # an earlier worker's: it begins anew
        (folder / USAGE).unlink(missing_ok=True)
        say(folder, worker, "running", time.time(), before)
        return queue[0]


def say(
    folder: Path, worker: Worker, status: str, began: float, before: float, message: str = ""
) -> None:
    """Write where a job stands; before: seconds that earlier workers have worked at it."""
    ended = None if status == "running" else time.time()
    said = State(status, message, worker.pid, worker.id, began, ended, before)
    write_json(folder / STATE, asdict(said))


# Workers.


def worker_lock(jobs_dir: Path, lane: str, slot: int) -> Path:
    return jobs_dir / f"worker-{lane}-{slot}.lock"


def worker_file(jobs_dir: Path, lane: str, slot: int) -> Path:
    return worker_lock(jobs_dir, lane, slot).with_suffix(".json")


def read_worker(jobs_dir: Path, lane: str, slot: int) -> Worker | None:
    """Read the last worker of that slot, alive or not."""
    return read_as(Worker, worker_file(jobs_dir, lane, slot))


def is_held(lock: Path) -> bool:
    """Return whether some process holds a lock."""
    if not lock.exists():
        return False
    try:
        FileLock(lock).acquire(timeout=0).lock.release()
    except Timeout:
        return True
    return False


def living(jobs_dir: Path) -> list[Worker]:
    """Return the workers that are alive, by lane and slot."""
    held = filter(is_held, jobs_dir.glob("worker-*.lock"))
    found = (read_as(Worker, lock.with_suffix(".json")) for lock in held)
    return sorted((w for w in found if w is not None), key=lambda w: (w.lane, w.slot))


# What becomes of a job whose worker has ended.


def take_in(jobs_dir: Path, asked: Path) -> None:
    """Put what was asked for into the queue, instead of an ended job of the same id; there it stays
    whatever happens to the machine. Who asks for one that waits or runs joins its owners. Under the
    queue's lock."""
    job = read_job(asked)
    if job is None:  # its writer ended in the middle
        return
    folder = jobs_dir / check_id(job.id)
    if read_job(folder) is None or has_ended(folder):
        discard(jobs_dir, job.id)
        asked.rename(folder)
        sync(jobs_dir)
        return
    owners, also = owners_of(folder), owners_of(asked)
    if set(also) - set(owners):
        write_json(folder / OWNERS, {"owners": list(dict.fromkeys([*owners, *also]))})


def owners_of(folder: Path) -> tuple[str, ...]:
    """Return the owners of the job in a folder; () where no visitor asked for it."""
    return tuple((read_json(folder / OWNERS) or {"owners": []})["owners"])


def recover(jobs_dir: Path) -> None:
    """Take in what was asked for by a process that has ended since, and give back every job that
    runs under no living worker. Under the queue's lock."""
    before = time.time() - LEFT_SECONDS
    for asked in jobs_dir.glob(f"{ASKED}*"):
        try:
            if asked.stat().st_mtime < before:
                take_in(jobs_dir, asked)
                shutil.rmtree(asked, ignore_errors=True)
        except FileNotFoundError:  # whoever asked has just taken it in
            continue
    alive = {worker.id for worker in living(jobs_dir)}
    for folder in job_folders(jobs_dir):
        said = read_state(folder)
        if said is None:
            # A power cut can empty the file: it is asked again what became of the job.
            (folder / STATE).unlink(missing_ok=True)
        elif said.status == "running" and said.worker not in alive:
            give_back(folder, said)


def give_back(folder: Path, said: State) -> None:
    """Put a job whose worker has ended back to its place, or say that it is over: a job that ends
    its workers is not tried for ever."""
    progress, deaths = read_progress(folder), read_deaths(folder)
    if said.worker != deaths.worker or not said.worker:  # else interrupted after it was counted
        reached = max((p.done for p in progress), default=0)
        further = reached > deaths.furthest
        worked = (read_json(folder / USAGE) or {"seconds": 0.0})["seconds"]
        lost = min(max(worked, LEAST_SECONDS), MOST_SECONDS)
        deaths = Deaths(
            count=deaths.count + 1,
            lost=lost if further else deaths.lost + lost,
            furthest=max(reached, deaths.furthest),
            worker=said.worker,
            seconds=deaths.seconds + worked,
        )
        write_json(folder / DEATHS, asdict(deaths))
    if deaths.lost < LOST_SECONDS:
        (folder / STATE).unlink()
        return
    message = died_message(progress, deaths)
    ended = replace(said, status="died", message=message, ended=time.time())
    write_json(folder / STATE, asdict(ended))


def died_message(progress: Sequence[Progress], deaths: Deaths) -> str:
    last = next((p for p in reversed(progress) if p.steps), None)
    where = "early on" if last is None else f"at step {last.step} of {last.steps}"
    return (
        f"{deaths.count} worker processes ended under it without a word, the last ones without "
        f"getting further, at last {where}: from outside, or for want of memory. What was finished "
        "is kept. Free some memory, or ask for less at once: fewer restarts or targets."
    )


def resumed_message(deaths: Deaths) -> str:
    """Return the message of a job that was resumed; '' for one that was begun once."""
    if not deaths.count:
        return ""
    times = "" if deaths.count == 1 else f" {deaths.count} times"
    return f"Its worker process ended{times}: it goes on from what was finished."


def discard(jobs_dir: Path, job: str) -> None:
    """Clear away an ended job. Under the queue's lock."""
    old = jobs_dir / f".old-{uuid.uuid4().hex[:12]}"
    try:
        (jobs_dir / job).rename(old)
    except FileNotFoundError:
        return
    shutil.rmtree(old)
