"""Easy or hard: the finding before any click, the bet, links, and data without attacks."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from engine.data.load import load_dataset
from engine.experiments import SensitivityRequest
from engine.progress import ignore
from engine.results.compute import compute_and_keep
from engine.results.jobs import Jobs, JobState
from engine.results.store import Store, Stored
from engine.settings import Settings
from pages.attack.parts import moved_targets
from pages.common.asking.links import EXAMPLE
from pages.common.lab import registry
from tests.support.pages import Open, check_note, words

PAGE = registry.page("easy-or-hard")
Sweeps = Mapping[str, Stored]


@pytest.fixture
def small_norms(settings: Settings) -> None:
    """The gradient norms of the small features file."""
    request = SensitivityRequest("small")
    dataset = load_dataset("small", settings.data_dir)
    compute_and_keep("sensitivity", request, dataset, settings, ignore)


def test_the_published_finding_stands_there_before_any_click(open_page: Open) -> None:
    app = open_page(PAGE)
    said = words(app)
    assert not app.exception
    assert not app.warning
    assert "times as strongly" in said
    assert "precomputed" in said
    assert "Spearman −0.4" in said and "95% interval" in said
    assert "over 50 targets" in said
    assert "24 exact norms" in said
    assert len(app.get("plotly_chart")) == 2
    assert app.selectbox(key="k").value == 1
    assert app.selectbox(key="radius").value == 0.3
    assert "Is there a better clue?" in said
    assert all(chart.proto.alt for chart in app.get("plotly_chart"))


def test_a_bet_is_placed_first_and_answered_then(open_page: Open) -> None:
    app = open_page(PAGE)
    bets = [b for b in app.button if (b.key or "").startswith("bet-") and b.key != "bet-again"]
    assert len(bets) in (2, 3)
    assert "you won" not in words(app) and "and lost" not in words(app)
    bets[0].click().run()
    assert not app.exception
    said = words(app)
    assert ("you won" in said) != ("and lost" in said)
    assert "Betting on the largest gradient norm would have" in said
    assert all(b.disabled for b in app.button if b.key in {bet.key for bet in bets})
    app.button(key="bet-again").click().run()
    assert not app.exception
    assert "you won" not in words(app) and "and lost" not in words(app)


def test_what_else_was_attacked_is_marked_and_not_counted(
    open_page: Open, settings: Settings
) -> None:
    """A single attack on the digits, at the radius of the page, is a mark more."""

    def marked() -> int:
        found = re.search(r"Marked besides: (\d+) target", words(open_page(PAGE)))
        return int(found[1]) if found else 0

    before = marked()
    request = replace(EXAMPLE, targets=(900,), radius=0.3, restarts=1, steps=5)
    dataset = load_dataset("digits", settings.data_dir)
    compute_and_keep("attack", request, dataset, settings, ignore)
    assert marked() == before + 1
    assert "over 50 targets" in words(open_page(PAGE))


def test_another_k_is_another_bet(open_page: Open) -> None:
    app = open_page(PAGE)
    next(b for b in app.button if (b.key or "").startswith("bet-")).click().run()
    app.selectbox(key="k").set_value(30).run()
    assert not app.exception
    assert "you won" not in words(app) and "and lost" not in words(app)
    assert "into the top 30" in words(app)


def test_a_link_restores_k_and_radius(open_page: Open) -> None:
    app = open_page(PAGE, k=10, radius=0.1)
    assert not app.exception
    assert not app.warning
    assert (app.selectbox(key="k").value, app.selectbox(key="radius").value) == (10, 0.1)
    assert "at radius 0.1 some run moved" in words(app)


@pytest.mark.parametrize(("name", "value"), [("k", "7"), ("radius", "9"), ("radius", "<b>")])
def test_a_bad_link_falls_back_and_says_so(open_page: Open, name: str, value: str) -> None:
    check_note(open_page(PAGE, **{name: value}), name, value)


def test_features_of_ones_own_have_no_pictures(
    open_page: Open, as_published: Sweeps, small_norms: None
) -> None:
    app = open_page(PAGE, dataset="small")
    assert not app.exception
    assert not app.error
    assert "computed here · your features file" in words(app)
    assert len(app.get("plotly_chart")) >= 1


def test_without_attacks_the_norms_stand_alone(open_page: Open, small_norms: None) -> None:
    app = open_page(PAGE, dataset="small")
    assert not app.exception
    assert "No sweep over random targets of “small” is published" in words(app)
    assert len(app.get("plotly_chart")) == 1
    assert not [b for b in app.button if (b.key or "").startswith("bet-")]


def test_what_is_not_computed_is_offered(open_page: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    find = Store.find

    def without_norms(store: Store, experiment: str, *asked: Any) -> Stored | None:
        return None if experiment == "sensitivity" else find(store, experiment, *asked)

    monkeypatch.setattr(Store, "find", without_norms)
    monkeypatch.setattr(Jobs, "state", lambda self, job, *experiment: JobState("unknown"))
    app = open_page(PAGE)
    assert not app.exception
    assert "it is not computed yet" in words(app)
    assert app.button(key="offer-sensitivity")


def test_nothing_moved_is_said(
    open_page: Open,
    as_published: Sweeps,
    small_norms: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(moved_targets, "prediction", lambda name, tried, n: None)
    monkeypatch.setattr(moved_targets, "deal", lambda tried, number: [])
    app = open_page(PAGE, dataset="small")
    assert not app.exception
    assert "nothing to predict" in words(app)


def test_data_that_cannot_be_used_is_said(open_page: Open) -> None:
    app = open_page(PAGE, dataset="broken")
    assert not app.exception
    assert "cannot be used" in words(app)
