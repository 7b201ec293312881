"""Files that were made to do harm, or by mistake: each with what must be said about it.

As a program, `python -m tests.support.hostile LIST`, it takes the files of a list in one process
and prints of each what came of it, how long that took and how much memory.
"""

import gzip
import io
import json
import lzma
import os
import pickle
import resource
import stat
import struct
import sys
import time
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image
from pyarrow import feather

SLACK = 3 * 2**30  # of address space: a blow-up ends the case, not the machine
MB = 2**20
REQUIRED = ("X_train", "y_train", "X_test", "y_test")


@dataclass(frozen=True)
class Case:
    """file: its name; make writes it; fault and remedy: what the message must contain. taken: it is
    no harm, or only to some rows of it. options: label, name."""

    file: str
    make: Callable[[Path], object]
    fault: Sequence[str] = ()
    remedy: str = ""
    taken: bool = False
    options: Mapping[str, str] = field(default_factory=dict)


def in_turn(*steps: Callable[[Path], object]) -> Callable[[Path], object]:
    def make(path: Path) -> None:
        for step in steps:
            step(path)

    return make


# Features files


def good() -> dict[str, Any]:
    rng = np.random.default_rng(7)
    return {
        "X_train": rng.normal(size=(30, 4)),
        "y_train": np.arange(30) % 3,
        "X_test": rng.normal(size=(12, 4)),
        "y_test": np.arange(12) % 3,
    }


def npz(**changes: Any) -> Callable[[Path], object]:
    return lambda path: np.savez(path, **(good() | changes))


def with_value(name: str, row: int, column: int, value: float) -> Callable[[Path], object]:
    X = good()[name]
    X[row, column] = value
    return npz(**{name: X})


def npz_bytes(compressed: bool = False) -> bytes:
    buffer = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(buffer, **good())
    return buffer.getvalue()


def cut(share: float) -> Callable[[Path], object]:
    content = npz_bytes()
    return lambda path: path.write_bytes(content[: int(share * len(content))])


def npy(
    shape: object, data: bytes = b"", dtype: str = "<f8", version: bytes = b"\x01\x00"
) -> bytes:
    header = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape!r}}}"
    return npy_raw(header, data, version)


def npy_raw(header: str, data: bytes = b"", version: bytes = b"\x01\x00") -> bytes:
    padded = header.encode().ljust(117) + b"\n"
    length = struct.pack("<H" if version == b"\x01\x00" else "<I", len(padded))
    return b"\x93NUMPY" + version + length + padded + data


def npz_of(X_train: bytes) -> Callable[[Path], object]:
    """A features file whose X_train is these bytes."""
    others = {f"{name}.npy": npy((0,)) for name in REQUIRED[1:]}
    return zipped({"X_train.npy": X_train} | others)


def zipped(
    members: Mapping[str, bytes], method: int = zipfile.ZIP_STORED
) -> Callable[[Path], object]:
    def make(path: Path) -> None:
        with zipfile.ZipFile(path, "w", method) as archive:
            for name, content in members.items():
                archive.writestr(name, content)

    return make


def zip_bomb(member: str, start: bytes = b"", mb: int = 70) -> Callable[[Path], object]:
    def make(path: Path) -> None:
        with (
            zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
            archive.open(member, "w") as file,
        ):
            file.write(start)
            for _ in range(mb):
                file.write(bytes(MB))

    return make


def patched(make: Callable[[Path], object], offset: int, value: bytes) -> Callable[[Path], object]:
    """An archive whose directory says something else of its first entry, from byte `offset` on."""

    def change(path: Path) -> None:
        make(path)
        content = bytearray(path.read_bytes())
        at = content.index(b"PK\x01\x02") + offset
        content[at : at + len(value)] = value
        path.write_bytes(content)

    return change


def many_entries(path: Path) -> None:
    """70,000 entries in the directory, and none there."""
    entry = (
        struct.pack("<4s6H3I5H2I", b"PK\x01\x02", *(0,) * 6, *(0,) * 3, 1, *(0,) * 4, 0, 0) + b"a"
    )
    directory = entry * 70_000
    end = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 65535, 65535, len(directory), 0, 0)
    path.write_bytes(directory + end)


def overlapping(path: Path) -> None:
    """Ten entries that all are the same bytes of the file."""
    content = np.random.default_rng(0).bytes(5000)
    zipped({"X_train.npy": content})(path)
    raw = path.read_bytes()
    start, end = raw.index(b"PK\x01\x02"), raw.index(b"PK\x05\x06")
    entry = raw[start:end]
    names = [f"X_trai{i}.npy".encode() for i in range(10)]
    directory = b"".join(entry.replace(b"X_train.npy", name) for name in names)
    tail = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 10, 10, len(directory), start, 0)
    path.write_bytes(raw[:start] + directory + tail)


class Trap:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return Path.touch, (self.path,)


def trapped(path: Path) -> np.ndarray:
    objects = np.empty(3, dtype=object)
    objects[:] = [Trap(path.with_name("UNPICKLED"))] * 3
    return objects


