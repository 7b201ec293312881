"""The paper against us: what is published is put beside the paper, and can be filtered."""

from pages.common.lab import registry
from tests.support.pages import Open, tables, unfold, words

PAGE = registry.page("paper")


SHOWN = ["✗ differs", "– not comparable"]  # at first


def test_the_finding_counts_the_verdicts_that_are_listed(open_page: Open) -> None:
    app = open_page(PAGE)
    assert not app.exception
    assert app.button_group(key="verdicts").value == SHOWN
    assert "- ✓ On **" not in words(app)
    app.button_group(key="verdicts").set_value(["✓ reproduced", *SHOWN]).run()
    said = words(app)
    listed = {mark: said.count(f"- {mark[0]} On **") for mark in ("✓ reproduced", *SHOWN)}
    assert all(listed.values())
    assert f"**Mostly: {listed['✓ reproduced']} of {sum(listed.values())} checks" in said
    assert (
        "success rates of its tables are not compared: this lab turns the pictures into other"
        in said
    )
    spec = app.get("plotly_chart")[0].proto.spec
    assert f"{listed['✗ differs']} differ\\u003c" in spec
    assert f"{listed['– not comparable']} not comparable\\u003c" in spec
    assert "Every part of the attack helps, or does no harm</span>" in said
    assert len(app.get("plotly_chart")) == 1


def test_the_paper_s_tables_say_why_a_level_cannot_be_compared(open_page: Open) -> None:
    app = unfold(open_page(PAGE))
    assert not app.exception
    assert len(app.get("plotly_chart")) >= 3
    (table,) = tables(app)
    assert table.columns.tolist() == ["table", "data", "paper", "here", "verdict"]
    assert all(verdict.startswith("not comparable: ") for verdict in table["verdict"])
    with_ours = table[table["here"] != "–"]
    assert with_ours["here"].str.contains(r"k = \d+, \d+ targets; [\d.]+ to [\d.]+").all()


def test_a_verdict_can_be_left_out(open_page: Open) -> None:
    app = open_page(PAGE)
    app.button_group(key="verdicts").set_value(["✗ differs"]).run()
    assert not app.exception
    assert "- ✗ On **" in words(app)
    assert "- – On **" not in words(app)
    app.button_group(key="verdicts").set_value([]).run()
    assert "No verdict is chosen." in words(app)
