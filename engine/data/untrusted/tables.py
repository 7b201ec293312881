"""Tables from anywhere, CSV or Parquet: looked over before they are read, which bounds memory."""

import codecs
import csv
import io
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from engine.data.untrusted import limits
from engine.data.untrusted.limits import MB, size
from engine.errors import InvalidDataset, shorten

CSV, PARQUET = ".csv", ".parquet"
SUFFIXES = (CSV, PARQUET)
MISSING = ("", "?", "NA", "N/A", "NaN", "nan", "null")  # what is read as no value
BLOCK = MB
KINDS = {  # what a file of that ending must be, and what to do where it is not
    CSV: ("a CSV table with a header", "Save it as CSV, UTF-8, with one row per line."),
    PARQUET: ("a Parquet table", "Write it again, for example with pandas' to_parquet."),
}
OTHER_CODES = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def read_table(path: Path) -> pd.DataFrame:
    """The table with its rows as they are counted in the file; empty rows stay. Raises
    InvalidDataset."""
    if path.suffix.lower() == PARQUET:
        return read_parquet(path)
    return read_csv(path, skip_blank_lines=False)


def read_csv(path: Path, **options: Any) -> pd.DataFrame:
    """A CSV table with a header, blanks around names and values removed; options are pandas'.
    Raises InvalidDataset."""
    check_file_size(path, limits.TABLE_MB)
    try:
        lines = check_text(path)
        names = header(path)
        check_columns(names)
        check_cells(lines - 1, len(names))
        table = pd.read_csv(
            path,
            skipinitialspace=True,
            encoding="utf-8-sig",
            low_memory=False,
            keep_default_na=False,  # a category may be called None
            na_values=MISSING,
            **options,
        )
    except InvalidDataset:
        raise
    except Exception as error:  # the reader raises anything on what is no table
        raise unreadable(path, error) from error
    table.columns = [str(name).strip() for name in table.columns]
    for name in table.columns:
        if pd.api.types.is_string_dtype(table[name]):
            table[name] = table[name].str.strip()
    return table


def as_text(value: object) -> str:
    """1 and 1.0 are one value: a column of integers with a gap in it is read as floats."""
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value).strip()


def check_file_size(path: Path, most_mb: int) -> None:
    number = path.stat().st_size
    if number > most_mb * MB:
        raise InvalidDataset(
            f"'{path.name}' has {size(number)}; a table may have {most_mb} MB. Take fewer rows."
        )


def check_text(path: Path) -> int:
    """The number of lines of a text in UTF-8. Raises ValueError for another encoding, for zero
    bytes and for a line that is too long."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    lines, returns, length, last = 0, 0, 0, b""
    with path.open("rb") as file:
        start = file.read(4)
        if not start:
            raise ValueError("it is empty: 0 bytes")
        if start.startswith(OTHER_CODES):
            raise ValueError("its encoding is UTF-16, not UTF-8")
        if start == b"PAR1":
            raise ValueError("it is a Parquet file: give it the ending .parquet")
        file.seek(0)
        while block := file.read(BLOCK):
            if (zero := block.find(b"\0")) >= 0:
                line = lines + block.count(b"\n", 0, zero) + 1
                raise ValueError(f"line {line} holds the character NUL (\\0), which is no text")
            try:
                decoder.decode(block)
            except UnicodeDecodeError as error:
                line = lines + block.count(b"\n", 0, error.start) + 1
                byte = error.object[error.start]
                raise ValueError(
                    f"the byte 0x{byte:02x} in line {line} is not UTF-8; the encoding may be "
                    "Latin-1 or Windows-1252"
                ) from None
            parts = block.split(b"\n")
            longest = max(length + len(parts[0]), *(len(part) for part in parts))
            if longest > limits.LINE_MB * MB:
                line = lines + 1 if length else lines + [len(p) for p in parts].index(longest) + 1
                raise ValueError(f"line {line} is longer than the {limits.LINE_MB} MB of a line")
            length = len(parts[-1]) + (length if len(parts) == 1 else 0)
            lines += len(parts) - 1
            returns += block.count(b"\r")  # some systems end lines with these alone
            last = block
    if decoder.getstate()[0]:
        raise ValueError("its last character is cut off, so it is not UTF-8")
    return max(lines, returns) + (not last.endswith((b"\n", b"\r")))


def header(path: Path) -> list[str]:
    """The names of the columns. Raises ValueError, csv.Error."""
    with path.open("rb") as file:
        text = file.read(limits.LINE_MB * MB).decode("utf-8-sig", "ignore")
    rows = csv.reader(io.StringIO(text, newline=None))
    names = [name.strip() for name in next(rows, [])]
    if not any(names):
        raise ValueError("its first line is no header with the names of the columns")
    if len(names) == 1 and (mark := next((m for m in ";\t|" if m in names[0]), None)):
        raise ValueError(f"its columns are separated by {mark!r}, not by commas")
    first = next(rows, [])
    if len(first) > len(names):  # pandas would take the first column for an index
        raise ValueError(f"its first row has {len(first)} fields, its header {len(names)}")
    return names


def columns_of(path: Path) -> list[str]:
    """The names of a table's columns, without reading the table. Raises InvalidDataset."""
    import pyarrow.parquet as pq

    try:
        if path.suffix.lower() == CSV:
            check_text(path)
            return header(path)
        with path.open("rb") as file:
            return [name.strip() for name in pq.read_schema(file).names]
    except Exception as error:  # the readers raise anything on what is no table
        raise unreadable(path, error) from error


