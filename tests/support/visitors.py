"""Visitors without a browser: they open pages over Streamlit's own websocket.

What a browser would draw is thrown away, so that one process can be many visitors. Nothing of what
is sent is remembered from page to page, which a browser does: every message arrives whole.
"""

import asyncio
import base64
import json
import math
import re
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import websockets
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection

PATIENCE = 120.0  # s for one message; a server that says nothing for longer has failed
ITEM_BYTES = {"f8": 8, "f4": 4, "i8": 8, "i4": 4, "u4": 4, "i2": 2, "u2": 2, "i1": 1, "u1": 1}


@dataclass(frozen=True)
class PageRun:
    """A page as one visitor was sent it: seconds from the click to the end of its script, bytes,
    the charts' figures as JSON, the texts of exceptions, and the addresses of the app's pages."""

    seconds: float
    size: int
    figures: tuple[str, ...]
    exceptions: tuple[str, ...]
    pages: tuple[str, ...]


class Visitor:
    """One session of a server, kept for as long as the connection lasts."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.buttons: dict[str, str] = {}  # their ids, by label
        self.repeated: dict[str, float] = {}  # parts of the page that ask again, and after seconds
        self.asked = BackMsg()  # the page that is open

    async def open(self, page: str = "", query: str = "") -> PageRun:
        """Open a page by its address, "" for the first one. Raises TimeoutError where the server
        says nothing for `PATIENCE` seconds."""
        asked = BackMsg()
        asked.rerun_script.page_name = page
        asked.rerun_script.query_string = query
        asked.rerun_script.context_info.timezone = "UTC"
        self.asked = asked
        return await self.run(asked)

    async def press(self, label: str) -> PageRun:
        """Press a button of the page that is open. Raises KeyError where there is none, and
        TimeoutError as `open` does."""
        asked = BackMsg()
        asked.CopyFrom(self.asked)
        asked.rerun_script.widget_states.widgets.add(id=self.buttons[label], trigger_value=True)
        return await self.run(asked)

    async def run(self, asked: BackMsg) -> PageRun:
        """Send a request, and read what the page draws then."""
        began, size = time.perf_counter(), 0
        figures: list[str] = []
        exceptions: list[str] = []
        pages: tuple[str, ...] = ()
        await self.connection.send(asked.SerializeToString())
        while True:
            data, message = await self.receive()
            size += len(data)
            kind = message.WhichOneof("type")
            if kind == "script_finished":
                seconds = time.perf_counter() - began
                return PageRun(seconds, size, tuple(figures), tuple(exceptions), pages)
            if kind == "navigation":
                pages = tuple(p.url_pathname for p in message.navigation.app_pages)
            elif kind == "page_not_found":
                exceptions.append(f"no page “{asked.rerun_script.page_name}”")
            elif kind == "delta":
                element = message.delta.new_element
                if element.WhichOneof("type") == "exception":
                    exceptions.append(element.exception.message)
                elif element.WhichOneof("type") == "plotly_chart":
                    figures.append(element.plotly_chart.spec)

    async def receive(self) -> tuple[bytes, ForwardMsg]:
        """The next message, as it came and read; what it says of the page's state is kept."""
        data = await asyncio.wait_for(self.connection.recv(decode=False), PATIENCE)
        message = ForwardMsg.FromString(data)
        kind = message.WhichOneof("type")
        if kind == "new_session" and not message.metadata.run.fragment_ids:
            self.buttons, self.repeated = {}, {}
        elif kind == "navigation":
            self.asked.rerun_script.page_script_hash = message.navigation.page_script_hash
        elif kind == "auto_rerun":
            self.repeated[message.auto_rerun.fragment_id] = message.auto_rerun.interval
        elif kind == "delta" and message.delta.new_element.WhichOneof("type") == "button":
            button = message.delta.new_element.button
            self.buttons[button.label] = button.id
        return data, message

    async def see(self, text: str) -> None:
        """Wait until the page is drawn with a text that matches; its parts ask again meanwhile, as
        in a browser. Raises RuntimeError for an exception on the page, and TimeoutError as `open`
        does."""
        looked, seen = time.perf_counter(), False
        while True:
            interval = min(self.repeated.values(), default=PATIENCE)
            left = max(looked + interval - time.perf_counter(), 0)
            reading = asyncio.ensure_future(self.receive())
            done, _ = await asyncio.wait({reading}, timeout=left)
            while not done:
                await self.ask_again()
                looked = time.perf_counter()
                done, _ = await asyncio.wait({reading}, timeout=interval)
            _, message = reading.result()
            element = message.delta.new_element
            if element.WhichOneof("type") == "exception":
                raise RuntimeError(element.exception.message)
            seen = seen or bool(re.search(text, element.markdown.body))
            if seen and message.WhichOneof("type") == "script_finished":
                return

    async def ask_again(self) -> None:
        """Have the parts of the page that do so by themselves run again."""
        for fragment in self.repeated:
            again = BackMsg()
            again.CopyFrom(self.asked)
            again.rerun_script.fragment_id = fragment
            again.rerun_script.is_auto_rerun = True
            await self.connection.send(again.SerializeToString())


@asynccontextmanager
async def visitor(address: str) -> AsyncIterator[Visitor]:
    """A new visitor of the server at `address` (http://host:port)."""
    url = address.replace("http", "ws", 1) + "/_stcore/stream"
    async with websockets.connect(url, subprotocols=["streamlit"], max_size=None) as connection:  # type: ignore[list-item]
        yield Visitor(connection)


def length(values: Any) -> int:  # JSON of one of a trace's fields
    """How many numbers an array of a figure holds, as Plotly writes it: a list, or base64."""
    if isinstance(values, list):
        return sum(length(v) if isinstance(v, list) else 1 for v in values)
    if isinstance(values, Mapping) and "bdata" in values:
        return len(base64.b64decode(values["bdata"])) // ITEM_BYTES[values["dtype"]]
    return 0


def points(figure: str) -> int:
    """How many points a figure draws, all its traces together."""
    traces: Iterable[Mapping[str, Any]] = json.loads(figure)["data"]
    return sum(max((length(trace.get(name)) for name in "xyz"), default=0) for trace in traces)


def quantile(values: Iterable[float], share: float) -> float:
    """The value that so large a share of the values does not exceed; NaN for no values."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else math.nan
