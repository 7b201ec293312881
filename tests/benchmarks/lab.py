"""The lab as a visitor waits for it: start, first progress of an attack, a moved slider.

Needs Chromium at /usr/bin/chromium. The server is started as `make run` starts it, on a free port
and with an empty local cache.
"""

import re
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

from engine.results.jobs import Jobs
from engine.settings import read_settings
from tests.browser.conftest import (
    CHROMIUM,
    FLAGS,
    healthy,
    local_settings,
    start_server,
    stop_server,
)

REPEATS = 5


def draws(page: Page) -> None:
    expect(page.locator(".js-plotly-plot .main-svg").first).to_be_visible(timeout=60_000)


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
        while not jobs.worker_alive():
            time.sleep(0.1)
        time.sleep(5)  # the worker imports torch
        first, redraws = [], []
        for seed in range(1, REPEATS + 1):
            page.goto(f"{address}/move-one-sample?radius=0.05&seed={seed}")
            run = page.get_by_role("button", name="Run the attack")
            expect(run).to_be_enabled(timeout=60_000)
            progress = page.get_by_text(re.compile(r"Step \d+ of 100|went from|stays")).first
            began = time.perf_counter()
            run.click()
            expect(progress).to_be_visible(timeout=60_000)
            first.append(time.perf_counter() - began)
            page.wait_for_timeout(4000)
            began = time.perf_counter()
            slider = page.get_by_role("slider")
            slider.focus()
            slider.press("End")
            expect(page.get_by_role("button", name="Run the attack")).to_be_enabled(timeout=60_000)
            draws(page)
            redraws.append(time.perf_counter() - began)
        print(f"click to first progress: {statistics.median(first):.2f} s (median of {REPEATS})")
        print(f"slider to redrawn page: {statistics.median(redraws):.2f} s (median of {REPEATS})")
        print(f"the server process imports torch: {imports_torch(process)}")
        browser.close()
        stop_server(process, cache)


if __name__ == "__main__":
    main()
