"""A point is dragged through the plane: its values follow, and are the engine's."""

import re

import numpy as np
from playwright.sync_api import Locator, Page, expect

from engine.experiments import PlaygroundRequest, PlaygroundResult
from engine.results.store import Store
from engine.settings import PUBLISHED
from pages.common.widgets.plane import scores, start_of
from tests.support.browser import Visits
from tests.support.browser_pages import SLOW

MODELS = ("honest", "attacked")


def made(points: str = "clouds") -> PlaygroundResult:
    stored = Store(PUBLISHED, PUBLISHED).find_published("playground", PlaygroundRequest(points))
    assert stored is not None
    assert isinstance(stored.result, PlaygroundResult)
    return stored.result


TITLE = "What is a new sample worth?"


def plane(page: Page) -> Locator:
    """The plane, opened from the start page through the navigation."""
    page.get_by_test_id("stSidebarNav").get_by_text(TITLE).click()
    found = page.locator(".ial-plane")
    expect(found.locator(".value").first).to_have_text(re.compile(r"\d"), timeout=SLOW)
    return found


def place(found: Locator) -> tuple[float, float]:
    x, y = (found.get_attribute("data-place") or "").split()
    return float(x), float(y)


def check_values(found: Locator, result: PlaygroundResult) -> None:
    """The values and ranks on the screen are the engine's at the point where the handle is."""
    at, label = np.array([place(found)]), int(found.get_attribute("data-label") or 0)
    for side, which in enumerate(MODELS):
        expected = float(result.values(which, at)[0, label])
        said = found.locator(".value").nth(side).inner_text().replace("−", "-")
        assert abs(float(said) - expected) <= 6e-3 * abs(expected) + 6e-5  # three digits; the place
        rank = 1 + (scores(result, which) > expected + 1e-4 * abs(expected)).sum()
        text = found.locator(".rank").nth(side).inner_text()
        drawn = int(re.findall(r"\d+", text)[0])
        assert abs(drawn - rank) <= 1, (drawn, rank)  # the place is written to four digits
        verdict = "this sample harms" if said.startswith("+") else "this sample helps"
        expect(found.locator(".verdict").nth(side)).to_have_text(verdict)


def test_the_browsers_values_are_the_engines(visits: Visits) -> None:
    visit = visits.open()
    found = plane(visit.page)
    for points in ("clouds", "digits"):
        result = made(points)
        if points == "digits":
            visit.page.get_by_text("3s and 8s", exact=True).click()
            expect(found.get_by_role("button", name="■ 8")).to_be_visible(timeout=SLOW)
        rng = np.random.default_rng(0)
        places = rng.uniform(-result.half, result.half, (200, 2))
        drawn = found.evaluate(
            "(root, places) => [0, 1].map(s => places.map(p => [0, 1].map(c => "
            "root.value(s, p[0], p[1], c))))",
            places.tolist(),
        )
        for side, which in enumerate(MODELS):
            expected = result.values(which, places)
            np.testing.assert_allclose(drawn[side], expected, rtol=1e-10, atol=1e-13)
    visit.check()


def test_it_is_dragged_by_mouse_keys_and_touch(visits: Visits) -> None:
    visit, result = visits.open(), made()
    page = visit.page
    found = plane(page)
    start = place(found)
    opening = start_of(result)
    np.testing.assert_allclose(start, opening[:2], atol=1e-4)
    assert int(found.get_attribute("data-label") or 0) == opening[2]
    n = len(result.y) + 1  # with the new one
    for side, which in enumerate(MODELS):
        value = float(result.values(which, np.array([opening[:2]]))[0, int(opening[2])])
        rank = 1 + int((scores(result, which) > value).sum())
        end = {1: ", harms most", n: ", helps most"}.get(rank, "")
        expect(found.locator(".rank").nth(side)).to_have_text(f"rank {rank} of {n}{end}")
    hints = found.locator(".handle[data-drag='drag me']")
    expect(hints).to_have_count(2)

    handle = found.locator(".handle").first
    handle.scroll_into_view_if_needed()
    box = handle.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    values = []
    for step in range(1, 5):  # its value follows while it is dragged
        page.mouse.move(x + 15 * step, y + 10 * step)
        values.append(found.locator(".value").first.inner_text())
        check_values(found, result)
    page.mouse.up()
    assert len(set(values)) == 4
    expect(hints).to_have_count(0)  # whoever has dragged it knows
    assert place(found)[0] > start[0] and place(found)[1] < start[1]

    before = place(found)
    handle.focus()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Shift+ArrowUp")
    now = place(found)
    assert now[0] < before[0] and now[1] > before[1]
    label = found.get_attribute("data-label")
    page.keyboard.press("Enter")
    expect(found).not_to_have_attribute("data-label", label or "")
    check_values(found, result)
    expect(found.locator("[aria-live]")).to_contain_text("Honest model:", timeout=SLOW)
    expect(found.locator("canvas").first).to_have_attribute(
        "aria-label", re.compile("Heatmap .* from .* at .* to .* at")
    )
    found.get_by_role("button", name="Reset").click()
    np.testing.assert_allclose(place(found), start, atol=1e-4)

    handle.evaluate(  # a finger on the handle, which takes it for itself
        """(handle, at) => ['pointerdown', 'pointermove', 'pointerup'].forEach((type, i) => {
          handle.setPointerCapture = () => {};
          handle.dispatchEvent(new PointerEvent(type, {pointerType: 'touch', pointerId: 7,
            clientX: at.x + 20 * i, clientY: at.y, bubbles: true}));
        })""",
        {"x": x, "y": y},
    )
    assert place(found)[0] > start[0]
    assert handle.evaluate("h => getComputedStyle(h).touchAction") == "none"
    assert found.locator("canvas").first.evaluate("c => getComputedStyle(c).touchAction") == "pan-y"
    check_values(found, result)
    visit.check()
