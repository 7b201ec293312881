"""Expanders whose content is made, and sent to the browser, when they are opened.

Otherwise the content of a closed one is computed and sent before the page is drawn, and loads its
part of Streamlit's script (code, tables, formulas). A closed popover loads nothing: one that holds
little needs none of this. Each section is a fragment, so that opening one runs nothing else of the
page. Within another fragment it is no fragment of its own: where the outer one runs again before
its messages were sent, Streamlit drops them, but sends those of an inner fragment. The browser
would get elements without their container, and the page would break.
"""

from collections.abc import Callable
from functools import partial, wraps
from typing import ParamSpec, Protocol

import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from streamlit.delta_generator_singletons import context_dg_stack
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

    def decorate(content: Callable[P, None]) -> Callable[P, None]:
        @wraps(content)
        def shown(*args: P.args, **kwargs: P.kwargs) -> None:
            write = partial(content, *args, **kwargs)
            within = get_script_run_ctx() is not None and ThreadState.get().fragment_id is not None
            if within:
                _draw(label, key, write)
                return
            before = context_dg_stack.set(_innermost(context_dg_stack.get()))
            try:
                _alone(label, key, write)
            finally:
                context_dg_stack.reset(before)

        return shown

    return decorate


def _draw(label: str, key: str, write: Callable[[], None]) -> None:
    box = st.expander(label, key=f"{KEY}{key}", on_change="rerun")
    if box.open:
        with box:
            write()


_alone = st.fragment(_draw)  # one for all: to make one takes longer than to draw a closed expander


def _innermost(stack: tuple[DeltaGenerator, ...]) -> tuple[DeltaGenerator, ...]:
    """Return the containers around a fragment, as it needs them: the page, without which Streamlit
    takes a single container for the page itself, and the innermost. A fragment copies each of them,
    with all that it stands in, which costs more than what it draws: here the innermost stands in
    the page itself."""
    if len(stack) == 1:
        return stack
    page, inner = stack[0], stack[-1]
    place = DeltaGenerator(inner._root_container, inner._cursor, page, inner._block_type)
    place._creating_fragment_id = inner._creating_fragment_id
    return page, place
