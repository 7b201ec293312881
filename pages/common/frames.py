"""Rows of tables, read one by one. pandas' type stubs know a column's type in no row of it."""

from collections.abc import Iterator
from typing import Any

import pandas as pd

from pages.common.keeping import shelf


def named_rows(table: pd.DataFrame) -> Iterator[Any]:  # the fields are the table's columns
    """Yield the rows of `table` as named tuples with a field per column."""
    yield from table.itertuples(index=False)


def row_of(table: pd.DataFrame, label: object) -> pd.Series:
    """Return the row of `table` that has this label in the index. Raises LookupError unless there
    is exactly one."""
    rows = table[table.index == label]
    if len(rows) != 1:
        raise LookupError(f"{len(rows)} rows of the table have the label {label!r}: one is needed")
    return rows.iloc[0]


@shelf.kept
def distinct(table: pd.DataFrame, name: str) -> list[Any]:  # of the column's own type
    """Return the different values of a column in ascending order, as Python's own numbers or
    text."""
    return sorted(table[name].unique().tolist())
