"""The job runner with a real worker process on real experiments."""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from engine.errors import InvalidDataset, InvalidInput
from engine.experiments import AttackRequest, RankingRequest
from engine.experiments.base import Request
from engine.progress import Progress
from engine.results import lanes
from engine.results.jobs import JOB, PROGRESS, STATE, Jobs
from engine.results.queue import Worker, read_progress, worker_file, write_json
from engine.results.watchdog import LOOK_SECONDS
from engine.results.worker import KEPT_FOLDERS, prune, work
from engine.settings import environment_of, read_settings, teacher_token
from tests.support.queues import LONG, PATIENCE, kill, until, wait, worker_alive, worker_pid

SHORT = AttackRequest(targets=(16,), radius=0.35, restarts=1)


def running(jobs: Jobs, job: str, step: int = 2) -> None:
    wait(lambda: len(jobs.state(job).progress) > step)
    assert jobs.state(job).status == "running"


def found(jobs: Jobs, name: str, request: Request):
    from engine.data.load import load_dataset

    return jobs.store.find(name, request, load_dataset("digits").content_hash)


def test_an_attack_runs_and_is_stored(warm):
    job = warm.submit("attack", SHORT)
    state = until(warm, job, "done", "failed")
    assert (state.status, state.message) == ("done", "")
    steps = [p.step for p in state.progress]
    assert steps == list(range(len(steps)))
    first = state.progress[0]
    assert first.steps == SHORT.steps
    assert first.runs is not None
    assert first.runs.run == (0, 1)
    assert {len(values) for values in vars(first.runs).values()} == {2}
    stored = found(warm, "attack", SHORT)
    assert stored is not None
    assert stored.result.success
    # equal requests share it, whoever asks; nothing is computed again
    again = Jobs(warm.settings)
    assert again.submit("attack", replace(SHORT, radius=0.35)) == job
    assert again.state(job).status == "done"
    # the worker is warm: another experiment, one after the other in the same process
    pid = worker_pid(warm)
    ranking = warm.submit("ranking", RankingRequest())
    assert until(warm, ranking, "done", "failed").status == "done"
    assert worker_pid(warm) == pid


def test_queue_cancel_and_equal_requests(warm):
    short, other = replace(SHORT, seed=1), RankingRequest(l2=0.02)
    long = warm.submit("attack", LONG)
    running(warm, long)
    assert warm.submit("attack", LONG) == long
    second = warm.submit("attack", short)
    third = warm.submit("ranking", other)
    assert [warm.state(j).place for j in (long, second, third)] == [0, 1, 2]
    warm.cancel(second)  # while it waits: it never runs
    assert warm.state(second).status == "cancelled"
    assert warm.state(third).place == 1
    assert warm.state(long).status == "running"
    warm.cancel(long)
    state = until(warm, long, "cancelled", "done", "failed")
    assert state.status == "cancelled"
    assert state.progress[-1].step < LONG.steps
    assert until(warm, third, "done", "failed").status == "done"
    assert warm.state(second).status == "cancelled"
    assert found(warm, "attack", short) is None
    assert found(warm, "attack", LONG) is None
    # what was cancelled can be asked for again
    assert warm.submit("attack", short) == second
    assert until(warm, second, "done", "failed").status == "done"


def test_a_job_whose_worker_was_killed_goes_on_at_its_place(warm):
    asked = replace(LONG, seed=2)
    long = warm.submit("attack", asked)
    behind = warm.submit("attack", replace(SHORT, seed=2))
    running(warm, long)
    wait(lambda: warm.state(long).seconds > 3 * LOOK_SECONDS)
    first = kill(warm)
    state = warm.state(long)
    assert (state.status, state.place, state.resumed) == ("queued", 1, 1)
    assert "goes on" in state.message
    assert warm.state(behind).place == 2
    running(warm, long)
    assert worker_pid(warm) not in (None, first)
    again = warm.state(long)
    assert again.progress[0].step == 0  # one worker's course, not two in one chart
    assert (again.resumed, again.message) == (1, state.message)
    assert again.seconds > state.seconds > LOOK_SECONDS  # time counts under all its workers
    assert warm.submit("attack", asked) == long  # equal requests still join it
    assert warm.state(behind).place == 1
    warm.cancel(long)
    assert until(warm, long, "cancelled").status == "cancelled"
    assert until(warm, behind, "done", "failed").status == "done"


