"""What pages keep: made once, within a budget, by what it depends on."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InvalidInput
from pages.common.keeping.shelf import OVERHEAD, Shelf, budget, kept, size_of


def test_it_makes_once_for_all_who_ask_at_the_same_time() -> None:
    shelf, begun, go_on = Shelf(10_000), threading.Event(), threading.Event()
    made = []

    def make() -> str:
        begun.set()
        assert go_on.wait(30)
        made.append("once")
        return "figure"

    with ThreadPoolExecutor(8) as visitors:
        first = visitors.submit(shelf.get, "key", make)
        assert begun.wait(30)
        others = [visitors.submit(shelf.get, "key", make) for _ in range(7)]
        go_on.set()
        assert [one.result(30) for one in (first, *others)] == ["figure"] * 8
    assert made == ["once"]


def test_an_error_is_everybodys_and_is_not_kept() -> None:
    shelf = Shelf(10_000)

    def fail() -> str:
        raise ValueError("no such column")

    for _ in range(2):
        with pytest.raises(ValueError, match="no such column"):
            shelf.get("key", fail)
    assert shelf.get("key", lambda: "now it works") == "now it works"


def test_it_keeps_so_many_at_most_those_asked_for_last() -> None:
    shelf = Shelf(float("inf"), most=2)
    made: list[str] = []

    def make(key: str) -> str:
        made.append(key)
        return key

    def ask(key: str) -> str:
        return shelf.get(key, lambda: make(key))

    assert [ask(key) for key in "abacab"] == list("abacab")
    assert made == ["a", "b", "c", "b"]  # b was asked for longest ago when c came


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 3_000)), max_size=60))
def test_it_stays_within_its_budget(asked: list[tuple[int, int]]) -> None:
    shelf = Shelf(10_000)
    for key, size in asked:
        found = shelf.get((key, size), lambda size=size: b"x" * size)  # type: ignore[misc]
        assert found == b"x" * size
        assert 0 <= shelf.bytes <= 10_000


def test_the_least_recently_used_goes_first() -> None:
    shelf = Shelf(3 * (size_of(b"x" * 1_000) + OVERHEAD))
    made: list[str] = []

    def ask(key: str) -> None:
        def make() -> bytes:
            made.append(key)
            return b"x" * 1_000

        shelf.get(key, make)

    for key in ("a", "b", "c", "a", "d", "a", "c", "b"):
        ask(key)
    assert made == ["a", "b", "c", "d", "b"]


def test_what_is_larger_than_the_budget_is_made_each_time() -> None:
    shelf = Shelf(1_000)
    assert [len(shelf.get("key", lambda: b"x" * 2_000)) for _ in range(2)] == [2_000, 2_000]
    assert (shelf.counts.made, shelf.counts.found, shelf.bytes) == (2, 0, 0)


def test_a_function_is_asked_once_for_equal_arguments() -> None:
    shelf = Shelf(100_000)
    calls = []

    def rows(table: pd.DataFrame, k: int, *, least: float = 0.0) -> int:
        calls.append(k)
        return int((table["k"] >= max(k, least)).sum())

    # A function that remembers a list has no token: what it answers may depend on it.
    with pytest.raises(TypeError, match="remembers"):
        kept(rows, shelf)

    remembered = kept(counted, shelf)
    table = pd.DataFrame({"k": [1, 2, 3]})
    assert remembered(table, 2) == remembered(table.copy(), k=2) == 2
    assert (shelf.counts.made, shelf.counts.found) == (1, 1)
    assert remembered(table, 3) == 1
    assert remembered(table.assign(k=9), 2) == 3
    assert shelf.counts.made == 3


def counted(table: pd.DataFrame, k: int) -> int:
    return int((table["k"] >= k).sum())


def test_an_argument_without_token_is_answered_each_time() -> None:
    shelf = Shelf(100_000)
    assert kept(kind, shelf)(object()) == kept(kind, shelf)(object()) == "object"
    assert (shelf.counts.made, shelf.counts.found) == (0, 0)


def kind(value: object) -> str:
    return type(value).__name__


def test_sizes() -> None:
    table = pd.DataFrame({"a": np.arange(1_000), "b": ["text"] * 1_000})
    assert size_of(table) >= 8_000
    assert size_of(np.zeros(100)) == 800
    assert size_of({"a": [b"x" * 5_000]}) >= 5_000


class Counted(pd.DataFrame):
    """A table that counts how often its memory is measured."""

    measured = 0

    def memory_usage(self, index: bool = True, deep: bool = False) -> pd.Series:
        Counted.measured += 1
        return super().memory_usage(index=index, deep=deep)


def test_a_table_is_measured_once_however_many_values_hold_it() -> None:
    table = Counted({"a": np.arange(1_000)})
    alone, held = size_of(table), [size_of((table, words)) for words in ("x", "y", "z")]
    assert Counted.measured == 1
    assert all(size > alone >= 8_000 for size in held)
    assert size_of(Counted({"a": np.arange(10)})) < alone  # another table


def test_the_budget_is_a_setting() -> None:
    assert budget({}) == 256 * 2**20
    assert budget({"IAL_PAGES_MB": "0"}) == 0
    assert budget({"IAL_PAGES_MB": "1.5"}) == 3 * 2**19
    with pytest.raises(InvalidInput, match="IAL_PAGES_MB"):
        budget({"IAL_PAGES_MB": "-1"})
