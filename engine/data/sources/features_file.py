"""A features file of one's own: `.npz` with X_train, y_train, X_test, y_test[, class_names,
feature_names]."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.data.dataset import RENUMBER, Dataset
from engine.data.preparation import distinct_names, prepare
from engine.data.sources import fairness_table, features_folder
from engine.data.sources.thumbnails import open_thumbnails, thumbnail_paths
from engine.data.untrusted import limits
from engine.data.untrusted.archives import check_npz
from engine.errors import InvalidDataset

REQUIRED = ("X_train", "y_train", "X_test", "y_test")
NAMES = ("class_names", "classes")
FEATURE_NAMES = ("feature_names",)
KNOWN = (*REQUIRED, *NAMES, *FEATURE_NAMES)


def load_features(path: Path) -> Dataset:
    """Return the data set in an `.npz` file; its name is the file's stem. Nothing is ever
    unpickled.

    Its thumbnails, where there are any (`engine.data.sources.thumbnails`), stay on disk.
    Whoever may write into the data directory is not trusted with this machine: what the file claims
    is checked before anything of it is read. (It may be a symbolic link: only its operator can have
    put one there.) Raises InvalidDataset when the file is missing, is no `.npz`, lacks an array,
    holds objects or is too large, or when thumbnails do not fit it.
    """
    if not path.is_file():
        raise InvalidDataset(f"There is no features file at '{path}'. Check the path.")
    arrays, class_names = read_checked(path)
    feature_names = read_names(path, arrays, FEATURE_NAMES, "feature")
    X_train, y_train, X_test, y_test = (arrays[name] for name in REQUIRED)
    images = open_thumbnails(path, y_train.size, y_test.size)
    try:
        return prepare(
            path.stem, X_train, y_train, X_test, y_test, class_names, images, feature_names
        )
    except InvalidDataset as error:
        raise InvalidDataset(f"'{path.name}' cannot be used: {error}") from error


def read_checked(path: Path) -> tuple[dict[str, NDArray], tuple[str, ...] | None]:
    """Read arrays and class names, after checking what their headers claim. Raises
    InvalidDataset."""
    try:
        check_npz(path, KNOWN)
        arrays = read_arrays(path)
        class_names = read_names(path, arrays, NAMES, "class")
        check_number_of_classes(path, arrays["y_train"], class_names)
        return arrays, None if class_names is None else distinct_names(class_names)
    except InvalidDataset:
        raise
    except Exception as error:  # a damaged file can make NumPy, zipfile and tokenize raise anything
        raise InvalidDataset(
            f"'{path.name}' cannot be read as .npz without pickle "
            f"({str(error) or type(error).__name__}). "
            "Write it with numpy.savez from plain numeric arrays."
        ) from error


def changed_at(name: str, data_dir: Path, suffix: str = ".npz") -> float:
    """Return when the files behind a data set's name or path, or its thumbnails, last changed; 0
    where there are none. The times of their directory entries count too: they change whenever a
    file is replaced."""
    folders = [p for p in (Path(name), data_dir / name) if features_folder.is_folder(p)]
    files = [Path(name), data_dir / f"{name}{suffix}", fairness_table.find(name, data_dir)]
    first = next((path for path in files if path is not None and path.is_file()), None)
    if first is not None:
        known = [first, *thumbnail_paths(first)]
    else:
        known = features_folder.files_of(folders[0]) if folders else []
    states = [path.stat() for path in known if path.is_file()]
    return max((max(state.st_mtime, state.st_ctime) for state in states), default=0.0)


def read_arrays(path: Path) -> dict[str, NDArray]:
    """Return the arrays in the file that have a meaning here; whatever else it holds stays
    unread. Raises InvalidDataset and ValueError."""
    with np.load(path, allow_pickle=False) as archive:
        missing = [name for name in REQUIRED if name not in archive.files]
        if missing:
            raise InvalidDataset(
                f"'{path.name}' lacks {', '.join(missing)}; it holds "
                f"{', '.join(archive.files) or 'nothing'}. A features file holds "
                f"{', '.join(REQUIRED)} and optionally class_names."
            )
        arrays = {name: archive[name] for name in KNOWN if name in archive.files}
    foreign = [name for name, array in arrays.items() if not isinstance(array, np.ndarray)]
    if foreign:
        raise ValueError(f"{', '.join(foreign)} is not an array in NumPy's format")
    return arrays


def read_names(
    path: Path, arrays: dict[str, NDArray], keys: tuple[str, ...], of: str
) -> tuple[str, ...] | None:
    """Return names (one per class, or per feature) as strings; None where the file has none.

    Raises InvalidDataset.
    """
    key = next((key for key in keys if key in arrays), None)
    if key is None:
        return None
    named = arrays[key]
    if named.ndim != 1 or named.dtype.kind not in "UiuS":
        raise InvalidDataset(
            f"{key} in '{path.name}' must be a list of strings, one per {of}. "
            f"Got dtype {named.dtype}, shape {named.shape}."
        )
    return tuple(n.decode("utf-8", "replace") if isinstance(n, bytes) else str(n) for n in named)


def check_number_of_classes(path: Path, y: NDArray, names: tuple[str, ...] | None) -> None:
    """Check that labels y, (n,), are classes and not measurements. Raises InvalidDataset."""
    count = len(np.unique(y)) if names is None else len(names)
    if count > limits.CLASSES:
        raise InvalidDataset(
            f"'{path.name}' has {count:,} classes, and {limits.CLASSES:,} are taken. Labels are "
            f"classes, not numbers to predict; {RENUMBER}"
        )
