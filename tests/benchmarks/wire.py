"""Bytes over the wire from the lab behind its proxy (deploy/Caddyfile, TLS, two servers): each page
opened by a browser that has never been here, and by one that has.

HTTP bytes are as Chromium counts them, packed and with headers. Of frames of the WebSocket it says
the content alone: where the server has agreed to pack them (permessage-deflate), they are packed
here in the same way and counted then. "Data" is what pages draw: frames, and files that the page
offers or shows. The rest is scripts, styles and fonts, which a known browser keeps.

`python -m tests.benchmarks.wire [addresses of pages]`: all where none is named. Needs Chromium,
Caddy and brotli (`make system`).
"""

import base64
import shutil
import sys
import tempfile
import zlib
from collections import Counter
from functools import partial
from pathlib import Path
from urllib.parse import urlparse

from playwright.sync_api import BrowserContext, sync_playwright

from pages.common.lab.registry import PAGES
from tests.benchmarks.presets import DRAWN, PATIENCE
from tests.support.browser import CHROMIUM, FLAGS
from tests.support.proxy import NEEDED, served

FIRST_MB, KNOWN_KB = 2.5, 100.0  # of issue 16
DATA = ("/media/", "/_stcore/stream")
BINARY = 2  # a WebSocket frame's kind; its content is told in base64


class Packed:
    """What frames of one direction take on the wire, headers left out. Each is packed with what the
    frames before it had, as permessage-deflate does (RFC 7692)."""

    def __init__(self) -> None:
        self.stream = zlib.compressobj(wbits=-zlib.MAX_WBITS)

    def size(self, content: bytes) -> int:
        packed = self.stream.compress(content) + self.stream.flush(zlib.Z_SYNC_FLUSH)
        return len(packed) - len(b"\x00\x00\xff\xff")  # the end that is not sent


def visit(context: BrowserContext, address: str, title: str) -> Counter[str]:
    """Bytes by what they are, until the page is drawn and nothing more has come for a second."""
    page = context.new_page()
    devtools = context.new_cdp_session(page)
    kinds: dict[str, str] = {}
    counted: Counter[str] = Counter()
    packed: dict[str, Packed] = {}  # by direction, once the server has agreed

    def response(event: dict) -> None:
        path = urlparse(event["response"]["url"]).path
        kinds[event["requestId"]] = "data" if path.startswith(DATA) else "rest"

    def finished(event: dict) -> None:
        counted[kinds.get(event["requestId"], "rest")] += int(event["encodedDataLength"])

    def agreed(event: dict) -> None:
        headers = {name.lower(): text for name, text in event["response"]["headers"].items()}
        if "permessage-deflate" in headers.get("sec-websocket-extensions", ""):
            packed.update(received=Packed(), sent=Packed())

    def frame(direction: str, event: dict) -> None:
        told = event["response"]
        text = told["payloadData"]
        content = base64.b64decode(text) if told["opcode"] == BINARY else text.encode()
        counted["data"] += packed[direction].size(content) if packed else len(content)

    devtools.on("Network.responseReceived", response)
    devtools.on("Network.loadingFinished", finished)
    devtools.on("Network.webSocketHandshakeResponseReceived", agreed)
    devtools.on("Network.webSocketFrameReceived", partial(frame, "received"))
    devtools.on("Network.webSocketFrameSent", partial(frame, "sent"))
    devtools.send("Network.enable")
    page.goto(address, timeout=PATIENCE)
    page.wait_for_function(DRAWN, arg=title, timeout=PATIENCE)
    page.wait_for_timeout(1000)
    page.close()
    return counted


def main() -> None:
    if missing := [name for name in NEEDED if shutil.which(name) is None]:
        sys.exit(f"Not measured: no {' and no '.join(missing)}; `make system` installs Debian's.")
    wanted = sys.argv[1:]
    print(f"{'':<24}{'new browser':>33}{'known browser':>33}")
    print(f"{'page':<24}{'    scripts       data        all' * 2}   (kB)")
    worst_first, worst_known = 0.0, 0.0
    with (
        tempfile.TemporaryDirectory() as folder,
        sync_playwright() as playwright,
        served(Path(folder), quality=11) as lab,
    ):
        flags = [*FLAGS, lab.trusted()]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        for page in PAGES:
            if wanted and page.url not in wanted:
                continue
            context = browser.new_context()
            address = f"{lab.address}/{page.url}"
            first, again = (visit(context, address, page.title) for _ in range(2))
            context.close()
            worst_first = max(worst_first, first.total() / 1e6)
            worst_known = max(worst_known, again["rest"] / 1e3)
            columns = [
                size / 1e3
                for counted in (first, again)
                for size in (counted["rest"], counted["data"], counted.total())
            ]
            print(f"{page.url:<24}" + "".join(f"{size:>11,.1f}" for size in columns), flush=True)
        browser.close()
    print(f"first visit, at most {FIRST_MB:g} MB: {worst_first:.2f} MB at the worst")
    print(f"known browser, at most {KNOWN_KB:g} kB beside the data: {worst_known:.1f} kB at most")


if __name__ == "__main__":
    main()
