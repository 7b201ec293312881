"""A features file of one's own: `.npz` with X_train, y_train, X_test, y_test[, class_names]."""

import zipfile
from pathlib import Path

import numpy as np

from engine.data.dataset import Dataset
from engine.data.preparation import prepare
from engine.errors import InvalidDataset

REQUIRED = ("X_train", "y_train", "X_test", "y_test")
NAMES = ("class_names", "classes")


def load_features(path: Path) -> Dataset:
    """The data set in an `.npz` file; its name is the file's stem. Nothing is ever unpickled.

    Raises InvalidDataset when the file is missing, is no `.npz`, lacks an array or holds objects.
    """
    if not path.is_file():
        raise InvalidDataset(f"There is no features file at '{path}'. Check the path.")
    try:
        with np.load(path, allow_pickle=False) as archive:
            missing = [name for name in REQUIRED if name not in archive.files]
            if missing:
                raise InvalidDataset(
                    f"'{path.name}' lacks {', '.join(missing)}; it holds {', '.join(archive.files)}. "
                    f"A features file holds {', '.join(REQUIRED)} and optionally class_names."
                )
            arrays = {name: archive[name] for name in REQUIRED}
            named = next((archive[name] for name in NAMES if name in archive.files), None)
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, KeyError, AttributeError) as error:
        raise InvalidDataset(
            f"'{path.name}' cannot be read as .npz without pickle ({error}). "
            "Write it with numpy.savez from plain numeric arrays."
        ) from error
    class_names = None
    if named is not None:
        if named.ndim != 1 or named.dtype.kind not in "UiS":
            raise InvalidDataset(
                f"class_names in '{path.name}' must be a list of strings. "
                f"Got dtype {named.dtype}, shape {named.shape}."
            )
        class_names = tuple(
            n.decode("utf-8", "replace") if isinstance(n, bytes) else str(n) for n in named
        )
    return prepare(path.stem, **arrays, class_names=class_names)
