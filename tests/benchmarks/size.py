"""The lab at size: how fast the ranking of 50,000 pictured samples is drawn, and what it weighs.

Needs Chromium at /usr/bin/chromium. The data set is a features file made here, with thumbnails
beside it that are crops of scikit-learn's sample images; scores are there before the clock starts.
Digits are opened beside it in the same way, so that the share of browser and machine is seen. Bytes
are what the browser receives over the page's socket.
"""

import statistics
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from playwright.sync_api import Browser, Page, WebSocket, sync_playwright
from sklearn.datasets import load_sample_images

from engine.data.load import load_dataset
from engine.data.sources.thumbnails import thumbnail_paths
from engine.progress import ignore
from engine.results.compute import compute_and_keep
from engine.settings import read_settings
from pages.common.asking.links import EXAMPLE
from pages.common.lab.shared import ranking_request
from tests.support.browser import (
    CHROMIUM,
    FLAGS,
    healthy,
    local_settings,
    start_server,
    stop_server,
)

N_TRAIN, N_TEST, N_FEATURES, N_CLASSES, SIDE = 50_000, 10_000, 128, 10, 32
TARGET, RADIUS = 25_000, 0.5
REPEATS = 5


def write_photos(
    path: Path, n_train: int = N_TRAIN, n_test: int = N_TEST, d: int = N_FEATURES, seed: int = 0
) -> None:
    """A features file of overlapping classes, and a crop of a photograph for every sample."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(N_CLASSES, d)) * 0.25
    photographs = load_sample_images().images
    arrays, thumbnails = {}, []
    for split, n in (("train", n_train), ("test", n_test)):
        y = rng.permutation(np.arange(n) % N_CLASSES)
        arrays[f"X_{split}"] = (centres[y] + rng.normal(size=(n, d))).astype(np.float16)
        arrays[f"y_{split}"] = y
        crops = np.empty((n, SIDE, SIDE, 3), np.uint8)
        for crop, label in zip(crops, y, strict=True):
            photograph = photographs[label % 2]
            row, column = rng.integers(0, np.array(photograph.shape[:2]) - 2 * SIDE)
            crop[:] = photograph[row : row + 2 * SIDE : 2, column : column + 2 * SIDE : 2]
        thumbnails.append(crops)
    np.savez(path, **arrays)
    for place, crops in zip(thumbnail_paths(path), thumbnails, strict=True):
        place.parent.mkdir(exist_ok=True)
        np.save(place, crops)


def drawn(page: Page, words: str, points: int) -> None:
    """Wait until the page says so, is not being run, and shows a chart of that many points or the
    replay of an attack."""
    page.wait_for_function(
        """([words, points]) => document.body.innerText.includes(words)
            && !document.querySelector('[data-test-script-state=running]')
            && (document.querySelector('.ial-replay') || [...document.querySelectorAll(
                '.js-plotly-plot')].some(
                chart => (chart.calcdata || []).some(trace => trace.length >= points)))""",
        arg=[words, points],
        polling="raf",
        timeout=60_000,
    )


class Received:
    """The bytes that a page's sockets have brought."""

    def __init__(self, page: Page) -> None:
        self.total = 0
        page.on("websocket", self.listen)

    def listen(self, socket: WebSocket) -> None:
        socket.on("framereceived", self.add)

    def add(self, payload: str | bytes) -> None:
        self.total += len(payload)


@dataclass(frozen=True)
class Visit:
    """What is opened, which words say that it is there, and which other target is asked for."""

    name: str
    dataset: str
    target: int
    radius: float
    words: str
    points: int


VISITS = (
    Visit("digits, honest ranking", "digits", 16, 0.41, "Under the honest model, sample", 1200),
    Visit("photos, honest ranking", "photos", TARGET, 0.41, "Under the honest model, sample", 3000),
    Visit(
        "photos, finished attack", "photos", TARGET, RADIUS, "Every try, and a simpler way", 3000
    ),
)


def measure(browser: Browser, address: str, visit: Visit) -> None:
    """Print how long a view takes to open and to change, and what it weighs."""
    page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
    received = Received(page)
    link = (
        f"{address}/move-one-sample?dataset={visit.dataset}&target={visit.target}&restarts=1"
        f"&radius={visit.radius}"
    )
    opened, changed = [], []
    for _ in range(REPEATS + 1):  # the first reads the data set, and the browser the lab's scripts
        page.goto("about:blank")
        received.total = 0
        began = time.perf_counter()
        page.goto(link)
        drawn(page, visit.words, visit.points)
        opened.append(time.perf_counter() - began)
    size = received.total
    target = page.get_by_label("Sample to move", exact=True)
    for number in range(1, REPEATS + 1):
        other = visit.target + number
        target.fill(str(other))
        began = time.perf_counter()
        target.press("Enter")
        drawn(page, f"sample {other} is at rank", visit.points)
        changed.append(time.perf_counter() - began)
    print(
        f"{visit.name}: opened and drawn in {statistics.median(opened[1:]):.2f} s (the first "
        f"{opened[0]:.1f} s), another target in {statistics.median(changed):.2f} s (medians of "
        f"{REPEATS}); {size / 2**20:.2f} MiB received"
    )
    page.context.close()


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        cache = Path(folder)
        settings = read_settings(local_settings(cache))
        settings.data_dir.mkdir()
        write_photos(settings.data_dir / "photos.npz")
        photos = load_dataset("photos", settings.data_dir)
        attacked = replace(EXAMPLE, dataset="photos", targets=(TARGET,), restarts=1, radius=RADIUS)
        for name, request in (("ranking", ranking_request(attacked)), ("attack", attacked)):
            began = time.perf_counter()
            compute_and_keep(name, request, photos, settings, ignore)
            print(f"{name} of {N_TRAIN:,} samples computed: {time.perf_counter() - began:.1f} s")
        process, address = start_server(cache)
        try:
            while not healthy(address):
                time.sleep(0.05)
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
            for visit in VISITS:
                measure(browser, address, visit)
            browser.close()
        finally:
            stop_server(process, cache)


if __name__ == "__main__":
    main()
