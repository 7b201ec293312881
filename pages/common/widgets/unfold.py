"""Expanders whose content is made, and sent to the browser, when they are opened.

Otherwise the content of a closed one is computed and sent before the page is drawn, and loads its
part of Streamlit's script (code, tables, formulas). A closed popover loads nothing: one that holds
little needs none of this. Each section is a fragment, so that opening one runs nothing else of the
page. Within another fragment it is no fragment of its own: where the outer one runs again before
its messages were sent, Streamlit drops them, but sends those of an inner fragment. The browser
would get elements without their container, and the page would break.

The fragment is not made by `st.fragment`, which copies every container around it and sends one of
its own: that costs more than the closed expander. Here the expander itself is what the fragment
draws, and where it stands is noted.
"""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial, wraps
from typing import ParamSpec, Protocol

import streamlit as st
from streamlit.cursor import RunningCursor
from streamlit.delta_generator import DeltaGenerator
from streamlit.delta_generator_singletons import context_dg_stack
from streamlit.error_util import handle_user_script_exception
from streamlit.errors import FragmentHandledException
from streamlit.runtime.fragment import _reset_outside_wrappers
from streamlit.runtime.scriptrunner_utils.exceptions import RerunException, StopException
from streamlit.runtime.scriptrunner_utils.script_run_context import (
    RunLocation,
    ScriptRunContext,
    ThreadState,
    get_script_run_ctx,
)
from streamlit.util import calc_hash

KEY = "unfold-"  # what the keys of all of them begin with
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
    context = get_script_run_ctx()
    if context is None or ThreadState.get().fragment_id is not None:
        _draw(label, key, write)
        return
    fragment = Fragment.here(label, key, write)
    context.fragment_storage.register(fragment.id, fragment.again)
    fragment.draw(context)


def _draw(label: str, key: str, write: Callable[[], None], path: tuple[int, ...] = ()) -> None:
    """`path`: where the expander stands in the page, of one that is a fragment."""
    box = st.expander(label, key=f"{KEY}{key}", on_change="rerun")
    if not box.open:
        return
    if path:
        ThreadState.update(delta_path=path)
    with box:
        write()


@dataclass(frozen=True)
class Fragment:
    """An expander that runs again alone, as Streamlit's runner calls it.

    inner: the container that it stands in; parents, index: its place there; path: its place in the
    page; script: the page's own hash, by which Streamlit names its controls."""

    id: str
    write: Callable[[], None]
    inner: DeltaGenerator
    parents: tuple[int, ...]
    index: int
    path: tuple[int, ...]
    script: str

    @classmethod
    def here(cls, label: str, key: str, write: Callable[[], None]) -> "Fragment":
        """Return the fragment of an expander that will be drawn here."""
        inner = context_dg_stack.get()[-1]
        cursor = inner._cursor
        assert cursor is not None  # there is a run
        path = tuple(cursor.delta_path)
        return cls(
            calc_hash(f"{KEY}{key}{path}"),
            partial(_draw, label, key, write, path),
            inner,
            cursor.parent_path,
            cursor.index,
            path,
            ThreadState.get().active_script_hash,
        )

    def again(self) -> None:
        """Run it alone, in its place."""
        context = get_script_run_ctx()
        assert context is not None
        root = self.path[0]
        cursor = RunningCursor(root, self.parents)
        cursor._index = self.index
        page = DeltaGenerator(root)
        place = DeltaGenerator(root, cursor, page, self.inner._block_type)
        place._creating_fragment_id = self.inner._creating_fragment_id
        stack = context_dg_stack.set((page, place))
        context.fragment_storage.evict_outside_wrappers_created_by(self.id)
        _reset_outside_wrappers(context.fragment_storage, self.id)
        try:
            self.draw(context)
        finally:
            context_dg_stack.reset(stack)

    def draw(self, context: ScriptRunContext) -> None:
        """Draw the expander where the page is at, and show what goes wrong as Streamlit does."""
        context.shared.new_fragment_ids.check_and_add(self.id)
        moved = self.script != ThreadState.get().active_script_hash
        as_page = context.run_with_active_hash(self.script) if moved else nullcontext()
        within = ThreadState.scoped(
            fragment_id=self.id, delta_path=None, run_location=RunLocation.FRAGMENT
        )
        with as_page, within:
            try:
                self.write()
            except (RerunException, StopException):
                raise
            except Exception as error:
                handle_user_script_exception(error, context.on_script_error)
                raise FragmentHandledException(error) from error
