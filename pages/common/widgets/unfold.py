"""What a reader opens to see: made, and sent to the browser, when it is opened.

What a closed expander or popover holds is otherwise computed, sent, and has its part of Streamlit's
script loaded (code, tables, formulas) before the page is drawn. Each is a fragment: opening one
runs nothing else of the page.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

import streamlit as st

KEY = "unfold-"  # what the keys of all of them begin with
Content = Callable[..., None]
Decorator = Callable[[Content], Content]


def section(label: str, key: str) -> Decorator:
    """Decorates a function that writes what an expander holds; `key` is its own on the page."""
    return _when_opened(lambda: st.expander(label, key=f"{KEY}{key}", on_change="rerun"))


def menu(label: str, key: str, **look: Any) -> Decorator:
    """Decorates a function that writes what a popover holds; `look` is its icon, type and width."""
    return _when_opened(lambda: st.popover(label, key=f"{KEY}{key}", on_change="rerun", **look))


def _when_opened(make: Callable[[], Any]) -> Decorator:
    def decorate(content: Content) -> Content:
        @st.fragment
        @wraps(content)
        def drawn(*args: Any, **kwargs: Any) -> None:
            box = make()
            if box.open:
                with box:
                    content(*args, **kwargs)

        return drawn

    return decorate
