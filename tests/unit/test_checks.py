"""Checks of plain parameters: what passes, what does not, and what the message says."""

import pickle
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.checks import LARGEST, check_choice, check_integer, check_positive, check_targets
from engine.errors import EngineError, InvalidInput, shorten

NOT_NUMBERS = [None, "3", "", b"3", [], [3], {}, object(), True, np.bool_(True), 1j, np.array([3])]


@given(st.integers(-(10**30), 10**30), st.integers(-5, 5), st.integers(0, 10))
def test_check_integer_accepts_exactly_the_range(value: int, low: int, width: int) -> None:
    if low <= value <= low + width:
        assert check_integer("k", value, low, low + width) == value
    else:
        with pytest.raises(InvalidInput):
            check_integer("k", value, low, low + width)


@pytest.mark.parametrize("value", [np.int64(3), np.uint8(3), np.array(3), pd.Series([3])[0]])
def test_check_integer_gives_a_plain_int(value: object) -> None:
    number = check_integer("k", value, 1)
    assert (type(number), number) == (int, 3)


@pytest.mark.parametrize("value", [*NOT_NUMBERS, 3.0, np.float64(3), Decimal(3), float("nan"), 0])
def test_check_integer_refuses(value: object) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_integer("k", value, 1)
    assert str(caught.value) == f"k must be a whole number >= 1. Got {shorten(value)} instead."


def test_check_integer_says_the_range() -> None:
    with pytest.raises(InvalidInput, match=r"k must be a whole number in \[1, 1200\]\. Got 1201 i"):
        check_integer("k", 1201, 1, 1200)


@given(st.floats() | st.integers() | st.fractions())
def test_check_positive_accepts_exactly_what_float32_holds_above_zero(value: float) -> None:
    if 0 < value <= LARGEST:
        assert check_positive("radius", value) == float(value)
        assert check_positive("radius", value, allow_zero=True) == float(value)
    else:
        with pytest.raises(InvalidInput):
            check_positive("radius", value)


@pytest.mark.parametrize("value", [0, 0.0, -0.0, np.float32(0)])
def test_zero_passes_only_where_it_is_allowed(value: float) -> None:
    assert check_positive("l2", value, allow_zero=True) == 0
    with pytest.raises(InvalidInput, match=r"l2 must be a finite number > 0\. Got .* instead\."):
        check_positive("l2", value)


@pytest.mark.parametrize(
    "value", [np.float32(0.5), np.float64(0.5), np.float16(0.5), Fraction(1, 2)]
)
def test_check_positive_gives_a_plain_float(value: object) -> None:
    number = check_positive("radius", value)
    assert (type(number), number) == (float, 0.5)


@pytest.mark.parametrize(
    "value", [*NOT_NUMBERS, -1, -1e-300, float("nan"), float("inf"), np.float32("nan"), 10**400]
)
def test_check_positive_refuses(value: object) -> None:
    for allow_zero, expected in ((False, "> 0"), (True, ">= 0")):
        with pytest.raises(InvalidInput) as caught:
            check_positive("radius", value, allow_zero=allow_zero)
        assert str(caught.value) == (
            f"radius must be a finite number {expected}. Got {shorten(value)} instead."
        )


def test_check_choice() -> None:
    choices = ("higher_ranked", "top_k")
    assert check_choice("objective", "top_k", choices) == "top_k"
    assert check_choice("objective", "top_k", iter(choices)) == "top_k"
    for value in ("Top_k", "", None, 1, [], ["top_k"], np.array(choices), b"top_k"):
        with pytest.raises(InvalidInput, match=r"one of 'higher_ranked', 'top_k'\. Got"):
            check_choice("objective", value, choices)


@pytest.mark.parametrize(
    ("targets", "expected"),
    [
        (0, (0,)),
        (1199, (1199,)),
        (np.int32(7), (7,)),
        (np.array(7), (7,)),
        ([5, 3], (5, 3)),
        ((5,), (5,)),
        (range(3), (0, 1, 2)),
        (np.array([5, 3], dtype=np.uint8), (5, 3)),
        (pd.Series([5, 3], index=[9, 8]), (5, 3)),
        ({5}, (5,)),
        ((i for i in (5, 3)), (5, 3)),
    ],
)
def test_check_targets_gives_a_tuple_in_the_order_given(
    targets: object, expected: tuple[int, ...]
) -> None:
    found = check_targets(targets, 1200)
    assert found == expected
    assert all(type(index) is int for index in found)


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (1200, r"target must be a whole number in \[0, 1199\]\. Got 1200 instead"),
        (-1, r"target must be a whole number in \[0, 1199\]\. Got -1 instead"),
        ([3, 1200], r"target .*Got 1200 instead"),
        ([3, 4.0], r"target .*Got 4\.0 instead"),
        ([3, True], r"target .*Got True instead"),
        ([[3, 4]], r"target .*Got \[3, 4\] instead"),
        (np.zeros((2, 2), int), r"target .*Got array"),
        (3.5, r"target .*Got 3\.5 instead"),
        (None, r"target .*Got None instead"),
        ("34", r"targets must be a training index or a sequence of them\. Got '34' instead"),
        (b"34", r"targets must be a training index or a sequence of them"),
        ([], r"targets must be at least one training index\. Got \[\] instead"),
        ([3, 5, 3, 5, 3], r"targets must be distinct; \[3, 5\] appear more than once"),
    ],
)
def test_check_targets_refuses(targets: object, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        check_targets(targets, 1200)


def test_an_error_keeps_its_parts_across_processes() -> None:
    error = InvalidInput("radius", -0.3, "a finite number > 0")
    copy = pickle.loads(pickle.dumps(error))
    assert isinstance(copy, InvalidInput)
    assert issubclass(InvalidInput, EngineError) and issubclass(InvalidInput, ValueError)
    assert (copy.name, copy.value, copy.expected) == ("radius", -0.3, "a finite number > 0")
    assert str(copy) == str(error)


def test_long_values_are_shortened() -> None:
    assert shorten("a" * 78) == repr("a" * 78)
    assert shorten(list(range(1000)), limit=20) == "[0, 1, 2, 3, 4, 5, …"
    assert len(shorten("a" * 1000)) == 80
