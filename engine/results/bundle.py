"""Bundles: chosen results as one zip archive, to be taken in by somebody else's lab.

    index.json                   the format, the engine's result version, the results in it
    <experiment>/<key>/<file>    each result as it lies in the store, its manifest included

Equal results make equal bundles, byte for byte. What is taken in comes from anywhere: all of it is
checked before anything is written into the store, nothing is unpickled, and it is kept apart from
what was computed here. A checksum says that a file is what its author packed, not that its numbers
are right: that is why an imported result is called one wherever it is shown.
"""

import json
import math
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from engine.data.untrusted import archives, limits
from engine.data.untrusted.limits import MB, size
from engine.errors import DamagedResult, EngineError, InvalidBundle, shorten
from engine.experiments import (
    EXPERIMENTS,
    NO_DATA,
    RESULT_VERSION,
    Request,
    make_request,
    values_of,
)
from engine.results.library import Entry
from engine.results.manifest import MANIFEST, Imported, Manifest, key_of, read_manifest, verify
from engine.results.store import Store
from engine.results.trial import TRIAL_GB, TRIAL_SECONDS, is_harmless
from engine.settings import ROOT
from engine.version import CHANGED

INDEX, FORMAT = "index.json", "influence-attack-lab bundle 1"
NAME = re.compile(r"([a-z-]+/[0-9a-f]{24})/([a-z0-9_]+\.(?:json|npz|parquet))")
SHA256 = re.compile(r"[0-9a-f]{64}")
REVISION = re.compile(rf"[0-9a-f]{{40}}({re.escape(CHANGED)})?")
BUNDLE_MB = 1024  # unpacked
JSON_MB = 4  # of an index or a manifest
NAMED = 100  # characters of a device's name
DATE = (1980, 1, 1, 0, 0, 0)  # of every entry: the first that a zip archive can say
# What reading an archive raises: RuntimeError where it asks for more than zipfile can.
FAULTS = (ValueError, zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError)
AGAIN = "Ask whoever sent it to export it again."


@dataclass(frozen=True)
class Report:
    """What became of a bundle's results, each named '<experiment>/<key>': taken, already here, or
    refused, with the reason."""

    taken: tuple[str, ...]
    already: tuple[str, ...]
    refused: Mapping[str, str]


def write_bundle(entries: Iterable[Entry], file: IO[bytes]) -> None:
    """Pack results, each once, into `file`. Raises DamagedResult, InvalidBundle."""
    chosen = {name_of(entry): entry for entry in reversed(list(entries))}  # the first of a name
    if not chosen:
        raise InvalidBundle("No result was chosen for the bundle. Choose at least one.")
    for name, entry in chosen.items():
        if not entry.current:
            raise InvalidBundle(
                f"{name} was made by another version of the lab, which nobody could open. Compute "
                "it again, or leave it out."
            )
    total = sum(entry.size for entry in chosen.values())
    if total > BUNDLE_MB * MB:
        raise InvalidBundle(
            f"These results have {size(total)}, and a bundle takes {BUNDLE_MB:,} MB: export fewer "
            "at once."
        )
    index = {"format": FORMAT, "result_version": RESULT_VERSION, "results": sorted(chosen)}
    # Stored, not compressed: the files are already, and every version of zlib writes other bytes.
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        add(archive, INDEX, json.dumps(index, indent=1).encode())
        for name, entry in sorted(chosen.items()):
            verify(entry.folder, entry.manifest)
            for path in sorted(entry.folder.iterdir()):
                add(archive, f"{name}/{path.name}", path.read_bytes())


def name_of(entry: Entry) -> str:
    """Return a result's name in a bundle."""
    return f"{entry.experiment}/{entry.key}"


def add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    entry = zipfile.ZipInfo(name, DATE)
    entry.create_system = 3  # Unix, wherever it is written
    entry.external_attr = 0o644 << 16
    archive.writestr(entry, content)


