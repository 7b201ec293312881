"""The manifest of a result: what was asked, when and with what, and the checksum of each file.

A result's key is a hash of its request, of the data's content hash and of the engine's result
version.
"""

import hashlib
import importlib.metadata
import json
import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache, lru_cache
from pathlib import Path

from engine.errors import DamagedResult
from engine.experiments import RESULT_VERSION, Request, values_of

MANIFEST = "manifest.json"
KEPT_MANIFESTS = 1024  # that stay in memory
PACKAGES = ("torch", "numpy", "scipy", "scikit-learn", "pandas")
KINDS = {
    "experiment": str,
    "request": dict,
    "result_version": int,
    "data_hash": str,
    "seed": int | None,
    "device": str,
    "seconds": float,
    "created": str,
    "versions": dict,
    "files": dict,
    "lab_version": str | None,
    "source_revision": str | None,
}  # of the manifest's fields
LATER = {"lab_version", "source_revision"}  # not in manifests that were written before they were


@dataclass(frozen=True)
class Manifest:
    """Where a result comes from. `created` is ISO 8601 in UTC, `seconds` the wall time of its
    making, `files` maps each file's name to its SHA-256. `lab_version` and `source_revision` are as
    in `engine.version`, None where an older lab made the result."""

    experiment: str
    request: dict[str, object]
    result_version: int
    data_hash: str
    seed: int | None
    device: str
    seconds: float
    created: str
    versions: dict[str, str]
    files: dict[str, str]
    lab_version: str | None = None
    source_revision: str | None = None

    @property
    def made_with(self) -> str:
        """Return the lab's version and source revision, where they are known, and those of its
        packages, in words."""
        known = [] if self.lab_version is None else [f"lab {self.lab_version}"]
        if self.source_revision is not None:
            commit, changed = self.source_revision[:40], self.source_revision[40:]
            known.append(f"source {commit[:12]}{changed}")
        known += [f"{name} {version}" for name, version in self.versions.items()]
        return ", ".join(known)

    @property
    def dataset(self) -> str:
        """Return the data set's name; empty where the experiment makes its own data."""
        return str(self.request.get("dataset", ""))


@dataclass(frozen=True)
class Imported:
    """Where an imported result was taken from, and when (ISO 8601 in UTC)."""

    source: str
    when: str


def versions() -> dict[str, str]:
    """Return the versions that a number may depend on."""
    return dict(_versions())


@cache  # to look it up parses each package's metadata, which takes longer than to write a result
def _versions() -> Mapping[str, str]:
    found = {name: importlib.metadata.version(name) for name in PACKAGES}
    return {"python": platform.python_version(), **found}


def key(name: str, request: Request, data_hash: str) -> str:
    """Return the result's name: equal requests on equal data have equal keys."""
    return key_of(name, values_of(request), data_hash, RESULT_VERSION)


def key_of(name: str, request: Mapping[str, object], data_hash: str, version: int) -> str:
    asked = [name, request, data_hash, version]
    text = json.dumps(asked, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sync(path: Path) -> None:
    """Have the disk hold a file, or a folder's entries, before anything relies on it."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest in a folder; it stays in memory until its file changes. Raises
    DamagedResult."""
    try:
        file = (folder / MANIFEST).stat()
    except OSError as error:
        raise DamagedResult(f"{folder.name}: {MANIFEST} cannot be read ({error}).") from error
    return _manifest(folder, (file.st_ino, file.st_mtime_ns, file.st_size))


@lru_cache(KEPT_MANIFESTS)
def _manifest(folder: Path, sign: tuple[int, ...]) -> Manifest:
    try:
        values = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DamagedResult(f"{folder.name}: {MANIFEST} cannot be read ({error}).") from error
    wanted = {f.name for f in fields(Manifest)}
    if not isinstance(values, dict) or set(values) | LATER != wanted:
        raise DamagedResult(f"{folder.name}: {MANIFEST} does not hold {', '.join(sorted(wanted))}.")
    for name, value in values.items():
        if not isinstance(value, KINDS[name]):
            raise DamagedResult(f"{folder.name}: {MANIFEST} holds no usable '{name}'.")
    return Manifest(**values)


def record_of(folder: Path) -> Path:
    """Return the file that says from where the result in this folder was imported."""
    return folder.with_name(f"{folder.name}.json")


def read_record(folder: Path) -> Imported:
    """Read from where a result was imported. Raises DamagedResult."""
    try:
        return Imported(**json.loads(record_of(folder).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise DamagedResult(
            f"{folder.name}: where it was imported from cannot be read ({error})."
        ) from error


def verify(folder: Path, manifest: Manifest) -> None:
    """Raise DamagedResult unless a folder holds what its manifest lists, byte for byte."""
    there = {path.name for path in folder.iterdir()} - {MANIFEST}
    if differ := sorted(there ^ set(manifest.files)):
        raise DamagedResult(f"{folder.name}: missing, or not listed: {', '.join(differ)}.")
    for name, expected in manifest.files.items():
        if checksum(folder / name) != expected:
            raise DamagedResult(f"{folder.name}: the file {name} is not the one that was written.")
