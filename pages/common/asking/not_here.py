"""What a page shows in place of a result that is not here yet."""

from typing import TypeVar

import streamlit as st

from engine.experiments.base import Request
from pages.common.asking import door
from pages.common.lab.registry import PageEntry
from pages.common.words.code_names import data_name
from pages.common.words.wording import plain

R = TypeVar("R", bound=Request)  # the type of the experiment's requests


def unanswered(page: PageEntry, dataset: str | None) -> str:
    """Return the page's question, and that it has no answer for this data set yet. What was found
    on other data is not said: it would read as if it were of this one."""
    return f"{page.question} {lacking(dataset)}"


def lacking(dataset: str | None) -> str:
    """Say that there is no result for this data set yet."""
    of = "here" if dataset is None else f"for “{plain(data_name(dataset))}”"
    return f"This is not computed {of} yet."


def offer_instead(
    page: PageEntry, asked: door.Computation[R], cost: str, what: str, asks: bool = True
) -> None:
    """Say that the page's result is lacking, and offer to compute it. cost, what: as in
    `door.offer`. asks: whether to show the page's question first, which no line above does."""
    dataset = door.dataset_of(asked.request)
    st.markdown(unanswered(page, dataset) if asks else lacking(dataset))
    with st.container(border=True):
        door.offer([asked], cost, what)