SAVE = "numpy.savez"
FEATURES = (
    Case("empty.npz", lambda p: p.write_bytes(b""), ["0 bytes"], SAVE),
    Case("text.npz", lambda p: p.write_text("a,b\n1,2\n" * 9), [r"b'a,b\\n1,2"], SAVE),
    Case("nameless.npz", lambda p: p.write_bytes(npy((1,), bytes(8))), ["nameless"], SAVE),
    *(Case(f"cut-{s}.npz", cut(s), ["cut off"], SAVE) for s in (0.01, 0.1, 0.5, 0.9, 0.999)),
    Case(
        "flipped.npz",
        lambda p: p.write_bytes(npz_bytes().replace(good()["X_train"].tobytes()[:8], b"\1" * 8)),
        ["CRC", "X_train"],
        SAVE,
    ),
    Case("magic.npz", npz_of(b"not an array at all"), ["X_train", "b'not an'"], SAVE),
    Case("objects.npz", lambda p: npz(X_train=trapped(p))(p), ["X_train", "pickle"], SAVE),
    Case(
        "object-names.npz",
        lambda p: npz(class_names=trapped(p))(p),
        ["class_names", "pickle"],
        SAVE,
    ),
    Case("pickle.npz", lambda p: p.write_bytes(pickle.dumps(trapped(p))), ["no zip archive"], SAVE),
    Case("ten-gb.npz", npz_of(npy((1_250_000, 1000), bytes(80))), ["10", "80 bytes", "GB"], SAVE),
    Case("petabytes.npz", npz_of(npy((10**12, 1000))), ["PB", "0 bytes"], SAVE),
    Case("one-row-more.npz", npz_of(npy((31, 4), bytes(30 * 32))), [r"\(31, 4\)", "960|992"], SAVE),
    Case("one-row-less.npz", npz_of(npy((29, 4), bytes(30 * 32))), [r"\(29, 4\)"], SAVE),
    Case("negative-shape.npz", npz_of(npy((-3, -4), bytes(96))), [r"\(-3, -4\)"], SAVE),
    Case("endless-shape.npz", npz_of(npy((10**30, 0))), ["1000000000|rows"], "take fewer|savez"),
    Case(
        "code.npz", npz_of(npy_raw("__import__('os').abort()")), ["X_train", "not an array"], SAVE
    ),
    Case(
        "long-header.npz",
        npz_of(npy_raw("{" + " " * 60_000 + "}")),
        ["X_train", "not an array"],
        SAVE,
    ),
    Case("version.npz", npz_of(npy((1,), bytes(8), version=b"\x09\x00")), ["X_train", "9"], SAVE),
    Case(
        "bomb.npz",
        zip_bomb("X_train.npy", npy((9_175_040, 1))),
        ["70.0 MB", "times"],
        "without compression",
    ),
    Case("lies-large.npz", patched(npz(), 24, b"\xf0\xff\xff\xff"), ["4.0 GB"], "take less"),
    Case("lies-small.npz", patched(npz(), 24, struct.pack("<I", 400)), ["X_train", "CRC"], SAVE),
    Case("overlap.npz", overlapping, ["overlap"], "Pack it again"),
    Case(
        "encrypted.npz",
        patched(npz(), 8, b"\x01\x00"),
        ["X_train", "encrypted"],
        "without a password",
    ),
    Case(
        "method.npz",
        zipped({"X_train.npy": npy((1,), bytes(8))}, zipfile.ZIP_LZMA),
        ["method 14"],
        "plain zip",
    ),
    Case("entries.npz", many_entries, ["70,000", "65,000"], "split it"),
    Case("twice.npz", lambda p: twice(p, "X_train.npy"), ["2", "X_train"], "pack it once"),
    Case("slip.npz", zipped({"../X_train.npy": b""}), ["outside"], "relative paths"),
    Case(
        "lacks.npz",
        lambda p: np.savez(p, X_train=np.zeros((3, 2))),
        ["lacks y_train"],
        "A features file holds",
    ),
    Case("strings.npz", npz(X_train=np.full((30, 4), "a")), ["X_train", "<U1"], "real numbers"),
    Case(
        "complex.npz",
        npz(X_train=np.ones((30, 4), complex)),
        ["X_train", "complex128"],
        "real numbers",
    ),
    Case(
        "dates.npz",
        npz(X_test=np.zeros((12, 4), "M8[s]")),
        ["X_test", "datetime64"],
        "real numbers",
    ),
    Case("fields.npz", npz(X_train=np.zeros((30, 4), "f4,f4")), ["X_train", "f0"], "real numbers"),
    Case(
        "all-nan.npz",
        npz(X_train=np.full((30, 4), np.nan)),
        ["X_train", "nan|NaN|0, 4"],
        "Remove|at least 1",
    ),
    Case(
        "one-class.npz",
        npz(y_train=np.zeros(30, int), y_test=np.zeros(12, int)),
        ["two classes", "1"],
        "Add samples",
    ),
    Case(
        "two-rows.npz",
        lambda p: np.savez(p, **{k: v[:2] for k, v in good().items()}),
        ["single test sample"],
        "Add one or drop",
    ),
    Case(
        "single-test.npz",
        npz(y_test=np.array([0] * 6 + [1] * 5 + [2])),
        ["Class 2", "single test sample"],
        "Add one or drop",
    ),
    Case(
        "no-train.npz", npz(y_train=np.arange(30) % 2), ["2", "training sample"], "Drop the class"
    ),
    Case("negative.npz", npz(y_train=np.arange(30) % 3 - 1), ["y_train", "-1"], "number them"),
    Case("float-labels.npz", npz(y_train=np.arange(30) / 2), ["y_train", "float64"], "number them"),
    Case(
        "huge-label.npz",
        npz(y_train=np.r_[np.arange(29) % 3, 10**15]),
        ["1000000000000000"],
        "number them",
    ),
    Case(
        "unsigned.npz",
        npz(y_train=np.array([*np.arange(29) % 3, 2**64 - 1], np.uint64)),
        ["18446744073709551615"],
        "number them",
    ),
    Case(
        "label-names.npz",
        npz(y_train=np.array(["a", "b", "c"] * 10)),
        ["y_train", "<U1"],
        "number them",
    ),
    Case(
        "lengths.npz",
        npz(y_train=np.arange(29) % 3),
        ["y_train", r"\(29,\)"],
        "one label per sample",
    ),
    Case(
        "square-labels.npz",
        npz(y_train=np.zeros((30, 2), int)),
        ["y_train", r"\(30, 2\)"],
        "one label per sample",
    ),
    Case("scalar.npz", npz(X_train=np.array(3.0)), ["X_train", r"\(\)"], "must have shape"),
    Case(
        "cube.npz",
        npz(X_train=np.zeros((30, 4, 2))),
        ["X_train", r"\(30, 4, 2\)"],
        "must have shape",
    ),
    Case("no-columns.npz", npz(X_train=np.zeros((30, 0))), ["X_train", r"\(30, 0\)"], "at least 1"),
    Case(
        "wide.npz",
        npz(X_train=np.zeros((30, 100_000), np.float16)),
        ["X_train", "100,000 columns", "20,000"],
        "take fewer",
    ),
    Case(
        "long.npz",
        npz(y_test=np.zeros(250_000, np.int8)),
        ["y_test", "250,000 rows", "200,000"],
        "take fewer",
    ),
    Case(
        "width.npz",
        npz(X_test=np.zeros((12, 5))),
        ["X_test", "5 features", "4"],
        "same feature extractor",
    ),
    Case(
        "classes.npz",
        lambda p: np.savez(
            p,
            X_train=np.zeros((2000, 1)),
            y_train=np.arange(2000),
            X_test=np.zeros((2, 1)),
            y_test=np.zeros(2, int),
        ),
        ["2,000 classes", "1,000"],
        "number them",
    ),
    Case(
        "names-2d.npz",
        npz(class_names=np.array([["a", "b"]])),
        ["class_names", r"\(1, 2\)"],
        "list of strings",
    ),
    Case(
        "few-names.npz",
        npz(class_names=np.array(["a", "b"])),
        ["label 2", "2 names"],
        "Add the missing names",
    ),
    Case(
        "out-of-reach.npz",
        with_value("X_test", 3, 1, 1e300),
        ["row 3, column 1", "1e\\+300"],
        "Correct or drop",
    ),
)
# Rows that hold no number: the loader refuses the file, a preview leaves them out.
HOLES = (
    Case("nan.npz", with_value("X_train", 3, 1, np.nan), ["X_train", "row 3", "nan"], "", True),
    Case("inf.npz", with_value("X_test", 4, 2, -np.inf), ["X_test", "row 4", "-inf"], "", True),
)
FINE_FEATURES = (
    Case("fortran.npz", npz(X_train=np.asfortranarray(good()["X_train"])), taken=True),
    Case("half.npz", npz(X_train=good()["X_train"].astype(np.float16)), taken=True),
    Case("bytes.npz", npz(class_names=np.array([b"a", b"b", "ä".encode()])), taken=True),
)


