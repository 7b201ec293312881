"""Tables of cells and of records: Excel (.xlsx) and JSON lines."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from engine.data.tables.delimited import check_text
from engine.data.tables.options import TableOptions
from engine.data.tables.raw import RawTable, check_cells, from_columns, named, places_kept
from engine.data.untrusted import limits
from engine.data.untrusted.archives import open_zip
from engine.data.untrusted.beginnings import check_beginning
from engine.errors import shorten

Cell = object  # a text, a number, a flag, a date or None
SCALARS = (str, int, float, bool, type(None))


def read_excel(path: Path, options: TableOptions) -> RawTable:
    """Read the first sheet of a workbook that holds anything: the stored values of its cells.
    Raises ValueError, InvalidInput, whatever openpyxl raises on a damaged file."""
    import openpyxl

    check_beginning(path)
    with open_zip(path, limits.TABLE_MB):  # what it unpacks to, before a sheet is
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    try:
        filled = []
        for sheet in book.worksheets:
            sheet.reset_dimensions()  # what a file says of its size need not be true
            if rows := list(bounded(sheet.iter_rows(values_only=True))):
                filled.append(sheet.title)
                if len(filled) == 1:
                    table = rows
    finally:
        book.close()
    if not filled:
        raise ValueError("none of its sheets holds a cell")
    notes = []
    if len(filled) > 1:
        rest = ", ".join(shorten(title) for title in filled[1:])
        notes.append(f"Read is the sheet {shorten(filled[0])}; not read: {rest}.")
    return from_rows(table, options, notes)


def bounded(rows: Iterable[tuple[Cell, ...]]) -> Iterator[tuple[Cell, ...]]:
    """Yield rows without empty cells at their end and without empty rows before and behind, as long
    as they are within the limits. Raises ValueError."""
    width, empty, begun = 0, 0, False
    for number, row in enumerate(rows):
        length = max((i + 1 for i, cell in enumerate(row) if cell not in (None, "")), default=0)
        width = max(width, length)
        check_cells(max(number, 1), max(width, 1))
        if not length:
            empty += begun
            continue
        yield from [()] * empty
        begun, empty = True, 0
        yield row[:length]


def from_rows(rows: list[tuple[Cell, ...]], options: TableOptions, notes: list[str]) -> RawTable:
    """Make a table of the rows; the first may be the header."""
    width = max(map(len, rows))
    full = [(*row, *[None] * (width - len(row))) for row in rows]
    if options.header:
        names, full = [named(cell, place) for place, cell in enumerate(full[0])], full[1:]
    else:
        names = [f"c{place}" for place in range(1, width + 1)]
        notes = [*notes, f"Without a header: the columns are called {names[0]} to {names[-1]}."]
    kept = places_kept(names, options.drop)
    check_cells(len(full), len(kept))
    columns = {names[place]: [row[place] for row in full] for place in kept}
    return RawTable(from_columns(columns), notes=tuple(notes))


def read_json_lines(path: Path, options: TableOptions) -> RawTable:
    """Read a table of one JSON object a line; a name that a line lacks is a missing value. Raises
    ValueError, InvalidInput."""
    lines = check_text(path)
    if lines > limits.ROWS + 1:
        check_cells(lines, 1)
    columns: dict[str, list[Cell]] = {}
    rows = 0
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            record = json.loads(line)
            if not isinstance(record, dict):
                raise ValueError(f"line {number} is no object with names, but {shorten(record)}")
            if len({name.strip() for name in record}) < len(record):
                raise ValueError(f"line {number} holds a name twice: {shorten(line.strip())}")
            for name, value in record.items():
                if not isinstance(value, SCALARS):
                    raise ValueError(
                        f"line {number} holds {shorten(value)} under {shorten(name)}, and numbers, "
                        "flags or texts are needed: flatten it or leave it out"
                    )
                columns.setdefault(name.strip(), [None] * rows).append(value)
            rows += 1
            check_cells(rows, max(len(columns), 1))
            if len(record) < len(columns):
                for cells in columns.values():
                    cells.extend([None] * (rows - len(cells)))
    names = list(columns)
    kept = places_kept(names, options.drop)
    check_cells(rows, len(kept))
    return RawTable(from_columns({names[place]: columns[names[place]] for place in kept}))
