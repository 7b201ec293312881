"""What a part of a page's script sends to the browser, and the controls that it registers."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.runtime.scriptrunner_utils.script_run_context import get_script_run_ctx
from streamlit.runtime.state.common import WidgetMetadata


@dataclass(frozen=True)
class Sent:
    """Messages, and what the server knows of each control in them."""

    messages: list[ForwardMsg]
    controls: list[WidgetMetadata[Any]]


def sent_by(draw: Callable[[], object]) -> Sent:
    """Call `draw` in a script that runs, and note what it sends."""
    context = get_script_run_ctx()
    assert context is not None
    known = context.session_state._state._new_widget_state.widget_metadata
    before, enqueue = set(known), context._enqueue
    messages: list[ForwardMsg] = []

    def note(message: ForwardMsg) -> None:
        messages.append(copied(message))
        enqueue(message)

    context._enqueue = note
    try:
        draw()
    finally:
        context._enqueue = enqueue
    return Sent(messages, [known[name] for name in known if name not in before])


def copied(message: ForwardMsg) -> ForwardMsg:
    copy = ForwardMsg()
    copy.CopyFrom(message)
    return copy
