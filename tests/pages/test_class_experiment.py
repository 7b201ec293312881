"""The class experiment on its pages, by one visitor alone and by a class."""

from collections.abc import Iterator
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from engine.data.load import load_dataset
from engine.experiments import AttackRequest
from engine.experiments.lesson import Outcome
from engine.results import lessons
from engine.results.bundle import write_bundle
from engine.results.library import Entry, open_library, remove, select
from engine.results.store import Store
from engine.settings import PUBLISHED, Settings
from pages.common.lab import browsers, published_results, registry, visitors
from pages.common.lab.shared import ranking_request
from pages.evidence.parts import view_of_result
from pages.lesson.parts import kept_lessons
from tests.support.pages import Open, follow, words

LESSON, WALL = registry.page("lesson"), registry.page("wall")
ATTACK = AttackRequest("small", targets=(0,), k=3, radius=0.5, restarts=1)
NAME = "**<b>Zoë</b>**"
STUDENT = {browsers.VISITOR: "s" * 32}


@pytest.fixture(autouse=True)
def _no_lesson_is_left(settings: Settings) -> Iterator[None]:
    """Before and after each test no lesson is open, and none is kept."""
    yield
    now = lessons.current(settings.cache_dir)
    if now is not None:
        lessons.close(settings.cache_dir, now.name)
    for entry in select(open_library(Store.of(settings)).entries, "lesson"):
        remove(Store.of(settings), entry)


def bet(app: AppTest, moves: str, price: str, name: str = "") -> AppTest:
    app.segmented_control(key="bet_moves").set_value(moves)
    app.segmented_control(key="bet_price").set_value(price)
    app.text_input(key="nickname").set_value(name)
    return app.button(key="attack").click().run()


def kept(settings: Settings) -> list[Entry]:
    return select(open_library(Store.of(settings)).entries, "lesson")


