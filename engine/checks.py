"""Checks of plain parameters, worded once: what was given, its value, what it must be."""

import math
import operator
from collections.abc import Iterable
from numbers import Real

import numpy as np
from numpy.typing import NDArray

from engine.errors import InvalidInput
from engine.vocabulary import SIGNS

MEAN_ROUNDING = 1e-6  # of a mean of weights, which float32 may hold
LARGEST = 1e30  # float32 still holds what is computed with it


def check_choice(name: str, value: object, choices: Iterable[str]) -> str:
    """`value` if it is one of `choices`. Raises InvalidInput."""
    choices = list(choices)
    if not isinstance(value, str) or value not in choices:
        raise InvalidInput(name, value, "one of " + ", ".join(f"'{c}'" for c in choices))
    return value


def order_sign(order: str) -> int:
    """+1 for 'highest_first', −1 for 'lowest_first'; raises InvalidInput for another order."""
    return SIGNS[check_choice("order", order, SIGNS)]


def check_integer(name: str, value: object, low: int, high: int | None = None) -> int:
    """`value` as int, within [low, high]. Raises InvalidInput."""
    expected = f"a whole number >= {low}" if high is None else f"a whole number in [{low}, {high}]"
    try:
        number = operator.index(value)  # type: ignore[arg-type]  # the failure is the check
    except TypeError:
        raise InvalidInput(name, value, expected) from None
    if isinstance(value, bool) or number < low or (high is not None and number > high):
        raise InvalidInput(name, value, expected)
    return number


def check_positive(name: str, value: object, allow_zero: bool = False) -> float:
    """`value` as a float above zero (or equal to it, where `allow_zero`), at most LARGEST.

    Raises InvalidInput.
    """
    expected = f"a finite number {'>= 0' if allow_zero else '> 0'}"
    if isinstance(value, bool) or not isinstance(value, Real):
        raise InvalidInput(name, value, expected)
    try:
        number = float(value)
    except OverflowError:  # an integer that no float can hold
        raise InvalidInput(name, value, expected) from None
    if not math.isfinite(number) or number < 0 or (number == 0 and not allow_zero):
        raise InvalidInput(name, value, expected)
    if number > LARGEST:
        raise InvalidInput(name, number, f"at most {LARGEST:g}")
    return number


def array_of(values: object) -> NDArray:
    """`values` as an array; a data frame whose columns are all numbers as numbers, even where they
    are of different kinds or of pandas' own. Raises what NumPy raises for anything else."""
    try:
        kinds = {dtype.kind for dtype in getattr(values, "dtypes", ())}
    except (TypeError, AttributeError):  # a series has one type alone
        kinds = set()
    if kinds == {"b"}:
        return np.asarray(values, dtype=bool)
    return np.asarray(values, dtype=np.float64 if kinds and kinds <= set("fiub") else None)


def is_one_number(values: object) -> bool:
    """Return whether an array or a tensor has no axes: it has `__iter__`, and cannot be iterated
    over."""
    return getattr(values, "ndim", None) == 0


def check_array(name: str, values: object) -> NDArray[np.float64]:
    """`values` (an array, list, data frame, tensor …) as a float64 array of real numbers.

    Raises InvalidInput.
    """
    expected = "an array of real numbers"
    try:
        array = array_of(values)
        if array.dtype.kind not in "fiub":
            raise InvalidInput(name, f"dtype {array.dtype}", expected)
        return np.asarray(array, dtype=np.float64)
    except (ValueError, TypeError, RuntimeError) as error:  # ragged lists, tensors with gradients
        if isinstance(error, InvalidInput):
            raise
        raise InvalidInput(name, str(error), expected) from None


def check_targets(targets: object, n_train: int) -> tuple[int, ...]:
    """`targets` (one index or several) as a tuple of distinct training indices.

    Raises InvalidInput.
    """
    if isinstance(targets, str | bytes):
        raise InvalidInput("targets", targets, "a training index or a sequence of them")
    try:
        sequence = list(targets)  # type: ignore[call-overload]  # the failure is the check
    except TypeError:
        sequence = [targets]
    indices = tuple(check_integer("target", t, 0, n_train - 1) for t in sequence)
    if not indices:
        raise InvalidInput("targets", targets, "at least one training index")
    if len(set(indices)) != len(indices):
        repeated = sorted({i for i in indices if indices.count(i) > 1})
        raise InvalidInput("targets", targets, f"distinct; {repeated} appear more than once")
    return indices


def check_weights(target_weight: object) -> tuple[float, ...]:
    """`target_weight` (one weight or several) as a tuple of distinct finite floats, each >= 1.

    Raises InvalidInput.
    """
    expected = "a finite number >= 1, or a sequence of them"
    if isinstance(target_weight, str | bytes):
        raise InvalidInput("target_weight", target_weight, expected)
    try:
        sequence = list(target_weight)  # type: ignore[call-overload]  # the failure is the check
    except TypeError:
        sequence = [target_weight]
    weights = tuple(check_positive("target_weight", w) for w in sequence)
    if not weights:
        raise InvalidInput("target_weight", target_weight, "at least one weight")
    if min(weights) < 1:
        raise InvalidInput("target_weight", min(weights), expected)
    if len(set(weights)) != len(weights):
        raise InvalidInput("target_weight", target_weight, "distinct weights")
    return weights


def check_sample_weights(weights: object, n_train: int) -> NDArray[np.float64]:
    """`weights` of the training samples as (n,) float64, none negative, their mean 1.

    Raises InvalidInput.
    """
    array = check_array("weights", weights)
    if array.shape != (n_train,):
        raise InvalidInput("weights", array.shape, f"of shape ({n_train},), one for each sample")
    if not np.isfinite(array).all() or array.min() < 0:
        raise InvalidInput("weights", float(array.min()), "finite, none negative")
    if abs(array.mean() - 1) > MEAN_ROUNDING:
        raise InvalidInput("weights", f"a mean of {array.mean():.6g}", "of mean 1: divide by it")
    return np.ascontiguousarray(array)
