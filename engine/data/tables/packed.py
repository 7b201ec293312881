"""Unpack a table within limits: gzip, bzip2, xz, or a zip archive of one table."""

import bz2
import gzip
import lzma
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from engine.data.untrusted import limits
from engine.data.untrusted.archives import open_zip
from engine.data.untrusted.limits import MB, size

ZIP = ".zip"
PACKINGS = (".gz", ".bz2", ".xz", ZIP)
BLOCK = MB
XZ_MB = 128  # of memory for unpacking: xz itself takes up to 65 at its highest level


def inner_name(name: str) -> str:
    """Return a file's name without the ending of its packing."""
    plain = PurePosixPath(name)
    return plain.stem if plain.suffix.lower() in PACKINGS else plain.name


@contextmanager
def unpacked(path: Path, is_table: Callable[[str], bool]) -> Iterator[Path]:
    """Open the table itself: the file or, where it is packed, a copy in a temporary folder. Raises
    ValueError, and whatever a damaged file makes the unpacking raise."""
    packing = path.suffix.lower()
    if packing not in PACKINGS:
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        if packing == ZIP:
            with open_zip(path, limits.TABLE_MB) as archive:
                entries = [entry for entry in visible(archive.namelist()) if is_table(entry)]
                if len(entries) != 1:
                    raise ValueError(f"it holds {len(entries)} tables, and one is needed")
                (entry,) = entries
                table = Path(folder) / PurePosixPath(entry).name
                with archive.open(entry) as source:
                    copy(blocks(source), table, path)
        else:
            table = Path(folder) / inner_name(path.name)
            with path.open("rb") as packed:
                if packing == ".gz":
                    with gzip.open(packed) as source:
                        copy(blocks(source), table, path)
                else:
                    copy(stream(packed, packing), table, path)
        yield table


def holds_one_table(path: Path, is_table: Callable[[str], bool]) -> bool:
    """Return whether a zip archive holds one table and no other file."""
    try:
        with closing(open_zip(path, limits.UNPACKED_MB)) as archive:
            found = visible(archive.namelist())
    except (OSError, ValueError, EOFError):  # whoever opens it says what is wrong with it
        return False
    return len(found) == 1 and is_table(found[0])


def visible(names: list[str]) -> list[str]:
    """Return the files of an archive without folders and what systems add to it."""
    paths = [PurePosixPath(name) for name in names if not name.endswith("/")]
    return [
        str(path)
        for path in paths
        if "__MACOSX" not in path.parts and not path.name.startswith(".")
    ]


def blocks(source: IO[bytes] | gzip.GzipFile) -> Iterator[bytes]:
    """Yield a file's content in blocks."""
    while block := source.read(BLOCK):
        yield block


def stream(packed: IO[bytes], packing: str) -> Iterator[bytes]:
    """Yield what bzip2 or xz has packed, block by block; the memory that xz asks for is bounded.

    Raises ValueError.
    """

    def begin() -> bz2.BZ2Decompressor | lzma.LZMADecompressor:
        if packing == ".bz2":
            return bz2.BZ2Decompressor()
        return lzma.LZMADecompressor(memlimit=XZ_MB * MB)

    unpacker, waiting = begin(), b""
    while True:
        if unpacker.eof:  # files that were packed one by one may lie behind one another
            waiting, unpacker = unpacker.unused_data, begin()
            waiting = waiting or packed.read(BLOCK)
            if not waiting:
                return
        elif unpacker.needs_input and not (waiting := packed.read(BLOCK)):
            raise ValueError("it was cut off: copy it again")
        yield unpacker.decompress(waiting, BLOCK)
        waiting = b""


def copy(parts: Iterator[bytes], target: Path, path: Path) -> None:
    """Write what is unpacked, as long as it is within the limits. Raises ValueError."""
    packed, total = path.stat().st_size, 0
    with target.open("wb") as file:
        for part in parts:
            total += len(part)
            if total > limits.TABLE_MB * MB:
                raise ValueError(
                    f"it unpacks to more than {limits.TABLE_MB} MB, which a table may have: take "
                    "fewer rows"
                )
            if total > limits.RATIO_FROM_MB * MB and total > limits.RATIO * packed:
                raise ValueError(
                    f"it unpacks to more than {limits.RATIO} times its {size(packed)}: pack it "
                    "without compression"
                )
            file.write(part)
