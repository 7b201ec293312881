"""The first screen: the replay, the vote and its answer, the ways onward; numbers of the result."""

import pytest

from engine.results.jobs import JobState
from engine.results.store import Stored
from pages.common.lab import registry
from pages.common.words import wording
from tests.support.pages import Open, have_found, words

PAGE = registry.page("start")
ASKED = "Would you have noticed?"


def test_it_is_the_first_page() -> None:
    assert registry.PAGES[0] is PAGE
    assert PAGE.default


def test_the_attack_is_asked_about_after_it_was_seen(open_page: Open, example: Stored) -> None:
    app = open_page(PAGE)
    old = int(example.result.before.ranks[example.result.targets[0]])
    assert f"and pays rank 1 most. Yours is at {old:,}." in words(app)
    assert ASKED not in words(app)
    app.session_state["seen-the-replay"] = True  # as when the browser has played it
    app.run()
    result = example.result
    before, after = (wording.percent(a) for a in (result.accuracy_before, result.accuracy_after))
    assert f"Accuracy {before} → {after}. {ASKED}" in words(app)
    assert "one ranking" not in words(app)


@pytest.mark.parametrize(("vote", "verdict"), [("yes", "hard to prove"), ("no", "Hardly anybody")])
def test_the_vote_is_answered_from_the_result(
    vote: str, verdict: str, open_page: Open, example: Stored
) -> None:
    app = open_page(PAGE, noticed=vote)
    assert not app.exception
    said = words(app)
    assert verdict in said
    assert wording.turnover(example.result)[1:] in said
    assert "noticed-yes" not in [button.key for button in app.button]
    honest, malicious = wording.intervals(example.result, 299)
    assert honest.overlaps(malicious)  # as the answer says
    assert "On 299 digits that neither model has seen" in said


def test_it_leads_on_to_pages_that_exist(open_page: Open) -> None:
    app = open_page(PAGE)
    links = [(e.proto.page, e.proto.query_string) for e in app.get("page_link")]
    assert len(links) == len(set(links)) == 7
    assert {url for url, _ in links} == {"story", "move-one-sample", "data"}
    assert links[0] == ("story", "")


@pytest.mark.parametrize("parameters", [{"round": 3}, {"vote": "A"}])
def test_a_link_to_the_former_first_page_opens_it(
    parameters: dict[str, object], open_page: Open
) -> None:
    app = open_page(PAGE, **parameters)
    assert [title.value for title in app.title] == [registry.page("apart").title]
    assert not app.exception


def test_an_unpublished_example_is_computed_first(
    open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    have_found(monkeypatch, lambda experiment, request: None, JobState("running"))
    app = open_page(PAGE)
    assert not app.exception
    assert ASKED not in words(app)
