"""Tables as text: CSV with any usual separator, and ARFF; looked over before they are read."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from engine.data.tables.options import TableOptions
from engine.data.tables.raw import RawTable, check_cells, named, places_kept
from engine.data.untrusted import limits
from engine.data.untrusted.beginnings import check_text_beginning
from engine.data.untrusted.limits import MB
from engine.errors import shorten

BLOCK = MB
LOOKED_AT = 50  # lines from which the separator is told
COMMA, BLANK = ",", " "
SEPARATORS = {COMMA: "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
QUOTE, OTHER_QUOTE = '"', "'"
ATTRIBUTE = re.compile(
    r"\s*@attribute\s+('(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|\S+)\s+(.*)", re.IGNORECASE
)


@dataclass(frozen=True)
class Layout:
    """How a text holds its table. skipped: lines before the first row of values."""

    names: list[str]
    separator: str = COMMA
    skipped: tuple[int, ...] | int = 1
    quote: str = QUOTE
    declared: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()


def read_csv(path: Path, options: TableOptions) -> RawTable:
    """Read a table of text, one row a line. Raises ValueError, InvalidInput, pandas' errors."""
    lines = check_text(path)
    return read_layout(path, layout_of_csv(path, options), lines - int(options.header), options)


def read_arff(path: Path, options: TableOptions) -> RawTable:
    """Read a table in Weka's format: nominal attributes are categories. Raises the same."""
    lines = check_text(path)
    layout = layout_of_arff(path)
    return read_layout(path, layout, lines - len(np.atleast_1d(layout.skipped)), options)


def read_layout(path: Path, layout: Layout, rows: int, options: TableOptions) -> RawTable:
    names, texts = layout.names, layout.declared.union(options.text)
    kept = places_kept(names, options.drop)
    check_cells(rows, len(kept))
    header = layout.skipped if isinstance(layout.skipped, int) else 0
    frame = pd.read_csv(
        path,
        sep=r"\s+" if layout.separator == BLANK else layout.separator,
        header=0 if header else None,
        skiprows=None if header or not layout.skipped else list(layout.skipped),  # type: ignore[arg-type]
        names=range(len(names)),
        dtype={place: str for place, name in enumerate(names) if name in texts},
        quotechar=layout.quote,
        escapechar="\\" if layout.quote == OTHER_QUOTE else None,
        skipinitialspace=True,
        skip_blank_lines=layout.separator == BLANK,
        encoding="utf-8-sig",
        low_memory=False,
        keep_default_na=False,  # what is missing is decided once, for every format
        na_values=[""],
    )
    frame = frame.iloc[:, kept].set_axis([names[place] for place in kept], axis=1)
    for name in frame.columns:
        if pd.api.types.is_string_dtype(frame[name]):
            column = frame[name].str.strip().astype(object)
            frame[name] = column.where(column.notna() & (column != ""), None)
    return RawTable(frame, layout.declared.intersection(frame.columns), layout.notes)


def layout_of_csv(path: Path, options: TableOptions) -> Layout:
    """Tell separator and names from the first lines. Raises ValueError, csv.Error."""
    lines = first_lines(path)
    separator = separator_of(lines)
    rows = fields_of(lines, separator)
    first = next(rows, [])
    if not options.header:
        width = max(len(first), *(len(row) for row in rows), 0)
        names = [f"c{place}" for place in range(1, width + 1)]
        notes = [f"Without a header: the columns are called {names[0]} to {names[-1]}."]
    else:
        if not any(first):
            raise ValueError("its first line is no header with the names of the columns")
        second = next(rows, [])
        if len(second) > len(first):  # pandas would take the first column for an index
            raise ValueError(
                f"its first row has {len(second)} fields, its header {len(first)}: give every "
                "column a name"
            )
        if all(name.startswith(OTHER_QUOTE) and name.endswith(OTHER_QUOTE) for name in first):
            first = [name.strip(OTHER_QUOTE) for name in first]
        names = [named(name, place) for place, name in enumerate(first)]
        notes = suspect(first)
    if separator != COMMA:
        notes.append(f"Columns are separated by {SEPARATORS.get(separator, 'blanks')}.")
    return Layout(names, separator, int(options.header), notes=tuple(notes))


def suspect(names: list[str]) -> list[str]:
    """Return what to say of a header that may be the first row."""
    numbers = [name for name in names if is_number(name)]
    if 2 * len(numbers) <= len(names):
        return []
    return [
        f"Its first line, {shorten(', '.join(names))}, holds numbers: is it a row and no header? "
        "Then read it without header (header=False, --no-header)."
    ]


def is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def first_lines(path: Path) -> str:
    """Return the beginning of a text, whole lines where there are any."""
    with path.open("rb") as file:
        return file.read(limits.LINE_MB * MB).decode("utf-8-sig", "ignore")


def fields_of(lines: str, separator: str) -> Iterator[list[str]]:
    """Yield rows of stripped fields."""
    text = io.StringIO(lines, newline=None)
    for row in csv.reader(text, delimiter=separator, skipinitialspace=True):
        yield [field.strip() for field in row]


def separator_of(lines: str) -> str:
    """Return the separator that gives the same number of fields in every one of the first lines,
    the most of them; blanks where no other does; a comma where none does."""
    start = "\n".join(line.strip(" ") for line in lines.splitlines()[:LOOKED_AT])

    def width(separator: str) -> int:
        try:
            found = {len(row) for row in fields_of(start, separator) if any(row)}
        except csv.Error:  # all of a long line is no field
            return 0
        return found.pop() if len(found) == 1 else 0

    best = max(SEPARATORS, key=width)  # the first of several
    if width(best) > 1:
        return best
    rows = [row for row in fields_of(start, COMMA) if any(row)]
    commas = bool(rows) and len(rows[0]) > 1
    return BLANK if width(BLANK) > 1 and not commas else told_by_header(rows)


def told_by_header(rows: list[list[str]]) -> str:
    """Return a comma, or what separates a header that holds none."""
    if rows and len(rows[0]) == 1:
        return next((mark for mark in SEPARATORS if mark in rows[0][0]), COMMA)
    return COMMA


def layout_of_arff(path: Path) -> Layout:
    """Return the attributes of an ARFF file. Raises ValueError."""
    names: list[str] = []
    declared, comments, row = set(), [], ""
    with path.open(encoding="utf-8-sig", newline=None) as file:
        data = False
        for number, line in enumerate(file):
            text = line.strip()
            if data and text and not text.startswith("%"):
                row = row or text
                continue
            if data and text:
                comments.append(number)
                continue
            if data:
                continue
            comments.append(number)
            if found := ATTRIBUTE.match(text):
                names.append(re.sub(r"\\(.)", r"\1", found[1].strip("'\"")).strip())
                if found[2].startswith("{"):
                    declared.add(names[-1])
                elif found[2].lower().startswith("relational"):
                    raise ValueError(f"its attribute {names[-1]!r} is relational: save it as CSV")
            data = text.lower().startswith("@data")
    if not names or not data:
        raise ValueError("it has no @attribute lines followed by @data")
    if row.startswith("{"):
        raise ValueError("its rows are sparse: save it as CSV")
    quote = OTHER_QUOTE if OTHER_QUOTE in row and QUOTE not in row else QUOTE
    return Layout(names, COMMA, tuple(comments), quote, frozenset(declared))


def check_text(path: Path) -> int:
    """Check a text in UTF-8, and return its number of lines. Raises ValueError for another
    encoding, for zero bytes and for a line that is too long."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    check_text_beginning(path)
    lines, returns, length, last = 0, 0, 0, b""
    with path.open("rb") as file:
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
