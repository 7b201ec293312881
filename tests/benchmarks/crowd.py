"""Thirty visitors ask for an attack within five seconds, each on a target of their own, while a
sweep runs in the other lane.

The real queue with its real workers, on the CPU. Targets: the last result within 20 s, the median
within 10 s, on two cores with nothing else to do; the sweep loses nothing. What the attacks compute
is told beside it: no queue is faster than that by the number of cores.
"""

import os
import statistics
import tempfile
import time
from pathlib import Path

import pandas as pd

from engine.data.load import load_dataset
from engine.experiments import AttackRequest, SweepRequest
from engine.progress import ignore
from engine.results.compute import compute_and_keep
from engine.results.jobs import Jobs
from engine.results.lanes import SHORT
from engine.results.store import open_folder
from engine.settings import read_settings
from tests.support.queues import kill_all

VISITORS, WITHIN = 30, 5.0
FIRST = 100  # the targets are the samples from here on
LOOK_SECONDS = 0.05
# A minute of work on two cores, in batches of two attacks.
SWEEP = SweepRequest(n_targets=20, radii=(0.1, 0.3), restarts=(2,), memory_gb=0.03)


def finish(jobs: Jobs, job: str) -> None:
    """Wait for a job. Raises RuntimeError for one that ends without a result."""
    while (state := jobs.state(job)).status != "done":
        if state.status not in ("queued", "running"):
            raise RuntimeError(f"{job}: {state}")
        time.sleep(LOOK_SECONDS)


def finished(jobs: Jobs, sweep: str) -> int:
    """Count the attacks of the sweep that are finished."""
    return max((p.done for p in jobs.state(sweep).progress), default=0)


def warm_up(jobs: Jobs) -> None:
    """Have every worker of the short lane there, with torch, the data and the honest model, as they
    are once a class has begun."""
    workers = range(jobs.at_once(SHORT))
    for slot in workers:
        jobs.start_worker(SHORT, slot)
    first = [AttackRequest(targets=(FIRST - 1 - i,), steps=3) for i in range(4 * len(workers))]
    for job in [jobs.submit("attack", request) for request in first]:
        finish(jobs, job)


def ask(jobs: Jobs) -> dict[str, float]:
    """Ask for the attacks, evenly over the five seconds; returns when each was asked for."""
    began, asked = time.perf_counter(), {}
    for i in range(VISITORS):
        time.sleep(max(began + i * WITHIN / VISITORS - time.perf_counter(), 0))
        job = jobs.submit("attack", AttackRequest(targets=(FIRST + i,)))
        asked[job] = time.perf_counter()
    return asked


def arrivals(jobs: Jobs, asked: dict[str, float]) -> dict[str, float]:
    """Wait for all results; returns when each was seen."""
    seen: dict[str, float] = {}
    while len(seen) < len(asked):
        for job in asked.keys() - seen.keys():
            state = jobs.state(job)
            if state.status == "done":
                seen[job] = time.perf_counter()
            elif state.status not in ("queued", "running"):
                raise RuntimeError(f"{job}: {state}")
        time.sleep(LOOK_SECONDS)
    return seen


def main() -> None:
    print(f"load before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    digits = load_dataset("digits")
    with tempfile.TemporaryDirectory() as folder:
        place = {"IAL_CACHE_DIR": folder, "IAL_DEVICE": "cpu"}
        jobs = Jobs(read_settings(place))
        try:
            warm_up(jobs)
            sweep = jobs.submit("sweep", SWEEP)
            while not finished(jobs, sweep):
                time.sleep(LOOK_SECONDS)
            before = finished(jobs, sweep)
            asked = ask(jobs)
            seen = arrivals(jobs, asked)
            state, during = jobs.state(sweep), finished(jobs, sweep) - before
            waits = [seen[job] - at for job, at in asked.items()]
            last = max(seen.values()) - min(asked.values())
            stored = [jobs.store.local / "attack" / job for job in asked]
            work = sum(open_folder(path).manifest.seconds for path in stored)
            workers = jobs.at_once(SHORT)
            print(
                f"{VISITORS} attacks asked for within {WITHIN:g} s, {workers} workers: the last "
                f"result after {last:.1f} s, median wait {statistics.median(waits):.1f} s; their "
                f"own seconds add up to {work:.1f}: {last / (work / workers):.2f} times that by "
                "workers"
            )
            print(
                f"the sweep meanwhile: {state.status}, {during} of {len(SWEEP)} attacks more",
                flush=True,
            )
            finish(jobs, sweep)
            given_way = open_folder(jobs.store.local / "sweep" / sweep).result
            resumed = jobs.state(sweep).resumed
        finally:
            kill_all(jobs)
        alone = read_settings(place | {"IAL_CACHE_DIR": str(Path(folder) / "alone")})
        undisturbed = open_folder(compute_and_keep("sweep", SWEEP, digits, alone, ignore)).result
        pd.testing.assert_frame_equal(given_way, undisturbed, check_exact=True)
        print(f"the sweep's table is that of an undisturbed one; its worker ended {resumed} times")


if __name__ == "__main__":
    main()
