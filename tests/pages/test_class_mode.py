"""Class mode on the pages: what students are refused where it happens, what the teacher does."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from engine.experiments import AttackRequest, PrepareRequest, SweepRequest
from engine.results import owners
from engine.results.jobs import Jobs
from engine.results.library import open_library
from engine.results.store import Store
from engine.settings import Settings
from pages.common.asking import cancelling, door
from pages.common.lab import browsers, registry, shared, visitors
from pages.common.lab.permissions import NotAllowed
from tests.support.pages import SMALL, Open, words

TOKEN = "a-token-of-these-tests"
STUDENT = {browsers.VISITOR: "s" * 32}
OTHER = {browsers.VISITOR: "o" * 32}
TEACHER = {browsers.VISITOR: "t" * 32, browsers.TEACHER: TOKEN}
NEW = replace(SMALL, targets=(9,), restarts=2)
Come = Callable[[dict[str, str]], None]


@pytest.fixture
def come(settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> Come:
    """The lab in class mode with an empty queue, from which no worker takes anything. Calling it
    has a browser with these cookies come."""
    monkeypatch.setenv("IAL_MODE", "class")
    monkeypatch.setenv("IAL_TEACHER_TOKEN", TOKEN)
    monkeypatch.setenv("IAL_VISITOR_JOBS", "1")
    monkeypatch.setenv("IAL_WORKERS", "no")
    begun = Jobs.__init__

    def elsewhere(self: Jobs, settings: Settings) -> None:
        begun(self, settings)
        self.folder = tmp_path / "jobs"

    monkeypatch.setattr(Jobs, "__init__", elsewhere)
    shared.open_lab.cache_clear()

    def comes(cookies: dict[str, str]) -> None:
        monkeypatch.setattr(visitors, "cookies", lambda: cookies)

    comes(STUDENT)
    return comes


def jobs(settings: Settings) -> Jobs:
    return Jobs(replace(settings, workers=False))


def open_attack(open_page: Open, target: int = 9) -> AppTest:
    return open_page(
        registry.page("move-one-sample"), dataset="small", target=target, radius=0.5, restarts=2
    )


def test_a_student_attacks_and_may_have_so_many_at_once(
    come: Come, open_page: Open, settings: Settings
) -> None:
    app = open_attack(open_page)
    assert "Class mode. You can open everything" in app.sidebar.caption[0].value
    app.button(key="run").click().run()
    assert not app.exception
    ((job, state),) = jobs(settings).all()
    assert state.status == "queued"
    assert "next in line" in words(app)
    come(OTHER)
    other = open_attack(open_page, 10)
    other.button(key="run").click().run()
    assert "behind 1 other job" in words(other)
    come(STUDENT)
    again = open_attack(open_page, 11)
    again.button(key="run").click().run()
    assert "as many as one visitor may" in again.warning[0].value
    assert len(jobs(settings).all()) == 2
    app.button(key=f"cancel-{job.id}").click().run()
    assert [state.status for _, state in jobs(settings).all()] == ["queued", "cancelled"]


def test_a_student_does_not_see_how_to_cancel_what_others_asked_for(
    come: Come, open_page: Open, settings: Settings
) -> None:
    job = jobs(settings).submit("attack", NEW, "somebody else")
    app = open_page(registry.page("results"))
    keys = [str(button.key) for button in app.button]
    assert f"cancel-{job}" not in keys
    assert f"ask-{job}" not in keys
    come(TEACHER)
    app = open_page(registry.page("results"))
    app.button(key=f"cancel-{job}").click().run()
    assert jobs(settings).state(job).status == "cancelled"


def test_what_is_refused_is_refused_where_it_happens(
    come: Come, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    state: dict[str, object] = {}
    monkeypatch.setattr(st, "session_state", state)
    theirs = jobs(settings).submit("attack", NEW, "somebody else")
    cancelling.cancel(theirs)
    assert "only the teacher can cancel" in str(state.pop("refusal"))
    assert jobs(settings).state(theirs).status == "queued"
    for name, request in (("sweep", SweepRequest("small")), ("prepare", PrepareRequest("german"))):
        with pytest.raises(NotAllowed, match="only the teacher"):
            door.ask(name, request)
    with pytest.raises(NotAllowed, match="take minutes"):
        door.ask("attack", AttackRequest(targets=(919,), steps=200_000))
    assert len(jobs(settings).all()) == 1


@pytest.mark.parametrize(
    ("module", "call", "says"),
    [
        ("pages/evidence/results_and_jobs.py", "delete(found)", "delete results"),
        ("pages/evidence/results_and_jobs.py", "take_in('a.zip', b'')", "import results"),
        ("pages/data/data_sets.py", "delete('small', False)", "remove data sets"),
    ],
)
def test_a_forged_click_of_a_student_does_nothing(
    module: str, call: str, says: str, come: Come, settings: Settings
) -> None:
    """The buttons' callbacks themselves, as a page has them."""
    before = open_library(Store.of(settings)).entries
    names: dict[str, Any] = {}
    source = (registry.LIST.parents[3] / module).read_text("utf-8").removesuffix("page()\n")
    exec(compile(source, module, "exec"), names)
    names["found"] = [entry for entry in before if entry.removable]
    said = eval(call, names)
    kept = (st.session_state.get(k) for k in ("library_said", "refusal"))
    assert says in str([said, *kept])
    for key in ("library_said", "refusal"):
        st.session_state.pop(key, None)
    assert open_library(Store.of(settings)).entries == before
    assert (settings.data_dir / "small.npz").is_file()


def test_a_student_is_not_shown_what_only_the_teacher_does(come: Come, open_page: Open) -> None:
    for url in ("results", "data", "fairness"):
        app = open_page(registry.page(url))
        assert not app.exception
        assert not app.file_uploader, url
        assert "only the teacher" in words(app), url
    come(TEACHER)
    for url in ("results", "data"):
        app = open_page(registry.page(url))
        assert app.file_uploader, url
        assert "only the teacher" not in words(app), url


def test_the_teacher_pauses_the_class_and_lets_it_go_on(
    come: Come, open_page: Open, settings: Settings
) -> None:
    come(TEACHER)
    app = open_page(registry.page("join"))
    app.button(key="pause").click().run()
    assert owners.is_frozen(jobs(settings).folder)
    assert "You have paused" in app.info[0].value
    come(STUDENT)
    student = open_attack(open_page)
    assert "The teacher has paused new computations" in student.info[0].value
    assert student.button(key="run").disabled
    with pytest.raises(NotAllowed, match="paused"):
        door.ask("attack", NEW)
    assert "pause" not in [b.key for b in open_page(registry.page("join")).button]
    come(TEACHER)
    app.run()
    app.button(key="pause").click().run()
    come(STUDENT)
    assert not open_attack(open_page).button(key="run").disabled


def test_the_page_to_project_has_address_and_code(come: Come, open_page: Open) -> None:
    app = open_page(registry.page("join"))
    (poster,) = [e.proto.body for e in app.get("html") if '<div class="ial-join"' in e.proto.body]
    assert "data:image/svg+xml" in poster
    assert TOKEN not in words(app)


def test_outside_class_mode_the_page_says_how_to_begin(open_page: Open) -> None:
    app = open_page(registry.page("join"))
    assert "make class" in words(app)
    assert not app.sidebar.caption or "Class mode" not in app.sidebar.caption[0].value
