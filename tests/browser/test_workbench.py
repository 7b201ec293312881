"""The workbench in Chromium: one choice links shelf, player and desk; a button attacks."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from engine.results.store import Store
from engine.settings import PUBLISHED
from pages.common.asking.links import EXAMPLE
from pages.common.widgets.replay import PLAYS_MS
from tests.support.browser import Visits
from tests.support.browser_pages import SLOW

pytestmark = pytest.mark.long


def fact(desk: Locator, name: str) -> Locator:
    """What the desk says under a name."""
    return desk.locator("dt", has_text=name).locator("xpath=following-sibling::dd[1]")


def open_bench(page: Page) -> Locator:
    """The bench, opened through the navigation."""
    page.set_viewport_size({"width": 1280, "height": 800})
    page.get_by_test_id("stSidebarNav").get_by_role("link", name="The workbench").click()
    bench = page.locator(".ial-bench")
    expect(bench).to_be_visible(timeout=SLOW)
    return bench


@pytest.mark.timeout(600)
def test_one_choice_links_shelf_player_and_desk(visits: Visits) -> None:
    stored = Store(PUBLISHED, PUBLISHED).find_published("attack", EXAMPLE)
    assert stored is not None
    result, target = stored.result, EXAMPLE.targets[0]
    visit = visits.open()
    page = visit.page
    bench = open_bench(page)
    desk, cells = bench.locator(".desk"), bench.locator(".cells button")
    expect(desk.locator("b")).to_have_text(re.compile(f"sample {target},"), timeout=SLOW)
    expect(fact(desk, "Honest rank")).to_have_text(f"{int(result.before.ranks[target]):,}")
    expect(cells).to_have_count(40)
    expect(bench.locator(".found")).to_have_text("1,200 of 1,200 samples, by rank now")

    bench.get_by_role("button", name="Play the attack").click(timeout=SLOW)
    expect(fact(desk, "Rank now")).to_have_text(f"{result.rank_test}", timeout=PLAYS_MS + SLOW)
    expect(fact(desk, "Top ten that stay")).to_have_text(f"{round(10 * result.kept(10))} of 10")
    expect(cells.first).to_have_class("target", timeout=SLOW)  # the shelf follows the rank now

    bench.get_by_role("searchbox", name="Number").fill("600")
    expect(cells).to_have_count(1)
    cells.first.focus()
    page.keyboard.press("Enter")
    expect(desk.locator("b")).to_have_text(re.compile("sample 600,"))
    expect(cells.first).to_have_attribute("aria-pressed", "true")
    expect(fact(desk, "Honest rank")).to_have_text(f"{int(result.before.ranks[600]):,}")
    expect(fact(desk, "Rank now")).to_have_text(f"{int(result.after.ranks[600]):,}")

    bench.get_by_role("searchbox", name="Number").fill("")
    bench.get_by_role("combobox", name="Rank now").select_option("first")
    expect(cells).to_have_count(10)
    second = int(result.after.top(2)[1])
    wall = bench.locator("canvas.wall")
    box = wall.bounding_box()
    assert box is not None
    large = min(box["width"] / 10, 58)
    wall.click(position={"x": 1.5 * large, "y": large / 2})
    expect(desk.locator("b")).to_have_text(re.compile(f"sample {second},"))
    visit.check()


@pytest.mark.timeout(600)
def test_a_button_attacks_the_chosen_sample(visits: Visits) -> None:
    visit = visits.open()
    page = visit.page
    bench = open_bench(page)
    bench.get_by_role("combobox", name="Rank now").select_option("first")
    bench.locator(".cells button").first.click()
    ask = bench.get_by_role("button", name="Move it to the top")
    expect(ask).to_be_disabled()
    expect(bench.locator(".why")).to_contain_text("among the 1 first already")
    bench.get_by_role("combobox", name="Rank now").select_option("")
    bench.get_by_role("searchbox", name="Number").fill("311")
    bench.locator(".cells button").first.click()
    expect(ask).to_be_enabled()
    ask.click()
    expect(page).to_have_url(re.compile("target=311"), timeout=SLOW)
    expect(page.get_by_text(re.compile("sample 311 (went|stayed)"))).to_be_visible(timeout=3 * SLOW)
    expect(bench.locator(".desk b")).to_have_text(re.compile("sample 311,"), timeout=SLOW)
    expect(bench.locator(".why")).to_have_text("This attack is shown here.")
    expect(bench.get_by_role("button", name=re.compile("Play"))).to_be_visible()
    visit.check()
