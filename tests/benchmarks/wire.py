"""Bytes over the wire from the lab behind its proxy (deploy/Caddyfile, TLS, two servers): each page
opened by a browser that has never been here, and by one that has.

HTTP bytes are as Chromium counts them, packed and with headers; frames of the WebSocket are counted
by their content, which is more than goes over the wire: they are packed too, and Chromium does not
say how small. "Data" is what pages draw: frames, and files that the page offers or shows. The
rest is scripts, styles and fonts, which a known browser keeps.

`python -m tests.benchmarks.wire [addresses of pages]`: all where none is named. Needs Chromium,
Caddy and brotli (`make system`).
"""

import base64
import shutil
import sys
import tempfile
from collections import Counter
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


def visit(context: BrowserContext, address: str, title: str) -> Counter[str]:
    """Bytes by what they are, until the page is drawn and nothing more has come for a second."""
    page = context.new_page()
    devtools = context.new_cdp_session(page)
    kinds: dict[str, str] = {}
    counted: Counter[str] = Counter()

    def response(event: dict) -> None:
        path = urlparse(event["response"]["url"]).path
        kinds[event["requestId"]] = "data" if path.startswith(DATA) else "rest"

    def finished(event: dict) -> None:
        counted[kinds.get(event["requestId"], "rest")] += int(event["encodedDataLength"])

    def frame(event: dict) -> None:
        told = event["response"]
        content = told["payloadData"]
        size = len(base64.b64decode(content) if told["opcode"] == BINARY else content.encode())
        counted["data"] += size

    devtools.on("Network.responseReceived", response)
    devtools.on("Network.loadingFinished", finished)
    devtools.on("Network.webSocketFrameReceived", frame)
    devtools.on("Network.webSocketFrameSent", frame)
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
