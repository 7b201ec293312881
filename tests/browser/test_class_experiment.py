"""A class in Chromium: the teacher's link, students who play a lesson, the wall, and its end."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.support.browser import LAB, Visits, start_server, stop_server, wait_until_healthy
from tests.support.browser_pages import SLOW
from tests.support.class_play import TEACHER_TOKEN, click_page, gather, play

STUDENTS = 3
CLASS = {"IAL_MODE": "class", "IAL_TEACHER_TOKEN": TEACHER_TOKEN, "IAL_OPEN_FIRST": "no"}


@pytest.fixture
def class_visits(chromium: Browser, tmp_path: Path) -> Iterator[Visits]:
    """Visits of a lab in class mode."""
    on_this_machine = (*LAB, "--server.address", "127.0.0.1")
    process, address = start_server(tmp_path, what=on_this_machine, environment=CLASS)
    try:
        wait_until_healthy(process, address, tmp_path)
        made = Visits(address, chromium)
        yield made
        made.close()
    finally:
        stop_server(process, tmp_path)


@pytest.mark.long
def test_a_class_plays_a_lesson_to_its_end(class_visits: Visits) -> None:
    lesson = gather(class_visits, STUDENTS)
    students, wall = lesson.students, lesson.wall.page
    cookies = {c["name"]: c for c in students[0].page.context.cookies()}
    assert cookies["ial_visitor"]["httpOnly"]
    assert "ial_teacher" not in cookies
    play(lesson)

    expect(wall.get_by_text(re.compile(rf"\d of {STUDENTS} samples moved into"))).to_be_visible(
        timeout=SLOW
    )
    expect(wall.get_by_text("<b>Bo</b>").first).to_be_visible()
    expect(wall.get_by_text("**Ann**").first).to_be_visible()
    expect(wall.locator(".js-plotly-plot .main-svg").first).to_be_visible(timeout=SLOW)
    assert wall.get_by_role("button", name="Close the lesson").count() == 0

    # What was dealt to one is nobody else's, and a reload shows what one has found.
    found = [s.page.get_by_text(re.compile(r"^Sample \d+ ")).first.inner_text() for s in students]
    assert len({text.split()[1] for text in found}) == STUDENTS
    students[0].page.goto(class_visits.address)
    click_page(students[0].page, "The class experiment")
    expect(students[0].page.get_by_text(re.compile(r"[012] of 2 points")).first).to_be_visible(
        timeout=SLOW
    )

    teacher = lesson.teacher.page
    click_page(teacher, "The wall")
    teacher.get_by_role("button", name="Close the lesson and keep it").click(timeout=SLOW)
    expect(teacher.get_by_text("This lesson is over").first).to_be_visible(timeout=SLOW)
    expect(wall.get_by_text("No lesson is open").first).to_be_visible(timeout=SLOW)
    name = re.compile(r"\d{4}-\d\d-\d\d-[0-9a-f]{8}")
    wall.get_by_role("button", name=name).click(timeout=SLOW)
    expect(wall.get_by_text("This lesson is over").first).to_be_visible(timeout=SLOW)
    for page in (teacher, wall):
        assert re.search(rf"[?&]lesson={name.pattern}", page.url)
    for visit in class_visits.opened:
        visit.check()


def test_a_wrong_link_of_a_teacher_opens_nothing(class_visits: Visits) -> None:
    page = class_visits.chromium.new_page()
    answer = page.goto(f"{class_visits.address}/?teacher=a-guess-of-somebody")
    assert answer is not None
    assert answer.status == 403
    assert "not the one of this server" in page.content()
    page.close()
