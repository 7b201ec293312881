"""A data set larger than memory: a folder of plain arrays, of which the training features stay on
disk.

    X_train.npy, y_train.npy, X_test.npy, y_test.npy[, class_names.txt: one name a line]

The standardised training features are written once, into the same folder; `Dataset.X_train` is a
memory map of them, and whoever multiplies it reads it a few rows at a time (`engine.rows`).
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from engine.data.dataset import Dataset, check_labels, check_samples
from engine.data.preparation import (
    beyond_rounding,
    check_reach,
    distinct_names,
    exponents,
    halve_test,
    numbered_classes,
)
from engine.errors import InvalidDataset

REQUIRED = ("X_train", "y_train", "X_test", "y_test")
TRAIN, NAMES = "X_train.npy", "class_names.txt"
STANDARDISED = "standardised"  # of the files that are made here
ROWS_AT_ONCE = 8192
DIGITS = 16  # of the content's SHA-256 in the name of the copy


def is_folder(path: Path) -> bool:
    """Return whether a data set of this kind lies at the path."""
    try:
        return (path / TRAIN).is_file()
    except OSError:  # the name is too long for a file
        return False


def folders(data_dir: Path) -> list[Path]:
    """Return the folders of this kind in a data directory."""
    return sorted(path for path in data_dir.glob("*") if is_folder(path))


def load_folder(folder: Path) -> Dataset:
    """Return the data set in a folder; its name is the folder's. Nothing is ever unpickled.

    Raises InvalidDataset where an array is missing, cannot be read, does not fit the others, or
    cannot be written standardised.
    """
    X, y_train, X_test, y_test = (open_array(folder, name) for name in REQUIRED)
    X_test, y_train, y_test = (np.array(array) for array in (X_test, y_train, y_test))
    class_names = read_names(folder)
    try:
        for split, features, labels in (("train", X, y_train), ("test", X_test, y_test)):
            check_samples(split, features, labels)
        if X.shape[1] != X_test.shape[1]:
            raise InvalidDataset(
                f"X_test has {X_test.shape[1]} features but X_train has {X.shape[1]}. "
                "Compute both with the same feature extractor."
            )
        class_names = distinct_names(class_names or numbered_classes(y_train, y_test))
        for split, labels in (("train", y_train), ("test", y_test)):
            check_labels(split, labels, len(class_names))
        test, holdout = halve_test(y_test, class_names)
        scaled = scaling(X)
        with np.errstate(over="ignore"):
            beside = scaled.of(X_test.astype(np.float64)).astype(np.float32)
        check_reach(X_test, beside)
    except InvalidDataset as error:
        raise InvalidDataset(f"'{folder.name}' cannot be used: {error}") from error
    return Dataset(
        name=folder.name,
        X_train=standardised(folder, X, scaled),
        y_train=y_train.astype(np.int64),
        X_test=beside[test],
        y_test=y_test[test].astype(np.int64),
        X_holdout=beside[holdout],
        y_holdout=y_test[holdout].astype(np.int64),
        class_names=class_names,
        title=folder.name,
        on_disk=True,
    )


def open_array(folder: Path, name: str) -> NDArray:
    """Open an array of a features folder as a memory map. Raises InvalidDataset."""
    path = folder / f"{name}.npy"
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise InvalidDataset(
            f"'{folder.name}' lacks {path.name}. Such a folder holds "
            f"{', '.join(f'{n}.npy' for n in REQUIRED)}, written by numpy.save."
        ) from None
    except (OSError, ValueError) as error:
        raise InvalidDataset(
            f"{path.name} in '{folder.name}' cannot be read as a NumPy array without pickle "
            f"({error}). Write it with numpy.save from a plain numeric array."
        ) from error


def read_names(folder: Path) -> tuple[str, ...] | None:
    """Read the names of classes, one a line; None without that file. Raises InvalidDataset."""
    path = folder / NAMES
    if not path.is_file():
        return None
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise InvalidDataset(
            f"{NAMES} in '{folder.name}' is not UTF-8 ({error}). Save it as UTF-8, one name a line."
        ) from error
    return tuple(line.strip() for line in lines if line.strip())


def files_of(folder: Path) -> list[Path]:
    """Return the files that somebody put into the folder, and not those that were made here."""
    return [folder / NAMES, *(folder / f"{name}.npy" for name in REQUIRED)]


def chunks(X: NDArray) -> Iterator[NDArray[np.float64]]:
    """X as float64, a few rows at a time."""
    for start in range(0, len(X), ROWS_AT_ONCE):
        yield X[start : start + ROWS_AT_ONCE].astype(np.float64)


def digest_of(X: NDArray) -> str:
    """Return the SHA-256 of the values, whatever the file's time stamp says, shortened to a file
    name."""
    digest = hashlib.sha256(f"{X.dtype}{X.shape}".encode())
    for start in range(0, len(X), ROWS_AT_ONCE):
        digest.update(np.ascontiguousarray(X[start : start + ROWS_AT_ONCE]).view(np.uint8).data)
    return digest.hexdigest()[:DIGITS]


@dataclass(frozen=True, eq=False)
class Standardisation:
    """(X · 2^exponent − mean) · scale, column by column (d,); scale is 0 for a constant column."""

    exponent: NDArray[np.int32]
    mean: NDArray[np.float64]
    scale: NDArray[np.float64]

    def of(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the standardised rows (rows, d)."""
        return (np.ldexp(rows, self.exponent) - self.mean) * self.scale


