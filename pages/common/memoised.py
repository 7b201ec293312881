"""What was made of a table is made once, however many parts of a page ask for it."""

from collections import OrderedDict
from collections.abc import Callable
from functools import wraps
from threading import Lock

import pandas as pd


def by_table(function: Callable[..., pd.DataFrame], size: int = 64) -> Callable[..., pd.DataFrame]:
    """`function` of one table and hashable values, with its last `size` answers kept.

    Tables are told apart by which object they are, since to compare or hash their contents costs as
    much as many answers: results are never changed once they are read. The kept answers hold their
    tables, so that no other takes a table's place in memory.
    """
    kept: OrderedDict[tuple, tuple[pd.DataFrame, pd.DataFrame]] = OrderedDict()
    lock = Lock()

    @wraps(function)
    def remembered(table: pd.DataFrame, *values: object) -> pd.DataFrame:
        key = (id(table), *(tuple(v) if isinstance(v, list) else v for v in values))
        with lock:
            found = kept.get(key)
        if found is None:
            found = table, function(table, *values)
            with lock:
                kept[key] = found
                while len(kept) > size:
                    kept.popitem(last=False)
        return found[1].copy()

    return remembered
