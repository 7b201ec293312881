"""Figures that answer while they are dragged: what the browser says is what the engine says."""

import re

import numpy as np
import pandas as pd
import pytest
from playwright.sync_api import Locator, Page, expect

from engine.experiments import AuditResult, Request
from engine.fairness.result import FairnessResult
from engine.results.store import Store
from engine.settings import PUBLISHED
from engine.vocabulary import PLAYERS
from pages.common.lab import published_results, registry
from pages.defend.parts import defence_rates as rates
from tests.support.browser import Visits
from tests.support.browser_pages import SLOW

pytestmark = pytest.mark.long

SET = """(root, value) => {
  const range = root.querySelector('input[type=range]');
  range.value = value;
  range.dispatchEvent(new Event('input'));
  return {...root.dataset, set: range.value, said: range.getAttribute('aria-valuetext')};
}"""


def published(role: str, dataset: str, **fields: object) -> object:
    for name, experiment, request in published_results.with_role():
        given: Request = request
        if name != role or getattr(given, "dataset", None) != dataset:
            continue
        if all(getattr(given, field) == value for field, value in fields.items()):
            stored = Store(PUBLISHED, PUBLISHED).find_published(experiment, given)
            assert stored is not None
            return stored.result
    raise AssertionError((role, dataset))


def opened(page: Page, url: str) -> Page:
    """The page of the lab at `url`, by its navigation."""
    title = registry.page(url).title
    page.get_by_test_id("stSidebarNav").get_by_role("link", name=title).click()
    return page


def figure(page: Page, kind: str) -> Locator:
    root = page.locator(f".ial-{kind}")
    expect(root).to_be_visible(timeout=SLOW)
    expect(root.locator("input[type=range]")).to_be_enabled()
    return root


@pytest.mark.timeout(300)
def test_the_threshold_counts_as_the_engine_does(visits: Visits) -> None:
    visit = visits.open()
    root = figure(opened(visit.page, "minimum"), "threshold")
    table = published("defence", "digits")
    assert isinstance(table, pd.DataFrame)
    norms = table["gradient_norm"]
    honest = norms[table["kind"] == "honest"]
    moved = norms[(table["kind"] == "attacked") & table["success"]]
    able, _ = rates.passing_norms(table)
    for exponent in (-8, -4.35, -2, -1.7, -1.25, 0, 1):
        told = root.evaluate(SET, exponent)
        threshold = 10 ** float(told["set"])
        assert float(told["threshold"]) == pytest.approx(threshold, rel=1e-12)
        counts = [int(c) for c in told["counts"].split()]
        assert counts == [
            int((honest >= threshold).sum()),
            int((moved >= threshold).sum()),
            int((able < threshold).sum()),
        ]
    visit.check()


@pytest.mark.timeout(300)
def test_the_tolerance_catches_whom_the_engine_catches(visits: Visits) -> None:
    visit = visits.open()
    root = figure(opened(visit.page, "audit"), "threshold")
    result = published("audit", "digits")
    assert isinstance(result, AuditResult)
    counts = [len(result.caught(player)) for player in PLAYERS]
    assert root.get_attribute("data-counts") == " ".join(map(str, counts))
    for exponent in (-17, -15.2, -10, -6, -0.5, 0):
        told = root.evaluate(SET, exponent)
        above = (result.residuals > 10 ** float(told["set"])).sum(axis=1)
        assert [int(c) for c in told["counts"].split()] == above.tolist()
    visit.check()


@pytest.mark.timeout(300)
def test_the_scale_says_what_the_result_says(visits: Visits) -> None:
    visit = visits.open()
    root = figure(opened(visit.page, "fairness"), "scale")
    result = published("fairness", "adult", metric="dp")
    assert isinstance(result, FairnessResult)
    for place, (_, row) in enumerate(result.table.iloc[::-1].iterrows()):
        told = root.evaluate(SET, place)
        assert float(told["scale"]) == row["scale"]
        assert int(told["changed"]) == row["base_predictions_changed"]
        for name, column in (
            ("gap", "dp_test"), ("low", "dp_test_low"), ("high", "dp_test_high"),
            ("accuracy", "accuracy_test"),
        ):  # fmt: skip
            if np.isnan(row[column]):
                assert told[name] == ""
            else:
                assert float(told[name]) == pytest.approx(row[column], abs=1e-6)
    visit.check()


NAMES = {"minimum": "threshold", "audit": "caught_above", "fairness": "scale"}  # in links


@pytest.mark.timeout(300)
@pytest.mark.parametrize("url", list(NAMES))
def test_they_answer_to_keys_and_are_part_of_the_link(url: str, visits: Visits) -> None:
    visit, kind = visits.open(), "scale" if url == "fairness" else "threshold"
    root = figure(opened(visit.page, url), kind)
    slider = root.get_by_role("slider")
    assert slider.get_attribute("aria-label")
    assert root.get_attribute("aria-label")
    before = slider.get_attribute("aria-valuetext")
    slider.focus()
    key = "ArrowLeft" if kind == "scale" else "ArrowRight"  # the page opens at the last scale
    visit.page.keyboard.press(key)
    visit.page.keyboard.press(key)
    after = str(slider.get_attribute("aria-valuetext"))
    assert before != after
    value = after if kind == "scale" else slider.input_value()
    asked = re.compile(rf"/{url}\?.*{NAMES[url]}={re.escape(value)}(&|$)")
    visit.page.wait_for_url(asked, timeout=SLOW)
    visit.check()
    again = visits.open(visit.page.url.removeprefix(visits.address))
    expect(figure(again.page, kind).get_by_role("slider")).to_have_attribute(
        "aria-valuetext", after, timeout=SLOW
    )


@pytest.mark.timeout(300)
def test_a_finger_drags_the_threshold_on_a_phone(visits: Visits) -> None:
    visit = visits.open("/minimum", size=(400, 800), touch=True)
    root = figure(visit.page, "threshold")
    marks = root.locator("canvas.marks")
    marks.scroll_into_view_if_needed()
    seen = []
    for share in (0.2, 0.8):
        box = marks.bounding_box()
        assert box is not None
        assert box["width"] <= 400
        visit.page.touchscreen.tap(box["x"] + share * box["width"], box["y"] + 60)
        seen.append(float(root.get_attribute("data-threshold") or "nan"))
    assert seen[0] < seen[1]
    expect(root.locator(".said")).not_to_be_empty()
    overflow = visit.page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    assert overflow == 0
    visit.only_lost_connections()  # Streamlit looks for its health below a page's address, too