def test_one_visitor_alone_plays_a_lesson_to_its_end(
    open_page: Open, settings: Settings, tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = open_page(LESSON)
    app.selectbox(key="dataset").set_value("small")
    app.selectbox(key="k").set_value(3)
    app.selectbox(key="radius").set_value(0.5)
    app.button(key="begin").click().run()
    assert not app.exception
    assert lessons.current(settings.cache_dir) is not None
    app.button(key="deal").click().run()
    assert "Your sample: number" in words(app)
    app.button(key="attack").click().run()  # without a bet
    assert "Bet on both first" in app.warning[0].value
    bet(app, "Yes, it will", "less than 1 point", NAME)
    assert not app.exception
    follow(app, lambda: "of 2 points" in words(app))
    assert "<b>Zoë" not in words(app)

    wall = open_page(WALL)
    assert not wall.exception
    assert "1 sample" in words(wall)
    assert "&lt;b&gt;Zoë&lt;/b&gt;" in words(wall)
    assert "<b>Zoë" not in words(wall)
    assert wall.get("plotly_chart")
    keep, open_then = kept_lessons.keep, []

    def keep_and_look(*given: Any) -> None:  # as `keep` takes it
        keep(*given)
        open_then.append(lessons.current(settings.cache_dir))

    monkeypatch.setattr(kept_lessons, "keep", keep_and_look)
    wall.button(key="close").click().run()
    assert not wall.exception
    (before,) = open_then
    assert before is not None, "a wall that finds no open lesson finds it among those kept"
    assert lessons.current(settings.cache_dir) is None
    assert "This lesson is over" in words(wall), "what it is kept as is shown at once"
    begun = lessons.begin(settings.cache_dir, ATTACK)
    wall.run()
    wall.button(key="open-now").click().run()
    assert not wall.exception
    assert "Nobody has finished an attack yet" in words(wall)
    lessons.close(settings.cache_dir, begun.name)

    (entry,) = kept(settings)
    request = entry.manifest.request
    assert request["nicknames"] == [NAME]
    view = view_of_result.view_of(kept_lessons.request_of(opened(request["lesson"])))
    assert view is not None
    over = open_page(view.page, **view.parameters)
    assert not over.exception
    assert "This lesson is over" in words(over)
    assert "1 sample" in words(over)
    assert "<b>Zoë" not in words(over)
    with (tmp_path / "lesson.zip").open("wb") as file:
        write_bundle([entry], file)
    assert (tmp_path / "lesson.zip").stat().st_size > 500
    listed = open_page(registry.page("results"), experiment="lesson")
    assert not listed.exception
    (table,) = [d.value for d in listed.dataframe if "asked for" in d.value]
    (asked,) = table["asked for"]
    assert asked.startswith("model moves 50%, top 3")
    assert "Zoë" not in asked


def opened(name: object):
    stored = kept_lessons.find(str(name))
    assert stored is not None
    return stored


def test_the_wall_is_filled_by_what_others_wrote(open_page: Open, settings: Settings) -> None:
    """Another server's visitors: their files are all that this one sees."""
    lesson = lessons.begin(settings.cache_dir, ATTACK)
    wall = open_page(WALL)
    assert "Nobody has finished an attack yet" in words(wall)
    for i in range(3):
        lessons.choose(lesson, f"v{i}", 10 + i)
        lessons.enter(lesson, settings.cache_dir, f"v{i}", "", "yes", 1, f"job{i}")
        lessons.write_outcome(lesson, i + 1, Outcome(10 + i, 40, i + 2, 60, i < 2, 0.015))
    wall.run()
    assert "2 of 3 samples moved into the top 3" in words(wall)
    assert "No. 3" in words(wall)


def test_a_student_waits_for_the_teacher_and_has_so_many_tries(
    open_page: Open, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IAL_MODE", "class")
    monkeypatch.setattr(visitors, "cookies", lambda: STUDENT)
    app = open_page(LESSON)
    assert "has not begun a lesson yet" in words(app)
    assert "begin" not in [button.key for button in app.button]
    lesson = lessons.begin(settings.cache_dir, ATTACK)
    app = open_page(LESSON)
    app.button(key="deal").click().run()
    assert not app.exception
    assert "close" not in [button.key for button in open_page(WALL).button]
    visitor = browsers.name_of(STUDENT)
    for i in range(5):
        lessons.choose(lesson, visitor, 10 + i)
        lessons.enter(lesson, settings.cache_dir, visitor, "", "yes", 1, f"job{i}")
        lessons.write_outcome(lesson, i + 1, Outcome(10 + i, 40, 2, 60, True, 0.015))
    app = open_page(LESSON)
    assert "look at the wall now" in words(app)
    assert "deal" not in [button.key for button in app.button]


def test_a_sample_that_is_at_the_top_already_is_not_taken(
    open_page: Open, settings: Settings
) -> None:
    lessons.begin(settings.cache_dir, ATTACK)
    app = open_page(LESSON)
    content = load_dataset("small", settings.data_dir).content_hash
    stored = Store.of(settings).find("ranking", ranking_request(ATTACK), content)
    assert stored is not None
    app.number_input(key="own_sample").set_value(int(stored.result.test.top(1)[0]))
    app.button(key="take").click().run()
    assert "is in the top 3 already. Choose another" in app.warning[0].value
    app.number_input(key="own_sample").set_value(int(stored.result.test.top(60)[-1]))
    app.button(key="take").click().run()
    assert "at rank 60" in words(app)


def test_the_wall_shows_the_published_rate_before_a_lesson(open_page: Open) -> None:
    """Counted again from the published sweep: the returned models, at any cost in accuracy."""
    request = published_results.request_of("cost", "digits")
    assert request is not None
    stored = Store(PUBLISHED, PUBLISHED).find_published("sweep", request)
    assert stored is not None
    table = stored.result
    rows = table[(table["k"] == 10) & (table["radius"] == 0.3)]
    rows = rows[rows["objective"] == "higher_ranked"]
    hits = int((rows["rank_test"] <= 10).sum())
    app = open_page(WALL)
    assert not app.exception
    assert f"{hits} of {len(rows)} attacks moved their sample into the top 10" in words(app)
    assert len(app.get("plotly_chart")) == 1


def test_a_lesson_that_is_not_here_is_said(open_page: Open) -> None:
    app = open_page(WALL, lesson="2026-01-01-abcdef01")
    assert not app.exception
    assert "No lesson is open" in words(app)
    assert "The link asks for" in words(app)
