"""The replay plays, scrubs and steps in the browser, and ends in the result's rank."""

import re

from playwright.sync_api import Locator, expect

from engine.results.store import Store
from engine.settings import PUBLISHED
from pages.common.asking.links import EXAMPLE
from pages.common.widgets.replay import PLAYS_MS
from tests.support.browser import Visits
from tests.support.browser_pages import SLOW, open_page


def ranks() -> tuple[int, int]:
    """The example target's rank under the honest and the returned model."""
    stored = Store(PUBLISHED, PUBLISHED).find_published("attack", EXAMPLE)
    assert stored is not None
    target = EXAMPLE.targets[0]
    return int(stored.result.before.ranks[target]), int(stored.result.rank_test)


def play(found: Locator) -> None:
    found.get_by_role("button", name=re.compile("Play")).click(timeout=SLOW)
    expect(found).to_have_attribute("data-playing", "true")
    expect(found.get_by_role("button", name="Play again")).to_be_visible(timeout=PLAYS_MS + SLOW)


def test_it_plays_scrubs_and_steps_to_the_rank_of_the_result(visits: Visits) -> None:
    visit, (honest, malicious) = visits.open(), ranks()
    open_page(visit.page)
    found = visit.page.locator(".ial-replay")
    rank = found.locator(".target .value b")
    expect(rank).to_have_text(f"{honest:,}", timeout=SLOW)
    play(found)
    expect(rank).to_have_text(f"{malicious:,}")
    expect(found.locator("[aria-live]")).to_contain_text(f"at rank {malicious:,} of 1,200")
    frames = found.evaluate("root => root.drawn")
    print(f"{frames} frames drawn in {PLAYS_MS / 1000:g} s")
    last = int(found.get_by_role("slider").get_attribute("max") or 0)
    assert frames > last  # more than there are steps: it slides

    slider = found.get_by_role("slider")
    slider.focus()
    slider.press("Home")
    expect(rank).to_have_text(f"{honest:,}")
    slider.press("End")
    expect(rank).to_have_text(f"{malicious:,}")
    expect(slider).to_have_attribute("aria-valuetext", re.compile(f"at rank {malicious:,} of"))
    slider.press("Home")
    expect(found).to_have_attribute("data-frame", "0")
    step = found.get_by_role("button", name="Step")
    step.focus()
    for key, frame in (("Enter", 1), ("ArrowRight", 2), ("ArrowLeft", 1)):
        step.press(key)
        expect(found).to_have_attribute("data-frame", str(frame))
    curve = found.locator("canvas.curve")
    curve.scroll_into_view_if_needed()
    box = curve.bounding_box()
    assert box is not None
    visit.page.mouse.click(box["x"] + box["width"] - 9, box["y"] + 20)
    expect(found).to_have_attribute("data-frame", str(last))

    visit.page.emulate_media(reduced_motion="reduce")
    found.evaluate("root => { root.drawn = 0; }")
    play(found)
    assert not found.evaluate("root => root.drawn")  # nothing slid
    expect(rank).to_have_text(f"{malicious:,}")
    visit.check()


def test_the_first_screen_asks_once_the_attack_was_seen(visits: Visits) -> None:
    """By keyboard alone, from the address to the answer."""
    visit = visits.open()
    page = visit.page
    begin = page.get_by_role("button", name="Be the attacker")
    expect(begin).to_be_visible(timeout=SLOW)
    question = page.get_by_text("Would you have noticed?")
    assert question.count() == 0
    begin.focus()
    page.keyboard.press("Enter")
    expect(question).to_be_visible(timeout=PLAYS_MS + SLOW)
    found = page.locator(".ial-replay")
    expect(found.locator(".target .value b")).to_have_text(f"{ranks()[1]:,}")
    page.get_by_role("button", name="No, I would not").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("no honest one to compare it with")).to_be_visible(timeout=SLOW)
    expect(found).to_have_attribute("data-frame", re.compile("[1-9]"))  # it stays where it was
    visit.check()
