"""Ten browsers play the class experiment end to end: each is dealt a sample, bets, and attacks.

Per student the seconds from the click to the result on the page, in the order in which they come
(all click one after the other, as fast as one script can), and those until the wall shows all of
them. Every console must be empty.

Then the same behind the proxy, before two servers: while the students wait, the workers, the server
with most of the students, and the proxy are killed and started again, as Docker would. Every
student's attack must be there afterwards, and no page may show an exception; of lost connections a
console may speak. Needs Chromium at /usr/bin/chromium, Caddy and brotli.
"""

import re
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from playwright.sync_api import Browser, expect, sync_playwright

from engine.results.jobs import Jobs, JobState
from engine.settings import read_settings
from tests.support.browser import (
    CHROMIUM,
    FLAGS,
    LAB,
    Visits,
    local_settings,
    start_server,
    stop_server,
    wait_until_healthy,
)
from tests.support.browser_pages import SLOW
from tests.support.class_play import SCORED, TEACHER_TOKEN, Class, bet, gather
from tests.support.proxy import NEEDED, Served, kill, served

STUDENTS = 10
CLASS = {"IAL_MODE": "class", "IAL_TEACHER_TOKEN": TEACHER_TOKEN}


def nothing() -> None:
    """What is done to a lab that nobody harms."""


def measure(lesson: Class, meanwhile: Callable[[], None] = nothing) -> tuple[list[float], float]:
    """Seconds from each student's bet to the result, and from the first bet to the full wall.
    `meanwhile` is called once everybody has bet."""
    begun, took = [], {}
    for number, student in enumerate(lesson.students):
        bet(student.page, number)
        begun.append(time.perf_counter())
    meanwhile()
    waiting = dict(enumerate(lesson.students))
    until = time.perf_counter() + 5 * SLOW / 1000
    while waiting and time.perf_counter() < until:
        for number, student in list(waiting.items()):
            if student.page.get_by_text(SCORED).count():
                took[number] = time.perf_counter() - begun[number]
                del waiting[number]
        time.sleep(0.05)
    count = len(lesson.students)
    expect(
        lesson.wall.page.get_by_text(re.compile(rf"\d+ of {count} samples moved into"))
    ).to_be_visible(timeout=SLOW)
    return [took[number] for number in sorted(took)], time.perf_counter() - begun[0]


def report(waits: list[float], wall: float) -> None:
    print(
        f"{len(waits)} of {STUDENTS} have their result, after {min(waits):.1f} s at the "
        f"soonest, {np.median(waits):.1f} s in the median, {max(waits):.1f} s at the latest"
    )
    print(f"the wall shows all of them {wall:.1f} s after the first bet")


def undisturbed(browser: Browser, cache: Path) -> None:
    on_this_machine = (*LAB, "--server.address", "127.0.0.1")
    process, address = start_server(cache, what=on_this_machine, environment=CLASS)
    try:
        wait_until_healthy(process, address, cache)
        visits = Visits(address, browser)
        report(*measure(gather(visits, STUDENTS)))
        for visit in visits.opened:
            visit.check()
        print(f"the consoles of all {len(visits.opened)} browsers are empty")
        visits.close()
    finally:
        stop_server(process, cache)


def asked_for(jobs: Jobs) -> list[JobState]:
    """Where the attacks stand."""
    return [state for job, state in jobs.all() if job.experiment == "attack"]


def kill_everything(lab: Served) -> None:
    """Kill the workers, the server with most sessions, and the proxy, and start them again. A click
    that a dying server has heard but not written down is lost, and can be made again: what is
    killed here is killed once all attacks are asked for."""
    jobs = Jobs(read_settings(local_settings(lab.cache) | {"IAL_WORKERS": "no"}))
    lab.wait_for(lambda: len(asked_for(jobs)) == STUDENTS, "everybody has asked for an attack")
    left = sum(state.status != "done" for state in asked_for(jobs))
    sessions = lab.sessions()
    home = max(sessions, key=lambda address: sessions[address])
    lab.kill_worker()
    kill(lab.servers[home])
    lab.stop_proxy(signal.SIGKILL)
    of_all = f"{sessions[home]} of {sum(sessions.values())} sessions"
    print(f"{left} attacks to go; killed: workers, proxy, and the server with {of_all}")
    lab.start_proxy()
    lab.start_worker()
    lab.start_again(home)


def disturbed(browser: Browser, folder: Path) -> None:
    with served(folder, environment=CLASS) as lab:
        visits = Visits(lab.address, browser, ignore_https_errors=True)
        lesson = gather(visits, STUDENTS)
        report(*measure(lesson, lambda: kill_everything(lab)))
        for visit in visits.opened:
            visit.only_lost_connections()
        print(f"no exception on any of the {len(visits.opened)} pages")
        visits.close()


def main() -> None:
    if not Path(CHROMIUM).exists():
        sys.exit(f"There is no Chromium at {CHROMIUM}: install Debian's chromium.")
    if missing := [name for name in NEEDED if shutil.which(name) is None]:
        sys.exit(f"Not measured: no {' and no '.join(missing)}; `make system` installs Debian's.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        for part in (undisturbed, disturbed):
            with tempfile.TemporaryDirectory() as folder:
                part(browser, Path(folder))
        browser.close()


if __name__ == "__main__":
    main()
