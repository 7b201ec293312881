"""What a reader opens to see: made, and sent to the browser, when it is opened.

What a closed expander or popover holds is otherwise computed, sent, and has its part of Streamlit's
script loaded (code, tables, formulas) before the page is drawn. Each is a fragment: opening one
runs nothing else of the page.
"""

from collections.abc import Callable
from functools import wraps
from typing import Literal, ParamSpec, Protocol

import streamlit as st
from streamlit.elements.lib.mutable_expander_container import ExpanderContainer
from streamlit.elements.lib.mutable_popover_container import PopoverContainer

KEY = "unfold-"  # what the keys of all of them begin with
P = ParamSpec("P")


class Decorator(Protocol):
    def __call__(self, content: Callable[P, None]) -> Callable[P, None]: ...


def section(label: str, key: str) -> Decorator:
    """Decorates a function that writes what an expander holds; `key` is its own on the page."""
    return _when_opened(lambda: st.expander(label, key=f"{KEY}{key}", on_change="rerun"))


def menu(
    label: str,
    key: str,
    icon: str,
    type: Literal["secondary", "tertiary"] = "secondary",
    width: Literal["stretch", "content"] = "content",
) -> Decorator:
    """Decorates a function that writes what a popover holds; `key` is its own on the page."""
    name = f"{KEY}{key}"
    return _when_opened(
        lambda: st.popover(label, key=name, on_change="rerun", icon=icon, type=type, width=width)
    )


def _when_opened(make: Callable[[], ExpanderContainer | PopoverContainer]) -> Decorator:
    def decorate(content: Callable[P, None]) -> Callable[P, None]:
        @st.fragment
        @wraps(content)
        def drawn(*args: P.args, **kwargs: P.kwargs) -> None:
            box = make()
            if box.open:
                with box:
                    content(*args, **kwargs)

        return drawn

    return decorate
