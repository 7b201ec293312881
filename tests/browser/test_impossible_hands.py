"""The impossible sample in Chromium: what the browser computes is what the engine computes."""

from dataclasses import replace

import numpy as np
import pytest
from playwright.sync_api import Locator, Page, expect

from engine.scrutiny.impossibility import (
    ExactScores,
    ImpossibleInstance,
    impossible_instance,
    impossible_scores,
)
from pages.attack.parts.impossible_hands import DAMPINGS, WEIGHT_HIGH
from tests.support.browser import Visits
from tests.support.browser_pages import SLOW

pytestmark = pytest.mark.long

SET = """(root, [model, damping]) => {
  root.querySelectorAll('input[type=range]').forEach((range, i) => {
    range.value = model[i];
    range.dispatchEvent(new Event('input'));
  });
  const choice = root.querySelector('select');
  choice.value = damping;
  choice.dispatchEvent(new Event('change'));
  return {...root.dataset, set: [...root.querySelectorAll('input[type=range]')].map(r => +r.value)};
}"""


def moved(instance: ImpossibleInstance, x: tuple[float, float]) -> ImpossibleInstance:
    """The instance with target, copies and test point at another place."""
    dataset = instance.dataset
    X = dataset.X_train.copy()
    X[: instance.k + 1] = x
    place = X[:1]
    return replace(instance, dataset=replace(dataset, X_train=X, X_test=place, X_holdout=place))


def same(told: dict[str, str], exact: ExactScores) -> None:
    assert int(told["rank"]) == int(exact.ranks[0])
    assert float(told["target"]) == pytest.approx(float(exact.target[0]), rel=1e-6)
    assert float(told["copy"]) == pytest.approx(float(exact.copy[0]), rel=1e-6)
    assert float(told["gap"]) == pytest.approx(float(np.exp(exact.log_gap[0])), rel=1e-6)
    assert float(told["p"]) == pytest.approx(float(exact.p[0]), rel=1e-6)


def open_hands(page: Page) -> Locator:
    page.get_by_test_id("stSidebarNav").get_by_role("link", name="The impossible sample").click()
    root = page.locator(".ial-impossible")
    expect(root).to_be_visible(timeout=SLOW)
    return root


@pytest.mark.timeout(300)
def test_the_browser_computes_what_the_engine_computes(visits: Visits) -> None:
    visit = visits.open()
    root = open_hands(visit.page)
    instance = impossible_instance(1, 60, 2, seed=0)
    rng = np.random.default_rng(0)
    for round_ in range(40):
        model = np.round(rng.uniform(-WEIGHT_HIGH, WEIGHT_HIGH, 3), 1)
        if round_ == 0:
            model[:] = 0
        damping = float(rng.choice(DAMPINGS))
        told = root.evaluate(SET, [model.tolist(), f"{damping:g}"])
        w = np.array(told["set"])
        exact = impossible_scores(instance, [(w / 2).tolist(), (-w / 2).tolist()], damping)
        same(told, exact)
        assert int(told["rank"]) > instance.k
    visit.check()


@pytest.mark.timeout(300)
def test_wherever_the_target_is_dragged_its_copy_stays_above(visits: Visits) -> None:
    visit = visits.open()
    page = visit.page
    root = open_hands(page)
    plane = root.locator("canvas.plane")
    plane.scroll_into_view_if_needed()
    home = root.get_by_role("button", name="Put the sample back")
    expect(home).to_be_disabled()
    instance = impossible_instance(1, 60, 2, seed=0)
    reach = 1.15 * float(np.abs(instance.dataset.X_train).max())
    model = [[0.15, -0.15, 0.0], [-0.15, 0.15, 0.0]]
    for across, down in ((0.5, 0.5), (0.2, 0.8), (0.9, 0.1)):
        box = plane.bounding_box()
        assert box is not None
        at = (box["width"] * across, box["height"] * down)
        plane.click(position={"x": at[0], "y": at[1]})
        told = root.evaluate("root => ({...root.dataset})")
        x = ((2 * across - 1) * reach, (1 - 2 * down) * reach)
        exact = impossible_scores(moved(instance, x), model, 0.25)
        assert float(told["p"]) == pytest.approx(float(exact.p[0]), abs=0.01)  # to the pixel
        assert int(told["rank"]) > 1
        assert float(told["gap"]) > 0
    expect(home).to_be_enabled()
    before = root.get_attribute("data-p")
    plane.focus()
    page.keyboard.press("ArrowLeft")
    assert root.get_attribute("data-p") != before
    home.click()
    same(root.evaluate("root => ({...root.dataset})"), impossible_scores(instance, model, 0.25))
    visit.check()


SLIDERS = "root => [...root.querySelectorAll('input[type=range]')].map(range => +range.value)"


@pytest.mark.timeout(300)
def test_random_models_are_drawn_until_one_gives_up(visits: Visits) -> None:
    """Each is a model of the sliders; the rank in large is the engine's, the best one is kept."""
    visit = visits.open()
    root = open_hands(visit.page)
    instance = impossible_instance(1, 60, 2, seed=0)
    models, ranks = set(), [33]  # the first: of the model with which the page opens
    for _ in range(8):
        root.get_by_role("button", name="Try a random model").click()
        set_to = tuple(root.evaluate(SLIDERS))
        w = np.array(set_to)
        exact = impossible_scores(instance, [(w / 2).tolist(), (-w / 2).tolist()], 0.25)
        same(root.evaluate("root => ({...root.dataset})"), exact)
        models.add(set_to)
        ranks.append(int(exact.ranks[0]))
        expect(root.locator(".reads dd").first).to_have_text(f"{ranks[-1]} of 60")
        expect(root.locator(".reads dd.note")).to_contain_text(f"Your best: rank {min(ranks)}.")
    assert len(models) > 1
    assert min(ranks) > 1
    visit.check()
