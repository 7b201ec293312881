"""The lab as a visitor waits for it: start, first progress of an attack, a moved slider.

Needs Chromium at /usr/bin/chromium. The server is started as `make run` starts it, on a free port
and with an empty local cache.
"""

import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

from engine.results.jobs import Jobs
from engine.settings import read_settings
from tests.support.browser import (
    CHROMIUM,
    FLAGS,
    healthy,
    local_settings,
    start_server,
    stop_server,
)
from tests.support.queues import worker_alive

REPEATS = 5
DRAWN = """(document.querySelector('.js-plotly-plot .main-svg') ? document.body.innerText : '')"""


def draws(page: Page) -> None:
    expect(page.locator(".ial-replay canvas.wall")).to_be_visible(timeout=60_000)


def appears(page: Page, condition: str) -> None:
    """Wait for a condition, looked at in every frame: a poll's interval would be measured too."""
    page.wait_for_function(condition, polling="raf", timeout=60_000)


def imports_torch(process: subprocess.Popen) -> bool:
    return "libtorch" in Path(f"/proc/{process.pid}/maps").read_text()


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        cache = Path(folder)
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        waits: list[float] = []
        for number in range(REPEATS + 1):  # the first warms the disk's cache and is not counted
            page = browser.new_page()
            began = time.perf_counter()
            process, address = start_server(cache)
            while not healthy(address):
                time.sleep(0.02)
            page.goto(f"{address}/move-one-sample")
            draws(page)
            waits.append(time.perf_counter() - began)
            if number < REPEATS:
                page.close()
                stop_server(process, cache)
        print(f"start to a drawn page: {statistics.median(waits[1:]):.2f} s (median of {REPEATS})")
        jobs = Jobs(read_settings(local_settings(cache)))
        while not worker_alive(jobs):
            time.sleep(0.1)
        time.sleep(5)  # the worker imports torch
        first, redraws = [], []
        for seed in range(1, REPEATS + 1):
            page.goto(f"{address}/move-one-sample?radius=0.05&seed={seed}")
            run = page.get_by_role("button", name="Run the attack")
            expect(run).to_be_enabled(timeout=60_000)
            page.wait_for_timeout(1500)
            began = time.perf_counter()
            run.click()
            appears(page, "/Step [0-9]+ of 100/.test(document.body.innerText)")
            first.append(time.perf_counter() - began)
            appears(page, "/sample 16 (went|stays)/i.test(document.body.innerText)")
            page.wait_for_timeout(1500)
            slider = page.get_by_role("slider")
            slider.focus()
            began = time.perf_counter()
            slider.press("End")
            # the result gives way to the ranking of the honest model, which was computed before
            appears(page, f"{DRAWN}.includes('Under the honest model')")
            redraws.append(time.perf_counter() - began)
        print(f"click to first progress: {statistics.median(first):.2f} s (median of {REPEATS})")
        print(f"slider to redrawn page: {statistics.median(redraws):.2f} s (median of {REPEATS})")
        print(f"the server process imports torch: {imports_torch(process)}")
        browser.close()
        stop_server(process, cache)


if __name__ == "__main__":
    main()
