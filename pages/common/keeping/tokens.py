"""Tokens: short names for values, equal for equal values and different for different ones.

What a page draws is kept under the tokens of what it is drawn from. A value that has no token (a
function with a state of its own, an object of an unknown kind) means that nothing is kept.
"""

import hashlib
import weakref
from collections.abc import Callable, Hashable, Mapping
from dataclasses import fields, is_dataclass
from datetime import date, timedelta
from enum import Enum
from functools import cache, partial
from itertools import count
from pathlib import PurePath
from types import BuiltinMethodType, CodeType, FunctionType
from typing import Any, Generic, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from engine.data.dataset import Dataset, Images
from engine.results.store import Stored

Token = Hashable
T = TypeVar("T")
PLAIN = (type(None), bool, int, str, bytes)
WRITTEN = (float, np.generic, Enum, PurePath, date, timedelta, type(pd.NA), type(pd.NaT))
INTERNED = 16  # bytes of a digest: values collide by chance once in 2**64


class NoToken(TypeError):
    """A value has no token."""


class Remembered(Generic[T]):
    """One thing about each of many objects that are never changed, such as its token, for as long
    as the object lives.

    Tables, arrays and results are large: each is read once. They are told apart by where they lie
    in memory; a weak reference says when another object may lie there.
    """

    def __init__(self) -> None:
        self._known: dict[int, tuple[weakref.ref[object], T]] = {}

    def of(self, value: object, make: Callable[[], T]) -> T:
        """Return what is known of `value`; `make` computes it where it is asked for the first
        time."""
        place = id(value)
        found = self._known.get(place)
        if found is not None and found[0]() is value:
            return found[1]
        made = make()
        self._known[place] = weakref.ref(value, partial(self._forget, place)), made
        return made

    def _forget(self, place: int, reference: "weakref.ref[object]") -> None:
        found = self._known.get(place)
        if found is not None and found[0] is reference:
            self._known.pop(place, None)

    def held(self) -> list[tuple[object, T]]:
        """Return the objects that live, each with what is known of it."""
        living = [(reference(), known) for reference, known in list(self._known.values())]
        return [(value, known) for value, known in living if value is not None]


REMEMBERED = Remembered[Token]()
_serials = count()
_codes: dict[CodeType, int] = {}  # the number of every code that has a token


def token(value: object) -> Token:
    """Return the token of a value. Nobody may change a table, an array or a dataclass once it has a
    token. Raises NoToken."""
    kind: type = type(value)
    return maker_of(kind)(value)


@cache
def maker_of(kind: type) -> Callable[[Any], Token]:
    """Return what makes the token of values of a type."""
    if kind in PLAIN:
        return lambda value: (kind, value)
    if issubclass(kind, WRITTEN):  # 0 and −0 differ, and NaN is NaN
        return lambda value: (kind, repr(value))
    if issubclass(kind, type):
        return lambda value: ("type", value)
    if issubclass(kind, tuple | list):
        return lambda value: (kind, *map(token, value))
    if issubclass(kind, Mapping):  # its order is that of a legend or a table
        return lambda value: (kind, *((token(n), token(v)) for n, v in value.items()))
    if issubclass(kind, np.ndarray | pd.DataFrame | pd.Series):
        return lambda value: REMEMBERED.of(value, lambda: read(value))
    if issubclass(kind, BuiltinMethodType):
        return of_method
    if issubclass(kind, FunctionType | partial):
        return of_function
    return of_dataclass if is_dataclass(kind) else refuse


def refuse(value: object) -> Token:
    raise NoToken(f"{type(value).__name__} has no token")


def of_method(value: BuiltinMethodType) -> Token:
    """Return the token of a method of a text ("{:,}".format). Raises NoToken for another."""
    of = value.__self__
    return ("method", of, value.__name__) if isinstance(of, str) else refuse(value)