def import_bundle(path: Path, store: Store, source: str = "") -> Report:
    """Check a bundle, then keep the results that are sound as imported ones.

    source: what the bundle is called where it comes from; the file's own name where nothing is
    given. Raises InvalidBundle where the archive itself is at fault, and then takes nothing.
    """
    said = re.sub(r"[^\w.-]+", "-", source or path.name)[:60]
    with tempfile.TemporaryDirectory() as place:
        try:
            folders = unpack(path, Path(place))
        except FAULTS as error:
            raise InvalidBundle(
                f"'{said}' cannot be taken in: {str(error).rstrip('.')}. {AGAIN}"
            ) from error
        refused: dict[str, str] = {}
        already: list[str] = []
        sound: dict[str, Path] = {}
        for name, folder in folders.items():
            try:
                manifest = check_result(name, folder)
                if is_there(store, name, manifest):
                    already.append(name)
                else:
                    sound[name] = folder
            except EngineError as error:
                refused[name] = str(error)
        refused |= try_opening(sound)
        taken = [name for name in sound if name not in refused]
        record = Imported(said, datetime.now(UTC).isoformat(timespec="seconds"))
        for name in taken:
            store.take_in(name.split("/")[0], sound[name], record)
    return Report(tuple(taken), tuple(already), refused)


def unpack(path: Path, place: Path) -> dict[str, Path]:
    """Unpack a bundle's results into folders in `place`; return these by the results' names. Raises
    any of FAULTS. Raises ValueError."""
    with archives.open_zip(path, BUNDLE_MB) as archive:
        files = {entry.orig_filename: entry for entry in archive.infolist()}
        listed = read_index(archive, files.pop(INDEX, None))
        split = {}
        for name in files:
            matched = NAME.fullmatch(name)
            if matched is None:
                raise ValueError(
                    f"its entry {shorten(name)} is no file of a result, '<experiment>/<key>/<file>'"
                )
            split[name] = matched.groups()
        there = {result for result, _ in split.values()}
        if differ := sorted(there ^ set(listed)):
            raise ValueError(f"its {INDEX} and its files do not name the same results: {differ[0]}")
        for name, (result, file) in split.items():
            if file == MANIFEST and files[name].file_size > JSON_MB * MB:
                raise ValueError(
                    f"its entry {shorten(name)} has {size(files[name].file_size)}, and {JSON_MB} "
                    "MB are taken"
                )
            folder = place / result
            folder.mkdir(parents=True, exist_ok=True)
            with archive.open(files[name]) as packed, (folder / file).open("xb") as unpacked:
                shutil.copyfileobj(packed, unpacked)
    return {result: place / result for result in sorted(there)}


def read_index(archive: zipfile.ZipFile, entry: zipfile.ZipInfo | None) -> list[str]:
    """Read the names of the results that a bundle says it has. Raises ValueError."""
    if entry is None:
        raise ValueError(f"it has no {INDEX}: it is no bundle of this lab, or it was cut off")
    if entry.file_size > JSON_MB * MB:
        raise ValueError(f"its {INDEX} has {size(entry.file_size)}, and {JSON_MB} MB are taken")
    try:
        index = json.loads(archive.read(entry))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"its {INDEX} is no JSON ({error})") from error
    known = isinstance(index, dict) and index.get("format") == FORMAT
    if not known or not isinstance(index.get("results"), list):
        raise ValueError(f"its {INDEX} does not describe a bundle of this lab, '{FORMAT}'")
    if index.get("result_version") != RESULT_VERSION:
        raise ValueError(other_version(index.get("result_version")))
    names = index["results"]
    if not names or not all(isinstance(name, str) for name in names):
        raise ValueError(f"its {INDEX} lists no results")
    return names


def other_version(found: object) -> str:
    return (
        f"it was made by another version of the lab (results of version {shorten(found)}, here "
        f"{RESULT_VERSION}): both need the same one"
    )


def check_result(name: str, folder: Path) -> Manifest:
    """Check the manifest and every file of an unpacked result, without opening one; return the
    manifest. Raises InvalidBundle and what reading the manifest raises."""
    experiment = name.split("/")[0]
    if experiment not in EXPERIMENTS or EXPERIMENTS[experiment].part:
        raise InvalidBundle(
            f"'{experiment}' is no experiment of this lab. Update it, if the other one is newer."
        )
    try:
        manifest = read_manifest(folder)
    except RecursionError as error:
        raise InvalidBundle(f"Its {MANIFEST} is no JSON ({error}). {AGAIN}") from error
    check_manifest(experiment, manifest)
    if (
        key_of(experiment, manifest.request, manifest.data_hash, manifest.result_version)
        != folder.name
    ):
        raise InvalidBundle(f"Its key is not that of its request: one was changed. {AGAIN}")
    try:
        verify(folder, manifest)
    except DamagedResult as error:
        raise InvalidBundle(f"{error} It was changed after it was exported. {AGAIN}") from error
    for path in folder.glob("*.npz"):
        check_arrays(path)
    return manifest


