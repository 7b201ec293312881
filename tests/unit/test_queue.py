"""The queue on disk: places, claims by several workers, and what becomes of jobs whose worker
ended. No worker process: a worker is whoever holds its lock."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

import pytest
from filelock import FileLock

from engine.progress import Progress
from engine.results import queue
from engine.results.lanes import LONG, SHORT
from engine.results.queue import (
    CANCEL,
    DEATHS,
    JOB,
    LEAST_SECONDS,
    LOST_SECONDS,
    MOST_SECONDS,
    PROGRESS,
    STATE,
    USAGE,
    Deaths,
    Job,
    Worker,
    claim,
    going,
    living,
    queue_lock,
    read_deaths,
    read_job,
    recover,
    say,
    waiting,
    worker_file,
    worker_lock,
    write_json,
)


def place(jobs_dir: Path, name: str, submitted: int, lane: str = LONG) -> Path:
    folder = jobs_dir / name
    folder.mkdir()
    job = Job(name, "ranking", {}, "none", submitted, lane)
    write_json(folder / JOB, asdict(job), durable=True)
    return folder


def begin(jobs_dir: Path, name: str, slot: int = 0, lane: str = LONG) -> tuple[Worker, FileLock]:
    """A worker that is alive until its lock is released."""
    lock = FileLock(worker_lock(jobs_dir, lane, slot))
    lock.acquire(timeout=0)
    worker = Worker(name, 1, slot, 1, lane)  # all with one process number, as it may be
    write_json(worker_file(jobs_dir, lane, slot), asdict(worker))
    return worker, lock


MOST_DEATHS = int(LOST_SECONDS / MOST_SECONDS)  # in a row, each of much work


@pytest.fixture
def alive(tmp_path: Path) -> Iterator[Worker]:
    worker, lock = begin(tmp_path, "alive")
    yield worker
    lock.release()


def claimed(jobs_dir: Path, worker: Worker) -> str | None:
    """The job that is claimed, by its name."""
    job = claim(jobs_dir, worker)
    return None if job is None else job.id


def tell(folder: Path, said: Progress) -> None:
    (folder / PROGRESS).write_text(said.to_json() + "\n")


def test_the_oldest_is_taken_first_and_a_cancelled_one_never(tmp_path, alive):
    place(tmp_path, "second", 2)
    place(tmp_path, "first", 1)
    (place(tmp_path, "cancelled", 0) / CANCEL).touch()
    assert [job.id for job in waiting(tmp_path, LONG)] == ["first", "second"]
    assert claimed(tmp_path, alive) == "first"
    assert [job.id for job in waiting(tmp_path, LONG)] == ["second"]
    assert {job.id for job in going(tmp_path)} == {"first", "second"}
    assert claimed(tmp_path, alive) == "second"
    assert claim(tmp_path, alive) is None


def test_each_lane_has_an_order_of_its_own(tmp_path):
    """What takes seconds is taken by its own workers, however much of the rest came before."""
    for number, name in enumerate(("sweep", "defence")):
        place(tmp_path, name, number, LONG)
    for number, name in enumerate(("ranking", "attack")):
        place(tmp_path, name, 10 + number, SHORT)
    quick, lock = begin(tmp_path, "quick", lane=SHORT)
    slow, other = begin(tmp_path, "slow", lane=LONG)
    assert [w.id for w in living(tmp_path)] == ["slow", "quick"]
    assert claimed(tmp_path, quick) == "ranking"
    assert claimed(tmp_path, slow) == "sweep"
    assert claimed(tmp_path, quick) == "attack"
    assert claim(tmp_path, quick) is None
    assert [job.id for job in waiting(tmp_path, LONG)] == ["defence"]
    lock.release()  # its job alone goes back, to its own lane
    recover(tmp_path)
    assert [job.id for job in waiting(tmp_path, SHORT)] == ["ranking", "attack"]
    assert [job.id for job in waiting(tmp_path, LONG)] == ["defence"]
    other.release()


def test_a_job_from_before_there_were_lanes_is_a_long_one(tmp_path):
    folder = tmp_path / "old"
    folder.mkdir()
    before = {"id": "old", "experiment": "ranking", "request": {}, "data_hash": "none"}
    write_json(folder / JOB, before | {"submitted": 1})
    assert [job.id for job in waiting(tmp_path, LONG)] == ["old"]
    assert waiting(tmp_path, SHORT) == []


def test_no_two_workers_take_one_job(tmp_path):
    names = [f"job{i:02}" for i in range(40)]
    for i, name in enumerate(names):
        place(tmp_path, name, i)
    begun = [begin(tmp_path, f"worker{slot}", slot) for slot in range(4)]
    assert [worker.id for worker in living(tmp_path)] == [worker.id for worker, _ in begun]

    def take_all(worker: Worker) -> list[str]:
        taken = []
        while (job := claim(tmp_path, worker)) is not None:
            taken.append(job.id)
        return taken

    with ThreadPoolExecutor(4) as threads:
        taken = list(threads.map(take_all, [worker for worker, _ in begun]))
    assert sorted(job for one in taken for job in one) == names
    for worker, own in zip((worker for worker, _ in begun), taken, strict=True):
        for job in own:
            assert json.loads((tmp_path / job / STATE).read_text())["worker"] == worker.id


def test_a_job_goes_back_to_its_old_place_when_its_worker_is_gone(tmp_path):
    first, second = place(tmp_path, "first", 1), place(tmp_path, "second", 2)
    worker, lock = begin(tmp_path, "one")
    assert claimed(tmp_path, worker) == "first"
    tell(first, Progress(step=3, steps=9))
    write_json(first / USAGE, {"seconds": 2.5})
    recover(tmp_path)  # it is alive: nothing happens
    assert [job.id for job in waiting(tmp_path, LONG)] == ["second"]
    lock.release()
    other, lock = begin(tmp_path, "other")  # with the same process number
    recover(tmp_path)
    assert [job.id for job in waiting(tmp_path, LONG)] == ["first", "second"]
    assert read_deaths(first) == Deaths(1, LEAST_SECONDS, 0, "one", 2.5)
    assert claimed(tmp_path, other) == "first"
    said = json.loads((first / STATE).read_text())
    assert (said["worker"], said["before"]) == ("other", 2.5)
    assert not (first / PROGRESS).exists()  # the earlier worker's course
    assert not (second / DEATHS).exists()
    lock.release()


def die(jobs_dir: Path, folder: Path, number: int, said: Progress, seconds: float = 0.0) -> None:
    """A worker takes the job, tells of it, and ends under it after so many seconds."""
    worker, lock = begin(jobs_dir, f"worker{number}")
    assert claim(jobs_dir, worker) is not None, number
    tell(folder, said)
    write_json(folder / USAGE, {"seconds": seconds})
    lock.release()
    with queue_lock(jobs_dir):
        recover(jobs_dir)


def test_a_job_that_ends_its_workers_ends(tmp_path):
    folder = place(tmp_path, "bad", 1)
    for number in range(MOST_DEATHS):
        assert not (folder / STATE).exists()
        die(tmp_path, folder, number, Progress(step=4, steps=9), LOST_SECONDS / MOST_DEATHS)
    said = json.loads((folder / STATE).read_text())
    assert said["status"] == "died"
    assert said["message"].startswith(f"{MOST_DEATHS} worker processes ended under it")
    assert "at step 4 of 9" in said["message"]
    assert waiting(tmp_path, LONG) == going(tmp_path) == []


def test_a_job_is_not_given_up_for_a_few_quick_ends(tmp_path):
    """Somebody who ends workers by hand, or a machine that is started again and again."""
    folder, number = place(tmp_path, "job", 1), 0
    while not (folder / STATE).exists():
        die(tmp_path, folder, number, Progress(step=0, steps=9), 0.5)
        number += 1
    assert number == LOST_SECONDS / LEAST_SECONDS > 20
    other = place(tmp_path, "other", 2)
    die(tmp_path, other, 100, Progress(step=0, steps=9), LOST_SECONDS)  # one long one is none
    assert not (other / STATE).exists()


def test_a_job_that_gets_further_is_tried_as_often_as_it_takes(tmp_path):
    folder = place(tmp_path, "long", 1)
    for number in range(3 * MOST_DEATHS):
        done = number // (MOST_DEATHS - 1)  # every other death without getting further
        die(tmp_path, folder, number, Progress(done, 99), LOST_SECONDS)
    assert [job.id for job in waiting(tmp_path, LONG)] == ["long"]
    assert read_deaths(folder).count == 3 * MOST_DEATHS
    for number in range(MOST_DEATHS - 1):  # what it repeats is not progress
        die(tmp_path, folder, 100 + number, Progress(1, 99), LOST_SECONDS)
    assert json.loads((folder / STATE).read_text())["status"] == "died"


def test_a_death_is_counted_once_however_often_counting_is_interrupted(tmp_path, monkeypatch):
    folder = place(tmp_path, "job", 1)
    worker, lock = begin(tmp_path, "one")
    claim(tmp_path, worker)
    lock.release()
    monkeypatch.setattr(queue, "write_json", counting_then_cut_off)
    with pytest.raises(KeyboardInterrupt):
        recover(tmp_path)
    monkeypatch.undo()
    assert (folder / STATE).exists()
    recover(tmp_path)
    assert read_deaths(folder).count == 1
    assert not (folder / STATE).exists()


def counting_then_cut_off(path: Path, value: object, durable: bool = False) -> None:
    write_json(path, value, durable)
    raise KeyboardInterrupt


def test_a_cancelled_job_does_not_come_back(tmp_path):
    folder = place(tmp_path, "job", 1)
    worker, lock = begin(tmp_path, "one")
    claim(tmp_path, worker)
    (folder / CANCEL).touch()
    lock.release()
    recover(tmp_path)
    assert not (folder / STATE).exists()
    assert waiting(tmp_path, LONG) == going(tmp_path) == []


def test_a_state_that_a_power_cut_has_emptied_is_asked_for_again(tmp_path, alive):
    folder = place(tmp_path, "job", 1)
    say(folder, alive, "done", began=0.0, before=0.0)
    assert waiting(tmp_path, LONG) == []
    (folder / STATE).write_text("")
    assert claimed(tmp_path, alive) == "job"


def test_a_file_that_was_written_again_is_read_again(tmp_path):
    """However soon, and though it has the same size."""
    for number in range(500):
        job = Job("name", "ranking", {}, "none", 1000 + number)
        write_json(tmp_path / JOB, asdict(job))
        assert read_job(tmp_path) == job
        assert read_job(tmp_path) == job
    (tmp_path / JOB).unlink()
    assert read_job(tmp_path) is None
