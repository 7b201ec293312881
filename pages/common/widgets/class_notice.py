"""What class mode says on every page: who the visitor is, and that the teacher has paused."""

import streamlit as st

from pages.common.lab import permissions, visitors
from pages.common.lab.permissions import Action, Mode, Role


def show() -> None:
    """Nothing outside class mode."""
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
