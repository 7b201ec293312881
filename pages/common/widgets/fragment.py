"""One element that runs again alone, without the rest of its page.

`st.fragment` does the same for any number of elements: it copies every container around them and
sends one of its own, which costs more than a closed expander. Here a fragment draws exactly one
element or container, and only its place is noted.
"""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass

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


def alone(name: str, draw: Callable[[], None]) -> None:
    """Call `draw`, which draws one element; when that changes, `draw` runs again and nothing else.
    `name` is its own on the page. Within another fragment it is none of its own: where the outer
    one runs again before its messages were sent, Streamlit drops them, but sends those of an inner
    fragment. The browser would get elements without their container, and the page would break."""
    context = get_script_run_ctx()
    if context is None or ThreadState.get().fragment_id is not None:
        draw()
        return
    fragment = Fragment.here(name, draw)
    context.fragment_storage.register(fragment.id, fragment.again)
    fragment.run(context)


def fill(box: DeltaGenerator, write: Callable[[], object]) -> None:
    """Write into a container that is all that its fragment draws."""
    cursor = box._cursor
    if cursor is not None and ThreadState.get().delta_path is None:
        ThreadState.update(delta_path=(cursor.root_container, *cursor.parent_path))
    with box:
        write()


@dataclass(frozen=True)
class Fragment:
    """What Streamlit's runner calls to run an element again.

    inner: the container in which it stands; root, parents, index: where that is in the page;
    script: the page's hash, which is part of the names of its controls."""

    id: str
    draw: Callable[[], None]
    inner: DeltaGenerator
    root: int
    parents: tuple[int, ...]
    index: int
    script: str

    @classmethod
    def here(cls, name: str, draw: Callable[[], None]) -> "Fragment":
        """Return the fragment of an element that will be drawn here."""
        inner = context_dg_stack.get()[-1]
        cursor = inner._cursor
        assert cursor is not None  # there is a run
        return cls(
            calc_hash(f"{name} {cursor.delta_path}"),
            draw,
            inner,
            cursor.root_container,
            cursor.parent_path,
            cursor.index,
            ThreadState.get().active_script_hash,
        )

    def again(self) -> None:
        """Run it alone, in its place."""
        context = get_script_run_ctx()
        assert context is not None  # the runner calls it
        cursor = RunningCursor(self.root, self.parents)
        cursor._index = self.index
        page = DeltaGenerator(self.root)  # else a single container would be taken for the page
        place = DeltaGenerator(self.root, cursor, page, self.inner._block_type)
        place._creating_fragment_id = self.inner._creating_fragment_id
        stack = context_dg_stack.set((page, place))
        context.fragment_storage.evict_outside_wrappers_created_by(self.id)
        _reset_outside_wrappers(context.fragment_storage, self.id)
        try:
            self.run(context)
        finally:
            context_dg_stack.reset(stack)

    def run(self, context: ScriptRunContext) -> None:
        """Draw it where the page is at, and show what goes wrong as Streamlit does."""
        context.shared.new_fragment_ids.check_and_add(self.id)
        moved = self.script != ThreadState.get().active_script_hash
        as_page = context.run_with_active_hash(self.script) if moved else nullcontext()
        within = ThreadState.scoped(
            fragment_id=self.id, delta_path=None, run_location=RunLocation.FRAGMENT
        )
        with as_page, within:
            try:
                self.draw()
            except (RerunException, StopException):
                raise
            except Exception as error:  # whatever the page's code raises: shown, then raised again
                handle_user_script_exception(error, context.on_script_error)
                raise FragmentHandledException(error) from error
