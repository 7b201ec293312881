"""Cancelling a computation: at once by who asked for it, of others' after a second question."""

import streamlit as st

from engine.errors import EngineError
from pages.common.asking.refusals import refuse
from pages.common.lab import visitors
from pages.common.lab.permissions import Action
from pages.common.lab.shared import lab, shown

ASKED = "cancel_asked"  # session-state key: the job of which the visitor was asked


def is_mine(job: str) -> bool:
    """Return whether the visitor has asked for a job."""
    return visitors.current().id in lab().jobs.owners_of(job)


def action_on(job: str) -> Action:
    """Return what cancelling a job counts as among the permissions."""
    return Action.CANCEL_OWN if is_mine(job) else Action.CANCEL_OTHERS


def cancel(job: str) -> None:
    """Take back what the visitor asked for, or end what others did; as a button's callback. What
    others have asked for too goes on for them."""
    jobs, action = lab().jobs, action_on(job)
    st.session_state.pop(ASKED, None)
    try:
        visitors.check(action)
    except EngineError as error:
        refuse(shown(error))
        return
    if action is Action.CANCEL_OWN:
        jobs.withdraw(job, visitors.current().id)
    else:
        jobs.cancel(job)


def ask(job: str) -> None:
    """Ask whether to cancel what others have asked for, as a button's callback."""
    st.session_state[ASKED] = job


def leave() -> None:
    """Do not cancel it, as a button's callback."""
    st.session_state.pop(ASKED, None)


def button(job: str) -> None:
    """Show the button that cancels a job, where the visitor may."""
    action = action_on(job)
    if visitors.refusal(action):
        st.caption("Somebody else's")
        return
    if not visitors.asks_first(action):
        st.button("Cancel", key=f"cancel-{job}", on_click=cancel, args=(job,))
        return
    if st.session_state.get(ASKED) != job:
        st.button("Cancel …", key=f"ask-{job}", on_click=ask, args=(job,))
        return
    st.caption("You did not start this. Cancel it for everybody?")
    with st.container(horizontal=True):
        st.button("Cancel it", key=f"cancel-{job}", on_click=cancel, args=(job,))
        st.button("Let it run", key=f"leave-{job}", on_click=leave)
