"""A class that plays a lesson in Chromium: what the browser test and the benchmark share."""

import re
from dataclasses import dataclass

from playwright.sync_api import Page, expect

from tests.support.browser import Visit, Visits
from tests.support.browser_pages import SLOW

TEACHER_TOKEN = "the-token-of-the-browser-tests"
NICKNAMES = ("", "<b>Bo</b>", "**Ann**", "[x](http://e)", "日本", "<img src=x>", "Zoë", "A & B")
SCORED = re.compile(r"[012] of 2 points")


@dataclass(frozen=True)
class Class:
    """A teacher, students, and the wall, each in a browser of its own."""

    teacher: Visit
    students: list[Visit]
    wall: Visit


def gather(visits: Visits, count: int) -> Class:
    """Have the teacher begin a lesson, and so many students and a wall open their pages."""
    teacher = visits.open(f"/?teacher={TEACHER_TOKEN}")
    heading(teacher.page)
    assert TEACHER_TOKEN not in teacher.page.url
    click_page(teacher.page, "The class experiment")
    teacher.page.get_by_role("button", name="Begin the lesson").click(timeout=SLOW)
    dealing(teacher.page)
    wall = visits.open("/")
    heading(wall.page)
    click_page(wall.page, "The wall")
    students = [visits.open("/") for _ in range(count)]
    for student in students:
        heading(student.page)
        click_page(student.page, "The class experiment")
    return Class(teacher, students, wall)


def heading(page: Page) -> None:
    expect(page.locator("h1").first).to_be_visible(timeout=SLOW)


def click_page(page: Page, title: str) -> None:
    """Through the navigation: a first visit by a link has Streamlit look for two files in vain."""
    page.get_by_test_id("stSidebarNav").get_by_text(title, exact=True).click()
    expect(page.get_by_role("heading", name=title, exact=True)).to_be_visible(timeout=SLOW)


def dealing(page: Page) -> None:
    expect(page.get_by_role("button", name="Deal me a sample")).to_be_visible(timeout=SLOW)


def bet(page: Page, number: int) -> None:
    """Take a sample, bet, and begin the attack."""
    page.get_by_role("button", name="Deal me a sample").click(timeout=SLOW)
    attack = page.get_by_role("button", name="Place the bet and attack")
    expect(attack).to_be_visible(timeout=SLOW)
    page.get_by_text("Yes, it will", exact=True).click()
    page.get_by_text("1 to 2 points" if number % 2 else "2 to 3 points", exact=True).click()
    nickname = NICKNAMES[number % len(NICKNAMES)]
    if nickname:
        field = page.get_by_label("Nickname, if you like")
        field.fill(nickname)
        field.press("Tab")
    attack.click()


def play(lesson: Class) -> None:
    """Everybody bets and attacks, and waits until the result is on their page."""
    for number, student in enumerate(lesson.students):
        bet(student.page, number)
    for student in lesson.students:
        expect(student.page.get_by_text(SCORED).first).to_be_visible(timeout=3 * SLOW)
