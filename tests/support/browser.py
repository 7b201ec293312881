"""A server and browser sessions for tests in Chromium."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlparse

from playwright.sync_api import Browser, Page

from engine.results.jobs import Jobs
from engine.settings import read_settings
from tests.support.queues import kill_all

ROOT = Path(__file__).parents[2]


CHROMIUM = "/usr/bin/chromium"
# How a console begins to say of a lost connection.
LOST = ("Failed to load resource", "WebSocket", "Cannot send rerun backMessage")


FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-site-isolation-trials",  # one process a visit, not two: the lab is one site
]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


LAB = ("-m", "pages.common.serve")


def start_server(
    cache: Path,
    port: int | None = None,
    what: Sequence[str] = LAB,
    environment: Mapping[str, str] | None = None,
) -> tuple[subprocess.Popen, str]:
    """A lab started as `make run` starts it, with its own results in `cache`; or what else Python
    is to serve in its place. environment: settings beside those of every test."""
    address = f"http://127.0.0.1:{port or free_port()}"
    command = [sys.executable, *what]
    cache.mkdir(exist_ok=True)
    with (cache / "server.log").open("a") as log:
        process = subprocess.Popen(
            [*command, "--server.port", address.rsplit(":", 1)[1]],
            cwd=ROOT,
            env=os.environ | local_settings(cache) | dict(environment or {}),
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return process, address


def local_settings(cache: Path) -> dict[str, str]:
    return {"IAL_CACHE_DIR": str(cache), "IAL_WORKER_IDLE_S": "120"}


def stop_server(process: subprocess.Popen, cache: Path) -> None:
    """End a server and its workers."""
    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    kill_all(Jobs(read_settings(local_settings(cache))))  # last: a server would start new ones


def wait_until_healthy(process: subprocess.Popen, address: str, cache: Path) -> None:
    for _ in range(600):
        if process.poll() is not None or healthy(address):
            break
        time.sleep(0.1)
    assert healthy(address), (cache / "server.log").read_text()


def healthy(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/_stcore/health", timeout=1) as answer:
            return answer.status == 200
    except OSError:
        return False


@dataclass
class Visit:
    """A session in its own browser context, and what went wrong in it."""

    page: Page
    address: str
    errors: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)

    def check(self) -> None:
        """An empty console, nothing fetched from elsewhere, no exception shown."""
        assert self.errors == []
        assert self.elsewhere == []
        assert self.page.get_by_test_id("stException").count() == 0

    def only_lost_connections(self) -> None:
        """As `check`, for a visit whose connection was cut, which the console may say."""
        self.errors = [error for error in self.errors if not error.startswith(LOST)]
        self.check()


@dataclass
class Visits:
    """Opens sessions; each is a browser of its own."""

    address: str
    chromium: Browser
    opened: list[Visit] = field(default_factory=list)
    ignore_https_errors: bool = False  # of a certificate that a test's proxy made itself

    def open(
        self,
        path: str = "/",
        size: tuple[int, int] = (1280, 1000),
        touch: bool = False,
        init: str = "",
    ) -> Visit:
        """Open the lab at `path` in a window of this size. init: a script that runs before any of
        the page's own."""
        context = self.chromium.new_context(
            viewport={"width": size[0], "height": size[1]},
            has_touch=touch,
            ignore_https_errors=self.ignore_https_errors,
        )
        if init:
            context.add_init_script(init)
        visit = Visit(context.new_page(), self.address)
        host = urlparse(self.address).netloc

        def watch(url: str) -> None:
            if not url.startswith(("data:", "blob:")) and urlparse(url).netloc != host:
                visit.elsewhere.append(url)

        visit.page.on("request", lambda request: watch(request.url))
        visit.page.on(
            "console", lambda m: visit.errors.append(m.text) if m.type == "error" else None
        )
        visit.page.on("pageerror", lambda error: visit.errors.append(str(error)))
        visit.page.goto(self.address + path)
        self.opened.append(visit)
        return visit

    def close(self) -> None:
        for visit in self.opened:
            visit.page.context.close()
