"""Controls whose choices the address names by code while the screen names them in words.

Streamlit writes into the address what a control shows. A link with the shown words would break with
the next better wording, so that these controls are bound to the address here.
"""

from collections.abc import Sequence

import streamlit as st
from streamlit.runtime.scriptrunner_utils.script_run_context import get_script_run_ctx

from pages.common.asking import links

WRITTEN = "own_address"  # the session state's own name for what was last written, by page and name


def follow(name: str, choices: Sequence[object], default: object) -> None:
    """Before the control `name` is made: let it hold what the address says, where that has changed
    since the control last wrote it: by a link, or by the browser's Back and Forward."""
    context = get_script_run_ctx()
    went_back = context is not None and context.is_history_navigation
    text = st.query_params.get(name)
    if text is not None and (went_back or text != written().get(name)):
        found = links.readable(choices, text)
        if found is not None:
            st.session_state[name] = found
    elif text is None and went_back:
        st.session_state[name] = default


def write(name: str, value: object, default: object) -> None:
    """Write what the control holds into the address; the default is left out."""
    text = None if value == default else str(value)
    if text is not None:
        if st.query_params.get(name) != text:
            st.query_params[name] = text
    elif name in st.query_params:
        del st.query_params[name]
    written()[name] = text


def written() -> dict[str, str | None]:
    """Return what this page's controls have written."""
    context = get_script_run_ctx()
    page = "" if context is None else context.page_script_hash
    pages: dict[str, dict[str, str | None]] = st.session_state.setdefault(WRITTEN, {})
    if page not in pages:  # another page's address says nothing about this one's
        pages.clear()
    return pages.setdefault(page, {})
