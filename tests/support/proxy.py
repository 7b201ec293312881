"""The lab as deploy/ serves it: Caddy with the project's own configuration before real servers."""

import base64
import hashlib
import os
import shutil
import signal
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from email.message import Message
from pathlib import Path

import psutil
import pytest
import streamlit
import yaml

from engine.results.jobs import Jobs
from engine.settings import read_settings
from tests.support.browser import (
    ROOT,
    free_port,
    healthy,
    local_settings,
    start_server,
    stop_server,
    wait_until_healthy,
)
from tests.support.queues import kill_all

CADDYFILE, COMPRESS = ROOT / "deploy" / "Caddyfile", ROOT / "deploy" / "compress.sh"
COMPOSE = ROOT / "deploy" / "compose.yaml"
NEEDED = ("caddy", "brotli")
PATIENCE = 60.0  # s, on a busy machine
# Caddy makes the certificates of an IP address itself, with an authority that nobody knows yet.
UNCHECKED = ssl.create_default_context()
UNCHECKED.check_hostname = False
UNCHECKED.verify_mode = ssl.CERT_NONE


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Message
    body: bytes


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        return None


def fetch(
    url: str,
    headers: Mapping[str, str] | None = None,
    method: str = "GET",
    body: bytes | None = None,
) -> Answer:
    """One request, as it is answered: no redirect is followed, nothing is unpacked."""
    asked = urllib.request.Request(url, data=body, headers=dict(headers or {}), method=method)
    opener = urllib.request.build_opener(NoRedirect, urllib.request.HTTPSHandler(context=UNCHECKED))
    try:
        with opener.open(asked, timeout=PATIENCE) as answer:
            return Answer(answer.status, answer.headers, answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, error.headers, error.read())


def needs_a_proxy() -> None:
    """Skips, loudly, where what the proxy's tests run is not installed."""
    missing = [name for name in NEEDED if shutil.which(name) is None]
    if missing:
        pytest.skip(f"NOT RUN: no {' and no '.join(missing)}; `make system` installs Debian's.")


def environment_of(service: str) -> dict[str, str]:
    """What the compose file gives a service, but for its addresses and folders, and for opening
    every page first, which would take seconds of every start."""
    given = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))["services"][service]["environment"]
    left_out = {"IAL_CACHE_DIR", "IAL_DATA_DIR", "STREAMLIT_SERVER_ADDRESS", "IAL_OPEN_FIRST"}
    return {name: str(value) for name, value in given.items() if name not in left_out}


def compressed_scripts(folder: Path, quality: int) -> Path:
    """Streamlit's scripts, packed as the image packs them; quality: Brotli's, 11 in the image."""
    scripts = Path(streamlit.__file__).parent / "static" / "static"
    made = [str(COMPRESS), str(scripts), str(folder / "static"), str(quality)]
    subprocess.run(made, check=True)
    return folder


