"""Figures that run in the browser, sent in the form in which it gets them.

Streamlit's `st.components.v2` looks for tables in what a component is given, writes it as JSON
twice and hashes it, in every run of a page. Here a component's scripts are put together once, and
what it is given may be JSON already.
"""

import json
from collections.abc import Callable, Mapping

import streamlit as st
from streamlit.components.v2.bidi_component.main import _make_trigger_id
from streamlit.components.v2.bidi_component.serialization import (
    BidiComponentSerde,
    deserialize_trigger_list,
)
from streamlit.components.v2.presentation import make_bidi_component_presenter
from streamlit.elements.lib.layout_utils import LayoutConfig
from streamlit.elements.lib.utils import compute_and_register_element_id
from streamlit.proto.BidiComponent_pb2 import BidiComponent
from streamlit.runtime.scriptrunner_utils.script_run_context import get_script_run_ctx
from streamlit.runtime.state import register_widget

from pages.common.keeping.ready import as_json
from pages.common.widgets.browser_files import text_of

KIND = "bidi_component"  # Streamlit's name for them
LAYOUT = LayoutConfig(width="stretch", height="content")
NOTHING: Mapping[str, object] = {}


class Component:
    """The component made of the files `shared`, scripts and styles, and after them of NAME.js and
    NAME.css: a component's script cannot import another file."""

    def __init__(self, name: str, *shared: str) -> None:
        files = (*shared, f"{name}.js", f"{name}.css")
        css, js = (
            "\n".join(text_of(f) for f in files if f.endswith(kind)) for kind in (".css", ".js")
        )
        self.proto = BidiComponent(
            component_name=name,
            isolate_styles=False,
            js_content=js,
            css_content=css,
            html_content="",
            js_source_path="",
            css_source_path="",
        )

    def show(
        self,
        key: str,
        data: Mapping[str, object],
        more: Mapping[str, object] = NOTHING,
        **events: Callable[[], None],
    ) -> None:
        """Draw it. It is given `data` and `more`; what it tells, as one of the `events`, is in the
        session's state under `key` when the page runs again, and the event's callback is called
        first."""
        proto = BidiComponent()
        proto.CopyFrom(self.proto)
        proto.json = as_json(data, more)
        proto.id = compute_and_register_element_id(
            KIND, user_key=key, dg=st._main, key_as_main_identity=True
        )
        if events:
            listen(proto.id, events)
        # Streamlit has no public way to send JSON: tests compare this with st.components.v2.
        st._main._enqueue(KIND, proto, layout_config=LAYOUT)


def listen(element: str, events: Mapping[str, Callable[[], None]]) -> None:
    """Keep the component's messages in the session's state, as `st.components.v2` does."""
    context, told = get_script_run_ctx(), _make_trigger_id(element, "events")
    serde = BidiComponentSerde(default=None)
    register_widget(
        element,
        deserializer=serde.deserialize,
        serializer=serde.serialize,
        ctx=context,
        callbacks=dict(events),
        value_type="json_value",
        presenter=make_bidi_component_presenter(told, element, set(events)),
    )
    register_widget(
        told,
        deserializer=deserialize_trigger_list,
        serializer=json.dumps,
        ctx=context,
        callbacks=dict(events),
        value_type="json_trigger_value",
    )
