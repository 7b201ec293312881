"""Ten browsers play the class experiment end to end: each is dealt a sample, bets, and attacks.

Per student the seconds from the click to the result on the page, in the order in which they come
(all click one after the other, as fast as one script can), and those until the wall shows all of
them. Every console must be empty. Needs Chromium at /usr/bin/chromium.
"""

import re
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from playwright.sync_api import expect, sync_playwright

from tests.support.browser import (
    CHROMIUM,
    FLAGS,
    LAB,
    Visits,
    start_server,
    stop_server,
    wait_until_healthy,
)
from tests.support.browser_pages import SLOW
from tests.support.class_play import SCORED, TEACHER_TOKEN, Class, bet, gather

STUDENTS = 10
CLASS = {"IAL_MODE": "class", "IAL_TEACHER_TOKEN": TEACHER_TOKEN}


def measure(lesson: Class) -> tuple[list[float], float]:
    """Seconds from each student's bet to the result, and from the first bet to the full wall."""
    begun, took = [], {}
    for number, student in enumerate(lesson.students):
        bet(student.page, number)
        begun.append(time.perf_counter())
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


def main() -> None:
    if not Path(CHROMIUM).exists():
        sys.exit(f"There is no Chromium at {CHROMIUM}: install Debian's chromium.")
    with tempfile.TemporaryDirectory() as place, sync_playwright() as playwright:
        cache = Path(place)
        on_this_machine = (*LAB, "--server.address", "127.0.0.1")
        process, address = start_server(cache, what=on_this_machine, environment=CLASS)
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        try:
            wait_until_healthy(process, address, cache)
            visits = Visits(address, browser)
            lesson = gather(visits, STUDENTS)
            waits, wall = measure(lesson)
            print(
                f"{len(waits)} of {STUDENTS} have their result, after {min(waits):.1f} s at the "
                f"soonest, {np.median(waits):.1f} s in the median, {max(waits):.1f} s at the latest"
            )
            print(f"the wall shows all of them {wall:.1f} s after the first bet")
            for visit in visits.opened:
                visit.check()
            print(f"the consoles of all {len(visits.opened)} browsers are empty")
        finally:
            browser.close()
            stop_server(process, cache)


if __name__ == "__main__":
    main()
