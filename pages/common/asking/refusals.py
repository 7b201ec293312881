"""Why the last click did nothing: kept by what was clicked, shown when the page is drawn again."""

import streamlit as st

REFUSAL = "refusal"  # session-state key


def refuse(why: str) -> None:
    """Keep why a click did nothing, for `show_refusal`."""
    st.session_state[REFUSAL] = why


def show_refusal() -> None:
    """Say why the last click did nothing."""
    if REFUSAL in st.session_state:
        st.warning(st.session_state.pop(REFUSAL))
