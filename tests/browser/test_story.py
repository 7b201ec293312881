"""The story in Chromium: every step by mouse, by keys, on a phone, and with less motion."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.support.browser import Visits
from tests.support.browser_pages import SLOW

NAMES = ("A score", "The attack", "The price", "The money", "Other test data")
ALONE = (1280, 800)


def opened(page: Page) -> Locator:
    """The story's figure, once it is drawn."""
    found = page.locator(".ial-story")
    expect(found).to_have_attribute("data-step", re.compile("[1-8]"), timeout=SLOW)
    return found


def read(found: Locator, name: str) -> Locator:
    """What one of the numbers above the figure says."""
    return found.locator(".reads div", has=found.page.get_by_text(name, exact=True)).locator("dd")


def test_from_the_first_screen_through_all_steps_by_mouse(visits: Visits) -> None:
    visit = visits.open("/", ALONE)
    page = visit.page
    page.get_by_test_id("stMain").get_by_role("link", name="The story").click()
    found = opened(page)
    for place, name in enumerate(NAMES, 1):
        expect(found.locator("[aria-current=step]")).to_contain_text(name)
        expect(found).to_have_attribute("data-step", str(place))
        button = found.get_by_role("button", name="Next")
        box = button.bounding_box()
        assert box is not None and box["y"] + box["height"] <= ALONE[1]  # nobody has to scroll
        button.click()
    notice = found.locator(".notice")
    expect(notice).to_be_empty()
    stage = found.locator("canvas")
    area = stage.bounding_box()
    assert area is not None
    for x, y in ((30, 40), (120, 200)):
        page.mouse.click(area["x"] + x, area["y"] + y)
    expect(read(found, "Models you tried")).to_have_text(re.compile("^2 of"))
    assert int(read(found, "Your best").inner_text()) >= 2
    expect(notice).to_contain_text("Notice that the copy always stands before it")
    found.get_by_role("button", name="Step 3").click()
    found.get_by_role("button", name="No, I would not").click()
    expect(notice).to_contain_text("the buyer sees one ranking only")
    found.get_by_role("button", name="Step 4").click()
    before = read(found, "Vendor A earns").inner_text()
    found.get_by_role("button", name="Colludes with A").click()
    expect(read(found, "Vendor A earns")).not_to_have_text(before)
    expect(notice).to_contain_text(f"earns {before} by the honest model")
    expect(page).to_have_url(re.compile("step=4"), timeout=SLOW)
    found.get_by_role("button", name="More about this step").click()
    expect(page.get_by_role("heading", name="Who gets the money?")).to_be_visible(timeout=SLOW)
    visit.only_lost_connections()


def test_by_keyboard_alone_and_read_aloud(visits: Visits) -> None:
    visit = visits.open("/story?step=1", ALONE)
    page = visit.page
    found = opened(page)
    stage = found.locator("canvas")
    said = found.locator("[aria-live]")
    first = stage.get_attribute("aria-label")
    slider = found.get_by_role("slider", name="Digit at rank")
    slider.focus()
    slider.press("End")
    expect(slider).to_have_attribute("aria-valuetext", "rank 1200")
    expect(said).to_contain_text("Taken away: rank 1,200")
    assert stage.get_attribute("aria-label") != first
    slider.press("Home")
    slider.evaluate("range => range.blur()")
    page.keyboard.press("ArrowRight")
    expect(found).to_have_attribute("data-step", "2")
    play = found.get_by_role("button", name="Play the attack")
    play.focus()
    page.keyboard.press("Enter")
    expect(found.get_by_role("button", name="Play again")).to_be_visible(timeout=SLOW)
    expect(read(found, "Rank of your digit")).to_have_text("1 of 1,200")
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    expect(found).to_have_attribute("data-step", "7")
    factor = found.get_by_role("slider", name="Factor on all weights")
    factor.focus()
    factor.press("End")
    expect(read(found, "Factor")).to_have_text("0.001")
    expect(read(found, "Predictions changed")).to_have_text("0 of 15,060")
    found.get_by_role("button", name="Next").focus()
    page.keyboard.press("Enter")
    found.get_by_role("button", name="Make a Newton step").focus()
    page.keyboard.press("Enter")
    expect(said).to_contain_text("After 1 step")
    page.keyboard.press("ArrowLeft")
    expect(found).to_have_attribute("data-step", "7")
    visit.only_lost_connections()


def test_on_a_phone_with_less_motion(visits: Visits) -> None:
    visit = visits.open("/story?step=2", (400, 800), touch=True)
    page = visit.page
    page.emulate_media(reduced_motion="reduce")
    found = opened(page)
    found.evaluate("root => { root.drawn = 0; }")
    found.get_by_role("button", name="Play the attack").tap()
    expect(found.get_by_role("button", name="Play again")).to_be_visible(timeout=SLOW)
    steps = int(found.get_by_role("slider").get_attribute("max") or 0)
    assert found.evaluate("root => root.drawn") <= steps + 1  # a picture a step: nothing slides
    for place in range(1, 9):
        found.get_by_role("button", name=f"Step {place}").tap()
        expect(found).to_have_attribute("data-step", str(place))
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= 400
    visit.only_lost_connections()


@pytest.mark.parametrize("size", [ALONE, (400, 800)])
def test_its_room_is_kept_before_it_is_drawn(size: tuple[int, int], visits: Visits) -> None:
    """On a busy machine the figure comes after its page: what stands below does not move then."""
    visit = visits.open("/story", size)
    kept, taken = opened(visit.page).evaluate(
        "root => [getComputedStyle(root.closest('.st-key-the-story')).minHeight, "
        "root.offsetHeight + 'px'].map(parseFloat)"
    )
    assert kept == pytest.approx(taken, abs=4)  # px
    visit.only_lost_connections()
