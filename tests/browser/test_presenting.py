"""Presenting: text that the last row can read, pages by the arrow keys, notes, and the address."""

from urllib.parse import urlsplit

from playwright.sync_api import Page, expect

from pages.common.figures.presented import TEXT
from pages.common.lab.registry import PAGES, page
from tests.support.browser import Visits
from tests.support.browser_pages import SLOW

SIZES = """() => [...document.querySelectorAll('.js-plotly-plot text')]
  .filter(t => t.textContent.trim() && t.getBoundingClientRect().width)
  .map(t => [parseFloat(getComputedStyle(t).fontSize), t.textContent])"""


def title_of(opened: Page, title: str) -> None:
    expect(opened.get_by_role("heading", name=title, level=1)).to_be_visible(timeout=SLOW)


def test_an_audience_sees_large_figures_and_the_speaker_needs_no_mouse(visits: Visits) -> None:
    shown = page("cost")
    following = PAGES[PAGES.index(shown) + 1]
    visit = visits.open("/")
    opened = visit.page
    opened.set_viewport_size({"width": 1920, "height": 1080})
    opened.get_by_test_id("stSidebarNav").get_by_role("link", name=shown.title).click()
    title_of(opened, shown.title)
    opened.get_by_role("button", name="Present").click()
    expect(opened.get_by_role("button", name="End")).to_be_visible(timeout=SLOW)
    expect(opened.locator(".js-plotly-plot [class$='tick'] text").first).to_be_visible(timeout=SLOW)
    expect(opened.get_by_test_id("stSidebar")).to_be_hidden()
    small = [text for size, text in opened.evaluate(SIZES) if size < TEXT]
    assert small == []

    overlay = opened.locator(".ial-header .overlay")
    opened.keyboard.press("n")
    expect(overlay).to_contain_text(shown.question)
    expect(overlay).to_contain_text(shown.notes[0])
    opened.keyboard.press("s")
    address = overlay.locator("p").inner_text()
    assert urlsplit(address).path == "/cost" and "present" not in address
    assert overlay.locator("img").evaluate("i => i.complete && i.naturalWidth > 0")
    opened.keyboard.press("Escape")
    expect(overlay).to_be_hidden()

    opened.keyboard.press("ArrowRight")
    title_of(opened, following.title)
    expect(opened.get_by_test_id("stSidebar")).to_be_hidden()
    opened.keyboard.press("ArrowLeft")
    title_of(opened, shown.title)
    opened.keyboard.press("Escape")
    expect(opened.get_by_test_id("stSidebar")).to_be_visible(timeout=SLOW)
    expect(opened.get_by_role("button", name="Present")).to_be_visible()
    visit.check()
