"""Every view is a link: what is chosen on a page, the page's link restores in another session."""

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from streamlit.testing.v1 import AppTest

from engine.results.jobs import Jobs, JobState
from engine.settings import Settings
from pages.common.asking import links
from pages.common.asking.links import EXAMPLE
from pages.common.lab import registry
from pages.common.lab.registry import PAGES, PageEntry
from tests.support.pages import Asked, Open, address, open_fold, words

KINDS = ("selectbox", "number_input", "slider", "text_input", "checkbox", "button_group")
# By page: what a visitor sets, one after the other; a button is clicked. Each page is there with
# every control that it has (the test sees to it), away from what it opens with.
FORM = "the returned model"
CHOSEN: Mapping[str, Sequence[tuple[str, Any]]] = {
    "start": [("seen-the-replay", True), ("noticed-no", None)],
    "story": [],
    "apart": [("vote-A", None), ("again", None), ("vote-B", None)],
    "influence": [
        ("dataset", "digits"), ("image", 43), ("setting", "of my own"), ("l2", 0.1),
        ("damping", 0.2), ("samples", 5),
    ],
    "new-sample": [("dataset", "digits"), ("points", "Handwritten 3s and 8s")],
    "move-one-sample": [
        ("dataset", "small"), ("target", 7), ("k", 2), ("radius", 0.5), ("seed", 3),
        ("restarts", 2), ("objective", "top_k"), ("order", "lowest_first"), ("model", "mlp"),
    ],
    "lab": [
        ("dataset", "small"), ("target", 7), ("k", 1), ("radius", 0.5), ("restarts", 1),
        ("seed", 0), ("objective", "higher_ranked"), ("order", "highest_first"),
        ("model", "linear"), ("pin", None), ("k", 2), ("objective", "top_k"), ("seed", 3),
        ("order", "lowest_first"), ("model", "mlp"), ("restarts", 2), ("radius", 0.4),
    ],
    "cost": [
        ("dataset", "digits"), ("k", 10), ("tolerance", 1.5), ("form", FORM), ("targets", 7),
        ("radii", "0.1, 0.2"), ("ks", "1, 5"), ("starts", 2),
    ],
    "what-works": [
        ("dataset", "digits"), ("k", 10), ("radius", 0.5), ("tolerance", 1.5), ("form", FORM),
        ("target", 311), ("targets", 7), ("radii", "0.1, 0.2"), ("ks", "1, 5"),
    ],
    "many-targets": [
        ("dataset", "digits"), ("k", 10), ("tolerance", 1.5), ("form", FORM),
        ("reading", "targets"), ("targets", 3), ("set_sizes", "2, 4"), ("radii", "0.1"),
        ("ks", "1, 5"), ("starts", 2),
    ],
    "easy-or-hard": [
        ("dataset", "digits"), ("k", 10), ("radius", 0.1), ("bet", None), ("bet-again", None),
        ("bet", None),
    ],
    "how-far": [("dataset", "digits"), ("within", 20.0)],
    "impossible": [("k", 3), ("seed", 5)],
    "who-gets-the-money": [
        ("dataset", "digits"), ("rule", "by rank"), ("vendors", "by class"), ("budget", 5000),
        ("attack", "many targets"),
    ],
    "wrong-labels": [("dataset", "digits"), ("detector", "own loss")],
    "fairness": [
        ("table", "german"), ("metric", "eop"), ("scale", "0.05"), ("scales", "0.01, 0.5"),
        ("beta", 0.4), ("gamma", 0.1), ("l2", 3.0),
    ],
    "race": [("dataset", "digits")],
    "audit": [
        ("dataset", "small"), ("target", 7), ("k", 2), ("radius", 0.5), ("seed", 3),
        ("queries", 50),
    ],
    "minimum": [("dataset", "digits")],
    "undo-it": [("case", "Digits, small network, 300 samples"), ("steps", 3)],
    "what-cannot-be-moved": [("dataset", "digits"), ("k", 10)],
    "deniable": [("dataset", "digits"), ("epsilon", 0.3)],
    "other-scores": [
        ("dataset", "digits"), ("target", 7), ("k", 2), ("radius", 0.5), ("seed", 3),
        ("neighbours", 7), ("alarm", "cosine-top"),
    ],
    "is-any-score-safe": [("dataset", "digits")],
    "paper": [("verdicts", ["✗ differs"])],
    "lds": [("dataset", "digits"), ("attribution", "TRAK"), ("shown", "loss")],
    "look": [("dataset", "digits"), ("other_damping", "1")],
    "why-fast": [],
    "results": [
        ("part", "Attack"), ("experiment", "attack"), ("data", "digits"),
        ("origin", "published"), ("text", "0.35"),
    ],
    "data": [],
    "join": [],
    "lesson": [("dataset", "small"), ("k", 3), ("radius", 0.5)],
    "wall": [],
}  # fmt: skip
CLICKED = {
    "start": ("noticed",),
    "story": ("step",),
    "apart": ("round", "vote"),
    "easy-or-hard": ("deal", "bet"),
    "lab": ("pinned",),
}  # in links without a control
FOLDED = {  # pages with a section whose controls are sent when it is opened
    "influence": "retraining",
    "what-works": "runs",
    "many-targets": "sizes",
    "other-scores": "alarm",
    "lds": "selection",
}


def with_all_controls(app: AppTest, page: PageEntry) -> AppTest:
    """Open the section of the page that has controls, where it has one."""
    return open_fold(app, FOLDED[page.url]) if page.url in FOLDED else app


def controls(app: AppTest) -> dict[str, Any]:
    """The page's controls by their keys."""
    found = [widget for kind in KINDS for widget in app.get(kind)]
    return {w.key: w for w in found if w.key and "-" not in w.key and not w.key.startswith("own_")}