# Tables


def rows(n: int = 60) -> list[str]:
    return [f"{i},{'xyz'[i % 3]},{'pq'[i % 2]}" for i in range(n)]


def csv_bytes(lines: Sequence[str], header: str = "a,b,label", encoding: str = "utf-8") -> bytes:
    return ("\n".join([header, *lines]) + "\n").encode(encoding)


def csv(
    lines: Sequence[str], header: str = "a,b,label", encoding: str = "utf-8"
) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(csv_bytes(lines, header, encoding))


def content(value: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(value)


CSV_REMEDY = "Save it as CSV, UTF-8"


def gzipped(path: Path, share: float = 1.0, bomb: bool = False) -> None:
    """A packed table, of which the end may be missing; a bomb unpacks to 80 MB of zeros."""
    whole = gzip.compress(b"a,label\n" + b"0,0\n" * (20 * MB) if bomb else csv_bytes(rows()))
    path.write_bytes(whole[: int(share * len(whole))])


def xz_bomb(path: Path) -> None:
    path.write_bytes(lzma.compress(b"a,label\n" + b"0,0\n" * (20 * MB), preset=0))


def feather_bomb(path: Path) -> None:
    """Five columns of 100 MB of zeros, each in a few bytes."""
    zeros = pa.array(np.zeros(13 * MB, dtype=np.int8))
    table = pa.table({name: zeros for name in ("a", "b", "c", "d", "label")})
    feather.write_feather(table, str(path), compression="zstd", chunksize=len(zeros))


def xlsx_with_entities(path: Path) -> None:
    """A workbook whose sheet declares an entity of entities."""
    pd.DataFrame({"a": range(60), "label": [0, 1] * 30}).to_excel(path, index=False)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    sheet = members["xl/worksheets/sheet1.xml"]
    declared = b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>'
    start = sheet.index(b"<worksheet")
    members["xl/worksheets/sheet1.xml"] = sheet[:start] + declared + sheet[start:]
    with zipfile.ZipFile(path, "w") as archive:
        for name, member in members.items():
            archive.writestr(name, member)


TABLES = (
    Case(
        "many-labels.csv",
        csv([f"{i % 7},{i}" for i in range(150_000)], "a,label"),
        ["150,000 different values"],
        "Choose another label",
    ),
    Case("empty.csv", content(b""), ["0 bytes"], CSV_REMEDY),
    Case("header.csv", csv([]), ["0 rows"], CSV_REMEDY),
    Case("blank.csv", content(b"\n\n\n"), ["header"], CSV_REMEDY),
    Case("nul.csv", csv([*rows(), "1,\0,p"]), ["line 62", "NUL"], CSV_REMEDY),
    Case("utf16.csv", csv(rows(), encoding="utf-16"), ["UTF-16"], CSV_REMEDY),
    Case(
        "latin1.csv",
        csv([*rows(), "1,é,p"], encoding="latin-1"),
        ["0xe9", "line 62", "Latin-1"],
        CSV_REMEDY,
    ),
    Case("cut-utf8.csv", content(csv_bytes([*rows(), "é"])[:-2]), ["UTF-8|utf-8"], CSV_REMEDY),
    Case("long-row.csv", csv([*rows(), "1,x,p,9,9"]), ["line 62", "saw 5"], CSV_REMEDY),
    Case("long-rows.csv", csv([f"{r},9" for r in rows()]), ["4 fields, its header 3"], CSV_REMEDY),
    Case("quote.csv", csv([*rows(), '1,"x,p']), ["EOF inside string"], CSV_REMEDY),
    Case("png.csv", content(b"\x89PNG\r\n\x1a\n" + bytes(80)), ["0x89|NUL"], CSV_REMEDY),
    Case("parquet.csv", lambda p: parquet()(p), ["Parquet"], "ending .parquet"),
    Case("twice.csv", csv(rows(), "a,a,label"), ["several columns named 'a'"], "rename"),
    Case("twice-blank.csv", csv(rows(), "a, a ,label"), ["several columns named 'a'"], "rename"),
    Case(
        "no-label.csv",
        csv(rows(), "a,b,c"),
        ["'a', 'b', 'c'", "None"],
        "must be one of its columns",
    ),
    Case(
        "other-label.csv",
        csv(rows()),
        ["'colour'"],
        "must be one of its columns",
        options={"label": "colour"},
    ),
    Case(
        "one-class.csv",
        csv([r.replace("q", "p") for r in rows()]),
        ["1 class ", "'p': 60"],
        "Add rows",
    ),
    Case("two-rows.csv", csv(rows(2)), ["0 classes", "'p': 1"], "Add rows"),
    Case(
        "measured.csv",
        csv(rows()),
        ["'a'", "60 different values"],
        "Choose another label",
        options={"label": "a"},
    ),
    Case(
        "only-texts.csv",
        csv([f"n{i},{'pq'[i % 2]}" for i in range(600)], "name,label"),
        ["600 different texts"],
        "Left out",
    ),
    Case("all-holes.csv", csv(["1,,p", ",x,q"] * 30), ["0 of 60 rows"], "fill holes"),
    Case(
        "long-label.csv",
        csv([*rows(), *["1,x," + "q" * 300] * 3]),
        ["300 characters", "200"],
        "Shorten",
    ),
    Case(
        "long-line.csv",
        csv([*rows(), "1," + "x" * (6 * MB) + ",p"]),
        ["line 62", "4 MB"],
        CSV_REMEDY,
    ),
    Case(
        "long-header.csv", csv(rows(), "a" * (6 * MB) + ",b,label"), ["line 1", "4 MB"], CSV_REMEDY
    ),
    Case(
        "wide.csv",
        csv([",".join(["1"] * 100_000)] * 3, ",".join(f"c{i}" for i in range(99_999)) + ",label"),
        ["100,000 columns", "20,000"],
        "leave some out",
    ),
    Case("rows.csv", csv(["1,x,p"] * 250_000), ["250,000 rows", "200,000"], "take fewer"),
    Case(
        "cells.csv",
        csv(["1"] * 30_000, ",".join(f"c{i}" for i in range(999)) + ",label"),
        ["30,000 rows", "1,000 columns", "25,000,000"],
        "take fewer",
    ),
    Case(
        "encoded.csv",
        csv(
            [",".join([f"v{i % 150}"] * 150 + ["pq"[i % 2]]) for i in range(1200)],
            ",".join(f"c{i}" for i in range(150)) + ",label",
        ),
        ["22,500"],
        "most categories",
    ),
    Case("table.ods", content(b"PK\x03\x04"), ["'.ods'"], "Save it as one of these"),
    Case("cut.xlsx", content(b"PK\x03\x04"), ["cut off"], CSV_REMEDY),
    Case("cut.csv.gz", lambda p: gzipped(p, 0.5), ["end-of-stream"], "formats that are read"),
    Case("bomb.csv.gz", lambda p: gzipped(p, bomb=True), ["100 times"], "without compression"),
    Case("bomb.csv.xz", lambda p: xz_bomb(p), ["100 times"], "without compression"),
    Case("bomb.feather", feather_bomb, ["unpacks to"], "Write it again"),
    Case("entities.xlsx", xlsx_with_entities, ["ntit"], CSV_REMEDY),
    Case("page.csv", content(b"<!DOCTYPE html>\n<html><body>404"), ["web page"], CSV_REMEDY),
    Case(
        "pointer.csv",
        content(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"),
        ["pointer of Git LFS"],
        CSV_REMEDY,
    ),
)
# What is left out of these is said row by row, or column by column.
TABLES_WITH_FAULTS = (
    Case(
        "semicolons.csv",
        csv([r.replace(",", ";") for r in rows()], "a;b;label"),
        ["separated by semicolons"],
        taken=True,
    ),
    Case("short-row.csv", csv([*rows(), "1,x"]), ["row 61", "'label'", "missing"], taken=True),
    Case("hole.csv", csv([*rows(), "1,,p"]), ["row 61", "'b'", "missing"], taken=True),
    Case("word.csv", csv([*rows(), "abc,x,p"]), ["row 61", "'a'", "'abc'"], taken=True),
    Case(
        "inf.csv",
        csv([*rows(), "inf,x,p", "1e999,x,q"]),
        ["row 61", "'a'", "'inf'", "row 62"],
        taken=True,
    ),
    Case("middle-line.csv", csv([*rows(), "", "1,x,p"]), ["row 61", "missing"], taken=True),
    Case("rare.csv", csv([*rows(), "1,x,r"]), ["class 'r'", "1 complete row"], taken=True),
    Case(
        "empty-column.csv",
        csv([f"{r}," for r in rows()], "a,b,label,c"),
        ["empty", "'c'"],
        taken=True,
    ),
    Case(
        "names.csv",
        csv([f"{r},n{i}" for i, r in enumerate(rows(600))], "a,b,label,c"),
        ["'c'", "600 different texts"],
        taken=True,
    ),
    Case(
        "index.csv",
        csv([f"{i},{r}" for i, r in enumerate(rows())], ",a,b,label"),
        ["no name"],
        taken=True,
    ),
    Case(
        "constant.csv",
        csv([f"{r},1" for r in rows()], "a,b,label,c"),
        ["Constant", "c"],
        taken=True,
    ),
)
FINE_TABLES = (
    Case("bom.csv", csv(rows(), encoding="utf-8-sig"), taken=True),
    Case("crlf.csv", content(csv_bytes(rows()).replace(b"\n", b"\r\n")), taken=True),
    Case("mac.csv", content(csv_bytes(rows()).replace(b"\n", b"\r")), taken=True),
    Case("trailing.csv", content(csv_bytes(rows()) + b"\n\n\n"), taken=True),
    Case("umlaut.csv", csv([r.replace("x", '"Ü, ß"') for r in rows()], "ä,ö,label"), taken=True),
)


def frame(n: int = 60) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "a": np.arange(n) * 0.5,
            "b": ["xyz"[i % 3] for i in range(n)],
            "label": [i % 2 for i in range(n)],
        }
    )


