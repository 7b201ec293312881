"""The lab's server as strangers meet it: started as `make run` does, asked over HTTP and WebSockets
by clients that keep to no rules."""

import contextlib
import re
import socket
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from engine.data.untrusted.limits import MB, UPLOAD_MB
from engine.settings import ROOT
from pages.common.lab.gate import FULL
from pages.common.lab.registry import PAGES
from tests.support.browser import free_port, start_server, stop_server, wait_until_healthy
from tests.support.proxy import fetch

PAGE = {"Accept": "text/html"}
HUNG_UP = 0  # in place of a status: refused while the rest was still being sent
XSRF = "_streamlit_xsrf"
FEW = {
    "IAL_SESSIONS": "3",
    "IAL_SESSION_IDLE_MINUTES": "0.05",
    "STREAMLIT_SERVER_DISCONNECTED_SESSION_TTL": "1",
}
IDLE_SECONDS = 3.0


class Server:
    """A running lab: its address, its process, and where its files are."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.cache = folder
        self.process, self.address = start_server(folder, environment=environment)
        self.host = self.address.removeprefix("http://")
        wait_until_healthy(self.process, self.address, folder)

    def memory_mb(self) -> float:
        return psutil.Process(self.process.pid).memory_info().rss / MB


@contextlib.contextmanager
def running(folder: Path, **environment: str) -> Iterator[Server]:
    server = Server(folder, **environment)
    try:
        yield server
    finally:
        stop_server(server.process, folder)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("open")) as made:
        yield made


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """With places for three, and a short memory of those who have gone."""
    with running(tmp_path_factory.mktemp("small"), **FEW) as made:
        yield made


def websocket(
    server: Server, origin: str | None = None, host: str | None = None, session: str = ""
) -> ClientConnection:
    """A WebSocket with any origin and any Host; session: the one that it says it had."""
    protocols = [
        Subprotocol("streamlit"),
        *([Subprotocol("x"), Subprotocol(session)] if session else []),
    ]
    return connect(
        f"ws://{host or server.host}/_stcore/stream",
        sock=None if host is None else reach(server),
        additional_headers={"Origin": origin} if origin else None,
        subprotocols=protocols,
        max_size=None,
    )


def seated(server: Server) -> ClientConnection:
    """The same, as soon as there is a place."""
    for _ in range(300):
        try:
            return websocket(server)
        except InvalidStatus:
            time.sleep(0.1)
    pytest.fail("no session is let in any more")


def reach(server: Server) -> socket.socket:
    name, port = server.host.split(":")
    return socket.create_connection((name, int(port)))


def rerun(page: str = "", query: str = "") -> bytes:
    asked = BackMsg()
    asked.rerun_script.page_name = page
    asked.rerun_script.query_string = query
    return asked.SerializeToString()


def run(connection: ClientConnection, page: str = "", query: str = "") -> list[ForwardMsg]:
    """Every message of a page's run."""
    connection.send(rerun(page, query))
    return list(until_finished(connection))


def until_finished(connection: ClientConnection) -> Iterator[ForwardMsg]:
    while True:
        message = ForwardMsg.FromString(bytes(connection.recv(timeout=60, decode=False)))
        yield message
        if message.WhichOneof("type") == "script_finished":
            return


def session_of(messages: list[ForwardMsg]) -> str:
    (begin,) = [m.new_session for m in messages if m.WhichOneof("type") == "new_session"]
    return str(begin.initialize.session_id)


def refused(make: Callable[[], ClientConnection]) -> int:
    """The status of a handshake that is refused; 101 for one that is not."""
    try:
        with make():
            return 101
    except InvalidStatus as error:
        return error.response.status_code


# Where requests come from


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "https://evil.example",
        "http://localhost:9",  # another program's pages on the visitor's machine
        "http://127.0.0.1",
        "http://127.0.0.1.evil.example",
        "null",
        "file://",
        "",
    ],
)
def test_a_websocket_of_another_site_is_refused_at_once(server: Server, origin: str):
    began = time.monotonic()
    expected = 403 if origin else 101  # a program that is no browser may say nothing
    assert refused(lambda: websocket(server, origin)) == expected
    assert time.monotonic() - began < 2, "it asked somebody else"


def test_a_websocket_of_its_own_pages_is_taken(server: Server):
    with websocket(server, server.address) as connection:
        assert run(connection)


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8501", "127.0.0.1.evil.example"])
def test_a_name_that_another_site_has_led_here_is_refused(server: Server, host: str):
    """DNS rebinding: such a page's requests would be of the same origin."""
    assert refused(lambda: websocket(server, f"http://{host}", host)) == 400
    answer = fetch(server.address, {"Host": host} | PAGE)
    assert answer.status == 400
    assert b"<html" not in answer.body


