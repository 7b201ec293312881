"""Streamlit's page as a browser first gets it, with the lab's name and style: ASGI middleware.

Streamlit sends an empty page, then a skeleton, then one element after the other; style that comes
among them moves all that is there already. Here the style comes with the page, and so does a script
that keeps the first view hidden, beneath the lab's name, until its script run has ended and its
elements have their places: nothing that a reader has begun to read moves. Later runs hide nothing.
The scripts that keep the history of views, save figures and explain words come here too, once: a
component would bring them for every figure or page.
"""

from functools import cache

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pages.common.figures import palette
from pages.common.lab.browsers import opens_page
from pages.common.widgets.browser_files import text_of
from pages.common.widgets.code_tabs import CITATION
from pages.common.words import glossary

NAME = "Influence Attack Lab"
STYLES = ("blocks.css", "save_figure.css", "opening.css", "words.css")
SCRIPTS = ("opening.js", "history.js", "save_figure.js", "words.js")
BODY = b"<body>"
TITLE = b"<title>Streamlit</title>"
ASKED = (b"if-none-match", b"if-modified-since", b"range", b"accept-encoding")
DESCRIBED = ("etag", "last-modified", "accept-ranges")  # headers of Streamlit's file as it was


@cache
def in_body() -> bytes:
    """Return the style of the lab's own blocks, the glossary, the scripts of the first view, of
    saving figures and of words, what to cite, and what stands there until then. All of it is in the
    body, since of equal rules the later one wins: Streamlit's scripts add their style to the head.
    """
    style = palette.style() + "".join(map(text_of, STYLES))
    scripts = "".join(f"<script>{text_of(name)}</script>" for name in SCRIPTS)
    words = f'<script type="application/json" id="ial-glossary">{glossary.for_browser()}</script>'
    cited = f'<script type="application/x-bibtex" id="ial-citation">{CITATION}</script>'
    waiting = f'<div id="ial-opening" role="status">{NAME} <span>is opening …</span></div>'
    return f"<style>{style}</style>{words}{scripts}{cited}{waiting}".encode()


def dressed(page: bytes) -> bytes:
    """Return Streamlit's page with the lab's name and style; as it is where it has no body."""
    named = page.replace(TITLE, f"<title>{NAME}</title>".encode(), 1)
    return named.replace(BODY, BODY + in_body(), 1)


class Opening:
    """ASGI middleware: dresses the page that a browser opens."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not opens_page(scope):
            await self.app(scope, receive, send)
            return
        # The file as it is on the disk would be named, cut and packed: what is sent is another.
        plain = [pair for pair in scope["headers"] if pair[0] not in ASKED]
        await self.app({**scope, "headers": plain}, receive, whole(send))


def whole(send: Send) -> Send:
    """Send an HTML answer once it is there as a whole, dressed; others as they come."""
    start: Message | None = None
    body = bytearray()

    async def sent(message: Message) -> None:
        nonlocal start
        if message["type"] == "http.response.start" and is_html(message):
            start = message
            return
        if start is None or message["type"] != "http.response.body":
            await send(message)
            return
        body.extend(message.get("body", b""))
        if message.get("more_body", False):
            return
        page = dressed(bytes(body))
        headers = MutableHeaders(scope=start)
        headers["content-length"] = str(len(page))
        for name in DESCRIBED:
            if name in headers:
                del headers[name]
        await send(start)
        await send({"type": "http.response.body", "body": page})

    return sent


def is_html(start: Message) -> bool:
    """Return whether an answer is a page that was found."""
    kind = MutableHeaders(scope=start).get("content-type", "")
    return start["status"] == 200 and kind.startswith("text/html")
