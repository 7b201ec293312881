"""The start page: the vote, its outcome, the ways onward."""

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from engine.results.jobs import Jobs, JobState
from engine.results.store import Store, Stored
from pages.common.asking.links import EXAMPLE
from pages.common.lab import registry
from tests.support.pages import Open, words

PAGE = registry.page("apart")


def malicious(app: AppTest) -> str:
    """The model that the revealed text names."""
    return "A" if "model A is malicious" in words(app) else "B"


def test_nothing_is_given_away_before_the_vote(open_page: Open) -> None:
    app = open_page(PAGE)
    assert "is malicious" not in words(app)
    assert not app.get("plotly_chart")
    assert [metric.label[:7] for metric in app.metric] == ["Model A", "Model B"]


@pytest.mark.parametrize("choice", ["A", "B"])
def test_the_vote_reveals_who_it_was(choice: str, open_page: Open, example: Stored) -> None:
    app = open_page(PAGE)
    app.button(key=f"vote-{choice}").click().run()
    assert not app.exception
    right = malicious(app) == choice
    assert ("You found it" if right else "It was the other one") in words(app)
    target = EXAMPLE.targets[0]
    old = int(example.result.before.ranks[target])
    assert f"is at rank {old:,} under model" in words(app)
    assert len(app.get("plotly_chart")) == 1
    assert app.button(key="vote-A").disabled


def test_rounds_shuffle_the_models_and_start_anew(open_page: Open) -> None:
    app = open_page(PAGE)
    seen = []
    for _ in range(6):
        app.button(key="vote-A").click().run()
        seen.append(malicious(app))
        app.button(key="again").click().run()
        assert not app.button(key="vote-A").disabled
        assert "is malicious" not in words(app)
    assert set(seen) == {"A", "B"}
    assert not app.exception


def test_shown_predictions_are_the_models_own(open_page: Open, example: Stored) -> None:
    app = open_page(PAGE)
    shown = next(e.proto.body for e in app.get("html") if "ial-grid" in e.proto.body)
    assert shown.count("<img") == 8
    app.button(key="vote-A").click().run()
    accuracies = [float(metric.value[:-1]) / 100 for metric in app.metric]
    expected = [example.result.accuracy_before, example.result.accuracy_after]
    if malicious(app) == "A":
        expected.reverse()
    np.testing.assert_allclose(accuracies, expected, atol=5e-4)  # shown to a tenth of a percent


def test_cards_lead_only_to_pages_that_exist(open_page: Open) -> None:
    app = open_page(PAGE)
    links = [e.proto.page for e in app.get("page_link")]
    assert len(links) == sum(len(page.presets) for page in registry.PAGES)
    assert set(links) <= {page.url for page in registry.PAGES}


def test_an_unpublished_example_is_computed_first(
    open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Store, "find", lambda self, *asked: None)
    monkeypatch.setattr(Jobs, "state", lambda self, job, *experiment: JobState("running"))
    app = open_page(PAGE)
    assert not app.exception
    assert "vote-A" not in [button.key for button in app.button]
    assert "Who could do this" in words(app)
    monkeypatch.setattr(
        Jobs, "state", lambda self, job, *experiment: JobState("failed", message="no memory")
    )
    app.run()
    assert "no memory" in words(app)
    assert [button.label for button in app.button] == ["Start again"]
