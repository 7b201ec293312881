"""A data set for the fairness pipeline: train, validation and test, with the group of every row."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from engine.checks import check_choice
from engine.data.dataset import as_array, as_names, hash_of_arrays
from engine.errors import InvalidDataset

SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class Strength:
    """How hard the pipeline pulls: beta, the share of the gap it is to remove, and gamma, the share
    of the possible gain in validation loss it is to realise (Eq. 7)."""

    beta: float
    gamma: float


@dataclass(frozen=True, eq=False)
class FairnessDataset:
    """Standardised float64 features (rows, d), labels and groups 0 or 1; label 1 is the favourable
    outcome, group 1 the one whose rate of it comes first in the gap.

    `group_names` and `label_names` are those of 0 and 1; l2 weighs ‖θ‖²/2 beside the *summed*
    log-loss; dp and eop are the strengths for either gap. `notes` say what was done to the rows.
    Raises InvalidDataset when a split lacks a group, a label, or a favourable label in a group.
    """

    name: str
    title: str
    X_train: NDArray[np.float64]
    y_train: NDArray[np.int64]
    group_train: NDArray[np.int64]
    X_val: NDArray[np.float64]
    y_val: NDArray[np.int64]
    group_val: NDArray[np.int64]
    X_test: NDArray[np.float64]
    y_test: NDArray[np.int64]
    group_test: NDArray[np.int64]
    feature_names: tuple[str, ...]
    label_names: tuple[str, str]
    group_names: tuple[str, str]
    l2: float
    dp: Strength
    eop: Strength
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("label_names", "group_names", "feature_names"):
            object.__setattr__(self, name, as_names(name, getattr(self, name)))
        for name in ("label_names", "group_names"):
            if len(getattr(self, name)) != 2:
                raise InvalidDataset(f"{name} must be two names. Got {getattr(self, name)!r:.80}.")
        for split in SPLITS:
            for part, kind in (("X", np.float64), ("y", np.int64), ("group", np.int64)):
                name = f"{part}_{split}"
                values = as_array(name, getattr(self, name))
                if values.dtype.kind not in "fiub":
                    raise InvalidDataset(f"{name} must hold real numbers. Got {values.dtype}.")
                object.__setattr__(self, name, np.asarray(values, dtype=kind))
            X, y, group = self.split(split)
            if X.ndim != 2 or not (y.shape == group.shape == (len(X),)) or 0 in X.shape:
                raise InvalidDataset(f"The arrays of the {split} split do not fit together.")
            if not np.isfinite(X).all():
                raise InvalidDataset(
                    f"X_{split} holds values that are NaN or infinite once standardised. A value "
                    "may lie too far outside its column's range on train: correct or drop it."
                )
            for values, names, what in (
                (group, self.group_names, "group"),
                (y, self.label_names, "label"),
                (group[y == 1], self.group_names, f"{self.label_names[1]} in group"),
            ):
                for value in (0, 1):
                    if not (values == value).any():
                        raise InvalidDataset(
                            f"The {split} split has no row with {what} '{names[value]}'; the gap "
                            "between the groups cannot be measured on it. Add such rows."
                        )

    @property
    def n_train(self) -> int:
        return len(self.X_train)

    @property
    def n_features(self) -> int:
        return self.X_train.shape[1]

    def split(self, name: str) -> tuple[NDArray, NDArray, NDArray]:
        """Return features, labels and groups of 'train', 'val' or 'test'."""
        check_choice("split", name, SPLITS)
        return tuple(getattr(self, f"{part}_{name}") for part in ("X", "y", "group"))

    @cached_property
    def content_hash(self) -> str:
        """Return the SHA-256 of every array, of the pipeline's settings that come with the data,
        and of the names that a result carries."""
        settings = np.array([self.l2, *vars(self.dp).values(), *vars(self.eop).values()])
        arrays = [(f"{s}{i}", a) for s in SPLITS for i, a in enumerate(self.split(s))]
        names = np.array([*self.label_names, *self.group_names, *self.feature_names])
        return hash_of_arrays([*arrays, ("settings", settings), ("names", names)])
