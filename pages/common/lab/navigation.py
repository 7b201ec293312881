"""Pages as Streamlit's navigation takes them."""

import copy

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from engine.settings import ROOT
from pages.common.lab.registry import PAGES, PageEntry

_made: dict[tuple[str, bool], StreamlitPage] = {}  # by address, and whether it is the first page


def page_of(entry: PageEntry) -> StreamlitPage:
    """Return the page of an entry, the session's own. To make it, Streamlit looks for its file on
    the disk: that is done once, and every session gets a copy."""
    key = entry.url, entry.default
    if key not in _made:
        _made[key] = st.Page(
            ROOT / entry.file, title=entry.title, url_path=entry.url, default=entry.default
        )
    return copy.copy(_made[key])


def entry_of(chosen: StreamlitPage) -> PageEntry:
    """Return the entry whose page the navigation has chosen."""
    return next(entry for entry in PAGES if chosen.url_path == ("" if entry.default else entry.url))
