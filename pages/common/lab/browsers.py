"""Telling browsers apart: ASGI middleware around Streamlit, and the two cookies that it sets.

A visitor is a browser with a random cookie, which the server sets with the first page; it comes
back with the handshake of the session's WebSocket, where `st.context.cookies` has it. A cookie,
because the other ways lose: a query parameter is copied with every link, so that who follows one
becomes its sender; the session's own id ends with a reload; `localStorage` has to be asked by a
script, whose answer comes a page run late and can be read by any other script. Scripts cannot read
this cookie, and Python cannot set it from a page: hence a middleware. What is kept with jobs is a
hash of it, so that nobody who reads a file can pass for somebody else. Where a browser keeps no
cookies, and in a server that `pages.common.serve` did not start, a visitor is a session.

The teacher's link carries the token as a parameter. The server compares it in constant time, keeps
it in a second such cookie, and sends the browser on to the same address without it.
"""

import hashlib
import re
import secrets
from collections.abc import Callable, Mapping
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qsl, quote, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from engine.settings import teacher_token

VISITOR, TEACHER = "ial_visitor", "ial_teacher"  # cookies
PARAMETER = "teacher"  # of the teacher's link
VISITOR_SECONDS, TEACHER_SECONDS = 30 * 24 * 3600, 24 * 3600  # that a browser keeps them
WELL_FORMED = re.compile(r"[A-Za-z0-9_-]{32}")
WRONG = (
    "This teacher's link is not the one of this server. The right one was printed when the server "
    "was started."
)


def is_token(given: str, token: str) -> bool:
    """Return whether somebody has given the token, in a time that does not depend on how much of it
    is right; never where there is none."""
    return bool(token) and secrets.compare_digest(given.encode(), token.encode())


def name_of(cookies: Mapping[str, str]) -> str:
    """Say what the browser with these cookies is called in files; '' without a usable one."""
    held = cookies.get(VISITOR, "")
    return hashlib.sha256(held.encode()).hexdigest()[:24] if WELL_FORMED.fullmatch(held) else ""


class Browsers:
    """ASGI middleware: gives every browser its id, and takes the teacher's token out of links."""

    def __init__(self, app: ASGIApp, token: Callable[[], str] = teacher_token) -> None:
        self.app, self.token = app, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not opens_page(scope):
            await self.app(scope, receive, send)
            return
        query = parse_qsl(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
        given = next((value for name, value in query if name == PARAMETER), None)
        if given is not None:
            await self.let_in(scope, given, [pair for pair in query if pair[0] != PARAMETER])(
                scope, receive, with_cookies(send, self.missing(scope))
            )
            return
        await self.app(scope, receive, with_cookies(send, self.missing(scope)))

    def let_in(
        self, scope: Scope, given: str, rest: list[tuple[str, str]]
    ) -> PlainTextResponse | RedirectResponse:
        """Return the answer to a teacher's link: onwards without the token, or a refusal."""
        token = self.token()
        if not is_token(given, token):
            return PlainTextResponse(WRONG, 403, headers={"Cache-Control": "no-store"})
        path = quote("/" + scope["path"].lstrip("/"))  # '//' and '/\\' would lead elsewhere
        onwards = path + ("?" + urlencode(rest) if rest else "")
        answer = RedirectResponse(onwards, 303, headers={"Cache-Control": "no-store"})
        answer.headers.append("set-cookie", cookie(TEACHER, token, TEACHER_SECONDS, scope))
        return answer

    def missing(self, scope: Scope) -> list[str]:
        """Return the cookie of a browser that has none yet."""
        held = read_cookies(Headers(scope=scope).get("cookie", ""))
        if WELL_FORMED.fullmatch(held.get(VISITOR, "")):
            return []
        return [cookie(VISITOR, secrets.token_urlsafe(24), VISITOR_SECONDS, scope)]


def opens_page(scope: Scope) -> bool:
    """Return whether a browser asks for a page to show, not for a part of one."""
    return scope["method"] == "GET" and "text/html" in Headers(scope=scope).get("accept", "")


def read_cookies(header: str) -> dict[str, str]:
    """Return the cookies of a request; none of a header that cannot be read."""
    read: SimpleCookie = SimpleCookie()
    try:
        read.load(header)
    except CookieError:
        return {}
    return {name: morsel.value for name, morsel in read.items()}


def cookie(name: str, value: str, seconds: int, scope: Scope) -> str:
    """Return a cookie that scripts cannot read and other sites cannot send."""
    forwarded = Headers(scope=scope).get("x-forwarded-proto", "")
    secure = "; Secure" if "https" in (scope.get("scheme"), forwarded) else ""
    return f"{name}={value}; Max-Age={seconds}; Path=/; HttpOnly; SameSite=Lax{secure}"


def with_cookies(send: Send, added: list[str]) -> Send:
    """Send an answer with these cookies."""

    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for one in added:
                headers.append("set-cookie", one)
        await send(message)

    return sent if added else send
