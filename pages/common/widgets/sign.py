"""What rank 1 is: the glossary says it under the dotted words "rank 1". A page whose order is not
the usual one says so, once, below what shows ranks or scores first."""

import re
from typing import Literal

import streamlit as st

from pages.common.keeping.shelf import kept
from pages.common.widgets.ready_figure import ReadyFigure
from pages.common.widgets.save_figure import FigureSource
from pages.common.words.wording import rank_one

SAID = "sign_said"  # the session state's name for the place on the page where it is said
ORDERED = re.compile(r'"text":"[^"]*\b(?:ranks?|scores?|top)\b')  # the title of an axis, or a note
OTHER = ("fairness",)  # experiments whose ranks are not those of influence scores
USUAL = "highest_first"


def start_page() -> None:
    """Forget what the page said when it ran before."""
    st.session_state.pop(SAID, None)


@kept
def writes_of_ranks(figure: ReadyFigure) -> bool:
    """Return whether a figure's axes or notes name ranks, scores or the top of a ranking."""
    return ORDERED.search(figure.spec) is not None


def said_below(figure: ReadyFigure, place: str, source: FigureSource) -> str:
    """Return what is said of it below the first figure of a page that names ranks or scores in
    another order than the usual; empty below others."""
    orders = [str(asked["order"]) for _, asked in source.asked if "order" in asked]
    order = next(iter(orders), USUAL)
    if order == USUAL or source.asked[0][0] in OTHER or not writes_of_ranks(figure):
        return ""
    return rank_one(order) if is_new(place) else ""


def is_new(place: str) -> bool:
    """Return whether no other place of the page has said what rank 1 is; `place` is noted."""
    return bool(st.session_state.setdefault(SAID, place) == place)


def note(place: str, order: str, width: Literal["stretch", "content"] = "stretch") -> None:
    """Say what rank 1 is where the order is not the usual one, unless the page has said so at
    another place."""
    if order != USUAL and is_new(place):
        st.caption(rank_one(order), width=width)
