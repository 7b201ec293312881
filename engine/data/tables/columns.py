"""What a column can be used as: numbers, also those written as text, dates, or a category.

`type_column` decides for one column, `complete_rows` for a table: first every column by itself,
then the rows that have a value in all of them. A column that is left out costs no row.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from engine.data.tables.account import ColumnAccount, TableAccount, count, some
from engine.data.tables.options import TableOptions
from engine.data.tables.raw import RawTable, as_text
from engine.data.untrusted import limits
from engine.errors import InvalidDataset, InvalidInput, shorten

CLEAR_SHARE = 0.9  # of a column's values are numbers or dates: then the others are faults
FEW_TEXTS = 10  # are a category, however few rows there are
UNIQUE_SHARE = 0.5  # of the rows have a text of their own: beyond, a column names its rows
COUNTERS = ("id", "index", "idx", "row", "rowid", "row_id", "rownames", "row_names", "")
GROUPS = " ,.'’\u00a0\u202f"  # between thousands
CURRENCY = "[$€£¥₹%]?"
DATES = (
    "%Y/%m/%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y", "%d-%b-%Y", "%d %b %Y",
    "%b %d, %Y", "%d %B %Y", "%B %d, %Y",
)  # fmt: skip
MOMENTS = ("ISO8601", *(f"{form}{time}" for form in DATES for time in ("", " %H:%M", " %H:%M:%S")))
TRIED = 20  # values that decide whether a form is worth a try
SHORTEST_DATE = 8  # characters, as in 1/2/2026
DAY = np.timedelta64(1, "D")

Codes = NDArray[np.int64]


def number_pattern(decimal: str) -> re.Pattern[str]:
    """Return a pattern of numbers with this decimal mark, thousands apart, and a currency or %
    before or after."""
    groups = re.escape(GROUPS.replace(decimal, ""))
    whole = rf"(?:[1-9]\d{{0,2}}(?:[{groups}]\d{{3}})+|\d+)"
    number = rf"(?:{whole}(?:{re.escape(decimal)}\d+)?(?:[eE][-+]?\d+)?)"
    return re.compile(rf"([-+−]?)\s?{CURRENCY}\s?([-+−]?{number})\s?{CURRENCY}")


POINT, COMMA = number_pattern("."), number_pattern(",")


@dataclass(frozen=True, eq=False)
class Column:
    """A column as it can be used: float64 numbers or texts (None: missing), and the rows (n,) that
    have no value there; values is None for a column that is left out."""

    account: ColumnAccount
    values: pd.Series | None
    faults: NDArray[np.bool_]

    def left_out(self, why: str) -> Column:
        """Return the same column, marked as not to be used."""
        name = shorten(self.account.name)
        account = replace(self.account, use="left out", note=f"Left out: column {name} {why}")
        return Column(account, None, np.zeros(len(self.faults), dtype=bool))


@dataclass(frozen=True, eq=False)
class CompleteTable:
    """A table of which every row and column is accounted for. roles: the asked columns as texts;
    features: the columns in use; faults: which cells (rows, columns) cost their row; keep: the rows
    (n,) that are complete."""

    raw: pd.DataFrame
    roles: dict[str, pd.Series]
    features: pd.DataFrame
    faults: pd.DataFrame
    keep: NDArray[np.bool_]
    account: TableAccount

    def spelled(self, name: str) -> tuple[tuple[str, int], ...]:
        """Return the spellings of missing values in a column."""
        return next(c.spelled for c in self.account.columns if c.name == name)


def coded(column: pd.Series) -> tuple[Codes, list[str]]:
    """For every row the place of its value in the list of the distinct values as texts, −1 where it
    is missing. A text that is repeated is never written out for each row."""
    if column.dtype != object:
        codes, values = pd.factorize(column)
        whole = column.dtype.kind in "iu"
        return codes, values.astype(str).tolist() if whole else list(map(as_text, values))
    places: dict[object, int] = {}  # pandas would read every text again, however often it is there
    numbers = (places.setdefault(value, len(places)) for value in column[column.notna()])
    codes = np.full(len(column), -1, dtype=np.int64)
    codes[column.notna().to_numpy()] = np.fromiter(numbers, dtype=np.int64)
    return codes, [as_text(value) for value in places]


def looked_up(values: Sequence[object], codes: Codes, like: pd.Series) -> pd.Series:
    """Return the values by their codes, None for −1, in the rows of `like`."""
    table = np.array([*values, None], dtype=object)
    return pd.Series(table[codes], index=like.index, dtype=object)


def without_missing(
    column: pd.Series, spellings: frozenset[str]
) -> tuple[pd.Series, tuple[tuple[str, int], ...]]:
    """Return the column with None or NaN where it holds one of the spellings, and their rows by
    spelling. A '-' stays where '+' is a value as well."""
    if pd.api.types.is_numeric_dtype(column):
        spellings = frozenset(text for text in spellings if text.lstrip("+-.")[:1].isdigit())
    if not spellings or column.dtype.kind == "M":
        return column, ()
    codes, texts = coded(column)
    if "+" in texts:
        spellings -= {"-"}
    places = [place for place, text in enumerate(texts) if text in spellings]
    gone = np.isin(codes, places)
    if not gone.any():
        return column, ()
    found = Counter({texts[place]: int((codes == place).sum()) for place in places})
    return column.where(~gone), tuple(found.most_common())


def as_numbers(texts: list[str], rows: NDArray[np.int64]) -> tuple[NDArray[np.float64], str] | None:
    """Distinct texts as numbers, NaN for one that is none, and an example of one that Python would
    not read, '' where there is none; None where most of the rows hold something else. rows: how
    many have each text."""
    plain = pd.to_numeric(pd.Series(texts, dtype=object), errors="coerce").to_numpy(np.float64)
    if rows[~np.isnan(plain)].sum() >= CLEAR_SHARE * rows.sum():
        return plain, ""
    found = max((written(texts, mark) for mark in ".,"), key=lambda v: rows[~np.isnan(v)].sum())
    if rows[~np.isnan(found)].sum() < CLEAR_SHARE * rows.sum():
        return None
    # np.nan != np.nan: a text that is no number is no example
    example = next(i for i in np.argsort(-rows) if found[i] == found[i] and found[i] != plain[i])
    return found, f"{shorten(texts[example])} as {as_text(found[example])}"


def written(texts: list[str], decimal: str) -> NDArray[np.float64]:
    """Return texts as numbers with this decimal mark, NaN for those that are none."""
    pattern = POINT if decimal == "." else COMMA
    values = np.full(len(texts), np.nan)
    for place, text in enumerate(texts):
        if match := pattern.fullmatch(text):
            sign, number = match.groups()
            digits = "".join(c for c in number if c not in GROUPS.replace(decimal, ""))
            value = float(digits.replace(decimal, ".").replace("−", "-"))
            values[place] = -value if sign in ("-", "−") else value
    return values


def as_days(texts: list[str], rows: NDArray[np.int64]) -> NDArray[np.float64] | None:
    """Distinct texts as days since 1970, NaN for one that is no date; None where most of the rows
    hold something else, or where day and month cannot be told apart."""
    if len(max(texts, key=len)) < SHORTEST_DATE:
        return None
    series, found = pd.Series(texts, dtype=object), []
    for form in MOMENTS:
        beginning = pd.to_datetime(series[:TRIED], format=form, errors="coerce", utc=True)
        if beginning.isna().all():  # cheap, where the column holds something else
            continue
        parsed = pd.to_datetime(series, format=form, errors="coerce", utc=True)
        share = rows[parsed.notna().to_numpy()].sum() / rows.sum()
        if share >= CLEAR_SHARE:
            found.append((share, days(parsed)))
    best = [value for share, value in found if share == max(s for s, _ in found)]
    same = all(np.array_equal(best[0], other, equal_nan=True) for other in best[1:])
    return best[0] if best and same else None


def days(dates: pd.Series) -> NDArray[np.float64]:
    """Return dates as days since 1970-01-01, NaN where missing."""
    if dates.dt.tz is not None:
        dates = dates.dt.tz_convert(None)
    return ((dates.to_numpy("datetime64[us]") - np.datetime64(0, "D")) / DAY).astype(np.float64)


def type_column(raw: pd.Series, options: TableOptions, declared: bool = False) -> Column:
    """Return what one column of a table is used as; declared: the file itself says that it holds
    categories."""
    name = str(raw.name)
    column, spelled = without_missing(raw, options.spellings)
    missing = column.isna().to_numpy()
    account = ColumnAccount(name, "numbers", int(missing.sum()), spelled)
    empty = Column(account, None, missing)
    if not name or name.startswith(("Unnamed: ", "__index_level_")):
        return empty.left_out(f"has no name ({name or 'blank'}): an index that was saved with it?")
    if missing.all():
        return empty.left_out("is empty.")
    if name in options.text or declared:
        return as_category(account, column, *coded(column), chosen=name in options.text)
    if column.dtype.kind == "M":
        return numeric(replace(account, use="dates", note=of_dates(name)), column, days(column))
    if pd.api.types.is_numeric_dtype(column):
        numbers = column.to_numpy(np.float64)
        if name.casefold() in COUNTERS and counts_rows(numbers):
            return empty.left_out("counts the rows: it says nothing about them.")
        return numeric(account, column, numbers)
    codes, texts = coded(column)
    if max(map(len, texts)) > limits.TEXT_LENGTH:
        return as_category(account, column, codes, texts)
    rows = np.bincount(codes[codes >= 0], minlength=len(texts))
    if (found := as_numbers(texts, rows)) is not None:
        values, example = found
        if example:
            note = f"Column {shorten(name)} holds numbers written as text, read {example}."
            account = replace(account, note=note)
        return numeric(account, column, np.append(values, np.nan)[codes])
    if (since := as_days(texts, rows)) is not None:
        account = replace(account, use="dates", note=of_dates(name))
        return numeric(account, column, np.append(since, np.nan)[codes])
    return as_category(account, column, codes, texts)


def of_dates(name: str) -> str:
    return f"Column {shorten(name)} holds dates, read as days since 1970."


def counts_rows(numbers: NDArray[np.float64]) -> bool:
    """Return whether the values are 0, 1, 2 … or 1, 2, 3 …"""
    return numbers[0] in (0, 1) and np.array_equal(numbers, numbers[0] + np.arange(len(numbers)))


def numeric(account: ColumnAccount, column: pd.Series, values: NDArray[np.float64]) -> Column:
    faults = ~np.isfinite(values)
    account = replace(account, unreadable=int(faults.sum()) - account.missing)
    return Column(account, pd.Series(values, index=column.index), faults)


def as_category(
    account: ColumnAccount, column: pd.Series, codes: Codes, texts: list[str], chosen: bool = False
) -> Column:
    """Return the column as texts, unless they are too many, too long, or nearly one for every row
    and nobody has `chosen` it to be a category."""
    texts_column = looked_up(texts, codes, column)
    found = Column(replace(account, use="texts"), texts_column, column.isna().to_numpy())
    number, present = len(set(texts)), int((codes >= 0).sum())
    if number > limits.CATEGORIES:
        return found.left_out(
            f"has {number:,} different texts, and a category may have {limits.CATEGORIES}; it "
            "seems to be a name, a date or free text."
        )
    if (longest := max(map(len, texts))) > limits.TEXT_LENGTH:
        return found.left_out(
            f"has a text of {longest:,} characters, and a category may have {limits.TEXT_LENGTH}."
        )
    return found if chosen else unless_unique(found, number, present)


def unless_unique(column: Column, number: int, rows: int) -> Column:
    """Return a column of texts, left out where there are nearly as many texts as rows."""
    if number <= max(FEW_TEXTS, UNIQUE_SHARE * rows):
        return column
    return column.left_out(
        f"has {number:,} different texts in {count(rows, 'row')}: it names the rows, and tells "
        "nothing of others. To keep it, choose it as text."
    )


def complete_rows(
    table: RawTable, roles: Sequence[str], options: TableOptions, also: Sequence[str] = ()
) -> CompleteTable:
    """Type every column but the roles (those in `also` are features too), and find the rows that
    are complete; with `options.impute`, those that have their roles. Raises InvalidInput for a
    column that is not there, InvalidDataset where no feature is left."""
    frame = without_empty_end(table.frame)
    for name in options.text:
        if name not in frame.columns:
            known = shorten(list(frame.columns), 300)
            raise InvalidInput("text", name, f"one of the columns {known}")
    named = {name: role_column(frame[name], options) for name in roles}
    typed = {
        str(name): type_column(frame[name], options, name in table.declared)
        for name in frame.columns
        if name not in named or name in also
    }
    cells, keep = rows_kept(typed, named, options)
    features = {n: c.values for n, c in typed.items() if c.values is not None}
    columns = {n: c.account for n, c in (named | typed).items()}
    account = TableAccount(
        rows=len(frame),
        complete=int(keep.sum()),
        columns=tuple(columns.values()),
        imputed=options.impute,
        notes=(*table.notes, *equal_columns(features)),
    )
    if not features:
        raise InvalidDataset("No column is left that can be a feature. " + " ".join(account.lines))
    texts = {n: c.values for n, c in named.items() if c.values is not None}
    return CompleteTable(frame, texts, pd.DataFrame(features), cells, keep, account)


def role_column(raw: pd.Series, options: TableOptions) -> Column:
    """Return a column of labels or groups: every value as a text."""
    column, spelled = without_missing(raw, options.spellings)
    missing = column.isna().to_numpy()
    account = ColumnAccount(str(raw.name), "texts", int(missing.sum()), spelled)
    codes, texts = coded(column)
    return Column(account, looked_up(texts, codes, column), missing)


def rows_kept(
    typed: dict[str, Column], named: dict[str, Column], options: TableOptions
) -> tuple[pd.DataFrame, NDArray[np.bool_]]:
    """Return which cells (rows, columns) cost their row, and the rows (n,) that are complete.
    Columns of `typed` that name the rows which are left become columns that are left out."""
    while True:  # a column that is left out completes rows, on which another may become unique
        costly = {} if options.impute else {n: c for n, c in typed.items() if c.values is not None}
        faults = {n: c.faults for n, c in (costly | named).items()}
        cells = pd.DataFrame(faults)
        keep = ~np.any(cells.to_numpy(), axis=1)
        unique = [name for name, c in typed.items() if became_unique(c, keep, options)]
        if not unique:
            return cells, keep
        for name in unique:
            rest = typed[name].values[keep]  # type: ignore[index]  # those are in use
            typed[name] = unless_unique(typed[name], rest.nunique(), int(rest.notna().sum()))


def became_unique(column: Column, keep: NDArray[np.bool_], options: TableOptions) -> bool:
    """Return whether a category names the rows, once the incomplete ones are left out."""
    values = column.values
    if values is None or column.account.use != "texts" or column.account.name in options.text:
        return False
    rest = values[keep]
    return rest.nunique() > max(FEW_TEXTS, UNIQUE_SHARE * rest.notna().sum())


def without_empty_end(table: pd.DataFrame) -> pd.DataFrame:
    """Drop the empty lines that end many files: they are no rows."""
    filled = np.flatnonzero(table.notna().to_numpy().any(axis=1))
    return table.iloc[: filled[-1] + 1 if len(filled) else 0]


def equal_columns(features: dict[str, pd.Series]) -> list[str]:
    """Return which columns hold the same values as an earlier one."""
    first: dict[bytes, str] = {}
    twins = []
    for name, values in features.items():
        content = pd.util.hash_array(values.to_numpy()).tobytes()
        twin = first.setdefault(content, name)
        if twin != name:
            twins.append(f"{shorten(name)} is {shorten(twin)}")
    return [f"Columns that hold the same values twice: {some(twins)}. Drop one."] if twins else []


def impute(features: pd.DataFrame, train: NDArray[np.int64]) -> pd.DataFrame:
    """Fill missing values in from the rows `train`: the median of numbers, the most frequent of
    texts; 0 or '' where those have none."""
    filled = {}
    for name in features.columns:
        column = features[name]
        if pd.api.types.is_numeric_dtype(column):
            column = column.where(np.isfinite(column))
            known = column.iloc[train].dropna()
            value: float | str = float(known.median()) if len(known) else 0.0
        else:
            most = column.iloc[train].value_counts()
            value = most.index[0] if len(most) else ""
        filled[name] = column.where(column.notna(), value)
    return pd.DataFrame(filled, index=features.index)
