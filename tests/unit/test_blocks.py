"""Tables as HTML: every cell is shown as what it is, whatever characters it has."""

from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as some

from pages.common.widgets import blocks

PRINTABLE = some.text(some.characters(min_codepoint=32, exclude_categories=("Cs", "Cc", "Cn")))


def cells(body: str) -> list[list[str]]:
    return [["".join(c.itertext()) for c in row] for row in ElementTree.fromstring(body).iter("tr")]


def shown(frame: pd.DataFrame, **formats: Callable[[Any], str]) -> str:
    bodies: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "html", bodies.append)
        blocks.table(frame, 'a "table" & more', formats)
    (body,) = bodies
    return body


@given(some.lists(some.tuples(PRINTABLE, PRINTABLE), min_size=1, max_size=4))
def test_text_comes_through_as_it_is(rows: list[tuple[str, str]]) -> None:
    frame = pd.DataFrame(rows, columns=["a<b", "c&d"], dtype=object)
    assert cells(shown(frame)) == [["a<b", "c&d"], *map(list, rows)]


def test_formats_numbers_and_what_is_missing() -> None:
    frame = pd.DataFrame({"n": [1200, 3], "x": [0.5, None], "said": ["<b>", None]})
    body = shown(frame, n="{:,}".format)
    assert cells(body)[1:] == [["1,200", "0.5", "<b>"], ["3", "–", "–"]]
    assert '<td class="number">1,200</td>' in body
    assert '<td class="short">&lt;b&gt;</td>' in body
    long = shown(pd.DataFrame({"said": ["a sentence that may be broken where it must"]}))
    assert "<td>a sentence" in long


def test_a_table_without_rows_has_its_head() -> None:
    assert cells(shown(pd.DataFrame({"a": [], "b": []}))) == [["a", "b"]]


@pytest.mark.parametrize(("columns", "wide"), [(2, False), (9, True)])
def test_a_table_wider_than_a_phone_is_marked(columns: int, wide: bool) -> None:
    body = shown(pd.DataFrame({f"column {i}": [1000.5] for i in range(columns)}))
    assert ('class="ial-framed wide"' in body) == wide


def test_marks_in_a_cell_take_no_width() -> None:
    cell = '<a href="https://example.org/a-long-address-that-nobody-reads">5</a>'
    frame = pd.DataFrame({name: [5] for name in "abcde"})
    body = shown(frame, **{name: lambda _: cell for name in "abcde"})
    assert 'class="ial-framed"' in body