@dataclass
class Served:
    """A running lab behind its proxy. address: the visitors'; plain: without TLS. environment:
    settings beside those of the compose file."""

    folder: Path
    static: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    servers: dict[str, subprocess.Popen] = field(default_factory=dict)
    https: int = field(default_factory=free_port)
    http: int = field(default_factory=free_port)
    caddy: subprocess.Popen | None = None
    worker: subprocess.Popen | None = None

    @property
    def cache(self) -> Path:
        return self.folder / "cache"

    @property
    def address(self) -> str:
        return f"https://127.0.0.1:{self.https}"

    @property
    def plain(self) -> str:
        return f"http://127.0.0.1:{self.http}"

    def start_proxy(self) -> None:
        upstreams = " ".join(address.removeprefix("http://") for address in self.servers)
        environment = os.environ | {
            "LAB_SITE": self.address,
            "LAB_SERVERS": upstreams,
            "LAB_STATIC": str(self.static),
            "LAB_HTTP_PORT": str(self.http),
            "LAB_HTTPS_PORT": str(self.https),
            "XDG_DATA_HOME": str(self.folder / "caddy"),
            "XDG_CONFIG_HOME": str(self.folder / "caddy"),
        }
        command = ["caddy", "run", "--config", str(CADDYFILE), "--adapter", "caddyfile"]
        with (self.folder / "caddy.log").open("a") as log:
            self.caddy = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        self.wait_for(self.answers, "the proxy answers")

    def start_server(self, port: int | None = None) -> str:
        """Start a server, which may still be loading then."""
        environment = environment_of("lab-1") | dict(self.environment)
        process, address = start_server(self.cache, port, environment=environment)
        self.servers[address] = process
        return address

    def start_worker(self) -> None:
        command = [sys.executable, "-m", "engine.results.attendant"]
        environment = os.environ | local_settings(self.cache) | environment_of("worker")
        environment |= self.environment
        with (self.folder / "attendant.log").open("a") as log:
            self.worker = subprocess.Popen(
                command, cwd=ROOT, env=environment, stdout=log, stderr=log
            )

    def stop_worker(self) -> None:
        """As a container is stopped: the workers end with it."""
        if self.worker is not None:
            self.worker.send_signal(signal.SIGTERM)
            self.worker.wait(PATIENCE)
            self.worker = None

    def kill_worker(self) -> None:
        """The attendant and the workers that it has started, none of which can say a word."""
        if self.worker is not None:
            for process in psutil.Process(self.worker.pid).children(recursive=True):
                process.kill()
            kill(self.worker)
            self.worker = None

    def answers(self) -> bool:
        try:
            return fetch(f"{self.address}/_stcore/health").status == 200
        except OSError:
            return False

    def trusted(self) -> str:
        """A flag with which Chromium takes the proxy's own authority for a known one: it keeps
        nothing that came under a certificate it was only told to overlook."""
        (signer,) = self.folder.glob("caddy/**/pki/authorities/local/intermediate.crt")
        public = openssl("x509", "-in", str(signer), "-noout", "-pubkey")
        digest = hashlib.sha256(openssl("pkey", "-pubin", "-outform", "der", given=public)).digest()
        return f"--ignore-certificate-errors-spki-list={base64.b64encode(digest).decode()}"

    def stop_proxy(self, how: signal.Signals = signal.SIGTERM) -> None:
        if self.caddy is not None:
            self.caddy.send_signal(how)
            self.caddy.wait(PATIENCE)
            self.caddy = None

    def wait_for(self, condition: object, what: str) -> None:
        assert callable(condition)
        end = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < end, f"not in time: {what}\n{self.logs()}"
            time.sleep(0.1)

    def logs(self) -> str:
        return "\n".join(path.read_text()[-3000:] for path in self.folder.rglob("*.log"))

    def sessions(self) -> dict[str, int]:
        """How many visitors are connected to each server that is alive. A server holds one session
        of its own, which keeps its compiled pages."""
        found = {}
        for address in self.servers:
            if healthy(address):
                told = fetch(f"{address}/_stcore/metrics?families=active_sessions").body.decode()
                values = [x.split()[-1] for x in told.splitlines() if x and x[0] != "#"]
                found[address] = int(float(values[-1])) - 1 if values else 0
        return found

    def homes(self, tries: int = 12) -> set[str]:
        """The cookies that lead to a server each, of visitors who have none yet."""
        answers = [fetch(f"{self.address}/_stcore/health") for _ in range(tries)]
        return {answer.headers["Set-Cookie"].split(";")[0] for answer in answers}

    def start_again(self, address: str) -> None:
        """A server in a killed one's place."""
        self.start_server(int(address.rsplit(":", 1)[1]))
        wait_until_healthy(self.servers[address], address, self.cache)

    def end(self, address: str) -> None:
        if self.servers[address].poll() is None:
            stop_server(self.servers[address], self.cache)


@contextmanager
def served(
    folder: Path,
    count: int = 2,
    quality: int = 4,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Served]:
    """`count` servers that share a cache folder, their worker, and the proxy before them, all as
    the compose file has them; ended afterwards."""
    lab = Served(folder, compressed_scripts(folder / "scripts", quality), environment or {})
    with ExitStack() as after:
        after.callback(lambda: kill_all(Jobs(read_settings(local_settings(lab.cache)))))
        for _ in range(count):
            after.callback(lab.end, lab.start_server())
        after.callback(lab.stop_worker)
        lab.start_worker()
        for address, process in lab.servers.items():
            wait_until_healthy(process, address, lab.cache)
        after.callback(lab.stop_proxy)
        lab.start_proxy()
        yield lab


def openssl(*arguments: str, given: bytes = b"") -> bytes:
    return subprocess.run(
        ["openssl", *arguments], input=given, capture_output=True, check=True
    ).stdout


def kill(process: subprocess.Popen) -> None:
    """As the machine's memory guard does: without a word."""
    os.kill(process.pid, signal.SIGKILL)
    process.wait(PATIENCE)
