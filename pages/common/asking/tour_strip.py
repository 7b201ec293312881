"""The line at the top of each page while a data set of one's own is chosen: whose data the page
shows, and the next step of the tour."""

from collections.abc import Mapping

import streamlit as st

from engine.data.catalogue import SETS
from engine.settings import ROOT
from pages.common.asking import own_data, tour
from pages.common.lab import registry
from pages.common.lab.registry import PageEntry
from pages.common.words.wording import plain

KEY, TOUR_AT = "own-tour", "data"
Link = tuple[str, str, Mapping[str, str]]  # a page's address, a label, and its parameters


def whose(page: PageEntry, name: str) -> str:
    """Say whose data `page` shows while “name” is chosen, and where that is in the tour."""
    if page.url == tour.FAIRNESS:
        return of_fairness(page, name)
    if page.whose:
        return f"This page shows {page.whose}, not **{plain(name)}**."
    if not page.takes_data:
        return f"The tour on **{plain(name)}**:"
    place = tour.neighbours(page.url)[0]
    step = f", step {place} of {len(tour.STEPS)} of its tour" if place else ""
    return f"Your data: **{plain(name)}**{step}."


def of_fairness(page: PageEntry, name: str) -> str:
    """Say the same of the fairness page, which has tables of its own to choose from."""
    table = own_data.table_shown(page, name)
    if table not in SETS:
        place = tour.neighbours(page.url)[0]
        return f"Your table: **{plain(table)}**, step {place} of {len(tour.STEPS)} of the tour."
    shown = f"This page shows {SETS[table].title}, a published table, not **{plain(name)}**."
    return f"{shown} {own_data.no_fairness(name)}".strip()


def onward(page: PageEntry, name: str) -> list[Link]:
    """Return the links beside it: to what the data can be asked instead, to the step before and
    after, and to the whole tour."""
    query = {"dataset": name}
    _, before, after = tour.neighbours(page.url)
    found: list[Link] = []
    if page.instead:
        found.append((page.instead, f"{registry.page(page.instead).title} →", query))
    published = page.url == tour.FAIRNESS and own_data.table_shown(page, name) in SETS
    if published and not own_data.no_fairness(name):
        found.append((page.url, f"Open {plain(name)} →", query | {"table": name}))
    if before is not None:
        found.append((before.url, f"← {before.page.title}", query))
    if after is not None and not page.instead:
        found.append((after.url, f"{after.page.title} →", query))
    return [*found, (TOUR_AT, "The whole tour", query)]


def show(page: PageEntry) -> None:
    """Draw the line, where a data set of one's own is chosen."""
    name = own_data.begin_page(page)
    if not name or page.url == TOUR_AT:
        return
    with st.container(key=KEY, horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(whose(page, name), width="content")
        for url, label, query in onward(page, name):
            st.page_link(
                ROOT / registry.page(url).file,
                label=label,
                width="content",
                query_params=dict(query),
            )
