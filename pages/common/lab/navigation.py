"""Pages as Streamlit's navigation takes them."""

from copy import copy
from functools import cached_property

from streamlit.navigation.page import StreamlitPage
from streamlit.util import calc_hash

from engine.settings import ROOT
from pages.common.lab.registry import PAGES, PageEntry


class Page(StreamlitPage):
    """A page that all sessions share. Its address is hashed once: the navigation asks for it three
    times in every run."""

    @cached_property
    def _script_hash(self) -> str:
        return calc_hash(self._url_path)

    def run(self) -> None:
        """Run a copy of the page: Streamlit marks a page that has run, and all sessions share this
        one."""
        super(Page, copy(self)).run()


_made: dict[tuple[str, bool], Page] = {}  # by address, and whether it is the first page


def page_of(entry: PageEntry) -> StreamlitPage:
    """Return the page of an entry, which is nobody's own. To make it, Streamlit looks for its file
    on the disk: that is done once for all sessions, of 33 pages in every run."""
    key = entry.url, entry.default
    if key not in _made:
        page = Page(ROOT / entry.file, title=entry.title, url_path=entry.url, default=entry.default)
        getattr(page, "_script_hash", None)  # worked out once for all; none without a server
        _made[key] = page
    return _made[key]


def entry_of(chosen: StreamlitPage) -> PageEntry:
    """Return the entry whose page the navigation has chosen."""
    return next(entry for entry in PAGES if chosen.url_path == ("" if entry.default else entry.url))
