"""Visitors without a browser: they open pages over Streamlit's own websocket.

What a browser would draw is thrown away, so that one process can be many visitors. Nothing of what
is sent is remembered from page to page, which a browser does: every message arrives whole.
"""

import asyncio
import base64
import json
import math
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

    async def open(self, page: str = "", query: str = "") -> PageRun:
        """Open a page by its address, "" for the first one. Raises TimeoutError where the server
        says nothing for `PATIENCE` seconds."""
        asked = BackMsg()
        asked.rerun_script.page_name = page
        asked.rerun_script.query_string = query
        asked.rerun_script.context_info.timezone = "UTC"
        began, size = time.perf_counter(), 0
        figures: list[str] = []
        exceptions: list[str] = []
        pages: tuple[str, ...] = ()
        await self.connection.send(asked.SerializeToString())
        while True:
            data = await asyncio.wait_for(self.connection.recv(decode=False), PATIENCE)
            size += len(data)
            message = ForwardMsg.FromString(data)
            kind = message.WhichOneof("type")
            if kind == "script_finished":
                seconds = time.perf_counter() - began
                return PageRun(seconds, size, tuple(figures), tuple(exceptions), pages)
            if kind == "navigation":
                pages = tuple(p.url_pathname for p in message.navigation.app_pages)
            elif kind == "page_not_found":
                exceptions.append(f"no page “{page}”")
            elif kind == "delta" and message.delta.WhichOneof("type") == "new_element":
                element = message.delta.new_element
                if element.WhichOneof("type") == "exception":
                    exceptions.append(element.exception.message)
                elif element.WhichOneof("type") == "plotly_chart":
                    figures.append(element.plotly_chart.spec)


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
