"""The visitor's own data set: whether one is chosen, here or on the page before."""

from pathlib import Path

import streamlit as st

from engine.data.catalogue import FEATURES
from engine.data.inventory import is_prepared
from engine.data.sources import fairness_table
from engine.data.sources.bundled import LOADERS
from engine.data.sources.fairness_sets import LOADERS as FAIRNESS_SETS
from engine.errors import EngineError
from pages.common.asking.form import CHOICE, keep_choice
from pages.common.lab.registry import PageEntry
from pages.common.lab.shared import datasets, lab, shown

OPENING_TABLE = "adult"  # of the fairness page: the largest, so the clearest answer
DRAWN, CURRENT = "own_page", "own_current"  # session-state keys: the last page, its own data set


def is_own(name: str) -> bool:
    """Return whether a data set lies here and is none of the lab's."""
    if not name or name in LOADERS or name not in datasets():
        return False
    return name not in FEATURES or not is_prepared(name, lab().settings.data_dir)


def chosen(name: str, page: PageEntry) -> str:
    """Return what `page` is about to show under this parameter; empty where nothing is chosen.

    What its control holds comes first, then its link, then what an earlier page has left. A control
    of the page before may still be in the session: it does not count.
    """
    same = st.session_state.get(DRAWN) == page.url
    held = st.session_state.get(name) if same else None
    left = st.session_state.get(CHOICE, {}).get(name)
    return str(held or st.query_params.get(name) or left or "")


def begin_page(page: PageEntry) -> str:
    """Find the own data set that is chosen as `page` begins, for the other pages too; empty where
    none is."""
    name = chosen("dataset", page)
    name = name if is_own(name) else ""
    st.session_state[DRAWN], st.session_state[CURRENT] = page.url, name
    if name:
        keep_choice(dataset=name)
    return name


def choose(name: str) -> None:
    """Choose an own data set for this page and the others."""
    st.session_state[CURRENT] = name
    keep_choice(dataset=name)


def current() -> str:
    """Return the own data set that this page began with; empty where none is chosen."""
    return str(st.session_state.get(CURRENT, ""))


def columns_for_roles(path: Path) -> int:
    """Count the columns of a table that look like an outcome or a group. Raises InvalidDataset."""
    return _columns_for_roles(path, path.stat().st_mtime)


@st.cache_resource(max_entries=4, show_spinner=False)
def _columns_for_roles(path: Path, changed: float) -> int:
    frame = fairness_table.read(path).frame
    values = {name: fairness_table.values_of(frame[name]) for name in frame.columns}
    return len(fairness_table.like_groups(values))


def no_fairness(name: str) -> str:
    """Say why the fairness page has nothing of an own data set, and what to do; empty where its
    table has an outcome and a group."""
    path = None if name in FAIRNESS_SETS else fairness_table.find(name, lab().settings.data_dir)
    if path is None:
        return (
            "This step needs a table with a column of groups: bring one in at the end of the "
            "fairness page."
        )
    try:
        fit = columns_for_roles(path)
    except EngineError as error:
        return f"Its table cannot be used on the fairness page. {shown(error)}"
    if fit >= 2:
        return ""
    return (
        f"This step needs an outcome and a group, two columns with 2 to "
        f"{fairness_table.FEW_VALUES} values. The table has {fit}: add a column that names the "
        "group of each row."
    )


def has_table(name: str) -> bool:
    """Return whether the table of that name lies in the data directory, for the fairness page."""
    return name not in FAIRNESS_SETS and name in fairness_table.by_name(lab().settings.data_dir)


def table_shown(page: PageEntry, name: str) -> str:
    """Return the table that the fairness page is about to show while “name” is chosen: the chosen
    one, or that of the data set where it lies here, or the one that the page opens with."""
    table = chosen("table", page)
    if table in FAIRNESS_SETS or (table and has_table(table)):
        return table
    return name if name and has_table(name) else OPENING_TABLE
