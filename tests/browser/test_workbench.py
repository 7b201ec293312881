"""The workbench in Chromium: one choice links shelf, ranking, desk and price; a button attacks."""

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


MOST = 6  # controls in the first window
# What a visitor can use in the page's first window, but for the navigation, the header, and what
# opens or is opened. The pictures of the shelf are one choice, a menu and its arrow are another.
CONTROLS = """() => {
  const parts = document.querySelectorAll('[data-testid=stSidebarContent], [data-testid=stMain]');
  const left = ['.cells', '.ial-header', 'summary', 'details:not([open])', 'stSidebarNav',
    'stTooltipIcon', 'stSidebarHeader'].map(x => /^st/.test(x) ? `[data-testid=${x}]` : x);
  return [...parts]
    .flatMap(part => [...part.querySelectorAll('button, input, select, [role=combobox]')])
    .filter(one => one.checkVisibility() && one.getBoundingClientRect().top < innerHeight)
    .filter(one => !one.closest(left.join(', ')))
    .filter(one => !one.matches('[data-testid=stSelectbox] button'))
    .map(one => one.getAttribute('aria-label') || one.textContent);
}"""


def fact(bench: Locator, name: str) -> Locator:
    """What stands under a name in the numbers that are folded beneath the price."""
    return bench.locator("dt", has_text=name).locator("xpath=following-sibling::dd[1]")


def cost(bench: Locator, name: str) -> Locator:
    """One of the two figures of the price."""
    return bench.locator(".cost", has_text=name).locator("b")


def open_bench(page: Page) -> Locator:
    """The bench, opened through the navigation."""
    page.set_viewport_size({"width": 1280, "height": 800})
    page.get_by_test_id("stSidebarNav").get_by_role("link", name="The workbench").click()
    bench = page.locator(".ial-bench")
    expect(bench).to_be_visible(timeout=SLOW)
    return bench


@pytest.mark.timeout(600)
def test_the_first_window_has_few_controls_and_one_orange_button(visits: Visits) -> None:
    visit = visits.open()
    page = visit.page
    bench = open_bench(page)
    expect(bench.get_by_role("button", name="Play it from the start")).to_be_visible(timeout=SLOW)
    assert bench.locator(".act button:visible").count() == 1
    # what stands below the figure is higher up until the figure has its size
    page.wait_for_function(f"most => ({CONTROLS})().length <= most", arg=MOST, timeout=SLOW)
    shown = page.evaluate(CONTROLS)
    assert 0 < len(shown) <= MOST, shown
    visit.check()


@pytest.mark.timeout(600)
def test_one_choice_links_shelf_ranking_desk_and_price(visits: Visits) -> None:
    stored = Store(PUBLISHED, PUBLISHED).find_published("attack", EXAMPLE)
    assert stored is not None
    result, target = stored.result, EXAMPLE.targets[0]
    visit = visits.open()
    page = visit.page
    bench = open_bench(page)
    desk, cells = bench.locator(".desk"), bench.locator(".cells button")
    player = bench.locator(".ial-replay")
    before, after = result.before.ranks, result.after.ranks
    # It opens with what the attack came to.
    expect(desk.locator("b")).to_have_text(f"Sample {target}", timeout=SLOW)
    expect(desk).to_contain_text(
        f"It was at rank {before[target]:,} of 1,200; now it is at rank {result.rank_test}."
    )
    expect(cost(bench, "Accuracy")).to_have_text(f"{100 * result.accuracy_after:.1f}%")
    expect(cost(bench, "Model")).to_have_text(f"{result.distance:.0%}")
    expect(fact(bench, "Top ten that stay")).to_have_text(f"{round(10 * result.kept(10))} of 10")
    expect(cells).to_have_count(40)
    expect(cells.first).to_have_class("target")
    expect(bench.locator(".found")).to_have_text("The ranking at this step")

    slider = bench.get_by_role("slider")
    slider.press("Home")
    expect(desk).to_contain_text(f"now it is at rank {before[target]:,}.")
    expect(cost(bench, "Accuracy")).to_have_text(f"{100 * result.accuracy_before:.1f}%")
    expect(bench.locator(".sides")).to_contain_text("not begun")
    bench.get_by_role("button", name="Play it from the start").click()
    expect(player).to_have_attribute("data-playing", "true")
    expect(player).to_have_attribute("data-playing", "false", timeout=PLAYS_MS + SLOW)
    expect(desk).to_contain_text(f"now it is at rank {result.rank_test}.")
    expect(cells.first).to_have_class("target", timeout=SLOW)  # the shelf follows the rank now

    bench.get_by_role("searchbox", name="Search by sample number").fill("600")
    expect(cells).to_have_count(1)
    cells.first.focus()
    page.keyboard.press("Enter")
    expect(desk.locator("b")).to_have_text("Sample 600")
    expect(cells.first).to_have_attribute("aria-pressed", "true")
    expect(desk).to_contain_text(f"It was at rank {before[600]:,} of 1,200; now it is at")
    expect(desk).to_contain_text(f"rank {after[600]:,}.")
    expect(bench.get_by_role("button", name="Move sample 600 to the top")).to_be_visible()

    bench.get_by_role("searchbox", name="Search by sample number").fill("")
    bench.locator("summary", has_text="Filter").click()
    bench.get_by_role("combobox", name="Rank now").select_option("first")
    expect(cells).to_have_count(10)
    # A click on the second picture of either side chooses the sample that stands there.
    wall = bench.locator("canvas.wall")
    box = wall.bounding_box()
    assert box is not None
    for side, ranking in ((0.25, result.before), (0.75, result.after)):
        second = int(ranking.top(2)[1])
        wall.click(position={"x": side * box["width"], "y": 1.6 * 27})
        expect(desk.locator("b")).to_have_text(f"Sample {second}")
    visit.check()


@pytest.mark.timeout(600)
def test_a_button_attacks_the_chosen_sample(visits: Visits) -> None:
    visit = visits.open()
    page = visit.page
    bench = open_bench(page)
    bench.locator("summary", has_text="Filter").click()
    bench.get_by_role("combobox", name="Rank now").select_option("first")
    slider = bench.get_by_role("slider")
    slider.press("Home")  # else the attacked sample comes first
    bench.locator(".cells button").first.click()
    ask = bench.locator("button.ask")
    expect(ask).to_be_disabled()
    expect(bench.locator(".why")).to_contain_text("among the 1 first already")
    bench.get_by_role("combobox", name="Rank now").select_option("")
    bench.get_by_role("searchbox", name="Search by sample number").fill("311")
    bench.locator(".cells button").first.click()
    expect(ask).to_be_enabled()
    expect(ask).to_have_text("Move sample 311 to the top")
    expect(bench.locator(".why")).to_contain_text("It takes ")
    ask.click()
    expect(page).to_have_url(re.compile("target=311"), timeout=SLOW)
    said = re.compile("[Ss]ample 311 (climbs|went|stayed)")
    expect(page.get_by_text(said)).to_be_visible(timeout=3 * SLOW)
    expect(bench.locator(".desk b")).to_have_text("Sample 311", timeout=SLOW)
    # Who asked for the attack sees it.
    player = bench.locator(".ial-replay")
    expect(player).to_have_attribute("data-playing", "true", timeout=SLOW)
    expect(player).to_have_attribute("data-playing", "false", timeout=PLAYS_MS + SLOW)
    expect(bench.get_by_role("button", name="Play it from the start")).to_be_visible()
    visit.check()
