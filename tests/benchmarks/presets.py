"""Every link that the lab itself offers (each page, each preset), opened as the first thing that a
freshly started server with an empty cache is asked for: until the whole page is drawn, all figures
included.

On a busy machine the wait says little: beside it stands the processor time that server and browser
took. Needs Chromium at /usr/bin/chromium.
"""

import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlencode

import psutil
from playwright.sync_api import Browser, sync_playwright

from pages.common.registry import PAGES, PageEntry
from tests.browser.conftest import CHROMIUM, FLAGS, start_server, stop_server, wait_until_healthy

LIMIT = 3.0  # s, of issue 8
PATIENCE = 180_000  # ms, on a machine that others keep busy
# The script has ended, the page has its title, and every chart of it is drawn.
DRAWN = """title => {
  const app = document.querySelector('.stApp'), heading = document.querySelector('h1');
  const charts = [...document.querySelectorAll('[data-testid="stPlotlyChart"]')];
  return app && app.dataset.testScriptState === 'notRunning' && heading
    && heading.innerText.trim() === title
    && !document.querySelector('[data-testid="stSkeleton"]')
    && charts.every(chart => chart.querySelector('.js-plotly-plot .main-svg'));
}"""


def preset_links() -> list[tuple[PageEntry, dict[str, str]]]:
    """Every page as it opens by itself, and every preset that has parameters."""
    found: list[tuple[PageEntry, dict[str, str]]] = []
    for page in PAGES:
        given = [dict(preset.parameters) for preset in page.presets]
        found += [(page, parameters) for parameters in ({}, *(g for g in given if g))]
    return found


def processor_seconds(process: psutil.Process) -> float:
    """Of a process and all that it started and that still runs."""
    total = 0.0
    for one in (process, *process.children(recursive=True)):
        try:
            times = one.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
    return total


def computed(cache: Path) -> list[str]:
    """What lies in the cache beside the server's log and the signs of life of its worker."""
    return sorted(str(p.parent.relative_to(cache)) for p in cache.rglob("manifest.json"))


def measure(browser: Browser, page: PageEntry, parameters: dict[str, str]) -> tuple[float, ...]:
    """Seconds until the page is drawn, and the processor's of server and browser meanwhile."""
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder)
        process, address = start_server(cache)
        try:
            wait_until_healthy(process, address, cache)
            server = psutil.Process(process.pid)
            others = psutil.Process()
            visit = browser.new_context(viewport={"width": 1280, "height": 1000}).new_page()
            before = processor_seconds(server), processor_seconds(others)
            began = time.perf_counter()
            visit.goto(f"{address}/{page.url}?{urlencode(parameters)}", timeout=PATIENCE)
            visit.wait_for_function(DRAWN, arg=page.title, polling="raf", timeout=PATIENCE)
            wait = time.perf_counter() - began
            of_server = processor_seconds(server) - before[0]
            of_browser = processor_seconds(others) - before[1] - of_server
            assert visit.get_by_test_id("stException").count() == 0
            figures = visit.locator(".js-plotly-plot").count()
            visit.wait_for_timeout(500)
            assert computed(cache) == [], computed(cache)
            visit.context.close()
        finally:
            stop_server(process, cache)
    return wait, of_server, of_browser, figures


def main() -> None:
    wanted = sys.argv[1:]  # pages by their addresses; all where none is named
    slow = []
    print(f"{'link':<45}{'figures':>8}{'wait':>8}{'server':>9}{'browser':>9}   (s; CPU time)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        measure(browser, PAGES[0], {})  # what is not counted fills the disk's cache
        for page, parameters in preset_links():
            if wanted and page.url not in wanted:
                continue
            wait, server, client, figures = measure(browser, page, parameters)
            name = f"/{page.url}" + (f"?{urlencode(parameters)}" if parameters else "")
            print(f"{name:<45}{figures:>8.0f}{wait:>8.2f}{server:>9.2f}{client:>9.2f}", flush=True)
            if wait > LIMIT:
                slow.append(name)
        browser.close()
    print(f"slower than {LIMIT:g} s: {', '.join(slow) or 'none'}; nothing was computed")


if __name__ == "__main__":
    main()
