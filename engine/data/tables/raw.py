"""A table as its file holds it, of whatever format: columns of numbers, dates and texts."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from engine.data.tables.options import TableOptions
from engine.data.untrusted import limits
from engine.errors import InvalidInput, shorten

NUMBERS = ("integer", "floating", "mixed-integer-float", "decimal")  # pandas' words
MOMENTS = ("datetime", "datetime64", "date")
SINGLE = (str, int, float, bool, np.generic)  # what a cell of mixed values may be
SECOND = np.timedelta64(1, "s")


@dataclass(frozen=True, eq=False)
class RawTable:
    """Rows as they are counted in the file; columns that were dropped are gone. declared: columns
    that the file itself calls categories; notes: what was decided in reading it."""

    frame: pd.DataFrame
    declared: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()


def as_text(value: object) -> str:
    """1 and 1.0 are one value: a column of integers with a gap in it is read as floats."""
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value).strip()


def places_kept(names: Sequence[str], drop: Collection[str]) -> list[int]:
    """Return the places of the columns that are not dropped. Raises ValueError where they are too
    many or one cannot be told from another one, InvalidInput where one to drop is not there."""
    if len(names) > limits.COLUMNS:
        raise ValueError(
            f"it has {len(names):,} columns, and {limits.COLUMNS:,} are taken: leave some out"
        )
    for name in drop:
        if name not in names:
            raise InvalidInput("drop", name, f"one of the columns {shorten(list(names), 300)}")
    kept = [place for place, name in enumerate(names) if name not in drop]
    seen: set[str] = set()
    for name in (names[place] for place in kept):
        if name and name in seen:
            raise ValueError(
                f"it has several columns named {shorten(name)} (blanks around a name do not "
                "count): rename all but one, or drop them"
            )
        seen.add(name)
    return kept


def check_cells(rows: int, columns: int) -> None:
    """Raise ValueError for a table without rows, or with more than are taken."""
    if rows < 1:
        raise ValueError("it has a header and 0 rows")
    if rows > limits.ROWS:
        raise ValueError(f"it has {rows:,} rows, and {limits.ROWS:,} are taken: take fewer")
    if rows * columns > limits.CELLS:
        raise ValueError(
            f"it has {rows:,} rows and {columns:,} columns, and {limits.CELLS:,} cells are taken: "
            "take fewer"
        )


def named(name: object, place: int) -> str:
    """Return a column's name; of one that has none, its place in words that pandas uses as well."""
    text = "" if name is None else as_text(name)
    return text or f"Unnamed: {place}"


def from_columns(columns: Mapping[str, Sequence[object]]) -> pd.DataFrame:
    """Lists of cells as columns of numbers, dates and texts. Raises ValueError."""
    frame = {name: plain(pd.Series(cells, dtype=object), name) for name, cells in columns.items()}
    return pd.DataFrame(frame)


def from_frame(frame: pd.DataFrame, options: TableOptions) -> RawTable:
    """Return a table that is in memory; its index is left out. Raises ValueError, InvalidInput."""
    if frame.columns.nlevels > 1:
        raise ValueError("its columns have names of several levels: join them into one")
    names = [as_text(name) for name in frame.columns]
    kept = places_kept(names, options.drop)
    check_cells(len(frame), len(kept))
    columns = {names[i]: plain(frame.iloc[:, i], names[i]).reset_index(drop=True) for i in kept}
    categories = (names[i] for i in kept if isinstance(frame.dtypes.iloc[i], pd.CategoricalDtype))
    return RawTable(pd.DataFrame(columns), frozenset(categories))


def plain(column: pd.Series, name: str) -> pd.Series:
    """Return a column of any of pandas' types as numbers, dates or texts, None or NaN where
    missing. Raises ValueError for anything else, for example lists."""
    kind = column.dtype
    if isinstance(kind, pd.SparseDtype):
        column = pd.Series(np.asarray(column), column.index, name=column.name)
    elif isinstance(kind, pd.CategoricalDtype):
        values = np.array([*kind.categories, None], dtype=object)  # a repeated text stays one text
        column = pd.Series(values[column.cat.codes], index=column.index, dtype=object)
    elif isinstance(kind, pd.PeriodDtype | pd.IntervalDtype):
        return as_texts(column.astype(object).where(column.notna(), None), column.index)
    kind = column.dtype
    if kind.kind == "c":
        raise ValueError(f"its column {shorten(name)} holds complex numbers: give them as two")
    if kind.kind == "b" and not column.isna().any():
        return column.astype(bool)
    if kind.kind == "b" and column.hasnans:
        return as_texts(column.astype(object).where(column.notna(), None), column.index)
    if pd.api.types.is_numeric_dtype(kind):
        whole = not column.isna().any() and kind.kind in "iu"
        return column.astype(np.int64 if whole and kind.kind == "i" else np.float64)
    if pd.api.types.is_datetime64_any_dtype(kind):
        return naive(column)
    if kind.kind == "m":
        elapsed: pd.Series[pd.Timedelta] = column
        return elapsed / SECOND
    return of_objects(column, name)


def of_objects(column: pd.Series, name: str) -> pd.Series:
    """Do what `plain` does for a column of Python objects or texts. Raises ValueError."""
    held = pd.api.types.infer_dtype(column, skipna=True)
    if held == "empty":
        return pd.Series(np.nan, index=column.index)
    if held == "boolean":
        return plain(column.astype("boolean"), name)
    if held in NUMBERS:
        numbers = column.astype(object).where(column.notna(), np.nan)
        whole = held == "integer" and not column.isna().any()
        return numbers.astype(np.int64 if whole and small(numbers) else np.float64)
    if held in MOMENTS:
        return naive(pd.to_datetime(column, utc=True))
    if held == "bytes":
        raise ValueError(f"its column {shorten(name)} holds binary: convert it or leave it out")
    texts = [None if gone else value for value, gone in zip(column, column.isna(), strict=True)]
    if held != "string":
        for value in texts:
            if value is not None and not isinstance(value, SINGLE) and held != "mixed-integer":
                raise ValueError(
                    f"its column {shorten(name)} holds {shorten(value)}, of type "
                    f"{type(value).__name__}, and numbers, flags or texts are needed: convert it "
                    "or leave it out"
                )
    return as_texts(texts, column.index)


def as_texts(values: Iterable[object], index: pd.Index) -> pd.Series:
    """Return texts as objects, None where missing or empty. One that is repeated stays one text in
    memory, which it would not in pandas' own type for texts."""
    texts = (None if value is None else as_text(value) for value in values)
    return pd.Series([text or None for text in texts], index, dtype=object)


def small(numbers: pd.Series) -> bool:
    """Return whether whole numbers fit into 64 bits."""
    return bool(numbers.map(lambda value: -(2**63) <= value < 2**63).all())


def naive(column: pd.Series) -> pd.Series:
    """Return dates without their time zone, in UTC."""
    return column if column.dt.tz is None else column.dt.tz_convert(None)
