"""Pointing at a sample shows its picture, asked for then and not before."""

import time

from playwright.sync_api import Locator, Page, expect

from engine.data.sources.bundled import digits
from pages.common.samples import Samples
from tests.support.browser import Visits
from tests.support.browser_pages import LOCATE, SLOW, open_page, ranking_chart


def point_at(page: Page, chart: Locator, rank: int) -> int:
    """Point at the sample of that rank until its card is there, and return its number: while the
    page below is still being drawn the chart may move away from under the mouse."""
    end = time.monotonic() + SLOW / 1000
    while True:
        place = chart.evaluate(LOCATE, rank)
        page.mouse.move(place["x"] - 40, place["y"] - 60)
        page.mouse.move(place["x"], place["y"])
        card = page.locator(f".ial-card[data-sample='{place['sample']}']:visible")
        try:
            expect(card).to_be_visible(timeout=5_000)
        except AssertionError:
            if time.monotonic() > end:
                raise
        else:
            return place["sample"]


def test_pointing_at_a_sample_shows_its_picture_and_leaving_hides_it(visits: Visits) -> None:
    samples = Samples(digits())
    visit = visits.open()
    page = visit.page
    open_page(page)
    chart = ranking_chart(page)
    chart.scroll_into_view_if_needed()
    page.wait_for_timeout(1500)
    shown = page.locator(".ial-card:visible")
    for rank in (3, 6, 3):
        sample = point_at(page, chart, rank)
        picture = samples.thumbnail(sample)
        assert picture is not None
        expect(shown).to_have_attribute("data-sample", str(sample))
        expect(shown.locator("img")).to_have_attribute("src", picture)
    # The card's answer ran a fragment of the page, not the page: nothing else has changed.
    page.mouse.move(5, 5)
    expect(shown).to_have_count(0)
    visit.check()
