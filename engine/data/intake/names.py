"""Names of data sets of one's own, and files that never replace another one."""

import filecmp
import re
import unicodedata
from collections.abc import Collection
from pathlib import Path, PurePosixPath

from filelock import FileLock

from engine.data.tables.packed import inner_name
from engine.errors import InvalidDataset, InvalidInput

LENGTH = 60
LOCK = ".own.lock"  # in the data directory
DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)", re.IGNORECASE)  # Windows keeps these


def safe_name(file_name: str, reserved: Collection[str] = ()) -> str:
    """Return a file's name as that of a data set: letters, digits, - and _ alone. Raises
    InvalidDataset."""
    stem = PurePosixPath(inner_name(file_name.replace("\\", "/"))).stem
    plain = unicodedata.normalize("NFKD", stem).encode("ascii", "ignore").decode()
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", plain).strip("-")[:LENGTH].strip("-")
    if not re.search(r"[A-Za-z0-9]", name):
        raise InvalidDataset(
            f"The file's name {file_name[:80]!r} has no letter from A to Z and no digit in it, of "
            "which names of data sets are made. Rename it, or give a name (--name, or the field on "
            "the page)."
        )
    if DEVICES.fullmatch(name):
        raise InvalidDataset(f"'{name}' is a name that Windows keeps for itself. Rename your file.")
    if name.casefold() in {taken.casefold() for taken in reserved}:
        raise InvalidDataset(f"'{name}' is the name of a data set of the lab. Rename your file.")
    return name


def check_name(name: str, reserved: Collection[str] = ()) -> str:
    """Check a name that somebody chose, and return it. Raises InvalidInput."""
    try:
        fit = safe_name(f"{name}.x", reserved)
    except InvalidDataset:
        fit = ""
    if name != fit or not name:
        expected = f"letters, digits, - and _, at most {LENGTH}, and no data set of the lab"
        raise InvalidInput("name", name, expected + (f", for example '{fit}'" if fit else ""))
    return name


def another(name: str) -> str:
    return (
        f"There is another data set '{name}' in the data directory, and it is never replaced. Give "
        "another name, or remove that one first."
    )


def place(made: Path, path: Path) -> None:
    """Move a finished file to where it belongs, unless a different one is there: that is never
    replaced. Raises InvalidDataset."""
    with FileLock(path.with_name(LOCK)):
        if not path.exists():
            made.replace(path)
        elif not filecmp.cmp(made, path, shallow=False):
            raise InvalidDataset(another(path.stem))
