"""Tokens: equal values have equal ones, different values different ones."""

import copy
import gc
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from engine.data.load import load_dataset
from pages.common.keeping.tokens import REMEMBERED, NoToken, token
from pages.common.samples import Samples
from tests.support.stores import published, result

SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4) | st.binary()
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(max_size=2), inner, max_size=3)
    ),
    max_leaves=8,
)
ARRAYS = arrays_of.arrays(
    st.sampled_from(["f4", "f8", "i4", "i8", "u1", "?"]),
    arrays_of.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3),
)
COLUMNS = (
    st.lists(st.floats(), min_size=3, max_size=3)
    | st.lists(st.integers(-5, 5), min_size=3, max_size=3)
    | st.lists(st.text(max_size=3), min_size=3, max_size=3)
    | st.lists(st.none() | st.text(max_size=3), min_size=3, max_size=3)
    | st.lists(st.lists(st.integers(0, 3), max_size=2), min_size=3, max_size=3)
)
TABLES = st.dictionaries(st.text(max_size=2), COLUMNS, max_size=3).map(pd.DataFrame)


def same(a: Any, b: Any) -> bool:  # values of any kind
    """Equality that tells kinds of numbers, 0 and −0 apart, and takes NaN for itself."""
    if type(a) is not type(b):
        return False
    if isinstance(a, float):
        return repr(a) == repr(b)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return same(list(a.items()), list(b.items()))
    return bool(a == b)


@given(VALUES, VALUES)
def test_plain_values(a: object, b: object) -> None:
    assert token(a) == token(copy.deepcopy(a))
    assert (token(a) == token(b)) == same(a, b)
    hash(token(a))


@given(ARRAYS, ARRAYS)
def test_arrays(a: np.ndarray, b: np.ndarray) -> None:
    assert token(a) == token(a.copy())
    alike = a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    assert (token(a) == token(b)) == alike


@given(TABLES, TABLES)
def test_tables(a: pd.DataFrame, b: pd.DataFrame) -> None:
    assert token(a) == token(a.copy(deep=True))
    try:
        pd.testing.assert_frame_equal(a, b, check_exact=True, check_column_type=True)
        alike = repr(a.to_dict("split")) == repr(b.to_dict("split"))  # 0 and −0
    except AssertionError:
        alike = False
    assert (token(a) == token(b)) == alike


@given(TABLES.filter(lambda table: table.shape[1] > 0))
def test_tables_that_differ(table: pd.DataFrame) -> None:
    changed = [
        table.iloc[::-1],
        table.rename(columns={table.columns[0]: "another"}),
        table.set_axis([7, 8, 9]),
        table.rename_axis("rows"),
        table.iloc[:, :0],
        table.assign(another=1),
    ]
    assert all(token(table) != token(other) for other in changed)
    shown = table.columns[0]
    assert token(table[shown]) != token(table[[shown]])


def test_categories_count_though_no_row_has_them() -> None:
    few, more = (pd.Series(["a"], dtype=pd.CategoricalDtype(c)) for c in (["a"], ["a", "b"]))
    assert token(few) != token(more)


@dataclass(frozen=True)
class Choice:
    name: str
    size: float = 1.0


@dataclass(frozen=True)
class Other:
    name: str
    size: float = 1.0


@dataclass
class Changing:
    name: str


@given(st.text(), st.floats(), st.text(), st.floats())
def test_frozen_dataclasses(a: str, x: float, b: str, y: float) -> None:
    assert token(Choice(a, x)) == token(Choice(a, x))
    assert (token(Choice(a, x)) == token(Choice(b, y))) == (a == b and repr(x) == repr(y))
    assert token(Choice(a, x)) != token(Other(a, x))


def test_results_by_their_content_where_no_file_has_a_checksum() -> None:
    one, again, other = (published("attack", result(seed)) for seed in (0, 0, 1))
    assert token(one) == token(again) != token(other)


def test_a_stored_result_by_its_files() -> None:
    stored = published("attack", result())
    manifest = replace(stored.manifest, files={"scalars.json": "ab"})
    first = replace(stored, manifest=manifest)
    assert token(first) == token(replace(first))
    for changed in (
        replace(first, manifest=replace(manifest, files={"scalars.json": "cd"})),
        replace(first, manifest=replace(manifest, created="2026-11-25T12:00:00+00:00")),
        replace(first, folder=first.folder / "another"),
        replace(first, published=False),
    ):
        assert token(changed) != token(first)


def test_data_sets_by_content_and_split() -> None:
    digits = load_dataset("digits")
    assert token(Samples(digits)) == token(Samples(digits))
    assert token(Samples(digits)) != token(Samples(digits, "test"))
    changed = replace(digits, X_test=digits.X_test + 1)
    named = replace(digits, class_names=tuple("abcdefghij"))
    assert len({token(digits), token(changed), token(named)}) == 3


def defined(number: int) -> Callable[[], int]:
    def inner() -> int:
        return number

    return inner


def again() -> Callable[[], int]:
    def inner() -> int:
        return 1

    return inner


def test_functions_by_their_code_unless_they_remember() -> None:
    assert token(again()) == token(again()) != token(defined)
    with pytest.raises(NoToken, match="remembers"):
        token(defined(1))


@pytest.mark.parametrize("value", [object(), Changing("a"), {1, 2}, iter([]), [object()]])
def test_what_may_change_or_is_unknown_has_none(value: object) -> None:
    with pytest.raises(NoToken):
        token(value)


def test_an_object_that_is_gone_is_forgotten() -> None:
    def held() -> int:
        gc.collect()
        return len(REMEMBERED.held())

    before = held()
    tables = [pd.DataFrame({"a": [n]}) for n in range(50)]
    assert len({token(table) for table in tables}) == 50
    assert held() == before + 50
    del tables
    assert held() == before