def test_failures_are_said_in_words(warm):
    job = warm.submit("attack", AttackRequest(targets=(99999,)))
    state = until(warm, job, "failed", "done")
    assert state.status == "failed"
    assert state.message == "target must be a whole number in [0, 1199]. Got 99999 instead."
    best = found_best(warm)
    already = warm.submit("attack", AttackRequest(targets=(best,)))
    state = until(warm, already, "failed", "done")
    assert "outside the honest top-1" in state.message


def found_best(jobs: Jobs) -> int:
    job = jobs.submit("ranking", RankingRequest())
    assert until(jobs, job, "done", "failed").status == "done"
    return int(found(jobs, "ranking", RankingRequest()).result.test.top(1)[0])


def test_what_cannot_be_opened_is_not_queued(jobs):
    with pytest.raises(InvalidInput, match="dataset must be"):
        jobs.submit("attack", AttackRequest(dataset="nowhere"))
    with pytest.raises(InvalidDataset, match="no features file"):
        jobs.submit("attack", AttackRequest(dataset="missing.npz"))
    with pytest.raises(InvalidInput, match="experiment must be one of"):
        jobs.submit("guess", SHORT)
    assert not worker_alive(jobs)
    assert not jobs.folder.exists()


def test_unknown_jobs_and_ids_that_are_paths(jobs):
    assert jobs.state("0" * 24).status == "unknown"
    with pytest.raises(InvalidInput, match="job must be the id"):
        jobs.state("../etc")
    with pytest.raises(InvalidInput, match="job must be the id"):
        jobs.cancel("..")


def test_an_idle_worker_leaves_and_comes_back(tmp_path):
    environment = {"IAL_CACHE_DIR": str(tmp_path), "IAL_WORKER_IDLE_S": "0.2", "IAL_DEVICE": "cpu"}
    jobs = Jobs(read_settings(environment))
    first = jobs.submit("ranking", RankingRequest())
    assert until(jobs, first, "done", "failed").status == "done"
    wait(lambda: not worker_alive(jobs))
    second = jobs.submit("attack", SHORT)
    assert until(jobs, second, "done", "failed").status == "done"
    wait(lambda: not worker_alive(jobs))


def test_only_one_worker_at_a_time(jobs):
    others = [Jobs(jobs.settings) for _ in range(3)]
    for one in (jobs, *others):
        one.start_worker()
    wait(lambda: worker_pid(jobs) is not None)
    pid = worker_pid(jobs)
    for one in others:
        started = one._started.get((lanes.SHORT, 0))
        if started is not None and started.pid != pid:
            assert started.wait(timeout=PATIENCE) == 0
    assert worker_pid(jobs) == pid


def test_a_damaged_published_result_is_computed_here(warm):
    request = RankingRequest(l2=0.03)
    job = warm.submit("ranking", request)
    assert until(warm, job, "done", "failed").status == "done"
    (warm.settings.published / "ranking").mkdir(parents=True)
    published = warm.settings.published / "ranking" / job
    (warm.settings.cache_dir / "results" / "ranking" / job).rename(published)
    assert found(warm, "ranking", request).published
    (published / "arrays.npz").write_bytes(b"")
    assert found(warm, "ranking", request) is None
    assert warm.submit("ranking", request) == job
    assert until(warm, job, "done", "failed").status == "done"
    assert not found(warm, "ranking", request).published


def test_many_ask_for_the_same_at_once(warm):
    """A class opens the same link; the first moment of each session is the same."""
    # The worker is at work by then, so that it takes the job while others still ask.
    until(warm, warm.submit("ranking", RankingRequest(l2=0.04)), "done")
    for seed in range(3, 8):
        request = replace(LONG, seed=seed)
        with ThreadPoolExecutor(30) as sessions:
            asked = [sessions.submit(warm.submit, "attack", request) for _ in range(30)]
        [job] = {one.result() for one in asked}
        running(warm, job)
        warm.cancel(job)
        assert until(warm, job, "cancelled", "failed", "died").status == "cancelled"


