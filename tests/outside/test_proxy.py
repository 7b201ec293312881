"""The proxy of deploy/ before real servers, asked in plain HTTP: what is compressed, what a browser
may keep, what is refused, and that a visitor always comes back to the same server."""

import gzip
import re
import ssl
import subprocess
import time
from collections.abc import Iterator
from urllib.error import URLError

import pytest

from engine.experiments import AttackRequest
from engine.results.jobs import LOOK_SECONDS, Jobs
from engine.results.queue import living
from engine.settings import read_settings
from tests.support.browser import healthy
from tests.support.proxy import Served, fetch, kill, needs_a_proxy, served
from tests.support.queues import until, wait

YEAR = 365 * 24 * 3600


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    needs_a_proxy()
    with served(tmp_path_factory.mktemp("proxied")) as made:
        yield made


@pytest.fixture(scope="module")
def scripts(lab: Served) -> list[str]:
    """The addresses of the scripts that the first page asks for."""
    document = fetch(lab.address).body.decode()
    found = re.findall(r'(?:src|href)="\.?(/static/[^"]+\.(?:js|css))"', document)
    assert len(found) > 2
    return [f"{lab.address}{path}" for path in found]


def test_health(lab: Served):
    answer = fetch(f"{lab.address}/_stcore/health")
    assert (answer.status, answer.body) == (200, b"ok")


def test_without_tls_a_visitor_is_sent_to_where_it_is(lab: Served):
    answer = fetch(f"{lab.plain}/move-one-sample?k=3")
    assert answer.status == 308
    assert answer.headers["Location"] == "https://127.0.0.1/move-one-sample?k=3"


@pytest.mark.parametrize("encoding", ["br", "gzip"])
def test_scripts_are_packed_and_kept_for_good(lab: Served, scripts: list[str], encoding: str):
    for url in scripts:
        plain = fetch(url, {"Accept-Encoding": "identity"})
        packed = fetch(url, {"Accept-Encoding": encoding})
        assert plain.status == packed.status == 200
        assert packed.headers["Cache-Control"] == f"public, max-age={YEAR}, immutable"
        assert packed.headers["Vary"] == "Accept-Encoding"
        if len(plain.body) > 1500:
            assert packed.headers["Content-Encoding"] == encoding
            assert len(packed.body) < 0.6 * len(plain.body)
            unpacked = gzip.decompress(packed.body) if encoding == "gzip" else unbrotli(packed.body)
            assert unpacked == plain.body


def unbrotli(content: bytes) -> bytes:
    done = subprocess.run(["brotli", "-d", "-c"], input=content, capture_output=True, check=True)
    return done.stdout


def test_pages_are_asked_for_each_time_and_packed(lab: Served):
    answer = fetch(lab.address, {"Accept-Encoding": "gzip"})
    assert answer.headers["Cache-Control"] == "no-cache"
    assert answer.headers["Content-Encoding"] == "gzip"
    assert b"<html" in gzip.decompress(answer.body)


def test_a_script_of_another_version_is_not_found_and_not_kept(lab: Served):
    answer = fetch(f"{lab.address}/static/js/index.OtherOne.js")
    assert answer.status == 404
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", ["/static/../../etc/passwd", "/static/%2e%2e/%2e%2e/etc/passwd"])
def test_nothing_outside_the_scripts_is_served(lab: Served, path: str):
    answer = fetch(lab.address + path)
    assert answer.status in (400, 404)
    assert b"root:" not in answer.body


def test_what_a_server_measures_is_not_for_visitors(lab: Served):
    assert fetch(f"{lab.address}/_stcore/metrics").status == 404
    assert all(count == 0 for count in lab.sessions().values())  # who runs it can look


def test_a_cookie_leads_back_to_the_same_server(lab: Served):
    assert len(lab.homes()) == 2
    first = fetch(lab.address)
    cookie = first.headers["Set-Cookie"].split(";")[0]
    for path in ("/", "/_stcore/health", "/_stcore/host-config", "/favicon.png") * 5:
        again = fetch(lab.address + path, {"Cookie": cookie})
        assert "Set-Cookie" not in again.headers or not again.headers["Set-Cookie"].startswith(
            "ial_server"
        )


def status_of_unwanted(url: str, method: str) -> int | None:
    """The status of a request with a body that nobody wants; None where the proxy hangs up while
    the body is still sent."""
    try:
        return fetch(url, method=method, body=bytes(3_000_000)).status
    except URLError as error:
        if not isinstance(error.reason, ssl.SSLEOFError | ConnectionError):
            raise
        return None


def test_a_visitor_cannot_make_a_server_look_dead(lab: Served):
    """By requests that end in an error: both servers still get visitors afterwards."""
    for path in ("/_stcore/health", "/_stcore/stream", "/_stcore/upload_file/none/none"):
        for method in ("POST", "PUT", "DELETE"):
            status = status_of_unwanted(lab.address + path, method)
            assert status is None or 400 <= status < 500, (method, path, status)
    assert len(lab.homes()) == 2


def test_a_dead_server_is_not_asked(lab: Served):
    """Not one request fails, whatever cookie it has; a new one takes its place."""
    cookies = lab.homes()
    dead = next(iter(lab.servers))
    kill(lab.servers[dead])
    assert not healthy(dead)
    try:
        for cookie in [*cookies] * 5:
            assert fetch(lab.address, {"Cookie": cookie}).status == 200
    finally:
        lab.start_again(dead)
    lab.wait_for(lambda: len(lab.homes()) == 2, "both servers are asked again")


def test_only_the_worker_service_starts_workers(lab: Served):
    """A server takes the job and leaves it to that service; when it is stopped, so are workers."""
    jobs = Jobs(read_settings({"IAL_CACHE_DIR": str(lab.cache), "IAL_WORKERS": "no"}))
    lab.stop_worker()
    job = jobs.submit("attack", AttackRequest(targets=(919,), steps=2))
    time.sleep(3 * LOOK_SECONDS)
    assert jobs.state(job).status == "queued"
    assert not living(jobs.folder)
    lab.start_worker()
    assert until(jobs, job, "done", "failed").status == "done"
    assert living(jobs.folder)
    lab.stop_worker()
    wait(lambda: not living(jobs.folder))
    lab.start_worker()
