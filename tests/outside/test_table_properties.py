"""Whatever a table holds: its rows and columns are accounted for, or it is refused in words."""

import contextlib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine import load_dataset, load_fairness_dataset
from engine.data.intake import labelled_table
from engine.data.tables.options import EMPTY, SPELLINGS, USUAL, TableOptions
from engine.errors import EngineError

ANY = settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
TEXTS = st.one_of(
    st.sampled_from([*SPELLINGS, "", " ", "1,234", "$5", "3,14", "2020-01-31", "1.2.20", "1e400"]),
    st.text(st.characters(codec="utf-8", exclude_characters="\0\r\n"), max_size=6),
)  # fmt: skip
CELLS = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(), TEXTS, st.just(pd.NA)
)
TYPES = (
    "int8", "uint64", "float16", "float32", "bool", "Int64", "boolean", "category", "string",
    "datetime64[ns]", "datetime64[s, UTC]", "timedelta64[ns]", "complex128", "object",
)  # fmt: skip
OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "missing": st.lists(st.sampled_from([USUAL, EMPTY, "?", "-99", "x"]), max_size=3),
        "impute": st.booleans(),
        "text": st.lists(st.sampled_from(["a", "b"]), max_size=2),
        "drop": st.lists(st.sampled_from(["a", "b"]), max_size=2),
    },
)


@st.composite
def frames(draw: st.DrawFn) -> pd.DataFrame:
    """Two columns of anything beside a number, a group and a label, in any order of rows."""
    n = draw(st.integers(0, 40))
    columns: dict[str, Any] = {}
    for name in ("a", "b"):
        cells = draw(st.lists(CELLS, min_size=n, max_size=n))
        columns[name] = pd.Series(cells, dtype=object)
    frame = pd.DataFrame(columns)
    if draw(st.booleans()):
        kind = draw(st.sampled_from(TYPES))
        values = np.arange(n) % draw(st.integers(1, 5))
        try:
            frame["a"] = pd.Series(values).astype(pd.api.types.pandas_dtype(kind))
        except (TypeError, ValueError):  # pandas itself cannot
            frame["a"] = values
    frame["x"] = np.arange(n) * 0.5
    frame["sex"] = [["m", "f"][i % 2] for i in range(n)]
    labels = draw(st.lists(st.sampled_from(["u", "v", "NA", ""]), min_size=n, max_size=n))
    frame["label"] = labels
    return frame.sample(frac=1, random_state=draw(st.integers(0, 9))).reset_index(drop=True)


@ANY
@given(frames(), OPTIONS)
def test_rows_and_columns_are_accounted_for_or_refused(
    frame: pd.DataFrame, options: dict[str, Any]
) -> None:
    try:
        preview = labelled_table.look(frame, "label", options=TableOptions(**options)).preview
    except EngineError:
        return
    account = preview.account
    assert account is not None
    assert preview.n_train + preview.n_test + preview.dropped == account.rows <= len(frame)
    dropped = set(options.get("drop", ()))
    assert {column.name for column in account.columns} == set(frame.columns) - dropped
    assert all(0 <= column.faults <= account.rows for column in account.columns)
    dataset = load_dataset(frame, label="label", **options)
    assert dataset.n_train == preview.n_train and dataset.n_features == preview.n_features


@ANY
@given(frames(), OPTIONS)
def test_fairness_reads_the_same_rows_or_refuses(
    frame: pd.DataFrame, options: dict[str, Any]
) -> None:
    roles: dict[str, Any] = {
        "target": "label",
        "positive": "u",
        "sensitive": "sex",
        "privileged": "m",
    }
    try:
        data = load_fairness_dataset(pd.concat([frame] * 4), **roles, **options)
    except EngineError:
        return
    assert np.isfinite(data.X_train).all() and data.feature_names[-1] == "(intercept)"


@ANY
@given(frames(), st.sampled_from([",", ";", "\t", "|"]), st.booleans())
def test_a_frame_and_its_file_are_one_data_set(
    tmp_path_factory: pytest.TempPathFactory, frame: pd.DataFrame, separator: str, header: bool
) -> None:
    """As far as texts alone go: a file forgets what was a number."""
    path = tmp_path_factory.mktemp("t") / "own.csv"
    texts = frame.assign(a=frame["a"].astype(str), b=[f"t{i % 4}" for i in range(len(frame))])
    texts.to_csv(path, sep=separator, index=False, header=header)
    try:
        found = load_dataset(path, label="label" if header else "c5", header=header)
    except EngineError:
        return
    try:
        expected = load_dataset(texts, label="label")
    except EngineError:
        return
    assert found.n_train == expected.n_train
    assert found.class_names == expected.class_names


@ANY
@given(content=st.binary(max_size=400), name=st.sampled_from(
    ["own.csv", "own.tsv", "own.arff", "own.jsonl", "own.parquet", "own.feather", "own.xlsx",
     "own.csv.gz", "own.csv.bz2", "own.csv.xz", "own.zip"]
))  # fmt: skip
def test_bytes_are_refused_in_words(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, name: str
) -> None:
    path: Path = tmp_path_factory.mktemp("t") / name
    path.write_bytes(content)
    with pytest.raises(EngineError, match="own"):
        labelled_table.look(path, "label")


@ANY
@given(st.lists(TEXTS, min_size=1, max_size=30), st.sampled_from(["csv", "jsonl", "arff"]))
def test_lines_of_anything_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, cells: list[str], kind: str
) -> None:
    path = tmp_path_factory.mktemp("t") / f"own.{kind}"
    head = "@relation r\n@attribute a string\n@attribute label string\n@data\n"
    path.write_text(
        (head if kind == "arff" else "a,label\n") + "\n".join(f"{c},{c}" for c in cells),
        encoding="utf-8",
    )
    with contextlib.suppress(EngineError):
        labelled_table.look(path, "label")