def check_manifest(experiment: str, manifest: Manifest) -> None:
    """Raise InvalidBundle unless a manifest says what one written here would say."""
    m = manifest
    if m.experiment != experiment:
        raise InvalidBundle(f"It lies under {experiment}, but is {shorten(m.experiment)}. {AGAIN}")
    if m.result_version != RESULT_VERSION:
        raise InvalidBundle(f"Refused: {other_version(m.result_version)}.")
    sound = {
        "created": is_moment(m.created),
        "seconds": math.isfinite(m.seconds) and m.seconds >= 0,
        "device": is_harmless(m.device) and len(m.device) <= NAMED,
        "data_hash": m.data_hash == NO_DATA or SHA256.fullmatch(m.data_hash) is not None,
        "versions": is_harmless(m.versions) and len(str(m.versions)) <= 10 * NAMED,
        "files": bool(m.files) and all(SHA256.fullmatch(str(value)) for value in m.files.values()),
        "request": is_harmless(m.request),
        "lab_version": is_harmless(m.lab_version) and len(m.lab_version or "") <= NAMED,
        "source_revision": m.source_revision is None
        or REVISION.fullmatch(m.source_revision) is not None,
    }
    for name, good in sound.items():
        if not good:
            raise InvalidBundle(
                f"Its {MANIFEST} holds no usable '{name}': {shorten(getattr(m, name))}. {AGAIN}"
            )
    try:
        request = make_request(experiment, m.request)
    except Exception as error:  # on values of any kind the checks raise anything
        raise InvalidBundle(f"Nobody can ask for its request here: {error}") from error
    if as_text(values_of(request)) != as_text(m.request) or seed_of(request) != m.seed:
        raise InvalidBundle(f"Its request is not written as this lab writes it. {AGAIN}")


def as_text(request: Mapping[str, object]) -> str:
    """Return a request as its key sees it: 1 and 1.0 differ."""
    return json.dumps(request, sort_keys=True)


def seed_of(request: Request) -> int | None:
    return getattr(request, "seed", None)


def is_moment(text: str) -> bool:
    """Return whether a text is a time with a time zone, as in a result's manifest."""
    try:
        return datetime.fromisoformat(text).tzinfo is not None and len(text) <= 40
    except ValueError:
        return False


def check_arrays(path: Path) -> None:
    """Raise InvalidBundle for arrays that hold objects, or are not what their headers claim."""
    try:
        with archives.open_zip(path, limits.ARRAYS_MB) as archive:
            for entry in archive.infolist():
                with archive.open(entry) as member:
                    archives.check_array(entry.filename, member, entry.file_size)
    except FAULTS as error:
        raise InvalidBundle(f"{path.name} cannot be used: {error}.") from error


def is_there(store: Store, name: str, manifest: Manifest) -> bool:
    """Return whether this result itself lies in the store. Raises InvalidBundle where somebody
    else's result of the same request was imported before."""
    for root in store.roots().values():
        try:
            here = read_manifest(root / name)
        except DamagedResult:
            continue  # there is none, or none that can be used
        if here == manifest:
            return True
        if root == store.imported:
            raise InvalidBundle(
                f"Another result of the same request, made {here.created}, was imported before. "
                "Remove that one to take this one."
            )
    return False


def try_opening(folders: Mapping[str, Path]) -> dict[str, str]:
    """Try to open results in a process of its own, which a malicious file may fill or crash; return
    by name why one cannot be opened."""
    if not folders:
        return {}
    try:
        run = subprocess.run(
            [sys.executable, "-m", "engine.results.trial"],
            cwd=ROOT,
            input=json.dumps([str(folder) for folder in folders.values()]),
            capture_output=True,
            text=True,
            timeout=TRIAL_SECONDS,
            check=False,
        )
        said, how = run.stdout, f"ended the process that opened it ({TRIAL_GB} GB of memory)"
    except subprocess.TimeoutExpired as error:
        said = (error.stdout or b"").decode()
        how = f"could not be opened within {TRIAL_SECONDS:.0f} s"
    return faults(list(folders), said.splitlines(), how)


def faults(names: Sequence[str], lines: Sequence[str], how: str) -> dict[str, str]:
    """Read what the trial said: a line a result, empty for a sound one. Results behind the one at
    which it ended were not looked at."""
    found = {name: json.loads(line) for name, line in zip(names, lines, strict=False)}
    found = {name: f"{fault} {AGAIN}" for name, fault in found.items() if fault}
    unseen = names[len(lines) :]
    for name in unseen[:1]:
        found[name] = f"It {how}. Do not trust it."
    for name in unseen[1:]:
        found[name] = f"It was not looked at, since {unseen[0]}, before it, {how}."
    return found