def test_no_answer_lets_other_sites_read_it(server: Server):
    for path in ("/", "/_stcore/health", "/_stcore/host-config", "/static/none.js"):
        headers = fetch(server.address + path, {"Origin": "http://evil.example"}).headers
        assert "Access-Control-Allow-Origin" not in headers, path


def test_answers_say_what_pages_may_do(server: Server):
    headers = fetch(server.address, PAGE).headers
    policy = dict(part.split(" ", 1) for part in headers["Content-Security-Policy"].split("; "))
    assert policy["frame-ancestors"] == policy["default-src"] == policy["form-action"] == "'self'"
    assert "http" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"


# Uploads


def upload(
    server: Server,
    session: str,
    content: bytes,
    token: str = "",
    cookie: str = "",
    **headers: str,
) -> int:
    boundary = uuid.uuid4().hex
    body = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="f"; filename="f.csv"\r\n'
        "Content-Type: text/csv\r\n\r\n"
    ).encode() + content
    body += f"\r\n--{boundary}--\r\n".encode()
    given = {"Content-Type": f"multipart/form-data; boundary={boundary}"} | headers
    given |= {"X-Xsrftoken": token} if token else {}
    given |= {"Cookie": f"{XSRF}={cookie}"} if cookie else {}
    url = f"{server.address}/_stcore/upload_file/{session}/{uuid.uuid4()}"
    try:
        return fetch(url, given, "PUT", body).status
    except OSError:
        return HUNG_UP


def token_of(server: Server) -> str:
    """What a browser gets as a cookie, and the lab's own scripts send as a header too."""
    cookies = fetch(f"{server.address}/_stcore/health").headers.get_all("Set-Cookie") or []
    (found,) = [c.split("=", 1)[1].split(";")[0] for c in cookies if c.startswith(XSRF)]
    return found


@pytest.fixture(scope="module")
def token(server: Server) -> str:
    return token_of(server)


def test_an_upload_needs_the_token_the_session_and_the_site(server: Server, token: str):
    with websocket(server) as connection:
        session = session_of(run(connection))
        content = b"a,b\n1,2\n"
        assert upload(server, session, content, token, token) == 204
        assert upload(server, session, content) == 403
        assert upload(server, session, content, token) == 403  # another site cannot send the cookie
        assert upload(server, session, content, "", token) == 403  # and cannot read it
        assert upload(server, str(uuid.uuid4()), content, token, token) == 400
        foreign = {"Origin": "http://evil.example"}
        assert upload(server, session, content, token, token, **foreign) == 403


def test_an_upload_that_is_too_large_is_refused_and_not_kept(server: Server, token: str):
    with websocket(server) as connection:
        session = session_of(run(connection))
        before = server.memory_mb()
        said = upload(server, session, bytes((UPLOAD_MB + 2) * MB), token, token)
        assert said in (413, HUNG_UP)
        assert server.memory_mb() - before < 150
        assert upload(server, session, b"a\n1\n", token, token) == 204


def test_what_is_held_of_all_uploads_together_is_limited(small: Server):
    """And what a session has brought in goes with it."""
    key, large = token_of(small), bytes(150 * MB)
    with seated(small) as connection:
        session = session_of(run(connection))
        said = [upload(small, session, large, key, key) for _ in range(5)]
        assert said[:3] == [204] * 3
        assert set(said[3:]) <= {503, HUNG_UP}
    end = time.monotonic() + 60
    while True:
        with seated(small) as connection:
            if upload(small, session_of(run(connection)), large, key, key) == 204:
                break
        assert time.monotonic() < end, "uploads of sessions that have ended are still held"
        time.sleep(0.5)


# What is asked for


@pytest.mark.parametrize(
    "path",
    [
        "/../../../../etc/passwd",
        "/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
        "/static/../../../../../etc/passwd",
        "/static/%2e%2e%2f%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        "/media/../../etc/passwd",
        "/media/%2fetc%2fpasswd",
        "/component/x/../../../etc/passwd",
        "/_stcore/bidi-components/x/../../../etc/passwd",
        "/app/static/../engine/settings.py",
        "//evil.example/x",
        "/\\\\evil.example\\share",
        "/.streamlit/config.toml",
        "/requirements.txt",
        "/engine/settings.py",
        "/cache/published/requests.json",
    ],
)
def test_no_file_but_the_labs_scripts_is_served(server: Server, path: str):
    answer = fetch(server.address + path)
    assert answer.status in (200, 400, 404)
    if answer.status == 200:  # Streamlit answers any address of no file with its page
        assert answer.body == fetch(server.address).body
    assert not is_telling(answer.body.decode(errors="replace"))


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
@pytest.mark.parametrize(
    "path", ["/", "/_stcore/health", "/_stcore/upload_file/a/b", "/media/x", "/_stcore/agent/mcp"]
)
def test_no_answer_tells_of_the_machine(server: Server, method: str, path: str):
    answer = fetch(server.address + path, {"Content-Type": "nonsense"}, method, b"{" * 100)
    assert answer.status < 500
    assert not is_telling(answer.body.decode(errors="replace"))


