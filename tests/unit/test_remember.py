"""What was made of a table is made once, of each table and for each value."""

import pandas as pd

from pages.common.memoised import by_table


def test_the_same_table_is_asked_once() -> None:
    asked: list[tuple[int, tuple[int, ...]]] = []

    def scaled(table: pd.DataFrame, factors: tuple[int, ...] = (1,)) -> pd.DataFrame:
        asked.append((len(table), tuple(factors)))
        return table * factors[0]

    remembered = by_table(scaled, size=2)
    one, equal, longer = (pd.DataFrame({"a": range(n)}) for n in (2, 2, 3))
    first = remembered(one, [2])
    first.loc[:, "a"] = -1  # what a page does to its answer stays its own
    assert remembered(one, [2])["a"].tolist() == [0, 2]
    assert asked == [(2, (2,))]
    assert remembered(one)["a"].tolist() == [0, 1]
    assert remembered(equal, [2])["a"].tolist() == [0, 2]
    assert len(asked) == 3, "another value, and another table, are asked for"
    assert remembered(longer, [2])["a"].tolist() == [0, 2, 4]
    remembered(one, [2])
    assert len(asked) == 5, "only the last two are kept"