def parquet(**columns: Any) -> Callable[[Path], object]:
    return lambda path: frame().assign(**columns).to_parquet(path, index=False)


def parquet_cut(share: float) -> Callable[[Path], object]:
    def make(path: Path) -> None:
        parquet()(path)
        whole = path.read_bytes()
        path.write_bytes(whole[: int(share * len(whole))])

    return make


def parquet_flipped(path: Path) -> None:
    """The footer, which says what is where, overwritten."""
    parquet()(path)
    whole = bytearray(path.read_bytes())
    whole[-60:-20] = b"\xff" * 40
    path.write_bytes(whole)


def arrow(**columns: object) -> Callable[[Path], object]:
    return lambda path: pq.write_table(pa.table(columns), path)


def repeated_text(column: str) -> Callable[[Path], object]:
    """A text of 1 MB two thousand times: 2 GB, in a file of 1 MB."""

    def make(path: Path) -> None:
        index = pa.array((np.arange(2000) % 2).astype(np.int32))
        texts = pa.DictionaryArray.from_arrays(index, pa.array(["x" * MB, "y" * MB]))
        numbers = pa.array(np.arange(2000) % 2)
        table = pa.table({"a": numbers, "b": numbers, "label": numbers, column: texts})
        pq.write_table(table, path, use_dictionary=[column])

    return make


