"""Parquet and Feather tables: what they claim is checked before a column is unpacked."""

from __future__ import annotations

import struct
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import types

from engine.data.tables.options import TableOptions
from engine.data.tables.raw import RawTable, check_cells, places_kept, plain
from engine.data.untrusted import limits
from engine.data.untrusted.beginnings import check_beginning
from engine.data.untrusted.limits import MB, size
from engine.errors import shorten

FEATHER_START, FEATHER_1 = b"ARROW1\0\0", b"FEA1"
BATCHES = {"record batch": (), "dictionary": (1,)}  # the way to a batch within its message
PLAIN = (
    types.is_integer,
    types.is_floating,
    types.is_boolean,
    types.is_decimal,
    types.is_timestamp,
    types.is_date,
    types.is_string,
    types.is_large_string,
    types.is_null,
)


def read_parquet(path: Path, options: TableOptions) -> RawTable:
    """Read a Parquet table. Raises ValueError, InvalidInput, Arrow's errors."""
    check_beginning(path)
    with path.open("rb") as file:
        about = pq.read_metadata(file)
        schema = about.schema.to_arrow_schema()
        kept = check_schema(schema, about.num_rows, options)
        groups = (about.row_group(i) for i in range(about.num_row_groups))
        check_unpacked(sum(group.total_byte_size for group in groups), path)
        # A text that is repeated stays one text in memory, however often.
        texts = [f.name for f in kept if types.is_string(f.type) or types.is_large_string(f.type)]
        table = pq.ParquetFile(file, read_dictionary=texts).read(use_threads=False)
    return from_arrow(table, schema, options)


def read_feather(path: Path, options: TableOptions) -> RawTable:
    """Read a Feather table (an Arrow file). Raises ValueError where it is none."""
    start = check_beginning(path)
    if start.startswith(FEATHER_1):
        raise ValueError("it is a Feather file of the first version: write it again by a newer one")
    if not start.startswith(FEATHER_START):
        raise ValueError("it does not begin as a Feather file")
    with pa.memory_map(str(path)) as file:
        # Read as a stream, so that what is checked is what is read, wherever the footer points.
        held = file.read_buffer()[len(FEATHER_START) :]
        schema = pa.ipc.read_schema(held)
        rows = check_messages(held, path)
        check_schema(schema, rows, options)
        table = pa.ipc.open_stream(held).read_all()
    return from_arrow(table, schema, options)


def check_schema(schema: pa.Schema, rows: int, options: TableOptions) -> list[pa.Field]:
    """Check the types of the columns, and return those that are kept. Raises ValueError,
    InvalidInput."""
    kept = [schema.field(i) for i in places_kept([n.strip() for n in schema.names], options.drop)]
    check_cells(rows, len(kept))
    for field in kept:
        kind = field.type.value_type if types.is_dictionary(field.type) else field.type
        if not any(fits(kind) for fits in PLAIN):
            raise ValueError(
                f"its column {shorten(field.name)} is of type {shorten(str(field.type))}, and "
                "numbers, flags, dates or texts are needed: convert it or leave it out"
            )
    return kept


def check_unpacked(unpacked: int, path: Path) -> None:
    """Check how large the columns claim to be when they are unpacked. Raises ValueError."""
    packed = path.stat().st_size
    if unpacked > limits.ARRAYS_MB * MB or (
        unpacked > limits.RATIO_FROM_MB * MB and unpacked > limits.RATIO * packed
    ):
        raise ValueError(
            f"it unpacks to {size(unpacked)}, {unpacked / packed:,.0f} times its own size; "
            f"{limits.ARRAYS_MB:,} MB and {limits.RATIO} times are taken"
        )


def from_arrow(table: pa.Table, schema: pa.Schema, options: TableOptions) -> RawTable:
    columns, names = {}, [name.strip() for name in schema.names]
    kept = places_kept(names, options.drop)
    for place in kept:
        column = table.column(place)
        if types.is_decimal(column.type):
            column = column.cast(pa.float64())
        columns[names[place]] = plain(column.to_pandas(), names[place])
    declared = (names[i] for i in kept if types.is_dictionary(schema.field(i).type))
    return RawTable(pd.DataFrame(columns), frozenset(declared))


def check_messages(held: pa.Buffer, path: Path) -> int:
    """Check that a stream's batches unpack to no more than the limit; return the number of rows.
    Raises ValueError."""
    rows = unpacked = 0
    reader = pa.ipc.MessageReader.open_stream(held)
    while (message := next_message(reader)) is not None:
        if message.type not in BATCHES:
            continue
        batch = Flat(message.metadata.to_pybytes()).table(2, *BATCHES[message.type])
        if message.type == "record batch":
            rows += batch.integer(0)
        body = memoryview(message.body)
        for start, length in batch.pairs(2):
            claimed = -1
            if batch.has(3) and length >= 8:  # compressed: its length comes first
                (claimed,) = struct.unpack_from("<q", body, start)
            unpacked += length if claimed < 0 else claimed
        check_unpacked(unpacked, path)
    return rows


def next_message(reader: pa.ipc.MessageReader) -> pa.ipc.Message | None:
    try:
        return reader.read_next_message()
    except StopIteration:
        return None


class Flat:
    """A table within a FlatBuffer, the format of Arrow's messages: as much of it as is needed to
    know what a batch claims before Arrow makes room for it. Raises struct.error."""

    def __init__(self, data: bytes, place: int | None = None) -> None:
        self.data = data
        self.place = struct.unpack_from("<I", data)[0] if place is None else place
        self.fields = self.place - struct.unpack_from("<i", data, self.place)[0]

    def at(self, field: int) -> int:
        """Return the place of a field, 0 where it is not there."""
        length = struct.unpack_from("<H", self.data, self.fields)[0]
        entry = 4 + 2 * field
        if entry >= length:
            return 0
        offset = struct.unpack_from("<H", self.data, self.fields + entry)[0]
        return self.place + offset if offset else 0

    def has(self, field: int) -> bool:
        return self.at(field) > 0

    def integer(self, field: int) -> int:
        return struct.unpack_from("<q", self.data, self.at(field))[0] if self.has(field) else 0

    def follow(self, field: int) -> int:
        place = self.at(field)
        return place + struct.unpack_from("<I", self.data, place)[0]

    def table(self, *path: int) -> Flat:
        """Return the table at the end of a path of fields."""
        return Flat(self.data, self.follow(path[0])).table(*path[1:]) if path else self

    def pairs(self, field: int) -> list[tuple[int, int]]:
        """Return a list of pairs of 64-bit integers."""
        if not self.has(field):
            return []
        place = self.follow(field)
        (count,) = struct.unpack_from("<I", self.data, place)
        found = struct.iter_unpack("<qq", self.data[place + 4 : place + 4 + 16 * count])
        return [(first, second) for first, second in found]
