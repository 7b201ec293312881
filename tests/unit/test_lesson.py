"""A lesson: its files, which several servers share, its bets, and the result that it is kept as."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from engine.errors import InvalidInput
from engine.experiments import EXPERIMENTS, AttackRequest, Context, LessonRequest, make_request
from engine.experiments.attack import run_attack
from engine.experiments.lesson import (
    LESSON,
    NICKNAME,
    PRICE_BOUNDS,
    Outcome,
    class_of_price,
    lesson_table,
    points_of_bet,
)
from engine.results import lessons
from engine.results.lessons import LessonClosed
from engine.results.manifest import key
from engine.statistics import wilson_interval
from pages.lesson.parts import lesson_words as words
from pages.lesson.parts import wall_figures
from tests.support.problems import random_problem

ATTACK = AttackRequest("small", targets=(0,), k=3, radius=0.5, restarts=1, steps=20)
HOSTILE = ["<b>B</b>", "**Ann**", "[x](http://e)", "<img src=x>", "`a` $b$"]
FOUND = [
    Outcome(4, 40, 2, 60, True, 0.012),
    Outcome(9, 50, 31, 60, False, -0.004),
    Outcome(7, 12, 1, 60, True, 0.034),
]


# The files.


def test_a_lesson_opens_for_every_process_and_closes(tmp_path):
    assert lessons.current(tmp_path) is None
    lesson = lessons.begin(tmp_path, ATTACK)
    again = lessons.current(tmp_path)
    assert again == lesson
    assert again.attack == ATTACK
    later = lessons.begin(tmp_path, replace(ATTACK, k=1))
    lessons.close(tmp_path, lesson.name)  # no longer the open one: nothing happens
    assert lessons.current(tmp_path) == later
    lessons.close(tmp_path, later.name)
    assert lessons.current(tmp_path) is None
    assert lessons.lesson_named(tmp_path, lesson.name) == lesson


@pytest.mark.parametrize("name", ["", "..", "../jobs", "a/b", "x" * 41, "unknown"])
def test_a_name_is_no_path(tmp_path, name):
    lessons.begin(tmp_path, ATTACK)
    assert lessons.lesson_named(tmp_path, name) is None


def test_what_is_damaged_is_no_lesson(tmp_path):
    lesson = lessons.begin(tmp_path, ATTACK)
    for text in ("", "[]", '{"k": 3, "unheard": 1}', '{"k": -3}'):
        (lesson.folder / lessons.LESSON).write_text(text)
        assert lessons.current(tmp_path) is None


def test_samples_are_distinct_while_they_last(tmp_path):
    lesson, candidates = lessons.begin(tmp_path, ATTACK), list(range(40))
    with ThreadPoolExecutor(8) as pool:  # thirty who click at once
        dealt = list(
            pool.map(lambda i: lessons.deal(lesson, f"v{i}", candidates), range(len(candidates)))
        )
    assert sorted(dealt) == candidates
    more = lessons.deal(lesson, "late", candidates)
    assert more in candidates
    assert lessons.hand(lesson, "late") == more
    assert lessons.hand(lesson, "nobody") is None


def test_a_sample_that_is_given_back_can_be_dealt_again(tmp_path):
    lesson = lessons.begin(tmp_path, ATTACK)
    assert lessons.deal(lesson, "ann", [5]) == 5
    lessons.deal(lesson, "ann", [6])
    assert lessons.hand(lesson, "ann") == 6
    lessons.deal(lesson, "bob", [5])
    lessons.choose(lesson, "ann", 5)  # chosen, although bob has it
    assert (lessons.hand(lesson, "ann"), lessons.hand(lesson, "bob")) == (5, 5)
    lessons.deal(lesson, "ann", [7])
    assert (lesson.folder / "samples" / "5").read_text() == "bob"
    with pytest.raises(InvalidInput):
        lessons.hand(lesson, "../../x")


def test_bets_are_numbered_in_order_and_read_by_every_server(tmp_path):
    lesson = lessons.begin(tmp_path, ATTACK)
    with ThreadPoolExecutor(8) as pool:

        def enter(i):
            lessons.deal(lesson, f"v{i}", list(range(60)))
            return lessons.enter(lesson, tmp_path, f"v{i}", f"n{i}", "yes", i % 4, f"job{i}")

        made = list(pool.map(enter, range(20)))
    assert sorted(entry.number for entry in made) == list(range(1, 21))
    assert lessons.entry_names(lesson) == list(range(1, 21))
    for entry in made:
        assert lessons.read_entry(lesson, entry.number) == entry
        assert lessons.hand(lesson, entry.visitor) is None
    assert lessons.read_outcome(lesson, 3) is None
    lessons.write_outcome(lesson, 3, FOUND[0])
    assert lessons.read_outcome(lesson, 3) == FOUND[0]
    assert not [path for path in lesson.folder.rglob(".*") if path.is_file()], "nothing half made"


def test_a_bet_needs_a_sample_and_an_open_lesson(tmp_path):
    lesson = lessons.begin(tmp_path, ATTACK)
    with pytest.raises(InvalidInput, match="one that was dealt"):
        lessons.enter(lesson, tmp_path, "ann", "", "yes", 0, "job")
    lessons.deal(lesson, "ann", [5])
    for name, moves, price in (("x" * 21, "yes", 0), ("a\nb", "yes", 0), ("", "maybe", 0),
                               ("", "yes", 4), ("", "yes", -1)):  # fmt: skip
        with pytest.raises(InvalidInput):
            lessons.enter(lesson, tmp_path, "ann", name, moves, price, "job")
    assert lessons.entry_names(lesson) == []
    lessons.close(tmp_path, lesson.name)
    with pytest.raises(LessonClosed):
        lessons.enter(lesson, tmp_path, "ann", "", "yes", 0, "job")


# Bets.


@pytest.mark.parametrize(
    ("drop", "expected"),
    [(-0.3, 0), (0, 0), (0.0099, 0), (0.01, 1), (0.97 - 0.95, 2), (0.0299, 2), (0.03, 3), (1, 3)],
)
def test_the_class_of_a_price(drop, expected):
    assert class_of_price(drop) == expected
    assert len(words.price_names()) == len(PRICE_BOUNDS) + 1


def test_a_bet_has_a_point_for_the_move_and_one_for_the_price():
    assert points_of_bet("yes", 1, True, 0.015) == 2
    assert points_of_bet("no", 1, True, 0.015) == 1
    assert points_of_bet("no", 0, False, 0.015) == 1
    assert points_of_bet("yes", 0, False, 0.015) == 0


# The experiment.


def test_the_attacks_of_a_lesson_are_those_of_the_store_or_are_made(monkeypatch):
    """The table agrees with the attacks made one by one, whether they are found or computed."""
    dataset, _ = random_problem(3)
    request = LessonRequest(
        "small", k=3, radius=0.5, restarts=1, steps=20, lesson="a-1", targets=(7, 9, 7),
        nicknames=("", "Bo", "<i>"), bets_moved=("yes", "no", "yes"), bets_price=(0, 1, 2),
    )  # fmt: skip
    assert request.attack_on(9) == AttackRequest(
        "small", targets=(9,), k=3, radius=0.5, restarts=1, steps=20
    )
    alone = {t: run_attack(request.attack_on(t), dataset, Context(device="cpu")) for t in (7, 9)}
    kept: list[object] = []

    def find(name, asked):
        return alone[7] if name == "attack" and asked.targets == (7,) else None

    context = Context(device="cpu", find=find, keep=lambda *of: kept.append(of[1]))
    table = LESSON.run(request, dataset, context)
    assert table["sample"].tolist() == [7, 9, 7]
    for _, row in table.iterrows():
        result = alone[row["sample"]]
        assert row["rank_after"] == result.rank_test
        assert row["accuracy_drop"] == pytest.approx(result.accuracy_drop, abs=1e-12)
        assert row["moved"] == result.success
    assert request.attack_on(9) in kept, "what was computed is there for the next"
    expected = lesson_table(
        3, request.nicknames, request.bets_moved, request.bets_price,
        [Outcome.of(alone[t]) for t in request.targets],
    )  # fmt: skip
    pd.testing.assert_frame_equal(table, expected)


def test_what_is_saved_is_opened_again(tmp_path):
    for names, moves, prices in ((["", "Bo", "é"], ["yes", "no", "yes"], [0, 1, 3]), ([], [], [])):
        table = lesson_table(10, names, moves, prices, FOUND)
        folder = tmp_path / str(len(names))
        folder.mkdir()
        LESSON.save(table, folder)
        pd.testing.assert_frame_equal(LESSON.load(folder), table)
        said = LESSON.describe(table)
        ends = wilson_interval(2, 3)
        assert "2 of 3 samples moved into the top 10 (67%, 95% interval" in said
        assert f"{ends.low:.0%} to {ends.high:.0%}" in said
        assert ("bets: " in said) == bool(moves)


def test_equal_requests_have_equal_keys_and_bad_ones_are_refused():
    values: dict[str, object] = {"lesson": "a-1", "targets": (3, 4)}
    values |= {"bets_moved": ["yes", "no"], "bets_price": [0, 1]}
    first, second = (make_request("lesson", values) for _ in range(2))
    assert key("lesson", first, "h") == key("lesson", second, "h")
    other = make_request("lesson", values | {"bets_price": [0, 2]})
    assert key("lesson", first, "h") != key("lesson", other, "h")
    refused: list[tuple[str, object]] = [
        ("lesson", "../x"), ("lesson", ""), ("targets", ()), ("targets", range(1001)),
        ("nicknames", ["a"]), ("nicknames", ["a" * (NICKNAME + 1), "b"]),
        ("nicknames", ["a\x00", "b"]), ("bets_moved", ["yes"]), ("bets_moved", ["sure", "no"]),
        ("bets_price", [0, 9]),
    ]  # fmt: skip
    for name, value in refused:
        with pytest.raises(InvalidInput):
            make_request("lesson", values | {name: value})
    assert EXPERIMENTS["lesson"] is LESSON


def test_a_lesson_is_kept_as_the_entries_that_are_done(tmp_path):
    lesson = lessons.begin(tmp_path, ATTACK)
    done = []
    for visitor, sample, price in (("ann", 5, 0), ("bob", 9, 3)):
        lessons.choose(lesson, visitor, sample)
        done.append(lessons.enter(lesson, tmp_path, visitor, "Zoë", "no", price, "job"))
    request = lessons.kept_request(lesson, done)
    assert request.targets == (5, 9)
    assert (request.bets_moved, request.bets_price) == (("no", "no"), (0, 3))
    assert request.attack_on(5) == lesson.request(5)
    assert "ann" not in json.dumps(request.nicknames), "visitors' ids leave the lesson with nobody"
    with pytest.raises(InvalidInput, match="at least one finished attack"):
        lessons.kept_request(lesson, [])


# What is said.


@pytest.mark.parametrize("name", HOSTILE)
def test_a_nickname_is_text_wherever_it_is_shown(name):
    table = lesson_table(10, [name, "", "Bo"], ["yes"] * 3, [1, 0, 3], FOUND)
    row = words.rows_of(table)[0]
    (shown, *_) = words.caption_of(row)
    assert "<b><" not in shown
    assert "<img" not in shown
    figure = wall_figures.rank_against_price(table).to_json()
    assert "<img" not in figure
    assert "<b>B" not in figure
    assert name not in words.verdict(row)
    assert name not in words.finding(table, None)


def test_the_finding_says_whether_the_published_rate_fits():
    table = lesson_table(10, [], ["yes"] * 3, [1, 0, 3], FOUND)
    assert words.rows_of(table)[1].who == "No. 2"
    inside, outside = pd.Series({"rate": 0.86}), pd.Series({"rate": 0.05})
    assert "2 of 3 samples moved into the top 10" in words.finding(table, inside)
    assert "86%, lies inside" in words.finding(table, inside)
    assert "5%, lies outside" in words.finding(table, outside)
    assert "Nobody" in words.finding(lesson_table(10, [], [], [], []), inside)
    assert words.price(0.0123) == "−1.2 points"
    assert words.price(-0.0123) == "+1.2 points"
    assert words.price(0.0001) == "±0.0 points"
    assert [words.points(p) for p in (None, 0, 1, 2)] == ["", "○○", "●○", "●●"]


def test_the_figure_has_a_mark_for_everybody():
    table = lesson_table(10, ["a", "b", "c"], ["yes"] * 3, [1, 0, 3], FOUND)
    figure = wall_figures.rank_against_price(table)
    drawn = [(x, round(float(y), 2)) for t in figure.data for x, y in zip(t.x, t.y, strict=True)]
    assert sorted(drawn) == [(1, 3.4), (2, 1.2), (31, -0.4)]
    many = pd.concat([table] * 9, ignore_index=True)
    assert all(t.mode == "markers" for t in wall_figures.rank_against_price(many).data)
    assert len(wall_figures.exported(table)) == 3
    assert np.isfinite(table["accuracy_drop"]).all()
