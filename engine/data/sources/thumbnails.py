"""Thumbnails beside a features file: uint8 arrays that stay on disk and are read one at a time.

`<folder>/<name>.npz` has them in `<folder>/thumbnails/<name>.train.npy` and `<name>.test.npy`,
(samples, height, width[, 3]), in the order of the features file's rows. To replace one, write
another file and rename it: a file that shrinks while it is mapped would end the process.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.errors import InvalidDataset

FOLDER = "thumbnails"
PARTS = ("train", "test")
LARGEST = 1024  # pixels a side: these are thumbnails


def thumbnail_paths(features: Path) -> tuple[Path, Path]:
    """Return where the thumbnails of a features file lie: those of train and of all test data."""
    train, test = (features.parent / FOLDER / f"{features.stem}.{part}.npy" for part in PARTS)
    return train, test


def open_thumbnails(
    features: Path, n_train: int, n_test: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]] | None:
    """Return the thumbnails of train and of all test data, mapped; None where there are none.

    Raises InvalidDataset where one of the two is missing or does not fit the features.
    """
    train, test = thumbnail_paths(features)
    found = [path for path in (train, test) if path.is_file()]
    if not found:
        return None
    if len(found) == 1:
        (missing,) = {train, test} - set(found)
        raise InvalidDataset(
            f"'{features.name}' has thumbnails '{found[0].name}' but not '{missing.name}'. Put "
            f"both into '{FOLDER}', or neither."
        )
    return mapped(train, n_train), mapped(test, n_test)


def mapped(path: Path, n: int) -> NDArray[np.uint8]:
    """Return one file of n thumbnails, as a read-only memory map. Raises InvalidDataset."""
    remedy = f"Make it anew from the images, or delete '{FOLDER}/{path.name}' and its twin."
    try:
        pictures = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # a damaged file can make NumPy and tokenize raise anything
        raise InvalidDataset(
            f"The thumbnails '{path.name}' cannot be read as .npy without pickle "
            f"({str(error) or type(error).__name__}). {remedy}"
        ) from error
    if not isinstance(pictures, np.memmap):
        pictures.close()  # an .npz under this name
        raise InvalidDataset(f"The thumbnails '{path.name}' are no .npy array. {remedy}")
    colours = pictures.shape[3:]
    sides = pictures.shape[1:3]
    if (
        pictures.dtype != np.uint8
        or pictures.ndim not in (3, 4)
        or colours not in ((), (3,))
        or not all(1 <= side <= LARGEST for side in sides)
    ):
        raise InvalidDataset(
            f"The thumbnails '{path.name}' must be uint8 of shape (samples, height, width) or "
            f"(samples, height, width, 3), at most {LARGEST} pixels a side. "
            f"Got {pictures.dtype}, shape {pictures.shape}. {remedy}"
        )
    if len(pictures) != n:
        raise InvalidDataset(
            f"The thumbnails '{path.name}' are {len(pictures):,}, but the features have {n:,} "
            f"samples: one thumbnail a sample, in their order. {remedy}"
        )
    return pictures
