"""The audit's page: what it opens with, a run of one's own, what is refused and what links say."""

import numpy as np
import pytest

from engine.experiments import AuditRequest
from engine.settings import Settings
from pages.common.asking import door
from pages.common.figures.axes import number
from pages.common.lab import published_results, registry
from tests.support.pages import Open, check_note, follow, unfold, words

PAGE = registry.page("audit")


def test_the_finding_and_the_figures_stand_there_before_any_click(open_page: Open) -> None:
    app = open_page(PAGE)
    said = words(app)
    assert not app.exception
    assert not app.warning
    assert "One cheat of three is caught: the liar who invents numbers." in said
    assert "Precomputed" in said
    assert "its scores for 700 test samples" in said
    assert not app.get("plotly_chart")  # the figure is one of the browser's
    assert "This result is shown on this page" in said
    assert "python -m engine audit" in words(unfold(app))
    assert "decades from both" in words(app)
    assert "700 queries catch the liar who invents numbers, neither" in words(app)
    assert len(app.get("plotly_chart")) == 2


def test_another_attack_is_run_and_shown(open_page: Open, settings: Settings) -> None:
    app = open_page(PAGE, dataset="small", target=7, radius=0.5)
    assert "This is not computed for" in words(app)
    assert app.number_input(key="queries").value == 36  # every test point with every label
    app.button(key="offer-audit").click().run()
    follow(app, lambda: "This result is shown on this page" in words(app))
    said = words(app)
    assert "your features file" in said
    assert "its scores for 36 test samples" in said
    assert "sample 7" in said


def test_too_few_queries_are_refused_in_the_engine_s_words(open_page: Open) -> None:
    app = open_page(PAGE, dataset="small", target=7, radius=0.5, queries=5)
    app.button(key="offer-audit").click().run()
    follow(app, lambda: bool(app.error))
    assert "more queries than their rank" in app.error[0].value
    assert "Ask at least" in app.error[0].value


def test_another_choice_leaves_the_opening_result_and_says_so(open_page: Open) -> None:
    app = open_page(PAGE, queries=600)
    assert "The figures show the attack that this page opens with" in words(app)
    assert "its scores for 700 test samples" in words(app)
    assert app.button(key="offer-audit")


@pytest.mark.parametrize(
    ("name", "value"),
    [("queries", "0"), ("queries", "many"), ("target", "99999"), ("radius", "9"), ("k", "0")],
)
def test_bad_links_fall_back_with_a_note(open_page: Open, name: str, value: str) -> None:
    check_note(open_page(PAGE, **{name: value}), name, value)


def test_what_is_published_is_the_default() -> None:
    request = published_results.request_of("audit", "digits")
    assert request == AuditRequest()
    assert door.find("audit", request) is not None


def test_the_same_verdict_holds_between_the_tolerances_that_are_said(open_page: Open) -> None:
    asked = published_results.request_of("audit", "digits")
    assert asked is not None
    stored = door.find("audit", asked)
    assert stored is not None
    every = np.sort(stored.result.residuals.ravel())
    place = int(np.searchsorted(every, stored.result.tolerance))
    assert f"Any tolerance from {number(every[place - 1])} to {number(every[place])} " in words(
        unfold(open_page(PAGE))
    )
