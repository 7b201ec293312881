"""Read a table, whatever its format: the one door for previews, data sets, fairness and pages."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path, PurePosixPath

import pandas as pd

from engine.data.tables import packed
from engine.data.tables.delimited import check_text, layout_of_csv, read_arff, read_csv
from engine.data.tables.options import TableOptions
from engine.data.tables.raw import RawTable, from_frame
from engine.data.tables.records import read_excel, read_json_lines
from engine.data.untrusted import limits
from engine.data.untrusted.limits import MB, size
from engine.errors import EngineError, InvalidDataset

Reader = Callable[[Path, TableOptions], RawTable]


def read_arrow(path: Path, options: TableOptions) -> RawTable:
    """Read a Parquet or a Feather table. Raises ValueError, InvalidInput, Arrow's errors."""
    from engine.data.tables import arrow  # here: pyarrow takes its time to import

    read = arrow.read_parquet if path.suffix.lower() == ".parquet" else arrow.read_feather
    return read(path, options)


AS_CSV = "Save it as CSV, UTF-8, with one row per line."
AGAIN = "Write it again, for example with pandas' "
READERS: dict[str, tuple[Reader, str, str]] = {  # by suffix: reader, what it is, what to do
    ".csv": (read_csv, "a CSV table with a header", AS_CSV),
    ".tsv": (read_csv, "a table with tabs and a header", AS_CSV),
    ".parquet": (read_arrow, "a Parquet table", f"{AGAIN}to_parquet."),
    ".feather": (read_arrow, "a Feather table", f"{AGAIN}to_feather."),
    ".xlsx": (read_excel, "an Excel workbook (.xlsx)", AS_CSV),
    ".arff": (read_arff, "an ARFF table", AS_CSV),
    ".jsonl": (read_json_lines, "a table in JSON lines", f"{AGAIN}to_json(lines=True)."),
}
SUFFIXES = (*READERS,)
FORMATS = ".csv, .tsv, .parquet, .feather, .xlsx, .arff, .jsonl; also packed: .gz, .bz2, .xz, .zip"


def suffix_of(name: str) -> str:
    """Return the ending of a table, packed or not: '.csv', '.csv.gz'; '' where the name has
    none."""
    inner = PurePosixPath(packed.inner_name(name))
    return name[len(inner.stem) :].lower() if inner.suffix.lower() in READERS else ""


def stem_of(source: Path | pd.DataFrame) -> str:
    """Return a table's name without its ending."""
    if isinstance(source, pd.DataFrame):
        return "table"
    return source.name[: -len(suffix_of(source.name))] if suffix_of(source.name) else source.stem


def is_table(path: Path) -> bool:
    """Return whether a file is a table by its name, or a zip archive of one table."""
    zipped = path.suffix.lower() == packed.ZIP and path.is_file()
    return bool(suffix_of(path.name)) or (zipped and packed.holds_one_table(path, is_plain))


def is_plain(name: str) -> bool:
    """Return whether a file is a table that is not packed."""
    return PurePosixPath(name).suffix.lower() in READERS


def read_table(source: Path | pd.DataFrame, options: TableOptions | None = None) -> RawTable:
    """Read a table from a file or from memory. Raises InvalidInput, InvalidDataset."""
    options = options or TableOptions()
    if isinstance(source, pd.DataFrame):
        try:
            return from_frame(source, options)
        except EngineError:
            raise
        except Exception as error:  # cells can be anything
            raise InvalidDataset(f"The table cannot be used: {fault(error)}.") from error
    kind, remedy = "a table", f"The formats that are read: {FORMATS}."
    try:
        number = source.stat().st_size
        if number > limits.TABLE_MB * MB:
            raise ValueError(f"it has {size(number)}; a table may have {limits.TABLE_MB} MB")
        with packed.unpacked(source, is_plain) as path:
            reader, kind, remedy = READERS[path.suffix.lower()]
            return reader(path, options)
    except EngineError:
        raise
    except Exception as error:  # the readers raise anything on what is no table
        message = f"'{source.name}' cannot be read as {kind} ({fault(error)}). {remedy}"
        raise InvalidDataset(message) from error


def columns_of(path: Path, header: bool = True) -> list[str]:
    """Return the names of a file's columns; a name that stands there twice is returned twice.
    Raises InvalidDataset."""
    options = TableOptions(header=header)
    if not suffix_of(path.name).startswith((".csv", ".tsv")):
        return list(read_table(path, options).frame.columns)
    try:
        with packed.unpacked(path, is_plain) as table:
            check_text(table)
            return layout_of_csv(table, options).names
    except Exception as error:
        raise InvalidDataset(
            f"'{path.name}' cannot be read as a table ({fault(error)}). {AS_CSV}"
        ) from error


def fault(error: Exception) -> str:
    """Return what an exception says, in a few words."""
    return str(error).strip()[:300] or type(error).__name__