PARQUET_REMEDY = "Write it again"
COLUMN_REMEDY = "convert it or leave it out"
PARQUETS = (
    Case("repeated-label.parquet", repeated_text("label"), ["1,048,576 characters"], "Shorten"),
    Case("empty.parquet", content(b""), ["0 bytes|0"], PARQUET_REMEDY),
    Case("text.parquet", csv(rows()), ["magic|Parquet"], PARQUET_REMEDY),
    *(
        Case(f"cut-{s}.parquet", parquet_cut(s), ["magic|Parquet|footer"], PARQUET_REMEDY)
        for s in (0.002, 0.3, 0.99)
    ),
    Case("footer.parquet", parquet_flipped, ["Parquet"], PARQUET_REMEDY),
    Case("list.parquet", parquet(b=[[1, 2]] * 60), ["'b'", "list"], COLUMN_REMEDY),
    Case("struct.parquet", parquet(b=[{"x": 1}] * 60), ["'b'", "struct"], COLUMN_REMEDY),
    Case("binary.parquet", parquet(b=[b"\x00\xff"] * 60), ["'b'", "binary"], COLUMN_REMEDY),
    Case(
        "no-rows.parquet", lambda p: frame(0).to_parquet(p, index=False), ["0 rows"], PARQUET_REMEDY
    ),
    Case(
        "rows.parquet",
        arrow(a=pa.array(np.zeros(3_000_000)), label=pa.array(np.zeros(3_000_000, np.int8))),
        ["3,000,000 rows", "200,000"],
        "take fewer",
    ),
    Case(
        "wide.parquet",
        lambda p: pq.write_table(
            pa.table([pa.array([1])] * 21_000, [f"c{i}" for i in range(21_000)]), p
        ),
        ["21,000 columns", "20,000"],
        "leave some out",
    ),
    Case(
        "twice.parquet",
        lambda p: pq.write_table(pa.table([pa.array([1] * 9)] * 2, ["a", "a"]), p),
        ["several columns named 'a'"],
        "rename",
    ),
    Case(
        "no-label.parquet",
        lambda p: frame().rename(columns={"label": "c"}).to_parquet(p),
        ["'a', 'b', 'c'"],
        "must be one of its columns",
    ),
)
PARQUETS_WITH_FAULTS = (
    Case("repeated.parquet", repeated_text("a"), ["'a'", "1,048,576 characters"], "Left out", True),
    Case("hole.parquet", parquet(a=[None, *range(59)]), ["row 1", "'a'", "missing"], taken=True),
    Case("inf.parquet", parquet(a=[*range(59), np.inf]), ["row 60", "'a'", "inf"], taken=True),
    Case("index.parquet", lambda p: frame().set_index(frame().a * 2).to_parquet(p), taken=True),
)
FINE_PARQUETS = (
    Case(
        "time.parquet",
        parquet(b=pd.date_range("2026-01-01", periods=60)),
        ["'b' holds dates"],
        taken=True,
    ),
    Case("flags.parquet", parquet(b=[True, False] * 30, label=["p", "q"] * 30), taken=True),
    Case("categories.parquet", parquet(b=pd.Categorical(list("xyz") * 20)), taken=True),
)


