"""Worker and server are killed, at random moments of a sweep: nothing that was finished is lost or
computed twice, and the table is that of an undisturbed sweep."""

import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest

from engine.data.load import load_dataset
from engine.experiments import SweepRequest
from engine.progress import ignore
from engine.results.compute import compute_and_keep
from engine.results.jobs import Jobs
from engine.results.manifest import MANIFEST, read_manifest
from engine.results.store import open_folder
from engine.settings import ROOT, read_settings
from tests.support.queues import worker_alive, worker_pids

MOMENTS = 20
SEED = 8
REAL_SERVERS = (9, 19)  # the other moments' servers do what the real one does to the queue
SWEEP = SweepRequest(
    n_targets=50,
    radii=(0.1, 0.2, 0.3, 0.4),
    ks=(1, 10),
    restarts=(1,),
    learning_rates=(0.1,),
    steps=8,
    memory_gb=0.005,  # five attacks a batch, 40 batches
)
SERVER = """
import time
from engine.results.jobs import Jobs
from engine.settings import read_settings
Jobs(read_settings()).watch()
time.sleep(1000)
"""
PATIENCE = 400.0  # seconds, on a machine that is busy with other things


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    place = {"IAL_CACHE_DIR": str(tmp_path / "cache"), "IAL_DEVICE": "cpu", "IAL_JOBS": "1"}
    return {**place, "OMP_NUM_THREADS": "1"}


@pytest.fixture
def watched(environment: dict[str, str]) -> Iterator[Jobs]:
    """The queue as somebody sees it who starts no worker."""
    jobs = Jobs(read_settings({**environment, "IAL_WORKERS": "no"}))
    yield jobs
    for pid in worker_pids(jobs):
        os.kill(pid, signal.SIGKILL)


def serve(environment: dict[str, str], real: bool) -> subprocess.Popen:
    """A server; it has a process group of its own, and a worker that it starts has another."""
    command = [sys.executable, "-c", SERVER]
    if real:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = str(free.getsockname()[1])
        command = [sys.executable, "-m", "pages.common.serve", "--server.port", port]
        command += ["--server.fileWatcherType", "none"]
    quiet = subprocess.DEVNULL
    return subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, **environment}, stdout=quiet, stderr=quiet
    )


def wait(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.05)


def whole(jobs: Jobs) -> list[Path]:
    """The folders of the batches that are kept."""
    found = (path.parent for path in (jobs.store.local / "batch").glob(f"*/{MANIFEST}"))
    return [folder for folder in found if not folder.name.startswith(".")]


def batches(jobs: Jobs) -> dict[str, tuple[int, int, str]]:
    """The batches that are kept, and what would be another if one were written again."""
    found = {}
    for folder in whole(jobs):
        about = (folder / MANIFEST).stat()
        found[folder.name] = (about.st_ino, about.st_mtime_ns, read_manifest(folder).created)
    return found


@pytest.mark.long
@pytest.mark.timeout(1500)  # on a busy machine; most of it is processes that start
def test_killed_at_20_moments_of_a_sweep_nothing_is_lost(environment, watched, tmp_path):
    chance = random.Random(SEED)
    server = serve(environment, real=True)
    job = watched.submit("sweep", SWEEP)
    kept: dict[str, tuple[int, int, str]] = {}
    resumed = 0

    def at_work() -> bool:
        state = watched.state(job)
        assert state.status in ("queued", "running"), f"seed {SEED}: {state}"
        return bool(state.progress)

    try:
        for moment in range(MOMENTS):
            if moment % 2:  # the server; its worker may be starting, or not there yet
                time.sleep(chance.uniform(0, 2))
                server.kill()
                server.wait()
                server = serve(environment, real=moment in REAL_SERVERS)
                continue
            wait(at_work)
            said = watched.state(job).progress[0]
            assert said.found == len(kept), f"seed {SEED}, moment {moment}"
            resumed += bool(kept)
            enough = len(kept) + chance.randint(0, 2)

            def far_enough(least: int = enough) -> bool:
                return at_work() and len(whole(watched)) >= least

            wait(far_enough)
            time.sleep(chance.uniform(0, 0.2))
            for pid in worker_pids(watched):
                os.kill(pid, signal.SIGKILL)
            wait(lambda: not worker_alive(watched))  # it may be deep in the kernel
            before, kept = kept, batches(watched)
            assert before.items() <= kept.items(), f"seed {SEED}, moment {moment}"
        wait(lambda: watched.state(job).status not in ("queued", "running"))
    finally:
        server.kill()
        server.wait()
    assert (watched.state(job).status, watched.state(job).message) == ("done", "")
    assert resumed >= MOMENTS // 4  # it went on from what was kept, and not from the beginning
    final = batches(watched)
    assert kept.items() <= final.items()
    assert len(final) == 40

    undisturbed = read_settings({**environment, "IAL_CACHE_DIR": str(tmp_path / "undisturbed")})
    folder = compute_and_keep("sweep", SWEEP, load_dataset("digits"), undisturbed, ignore)
    disturbed = open_folder(watched.store.local / "sweep" / job).result
    pd.testing.assert_frame_equal(disturbed, open_folder(folder).result, check_exact=True)