def link(app: AppTest) -> dict[str, str]:
    """The parameters in the link that the page gives."""
    return dict(parse_qsl(urlsplit(address(app)).query))


def view(app: AppTest) -> dict[str, Any]:
    """All that a visitor sees: what the controls hold, words, figures."""
    said = re.sub(r"Your score: [^.]*|You have seen [\d,]+ models tried[^.]*\.\s*", "", words(app))
    return {
        "controls": {key: widget.value for key, widget in controls(app).items()},
        "words": said,  # but for what this very visitor has seen before
        "figures": [chart.proto.spec for chart in app.get("plotly_chart")],
    }


def choose(app: AppTest, chosen: Sequence[tuple[str, Any]]) -> None:
    for key, value in chosen:
        if key == "bet":
            key = next(b.key for b in app.button if b.key and b.key.startswith("bet-"))
        if value is None:
            app.button(key=key).click().run()
        elif key == "seen-the-replay":  # what the browser tells once it has played
            app.session_state[key] = value
            app.run()
        else:
            controls(app)[key].set_value(value).run()
        assert not app.exception, key


@pytest.fixture
def nothing_runs(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> Asked:
    """No computation begins: what is asked for waits, and is listed."""
    monkeypatch.setattr(
        Jobs, "state", lambda self, job, *experiment: JobState("queued" if asked else "unknown", 1)
    )
    return asked


def test_every_page_is_tried_here() -> None:
    assert list(CHOSEN) == [page.url for page in PAGES]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.url)
def test_the_link_of_a_page_restores_what_is_chosen(
    page: PageEntry, open_page: Open, nothing_runs: Asked
) -> None:
    app = with_all_controls(open_page(page), page)
    opened = {key: widget.value for key, widget in controls(app).items()}
    choose(app, CHOSEN[page.url])
    there = view(app)
    unchanged = [k for k, value in opened.items() if there["controls"].get(k) == value]
    assert set(unchanged) <= {"dataset"}, "each control is set to something else"
    given = link(app)
    names = {*there["controls"], *CLICKED.get(page.url, ())}
    assert names == set(given), "all that is chosen is in the link, and nothing else"
    asked = list(nothing_runs)  # what waits in the queue is shown as waiting, there as here
    again = open_page(page, **given)
    assert view(again) == there
    assert link(again) == given
    assert not [w for w in again.warning if "The link asks" in w.value]
    assert nothing_runs == asked


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.url)
def test_a_link_full_of_nonsense_opens_with_a_note_for_each_part(
    page: PageEntry, open_page: Open, nothing_runs: Asked
) -> None:
    names = [*controls(with_all_controls(open_page(page), page)), *CLICKED.get(page.url, ())]
    app = open_page(page, **dict.fromkeys(names, "no such thing"))
    assert not app.exception
    said = words(app)
    texts = {"radii", "ks", "set_sizes", "scales", "text"}  # any text may stand there
    for name in set(names) - texts:
        assert f"The link asks for `{name}=no such thing`" in said, name
    assert nothing_runs == []


@pytest.mark.parametrize(
    "page", [p for p in PAGES if {"dataset", "table"} & {n for n, _ in CHOSEN[p.url]}],
    ids=lambda page: page.url,
)  # fmt: skip
def test_a_link_to_data_that_is_not_here_says_so_and_what_to_do(
    page: PageEntry, open_page: Open, nothing_runs: Asked
) -> None:
    name = "table" if page.url == "fairness" else "dataset"
    app = open_page(page, **{name: "caltech101", "k": 3, "target": 400})
    assert not app.exception
    (note,) = [w.value for w in app.warning if f"{name}=caltech101" in w.value]
    assert "can be prepared or brought in on the page “Data sets”" in note
    assert nothing_runs == []


def test_a_link_to_what_is_not_computed_offers_it_and_computes_nothing(
    open_page: Open, nothing_runs: Asked, settings: Settings
) -> None:
    shown: dict[str, dict[str, Any]] = {
        "influence": {"image": 7},
        "move-one-sample": {"dataset": "small", "target": 8, "order": "lowest_first"},
        "what-works": {"target": 311, "radius": 0.5, "k": 1},
    }
    for url, parameters in shown.items():
        app = open_page(registry.page(url), **parameters)
        assert not app.exception
        labels = [button.label for button in app.button]
        assert {"Compute it", "Run them"} & set(labels), url
        assert nothing_runs == []
        app.button[labels.index("Run them" if url == "what-works" else "Compute it")].click().run()
        assert {name for name, _ in nothing_runs} == {
            {"influence": "explain", "move-one-sample": "ranking", "what-works": "attack"}[url]
        }
        nothing_runs.clear()


def test_what_a_control_is_set_to_is_computed_at_once_where_it_is_quick(
    open_page: Open, nothing_runs: Asked
) -> None:
    app = open_page(registry.page("influence"))
    app.number_input(key="image").set_value(7).run()
    assert [name for name, _ in nothing_runs] == ["explain"]


def test_a_ticked_result_is_in_the_link(open_page: Open) -> None:
    page = registry.page("results")
    app = open_page(page, experiment="attack")
    (table,) = [d for d in app.dataframe if "asked for" in d.value]
    app.session_state[str(table.key)] = {"selection": {"rows": [1], "columns": [], "cells": []}}
    said = words(app.run())
    given = link(app)
    assert len(given["result"]) == 24
    assert words(open_page(page, **given)) == said
    other = open_page(page, **{**given, "result": "0" * 24})
    assert "It is not kept here" in words(other)


def test_links_name_the_example(open_page: Open) -> None:
    given = link(open_page(registry.page("move-one-sample")))
    assert given == {name: str(value) for name, value in links.values_of(EXAMPLE).items()}
