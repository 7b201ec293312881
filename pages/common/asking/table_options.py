"""How a table is to be read, as controls: the same on every page that reads tables of one's own."""

from collections.abc import Callable, Sequence
from typing import Unpack

import streamlit as st

from engine.data.tables.options import HELP, USUAL, TableOptions
from pages.common.asking.form import Binding

OPTIONS = tuple(HELP)  # the controls' names, which are those in links


def same(name: str) -> str:
    return name


def has_header(key: Callable[[str], str] = same, **bound: Unpack[Binding]) -> bool:
    """Return whether the first line holds the names: asked before the columns can be."""
    return st.checkbox(
        "The first line holds the names of the columns",
        True,
        key=key("header"),
        help="Without it the columns are called c1, c2, c3 …",
        **bound,
    )


def choose(
    columns: Sequence[str], header: bool, key: Callable[[str], str] = same, **bound: Unpack[Binding]
) -> TableOptions:
    """Return the other options; what was chosen for another table and is no column here is
    forgotten."""
    for name in ("drop", "text"):
        if held := st.session_state.get(key(name)):
            st.session_state[key(name)] = [column for column in held if column in columns]
    left, middle, right = st.columns([3, 3, 2])
    drop = left.multiselect(
        "Drop columns",
        columns,
        key=key("drop"),
        help="Identifiers, columns that are there twice, and those that lack most values: a row "
        "without a value is left out.",
        **bound,
    )
    text = middle.multiselect(
        "Keep as text",
        [column for column in columns if column not in drop],
        key=key("text"),
        help="One 0/1 column for every value, also where the values look like numbers or dates.",
        **bound,
    )
    missing = right.text_input(
        "Missing values",
        USUAL,
        key=key("missing"),
        help=f"With commas: {HELP['missing']}.",
        **bound,
    )
    impute = st.checkbox(
        "Impute missing values", key=key("impute"), help=HELP["impute"].capitalize() + ".", **bound
    )
    spellings = tuple(part.strip() for part in missing.split(",") if part.strip())
    return TableOptions(header=header, drop=drop, text=text, missing=spellings, impute=impute)


def as_in_links(options: TableOptions) -> dict[str, object]:
    """Return the options as the address holds them; those at their defaults are left out."""
    default = TableOptions()
    said = {n: getattr(options, n) for n in OPTIONS if getattr(options, n) != getattr(default, n)}
    if "missing" in said:
        said["missing"] = ", ".join(options.missing)
    return said
