"""Expanders and menus whose content is made, and sent to the browser, when they are opened.

Otherwise the content of a closed one is computed and sent before the page is drawn, and loads its
part of Streamlit's script (code, tables, formulas). Each is a fragment, so that opening one runs
nothing else of the page.
"""

from collections.abc import Callable
from functools import partial, wraps
from typing import Literal, ParamSpec, Protocol

import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from streamlit.elements.lib.layout_utils import get_width_config
from streamlit.elements.lib.utils import compute_and_register_element_id
from streamlit.proto.Block_pb2 import Block
from streamlit.runtime.scriptrunner_utils.script_run_context import get_script_run_ctx
from streamlit.runtime.state import register_widget

from pages.common.widgets import fragment

KEY = "unfold-"  # what the keys of all expanders begin with
WIDTHS = {width: get_width_config(width) for width in ("content", "stretch")}
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


def show(label: str, key: str, write: Callable[[], object]) -> None:
    """Draw an expander. While it is open, `write` fills it."""
    holder = Block(allow_empty=True, width_config=WIDTHS["stretch"])
    holder.expandable.label, holder.expandable.type = label, Block.Expandable.Type.DEFAULT
    fragment.alone(f"{KEY}{key}", partial(draw, holder, "expandable", f"{KEY}{key}", write))


def with_controls(label: str, key: str, linked: bool) -> DeltaGenerator | None:
    """Draw an expander for controls of the page's form and what they change, open at first where a
    link has set one of them. Returns it while it is open, to be filled: opening it runs the whole
    page again, which then has these controls too. None while it is closed."""
    if linked:  # no default of the expander, which would change with the address
        st.session_state.setdefault(f"{KEY}{key}", True)
    box = st.expander(label, key=f"{KEY}{key}", on_change="rerun")
    return box if box.open else None


def menu(
    label: str,
    key: str,
    write: Callable[[], object],
    icon: str,
    type: Literal["secondary", "tertiary"] = "secondary",
    width: Literal["content", "stretch"] = "content",
) -> None:
    """Draw a button that opens a menu. While the menu is open, `write` fills it. `icon` is
    Streamlit's name of an icon (':material/link:')."""
    holder = Block(allow_empty=True, width_config=WIDTHS[width])
    holder.popover.label, holder.popover.icon, holder.popover.type = label, icon, type
    holder.popover.disabled = False
    fragment.alone(key, partial(draw, holder, "popover", key, write))


def draw(
    holder: Block, kind: Literal["expandable", "popover"], key: str, write: Callable[[], object]
) -> None:
    """Send an expander or a popover as `st.expander` and `st.popover` do where `on_change` is
    "rerun": they check first what is right here. A test compares them."""
    name = compute_and_register_element_id(
        kind, user_key=key, dg=st._main, key_as_main_identity=True
    )
    state = register_widget(
        name,
        deserializer=bool,  # nothing is known of it, or whether it is open
        serializer=bool,
        ctx=get_script_run_ctx(),
        value_type="bool_value",
    )
    holder.id = name
    if kind == "expandable":
        holder.expandable.id, holder.expandable.expanded = name, state.value
    else:
        holder.popover.id, holder.popover.open = name, state.value
    box = st._main._block(holder)
    if state.value:
        fragment.fill(box, write)
