"""The wall: the class experiment's results as they arrive, or those of a lesson that is over."""

import streamlit as st

from engine.results.lessons import Lesson
from pages.common.asking.form import Form
from pages.common.asking.refusals import show_refusal
from pages.common.lab import registry, visitors
from pages.common.lab.permissions import Action
from pages.common.lab.shared import badge_of
from pages.common.widgets import blocks
from pages.common.words.wording import stamp
from pages.lesson.parts import kept_lessons, lesson_state, steps, wall_view

PAGE = registry.page("wall")
LOOK_SECONDS = 2.0
PURPOSE = (
    "The projector shows this page in a lesson: every student attacks one training sample, and all "
    "results appear here."
)


def live(lesson: Lesson) -> None:
    """Show an open lesson; read what is new at intervals."""
    known = lesson_state.look(lesson)
    running = lesson_state.running(known)
    wall_view.show(known.table(lesson.attack.k), lesson.attack, running)
    until_it_changes(lesson, (len(known.outcomes), running))


@st.fragment(run_every=LOOK_SECONDS)
def until_it_changes(lesson: Lesson, shown: tuple[int, int]) -> None:
    """Run the page again once the lesson is over, or once the number of attacks that are done or
    running is not the one `shown`. Draws nothing: a look sends nothing to the browser."""
    now = lesson_state.current()
    if now is None or now.name != lesson.name:
        st.rerun()
    known = lesson_state.look(lesson)
    if (len(known.outcomes), lesson_state.running(known)) != shown:
        st.rerun()


@st.fragment(run_every=LOOK_SECONDS)
def until_it_begins() -> None:
    """Wait for a lesson."""
    if lesson_state.current() is not None:
        st.rerun()
    st.caption("No lesson is open now, so your class has no results yet.")
    blocks.main_link("lesson", "Begin a lesson →", "lesson")
    steps.show()


def over(name: str) -> None:
    """Show a lesson that is over, from its stored result."""
    stored = kept_lessons.find(name)
    if stored is None:
        st.warning(f"The lesson `{name}` is not on this server. Import a bundle that holds it.")
        return
    st.caption(
        f"This lesson is over. It was closed on {stamp(stored.manifest.created)} · "
        f"{badge_of(stored)}"
    )
    request = kept_lessons.request_of(stored)
    wall_view.show(stored.result, request.attack_on(request.targets[0]), stored=stored)


def earlier(names: list[str]) -> None:
    """Show the way to lessons that are over."""
    if not names:
        return
    st.caption("Lessons that are over:")
    with st.container(horizontal=True):
        for name in names[:8]:
            st.button(name, key=f"over-{name}", on_click=lesson_state.look_at, args=(name,))


def page() -> None:
    st.title(PAGE.title)
    st.markdown(PURPOSE)
    form, names = Form(), kept_lessons.names()
    chosen = form.clicked(lesson_state.CLOSED, names)
    form.finish()
    show_refusal()
    lesson = lesson_state.current()
    if chosen is not None:
        over(chosen)
        if lesson is not None:
            st.button(
                "The lesson that is open now →",
                key="open-now",
                on_click=lesson_state.look_at,
                args=(None,),
            )
        return
    if lesson is None:
        wall_view.before(lesson_state.DATASET, lesson_state.K, lesson_state.RADIUS)
        until_it_begins()
    else:
        live(lesson)
        if not visitors.refusal(Action.LESSON):
            st.button(
                "Close the lesson and keep it",
                key="close",
                on_click=lesson_state.close,
                args=(lesson,),
            )
        blocks.main_link("lesson", "Take part →", "lesson")
    earlier(names)


page()
