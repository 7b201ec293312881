"""Pointing at a sample shows its picture, asked for then and not before."""

from playwright.sync_api import expect

from engine.data.bundled import digits
from pages.common.thumbnails import Samples
from tests.browser.conftest import Visits
from tests.browser.test_move_one_sample import LOCATE, SLOW, open_page, ranking_chart


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
        place = chart.evaluate(LOCATE, rank)
        picture = samples.thumbnail(place["sample"])
        assert picture is not None
        page.mouse.move(place["x"] - 40, place["y"] - 60)
        page.mouse.move(place["x"], place["y"])
        expect(shown).to_have_attribute("data-sample", str(place["sample"]), timeout=SLOW)
        expect(shown.locator("img")).to_have_attribute("src", picture)
    # The card's answer ran a fragment of the page, not the page: nothing else has changed.
    page.mouse.move(5, 5)
    expect(shown).to_have_count(0)
    visit.check()
