"""Every link that the lab itself offers (each page, each preset), opened in a new browser as the
first thing that a freshly started server with an empty cache is asked for: until the whole page is
drawn, all figures included. Beside it, in another new browser, a bare Streamlit page with as many
charts of as many points, set up in the same way: both have Streamlit's and Plotly's script to load
and to translate first.

Of the repeats the median wait of each, and the processor time that server and browser took for the
lab's and, for both pages, the processor time of server and browser together: on a busy machine the
wait says little. `--opened`: the server opens every page itself before it takes visitors, as it
does in a class. Needs Chromium at /usr/bin/chromium.
"""

import argparse
import statistics
import time
from dataclasses import dataclass
from urllib.parse import urlencode

import psutil
from playwright.sync_api import Browser, ViewportSize, sync_playwright

from pages.common.lab.registry import links
from tests.benchmarks.visitors import BARE, Server, serving
from tests.support.browser import CHROMIUM, FLAGS, LAB

TIMES, REPEATS = 1.3, 3  # the bare page's wait, of issue 16
BARE_TITLE = "Bare"
WINDOW = ViewportSize(width=1280, height=1000)
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


# How many points each chart draws, all its traces together.
POINTS = """() => [...document.querySelectorAll('.js-plotly-plot')].map(chart =>
  chart._fullData.reduce((sum, trace) => sum + Math.max(0,
    ...['x', 'y', 'z'].map(name => trace[name]?.length ?? 0)), 0))"""


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


@dataclass(frozen=True)
class Opened:
    """Seconds until a page was drawn, the processor's of server and browser meanwhile, and the
    points of each figure."""

    wait: float
    server: float
    browser: float
    points: list[int]

    @property
    def processor(self) -> float:
        """Return the processor seconds of both."""
        return self.server + self.browser


def opened(browser: Browser, server: Server, title: str, link: str) -> Opened:
    """Open a link in a browser that has never been there."""
    context = browser.new_context(viewport=WINDOW)
    all_of_it, visit = psutil.Process(), context.new_page()
    before = server.processor(), processor_seconds(all_of_it)
    began = time.perf_counter()
    visit.goto(f"{server.address}{link}", timeout=PATIENCE)
    visit.wait_for_function(DRAWN, arg=title, polling="raf", timeout=PATIENCE)
    wait = time.perf_counter() - began
    of_server = server.processor() - before[0]
    of_browser = processor_seconds(all_of_it) - before[1] - of_server
    exceptions = visit.get_by_test_id("stException").all_inner_texts()
    assert not exceptions, f"{link}: {exceptions}"
    points = visit.evaluate(POINTS)
    context.close()
    return Opened(wait, of_server, of_browser, points)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--page", nargs="*", default=[], help="only these pages' addresses")
    parser.add_argument("--repeats", type=int, default=REPEATS, help="openings of each link")
    parser.add_argument("--opened", action="store_true", help="the server has opened every page")
    asked = parser.parse_args()
    first = {"IAL_OPEN_FIRST": "yes" if asked.opened else "no"}
    slow = []
    print(
        f"{'link':<60}{'figures':>8}{'lab':>8}{'bare':>8}{'times':>8}{'server':>8}{'browser':>8}"
        f"{'both':>8}{'bare':>8}{'times':>8}"
    )
    with sync_playwright() as playwright, serving(BARE) as bare:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        opened(browser, bare, BARE_TITLE, "/")  # not counted: it fills the disk's caches
        for page, parameters in links():
            if asked.page and page.url not in asked.page:
                continue
            query = urlencode(parameters)
            link = f"/{page.url}{'?' if query else ''}{query}"
            labs, bares = [], []
            for _ in range(asked.repeats):  # in turn, so that a busy moment hits both
                with serving(LAB, first) as lab:
                    labs.append(opened(browser, lab, page.title, link))
                many = urlencode({"points": labs[-1].points or [0]}, doseq=True)
                bares.append(opened(browser, bare, BARE_TITLE, f"/?{many}"))
            one = sorted(labs, key=lambda lab: lab.wait)[asked.repeats // 2]
            least = statistics.median(bare.wait for bare in bares)
            computed = statistics.median(lab.processor for lab in labs)
            leastly = statistics.median(bare.processor for bare in bares)
            if one.wait > TIMES * least:
                slow.append(link)
            print(
                f"{link:<60}{len(one.points):>8}{one.wait:>8.2f}{least:>8.2f}"
                f"{one.wait / least:>8.2f}{one.server:>8.2f}{one.browser:>8.2f}"
                f"{computed:>8.2f}{leastly:>8.2f}{computed / leastly:>8.2f}",
                flush=True,
            )
        browser.close()
    print(f"more than {TIMES:g} times the bare page: {', '.join(slow) or 'none'}")


if __name__ == "__main__":
    main()
