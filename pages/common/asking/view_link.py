"""The menu with the link to what a page shows."""

from collections.abc import Mapping
from functools import partial

import streamlit as st

from pages.common.asking import links
from pages.common.widgets import unfold

LINK = "link-to-view"  # the key of its menu


def show(values: Mapping[str, object]) -> None:
    """Show the address of the view, with the values of all its controls, to be copied."""
    address = f"{st.context.url or ''}{links.query(values)}"
    with st.sidebar:
        unfold.menu(
            "Link to this view",
            LINK,
            partial(restores, address),
            ":material/link:",
            width="stretch",
        )


def restores(address: str) -> None:
    """Show what restores a view, and where."""
    st.code(address, language=None, wrap_lines=True)
    st.caption(
        "This link restores the view in every lab with the same data. A kept result is shown at "
        "once; another is offered to be computed."
    )
