"""Every link that the lab itself offers (each page, each preset), opened as the first thing that a
freshly started server with an empty cache is asked for: until the whole page is drawn, all figures
included. Once in a browser that has been in the lab before, and once in a new one, which has
Streamlit's and Plotly's script to load and to translate first.

The first line is what Streamlit and Plotly need for a page that has a title and a chart of two
points, served from a program of three lines: no page of theirs opens sooner on the same machine.

Of three times the least and the median wait, and the processor time that server and browser took
for that one: on a busy machine the wait says little. Needs Chromium at /usr/bin/chromium.
"""

import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import psutil
from playwright.sync_api import BrowserContext, ViewportSize, sync_playwright

from pages.common.lab.registry import PAGES, links
from tests.support.browser import (
    CHROMIUM,
    FLAGS,
    LAB,
    free_port,
    start_server,
    stop_server,
    wait_until_healthy,
)

LIMIT, REPEATS = 3.0, 3  # s, of issue 8
BARE_TITLE = "Bare"
BARE = f"""import plotly.graph_objects as go
import streamlit as st
st.title("{BARE_TITLE}")
st.plotly_chart(go.Figure(go.Scatter(x=[1, 2], y=[1, 2])))
"""
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


@dataclass(frozen=True)
class Opened:
    """Seconds until a page was drawn, the processor's of server and browser meanwhile, figures."""

    wait: float
    server: float
    browser: float
    figures: int


def measure(
    context: BrowserContext, port: int, title: str, link: str, what: Sequence[str] = LAB
) -> Opened:
    """Opens a link of a server that is started for it, with an empty cache."""
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder)
        process, address = start_server(cache, port, what)
        try:
            wait_until_healthy(process, address, cache)
            server, all_of_it = psutil.Process(process.pid), psutil.Process()
            visit = context.new_page()
            before = processor_seconds(server), processor_seconds(all_of_it)
            began = time.perf_counter()
            visit.goto(f"{address}{link}", timeout=PATIENCE)
            visit.wait_for_function(DRAWN, arg=title, polling="raf", timeout=PATIENCE)
            wait = time.perf_counter() - began
            of_server = processor_seconds(server) - before[0]
            of_browser = processor_seconds(all_of_it) - before[1] - of_server
            assert visit.get_by_test_id("stException").count() == 0
            figures = visit.locator(".js-plotly-plot").count()
            visit.wait_for_timeout(500)
            assert computed(cache) == [], computed(cache)
            visit.close()
        finally:
            stop_server(process, cache)
    return Opened(wait, of_server, of_browser, figures)


def main() -> None:
    wanted = sys.argv[1:]  # pages by their addresses; all where none is named
    slow: dict[str, list[str]] = {"known": [], "new": []}
    print(f"{'':<45}{'':>8}{'known browser':>32}{'new browser':>32}")
    columns = f"{'least':>8}{'median':>8}{'server':>8}{'browser':>8}"
    print(f"{'link':<45}{'figures':>8}{columns * 2}   (s)")
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        port, window = free_port(), ViewportSize(width=1280, height=1000)
        known = browser.new_context(viewport=window)
        for page in PAGES[1:3]:  # what is not counted fills the caches of disk and browser
            measure(known, port, page.title, f"/{page.url}")
        bare = Path(folder, "bare.py")
        bare.write_text(BARE)
        asked: list[tuple[str, str, tuple[str, ...]]]
        asked = [(BARE_TITLE, "/", ("-m", "streamlit", "run", str(bare)))]
        for page, parameters in links():
            query = f"?{urlencode(parameters)}" if parameters else ""
            if not wanted or page.url in wanted:
                asked.append((page.title, f"/{page.url}{query}", LAB))
        for title, link, what in asked:
            told = ""
            found: dict[str, list[Opened]] = {"known": [], "new": []}
            for _ in range(REPEATS):  # in turn, so that a busy moment hits both
                new = browser.new_context(viewport=window)
                for kind, context in (("known", known), ("new", new)):
                    found[kind].append(measure(context, port, title, link, what))
                new.close()
            for kind, times in found.items():
                one = sorted(times, key=lambda t: t.wait)[REPEATS // 2]
                least = min(t.wait for t in times)
                told += f"{least:>8.2f}{one.wait:>8.2f}{one.server:>8.2f}{one.browser:>8.2f}"
                if one.wait > LIMIT:
                    slow[kind].append(link)
            name = link if what is LAB else "Streamlit and Plotly alone"
            print(f"{name:<45}{one.figures:>8}{told}", flush=True)
        browser.close()
    for kind, names in slow.items():
        print(f"slower than {LIMIT:g} s in a {kind} browser: {', '.join(names) or 'none'}")
    print("nothing was computed")


if __name__ == "__main__":
    main()
