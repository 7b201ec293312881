"""From a table of columns to standardised splits, as Li and Liu (2022) prepare theirs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from engine.data.preparation import standardise, varying
from engine.data.tables.account import some

Fields = dict[str, Any]  # of a `FairnessDataset`, each of the type that it declares
TEST_SHARE, VAL_SHARE = 0.2, 0.25  # of the rows, and of those that are left then


@dataclass(frozen=True, eq=False)
class LabelledRows:
    """Some rows of a table: its columns, the labels and the groups, 0 or 1."""

    table: pd.DataFrame
    label: NDArray[np.int64]
    group: NDArray[np.int64]

    def __getitem__(self, part: slice) -> LabelledRows:
        return LabelledRows(self.table.iloc[part], self.label[part], self.group[part])


def split_last(rows: LabelledRows, share: float) -> tuple[LabelledRows, LabelledRows]:
    """Return the rows without the last `share` of them, and those last ones; nothing is
    shuffled."""
    first = len(rows.label) - round(len(rows.label) * share)
    return rows[slice(None, first)], rows[slice(first, None)]


def is_categorical(column: pd.Series) -> bool:
    return not pd.api.types.is_numeric_dtype(column)


def encode(known: pd.DataFrame, *others: pd.DataFrame) -> tuple[list[NDArray], tuple[str, ...]]:
    """Return numbers as they are, a categorical column as one 0/1 column per value seen in `known`,
    or a single one where it has two. A value never seen there is 0 in all of them. Returns the
    arrays and the names of their columns."""
    columns: list[list[NDArray]] = [[] for _ in (known, *others)]
    names: list[str] = []
    for name in known.columns:
        values = sorted(known[name].unique()) if is_categorical(known[name]) else None
        if values is not None and len(values) == 2:
            values = values[1:]
        for value in [None] if values is None else values:
            for table, out in zip((known, *others), columns, strict=True):
                column = table[name] if value is None else table[name] == value
                out.append(column.to_numpy(dtype=np.float64))
            names.append(name if value is None else f"{name} = {value}")
    return [np.stack(out, axis=1) for out in columns], tuple(names)


def constant_columns(X: NDArray, names: Sequence[str]) -> list[str]:
    """Return a note on the columns that have one value in X (rows, columns), none where there are
    none."""
    same = [name for name, constant in zip(names, ~varying(X), strict=True) if constant]
    return [f"Constant on train, and of no use: {some(same)}."] if same else []


def prepare_splits(rows: LabelledRows, test: LabelledRows | None = None) -> Fields:
    """Return fields of a `FairnessDataset`: its arrays and its feature names.

    test: the last 20% of `rows` where it is not given; val: the last 25% of the rest. Values are
    those of train and val, means and deviations those of train alone.
    """
    if test is None:
        rows, test = split_last(rows, TEST_SHARE)
    (X, X_test), names = encode(rows.table, test.table)
    train, val = split_last(rows, VAL_SHARE)
    n = len(train.label)
    features = standardise(X[:n], X[n:], X_test, dtype=np.float64)
    parts: Fields = {"feature_names": names}
    for split, X_split, part in zip(
        ("train", "val", "test"), features, (train, val, test), strict=True
    ):
        parts[f"X_{split}"] = X_split
        parts[f"y_{split}"], parts[f"group_{split}"] = part.label, part.group
    return parts
