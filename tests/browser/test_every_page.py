"""Every page in Chromium: accessible, light and dark; its first figure in view at once, and nothing
moves while it opens."""

from importlib.resources import files
from typing import Literal

import pytest
from playwright.sync_api import Page, expect

from pages.common.lab.registry import PAGES, PageEntry
from tests.support.browser import Visits
from tests.support.browser_pages import SLOW

pytestmark = pytest.mark.long

# What Streamlit's own parts violate, and no page of the lab can mend: the lists of its navigation
# hold sections between the list and its items, and it colours code.
OF_STREAMLIT = {"list": "stSidebarNavItems", "listitem": "stSidebarNav", "color-contrast": "stCode"}
AXE = """async () => (await axe.run(document, {resultTypes: ['violations']})).violations
  .filter(v => ['serious', 'critical'].includes(v.impact))
  .flatMap(v => v.nodes.map(n => [v.id, n.target.join(' '), n.html.slice(0, 200),
    document.querySelector(n.target[0])?.closest('[data-testid]')?.dataset.testid ?? '',
    n.any[0]?.message ?? '']))"""
FIGURE = """() => {
  const all = '.js-plotly-plot, [data-testid=stImage] img, [data-figure]';
  const figure = [...document.querySelectorAll(all)].find(f => f.clientHeight);
  return figure ? figure.getBoundingClientRect().top : null;
}"""
VISIBLE = 80  # px of the figure that the window must show
WINDOWS = {"laptop": (1280, 800), "phone": (400, 800)}
SHIFT = 0.05  # of the layout, all that moves without the reader's doing, added up
LISTEN = """window.shifts = [];
new PerformanceObserver(list => window.shifts.push(
  ...list.getEntries().filter(e => !e.hadRecentInput).map(e => e.value)
)).observe({type: 'layout-shift', buffered: true})"""
SHOWN = """() => document.querySelector('h1')
  && !document.documentElement.classList.contains('ial-opening')
  && !document.querySelector('[data-testid=stStatusWidget], [data-stale=true]')"""


def settle(opened: Page, entry: PageEntry) -> None:
    """Wait until a page is drawn."""
    expect(opened.get_by_role("heading", name=entry.title, level=1)).to_be_visible(timeout=SLOW)
    opened.wait_for_function(
        "() => !document.querySelector('[data-testid=stStatusWidget], [data-stale=true]')",
        timeout=SLOW,
    )


def violations(opened: Page) -> list[list[str]]:
    """The serious and critical violations of the lab's own."""
    found: list[list[str]] = opened.evaluate(AXE)
    return [one for one in found if OF_STREAMLIT.get(one[0], "-") not in one[3]]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_page_is_accessible_and_shows_its_figure_at_once(
    theme: Literal["light", "dark"], visits: Visits
) -> None:
    visit = visits.open("/")
    opened = visit.page
    opened.set_viewport_size({"width": 1280, "height": 800})
    opened.emulate_media(color_scheme=theme)
    opened.reload()  # a theme that changes on an open page reaches its parts one after the other
    opened.evaluate((files("axe_playwright_python") / "axe.min.js").read_text("utf-8"))
    wrong, below = {}, {}
    for entry in PAGES:
        opened.get_by_test_id("stSidebarNav").get_by_role("link", name=entry.title).click()
        settle(opened, entry)
        top = opened.evaluate(FIGURE)
        if top is not None and top > 800 - VISIBLE:
            below[entry.url] = top
        found = violations(opened)
        if found:
            wrong[entry.url] = found[:4]
    assert wrong == {}
    assert below == {}
    visit.check()


@pytest.mark.timeout(900)
@pytest.mark.parametrize("window", list(WINDOWS))
def test_nothing_moves_while_a_page_opens(window: str, visits: Visits) -> None:
    """Opened by its address, in a browser that has never been there."""
    width, height = WINDOWS[window]
    moved = {}
    for entry in PAGES:
        path = "/" if entry.default else f"/{entry.url}"
        visit = visits.open(path, (width, height), init=LISTEN)
        opened = visit.page
        opened.wait_for_function(SHOWN, timeout=SLOW)
        opened.wait_for_timeout(500)  # what comes late
        shift = sum(opened.evaluate("window.shifts"))
        if shift >= SHIFT:
            moved[entry.url] = round(shift, 3)
        visit.only_lost_connections()  # Streamlit first looks for its server below the page
        opened.context.close()
    assert moved == {}
