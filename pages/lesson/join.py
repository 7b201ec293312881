"""Join the class: the address and its QR code for the projector, and the teacher's pause button."""

from html import escape

import streamlit as st
from streamlit import config

from engine.errors import EngineError
from engine.results import owners
from engine.settings import ROOT
from pages.common.asking.form import Form
from pages.common.asking.refusals import refuse, show_refusal
from pages.common.lab import address, registry, visitors
from pages.common.lab.permissions import Action, Mode
from pages.common.lab.shared import lab, shown
from pages.common.widgets import blocks, charts
from pages.common.words.wording import count
from pages.lesson.parts import steps

PAGE = registry.page("join")
LINKS = (("lesson", "The lesson →"), ("wall", "The wall →"), ("results", "The queue →"))
BEFORE = (
    "**No class is open here yet.** Students: ask your teacher for the QR code or the address. A "
    "class goes like this:"
)
ALONE = "Play the four steps by yourself. Everything in the lab is open to you."
TEACHER = "Type this in a terminal, in the lab's folder. You get the QR code and a link."


def poster() -> None:
    """Show the address and its code, large enough for the last row."""
    place = address.as_visited(
        lab().settings, st.context.url or "", int(config.get_option("server.port"))
    )
    place = f"{place}/{registry.page('lesson').url}"
    typed = place.removeprefix("http://")
    st.html(
        f'<div class="ial-join"><img src="{address.qr_code(place)}" alt="QR code of the address">'
        f'<div><div class="address">{escape(typed).replace("/", "/<wbr>")}</div>'
        "<ol><li>Scan the code, or type the address.</li>"
        "<li>Take a sample, bet, and attack.</li>"
        "<li>Look at the wall.</li></ol></div></div>"
    )


def pause(on: bool) -> None:
    """Close the queue to students or open it, as a button's callback."""
    try:
        visitors.check(Action.FREEZE)
        owners.freeze(lab().jobs.folder, on)
    except EngineError as error:
        refuse(shown(error))


def controls() -> None:
    """Show what the teacher does from here."""
    charts.heading("For the teacher")
    paused = visitors.frozen()
    going = sum(state.status in ("running", "queued") for _, state in lab().jobs.all(0))
    st.caption(
        f"{count(going, 'computation')} {'runs or waits' if going == 1 else 'run or wait'}. "
        "A student may have "
        f"{count(lab().settings.visitor_jobs, 'computation')} waiting or running at once, and "
        "starts nothing that takes minutes."
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Let the class compute again" if paused else "Pause new computations",
            key="pause",
            type="primary" if paused else "secondary",
            icon=":material/play_arrow:" if paused else ":material/pause:",
            on_click=pause,
            args=(not paused,),
        )
        for url, label in LINKS:
            st.page_link(ROOT / registry.page(url).file, label=label)
    if paused:
        st.caption(
            "Every page tells the students that you have paused. Computations that run go on."
        )


def without_class() -> None:
    """Say what the experiment is, and what a student, a teacher and anybody else can do now."""
    st.markdown(BEFORE)
    steps.show(large=True)
    alone, teacher = st.columns(2, gap="small")
    with alone.container(border=True, height="stretch"):
        st.markdown(f"**Without a class?** {ALONE}")
        blocks.main_link("lesson", "Play without a class →", "lesson")
    with teacher.container(border=True, height="stretch"):
        st.markdown(f"**You teach?** {TEACHER}")
        st.code("make class", "bash")


def page() -> None:
    st.title(PAGE.title)
    Form().finish()
    show_refusal()
    if visitors.mode() is not Mode.CLASS:
        without_class()
        return
    poster()
    if not visitors.refusal(Action.FREEZE):
        controls()


page()