def read(value: object) -> Token:
    """Return the token of an array, a column or a table, by its content. Raises NoToken."""
    if isinstance(value, np.ndarray):
        return of_array(value)
    if isinstance(value, pd.Series):
        return "series", token(value.name), of_column(value), of_column(value.index)
    if isinstance(value, pd.DataFrame):
        columns = [of_column(value.iloc[:, place]) for place in range(value.shape[1])]
        return "table", of_column(value.columns), of_column(value.index), *columns
    raise NoToken(f"{type(value).__name__} has no content that can be read")


def of_array(values: NDArray) -> Token:
    """Return the token of an array: kind, shape and a digest of its bytes."""
    if values.dtype.hasobject:
        return "objects", values.shape, digest(token(values.ravel().tolist()))
    content = np.ascontiguousarray(values).tobytes()
    return "array", values.dtype.str, values.shape, digest(content)


def of_column(values: pd.Series | pd.Index) -> Token:
    """Return the token of a column or an index: names, kind of values and content."""
    if isinstance(values, pd.MultiIndex):
        levels = [values.get_level_values(place) for place in range(values.nlevels)]
        return "levels", *map(of_column, levels)
    name = token(values.name)
    kind: list[Token] = [str(values.dtype)]
    if isinstance(values.dtype, pd.CategoricalDtype):  # which of them are empty is drawn too
        kind += [of_column(values.dtype.categories), values.dtype.ordered]
    if isinstance(values.dtype, np.dtype):
        return name, *kind, of_array(values.to_numpy())
    return name, *kind, digest(token(list(values)))


def digest(content: object) -> str:
    """Return a digest of bytes, or of a token."""
    data = content if isinstance(content, bytes) else repr(content).encode()
    return hashlib.blake2b(data, digest_size=INTERNED).hexdigest()


def of_function(value: FunctionType | partial[object]) -> Token:
    """Return the token of a function by its code and where it stands: scripts of pages define
    theirs anew in every run. Equal codes have one number, which is found faster than a code. Raises
    NoToken for one that remembers variables of another function."""
    if isinstance(value, partial):
        return "partial", token(value.func), token(value.args), token(value.keywords)
    if value.__closure__:
        raise NoToken(f"{value.__qualname__} remembers variables: its answer may depend on them")
    code = value.__code__
    given = token([value.__defaults__, value.__kwdefaults__])
    number = REMEMBERED.of(code, lambda: _codes.setdefault(code, next(_serials)))
    return "function", code.co_filename, value.__qualname__, number, given


def of_dataclass(value: Any) -> Token:  # Any: a frozen dataclass of whatever class
    """Return the token of a frozen dataclass: its fields'. A stored result is told by where it lies
    and the checksums of its files, a data set by its content. Raises NoToken."""
    if not value.__dataclass_params__.frozen:
        raise NoToken(f"{type(value).__name__} is not frozen: it may change")
    if isinstance(value, Stored) and value.manifest.files:
        return REMEMBERED.of(value, lambda: of_stored(value))
    if isinstance(value, Dataset):
        return of_dataset(value)
    if isinstance(value, Images):
        return REMEMBERED.of(value, lambda: ("pictures", next(_serials)))
    return REMEMBERED.of(value, lambda: of_fields(value))


def of_fields(value: Any) -> Token:  # Any: as above
    kind = type(value)
    return kind, *(token(getattr(value, field.name)) for field in fields(value))


def of_stored(stored: Stored) -> Token:
    """Return the token of a stored result. A second computation of the same request gets another
    token."""
    m = stored.manifest
    taken = stored.imported and (stored.imported.source, stored.imported.when)
    files = tuple(m.files.items())
    named = "stored", str(stored.folder), m.created, files, stored.published, taken
    if is_dataclass(stored.result) or isinstance(stored.result, pd.DataFrame):
        REMEMBERED.of(stored.result, lambda: ("result of", named))  # which need not be read then
    return named


def of_dataset(dataset: Dataset) -> Token:
    """Return the token of a data set: its numbers' hash and its names; its pictures, which may be
    many, by which object they are."""
    names = tuple(dataset.class_names), dataset.feature_names and tuple(dataset.feature_names)
    pictures = token(dataset.images)
    return "data", dataset.name, dataset.content_hash, *names, pictures