def is_telling(text: str) -> bool:
    """Whether a text has a traceback, or a path of this machine."""
    return bool(re.search(r"Traceback|File \"|site-packages|root:x:|/tmp/|/home/", text)) or (
        str(ROOT) in text
    )


@pytest.mark.parametrize("sent", [b"\xff" * 100, b"", "text", bytes(3 * MB)])
def test_nonsense_over_a_websocket_ends_that_session_alone(server: Server, sent: bytes | str):
    with websocket(server) as connection:
        connection.send(sent)
        said = b""
        with contextlib.suppress(ConnectionClosed, TimeoutError):
            while True:
                said += bytes(connection.recv(timeout=2, decode=False))
        assert not is_telling(said.decode(errors="replace"))
    with websocket(server) as connection:
        assert run(connection)


@pytest.mark.parametrize(
    "query",
    [
        "dataset=../../../etc/passwd",
        "dataset=/etc/passwd",
        "dataset=..%2F..%2Fsecret.npz",
        "dataset=%00",
        "dataset=<script>alert(1)</script>",
        "table=../../etc/passwd",
        "result=../../../../etc",
        "key=../../../../etc/passwd",
        "first=../x&second=/etc",
        "target=1e99&k=-1&radius=nan&seed=99999999999999999999",
        "target=" + "9" * 5000,
        "&".join(f"x{i}={i}" for i in range(2000)),
    ],
)
def test_no_link_leads_out_of_the_lab(server: Server, query: str):
    """On any page: it says what is wrong with the link, without a path of this machine."""
    with websocket(server) as connection:
        for page in PAGES:
            for message in run(connection, page.url, query):
                if message.WhichOneof("type") != "delta":
                    continue
                is_exception = message.delta.new_element.HasField("exception")
                assert not is_exception, (page.url, str(message))
                sent = message.SerializeToString()  # its texts as they are; str() takes long
                for telling in (b"root:x:", b"Traceback", b"site-packages"):
                    assert telling not in sent, page.url


# Many of them


def test_there_is_room_for_so_many_and_idle_ones_give_way(small: Server):
    with contextlib.ExitStack() as stack:
        guests = [stack.enter_context(websocket(small)) for _ in range(3)]
        for guest in guests:
            run(guest)
        assert refused(lambda: websocket(small)) == 503
        full = fetch(small.address, PAGE)
        assert full.status == 503
        assert FULL.encode() in full.body
        assert int(full.headers["Retry-After"]) > 0
        assert fetch(f"{small.address}/_stcore/health").status == 200  # it is full, not dead
        time.sleep(IDLE_SECONDS + 0.5)
        run(guests[0])
        assert fetch(small.address, PAGE).status == 200
        assert refused(lambda: websocket(small, session=str(uuid.uuid4()))) == 503
        newcomer = stack.enter_context(websocket(small))
        assert run(newcomer)
        assert run(guests[0])  # it has said something meanwhile
        with pytest.raises(ConnectionClosed) as closed:
            run(guests[1])
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1013
        assert run(guests[2])


def test_a_flood_of_sessions_takes_nothing_down(small: Server):
    """Each that is taken runs a page and goes without a word; memory does not grow with them."""
    with seated(small) as connection:
        run(connection, "move-one-sample")
    before, taken, turned_away = small.memory_mb(), 0, 0
    until = time.monotonic() + 20
    while time.monotonic() < until:
        try:
            connection = websocket(small)
        except (InvalidStatus, OSError):
            turned_away += 1
            continue
        taken += 1
        connection.send(rerun("move-one-sample"))
        connection.socket.close()
    assert turned_away > taken
    with seated(small) as connection:
        assert run(connection)
    assert small.memory_mb() - before < 200


def test_a_taken_port_is_said(tmp_path: Path, server: Server):
    """Another server on the same port ends with a message, not with a traceback."""
    port = int(server.address.rsplit(":", 1)[1])
    assert port != free_port()
    process, _ = start_server(tmp_path, port)
    assert process.wait(60) != 0
    said = (tmp_path / "server.log").read_text()
    assert "not available" in said
    assert "Traceback" not in said
