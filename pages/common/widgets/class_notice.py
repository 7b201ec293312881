"""What class mode says on every page: who the visitor is, and that the teacher has paused."""

from collections.abc import Sequence

import streamlit as st

from pages.common.lab import permissions, visitors
from pages.common.lab.permissions import Action, Mode, Role
from pages.common.lab.registry import PageEntry

SECTION = "Class"  # of the registry


def in_order(pages: Sequence[PageEntry]) -> list[PageEntry]:
    """Return the pages as the navigation has them: in class mode those of the class come first."""
    in_class = visitors.mode() is Mode.CLASS
    return sorted(pages, key=lambda page: in_class and page.section != SECTION)


def show() -> None:
    """Show the notice of class mode; nothing in any other mode."""
    if visitors.mode() is not Mode.CLASS:
        return
    teacher = visitors.current().role is Role.TEACHER
    st.sidebar.caption(
        "Class mode. You are the teacher: you can do everything."
        if teacher
        else "Class mode. You can open everything, attack, and start short computations."
    )
    if visitors.frozen():
        st.info(
            "You have paused new computations for the class; go on from the page “Join the class”."
            if teacher
            else permissions.refusal(Action.COMPUTE, Role.STUDENT, Mode.CLASS, frozen=True),
            icon=":material/pause_circle:",
        )