def test_a_file_that_nobody_can_read_stops_nothing(jobs):
    """A power cut can leave an empty file."""
    for name in (JOB, STATE):
        (jobs.folder / f"emptied{name[0]}").mkdir(parents=True)
        (jobs.folder / f"emptied{name[0]}" / name).write_text("")
    assert jobs.state("emptiedj").status == "unknown"
    jobs.settings = replace(jobs.settings, workers=False)
    job = jobs.submit("ranking", RankingRequest())
    me = Worker("me", os.getpid(), 0, 1, lanes.SHORT)
    work(replace(jobs.settings, worker_idle_seconds=0.01), jobs.folder, me, is_stale=lambda: False)
    assert jobs.state(job).status == "done"


def test_a_worker_that_cannot_start_is_reported(jobs):
    own_file = worker_file(jobs.folder, lanes.SHORT, 0)
    own_file.mkdir(parents=True)  # it will not be able to write its number there
    job = jobs.submit("ranking", RankingRequest())
    state = until(jobs, job, "failed", "done")
    assert state.status == "failed"
    assert "worker.log" in state.message
    own_file.rmdir()
    assert jobs.submit("ranking", RankingRequest()) == job
    assert until(jobs, job, "failed", "done").status == "done"


def test_no_job_runs_on_code_that_has_changed(jobs):
    jobs.settings = replace(jobs.settings, workers=False)
    job = jobs.submit("ranking", RankingRequest())
    me = Worker("me", os.getpid(), 0, 1, lanes.SHORT)
    work(jobs.settings, jobs.folder, me, is_stale=lambda: True)
    assert not (jobs.folder / job / STATE).exists()
    work(replace(jobs.settings, worker_idle_seconds=0.01), jobs.folder, me, is_stale=lambda: False)
    assert jobs.state(job).status == "done"


def test_a_half_written_line_of_progress_is_not_read(tmp_path):
    (tmp_path / PROGRESS).write_text('{"step": 0}\n{"step": 1}\n{"st')
    assert read_progress(tmp_path) == (Progress(step=0), Progress(step=1))


def test_old_ended_jobs_are_forgotten(tmp_path):
    for i in range(KEPT_FOLDERS + 3):
        folder = tmp_path / f"job{i:04}"
        folder.mkdir()
        write_json(folder / STATE, {"status": "done"})
        os.utime(folder, (i, i))
    (tmp_path / "waiting").mkdir()
    write_json(tmp_path / "waiting" / JOB, {})
    prune(tmp_path)
    left = sorted(p.name for p in tmp_path.iterdir() if p.is_dir())
    assert len(left) == KEPT_FOLDERS + 1
    assert left[0] == "job0003"
    assert "waiting" in left


@pytest.mark.parametrize("value", ["soon", "-1", "0", "inf", "nan"])
def test_settings_are_checked(value):
    with pytest.raises(InvalidInput, match="IAL_WORKER_IDLE_S must be a number of seconds > 0"):
        read_settings({"IAL_WORKER_IDLE_S": value})


def test_an_empty_setting_is_none_and_a_bad_one_is_said(tmp_path):
    names = (
        "IAL_CACHE_DIR",
        "IAL_DATA_DIR",
        "IAL_DEVICE",
        "IAL_WORKER_IDLE_S",
        "IAL_JOBS",
        "IAL_CLUSTER",
        "IAL_CLUSTER_FALLBACK",
        "IAL_JOBS_AT_ONCE",
        "IAL_SHORT_JOBS_AT_ONCE",
        "IAL_JOB_HOURS",
        "IAL_JOB_MEMORY_GB",
        "IAL_DISK_GB",
        "IAL_MODE",
        "IAL_VISITOR_JOBS",
        "IAL_ADDRESS",
        "IAL_OPEN_FIRST",
    )
    assert read_settings(dict.fromkeys(names, "")) == read_settings({})
    (tmp_path / "file").write_text("")
    for name in ("IAL_CACHE_DIR", "IAL_DATA_DIR"):
        with pytest.raises(InvalidInput, match=f"{name} must be a folder"):
            read_settings({name: str(tmp_path / "file" / "below")})
    with pytest.raises(InvalidInput, match="IAL_DEVICE must be 'auto'"):
        read_settings({"IAL_DEVICE": "gpu"})
    for jobs in ("-1", "two", "1.5"):
        with pytest.raises(InvalidInput, match="IAL_JOBS must be a number of processes"):
            read_settings({"IAL_JOBS": jobs})
    with pytest.raises(InvalidInput, match="IAL_CLUSTER_FALLBACK must be 'yes' or 'no'"):
        read_settings({"IAL_CLUSTER_FALLBACK": "maybe"})
    with pytest.raises(InvalidInput, match="IAL_MODE must be 'lab' or 'class'"):
        read_settings({"IAL_MODE": "school"})
    for address in ("lab.example.org", "javascript:alert(1)", "https://a/?b", "https://a b"):
        with pytest.raises(InvalidInput, match="IAL_ADDRESS must be an address"):
            read_settings({"IAL_ADDRESS": address})


