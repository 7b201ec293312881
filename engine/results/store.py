"""The result store: one folder a result, written all at once, verified whenever it is read.

    <root>/<experiment>/<key>/manifest.json   what was asked, when, where, and every file's SHA-256
                              arrays.npz, *.parquet, scalars.json

The key is a hash of the request, the data's content hash and the engine's result version. A
result is written into a hidden sibling and renamed, so a crash leaves no half result; nothing is
unpickled. Whoever changes a store holds `<root>.lock`, beside it; who only reads needs no lock.
An imported result has beside its folder the record of where it was taken from, `<key>.json`.
"""

import json
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from filelock import FileLock

from engine.errors import DamagedResult, InvalidInput, StorageUnavailable
from engine.experiments import RESULT_VERSION, Request, experiment, values_of
from engine.results.manifest import (
    MANIFEST,
    Imported,
    Manifest,
    checksum,
    key,
    key_of,
    read_manifest,
    read_record,
    record_of,
    sync,
    verify,
    versions,
)
from engine.settings import Settings
from engine.version import VERSION, source_revision
from engine.vocabulary import LINEAR

LOCAL, PUBLISHED, IMPORTED = "local", "published", "imported"  # where a result comes from
PROBE_BYTES = 4096  # written to see whether anything can be
KEPT_RESULTS, KEPT_BYTES = 256, 2 * 2**20  # that stay in memory, and each one's files at most
KEPT_INDICES, SETTLED_NS = 64, 2 * 10**9  # of requests; after which a folder's time says the truth
log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Stored:
    """A result as it lies in a store; `imported` is None unless somebody else computed it."""

    folder: Path
    manifest: Manifest
    result: Any  # what the experiment's `load` returns: a class of its own
    published: bool
    imported: Imported | None = None


def write_folder(folder: Path, result: object, manifest: Manifest) -> None:
    """Fill an empty folder with a result; the manifest, completed by the checksums of the result's
    files, comes last and makes it one."""
    experiment(manifest.experiment).save(result, folder)
    files = {path.name: checksum(path) for path in sorted(folder.iterdir())}
    manifest = replace(manifest, files=files)
    (folder / MANIFEST).write_text(json.dumps(asdict(manifest), indent=1), encoding="utf-8")
    for path in folder.iterdir():
        sync(path)
    sync(folder)


def open_folder(folder: Path, published: bool = False) -> Stored:
    """Open the result in a folder, and compare every file with its checksum. Raises
    DamagedResult."""
    manifest = read_manifest(folder)
    try:
        verify(folder, manifest)
        result = experiment(manifest.experiment).load(folder)
    except DamagedResult:
        raise
    except Exception as error:  # on what is no file of theirs the readers raise anything
        raise DamagedResult(f"{folder.name}: its files cannot be opened ({error!r}).") from error
    return Stored(folder, manifest, result, published)


