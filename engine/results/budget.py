"""Disk: what results of one's own and intermediates take, and which of them go when it is too much.

What was deleted counts as long as it can be put back, and goes first. Then what was least recently
used; opening a result counts as using it (its folder's time of change says when that was).
Published and imported results stay, for they cannot be computed again here; so do parts on the data
of a job that runs or waits, which goes on from them, and what was used just now, which somebody may
be looking at.
"""

import logging
import shutil
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import joblib

from engine.data.untrusted.limits import size
from engine.errors import DamagedResult
from engine.experiments import EXPERIMENTS
from engine.results import trash
from engine.results.library import remove_folder, results_in, size_of
from engine.results.manifest import read_manifest
from engine.results.queue import going
from engine.results.store import Store
from engine.settings import Settings

GB = 2**30
IN_USE_SECONDS = 3600.0
INTERMEDIATES = 0.1  # of the budget
LOG_LINES = 1000
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Usage:
    """Bytes that results of one's own, deleted ones and intermediates take, the budget for all of
    them, and the last line of what was evicted ('' where nothing was)."""

    held: int
    budget: float
    evicted: str


def usage(settings: Settings) -> Usage:
    store = Store.of(settings)
    results = sum(map(size_of, results_in(store.local))) + tree_size(trash.trash_of(store))
    lines = read_lines(evictions(settings))
    return Usage(
        results + tree_size(intermediates(settings)),
        settings.disk_gb * GB,
        lines[-1] if lines else "",
    )


def evictions(settings: Settings) -> Path:
    """Return the file that lists what was evicted, a line each."""
    return settings.cache_dir / "evicted.log"


def intermediates(settings: Settings) -> Path:
    return settings.cache_dir / "intermediates"


def keep_within(settings: Settings) -> None:
    """Evict what is too much."""
    if usage(settings).held <= settings.disk_gb * GB:
        return
    budget = settings.disk_gb * GB
    if intermediates(settings).is_dir():
        memory = joblib.Memory(intermediates(settings), verbose=0)
        memory.reduce_size(int(budget * INTERMEDIATES))
    held = usage(settings).held
    for deleted in trash.deletions(Store.of(settings)):
        if held <= budget:
            return
        held -= tree_size(deleted)
        shutil.rmtree(deleted, ignore_errors=True)
        log.info("Deleted for good, to make room: %s", deleted.name)
    for used, folder in evictable(settings):
        if held <= budget:
            return
        freed = size_of(folder)
        remove_folder(folder, Store.of(settings).local)
        held -= freed
        note(settings, folder, freed, used)
    if held > budget:
        log.warning("%s is kept, more than the %s of IAL_DISK_GB", size(held), size(budget))


def evictable(settings: Settings) -> list[tuple[float, Path]]:
    """Return the results that may be evicted, with the time of their last use, the earliest
    first."""
    needed = {job.data_hash for job in going(settings.cache_dir / "jobs")}
    before = time.time() - IN_USE_SECONDS
    found = []
    for folder in results_in(Store.of(settings).local):
        used = used_at(folder)
        if used < before and not is_part_on(folder, needed):
            found.append((used, folder))
    return sorted(found)


def used_at(folder: Path) -> float:
    """Return when a result was last used, in seconds since the epoch; now for one that was
    removed."""
    try:
        return folder.stat().st_mtime
    except FileNotFoundError:
        return time.time()


def is_part_on(folder: Path, data_hashes: set[str]) -> bool:
    """Return whether a result is a part of others, on data of that content."""
    if not data_hashes or not EXPERIMENTS[folder.parent.name].part:
        return False
    try:
        return read_manifest(folder).data_hash in data_hashes
    except DamagedResult:
        return False


def note(settings: Settings, folder: Path, freed: int, used: float) -> None:
    """Write down that a result was evicted."""
    now, then = (datetime.fromtimestamp(t, UTC).isoformat(timespec="seconds") for t in
                 (time.time(), used))  # fmt: skip
    line = f"{now} {folder.parent.name} {folder.name} {size(freed)}, last used {then}"
    log.info("Evicted: %s", line)
    lines = [*read_lines(evictions(settings))[-LOG_LINES + 1 :], line]
    evictions(settings).write_text("\n".join(lines) + "\n", encoding="utf-8")


def read_lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []


def tree_size(folder: Path) -> int:
    """Return the bytes of all files below a folder; files that are removed meanwhile count
    nothing."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except FileNotFoundError:
            continue
    return total
