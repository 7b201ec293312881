"""What an open server refuses before Streamlit sees it, as ASGI middleware.

Streamlit takes a WebSocket from every page of this machine and, for an origin that it does not
know, asks a service on the web for its own address while everybody waits; it counts neither
sessions nor the uploads that it holds in memory. Here a session or an upload comes from the lab's
own pages, and there is room for so many.

A session that nobody has used for a while keeps its place until somebody else needs it. Only a page
that is opened takes such a place; a browser that reconnects by itself does not, or forgotten tabs
would push each other out in turn.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import HTMLResponse, PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket
from streamlit import config
from streamlit.runtime import get_instance
from streamlit.runtime.stats import CacheStat

from engine.data.untrusted.limits import MB, UPLOAD_MB
from pages.common.lab.address import LOOPBACK
from pages.common.lab.browsers import opens_page

SAFE = ("GET", "HEAD", "OPTIONS")
UPLOADS = "/_stcore/upload_file/"
TRY_AGAIN = 1013  # of a WebSocket that is closed: try again later
RETRY_SECONDS = 10
FULL = "All places in this lab are taken. Try again in a while."
FULL_PAGE = f"""<!doctype html>
<html lang="en"><meta charset="utf-8"><meta http-equiv="refresh" content="{RETRY_SECONDS}">
<meta name="viewport" content="width=device-width"><title>Influence Attack Lab</title>
<body style="font-family: sans-serif; max-width: 32em; margin: 4em auto; padding: 0 1em">
<h1>The lab is full</h1>
<p>{FULL} This page tries again by itself.</p>
"""
FOREIGN = "This request comes from a page of another site."
NO_ROOM = "Too many files are being brought in at once. Try again in a while."
# Pages load nothing from elsewhere, and no other site shows them in a frame of its own. Streamlit's
# components are scripts that it makes as it goes, hence the unsafe ones.
POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "media-src 'self' data: blob:",
        "worker-src 'self' blob:",
        "frame-src 'self' data: blob:",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'self'",
    )
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}
# Browsers ignore this without TLS, and complain of it on every page of a class's network.
OVER_TLS = {"Cross-Origin-Opener-Policy": "same-origin"}


@dataclass(frozen=True)
class ServerLimits:
    """What one server process takes. sessions: connected at once; twice as many may come at one
    moment, and a twentieth of them each second after that, but one at least. idle_seconds: after
    which a session's place may be given away. upload_bytes: of all uploads that are held or on
    their way."""

    sessions: int
    idle_seconds: float
    upload_bytes: int = 3 * UPLOAD_MB * MB


@dataclass(eq=False)
class Seat:
    """A connected session. heard: when its browser last said something, in monotonic seconds."""

    send: Send
    heard: float = field(default_factory=time.monotonic)


def hosts() -> list[str]:
    """Return the names by which the lab may be asked for: those of `server.allowedHosts`, or else
    those of this machine where the server listens on it alone (another site's name that leads here
    would make its pages the lab's own), or else any."""
    if given := config.get_option("server.allowedHosts"):
        return [str(name) for name in given]
    own = (*LOOPBACK, "[::1]")
    return [*own] if config.get_option("server.address") in LOOPBACK[:3] else ["*"]


def held_uploads() -> int:
    """Return how many bytes of files Streamlit holds for sessions."""
    stats = get_instance().uploaded_file_mgr.get_stats()
    every = [stat for family in stats.values() for stat in family]
    return sum(stat.byte_length for stat in every if isinstance(stat, CacheStat))


def is_foreign(headers: Headers) -> bool:
    """Return whether a browser says that a page of another site asks. What is no browser says
    nothing."""
    origin = headers.get("origin")
    if origin is None or origin in config.get_option("server.corsAllowedOrigins"):
        return False
    return urlsplit(origin).netloc != headers.get("host")


class Gate:
    """ASGI middleware: refuses what comes from other sites or is too much, and sends headers that
    tell browsers to do so too."""

    def __init__(
        self, app: ASGIApp, limits: ServerLimits, held: Callable[[], int] = held_uploads
    ) -> None:
        self.app, self.limits, self.held = app, limits, held
        self.seats: set[Seat] = set()
        self.coming = 0  # bytes of uploads on their way
        self.burst, self.filled = 2.0 * limits.sessions, time.monotonic()
        self.closing: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self.session(scope, receive, send)
        elif scope["type"] == "http":
            await self.request(scope, receive, with_headers(send, scope))
        else:
            await self.app(scope, receive, send)

    async def request(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] not in SAFE and is_foreign(Headers(scope=scope)):
            await PlainTextResponse(FOREIGN, 403)(scope, receive, send)
        elif scope["method"] == "PUT" and scope["path"].startswith(UPLOADS):
            await self.upload(scope, receive, send)
        elif opens_page(scope) and not self.has_room():
            headers = {"Retry-After": str(RETRY_SECONDS), "Cache-Control": "no-store"}
            await HTMLResponse(FULL_PAGE, 503, headers=headers)(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def session(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        refused = ""
        if is_foreign(headers):
            refused = FOREIGN
        elif not self.admits(reconnects(headers)):
            refused = FULL
        if refused:
            answer = PlainTextResponse(refused, 403 if refused is FOREIGN else 503)
            await WebSocket(scope, receive, send).send_denial_response(answer)
            return
        seat = Seat(send)

        async def heard() -> Message:
            message = await receive()
            seat.heard = time.monotonic()
            return message

        self.seats.add(seat)
        try:
            await self.app(scope, heard, send)
        finally:
            self.seats.discard(seat)

    async def upload(self, scope: Scope, receive: Receive, send: Send) -> None:
        length = Headers(scope=scope).get("content-length", "")
        size = int(length) if length.isdecimal() and len(length) < 16 else UPLOAD_MB * MB
        size = min(size, UPLOAD_MB * MB)  # Streamlit takes no more of it
        if self.held() + self.coming + size > self.limits.upload_bytes:
            await PlainTextResponse(NO_ROOM, 503)(scope, receive, send)
            return
        self.coming += size
        try:
            await self.app(scope, receive, send)
        finally:
            self.coming -= size

    def idlest(self) -> Seat | None:
        """Return the session that has been silent for longest, if that is long enough to lose its
        place."""
        seat = min(self.seats, key=lambda one: one.heard, default=None)
        silent = seat is not None and time.monotonic() - seat.heard > self.limits.idle_seconds
        return seat if silent else None

    def has_room(self) -> bool:
        return len(self.seats) < self.limits.sessions or self.idlest() is not None

    def admits(self, reconnects: bool) -> bool:
        """Return whether a session may begin now; makes room for it if it may."""
        full = len(self.seats) >= self.limits.sessions
        idlest = self.idlest() if full and not reconnects else None
        if full and idlest is None:
            return False
        now = time.monotonic()
        gained = (now - self.filled) * max(1.0, self.limits.sessions / 20)
        self.burst, self.filled = min(2.0 * self.limits.sessions, self.burst + gained), now
        if self.burst < 1:
            return False
        self.burst -= 1
        if idlest is not None:
            self.end(idlest)
        return True

    def end(self, seat: Seat) -> None:
        """Close a session. Its browser may not be listening any more: nobody waits for it."""
        self.seats.discard(seat)
        task = asyncio.create_task(close(seat.send))
        self.closing.add(task)
        task.add_done_callback(self.closing.discard)


async def close(send: Send) -> None:
    try:
        await send({"type": "websocket.close", "code": TRY_AGAIN, "reason": "idle"})
    except (OSError, RuntimeError):  # it has gone, or is being closed, just now
        return


def reconnects(headers: Headers) -> bool:
    """Return whether a WebSocket names the session that it had: Streamlit's scripts give protocol,
    XSRF token and that."""
    given = [word.strip() for word in headers.get("sec-websocket-protocol", "").split(",")]
    return len(given) > 2 and bool(given[2])


def with_headers(send: Send, scope: Scope) -> Send:
    """Send an answer with the headers that every answer has, and those that need TLS where the
    browser has come over it."""
    forwarded = Headers(scope=scope).get("x-forwarded-proto", "")
    tls = "https" in (scope.get("scheme"), forwarded)
    added = HEADERS | (OVER_TLS if tls else {})

    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in added.items():
                headers.setdefault(name, value)
        await send(message)

    return sent
