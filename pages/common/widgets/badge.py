"""Where a page's numbers come from, said once: a figure's badge differs from it or is left out."""

import streamlit as st

SAID = "badge_said"  # the session state's name for the first badge of a page, and where it stands


def start_page() -> None:
    """Forget what the page said when it ran before."""
    st.session_state.pop(SAID, None)


def mark_origin(text: str, place: str = "") -> str:
    """Return a badge as Markdown, with a space before it, or '' where the page has said the same
    at another `place`."""
    if not text:
        return ""
    if st.session_state.setdefault(SAID, (text, place)) != (text, place) and said() == text:
        return ""
    return f" :gray-badge[{text}]"


def said() -> str:
    """Return the first badge of the page."""
    first: str = st.session_state[SAID][0]
    return first
