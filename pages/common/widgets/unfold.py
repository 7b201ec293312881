"""Expanders and menus whose content is made, and sent to the browser, when they are opened.

Otherwise the content of a closed one is computed and sent before the page is drawn, and loads its
part of Streamlit's script (code, tables, formulas). Each is a fragment, so that opening one runs
nothing else of the page.
"""

from collections.abc import Callable
from functools import partial, wraps
from typing import Literal, ParamSpec, Protocol

import streamlit as st

from pages.common.widgets import fragment

KEY = "unfold-"  # what the keys of all expanders begin with
P = ParamSpec("P")


class Decorator(Protocol):
    def __call__(self, content: Callable[P, None]) -> Callable[P, None]: ...


def section(label: str, key: str) -> Decorator:
    """Decorates a function that writes what an expander holds; `key` is its own on the page."""

    def decorate(content: Callable[P, None]) -> Callable[P, None]:
        @wraps(content)
        def shown(*args: P.args, **kwargs: P.kwargs) -> None:
            show(label, key, partial(content, *args, **kwargs))

        return shown

    return decorate


def show(label: str, key: str, write: Callable[[], None]) -> None:
    """Draw the expander, and what `write` writes into it where it is open."""

    def draw() -> None:
        box = st.expander(label, key=f"{KEY}{key}", on_change="rerun")
        if box.open:
            fragment.fill(box, write)

    fragment.alone(f"{KEY}{key}", draw)


def menu(
    label: str,
    key: str,
    write: Callable[[], None],
    icon: str,
    type: Literal["secondary", "tertiary"] = "secondary",
    width: Literal["content", "stretch"] = "content",
) -> None:
    """Draw a button that opens a menu, and what `write` writes into it where it is open."""

    def draw() -> None:
        box = st.popover(label, type=type, icon=icon, width=width, key=key, on_change="rerun")
        if box.open:
            fragment.fill(box, write)

    fragment.alone(key, draw)
