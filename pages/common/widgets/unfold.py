"""Expanders and popovers whose content is made, and sent to the browser, when they are opened.

Otherwise the content of a closed one is computed and sent before the page is drawn, and loads its
part of Streamlit's script (code, tables, formulas). Each is a fragment, so that opening one runs
nothing else of the page. Within another fragment it is no fragment of its own: where the outer one
runs again before its messages were sent, Streamlit drops them, but sends those of an inner
fragment. The browser would get elements without their container, and the page would break.
"""

from collections.abc import Callable
from functools import wraps
from typing import Literal, ParamSpec, Protocol

import streamlit as st
from streamlit.delta_generator_singletons import context_dg_stack
from streamlit.elements.lib.mutable_expander_container import ExpanderContainer
from streamlit.elements.lib.mutable_popover_container import PopoverContainer
from streamlit.runtime.scriptrunner_utils.script_run_context import (
    ThreadState,
    get_script_run_ctx,
)

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
        @wraps(content)
        def drawn(*args: P.args, **kwargs: P.kwargs) -> None:
            box = make()
            if box.open:
                with box:
                    content(*args, **kwargs)

        alone = st.fragment(drawn)

        @wraps(content)
        def shown(*args: P.args, **kwargs: P.kwargs) -> None:
            within = get_script_run_ctx() is not None and ThreadState.get().fragment_id is not None
            if within:
                drawn(*args, **kwargs)
                return
            # A fragment copies every container around it, each with those around that, which costs
            # more than what it draws: it needs the innermost alone, and the page below it, without
            # which Streamlit takes a single container for the page itself.
            around = context_dg_stack.get()
            before = context_dg_stack.set((*around[:1], *around[1:][-1:]))
            try:
                alone(*args, **kwargs)
            finally:
                context_dg_stack.reset(before)

        return shown

    return decorate