# Images


def picture(mode: str = "RGB", size: tuple[int, int] = (40, 30), seed: int = 0) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(pixels).convert(mode)


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def pets(n: int = 4) -> dict[str, bytes]:
    return {f"{c}/{i}.png": encoded(picture(seed=i)) for c in ("cat", "dog") for i in range(n)}


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_of_zeros(side: int, rows: int) -> bytes:
    """A black PNG that claims side × side pixels, of which the file holds so many rows."""
    header = chunk(b"IHDR", struct.pack(">2I5B", side, side, 8, 0, 0, 0, 0))
    deflate = zlib.compressobj(1)
    line = bytes(side + 1)
    data = b"".join(deflate.compress(line) for _ in range(rows)) + deflate.flush()
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def text_bomb() -> bytes:
    """A PNG with a comment that unpacks to 80 MB."""
    plain = encoded(picture())
    comment = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(80 * MB), 1))
    return plain[:33] + comment + plain[33:]


def animated() -> bytes:
    frames = [picture("P", seed=i) for i in range(3)]
    return encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])


def sixteen_bits() -> bytes:
    return encoded(Image.fromarray(np.full((30, 40), 40_000, np.uint16)))


def with_images(**members: bytes) -> Callable[[Path], object]:
    """Two classes of four sound images each, and these in cat/; '__' in a name is a dot."""
    return zipped(pets() | {f"cat/{n.replace('__', '.')}": m for n, m in members.items()})


def entry(name: str, data: bytes = b"", mode: int = stat.S_IFREG) -> Callable[[Path], object]:
    """A sound archive with one more entry, of a name and a kind that zipfile would not choose."""

    def make(path: Path) -> None:
        zipped(pets())(path)
        with zipfile.ZipFile(path, "a") as archive:
            info = zipfile.ZipInfo("x" * len(name))
            info.filename = info.orig_filename = name
            info.external_attr = (mode | 0o644) << 16
            archive.writestr(info, data)

    return make


def twice(path: Path, name: str) -> None:
    """An archive with two entries of one name: the second one's is put in afterwards."""
    zipped({name: b"1", name[:-1] + "~": b"2"})(path)
    path.write_bytes(path.read_bytes().replace((name[:-1] + "~").encode(), name.encode()))


def folder(
    members: Mapping[str, bytes], then: Callable[[Path], object] = lambda path: None
) -> Callable[[Path], object]:
    def make(path: Path) -> None:
        path.mkdir()
        for name, data in members.items():
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            (path / name).write_bytes(data)
        then(path)

    return make


