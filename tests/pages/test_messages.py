"""What a page sends when it is opened: no more messages than it may.

A message costs the server up to a tenth of a millisecond for every visitor, a control two tenths.
`python -m tests.benchmarks class` measures that; here messages are counted, so that a page does not
grow unnoticed.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from pages.common.lab.registry import PAGES, PageEntry
from tests.support.pages import Open

A_PAGE, A_CHART = 30, 10  # messages: of a page without a chart, and more for each chart
MORE = {
    "apart": 6,  # two models side by side, each with what is known of it
    "audit": 6,
    "fairness": 10,  # the controls of a run of one's own
    "influence": 6,  # two grids of samples beside each other
    "move-one-sample": 4,
    "what-works": 10,
    "data": 125,  # every data set with its licence and its buttons
}


def sent(app: AppTest) -> int:
    """Count the containers and elements that a page has sent in its last run."""

    def within(block: Any) -> Iterator[Any]:  # Streamlit's blocks and elements
        for part in block.children.values():
            yield part
            if hasattr(part, "children"):
                yield from within(part)

    return sum(1 for root in app._tree.children.values() for _ in within(root))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.url)
def test_a_page_sends_no_more_messages_than_it_may(page: PageEntry, open_page: Open) -> None:
    app = open_page(page)
    assert not app.exception
    most = A_PAGE + A_CHART * len(app.get("plotly_chart")) + MORE.get(page.url, 0)
    assert sent(app) <= most, "put what few readers need into a fold, which is one message"


def test_json_is_put_together_from_both_parts() -> None:
    import json

    from pages.common.keeping.ready import Ready, as_json

    for values in ({}, {"a": 1}, {"a": "}", "b": [1]}):
        for more in ({}, {"a": 2}, {"c": "{"}):
            assert json.loads(as_json(Ready(values), more)) == {**values, **more}
            assert json.loads(as_json(values, more)) == {**values, **more}
