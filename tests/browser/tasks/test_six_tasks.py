"""Six things that a newcomer wants to do, each in at most five actions from the first screen.

By mouse and by keyboard alone at 1280 × 800, and by touch at 400 px. An action is a click, a tap, a
key that activates something, a value set on a slider, or a file chosen; moving the focus with Tab
is none, but what is used must be reached with it. No fold is opened on the way.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import pytest
from playwright.sync_api import Locator, Page, expect

from tests.support.browser import Visit, Visits
from tests.support.browser_pages import SLOW

Kind = Literal["mouse", "keys", "touch"]
MOST = 5  # actions
TABS = 150  # presses of Tab after which something cannot be reached
HAS_FOCUS = "e => e === document.activeElement || e.contains(document.activeElement)"
pytestmark = pytest.mark.timeout(400)


@dataclass
class Hands:
    """A visitor's way of using a page, and how much was done."""

    page: Page
    kind: Kind
    actions: int = 0

    def use(self, found: Locator) -> None:
        """Activate a link or a button."""
        self.actions += 1
        expect(found).to_be_enabled(timeout=SLOW)
        if self.kind == "mouse":
            found.click()
        elif self.kind == "touch":
            found.tap()
        else:
            self.reach(found)
            self.page.keyboard.press("Enter")

    def to_the_end(self, slider: Locator) -> None:
        """Set a slider to its last value."""
        self.actions += 1
        expect(slider).to_be_visible(timeout=SLOW)
        if self.kind == "keys":
            self.reach(slider)
            self.page.keyboard.press("End")
            return
        slider.scroll_into_view_if_needed()
        box = slider.bounding_box()
        assert box is not None
        x, y = box["x"] + box["width"] - 2, box["y"] + box["height"] / 2
        if self.kind == "mouse":
            self.page.mouse.click(x, y)
        else:
            self.page.touchscreen.tap(x, y)

    def choose_file(self, button: Locator, path: Path) -> None:
        """Bring in a file."""
        expect(button).to_be_visible(timeout=SLOW)
        with self.page.expect_file_chooser() as chooser:
            self.use(button)
        chooser.value.set_files(path)

    def reach(self, found: Locator) -> None:
        """Move the focus with Tab until it is there."""
        for _ in range(TABS):
            if found.evaluate(HAS_FOCUS):
                return
            self.page.keyboard.press("Tab")
        raise AssertionError(f"not reached with {TABS} presses of Tab: {found}")


@pytest.fixture(params=["mouse", "keys", "touch"])
def hands(request: pytest.FixtureRequest, visits: Visits) -> Iterator[Hands]:
    """On the first screen; afterwards what was done is counted, and the page has no fault."""
    kind: Kind = request.param
    size = (400, 800) if kind == "touch" else (1280, 800)
    visit: Visit = visits.open("/", size, touch=kind == "touch")
    visit.page.set_default_timeout(SLOW)  # of a click, on a machine that others keep busy
    made = Hands(visit.page, kind)
    yield made
    print(f"{request.node.originalname} by {kind}: {made.actions} actions")
    assert 0 < made.actions <= MOST
    visit.check()


def named(page: Page, role: Literal["link", "button", "slider"], name: str) -> Locator:
    return page.get_by_test_id("stMain").get_by_role(role, name=re.compile(name))


def story(page: Page, step: int) -> Locator:
    found = page.locator(".ial-story")
    expect(found).to_have_attribute("data-step", str(step), timeout=SLOW)
    return found


def number(name: str) -> Callable[[Locator], Locator]:
    """One of the numbers above the story's figure, by its name."""
    return lambda found: found.locator(
        ".reads div", has=found.page.get_by_text(name, exact=True)
    ).locator("dd")


def rank_of(player: Locator) -> int:
    return int(player.locator(".target .value b").inner_text().replace(",", ""))


def watch_it_climb(hands: Hands) -> None:
    """Play a finished attack: the sample ends nearer to the top than it was."""
    player = hands.page.locator(".ial-replay")
    expect(player).to_be_visible(timeout=3 * SLOW)
    before = rank_of(player)
    hands.use(player.get_by_role("button", name="Play the attack"))
    expect(player.get_by_role("button", name="Play again")).to_be_visible(timeout=SLOW)
    assert rank_of(player) < before


def test_move_a_sample_and_see_it_climb(hands: Hands) -> None:
    hands.use(named(hands.page, "link", "Move a sample"))
    hands.use(named(hands.page, "button", "Another target at random"))
    hands.use(named(hands.page, "button", "Run the attack"))
    watch_it_climb(hands)


def test_say_what_it_cost(hands: Hands) -> None:
    hands.use(named(hands.page, "link", "See its cost"))
    found = story(hands.page, 3)
    before, after = (number(f"Accuracy {when}")(found) for when in ("before", "after"))
    assert before.inner_text().endswith("%")
    assert before.inner_text() != after.inner_text()
    hands.use(found.get_by_role("button", name="No, I would not"))
    expect(found.locator(".notice")).not_to_be_empty()


def test_find_an_impossible_sample(hands: Hands) -> None:
    hands.use(named(hands.page, "link", "Find the impossible"))
    found = story(hands.page, 6)
    hands.to_the_end(found.get_by_role("slider", name="Left–right weight"))
    hands.to_the_end(found.get_by_role("slider", name="Up–down weight"))
    expect(number("Models you tried")(found)).to_have_text(re.compile("^2 of"))
    assert int(number("Your best")(found).inner_text()) >= 2


def test_break_fairness(hands: Hands) -> None:
    hands.use(named(hands.page, "link", "Break fairness"))
    found = story(hands.page, 7)
    gap = number("Gap after the repair")(found)
    before = gap.inner_text()
    hands.to_the_end(found.get_by_role("slider", name="Factor on all weights"))
    expect(gap).not_to_have_text(before)
    expect(number("Predictions changed")(found)).to_have_text(re.compile("^0 of"))


def test_catch_the_attacker(hands: Hands) -> None:
    hands.use(named(hands.page, "link", "Catch the attacker"))
    found = story(hands.page, 8)
    hands.use(found.get_by_role("button", name="Make a Newton step"))
    expect(number("Targets among the first 10")(found)).to_have_text(re.compile("^0 of"))


def test_from_a_table_of_ones_own_to_a_finished_attack(hands: Hands, tmp_path: Path) -> None:
    """The column with the classes is called what nobody can know: it is guessed."""
    rng = np.random.default_rng(7)
    kind = rng.integers(0, 3, 240)
    table = pd.DataFrame({f"measure {i}": rng.normal(kind == i % 3, 1.0) for i in range(6)})
    table.insert(2, "sort of fruit", np.array(["apple", "pear", "plum"])[kind])
    path = tmp_path / f"fruit-{hands.kind}.csv"
    table.to_csv(path, index=False)
    hands.use(named(hands.page, "link", "Use my data"))
    hands.choose_file(named(hands.page, "button", "Upload|Browse"), path)
    hands.use(named(hands.page, "button", "Take in as"))
    hands.use(named(hands.page, "button", "Attack sample"))
    watch_it_climb(hands)
