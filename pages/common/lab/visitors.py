"""Who visits: an anonymous id for each browser, and whether it is the teacher's.

`pages.common.lab.browsers` says where the id comes from.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass

import streamlit as st

from engine.results import owners
from engine.settings import teacher_token
from pages.common.lab import browsers, permissions
from pages.common.lab.permissions import Action, Mode, Role, Verdict
from pages.common.lab.shared import lab

ID = "visitor_id"  # session-state key, where there is no cookie


@dataclass(frozen=True)
class Visitor:
    """Whoever looks at a page. id: names the browser in files, and opens nothing."""

    id: str
    role: Role


def cookies() -> Mapping[str, str]:
    """Return the lab's cookies of this session; none where there is no browser."""
    held = {name: st.context.cookies.get(name) for name in (browsers.VISITOR, browsers.TEACHER)}
    return {name: value for name, value in held.items() if isinstance(value, str)}


def current() -> Visitor:
    """Return the visitor of this session."""
    held = cookies()
    known = browsers.name_of(held) or own_name()
    is_teacher = browsers.is_token(held.get(browsers.TEACHER, ""), teacher_token())
    return Visitor(known, Role.TEACHER if is_teacher else Role.STUDENT)


def own_name() -> str:
    """Return the name of a session whose browser keeps no cookies."""
    if ID not in st.session_state:
        st.session_state[ID] = secrets.token_hex(12)
    return str(st.session_state[ID])


def mode() -> Mode:
    return Mode(lab().settings.mode)


def frozen() -> bool:
    """Return whether the teacher has paused the class."""
    return mode() is Mode.CLASS and owners.is_frozen(lab().jobs.folder)


def is_limited() -> bool:
    """Return whether the visitor is one of many, of whom none may fill the queue."""
    return mode() is Mode.CLASS and current().role is Role.STUDENT


def refusal(action: Action) -> str:
    """Say why the visitor may not do something; empty where they may."""
    return permissions.refusal(action, current().role, mode(), frozen())


def asks_first(action: Action) -> bool:
    """Return whether the visitor is to confirm it."""
    return permissions.verdict(action, current().role, mode(), frozen()) is Verdict.ASK


def check(action: Action) -> None:
    """Raise NotAllowed where the visitor may not do something. Every function that does it calls
    this first."""
    permissions.check(action, current().role, mode(), frozen())
