"""A class of visitors: how long everybody waits, and what a page's opening costs the server.

Starts the lab and, beside it, a bare Streamlit page with six charts of 600 points, set up in the
same way. Visitors come over Streamlit's own websocket (no browser): each opens a page, looks at it
for some seconds, opens another. The same visitors then come to the bare page. Afterwards every page
is opened again and again by new visitors, alone on the server, beside a bare page with as many
charts of as many points: of that, the processor time of the server alone counts.
"""

import argparse
import asyncio
import os
import random
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import psutil

from tests.support.browser import LAB, start_server, stop_server, wait_until_healthy
from tests.support.visitors import points, quantile, visitor

BARE = ("-m", "tests.support.bare")
PAGES_A_VISIT = (2, 6)  # a visitor leaves after so many pages, and comes back as a new one
# What issue 16 asks for: seconds at the 95th percentile, times the bare page's, bytes, ms of CPU.
CLASS, CLASS_SECONDS, CLASS_TIMES = 30, 1.5, 3.0
MORE, MORE_SECONDS = 50, 3.0
MEMORY = 2**30
WITHOUT_FIGURE_MS = 25.0
IN_CLASS = {"IAL_OPEN_FIRST": "yes"}  # as in class mode, which the crowds are about
UNGUARDED = {"IAL_SESSIONS": "10000"}  # openings follow each other as those of a flood do


@dataclass(frozen=True)
class Server:
    """A server that was started for this, its process, and its cache folder."""

    address: str
    process: psutil.Process
    cache: Path

    def processor(self) -> float:
        """Seconds that it has computed so far, workers not counted."""
        times = self.process.cpu_times()
        return times.user + times.system

    def memory(self) -> int:
        """Bytes that it holds."""
        return self.process.memory_info().rss


@contextmanager
def serving(what: Sequence[str], environment: Mapping[str, str] | None = None) -> Iterator[Server]:
    """A server of its own, with an empty cache."""
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder)
        process, address = start_server(cache, what=what, environment=environment)
        try:
            wait_until_healthy(process, address, cache)
            yield Server(address, psutil.Process(process.pid), cache)
        finally:
            stop_server(process, cache)


@dataclass(frozen=True)
class Crowd:
    """What became of many visitors: by page, the seconds of every opening; errors by their text;
    the server's processor seconds and its memory before, most and last, in bytes."""

    waits: dict[str, list[float]]
    errors: Counter[str]
    seconds: float
    processor: float
    memory: tuple[int, int, int]

    def at(self, share: float) -> float:
        """The wait that so large a share of the openings does not exceed, seconds."""
        return quantile((wait for waits in self.waits.values() for wait in waits), share)


async def one_visitor(
    server: Server, seed: int, pages: Sequence[str], think: float, end: float, crowd: Crowd
) -> None:
    """Opens pages at random until the end, as one person after another."""
    rng = random.Random(seed)
    await asyncio.sleep(rng.uniform(0, think))
    while time.perf_counter() < end:
        try:
            async with visitor(server.address) as here:
                for _ in range(rng.randint(*PAGES_A_VISIT)):
                    page = rng.choice(pages)
                    run = await here.open(page)
                    crowd.waits[page].append(run.seconds)
                    crowd.errors.update(f"{page}: {text}" for text in run.exceptions)
                    await asyncio.sleep(rng.uniform(0.3, 1.7) * think)
                    if time.perf_counter() > end:
                        break
        except Exception as error:  # whatever a visitor meets is counted, and the others go on
            crowd.errors[f"{type(error).__name__}: {error}"[:100]] += 1
            await asyncio.sleep(1)


async def visit(server: Server, visitors: int, seconds: float, think: float) -> Crowd:
    """So many visitors for so many seconds, who look at a page for `think` seconds on average."""
    async with visitor(server.address) as first:
        pages = (await first.open()).pages or ("",)
    memory, processor = [server.memory()], server.processor()
    crowd = Crowd(defaultdict(list), Counter(), seconds, 0.0, (0, 0, 0))
    end = time.perf_counter() + seconds

    async def watch() -> None:
        while time.perf_counter() < end:
            memory.append(server.memory())
            await asyncio.sleep(1)

    everybody = (one_visitor(server, i, pages, think, end, crowd) for i in range(visitors))
    await asyncio.gather(watch(), *everybody)
    memory.append(server.memory())
    spent = server.processor() - processor
    held = memory[0], max(memory), memory[-1]
    return Crowd(crowd.waits, crowd.errors, seconds, spent, held)


def report(name: str, crowd: Crowd) -> None:
    """One line on a crowd, and its errors."""
    runs = sum(map(len, crowd.waits.values()))
    before, most, last = (held / 2**20 for held in crowd.memory)
    errors, each = sum(crowd.errors.values()), 1000 * crowd.processor / max(runs, 1)
    print(
        f"{name:<24}{runs:>7}{crowd.at(0.5):>8.2f}{crowd.at(0.95):>8.2f}{crowd.at(1):>8.2f}"
        f"{errors:>8}{crowd.processor:>9.1f}{each:>8.0f}{before:>12.0f}{most:>6.0f}{last:>6.0f}",
        flush=True,
    )
    for error, times in crowd.errors.most_common(5):
        print(f"  {times} × {error}")


