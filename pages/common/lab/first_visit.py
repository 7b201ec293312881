"""The first visit: the server opens every link of the lab itself, before anybody else does.

The lab keeps what a page reads and draws, for all visitors. Only the first visitor of a page waits
until it is made; in a class, thirty people would be that first visitor. The server opens the pages
within its own process, without a network. It asks for no computation.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from streamlit import App
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.runtime import get_instance
from streamlit.runtime.session_manager import SessionClient

from pages.common.asking.links import query
from pages.common.lab.registry import PageEntry, links

PATIENCE = 120.0  # seconds for one page, on a machine that is busy with other things
log = logging.getLogger(__name__)


class Nobody(SessionClient):
    """The client of a session without a browser. It notes when a page is finished, and the
    exceptions that the page shows."""

    client_context = None

    def __init__(self) -> None:
        self.finished = asyncio.Event()
        self.exceptions: list[str] = []

    def write_forward_msg(self, msg: ForwardMsg) -> None:
        if msg.WhichOneof("type") == "script_finished":
            self.finished.set()
        elif msg.delta.new_element.WhichOneof("type") == "exception":
            self.exceptions.append(msg.delta.new_element.exception.message)


async def open_link(page: PageEntry, given: Mapping[str, str]) -> list[str]:
    """Open one link as a new visitor would, and leave; returns the exceptions that the page shows.
    Raises TimeoutError."""
    runtime, nobody = get_instance(), Nobody()
    session = runtime.connect_session(nobody, {})
    asked = BackMsg()
    asked.rerun_script.page_name = page.url
    asked.rerun_script.query_string = query(given).removeprefix("?")
    asked.rerun_script.context_info.timezone = "UTC"
    try:
        runtime.handle_backmsg(session, asked)
        await asyncio.wait_for(nobody.finished.wait(), PATIENCE)
    finally:
        runtime.close_session(session)
    return nobody.exceptions


async def open_everything() -> None:
    """Open every link that the lab offers, one after the other. A page that fails is logged: it
    would fail for visitors too, and the others are opened all the same."""
    for page, given in links():
        try:
            exceptions = await open_link(page, given)
        except TimeoutError:
            exceptions = [f"not finished within {PATIENCE:g} s"]
        for text in exceptions:
            log.error("The page “%s” with %s failed: %s", page.title, dict(given), text)


def before_others(wanted: bool) -> Callable[[App], AbstractAsyncContextManager[None]]:
    """Return a lifespan of the application: where it is wanted, the server takes no connection
    before every link has been opened. A session that runs nothing stays to the end: Streamlit
    forgets the compiled pages when its last session leaves."""

    @asynccontextmanager
    async def lifespan(app: App) -> AsyncIterator[None]:
        runtime = get_instance()
        stays = runtime.connect_session(Nobody(), {})
        try:
            if wanted:
                await open_everything()
            yield
        finally:
            runtime.close_session(stays)

    return lifespan
