"""Results and jobs: the library as it lies in the store, its links, bundles, and the queue."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from engine.experiments import EXPERIMENTS, AttackRequest, RankingRequest, make_request
from engine.progress import Progress
from engine.results import bundle
from engine.results.jobs import JOB, PROGRESS, STATE, Job, Jobs, JobState
from engine.results.lanes import LONG, SHORT
from engine.results.library import Entry, open_library, remove, select
from engine.results.store import Store, Stored
from engine.settings import PUBLISHED, Settings
from pages.common.asking.links import EXAMPLE
from pages.common.lab import registry
from pages.common.words.wording import clock, day, plain
from pages.evidence.parts import library_figures, main_numbers, view_of_result
from pages.evidence.parts import library_words as words
from pages.evidence.parts.settings_words import MORE, tell_apart
from tests.support.pages import SMALL, SWEPT, Open, notes, unfold
from tests.support.pages import words as all_words

PAGE = registry.page("results")
PUBLISHED_ENTRIES = open_library(Store(Path("none"), PUBLISHED)).entries
THEIRS = AttackRequest(targets=(3,), radius=0.5, restarts=1)


def library(settings: Settings) -> list[Entry]:
    return list(open_library(Store.of(settings)).entries)


def ticked(app: AppTest, *rows: int) -> AppTest:
    """The page with these rows of the library ticked."""
    (table,) = [d for d in app.dataframe if "asked for" in d.value]
    app.session_state[str(table.key)] = {
        "selection": {"rows": list(rows), "columns": [], "cells": []}
    }
    return app.run()


def position(app: AppTest, entry: Entry) -> int:
    (table,) = [d.value for d in app.dataframe if "asked for" in d.value]
    origins = words.ORIGINS[entry.origin]
    found = table.index[(table["key"] == entry.key) & table["from"].str.startswith(origins)]
    return int(found[0])


def test_all_that_is_kept_is_listed(open_page: Open, settings: Settings) -> None:
    app = open_page(PAGE)
    assert not app.exception
    entries = library(settings)
    (table,) = [d.value for d in app.dataframe if "asked for" in d.value]
    own = [entry.key for entry in entries if entry.origin != "published"]
    assert table["key"].tolist()[: len(own)] == own  # the latest first
    assert sorted(table["key"]) == sorted(entry.key for entry in entries)
    published = table[table["from"] == "published"]
    assert published["what"].iloc[0] == "Attack on samples"
    titles = [page.title for page in registry.PAGES if page.title in set(published["shown on"])]
    assert published["shown on"].iloc[1:].drop_duplicates().tolist() == [*titles, "–"]
    assert f"**{len(entries)} results are kept here.**" in all_words(app)
    assert "Nothing is being computed. Running jobs appear here" in all_words(app)
    shown = dict(zip(table["key"], table["shown on"], strict=True))
    for entry in entries:
        found = opened(entry)
        assert shown[entry.key] == ("–" if found is None else found.page.title)
    mine = table[(table["from"] == "computed here") & (table["data set"] == "small")]
    assert mine["asked for"].str.contains("sample 7").any()


def test_while_nothing_is_ticked_an_attack_is_the_example(
    open_page: Open, settings: Settings
) -> None:
    """The main numbers of the first row, the attack that the pages are about, and the way to its
    page are there at once; of what nothing is left, not."""
    app = open_page(PAGE, origin="published")
    said = all_words(app)
    assert "For example, the first row: Attack on samples, Handwritten digits" in said
    (link,) = app.get("page_link")
    assert "Move one sample to the top" in link.proto.label
    target = int(link.proto.query_string.split("target=")[1].split("&")[0])
    (entry,) = [
        e
        for e in select(library(settings), "attack", "digits", "published")
        if (view := opened(e))
        and f"target={target}&" in f"{link.proto.query_string}&"
        and all(f"{n}={v}" in link.proto.query_string for n, v in view.parameters.items())
    ]
    result = EXPERIMENTS["attack"].load(entry.folder)
    assert f'<div class="value">{result.before.ranks[target]:,}</div>' in said
    assert f'<div class="value">{result.rank_test:,}</div>' in said
    assert "For example" not in all_words(open_page(PAGE, text="no such thing"))


def test_filters_are_a_link(open_page: Open, settings: Settings) -> None:
    app = open_page(PAGE, experiment="attack", origin="published", text="433")
    (table,) = [d.value for d in app.dataframe if "asked for" in d.value]
    asked = [e.manifest.request for e in select(library(settings), "attack", origin="published")]
    assert len(table) == sum(request["targets"] == [433] for request in asked) > 0
    app = open_page(PAGE, experiment="alchemy")
    assert len(notes(app)) == 1
    assert "experiment=alchemy" in notes(app)[0]
    app = open_page(PAGE, text="no such thing")
    assert "No result fits these filters" in all_words(app)


def test_the_search_finds_what_the_table_shows(open_page: Open, settings: Settings) -> None:
    """Every cell that is seen, and a row says the same however it was found."""
    entries = list(library(settings))
    table = words.rows(entries, entries)
    for column in ("what", "data set", "asked for", "shown on", "from"):
        for shown in set(table[column]):
            hits = words.searched(entries, entries, shown.replace(MORE, ""))
            assert len(hits) >= (table[column] == shown).sum() > 0, shown
    app = open_page(PAGE, text="35%")
    (found,) = [d.value for d in app.dataframe if "asked for" in d.value]
    everywhere = dict(zip(table["key"], table["asked for"], strict=True))
    assert dict(zip(found["key"], found["asked for"], strict=True)) == {
        key: said for key, said in everywhere.items() if "35%" in said
    }
    assert "sample 16, model moves 35%" in set(found["asked for"])


def test_one_result_says_what_it_is_and_where_to_see_it(
    open_page: Open, settings: Settings
) -> None:
    app = open_page(PAGE, data="small", experiment="attack")
    # Other tests of the session may have attacked it too.
    entry = next(
        e
        for e in select(library(settings), "attack", "small")
        if e.manifest.request["targets"] == [7]
    )
    app = ticked(app, position(app, entry))
    assert not app.exception
    said = all_words(app)
    assert "Sample 7: rank" in said
    assert entry.key in said
    (link,) = app.get("page_link")
    assert "Move one sample to the top" in link.proto.label
    assert "target=7" in link.proto.query_string
    assert "dataset=small" in link.proto.query_string


def test_two_results_are_compared(open_page: Open, settings: Settings) -> None:
    app = open_page(PAGE, experiment="attack")
    entries = select(library(settings), "attack", origin="local")
    # Other tests of the session have attacked both data sets too.
    small, digits = next(
        (small, digits)
        for small, digits in product(entries, entries)
        if (small.dataset, digits.dataset) == ("small", "digits")
        and all(
            digits.manifest.request[name] != small.manifest.request[name]
            for name in ("targets", "radius", "restarts")
        )
    )
    found = {"digits": digits, "small": small}
    rows = [position(app, found[name]) for name in ("digits", "small")]
    app = ticked(app, *rows)
    assert not app.exception
    differ = next(d.value for d in app.dataframe if "A" in d.value and "asked for" in d.value)
    assert set(differ["asked for"]) >= {"dataset", "targets", "radius", "restarts"}
    numbers = next(d.value for d in app.dataframe if "number" in d.value)
    assert numbers["number"].tolist()[1] == "rank after"
    results = [EXPERIMENTS["attack"].load(found[n].folder) for n in ("digits", "small")]
    after = numbers.set_index("number").loc["rank after"]
    assert [after["A"], after["B"]] == [f"{result.rank_test:,}" for result in results]
    assert len(app.get("plotly_chart")) == 1
    assert "The numbers that differ most" in all_words(app)


def test_the_figure_of_two_results_shows_what_differs_most() -> None:
    numbers = pd.DataFrame(
        {
            "number": ["same", "half", "ninth", "lacking", "nothing"],
            "A": [5.0, 2.0, 1.0, np.nan, 0.0],
            "B": [5.0, 4.0, 9.0, 3.0, 0.0],
        }
    )
    rows = library_figures.farthest(numbers)
    assert rows["number"].tolist() == ["ninth", "half", "same"]
    _, a, b = library_figures.pair(rows).data
    assert list(a.x) == pytest.approx([1 / 9, 0.5, 1.0])
    assert list(b.x) == [1.0, 1.0, 1.0]
    assert list(b.text) == ["9", "4", "5"]


def test_the_same_result_twice_differs_in_nothing() -> None:
    for name, entry in {e.experiment: e for e in PUBLISHED_ENTRIES}.items():
        result = EXPERIMENTS[name].load(entry.folder)
        table = main_numbers.side_by_side(name, result, result)
        assert len(table) >= 3, name
        assert main_numbers.sameness(table).startswith("Nothing differs"), name


def opened(entry: Entry) -> view_of_result.ResultView | None:
    return view_of_result.view_of(make_request(entry.experiment, entry.manifest.request))


LINKED = {e.experiment: e for e in reversed(PUBLISHED_ENTRIES) if opened(e)}
SHOWN = ("attack", "fairness", "impossible", "audit", "sensitivity", "defence")


@pytest.mark.parametrize("name", SHOWN)
def test_a_link_opens_the_page_with_that_very_result(name: str, open_page: Open) -> None:
    entry = LINKED[name]
    view = opened(entry)
    assert view is not None
    app = open_page(view.page, **view.parameters)
    assert not app.exception
    assert notes(app) == []
    made, said = entry.manifest.created, all_words(unfold(app))  # the time stands in a fold
    assert day(made) in said and clock(made) in said


def test_only_rankings_and_odd_requests_have_no_page() -> None:
    missing = {entry.experiment for entry in PUBLISHED_ENTRIES} - set(LINKED)
    assert missing == {"ranking"}
    odd = replace(EXAMPLE, damping=0.3)
    assert view_of_result.view_of(odd) is None
    assert view_of_result.view_of(replace(EXAMPLE, targets=(1, 2))) is None
    assert view_of_result.view_of(replace(EXAMPLE, radius=0.123)) is None
    assert view_of_result.view_of(RankingRequest()) is None


@pytest.fixture
def theirs(tmp_path: Path, settings: Settings) -> Iterator[bytes]:
    """A bundle from another lab, with a result that is not here; what is imported goes again."""
    from tests.support.stores import result

    there = Store(tmp_path / "results", tmp_path / "published")
    there.write("attack", THEIRS, "ab" * 32, result(), 1.0, "CPU")
    with (tmp_path / "b.zip").open("wb") as file:
        bundle.write_bundle(open_library(there).entries, file)
    yield (tmp_path / "b.zip").read_bytes()
    for entry in select(library(settings), origin="imported"):
        remove(Store.of(settings), entry)


def upload(app: AppTest, name: str, content: bytes) -> AppTest:
    (uploader,) = app.file_uploader
    uploader.upload(name, content, "application/zip")
    return app.run()


def test_a_bundle_is_taken_in_and_deleted(
    open_page: Open, settings: Settings, theirs: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundle, "try_opening", lambda folders: {})  # it takes seconds to start
    app = upload(open_page(PAGE, origin="all"), "from Ann.zip", theirs)
    assert not app.exception
    assert "1 result taken in" in "".join(s.value for s in app.success)
    (entry,) = select(library(settings), origin="imported")
    app = ticked(app, position(app, entry))
    assert not app.exception
    assert "imported" in all_words(app)
    assert "on this machine has other content" in all_words(app)
    app.button(key="delete").click().run()
    assert not app.exception
    assert "1 result deleted" in "".join(s.value for s in app.success)
    assert select(library(settings), origin="imported") == []


def test_an_imported_sweep_on_data_that_is_not_here_has_its_page(
    open_page: Open,
    settings: Settings,
    as_published: Mapping[str, Stored],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bundle, "try_opening", lambda folders: {})
    there, elsewhere = Store(tmp_path / "r", tmp_path / "p"), replace(SWEPT, dataset="elsewhere")
    table = as_published["cost"].result
    there.write("sweep", elsewhere, "ab" * 32, table, 1.0, "CPU")
    with (tmp_path / "b.zip").open("wb") as file:
        bundle.write_bundle(open_library(there).entries, file)
    bundle.import_bundle(tmp_path / "b.zip", Store.of(settings), "Ann")
    view = view_of_result.view_of(elsewhere)
    assert view is not None
    app = open_page(view.page, **view.parameters)
    (entry,) = select(library(settings), origin="imported")
    remove(Store.of(settings), entry)
    assert not app.exception
    assert notes(app) == []
    assert "from Ann · their features file" in all_words(app)
    assert "The figures show the sweep that this page opens with" not in all_words(app)


def test_what_is_refused_is_said_without_markup(open_page: Open) -> None:
    app = upload(open_page(PAGE), "![x](http://evil.example).zip", b"PK nothing")
    (error,) = app.error
    assert "cannot be taken in" in error.value
    assert "](" not in error.value
    assert plain("![a](http://b)") == r"\!\[a\]\(http\://b\)"


@pytest.fixture
def queue(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Jobs that run, wait and have ended, as their folders say it; no worker takes them."""
    monkeypatch.setenv("IAL_WORKERS", "no")
    monkeypatch.setattr(Jobs, "_runs", lambda self, pid: True)
    ranking = ("ranking", RankingRequest())
    asked = [("attack", SMALL), ranking, ("attack", EXAMPLE), ("attack", SMALL)]
    for number, (name, request) in enumerate(asked):
        folder = tmp_path / f"job{number}"
        folder.mkdir()
        job = Job(folder.name, name, asdict(request), "none", number)
        (folder / JOB).write_text(json.dumps(asdict(job)))
    say(tmp_path / "job0", "failed", "There is no such sample.")
    say(tmp_path / "job3", "running")
    (tmp_path / "job3" / PROGRESS).write_text(Progress(step=3, steps=10).to_json() + "\n")
    return tmp_path