class Store:
    """Local results in `<cache>/results`, published ones, which are only read, and those that were
    imported from somebody else, in `<cache>/imported`: they count in this order."""

    def __init__(self, local: Path, published: Path, imported: Path | None = None) -> None:
        self.local, self.published, self.imported = local, published, imported

    @classmethod
    def of(cls, settings: Settings) -> "Store":
        cache = settings.cache_dir
        return cls(cache / "results", settings.published, cache / "imported")

    def roots(self, with_imported: bool = True) -> dict[str, Path]:
        """Return the folders of results by what a result there is called, the first to count
        first."""
        found = {LOCAL: self.local, PUBLISHED: self.published}
        return found | ({IMPORTED: self.imported} if self.imported and with_imported else {})

    @property
    def aside(self) -> Path:
        """Return the folder of damaged results, beside the store."""
        return self.local.with_name(f"{self.local.name}.damaged")

    def key(self, name: str, request: Request, data_hash: str) -> str:
        return key(name, request, data_hash)

    def find(
        self, name: str, request: Request, data_hash: str, with_imported: bool = True
    ) -> Stored | None:
        """Return the stored result of a request, a local one first; None where there is none.
        Whoever computes with it or publishes it asks for one that was made here, not for an
        imported one.

        A damaged entry is no result: it is logged, one that is not published is moved aside (see
        `damage`), and the caller computes it again.
        """
        return self.find_entry(name, key(name, request, data_hash), with_imported)

    def find_entry(self, name: str, entry: str, with_imported: bool = True) -> Stored | None:
        """Return the stored result of that key, as `find` does."""
        for origin, root in self.roots(with_imported).items():
            place = f"{root}/{name}/{entry}"  # cheaper than a `Path` where nothing is
            if not os.path.isdir(place):
                continue
            folder = Path(place)
            try:
                return open_entry(folder, origin)
            except DamagedResult as error:
                if origin == PUBLISHED:
                    say_damaged(error)
                    continue
            with lock(root):  # a writer may have been replacing it: look again, undisturbed
                if not folder.is_dir():
                    continue
                try:
                    return open_entry(folder, origin)
                except DamagedResult as error:
                    say_damaged(error)
                    self.move_aside(folder, str(error))
        return None

    def holds(self, name: str, request: Request, data_hash: str, data_dir: Path) -> bool:
        """Return whether a request needs no computation: its result is here, and so is what it made
        in the data directory."""
        found, lasts = self.find(name, request, data_hash), experiment(name).lasts
        return found is not None and (lasts is None or lasts(found.result, data_dir))

    def find_published(self, name: str, request: Request) -> Stored | None:
        """Return the published result of a request on data that is not on this machine; a damaged
        one is none."""
        return find_by_request(self.published, PUBLISHED, name, request)

    def find_without_data(self, name: str, request: Request) -> Stored | None:
        """Return the published or else the imported result of a request on data that is not on this
        machine."""
        found = self.find_published(name, request)
        if found is None and self.imported is not None:
            found = find_by_request(self.imported, IMPORTED, name, request)
        return found

    def on_data(self, name: str, data_hash: str, most: int = 200) -> list[Stored]:
        """Return the sound results of an experiment with linear models on data of that content,
        published and local, at most `most`, the latest first."""
        found = []
        for origin, root in self.roots(with_imported=False).items():
            for path in (root / name).glob(f"*/{MANIFEST}"):
                try:
                    manifest = read_manifest(path.parent)
                    current = (data_hash, RESULT_VERSION)
                    linear = manifest.request.get("model", LINEAR) == LINEAR
                    if linear and (manifest.data_hash, manifest.result_version) == current:
                        found.append((manifest.created, path.parent, origin))
                except DamagedResult as error:
                    say_damaged(error)
        opened = []
        for _, folder, origin in sorted(found, reverse=True)[:most]:
            try:
                opened.append(open_entry(folder, origin))
            except DamagedResult as error:
                say_damaged(error)
        return opened

    def has(self, name: str, entry: str) -> bool:
        """Return whether a result of that key lies here; it is not verified. Pages ask often, and a
        text
        is cheaper to make than a `Path`."""
        return any(os.path.isdir(f"{root}/{name}/{entry}") for root in self.roots().values())

    def move_aside(self, folder: Path, reason: str) -> None:
        """Move a damaged result out of the way of its recomputation; it is kept to be looked
        into."""
        aside = self.aside / folder.name
        shutil.rmtree(aside, ignore_errors=True)  # the last one is enough
        aside.parent.mkdir(parents=True, exist_ok=True)
        folder.rename(aside)
        (aside / "reason.txt").write_text(reason, encoding="utf-8")

    def damage(self, name: str, request: Request, data_hash: str) -> str | None:
        """Return why an earlier result of this request was set aside; None where none was."""
        reason = self.aside / key(name, request, data_hash) / "reason.txt"
        return reason.read_text(encoding="utf-8") if reason.is_file() else None

    def write(
        self,
        name: str,
        request: Request,
        data_hash: str,
        result: object,
        seconds: float,
        device: str,
        replace_old: bool = False,
    ) -> Path:
        """Keep a result, all at once; returns its folder.

        An equal one that came first is kept, unless `replace_old` says that this one was asked for.
        """
        manifest = Manifest(
            experiment=name,
            request=values_of(request),
            result_version=RESULT_VERSION,
            data_hash=data_hash,
            seed=getattr(request, "seed", None),
            device=device,
            seconds=float(seconds),
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            versions=versions(),
            files={},
            lab_version=VERSION,
            source_revision=source_revision(),
        )
        folder = self.local / name / key(name, request, data_hash)
        making = folder.with_name(f".making-{folder.name}")
        with writing(self.local):
            folder.parent.mkdir(parents=True, exist_ok=True)
            with lock(self.local):
                sweep_away(folder.parent)
                if folder.is_dir() and not replace_old and is_sound(folder):
                    return folder
                try:
                    making.mkdir()
                    write_folder(making, result, manifest)
                    put_in_place(making, folder)
                finally:
                    shutil.rmtree(making, ignore_errors=True)
        return folder

    def check_writable(self) -> None:
        """Raise StorageUnavailable where no result can be kept."""
        with writing(self.local):
            self.local.mkdir(parents=True, exist_ok=True)
            with lock(self.local), tempfile.TemporaryFile(dir=self.local.parent) as probe:
                probe.write(b"\0" * PROBE_BYTES)

    def publish(self, stored: Stored) -> Path:
        """Copy a result, as it is, to the published ones, instead of an earlier one. Raises
        StorageUnavailable, and then the earlier one stays."""
        folder = self.published / stored.manifest.experiment / stored.folder.name
        with copying(self.published, stored.folder, folder) as making:
            put_in_place(making, folder)
        return folder

    def take_in(self, name: str, checked: Path, source: Imported) -> Path:
        """Keep somebody else's result, checked before, as an imported one: the files in the folder
        `checked`, whose name is the result's key. Returns its folder.

        Raises StorageUnavailable and InvalidInput."""
        if self.imported is None:
            raise InvalidInput("store", str(self.local), "one with a folder for imported results")
        folder = self.imported / name / checked.name
        with copying(self.imported, checked, folder) as making:
            record_of(folder).write_text(json.dumps(asdict(source)), encoding="utf-8")
            put_in_place(making, folder)
        return folder


