"""Where a page's numbers come from, said once, in the line below its first figure: another figure
says it again only where its numbers come from somewhere else."""

from typing import Literal

import streamlit as st

from pages.common.words.wording import sentence_case

SAID = "badge_said"  # the session state's name for the first badge of a page, and where it stands


def start_page() -> None:
    """Forget what the page said when it ran before."""
    st.session_state.pop(SAID, None)


def is_new(text: str, place: str) -> bool:
    """Return whether `place` may say `text`: whether no other place of the page has said it. The
    place is noted."""
    return bool(text) and (
        st.session_state.setdefault(SAID, (text, place)) == (text, place) or said() != text
    )


def mark_origin(text: str, place: str = "") -> str:
    """Return a badge as a sentence for the end of a caption, after a space, or '' where the
    page has said the same at another `place`."""
    return f" {sentence_case(text)}." if is_new(text, place) else ""


def note(text: str, width: Literal["stretch", "content"] = "stretch") -> None:
    """Show a badge as a line of its own, below a figure that is not a chart, unless the page has
    said the same."""
    if is_new(text, "line"):
        st.caption(text, width=width)


def said() -> str:
    """Return the first badge of the page."""
    first: str = st.session_state[SAID][0]
    return first
