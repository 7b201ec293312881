"""The paper against us: what is published is put beside the paper, and can be filtered."""

from pages.common.lab import registry
from tests.support.pages import Open, tables, words

PAGE = registry.page("paper")


def test_the_finding_counts_the_verdicts_that_are_listed(open_page: Open) -> None:
    app = open_page(PAGE)
    assert not app.exception
    said = words(app)
    listed = {mark: said.count(f"- {mark} on **") for mark in ("✓ reproduced", "✗ differs")}
    assert all(listed.values())
    assert f"**{listed['✓ reproduced']} reproduced**, {listed['✗ differs']} differ" in said
    assert "cannot be compared in level" in said
    assert len(app.get("plotly_chart")) >= 2
    assert set(tables(app)[0]["verdict"]) == {"not comparable"}


def test_a_verdict_can_be_left_out(open_page: Open) -> None:
    app = open_page(PAGE)
    app.button_group(key="verdicts").set_value(["✗ differs"]).run()
    assert not app.exception
    assert "- ✗ differs on **" in words(app)
    assert "- ✓ reproduced on **" not in words(app)
    app.button_group(key="verdicts").set_value([]).run()
    assert "No verdict is chosen." in words(app)
