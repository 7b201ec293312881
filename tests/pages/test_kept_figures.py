"""What one visitor's page has made of results is there for the next visitor, until they change."""

from dataclasses import replace

import pytest
from streamlit.testing.v1 import AppTest

from engine.data.load import load_dataset
from engine.results.store import Store, Stored
from engine.settings import Settings
from pages.common.keeping import tokens
from pages.common.keeping.shelf import SHELF
from pages.common.lab.registry import PAGES, PageEntry, page
from tests.support.pages import SMALL, Open, unfold, words

PAGE = page("move-one-sample")
LINK = {"dataset": "small", "target": 7, "radius": 0.5, "restarts": 1}


def figures(app: AppTest) -> list[str]:
    return [chart.proto.spec for chart in app.get("plotly_chart")]


def test_the_second_visitor_makes_nothing_and_sees_the_same(open_page: Open) -> None:
    SHELF.clear()
    before = SHELF.counts.made
    first = unfold(open_page(PAGE, **LINK))
    made = SHELF.counts.made
    assert made >= before + len(figures(first)) >= before + 5
    second = unfold(open_page(PAGE, **LINK))
    assert not second.exception
    assert SHELF.counts.made == made
    assert (figures(second), words(second)) == (figures(first), words(first))


@pytest.mark.parametrize("entry", PAGES, ids=lambda entry: entry.url)
def test_a_second_opening_of_a_page_makes_nothing_and_reads_no_table(
    entry: PageEntry, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of what stored results give: a table that a page makes anew is read whole for its token."""
    assert not open_page(entry).exception
    made, whole = SHELF.counts.made, tokens.read
    read: list[object] = []

    def noted(value: object) -> tokens.Token:
        read.append(value)
        return whole(value)

    monkeypatch.setattr(tokens, "read", noted)
    assert not open_page(entry).exception
    assert (SHELF.counts.made - made, len(read)) == (0, 0)


def test_a_result_that_is_computed_anew_has_new_figures(
    open_page: Open, settings: Settings
) -> None:
    content, store = load_dataset("small", settings.data_dir).content_hash, Store.of(settings)
    found = store.find("attack", SMALL, content)
    assert found is not None
    first = unfold(open_page(PAGE, **LINK))

    def write(result: object) -> None:
        store.write("attack", SMALL, content, result, 1.0, "CPU", replace_old=True)

    write(replace(found.result, accuracy_after=found.result.accuracy_after - 0.25))
    try:
        changed = unfold(open_page(PAGE, **LINK))
    finally:
        write(found.result)
    again = unfold(open_page(PAGE, **LINK))
    assert not changed.exception
    assert figures(changed) != figures(first)
    assert figures(again) == figures(first)


def test_no_figure_depends_on_the_theme(example: Stored, open_page: Open) -> None:
    """The browser puts the theme's colours in: what is kept serves light and dark."""
    charts = unfold(open_page(PAGE)).get("plotly_chart")
    assert charts
    assert {chart.proto.theme for chart in charts} == {"streamlit"}
