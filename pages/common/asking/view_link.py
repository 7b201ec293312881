"""The menu with the link to what a page shows."""

from collections.abc import Mapping
from functools import partial

import streamlit as st

from pages.common.asking import links
from pages.common.widgets import unfold

LINK = "link-to-view"  # the key of its menu


def show(values: Mapping[str, object]) -> None:
    """Show the address of the view, with the values of all its controls, to be copied."""
    with st.sidebar:
        unfold.menu(
            "Link to this view",
            LINK,
            partial(restores, dict(values)),
            ":material/link:",
            width="stretch",
        )


def restores(values: Mapping[str, object]) -> None:
    """Show what restores a view, and where."""
    st.code(f"{st.context.url or ''}{links.query(values)}", language=None, wrap_lines=True)
    st.caption(
        "This link restores the view in every lab with the same data. A kept result is shown at "
        "once; another is offered to be computed."
    )
