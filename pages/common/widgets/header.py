"""The line above every page: what this lab is, and the way to present it to an audience.

Presenting hides the sidebar and draws text and figures large enough for the last row. The arrow
keys turn pages; N shows notes for the speaker, S the address as a QR code, and Escape ends it.
"""

from collections.abc import Mapping
from urllib.parse import urlencode, urlsplit

import streamlit as st
from streamlit import config

from pages.common.keeping import shelf
from pages.common.lab import address
from pages.common.lab.registry import PageEntry
from pages.common.lab.shared import lab
from pages.common.widgets import badge, sign
from pages.common.widgets.browser_files import text_of
from pages.common.widgets.component import Component

PARAMETER = "present"  # of a link that opens while presenting
STATE = "presenting"  # the session state's own name for it
LAB = "Influence Attack Lab"
PAPER = "Influence-based Attributions can be Manipulated"
AUTHORS = "Yadav, Wu, Chaudhuri"
LINK = "https://arxiv.org/abs/2409.05208"
HEADER = Component("header")


def presenting() -> bool:
    """Return whether this session presents."""
    return bool(st.session_state.get(STATE, False))


def turn(on: bool) -> None:
    """Begin or end presenting."""
    st.session_state[STATE] = on
    if on:
        st.query_params[PARAMETER] = "1"
    else:
        st.query_params.pop(PARAMETER, None)


def view_address(query: Mapping[str, str | list[str]]) -> str:
    """Return the address at which others open this view."""
    url = st.context.url or ""
    place = address.as_visited(lab().settings, url, int(config.get_option("server.port")))
    asked = {name: value for name, value in query.items() if name != PARAMETER}
    return f"{place}{urlsplit(url).path}" + (f"?{urlencode(asked, doseq=True)}" if asked else "")


qr_code = shelf.kept(address.qr_code)


def show(page: PageEntry) -> None:
    """Draw the header of `page`."""
    badge.start_page()
    sign.start_page()
    if PARAMETER in st.query_params:
        st.session_state[STATE] = st.query_params[PARAMETER] == "1"
    on = presenting()
    data: dict[str, object] = {
        "presenting": on,
        "lab": LAB,
        "paper": PAPER,
        "authors": AUTHORS,
        "link": LINK,
    }
    if on:
        here = view_address(st.query_params.to_dict())
        data |= {"address": here, "code": qr_code(here)}
        data |= {"question": page.question, "finding": page.finding, "notes": list(page.notes)}
        st.html(f"<style>{text_of('presenting.css')}</style>")
    HEADER.show("lab-header", data, turned=lambda: turn(not on))
