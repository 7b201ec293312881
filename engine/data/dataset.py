"""A data set for the attacks: frozen features, labels, and the three splits.

`train` is valued, `test` is shared with the influence calculator (the attack optimises on it) and
`holdout` is unseen by the attacker. One index addresses a sample's features, label and image.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.checks import array_of, check_choice
from engine.errors import InvalidDataset

Split = Literal["train", "test", "holdout"]
SPLITS: tuple[Split, ...] = ("train", "test", "holdout")
ROWS_AT_ONCE = 65_536  # looked at together
RENUMBER = "number them 0…K−1, for example with numpy.unique(labels, return_inverse=True)."


class Pictures(Protocol):
    """Pictures, one a sample, read by its index: (height, width[, 3]), floats in [0, 1] (1 is
    white) or uint8."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> NDArray: ...


@dataclass(frozen=True, eq=False)
class Picked:
    """Some of the pictures, in another order; those in a file stay there until one is read."""

    whole: Pictures
    indices: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int, /) -> NDArray:
        return self.whole[int(self.indices[index])]


@dataclass(frozen=True)
class Images:
    """Pictures of the samples of every split."""

    train: Pictures
    test: Pictures
    holdout: Pictures


@dataclass(frozen=True, eq=False)
class Dataset:
    """Standardised float32 features (samples, d), labels 0…K−1, and the names of the classes and,
    where they have any, of the features.

    on_disk: X_train is a memory map of more than memory may hold; read it a few rows at a time.
    Features may be given as any real numbers (lists, data frames, other types and layouts) and
    labels as any whole numbers or booleans: they are converted when the data set is made.
    Raises InvalidDataset when the arrays do not fit together, hold NaN, infinities or what float32
    cannot hold, or when a class has no training sample.
    """

    name: str
    X_train: NDArray[np.float32]
    y_train: NDArray[np.int64]
    X_test: NDArray[np.float32]
    y_test: NDArray[np.int64]
    X_holdout: NDArray[np.float32]
    y_holdout: NDArray[np.int64]
    class_names: tuple[str, ...]
    images: Images | None = None
    feature_names: tuple[str, ...] | None = None
    title: str = field(default="")
    on_disk: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "class_names", as_names("class_names", self.class_names))
        for split in SPLITS:
            X, y = (as_array(f"{part}_{split}", getattr(self, f"{part}_{split}")) for part in "Xy")
            check_samples(split, X, y, n_classes=self.n_classes)
            X = as_features(split, X)
            object.__setattr__(self, f"X_{split}", X)
            object.__setattr__(self, f"y_{split}", in_plain_order(y, np.int64))
            if X.shape[1] != self.n_features:
                raise InvalidDataset(
                    f"X_{split} has {X.shape[1]} features but X_train has {self.n_features}."
                )
        missing = sorted(set(range(self.n_classes)) - set(np.unique(self.y_train).tolist()))
        if missing:
            shown = ", ".join(f"{c} ('{self.class_names[c]}')" for c in missing[:5])
            raise InvalidDataset(
                f"No training sample has class {shown}; every class needs at least one. "
                f"Drop the class, or, if no sample has such a label, {RENUMBER}"
            )
        if self.feature_names is not None:
            names = as_names("feature_names", self.feature_names)
            object.__setattr__(self, "feature_names", names)
            if len(names) != self.n_features:
                raise InvalidDataset(
                    f"feature_names has {len(names)} names, but there are "
                    f"{self.n_features} features. Give one name per feature, or none at all."
                )
        if self.images is not None:
            check_images(self.images)
            for split in SPLITS:
                if len(getattr(self.images, split)) != len(self.split(split)[0]):
                    raise InvalidDataset(f"images.{split} and X_{split} differ in length.")

    @property
    def n_train(self) -> int:
        return len(self.X_train)

    @property
    def n_features(self) -> int:
        return self.X_train.shape[1]

    @property
    def n_classes(self) -> int:
        return len(self.class_names)

    @property
    def size(self) -> int:
        """n·d·K, the multiplications of one pass over train: what an attack's step scales with."""
        return self.n_train * self.n_features * self.n_classes

    @property
    def pixel_shape(self) -> tuple[int, ...] | None:
        """Return height, width (and colours) where the features are the pixels of the samples'
        pictures, so far as their number says."""
        if self.images is None:
            return None
        shape = tuple(self.images.train[0].shape)
        return shape if np.prod(shape) == self.n_features else None

    def split(self, name: str) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return features and labels of 'train', 'test' or 'holdout'."""
        check_choice("split", name, SPLITS)
        return getattr(self, f"X_{name}"), getattr(self, f"y_{name}")

    @cached_property
    def content_hash(self) -> str:
        """Return the SHA-256 of features and labels of every split (images enter no number)."""
        return hash_of_arrays((split, array) for split in SPLITS for array in self.split(split))


def check_images(images: object) -> None:
    """Check what a data set is given as its images. Raises InvalidDataset."""
    if not isinstance(images, Images):
        raise InvalidDataset(f"images must be an Images or None. Got {type(images).__name__}.")


def as_names(name: str, values: object) -> tuple[str, ...]:
    """`values` as a tuple of names. Raises InvalidDataset."""
    try:
        return tuple(values)  # type: ignore[arg-type]  # the failure is the check
    except TypeError:
        raise InvalidDataset(f"{name} must be a sequence of names. Got {values!r:.80}.") from None


def as_array(name: str, values: ArrayLike) -> NDArray:
    """`values` as an array, as `array_of`; a memory map stays one. Raises InvalidDataset."""
    if isinstance(values, np.memmap):
        return values
    try:
        return array_of(values)
    except (ValueError, TypeError, RuntimeError) as error:  # ragged lists, tensors with gradients
        raise InvalidDataset(
            f"{name} cannot be made an array of numbers: {error}. Convert it with "
            "numpy.asarray(values, dtype=float)."
        ) from None


def in_plain_order(array: NDArray, dtype: type) -> NDArray:
    """Return the array with that type, the machine's byte order and a layout that torch takes; the
    same array where it has them."""
    item = array.dtype.itemsize
    if array.dtype == dtype and all(step >= 0 and step % item == 0 for step in array.strides):
        return array
    return np.array(array, dtype, order="C")


def as_features(split: str, X: NDArray) -> NDArray[np.float32]:
    """X (n, d) as float32 in the machine's byte order and a layout that torch takes; itself where
    it is that already. Raises InvalidDataset for a value beyond float32."""
    with np.errstate(over="ignore"):
        narrow = in_plain_order(X, np.float32)
    if narrow is X:
        return X
    count, (row, column) = unfinite(narrow)
    if count:
        raise InvalidDataset(
            f"X_{split} holds {count} values that float32 cannot hold, the first in row {row}, "
            f"column {column} ({X[row, column]:g}). Standardise the features, or correct the value."
        )
    return narrow


def hash_of_arrays(named: Iterable[tuple[str, NDArray]]) -> str:
    """Return the SHA-256 of arrays with their names, types and shapes."""
    digest = hashlib.sha256()
    for name, array in named:
        digest.update(f"{name}{array.dtype}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).view(np.uint8).data)  # no copy: it may be large
    return digest.hexdigest()


def unfinite(X: NDArray) -> tuple[int, tuple[int, int]]:
    """Return how many values of X (n, d) are NaN or infinite, and the place of the first; a few
    rows at a time, since X may be larger than memory."""
    count, first = 0, (0, 0)
    for start in range(0, len(X), ROWS_AT_ONCE):
        wrong = np.argwhere(~np.isfinite(X[start : start + ROWS_AT_ONCE]))
        if len(wrong) and not count:
            first = (start + int(wrong[0, 0]), int(wrong[0, 1]))
        count += len(wrong)
    return count, first


def check_samples(split: str, X: ArrayLike, y: ArrayLike, n_classes: int | None = None) -> None:
    """Raise InvalidDataset unless X is a finite (samples, d) array and y its labels 0…K−1."""
    X, y = as_array(f"X_{split}", X), as_array(f"y_{split}", y)
    if X.dtype == object or y.dtype == object:
        raise InvalidDataset(
            f"The {split} split holds Python objects; features must be numbers, labels integers. "
            "Convert them with numpy.asarray(values, dtype=float) and dtype=int."
        )
    if X.ndim != 2 or 0 in X.shape:
        raise InvalidDataset(
            f"X_{split} must have shape (samples, features), both at least 1. Got {X.shape}."
        )
    if X.dtype.kind not in "fiub":
        raise InvalidDataset(f"X_{split} must hold real numbers. Got dtype {X.dtype}.")
    if y.shape != (len(X),):
        raise InvalidDataset(
            f"y_{split} must have one label per sample, shape ({len(X)},). Got {y.shape}."
        )
    if y.dtype.kind not in "iub":
        raise InvalidDataset(f"y_{split} must hold integer labels. Got dtype {y.dtype}: {RENUMBER}")
    count, (row, column) = unfinite(X)
    if count:
        raise InvalidDataset(
            f"X_{split} holds {count} values that are NaN or infinite, the first in row {row}, "
            f"column {column} ({X[row, column]}). Remove or impute them."
        )
    if y.min() < 0:
        raise InvalidDataset(f"y_{split} holds label {y.min()}, which is negative: {RENUMBER}")
    if n_classes is not None:
        check_labels(split, y, n_classes)


def check_labels(split: str, y: NDArray, n_classes: int) -> None:
    """Raise InvalidDataset unless the labels are those of so many classes, two or more."""
    if n_classes < 2:
        raise InvalidDataset(
            f"There must be at least two classes. Got {n_classes}. Add samples of another class."
        )
    if y.max() >= n_classes:
        raise InvalidDataset(
            f"y_{split} holds label {y.max()}, but class_names has {n_classes} names, "
            f"0…{n_classes - 1}. Add the missing names, or renumber the labels."
        )