def unreadable(path: Path, error: Exception) -> InvalidDataset:
    fault = str(error).strip()[:300] or type(error).__name__
    kind, remedy = KINDS[path.suffix.lower()]
    return InvalidDataset(f"'{path.name}' cannot be read as {kind} ({fault}). {remedy}")


def check_columns(names: list[str]) -> None:
    """Raise ValueError where a column cannot be told from another one."""
    if len(names) > limits.COLUMNS:
        raise ValueError(
            f"it has {len(names):,} columns, and {limits.COLUMNS:,} are taken: leave some out"
        )
    seen: set[str] = set()
    for name in names:
        if name and name in seen:
            raise ValueError(
                f"it has several columns named {shorten(name)} (blanks around a name do not "
                "count): rename all but one"
            )
        seen.add(name)


def check_cells(rows: int, columns: int) -> None:
    if rows < 1:
        raise ValueError("it has a header and 0 rows")
    if rows > limits.ROWS:
        raise ValueError(f"it has {rows:,} rows, and {limits.ROWS:,} are taken: take fewer")
    if rows * columns > limits.CELLS:
        raise ValueError(
            f"it has {rows:,} rows and {columns:,} columns, and {limits.CELLS:,} cells are taken: "
            "take fewer"
        )


def read_parquet(path: Path) -> pd.DataFrame:
    """A Parquet table of numbers, flags and texts. Raises InvalidDataset."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    check_file_size(path, limits.TABLE_MB)
    try:
        with path.open("rb") as file:
            about = pq.read_metadata(file)
            schema = about.schema.to_arrow_schema()
            check_columns(list(schema.names))
            check_cells(about.num_rows, len(schema.names))
            check_unpacked(about, path.stat().st_size)
            for field in schema:
                check_type(field)
            texts = [f.name for f in schema if is_text(f.type)]
            # A text that is repeated stays one text in memory, however often.
            table = pq.ParquetFile(file, read_dictionary=texts).read(use_threads=False)
        columns = {}
        for name in table.column_names:
            column = table[name]
            if pa.types.is_boolean(column.type):
                column = column.cast(pa.int8())
            if pa.types.is_decimal(column.type):
                column = column.cast(pa.float64())
            columns[name.strip()] = column.to_pandas()
        return pd.DataFrame(columns)
    except InvalidDataset:
        raise
    except Exception as error:  # Arrow raises anything on a damaged file
        raise unreadable(path, error) from error


def is_text(kind: Any) -> bool:
    import pyarrow as pa

    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def check_type(field: Any) -> None:
    """Raise ValueError for a column that holds anything but numbers, flags or texts."""
    from pyarrow import types

    kind = field.type
    plain = (types.is_integer, types.is_floating, types.is_boolean, types.is_decimal, is_text)
    if not any(fits(kind) for fits in plain):
        raise ValueError(
            f"its column {shorten(field.name)} is of type {shorten(str(kind))}, and numbers, flags "
            "or texts are needed: convert it or leave it out"
        )


def check_unpacked(about: Any, packed: int) -> None:
    """What the columns claim to be, unpacked."""
    unpacked = sum(about.row_group(i).total_byte_size for i in range(about.num_row_groups))
    most = limits.ARRAYS_MB * MB
    if unpacked > most or (
        unpacked > limits.RATIO_FROM_MB * MB and unpacked > limits.RATIO * packed
    ):
        raise ValueError(
            f"it unpacks to {size(unpacked)}, {unpacked / packed:,.0f} times its own size; "
            f"{limits.ARRAYS_MB:,} MB and {limits.RATIO} times are taken"
        )
