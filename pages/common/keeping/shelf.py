"""What pages make of their values is made once for all visitors, and kept within a memory budget.

`kept` decorates a function of a page that depends on nothing but its arguments: figures, tables,
sentences. All visitors share what it returns: nobody may change it. The key is made of the
function and the tokens of the arguments, so that a result which is computed anew, or a changed data
set, has another key. What has not been asked for longest is dropped first.
"""

import math
import os
import sys
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, fields, is_dataclass
from functools import wraps
from inspect import signature
from threading import Lock
from typing import Any, ParamSpec, TypeVar

import numpy as np
import pandas as pd

from engine.settings import number
from pages.common.keeping.ready import Ready
from pages.common.keeping.tokens import NoToken, Remembered, token

P = ParamSpec("P")
T = TypeVar("T")
NUMBERS, NUMBER = {int, float, bool, type(None)}, 28  # and bytes of each at most
OVERHEAD = 500  # bytes of a key and of what is noted with it
BUDGET_MB = 256.0


def budget(environment: Mapping[str, str] = os.environ) -> int:
    """Return how many bytes may be kept, from IAL_PAGES_MB (in units of 2**20 bytes). Raises
    InvalidInput."""
    zero = "0 to keep nothing"
    return int(2**20 * number(environment, "IAL_PAGES_MB", BUDGET_MB, "MB", zero))


@dataclass
class Counts:
    """How often something was found, and how often it had to be made."""

    found: int = 0
    made: int = 0


class Shelf:
    """Values by their keys, at most `budget` bytes and `most` of them; the least recently used go
    first."""

    def __init__(self, budget: float, most: float = math.inf) -> None:
        self.budget, self.most, self.counts = budget, most, Counts()
        # Any: each key's value is of the type that its own `make` returns.
        self._kept: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._making: dict[Hashable, Future[Any]] = {}
        self._lock, self._bytes = Lock(), 0

    @property
    def bytes(self) -> int:
        """Return the size of what is kept, in bytes."""
        return self._bytes

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return the value under a key; where there is none, `make` makes it, once for all who ask
        meanwhile: they wait, and meet its error if it fails."""
        with self._lock:
            found = self._kept.get(key)
            if found is not None:
                self._kept.move_to_end(key)
                self.counts.found += 1
                return found[0]
            future = self._making.get(key)
            mine = future is None
            if future is None:
                future = self._making[key] = Future()
                self.counts.made += 1
        if not mine:
            return future.result()
        try:
            made = make()
        except BaseException as error:
            self._ended(key)
            future.set_exception(error)
            raise
        self._put(key, made)
        future.set_result(made)
        return made

    def values(self) -> list[object]:
        """Return everything that is kept."""
        with self._lock:
            return [value for value, _ in self._kept.values()]

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._kept.clear()
            self._bytes = 0

    def _ended(self, key: Hashable) -> None:
        with self._lock:
            del self._making[key]

    def _put(self, key: Hashable, value: object) -> None:
        size = size_of(value) + OVERHEAD
        with self._lock:
            del self._making[key]
            if size > self.budget:
                return
            self._kept[key] = value, size
            self._bytes += size
            while self._bytes > self.budget or len(self._kept) > self.most:
                _, (_, freed) = self._kept.popitem(last=False)
                self._bytes -= freed


SIZES = Remembered[int]()  # of tables: many kept values hold the same stored result


def size_of(value: object) -> int:
    """Estimate the bytes that a value holds. An object that occurs twice in it counts twice."""
    if isinstance(value, pd.DataFrame | pd.Series):
        return SIZES.of(value, lambda: int(np.sum(value.memory_usage(deep=True))))
    if isinstance(value, np.ndarray):
        return 0 if isinstance(value, np.memmap) else value.nbytes
    if isinstance(value, tuple | list | set | frozenset):
        if set(map(type, value)) <= NUMBERS:  # thousands in a figure: not each by itself
            return sys.getsizeof(value) + NUMBER * len(value)
        return sys.getsizeof(value) + sum(map(size_of, value))
    if isinstance(value, Ready):
        return size_of(value.text) + size_of(dict(value))
    if isinstance(value, Mapping):
        return sys.getsizeof(value) + sum(size_of(n) + size_of(v) for n, v in value.items())
    if is_dataclass(value) and not isinstance(value, type):
        return sys.getsizeof(value) + sum(size_of(getattr(value, f.name)) for f in fields(value))
    return sys.getsizeof(value)


SHELF = Shelf(budget())


def kept(function: Callable[P, T], shelf: Shelf = SHELF) -> Callable[P, T]:
    """Return `function` with its answers kept. For arguments without a token it is called each
    time. Raises NoToken for a function that remembers variables of another one."""
    name = token(function)

    @wraps(function)
    def asked(*args: P.args, **kwargs: P.kwargs) -> T:
        if kwargs:
            bound = signature(function).bind(*args, **kwargs)
            args, kwargs = bound.args, bound.kwargs  # type: ignore[assignment]
        try:
            key = name, token(args), token(kwargs)
        except NoToken:
            return function(*args, **kwargs)
        return shelf.get(key, lambda: function(*args, **kwargs))

    return asked