def scaling(X: NDArray) -> Standardisation:
    """Return the scaling of the rows of X (n, d); three passes, since the difference of large sums
    would lose what it is about, and the squares of large values would overflow."""
    low, high = np.full(X.shape[1], np.inf), np.full(X.shape[1], -np.inf)
    for rows in chunks(X):
        low, high = np.minimum(low, rows.min(axis=0)), np.maximum(high, rows.max(axis=0))
    exponent = exponents(np.maximum(np.abs(low), np.abs(high)))
    total, squares = np.zeros(X.shape[1]), np.zeros(X.shape[1])
    for rows in chunks(X):
        total += np.ldexp(rows, exponent).sum(axis=0)
    mean = total / len(X)
    for rows in chunks(X):
        squares += np.square(np.ldexp(rows, exponent) - mean).sum(axis=0)
    varies = beyond_rounding(low, high, X.dtype) & (squares > 0)
    scale = np.where(varies, 1 / np.sqrt(np.where(varies, squares, 1) / len(X)), 0.0)
    return Standardisation(exponent, mean, scale)


def standardised(folder: Path, X: NDArray, scaling: Standardisation) -> NDArray[np.float32]:
    """Return a memory map of the standardised features, made where no file has these values.

    Raises InvalidDataset.
    """
    path = folder / f"{STANDARDISED}-{digest_of(X)}.npy"
    try:
        with FileLock(folder / f".{STANDARDISED}.lock"):
            if not path.is_file():
                for old in folder.glob(f"*{STANDARDISED}-*.npy"):
                    old.unlink()
                write_standardised(path, X, scaling)
    except OSError as error:
        raise InvalidDataset(
            f"The standardised features of '{folder.name}' cannot be written beside the others "
            f"({error.strerror or error}). Make room for {X.size * 4 / 1e9:.1f} GB and allow "
            "writing there."
        ) from error
    return np.load(path, mmap_mode="r", allow_pickle=False)


def write_standardised(path: Path, X: NDArray, scaling: Standardisation) -> None:
    making = path.with_name(f".{path.name}")
    out = np.lib.format.open_memmap(making, mode="w+", dtype=np.float32, shape=X.shape)
    for place, rows in enumerate(chunks(X)):
        start = place * ROWS_AT_ONCE
        out[start : start + len(rows)] = scaling.of(rows)
    out.flush()
    making.replace(path)
