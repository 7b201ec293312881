"""Zip archives and `.npz` files from anywhere, looked over before anything of them is unpacked.

What is checked is what the archive's directory and the arrays' headers claim, against each other
and against the limits. That is enough: zipfile gives out no more bytes of an entry than the
directory claims, and an array whose header claims what its entry holds asks for no more memory.
Faults are ValueErrors that say what is wrong and what to do; who opens the file adds its name.
"""

import math
import stat
import zipfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import IO

import numpy as np

from engine.data.untrusted import limits
from engine.data.untrusted.beginnings import check_beginning
from engine.data.untrusted.limits import MB, size
from engine.errors import shorten

ENTRY = b"PK\x01\x02"  # begins an entry of a zip's directory
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
ENCRYPTED = 1  # bit of an entry's flags
BLOCK = 16 * MB
NPY = ".npy"
READERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


def open_zip(path: Path, unpacked_mb: int) -> zipfile.ZipFile:
    """Open the archive, and check its directory. Raises ValueError, zipfile.BadZipFile."""
    packed = path.stat().st_size
    if not zipfile.is_zipfile(path):
        raise ValueError(no_zip(path))
    if packed > limits.FILE_MB * MB:
        raise ValueError(
            f"it has {size(packed)}, and {limits.FILE_MB:,} MB are taken: split it, or take less"
        )
    check_count(path, packed)
    archive = zipfile.ZipFile(path)
    try:
        check_entries(archive.infolist(), packed, unpacked_mb)
    except ValueError:
        archive.close()
        raise
    return archive


def no_zip(path: Path) -> str:
    """Return what a file that is no zip archive is instead, in words."""
    try:
        start = check_beginning(path)[:16]
    except ValueError as error:
        return str(error)
    if start.startswith(b"\x93NUMPY"):
        return "it holds one nameless array (.npy)"
    if start.startswith(b"PK"):
        return "it begins as a zip archive but has no end: it was cut off, copy it again"
    return f"it is no zip archive, it begins with {shorten(start)}"


def check_count(path: Path, packed: int) -> None:
    """More entries than are taken, found without reading the directory: that alone would cost a
    kilobyte of memory each, and what the archive says of their number need not be true.
    Raises ValueError."""
    if packed < limits.ENTRIES * len(ENTRY):
        return
    found, last = 0, b""
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            block = last + block
            found += block.count(ENTRY)
            last = block[-len(ENTRY) + 1 :]
    if found > limits.ENTRIES:
        raise ValueError(
            f"it has about {found:,} entries, and {limits.ENTRIES:,} are taken: split it"
        )


def check_entries(entries: list[zipfile.ZipInfo], packed: int, unpacked_mb: int) -> None:
    """Check names and claimed sizes of an archive's entries. Raises ValueError."""
    for entry in entries:
        check_entry(entry)
    name, times = Counter(e.filename for e in entries).most_common(1)[0] if entries else ("", 0)
    if times > 1:
        raise ValueError(f"{times} of its entries have the name {shorten(name)}: pack it once")
    unpacked = sum(entry.file_size for entry in entries)
    if unpacked > unpacked_mb * MB:
        raise ValueError(
            f"it unpacks to {size(unpacked)}, and {unpacked_mb:,} MB are taken: take less"
        )
    if unpacked > limits.RATIO_FROM_MB * MB and unpacked > limits.RATIO * packed:
        raise ValueError(
            f"it unpacks to {size(unpacked)}, {unpacked / max(packed, 1):,.0f} times its own size, "
            f"and {limits.RATIO} times are taken: pack it without compression"
        )
    if sum(entry.compress_size for entry in entries) > packed:
        raise ValueError(
            f"its entries claim more than the {size(packed)} that it has: they overlap, or it was "
            "cut off. Pack it again"
        )


def check_entry(entry: zipfile.ZipInfo) -> None:
    """Check one entry: where it would lie, and what it is. Raises ValueError."""
    name = entry.orig_filename
    if not name or leads_outside(name):
        raise ValueError(
            f"its entry {shorten(name)} would lie outside the folder that it is unpacked to: pack "
            "the folder with plain relative paths"
        )
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind == stat.S_IFLNK:
        raise ValueError(f"its entry {shorten(name)} is a symbolic link: pack the file itself")
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise ValueError(f"its entry {shorten(name)} is neither file nor folder: leave it out")
    if entry.flag_bits & ENCRYPTED:
        raise ValueError(f"its entry {shorten(name)} is encrypted: pack it without a password")
    if entry.compress_type not in METHODS:
        raise ValueError(
            f"its entry {shorten(name)} is packed by method {entry.compress_type}: pack it as a "
            "plain zip archive (deflate)"
        )


def leads_outside(name: str) -> bool:
    """Return whether an entry's name is anything but a path downwards, on any system."""
    return (
        "\\" in name
        or ":" in name.split("/")[0]
        or any(ord(letter) < 32 for letter in name)
        or PurePosixPath(name).is_absolute()
        or ".." in PurePosixPath(name).parts
    )


def check_npz(path: Path, names: Iterable[str]) -> None:
    """Raise ValueError where the arrays of these names (those that are there) are not what their
    headers claim, hold objects, or are larger than the limits."""
    with open_zip(path, limits.ARRAYS_MB) as archive:
        entries = {entry.filename: entry for entry in archive.infolist()}
        for name in names:
            entry = entries.get(name + NPY) or entries.get(name)
            if entry is not None:
                with archive.open(entry) as member:
                    check_shape(name, check_array(name, member, entry.file_size))


def check_array(name: str, member: IO[bytes], held: int) -> tuple[int, ...]:
    """Check that the array that begins here has plain values and is complete; return its shape.
    Raises ValueError."""
    try:
        version = np.lib.format.read_magic(member)
        if version not in READERS:
            raise ValueError(f"its format has version {version}")
        shape, _, dtype = READERS[version](member)
    except Exception as error:  # numpy evaluates the header, which can raise anything
        fault = (str(error) or type(error).__name__).splitlines()[0]  # then comes bad advice
        raise ValueError(f"{name} is not an array in NumPy's format: {fault[:200]}") from error
    if dtype.hasobject:
        raise ValueError(f"{name} holds Python objects, which only pickle can read")
    held -= member.tell()
    claimed = math.prod(shape) * dtype.itemsize
    if any(length < 0 for length in shape):
        raise ValueError(f"{name} claims shape {shorten(shape)}, and no length is negative")
    if claimed != held:
        raise ValueError(
            f"{name} claims shape {shorten(shape)} of {dtype}, {size(claimed)}, but {size(held)} "
            "are there"
        )
    return shape


def check_shape(name: str, shape: tuple[int, ...]) -> None:
    """Raise ValueError for more samples or features than a data set may have."""
    for length, most, what in zip(
        shape, (limits.ROWS, limits.COLUMNS), ("rows", "columns"), strict=False
    ):
        if length > most:
            raise ValueError(f"{name} has {length:,} {what}, and {most:,} are taken: take fewer")
