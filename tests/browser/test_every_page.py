"""Every page in Chromium: accessible, light and dark; understood at first sight: a few words, then
the first figure, in view at once on a laptop and on a phone, its text and tables legible; and
nothing moves while it opens."""

from contextlib import suppress
from importlib.resources import files

import pytest
from playwright.sync_api import Page, TimeoutError, expect

from pages.common.lab.registry import PAGES, PageEntry
from tests.support.browser import Visits
from tests.support.browser_pages import SLOW
from tests.support.legible import illegible

pytestmark = pytest.mark.long

# What Streamlit's own parts violate, and no page of the lab can mend: the lists of its navigation
# hold sections between the list and its items, and it colours code.
OF_STREAMLIT = {"list": "stSidebarNavItems", "listitem": "stSidebarNav", "color-contrast": "stCode"}
AXE_SOURCE = (files("axe_playwright_python") / "axe.min.js").read_text("utf-8")
AXE = """async () => (await axe.run(document, {resultTypes: ['violations']})).violations
  .filter(v => ['serious', 'critical'].includes(v.impact))
  .flatMap(v => v.nodes.map(n => [v.id, n.target.join(' '), n.html.slice(0, 200),
    document.querySelector(n.target[0])?.closest('[data-testid]')?.dataset.testid ?? '',
    n.any[0]?.message ?? '']))"""
# The first figure that is drawn, and each block of text that a reader meets before it: a paragraph,
# heading, item or label. Its words are those on the screen: not what is folded away, hidden, or
# said to a screen reader alone. A page without a figure has its whole first window read.
FIRST_SIGHT = """() => {
  const drawn = '.js-plotly-plot, [data-testid=stImage] img, [data-figure]';
  const main = document.querySelector('[data-testid=stMain]');
  const figure = [...main.querySelectorAll(drawn)].find(f => f.clientHeight) ?? null;
  const top = figure && figure.getBoundingClientRect().top;
  const flows = element => /^(inline|contents)/.test(getComputedStyle(element).display);
  const blocks = new Map();
  const walker = document.createTreeWalker(main, NodeFilter.SHOW_TEXT);
  for (let text = walker.nextNode(); text; text = walker.nextNode()) {
    const holder = text.parentElement;
    if (figure?.contains(holder) || holder.closest('style, script, .js-plotly-plot')) continue;
    if (!holder.checkVisibility({opacityProperty: true, visibilityProperty: true})) continue;
    const range = document.createRange();
    range.selectNodeContents(text);
    const box = range.getBoundingClientRect();
    const around = holder.getBoundingClientRect();
    if (box.width <= 1 || box.height <= 1 || around.width <= 1 || around.height <= 1) continue;
    if (box.top >= (top ?? innerHeight)) continue;
    let block = holder;
    while (block !== main && flows(block)) block = block.parentElement;
    blocks.set(block, (blocks.get(block) ?? '') + text.data);
  }
  return {top, texts: [...blocks.values()].map(text => text.trim()).filter(Boolean)};
}"""
LATE = 60_000  # ms for the first figure; a page without one waits a tenth
WORDS = 40  # of the largest block of text above the first figure
# Pages whose work is a list, a form or a game, not a figure.
NO_FIGURE = {"results", "data", "join", "lesson"}
POLL = 200  # ms between two looks: to look at every frame takes what the page draws with
LOOKS = 3  # of axe at a page on which it finds something
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
        polling=POLL,
        timeout=SLOW,
    )


def violations(opened: Page) -> list[list[str]]:
    """The serious and critical violations of the lab's own that stay: what is still fading in on a
    busy machine has no contrast yet, and is looked at again."""
    own: list[list[str]] = []
    for _ in range(LOOKS):
        found: list[list[str]] = opened.evaluate(AXE)
        own = [one for one in found if OF_STREAMLIT.get(one[0], "-") not in one[3]]
        if not own:
            break
        opened.wait_for_timeout(1000)
    return own


def check_first_sight(opened: Page, entry: PageEntry, height: int) -> None:
    """A few words, then a figure that the window shows."""
    with suppress(TimeoutError):  # what the browser draws comes late on a busy machine
        opened.wait_for_function(
            f"lowest => (({FIRST_SIGHT})().top ?? Infinity) <= lowest",
            arg=height - VISIBLE,
            polling=POLL,
            timeout=LATE if entry.url not in NO_FIGURE else LATE / 10,
        )
    seen = opened.evaluate(FIRST_SIGHT)
    wrong = [text for text in seen["texts"] if len(text.split()) > WORDS]
    if entry.url in NO_FIGURE:
        assert seen["top"] is None
    elif seen["top"] is None:
        wrong.append("there is no figure")
    elif seen["top"] > height - VISIBLE:
        wrong.append(f"the first figure begins at {seen['top']:.0f} px")
    assert wrong + illegible(opened) == []


@pytest.mark.parametrize("window", list(WINDOWS))
@pytest.mark.parametrize("entry", PAGES, ids=lambda entry: entry.url)
def test_a_page_opens_still_and_is_understood_at_first_sight(
    entry: PageEntry, window: str, visits: Visits
) -> None:
    """Opened by its address, in a browser that has never been there; accessible, too, in a light
    window of a laptop."""
    width, height = WINDOWS[window]
    path = "/" if entry.default else f"/{entry.url}"
    visit = visits.open(path, (width, height), init=LISTEN)
    opened = visit.page
    opened.wait_for_function(SHOWN, polling=POLL, timeout=SLOW)
    opened.wait_for_timeout(500)  # what comes late
    assert sum(opened.evaluate("window.shifts")) < SHIFT
    check_first_sight(opened, entry, height)
    if window == "laptop":
        opened.evaluate(AXE_SOURCE)
        settle(opened, entry)
        assert violations(opened)[:4] == []
    visit.only_lost_connections()  # Streamlit first looks for its server below the page


@pytest.mark.timeout(600)
def test_every_page_is_accessible_in_the_dark(visits: Visits) -> None:
    """From page to page by the navigation."""
    visit = visits.open("/")
    opened = visit.page
    opened.set_viewport_size({"width": 1280, "height": 800})
    opened.emulate_media(color_scheme="dark")
    opened.reload()  # a theme that changes on an open page reaches its parts one after the other
    opened.evaluate(AXE_SOURCE)
    wrong = {}
    for entry in PAGES:
        opened.get_by_test_id("stSidebarNav").get_by_role("link", name=entry.title).click()
        settle(opened, entry)
        found = violations(opened)
        if found:
            wrong[entry.url] = found[:4]
    assert wrong == {}
    visit.check()
