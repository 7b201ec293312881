"""Options as frozen dataclasses whose fields say what they may be.

    @dataclass(frozen=True, kw_only=True)
    class Walk(Options):
        steps: int = option(100, at_least(1))
        order: str = option("highest_first", OneOf(ORDERS))

`Walk(steps=0)` raises InvalidInput. A check is called with the field's name and value, and returns
the value as it is kept: `Walk(steps=numpy.int64(3))` holds the int 3.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import Field, dataclass, field, fields
from functools import cache
from numbers import Real
from typing import TypeVar, cast

from engine.checks import check_choice, check_integer, check_positive
from engine.errors import InvalidInput

T = TypeVar("T")
Number = TypeVar("Number", int, float)
Check = Callable[[str, object], T]
CHECK, ADDED = "check", "added"  # keys of a field's metadata


@dataclass(frozen=True)
class Options:
    """Base of dataclasses with checked fields: equal values make equal objects, with one key.

    1 and 1.0 become one float, a list and a tuple one tuple. Raises InvalidInput, which names the
    field, its value and what it must be.
    """

    def __post_init__(self) -> None:
        kind: type = type(self)
        for name, check in checks_of(kind):
            settle(self, **{name: check(name, getattr(self, name))})


@cache
def checks_of(kind: type) -> tuple[tuple[str, Check[object]], ...]:
    """Return the checked fields of options, each with its check. Requests are made many times a
    page run."""
    every = ((item.name, item.metadata.get(CHECK)) for item in fields(kind))
    return tuple((name, check) for name, check in every if check is not None)


def option(default: T, check: Check[T], added: bool = False) -> T:
    """Declare a field with its default and its check.

    added: results were stored before the field existed, so that the key of a request leaves the
    field out at its default (`engine.experiments.values_of`).
    """
    return field(default=default, metadata={CHECK: check, ADDED: added})


def settle(made: Options, **values: object) -> None:
    """Write checked values into frozen options, from within their `__post_init__`."""
    for name, value in values.items():
        object.__setattr__(made, name, value)


Made = TypeVar("Made", bound=Options)


def taken_from(kind: type[Made], source: object, **values: object) -> Made:
    """Make options of `kind` from `values` and, for its other fields, from what `source` has of
    the same name; what neither has keeps its default."""
    shared = {f.name: getattr(source, f.name) for f in fields(kind) if hasattr(source, f.name)}
    make = cast(Callable[..., Made], kind)  # `Options` itself has no fields
    return make(**(shared | values))


@dataclass(frozen=True)
class OneOf:
    """Check for one of some names; `choices` says what each means."""

    choices: Mapping[str, str]

    def __call__(self, name: str, value: object) -> str:
        return check_choice(name, value, self.choices)


def choices_of(item: "Field[object]") -> Mapping[str, str]:
    """Return the choices that a field offers with what each means; none where it is free."""
    check = item.metadata.get(CHECK)
    return check.choices if isinstance(check, OneOf) else {}


def any_text(name: str, value: object) -> str:
    """Check for a text, which may be empty. Raises InvalidInput."""
    if not isinstance(value, str):
        raise InvalidInput(name, value, "a text")
    return value


def at_least(low: int, high: int | None = None) -> Check[int]:
    """Check for a whole number within [low, high]."""
    return lambda name, value: check_integer(name, value, low, high)


def not_negative(name: str, value: object) -> float:
    """Check for a finite number >= 0."""
    return check_positive(name, value, allow_zero=True)


def truth(name: str, value: object) -> bool:
    """Check for a truth value, whatever stands for it. Raises InvalidInput."""
    try:
        return bool(value)
    except (TypeError, ValueError):  # a missing value, an array of several
        raise InvalidInput(name, value, "True or False") from None


def optional(check: Check[T]) -> Check[T | None]:
    """Check for None, or what `check` accepts."""
    return lambda name, value: None if value is None else check(name, value)


def entries(name: str, values: object) -> list[object]:
    """Check for a sequence with at least one entry; return its entries. Raises InvalidInput."""
    try:
        plain = values.tolist() if hasattr(values, "tolist") else values  # arrays and tensors
        listed = list(plain) if isinstance(plain, Iterable) else []
    except TypeError:  # an array without axes
        listed = []
    if isinstance(values, str | bytes | Mapping) or not listed:
        raise InvalidInput(name, values, "a sequence with at least one entry")
    return listed


def each(check: Check[T]) -> Check[tuple[T, ...]]:
    """Check for a sequence, every entry of which `check` accepts."""
    return lambda name, values: tuple(check(name, value) for value in entries(name, values))


def one_or_each(check: Check[T]) -> Check[tuple[T, ...]]:
    """Check as `each` does; a single number stands for the sequence of it alone."""
    return lambda name, values: each(check)(name, [values] if isinstance(values, Real) else values)


def distinct(check: Check[T]) -> Check[tuple[T, ...]]:
    """Check as `each` does; every value is kept once, where it comes first."""
    return lambda name, values: tuple(dict.fromkeys(each(check)(name, values)))


def ascending(check: Check[Number]) -> Check[tuple[Number, ...]]:
    """Check as `each` does; every value is kept once, the smallest first."""
    return lambda name, values: tuple(sorted(set(each(check)(name, values))))
