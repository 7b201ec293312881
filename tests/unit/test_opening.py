"""The page that a browser first gets has the lab's name, style and script in it."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest
import streamlit
from starlette.types import Message, Receive, Scope, Send

from pages.common.figures.palette import ACCENT
from pages.common.lab.opening import NAME, Opening, dressed
from pages.common.widgets.browser_files import text_of

SHIPPED = Path(streamlit.__file__).parent / "static" / "index.html"
PAGE = {"content-type": "text/html; charset=utf-8", "etag": '"1"', "accept-ranges": "bytes"}


def answer(
    scope: Mapping[str, object],
    parts: list[bytes],
    status: int = 200,
    kind: str = PAGE["content-type"],
) -> tuple[Message, bytes, Mapping[str, object]]:
    """What is sent where the app answers with `parts`: start, body, the scope it was given."""
    sent: list[Message] = []
    seen: dict[str, object] = {}

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.update(scope)
        given = PAGE | {"content-type": kind, "content-length": str(sum(map(len, parts)))}
        headers = [(name.encode(), value.encode()) for name, value in given.items()]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        for part in parts:
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(Opening(app)(dict(scope), receive, send))
    body = b"".join(m.get("body", b"") for m in sent if m["type"] == "http.response.body")
    return sent[0], body, seen


def names(scope: Mapping[str, object]) -> list[bytes]:
    headers = scope["headers"]
    assert isinstance(headers, list)
    return [name for name, _ in headers]


def opens(**headers: str) -> dict[str, object]:
    given = {"accept": "text/html", **{k.replace("_", "-"): v for k, v in headers.items()}}
    pairs = [(name.encode(), value.encode()) for name, value in given.items()]
    return {"type": "http", "method": "GET", "path": "/", "headers": pairs}


def test_the_page_of_the_installed_streamlit_has_the_places_that_are_dressed() -> None:
    page = dressed(SHIPPED.read_bytes()).decode()
    assert f"<title>{NAME}</title>" in page
    assert f'role="status">{NAME}' in page
    first = page[page.index("<body>") : page.index('<div id="root">')]
    for name in ("blocks.css", "opening.css", "opening.js"):
        assert text_of(name) in first
    assert f"--ial-accent: {ACCENT}" in first
    assert page.index("<style>") > page.index("</head>")  # after Streamlit's, to win over it


def test_it_is_sent_as_a_whole_and_says_its_length() -> None:
    page = SHIPPED.read_bytes()
    start, body, seen = answer(
        opens(if_none_match='"1"', range="bytes=0-9", accept_encoding="gzip", cookie="a=b"),
        [page[:100], page[100:]],
    )
    assert body == dressed(page)
    headers = dict(start["headers"])
    assert int(headers[b"content-length"]) == len(body)
    assert b"etag" not in headers and b"accept-ranges" not in headers
    assert names(seen) == [b"accept", b"cookie"]


@pytest.mark.parametrize(
    ("status", "kind"), [(503, "text/html; charset=utf-8"), (200, "text/plain"), (304, "text/html")]
)
def test_other_answers_are_sent_as_they_are(status: int, kind: str) -> None:
    start, body, _ = answer(opens(), [b"<body>"], status, kind)
    assert body == b"<body>"
    assert dict(start["headers"])[b"etag"] == b'"1"'


def test_parts_of_a_page_are_left_alone() -> None:
    scope = opens() | {"headers": [(b"accept", b"*/*"), (b"range", b"bytes=0-9")]}
    _, body, seen = answer(scope, [b"<head></head>"])
    assert body == b"<head></head>"
    assert seen["headers"] == scope["headers"]


def test_a_page_without_a_body_is_left_as_it_is() -> None:
    assert dressed(b"<p>plain") == b"<p>plain"
