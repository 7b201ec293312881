"""What a page shows in place of a result that is not here yet."""

from typing import TypeVar

import streamlit as st

from engine.experiments.base import Request
from pages.common.asking import door

R = TypeVar("R", bound=Request)  # the type of the experiment's requests


def offer_instead(
    finding: str, lacking: str, asked: door.Computation[R], cost: str, what: str
) -> None:
    """Show the page's finding, say that its result is lacking, and offer to compute it. cost,
    what: as in `door.offer`."""
    st.markdown(f"{finding} {lacking}")
    with st.container(border=True):
        door.offer([asked], cost, what)
