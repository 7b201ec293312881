"""What a file of one's own would become, before it is accepted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from engine.data.tables.account import TableAccount, count
from engine.errors import shorten

FileKind = Literal["features", "table", "images"]
LISTED = 100  # problems that are listed one by one; all are counted


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong in one place, and why that row or file is left out."""

    where: str  # 'row 17', 'X_train, row 3', 'cat/7.png'
    fault: str
    column: str = ""
    value: str = ""

    def __str__(self) -> str:
        column = f", column {shorten(self.column)}" if self.column else ""
        value = f", value {shorten(self.value)}" if self.value else ""
        return f"{self.where}{column}{value}: {self.fault}"


@dataclass(frozen=True, eq=False)
class Preview:
    """The data set that would come of a file. classes: class, train and test (samples). dropped:
    rows or files that are left out, for the first problems of which there are words."""

    file: str
    kind: FileKind
    classes: pd.DataFrame
    n_features: int | None  # None for images: their backbone says
    problems: tuple[Problem, ...] = ()
    n_problems: int = 0
    dropped: int = 0
    notes: tuple[str, ...] = ()
    first_rows: pd.DataFrame | None = None
    pictures: tuple[tuple[str, NDArray[np.uint8]], ...] = ()  # one of a class, with its name
    account: TableAccount | None = None  # of a table

    @property
    def headline(self) -> str:
        """Return the size of the data set in a sentence."""
        unit = "file" if self.kind == "images" else "row"
        n = self.n_train + self.n_test
        of = "" if self.n_features is None else f", {count(self.n_features, 'feature')}"
        left = (
            f" {count(self.dropped, unit)} left out." if self.dropped else " Nothing is left out."
        )
        return (
            f"{count(n, 'sample')}: {self.n_train:,} to train and {self.n_test:,} to test{of}, "
            f"{count(len(self.classes), 'class', 'classes')}.{left}"
        )

    @property
    def balance(self) -> str:
        """Return the largest and the smallest class."""
        sizes = (self.classes["train"] + self.classes["test"]).to_numpy()
        names = self.classes["class"].to_numpy()
        most, least = int(sizes.argmax()), int(sizes.argmin())
        if sizes[most] == sizes[least]:
            return f"Every class has {count(int(sizes[most]), 'sample')}."
        return (
            f"From {shorten(names[least])} with {count(int(sizes[least]), 'sample')} to "
            f"{shorten(names[most])} with {int(sizes[most]):,}."
        )

    @property
    def n_train(self) -> int:
        return int(self.classes["train"].sum())

    @property
    def n_test(self) -> int:
        return int(self.classes["test"].sum())


def count_classes(names: tuple[str, ...], y_train: NDArray, y_test: NDArray) -> pd.DataFrame:
    """Return samples of every class in train and test."""
    return pd.DataFrame(
        {
            "class": names,
            "train": np.bincount(y_train, minlength=len(names)),
            "test": np.bincount(y_test, minlength=len(names)),
        }
    )