def say(folder: Path, status: str, message: str = "") -> None:
    ended = None if status == "running" else 12.0
    said = {"status": status, "message": message, "pid": 1, "began": 10.0, "ended": ended}
    (folder / STATE).write_text(json.dumps(said))


def test_all_jobs_in_their_order(queue: Path, settings: Settings) -> None:
    jobs = Jobs(replace(settings, workers=False))
    jobs.folder = queue
    found = jobs.all()
    assert [(job.id, state.status) for job, state in found] == [
        ("job3", "running"), ("job1", "queued"), ("job2", "queued"), ("job0", "failed"),
    ]  # fmt: skip
    assert [state.place for _, state in found] == [0, 1, 2, 0]
    assert [job.id for job, _ in jobs.all(most_ended=0)] == ["job3", "job1", "job2"]
    jobs.cancel("job1")
    assert [(job.id, state.status) for job, state in jobs.all()][2:] == [
        ("job1", "cancelled"), ("job0", "failed"),
    ]  # fmt: skip
    jobs.folder = queue / "none"
    assert jobs.all() == []


def test_the_queue_is_shown_and_cancelled(
    queue: Path, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Jobs, "all", lambda self, most_ended=20: listed(self))
    cancelled: list[str] = []
    monkeypatch.setattr(Jobs, "cancel", lambda self, job: cancelled.append(job))

    def listed(jobs: Jobs) -> list[tuple[Job, JobState]]:
        def job(
            name: str, request: Any = EXAMPLE, experiment: str = "attack", lane: str = LONG
        ) -> Job:
            return Job(name, experiment, asdict(request), "none", 0, lane)

        return [
            (job("a1", SMALL), JobState("running", progress=(Progress(step=3, steps=10),))),
            (job("b2", RankingRequest(), "ranking", SHORT), JobState("queued", 1)),
            (job("c3"), JobState("queued", 2)),
            (job("d4"), JobState("failed", message="No such sample.")),
        ]

    app = open_page(PAGE)
    assert not app.exception
    shown = all_words(app)
    assert '<div class="name">Running now</div><div class="value">1</div>' in shown
    assert '<div class="name">Waiting</div><div class="value">2</div>' in shown
    said = [bar.proto.text for bar in app.get("progress")]
    assert "step 3 of 10" in said[0]
    assert "waits among the short computations, next in line" in said[1]
    assert "waits among the long computations, behind 1 other" in said[2]
    ended = next(d.value for d in unfold(app).dataframe if "message" in d.value)
    assert ended["message"].tolist() == ["No such sample."]
    app.button(key="ask-b2").click().run()  # somebody else's: the visitor is asked first
    assert cancelled == []
    app.button(key="leave-b2").click().run()
    app.button(key="ask-b2").click().run()
    app.button(key="cancel-b2").click().run()
    assert cancelled == ["b2"]


