"""Back and Forward show views as they were left: their controls, and their figures."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.support.browser import Visits
from tests.support.browser_pages import SLOW

pytestmark = pytest.mark.long

MOVE, COST = "Move one sample to the top", "What does it cost?"


def settled(opened: Page, title: str) -> None:
    expect(opened.get_by_role("heading", name=title, level=1)).to_be_visible(timeout=SLOW)
    opened.wait_for_function(
        "() => !document.querySelector('[data-testid=stStatusWidget], [data-stale=true]')",
        timeout=SLOW,
    )


def go_to(opened: Page, title: str) -> None:
    opened.get_by_test_id("stSidebarNav").get_by_role("link", name=title).click()
    settled(opened, title)


def shows_target(opened: Page, target: int, rank: str) -> None:
    """The field has the target, and the answer or the figure's heading says its rank."""
    settled(opened, MOVE)
    expect(opened.get_by_label("Sample to move", exact=True).first).to_have_value(
        str(target), timeout=SLOW
    )
    said = opened.get_by_test_id("stMain").get_by_text(re.compile(rank))
    expect(said.first).to_be_visible(timeout=SLOW)


def shows_radius(opened: Page, radius: str) -> None:
    settled(opened, COST)
    slider = opened.get_by_role("slider", name="Accuracy we may lose")
    expect(slider).to_have_attribute("aria-valuetext", radius, timeout=SLOW)


@pytest.mark.timeout(600)
def test_back_and_forward_show_views_as_they_were_left(visits: Visits) -> None:
    visit = visits.open("/move-one-sample")
    opened = visit.page
    shows_target(opened, 16, r"sample 16 went from rank 1,126")
    field = opened.get_by_label("Sample to move", exact=True).first
    field.fill("600")
    field.press("Enter")
    shows_target(opened, 600, r"sample 600 is at rank 92")
    go_to(opened, COST)
    address = opened.url
    go_to(opened, "Is it a minimum?")
    opened.go_back()
    settled(opened, COST)
    assert opened.url == address
    opened.go_back()
    shows_target(opened, 600, r"sample 600 is at rank 92")
    assert opened.url.endswith("?target=600")
    opened.go_forward()
    settled(opened, COST)
    opened.go_back()
    shows_target(opened, 600, r"sample 600 is at rank 92")
    visit.only_lost_connections()
