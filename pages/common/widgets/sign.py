"""What a rank and a score mean, said once on each page: below the first figure that shows any."""

import re

import streamlit as st

from pages.common.keeping.shelf import kept
from pages.common.widgets.ready_figure import ReadyFigure
from pages.common.words.wording import score_meaning

SAID = "sign_said"  # the session state's name for the place on the page where it is said
# Of an axis or a note: what an influence function orders, and not other scores and ranks.
SHOWN = re.compile(r'"text":"[^"]*\b(?:influence score|ranks?|top(?: \d|<br>))')
OTHER = ("fairness", "speed", "scaling")  # experiments that order something else, or nothing


def start_page() -> None:
    """Forget what the page said when it ran before."""
    st.session_state.pop(SAID, None)


@kept
def shows_ranks(figure: ReadyFigure) -> bool:
    """Return whether a figure writes of ranks or scores."""
    return SHOWN.search(figure.spec) is not None


def note(place: str, order: str = "highest_first") -> None:
    """Say at `place` what rank 1 and a score above zero mean, unless the page has said so at
    another place."""
    if st.session_state.setdefault(SAID, place) == place:
        st.caption(score_meaning(order))