def test_what_concerns_visitors_is_read_and_not_handed_to_workers():
    given = {
        "IAL_MODE": "class",
        "IAL_VISITOR_JOBS": "2",
        "IAL_ADDRESS": "https://a.org/lab",
        "IAL_OPEN_FIRST": "no",
    }
    settings = read_settings(given)
    assert (settings.mode, settings.visitor_jobs, settings.address, settings.open_first) == (
        "class", 2, "https://a.org/lab", False,
    )  # fmt: skip
    assert not set(given) & set(environment_of(settings))


def test_every_page_is_opened_first_in_a_class_and_elsewhere_if_it_is_asked_for():
    assert [
        read_settings(given).open_first
        for given in ({}, {"IAL_MODE": "class"}, {"IAL_OPEN_FIRST": "yes"})
    ] == [False, True, True]


def test_a_teacher_token_that_can_be_guessed_is_refused_and_never_repeated():
    token = "".join("0123456789abcdef")
    assert teacher_token({"IAL_TEACHER_TOKEN": token}) == token
    assert teacher_token({}) == teacher_token({"IAL_TEACHER_TOKEN": ""}) == ""
    for bad in ("letmein", "no spaces in links ever", token + "&"):
        with pytest.raises(InvalidInput, match="IAL_TEACHER_TOKEN must be 16 to 200") as error:
            teacher_token({"IAL_TEACHER_TOKEN": bad})
        assert bad not in str(error.value)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("IAL_JOBS_AT_ONCE", "many", "a number of jobs, 0 to have it chosen"),
        ("IAL_SHORT_JOBS_AT_ONCE", "-1", "a number of jobs, 0 to have it chosen"),
        ("IAL_JOB_HOURS", "0", "a number of hours > 0"),
        ("IAL_JOB_MEMORY_GB", "-1", "a number of GB > 0, 0 to have it chosen"),
        ("IAL_DISK_GB", "all", "a number of GB > 0"),
    ],
)
def test_limits_are_checked(name, value, expected):
    with pytest.raises(InvalidInput, match=f"{name} must be {expected}. Got '{value}'"):
        read_settings({name: value})


def test_another_process_reads_the_same_settings(tmp_path):
    given = {"IAL_CACHE_DIR": str(tmp_path / "c"), "IAL_DATA_DIR": str(tmp_path), "IAL_JOBS": "3"}
    given |= {"IAL_DEVICE": "cuda:1", "IAL_CLUSTER": "tcp://a:1", "IAL_CLUSTER_FALLBACK": "yes"}
    given |= {"IAL_JOBS_AT_ONCE": "2", "IAL_JOB_HOURS": "0.5", "IAL_JOB_MEMORY_GB": "3"}
    given |= {"IAL_DISK_GB": "1.5", "IAL_WORKER_IDLE_S": "7", "IAL_WORKERS": "no"}
    given |= {"IAL_SHORT_JOBS_AT_ONCE": "5"}
    settings = read_settings(given)
    assert set(environment_of(settings)) == set(given)
    assert read_settings(environment_of(settings)) == settings
    assert read_settings(environment_of(read_settings({}))) == read_settings({})


def test_how_sweeps_are_spread_is_a_setting(tmp_path):
    given = {"IAL_CACHE_DIR": str(tmp_path), "IAL_JOBS": "3", "IAL_CLUSTER": "tcp://here:1"}
    settings = read_settings({**given, "IAL_CLUSTER_FALLBACK": "yes"})
    assert (settings.jobs, settings.cluster, settings.cluster_fallback) == (3, "tcp://here:1", True)
