"""Pages as Streamlit's navigation takes them."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from streamlit.commands.navigation import send_page_not_found
from streamlit.navigation.page import StreamlitPage
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.Navigation_pb2 import Navigation
from streamlit.runtime.pages_manager import PagesManager
from streamlit.runtime.scriptrunner_utils.script_run_context import get_script_run_ctx
from streamlit.source_util import PageInfo
from streamlit.util import calc_hash

from engine.settings import ROOT
from pages.common.lab.registry import PAGES, PageEntry


class Page(StreamlitPage):
    """A page whose address is hashed once."""

    @cached_property
    def _script_hash(self) -> str:
        return calc_hash(self._url_path)


@dataclass(frozen=True)
class Listed:
    """The navigation of all sessions: Streamlit's message without the page that is open, what its
    manager of pages is told, and the pages by their hashes."""

    message: Navigation
    known: dict[str, PageInfo]
    pages: Mapping[str, Page]
    default: str

    @classmethod
    def of(cls, entries: Sequence[PageEntry]) -> "Listed":
        """Return the navigation in the sidebar, in this order, a heading over each section."""
        sections: dict[str, list[Page]] = {}
        for entry in entries:
            sections.setdefault(entry.section, []).append(made(entry))
        message, known, pages = Navigation(), dict[str, PageInfo](), dict[str, Page]()
        message.position, message.expanded = Navigation.Position.SIDEBAR, True
        message.sections.extend(sections)
        for section, listed in sections.items():
            for page in listed:
                name = page._script_hash
                pages[name] = page
                known[name] = {
                    "page_script_hash": name,
                    "page_name": page.title,
                    "icon": page.icon,
                    "script_path": str(page._page),
                    "url_pathname": page.url_path,
                    "help": page.help,
                }
                message.app_pages.add(
                    page_script_hash=name,
                    page_name=page.title,
                    icon=page.icon,
                    is_default=page._default,
                    section_header=section,
                    url_pathname=page.url_path,
                )
        default = next(name for name, page in pages.items() if page._default)
        return cls(message, known, pages, default)


_made: dict[tuple[str, bool], Page] = {}  # by address, and whether it is the first page
_listed: dict[tuple[str, ...], Listed] = {}  # by the addresses, in their order


def made(entry: PageEntry) -> Page:
    """Return the page of an entry, made once: Streamlit looks for its file on the disk then."""
    key = entry.url, entry.default
    if key not in _made:
        path = ROOT / entry.file
        _made[key] = Page(path, title=entry.title, url_path=entry.url, default=entry.default)
    return _made[key]


def page_of(entry: PageEntry) -> StreamlitPage:
    """Return the page of an entry, as the session's own."""
    return copy.copy(made(entry))


def choose(entries: Sequence[PageEntry]) -> StreamlitPage:
    """Show the navigation, and return the page that the visitor has asked for, as `st.navigation`
    does, which would make all of it anew in every run; a test compares the two."""
    context = get_script_run_ctx()
    if context is None:  # the app is imported, not run by a server
        return opened(made(next(entry for entry in entries if entry.default)))
    PagesManager.uses_pages_directory = False  # else Streamlit takes `pages` for its old own pages
    addresses = tuple(entry.url for entry in entries)
    if addresses not in _listed:
        _listed[addresses] = Listed.of(entries)
    listed = _listed[addresses]
    found = context.pages_manager.set_pages_and_resolve(listed.known, listed.default)
    if found is None:
        send_page_not_found(context)
    name = listed.default if found is None else found["page_script_hash"]
    message = ForwardMsg()
    message.navigation.CopyFrom(listed.message)
    message.navigation.page_script_hash = name
    context.set_mpa_v2_page(name)
    context.enqueue(message)
    return opened(listed.pages[name])


def opened(page: Page) -> StreamlitPage:
    """Return the session's own copy of a page, which may run."""
    copied = copy.copy(page)
    copied._can_be_called = True
    return copied


def entry_of(chosen: StreamlitPage) -> PageEntry:
    """Return the entry whose page the navigation has chosen."""
    return next(entry for entry in PAGES if chosen.url_path == ("" if entry.default else entry.url))