@contextmanager
def copying(root: Path, source: Path, folder: Path) -> Iterator[Path]:
    """Copy a result's folder into the store `root`, beside its place, under the store's lock. A
    copy that is not put in place is removed. Raises StorageUnavailable."""
    making = folder.with_name(f".making-{folder.name}")
    with writing(root):
        folder.parent.mkdir(parents=True, exist_ok=True)
        with lock(root):
            sweep_away(folder.parent)
            try:
                shutil.copytree(source, making)
                yield making
            finally:
                shutil.rmtree(making, ignore_errors=True)


@contextmanager
def writing(root: Path) -> Iterator[None]:
    """Raise what the disk refuses in this block as StorageUnavailable, with the place and the
    remedy."""
    try:
        yield
    except OSError as error:
        raise StorageUnavailable(
            f"Results cannot be kept in '{root}': {error.strerror or error}. Free some space "
            "there, or set IAL_CACHE_DIR to a folder that can be written to."
        ) from error


def find_by_request(root: Path, origin: str, name: str, request: Request) -> Stored | None:
    """Return the sound result of a request, whatever the content of its data."""
    for folder in by_request(root / name).get(canonical(values_of(request)), ()):
        try:
            return open_entry(folder, origin)
        except DamagedResult as error:
            say_damaged(error)
    return None