RELATIVE, PACK = "plain relative paths", "Pack one folder a class"
ARCHIVES = (
    Case("empty.zip", zipped({}), ["no image in a class folder"], PACK),
    Case("zero.zip", content(b""), ["0 bytes"], PACK),
    Case("text.zip", content(b"cat,dog"), ["no zip archive", "cat,dog"], PACK),
    Case("tar.zip", content(b"\x1f\x8b\x08" + bytes(99)), ["no zip archive"], PACK),
    Case(
        "cut.zip",
        lambda p: (zipped(pets())(p), p.write_bytes(p.read_bytes()[:-300])),
        ["cut off"],
        PACK,
    ),
    Case("nested.zip", zipped({"inner.zip": npz_bytes()}), ["inner.zip", "no image"], PACK),
    Case(
        "flat.zip",
        zipped({f"{i}.png": encoded(picture()) for i in range(9)}),
        ["no class folder", "0.png"],
        PACK,
    ),
    Case("slip.zip", entry("../../evil.png"), ["'../../evil.png'", "outside"], RELATIVE),
    Case("slip-inside.zip", entry("cat/../../evil.png"), ["evil.png", "outside"], RELATIVE),
    Case("absolute.zip", entry("/etc/evil.png"), ["'/etc/evil.png'", "outside"], RELATIVE),
    Case("backslash.zip", entry("..\\evil.png"), ["evil.png", "outside"], RELATIVE),
    Case("drive.zip", entry("C:/evil.png"), ["'C:/evil.png'", "outside"], RELATIVE),
    Case("control.zip", entry("cat/\x1b[31m.png"), ["outside"], RELATIVE),
    Case(
        "link.zip",
        entry("cat/l.png", b"/etc/passwd", stat.S_IFLNK),
        ["'cat/l.png'", "symbolic link"],
        "pack the file itself",
    ),
    Case(
        "device.zip",
        entry("cat/d.png", b"", stat.S_IFCHR),
        ["'cat/d.png'", "neither file nor folder"],
        "leave it out",
    ),
    Case(
        "encrypted.zip",
        patched(zipped(pets()), 8, b"\x01\x00"),
        ["'cat/0.png'", "encrypted"],
        "without a password",
    ),
    Case("twice.zip", lambda p: twice(p, "cat/0.png"), ["2", "'cat/0.png'"], "pack it once"),
    Case("bomb.zip", zip_bomb("cat/0.png"), ["70.0 MB", "times"], "without compression"),
    Case("many.zip", many_entries, ["70,000", "65,000"], "split it"),
    Case(
        "one-class.zip",
        zipped({f"cat/{i}.png": encoded(picture()) for i in range(5)}),
        ["1 class", "2 are needed"],
        PACK,
    ),
    Case(
        "two-images.zip",
        zipped({"cat/0.png": encoded(picture()), "dog/0.png": encoded(picture())}),
        ["0 class", "'cat'", "1 readable image,"],
        PACK,
    ),
    Case(
        "val.zip",
        zipped({f"{s}/{n}": m for s in ("train", "val") for n, m in pets().items()}),
        ["'val'"],
        "move what is in it",
    ),
    Case(
        "no-images.zip",
        zipped({f"{c}/{i}.txt": b"x" for c in "ab" for i in range(5)}),
        ["a/0.txt", "no image"],
        PACK,
    ),
    Case("nothing", folder({}), ["no image in a class folder"], PACK),
)
# One image at fault costs that image; every one is named.
IMAGES_WITH_FAULTS = (
    Case(
        "hundred-mp.zip",
        with_images(big__png=png_of_zeros(10_000, 10_000)),
        ["cat/big.png", "10,000 × 10,000", "100 million"],
        "make it smaller",
        True,
    ),
    Case(
        "gigapixels.zip",
        with_images(big__png=png_of_zeros(60_000, 1)),
        ["cat/big.png", "3600000000"],
        "million",
        True,
    ),
    Case("text-bomb.zip", with_images(t__png=text_bomb()), ["cat/t.png"], taken=True),
    Case(
        "cut-png.zip",
        with_images(c__png=encoded(picture())[:900]),
        ["cat/c.png", "damaged"],
        taken=True,
    ),
    Case(
        "cut-jpeg.zip",
        with_images(c__jpg=encoded(picture(), "JPEG")[:700]),
        ["cat/c.jpg", "damaged", "truncated"],
        taken=True,
    ),
    Case(
        "no-image.zip",
        with_images(n__png=b"<html>404</html>"),
        ["cat/n.png", "no image"],
        taken=True,
    ),
    Case(
        "svg.zip",
        with_images(s__png=b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
        ["cat/s.png", "no image"],
        taken=True,
    ),
    Case(
        "eps.zip",
        with_images(e__png=b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"),
        ["cat/e.png", "no image"],
        taken=True,
    ),
    Case("no-bytes.zip", with_images(z__png=b""), ["cat/z.png", "0 bytes"], taken=True),
    Case(
        "inner.zip",
        zipped(pets() | {"more.zip": npz_bytes()}),
        ["more.zip", "no image"],
        taken=True,
    ),
    Case(
        "crc.zip",
        in_turn(zipped(pets()), lambda p: flip(p, pets()["cat/0.png"])),
        ["cat/0.png", "CRC"],
        taken=True,
    ),
    Case(
        "long-class.zip",
        zipped(pets() | {f"{'c' * 220}/0.png": encoded(picture())}),
        ["cccc", "rename it"],
        taken=True,
    ),
    Case(
        "small-class.zip",
        zipped(pets() | {"emu/0.png": encoded(picture())}),
        ["'emu'", "1 readable", "3 are needed"],
        taken=True,
    ),
    Case(
        "single-test.zip",
        zipped(
            {f"{s}/{n}": m for s in ("train", "test") for n, m in pets().items()}
            | {"train/emu/0.png": encoded(picture()), "test/emu/0.png": encoded(picture())}
        ),
        ["'emu'", "1 readable image in test"],
        taken=True,
    ),
    Case(
        "linked",
        folder(
            pets(),
            in_turn(
                lambda p: (p / "cat/l.png").symlink_to("/etc/passwd"),
                lambda p: (p / "emu").symlink_to("/"),
            ),
        ),
        ["cat/l.png", "emu", "symbolic link"],
        taken=True,
    ),
    Case(
        "pipe",
        folder(pets(), lambda p: os.mkfifo(p / "cat/p.png")),
        ["cat/p.png", "neither file nor folder"],
        taken=True,
    ),
)
FINE_IMAGES = (
    Case("few-rows.zip", with_images(black__png=png_of_zeros(4000, 10)), taken=True),
    Case(
        "modes.zip",
        with_images(
            cmyk__jpg=encoded(picture("CMYK"), "JPEG"),
            sixteen__png=sixteen_bits(),
            palette__png=encoded(picture("P")),
            alpha__png=encoded(picture("RGBA")),
            grey__png=encoded(picture("LA")),
            bit__png=encoded(picture("1")),
            film__gif=animated(),
            w__webp=encoded(picture(), "WEBP"),
            b__bmp=encoded(picture(), "BMP"),
        ),
        taken=True,
    ),
    Case(
        "around.zip",
        zipped(
            {f"my pets/{n}": m for n, m in pets().items()}
            | {"__MACOSX/cat/._0.png": b"x", "my pets/.DS_Store": b"x"}
        ),
        taken=True,
    ),
    Case(
        "split.zip",
        zipped({f"Pets/{s}/{n}": m for s in ("Train", "test") for n, m in pets().items()}),
        taken=True,
    ),
    Case(
        "umlaut.zip",
        zipped({n.replace("cat", "Kätzchen 1"): m for n, m in pets().items()}),
        taken=True,
    ),
)


def flip(path: Path, within: bytes) -> None:
    raw = path.read_bytes()
    middle = within[50:60]
    path.write_bytes(raw.replace(middle, bytes(10), 1))


# Names: what is wrong is the name that somebody chose, not the file.
NAMES = tuple(
    Case("good.csv", csv(rows()), [shown], "letters, digits", options={"name": name})
    for name, shown in {
        "../../x": "'../../x'",
        "/etc/passwd": "'/etc/passwd'",
        "a\\b": "b'",
        "CON": "'CON'",
        "lpt1": "'lpt1'",
        "日本": "'日本'",
        "a b": "'a b'",
        "x" * 300: "xxx",
        "digits": "'digits'",
        "Adult": "'Adult'",
        ".hidden": "'.hidden'",
        "a.npz": "'a.npz'",
        "a\0b": "b'",
        "-": "'-'",
    }.items()
)
FILE_NAMES = (
    Case("CON.csv", csv(rows()), ["'CON'"], "Rename"),
    Case("digits.csv", csv(rows()), ["'digits'"], "Rename"),
    Case("日本.csv", csv(rows()), ["日本"], "Rename"),
)

CASES = (
    *FEATURES,
    *HOLES,
    *FINE_FEATURES,
    *TABLES,
    *TABLES_WITH_FAULTS,
    *FINE_TABLES,
    *PARQUETS,
    *PARQUETS_WITH_FAULTS,
    *FINE_PARQUETS,
    *ARCHIVES,
    *IMAGES_WITH_FAULTS,
    *FINE_IMAGES,
    *NAMES,
    *FILE_NAMES,
)


# The program: every file of the list, one after the other


def words_of(path: Path, label: str | None, name: str | None, data_dir: Path) -> dict[str, Any]:
    """What is said about a file by all who might open it, and what became of it."""
    from engine.data.intake import take_in
    from engine.data.load import load_dataset
    from engine.errors import EngineError

    said: dict[str, Any] = {"loader": None, "preview": None, "accepted": None}
    if path.suffix == ".npz":
        try:
            load_dataset(path)
        except EngineError as error:
            said["loader"] = str(error)
    try:
        found = take_in.preview(path, label)
        said["preview"] = " ".join([found.file, *map(str, found.problems), *found.notes])
        chosen = take_in.name_for(path.name, name)
        take_in.accept(path, chosen, data_dir, label)
        said["accepted"] = chosen
    except EngineError as error:
        said["preview"] = str(error)
    return said


def memory(which: str) -> float:
    """VmRSS or VmHWM of this process, in MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith(which))) / 1024


def main() -> None:
    listed = json.loads(Path(sys.argv[1]).read_text())
    # What is imported on the way is in memory before the first is measured.
    import_module("sklearn.model_selection")
    warm = listed[0]
    words_of(Path(warm["path"]), None, None, Path(warm["data_dir"]) / "warm")
    size = int(memory("VmSize") * MB)
    resource.setrlimit(resource.RLIMIT_AS, (size + SLACK, resource.RLIM_INFINITY))
    for case in listed:
        Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
        before, began = memory("VmRSS"), time.process_time()
        said = words_of(Path(case["path"]), case["label"], case["name"], Path(case["data_dir"]))
        seconds, peak = time.process_time() - began, memory("VmHWM") - before
        print(json.dumps(said | {"seconds": seconds, "mb": peak}), flush=True)


if __name__ == "__main__":
    main()
