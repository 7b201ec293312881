"""Browsers are told apart by a cookie, and the teacher's link is taken out of the address."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from http.cookies import SimpleCookie
from urllib.parse import urlencode

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.types import Message

from engine.settings import read_settings
from pages.common.lab import address, browsers
from pages.common.lab.browsers import TEACHER, VISITOR, Browsers

TOKEN = "the-teachers-own-token"


def seen(request: Request) -> PlainTextResponse:
    return PlainTextResponse(str(request.url.query))


APP = Starlette(
    routes=[Route("/{path:path}", seen, methods=["GET", "POST"])],
    middleware=[Middleware(Browsers, token=lambda: TOKEN)],
)


def ask(
    path: str = "/", query: str = "", method: str = "GET", **headers: str
) -> tuple[int, str, list[tuple[str, str]]]:
    """Status, body and headers of an answer of the application."""
    given = {"accept": "text/html,*/*", "host": "lab"} | headers
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query.encode(),
        "headers": [(k.replace("_", "-").encode(), v.encode()) for k, v in given.items()],
        "server": ("lab", 80),
        "client": ("1.2.3.4", 5),
    }
    messages: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        messages.append(message)

    # In a thread of its own: where Playwright has been at work, this one has an event loop.
    with ThreadPoolExecutor(1) as own:
        own.submit(asyncio.run, APP(scope, receive, send)).result()
    start = messages[0]
    body = b"".join(m.get("body", b"") for m in messages[1:])
    return (
        start["status"],
        body.decode(),
        [(name.decode(), value.decode()) for name, value in start["headers"]],
    )


def cookies(headers: list[tuple[str, str]]) -> dict[str, str]:
    return {
        value.split("=")[0]: value.split("=", 1)[1]
        for name, value in headers
        if name == "set-cookie"
    }


def test_a_new_browser_is_given_an_id_that_scripts_cannot_read() -> None:
    status, _, headers = ask()
    assert status == 200
    (value,) = cookies(headers).values()
    assert browsers.WELL_FORMED.fullmatch(value.split(";")[0])
    assert "HttpOnly; SameSite=Lax" in value
    assert "Secure" not in value
    *_, again = ask()
    assert cookies(again) != cookies(headers)


def test_behind_tls_the_cookie_stays_on_tls() -> None:
    assert "; Secure" in cookies(ask(x_forwarded_proto="https")[2])[VISITOR]


def test_a_known_browser_keeps_its_id_and_a_bad_one_gets_another() -> None:
    known = "a" * 32
    assert cookies(ask(cookie=f"{VISITOR}={known}; other=1")[2]) == {}
    for bad in ("short", "a" * 33, "../../../../etc/passwd0123456789"):
        assert VISITOR in cookies(ask(cookie=f"{VISITOR}={bad}")[2])


def test_only_a_page_is_given_a_cookie() -> None:
    assert cookies(ask("/static/a.js", accept="*/*")[2]) == {}
    assert cookies(ask(method="POST")[2]) == {}


def test_the_teachers_link_becomes_a_cookie_and_leaves_the_address() -> None:
    query = urlencode({"dataset": "digits", "teacher": TOKEN, "k": "3"})
    status, _, headers = ask("/influence", query)
    assert status == 303
    assert dict(headers)["location"] == "/influence?dataset=digits&k=3"
    assert dict(headers)["cache-control"] == "no-store"
    held = cookies(headers)
    assert held[TEACHER].startswith(TOKEN + ";")
    assert "HttpOnly" in held[TEACHER]
    assert VISITOR in held


@pytest.mark.parametrize("given", ["", "wrong", TOKEN[:-1], TOKEN + "x", "ü"])
def test_a_wrong_token_opens_nothing_and_says_so(given: str) -> None:
    status, body, headers = ask("/", urlencode({"teacher": given}))
    assert status == 403
    assert "not the one of this server" in body
    assert TEACHER not in cookies(headers)


@pytest.mark.parametrize("path", ["//evil.example", "/\\evil.example", "///evil.example/x"])
def test_the_way_onwards_stays_on_this_server(path: str) -> None:
    status, _, headers = ask(path, urlencode({"teacher": TOKEN}))
    assert status == 303
    location = dict(headers)["location"]
    assert location.startswith("/")
    assert location[1:2] not in ("/", "\\")


def test_without_a_token_nobody_is_the_teacher() -> None:
    assert not browsers.is_token("", "")
    assert browsers.is_token(TOKEN, TOKEN)
    assert not browsers.is_token("ü", TOKEN)


def test_what_is_written_down_is_not_the_cookie() -> None:
    held = {VISITOR: "b" * 32}
    name = browsers.name_of(held)
    assert len(name) == 24
    assert name.isalnum()
    assert "b" * 8 not in name
    assert browsers.name_of(held) == name != browsers.name_of({VISITOR: "c" * 32})
    assert browsers.name_of({}) == browsers.name_of({VISITOR: "b" * 31 + ";"}) == ""


def test_a_header_that_cannot_be_read_names_nobody() -> None:
    assert browsers.read_cookies("a=1; b=2") == {"a": "1", "b": "2"}
    assert browsers.read_cookies("\x00[]=;;=") == {}
    assert SimpleCookie("a=1")["a"].value == "1"


def test_the_code_is_drawn_for_any_address_and_holds_nothing_else() -> None:
    drawn = address.qr_code("http://192.0.2.7:8501")
    assert drawn.startswith("data:image/svg+xml")
    assert drawn != address.qr_code("http://192.0.2.7:8502")
    assert not {'"', "<", ">"} & set(address.qr_code('"><script>'))
    assert address.for_teacher("http://a", "t-_1") == "http://a/?teacher=t-_1"


def test_a_page_names_the_address_at_which_others_find_it() -> None:
    settings = read_settings({})
    assert address.as_visited(settings, "http://192.0.2.7:8501/join", 1) == "http://192.0.2.7:8501"
    assert address.as_visited(settings, "https://lab.org/wall?a=1", 1) == "https://lab.org"
    for alone in ("http://localhost:8501/join", "http://127.0.0.1:8501", "", "http://[::1]:1/"):
        assert address.as_visited(settings, alone, 8501) == f"http://{address.own_ip()}:8501"
    chosen = replace(settings, address="https://lab.example.org/")
    assert address.as_visited(chosen, "http://a", 1) == "https://lab.example.org"