def canonical(request: Mapping[str, object]) -> str:
    """Return a request as text: equal requests have equal texts, also when read from a manifest."""
    return json.dumps(request, sort_keys=True, separators=(",", ":"))


def by_request(parent: Path) -> Mapping[str, tuple[Path, ...]]:
    """Return the folders of one experiment's results by their request; those of this version alone.

    A result comes and goes as a whole, which changes the time of the folder around it: the index is
    read again then. Times may be coarse: it is kept only where the last change is some time ago.
    """
    try:
        changed = parent.stat().st_mtime_ns
    except FileNotFoundError:
        return {}
    settled = time.time_ns() - changed > SETTLED_NS
    return (_by_request if settled else _by_request.__wrapped__)(parent, changed)


@lru_cache(KEPT_INDICES)
def _by_request(parent: Path, changed: int) -> Mapping[str, tuple[Path, ...]]:
    found: dict[str, tuple[Path, ...]] = {}
    for path in sorted(parent.glob(f"*/{MANIFEST}")):
        try:
            manifest = read_manifest(path.parent)
        except DamagedResult as error:
            say_damaged(error)
            continue
        if manifest.result_version == RESULT_VERSION:
            asked = canonical(manifest.request)
            found[asked] = (*found.get(asked, ()), path.parent)
    return found


def sweep_away(parent: Path) -> None:
    """Remove what an interrupted writer left behind; under the lock, under which no writer
    works."""
    for left in parent.glob(".*"):
        shutil.rmtree(left)


def put_in_place(making: Path, folder: Path) -> None:
    """Make a complete folder the result, in one step; under the lock."""
    old = folder.with_name(f".old-{folder.name}")
    if folder.is_dir():
        folder.rename(old)
    making.rename(folder)
    sync(folder.parent)
    shutil.rmtree(old, ignore_errors=True)


def lock(root: Path) -> FileLock:
    """Lock the store in `root`: every process that changes it holds this lock; the kernel releases
    it when the process ends."""
    return FileLock(root.with_name(f"{root.name}.lock"))


def open_entry(folder: Path, origin: str = LOCAL) -> Stored:
    """Open the result in a store's folder. Raises DamagedResult.

    Small results stay in memory until their files change: a second call returns the same object;
    do not change it.
    """
    files = signs_of(folder)
    kept = sum(size for *_, size in files) <= KEPT_BYTES
    stored = (_kept if kept else _opened)(folder, files, origin == PUBLISHED)
    if origin == LOCAL:
        with suppress(OSError):  # it has just been removed, or nothing can be written there
            os.utime(folder)  # it was used now: what is not, is evicted first
    return replace(stored, imported=read_record(folder)) if origin == IMPORTED else stored


def signs_of(folder: Path) -> tuple[tuple[str, int, int, int], ...]:
    """Return what changes when a folder's files change, without reading them: name, inode, time,
    size. Raises DamagedResult."""
    try:
        with os.scandir(folder) as entries:  # pages ask often: a `Path` a file costs more
            found = sorted((entry.name, entry.stat()) for entry in entries)
    except OSError as error:
        raise DamagedResult(f"{folder.name}: cannot be read ({error}).") from error
    return tuple((name, s.st_ino, s.st_mtime_ns, s.st_size) for name, s in found)


def _opened(folder: Path, files: tuple[tuple[str, int, int, int], ...], published: bool) -> Stored:
    stored = open_folder(folder, published)
    m = stored.manifest
    if key_of(m.experiment, m.request, m.data_hash, m.result_version) != folder.name:
        raise DamagedResult(f"{folder.name}: {MANIFEST} is that of another request.")
    return stored


_kept = lru_cache(KEPT_RESULTS)(_opened)


def is_sound(folder: Path) -> bool:
    try:
        open_entry(folder)
    except DamagedResult as error:
        say_damaged(error)
        return False
    return True


def say_damaged(error: DamagedResult) -> None:
    log.warning("A stored result is damaged and is not used: %s", error)