def test_a_part_of_the_lab_is_chosen(open_page: Open, settings: Settings) -> None:
    app = open_page(PAGE, part="Money")
    assert not app.exception
    (table,) = [d.value for d in app.dataframe if "asked for" in d.value]
    titles = {page.title for page in registry.PAGES if page.section == "Money"}
    assert set(table["shown on"]) == titles
    assert len(table) == words.sections(library(settings)).count("Money")


def test_settings_tell_results_apart() -> None:
    """No code words, nothing cut: two settings, of an unusual request dots for the others."""
    said = tell_apart(PUBLISHED_ENTRIES)
    assert max(map(len, said)) <= 36
    assert not [text for text in said if "_" in text]
    by_entry = dict(zip([(e.experiment, e.key) for e in PUBLISHED_ENTRIES], said, strict=True))
    images = {text for (name, _), text in by_entry.items() if name == "explain"}
    assert images == {f"test image {i}" for i in (0, 43, 61, 174, 202, 274)}
    sweeps = [text for (name, _), text in by_entry.items() if name == "sweep"]
    assert "50 targets, model moves 5%–100%" in sweeps
    assert any(text.endswith(" …") for text in sweeps)
    assert set(by_entry.values()) >= {"usual settings", "equal opportunity"}


def test_requests_in_short() -> None:
    assert words.asked("attack", asdict(SMALL)) == "targets 7, k 1, radius 0.5, restarts 1"
    assert words.asked("ranking", asdict(RankingRequest())) == "the usual settings"
    assert words.asked("batch", {"dataset": "a", "batch": {"k": 1}}) == "batch k 1"
