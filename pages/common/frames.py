"""Rows of tables, read one by one. pandas' type stubs know a column's type in no row of it."""

from collections.abc import Iterator
from typing import Any

import pandas as pd


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
