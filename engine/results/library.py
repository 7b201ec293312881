"""The library: every stored result, read from the manifests alone; no result is opened for it."""

import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from engine.errors import DamagedResult, InvalidInput
from engine.experiments import EXPERIMENTS, RESULT_VERSION
from engine.results.manifest import (
    KEPT_MANIFESTS,
    MANIFEST,
    Imported,
    Manifest,
    read_manifest,
    read_record,
    record_of,
)
from engine.results.store import IMPORTED, PUBLISHED, Store, lock, say_damaged


@dataclass(frozen=True)
class Entry:
    """A stored result: where it lies, what its manifest says, its size on disk in bytes. `origin`
    is 'local', 'published' or 'imported', and of an imported one `imported` says from where."""

    folder: Path
    manifest: Manifest
    origin: str
    size: int
    imported: Imported | None = None

    @property
    def key(self) -> str:
        return self.folder.name

    @property
    def experiment(self) -> str:
        return self.manifest.experiment

    @property
    def dataset(self) -> str | None:
        """Return the data set's name; None where the experiment makes its own data."""
        return self.manifest.dataset or None

    @property
    def current(self) -> bool:
        """Return whether this version of the lab can still show it."""
        return self.manifest.result_version == RESULT_VERSION

    @property
    def removable(self) -> bool:
        return self.origin != PUBLISHED


@dataclass(frozen=True)
class Library:
    """The entries, the latest first. Parts, of which other results are made, are only counted;
    unreadable is what has no usable manifest. size: bytes of all of it by origin."""

    entries: tuple[Entry, ...]
    parts: int
    parts_size: int
    unreadable: tuple[Path, ...]
    size: dict[str, int]


def open_library(store: Store) -> Library:
    """Read what lies in a store. What was read of a result stays in memory until its manifest
    changes: a page opens the library for every visitor."""
    entries: list[Entry] = []
    unreadable: list[Path] = []
    size = dict.fromkeys(store.roots(), 0)
    parts = parts_size = 0
    for origin, root in store.roots().items():
        for path in paths_in(root):
            sign = signs_of(path, origin)
            held, found = _read(path, origin, sign)
            size[origin] += held
            if found is None:
                parts, parts_size = parts + 1, parts_size + held
            elif isinstance(found, Entry):
                entries.append(found)
            elif os.path.isdir(path):  # it may have been removed since it was listed
                say_damaged(found)
                unreadable.append(Path(path))
    entries.sort(key=lambda e: (e.manifest.created, e.key, e.origin), reverse=True)
    return Library(tuple(entries), parts, parts_size, tuple(unreadable), size)


@lru_cache(KEPT_MANIFESTS)
def _read(
    path: str, origin: str, sign: tuple[int, ...]
) -> tuple[int, Entry | DamagedResult | None]:
    """Return the bytes of a result with its entry, or what is wrong with it; None in place of an
    entry for a part of other results."""
    folder = Path(path)
    held = size_of(folder)
    if EXPERIMENTS[folder.parent.name].part:
        return held, None
    try:
        manifest = read_manifest(folder)
        if manifest.experiment != folder.parent.name:
            raise DamagedResult(f"{folder.name}: it is no {folder.parent.name}.")
        source = read_record(folder) if origin == IMPORTED else None
    except DamagedResult as error:
        return held, error
    return held, Entry(folder, manifest, origin, held, source)


def signs_of(path: str, origin: str) -> tuple[int, ...]:
    """Return what changes with a result's manifest or, where it was imported, with the record of
    that; empty where there is no manifest."""
    record = [str(record_of(Path(path)))] if origin == IMPORTED else []
    try:
        files = [os.stat(file) for file in (f"{path}/{MANIFEST}", *record)]
    except OSError:
        return ()
    return tuple(n for file in files for n in (file.st_ino, file.st_mtime_ns, file.st_size))


def paths_in(root: Path, experiments: Iterable[str] = EXPERIMENTS) -> Iterable[str]:
    """Return the paths of the results' folders under a store's root."""
    for name in experiments:
        try:
            with os.scandir(root / name) as found:
                yield from [f.path for f in found if not f.name.startswith(".") and f.is_dir()]
        except (FileNotFoundError, NotADirectoryError):
            continue


def results_in(root: Path, experiments: Iterable[str] = EXPERIMENTS) -> Iterable[Path]:
    """Return the folders of results under a store's root."""
    return map(Path, paths_in(root, experiments))


def imported_datasets(store: Store, experiment: str) -> list[str]:
    """Return the data sets of an experiment's imported results."""
    if store.imported is None:
        return []
    found = set()
    for folder in results_in(store.imported, (experiment,)):
        try:
            found.add(read_manifest(folder).dataset)
        except DamagedResult as error:
            say_damaged(error)
    return sorted(name for name in found if name)


def size_of(folder: Path) -> int:
    """Return the bytes of the files in a folder; 0 for a removed one."""
    try:
        with os.scandir(folder) as files:
            return sum(file.stat().st_size for file in files)
    except FileNotFoundError:
        return 0


def select(
    entries: Iterable[Entry],
    experiment: str | None = None,
    dataset: str | None = None,
    origin: str | None = None,
    text: str = "",
) -> list[Entry]:
    """Return the entries with that experiment, data set and origin (None: any) whose searchable
    text has every word of `text`."""
    words = text.lower().split()
    return [
        entry
        for entry in entries
        if experiment in (None, entry.experiment)
        and dataset in (None, entry.dataset)
        and origin in (None, entry.origin)
        and all(word in said_by(entry) for word in words)
    ]


def said_by(entry: Entry) -> str:
    """Return all that can be searched of an entry, in lower case."""
    manifest = entry.manifest
    source = entry.imported.source if entry.imported is not None else ""
    title = EXPERIMENTS[entry.experiment].title
    asked = " ".join(f"{name}={value}" for name, value in manifest.request.items())
    parts = (entry.key, entry.experiment, title, asked, entry.origin, source)
    return " ".join((*parts, manifest.device, manifest.created)).lower()


def by_key(entries: Iterable[Entry], key: str) -> list[Entry]:
    """Return the entries whose key begins so: at least one, and all of the same key. Raises
    InvalidInput."""
    found = [entry for entry in entries if key and entry.key.startswith(key)]
    keys = sorted({entry.key for entry in found})
    if not keys:
        raise InvalidInput("key", key, "that of a stored result, as 'library list' shows it")
    if len(keys) > 1:
        raise InvalidInput("key", key, f"longer: {len(keys)} results have keys that begin so")
    return found


def remove(store: Store, entry: Entry) -> None:
    """Delete a local or an imported result. Raises InvalidInput for a published one."""
    if not entry.removable:
        raise InvalidInput(
            "key", entry.key, "that of a local or imported result; published ones stay"
        )
    remove_folder(entry.folder, store.roots()[entry.origin])


def remove_folder(folder: Path, root: Path) -> None:
    """Delete the result in a folder of the store in `root`."""
    going = folder.with_name(f".old-{folder.name}")
    with lock(root):
        if folder.is_dir():
            folder.rename(going)  # in one step: who reads sees all of it or nothing
        shutil.rmtree(going, ignore_errors=True)
        record_of(folder).unlink(missing_ok=True)


def differences(requests: Iterable[Mapping[str, object]]) -> dict[str, tuple[object, ...]]:
    """Return the fields in which requests differ, with each one's value (None: it has no such
    field)."""
    asked = list(requests)
    names = dict.fromkeys(name for request in asked for name in request)
    values = {name: tuple(request.get(name) for request in asked) for name in names}
    return {name: found for name, found in values.items() if any(v != found[0] for v in found[1:])}