def judged(text: str, reached: bool) -> None:
    print(f"{'reached' if reached else 'MISSED'}: {text}")


def crowds(asked: argparse.Namespace, visitors: int, limit: float, times: float | None) -> None:
    """The lab and the bare page under the same visitors, one after the other."""
    found = {}
    for name, what in (("lab", LAB), ("bare page", BARE)):
        with serving(what, {} if asked.cold else IN_CLASS) as server:
            found[name] = asyncio.run(visit(server, visitors, asked.seconds, asked.think))
        report(f"{name}, {visitors} visitors", found[name])
    lab, bare = found["lab"], found["bare page"]
    slowest = sorted(lab.waits.items(), key=lambda item: -quantile(item[1], 0.95))
    told = (f"{page or 'start'} {quantile(waits, 0.95):.2f}" for page, waits in slowest[:6])
    print(f"slowest pages at the 95th percentile (s): {', '.join(told)}")
    p95, ratio = lab.at(0.95), lab.at(0.95) / bare.at(0.95)
    judged(f"p95 {p95:.2f} s, at most {limit:g} s", p95 <= limit)
    if times is not None:
        judged(f"{ratio:.1f} times the bare page's, at most {times:g}", ratio <= times)
    judged(f"{sum(lab.errors.values())} errors, none wanted", not lab.errors)
    most = lab.memory[1] / 2**20
    judged(f"server's memory {most:.0f} MB, at most {MEMORY / 2**20:.0f}", lab.memory[1] <= MEMORY)


async def costs(
    lab: Server, bare: Server, page: str, times: int
) -> tuple[float, float, int, list[int]]:
    """Milliseconds of each server's processor for a new visitor's opening of a page that somebody
    has opened before, and of a bare page with as many charts of as many points; bytes sent, and the
    points of each chart. Somebody else is there meanwhile (Streamlit forgets the compiled scripts
    when the last visitor leaves). The openings alternate: a busy machine slows both alike."""
    async with visitor(lab.address) as somebody, visitor(bare.address) as other:
        for _ in range(2):
            run = await somebody.open(page)
        charts = [points(figure) for figure in run.figures]
        query = urlencode({"points": charts}, doseq=True) if charts else "points=0"
        for _ in range(2):
            await other.open("", query)
        await asyncio.sleep(0.5)  # what the first openings have left to do
        before = lab.processor(), bare.processor()
        for _ in range(times):
            for server, asked in ((lab, (page, "")), (bare, ("", query))):
                async with visitor(server.address) as here:
                    await here.open(*asked)
        await asyncio.sleep(0.3)
        spent = lab.processor() - before[0], bare.processor() - before[1]
    return 1000 * spent[0] / times, 1000 * spent[1] / times, run.size, charts


async def openings(lab: Server, bare: Server, times: int, wanted: Sequence[str]) -> None:
    """A line for every page: what its opening costs, beside a bare page of as many charts."""
    async with visitor(lab.address) as first:
        pages = (await first.open()).pages
    print(f"{'page':<22}{'charts':>7}{'points':>8}{'kB':>7}{'ms':>8}{'bare':>8}{'times':>7}")
    dear, ratios = [], []
    for page in pages:
        if wanted and page not in wanted:
            continue
        spent, least, size, charts = await costs(lab, bare, page, times)
        if charts:
            ratios.append(spent / least)
        if spent > (least if charts else WITHOUT_FIGURE_MS):
            dear.append(page or "start")
        print(
            f"{page or 'start':<22}{len(charts):>7}{sum(charts):>8}{size / 1e3:>7.0f}{spent:>8.1f}"
            f"{least:>8.1f}{spent / least:>7.1f}",
            flush=True,
        )
    print(f"pages with charts: {quantile(ratios, 0.5):.1f} times the bare page in the median")
    judged(
        "a second opening costs no more than the bare page, 25 ms without a figure; not on: "
        + (", ".join(dear) or "none"),
        not dear,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--visitors", type=int, default=CLASS)
    parser.add_argument("--more", type=int, default=MORE, help="a second crowd; 0 for none")
    parser.add_argument("--seconds", type=float, default=120.0, help="of every crowd; 0 for none")
    parser.add_argument("--think", type=float, default=5.0, help="seconds between clicks")
    parser.add_argument(
        "--cold", action="store_true", help="the server has not opened every page before them"
    )
    parser.add_argument("--times", type=int, default=20, help="openings of a page; 0 for none")
    parser.add_argument("--page", nargs="*", default=[], help="only these pages' openings")
    asked = parser.parse_args()
    print(f"load of the machine beforehand: {os.getloadavg()[0]:.1f}")
    if asked.seconds > 0:
        print(
            f"{'':<24}{'pages':>7}{'p50 s':>8}{'p95 s':>8}{'max s':>8}{'errors':>8}{'CPU s':>9}"
            f"{'ms/page':>8}{'MB at first':>12}{'most':>6}{'last':>6}"
        )
        crowds(asked, asked.visitors, CLASS_SECONDS, CLASS_TIMES)
        if asked.more:
            crowds(asked, asked.more, MORE_SECONDS, None)
    if asked.times > 0:
        with serving(LAB, UNGUARDED) as lab, serving(BARE) as bare:
            asyncio.run(openings(lab, bare, asked.times, asked.page))


if __name__ == "__main__":
    main()
