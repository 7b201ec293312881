"""The page on the attack's price: its sweep, its controls, links, and a sweep of one's own."""

from collections.abc import Mapping

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from engine.attacks.rates import highest, quiet_rates, success_rates
from engine.results.store import Stored
from pages.common.frames import named_rows
from pages.common.lab import registry
from pages.common.words import rate_words as said_of
from pages.common.words.objective_words import NAMES
from tests.support.pages import SWEPT, Open, check_note, follow, notes, tables, unfold, words

PAGE = registry.page("cost")
Sweeps = Mapping[str, Stored]


def rate(sweeps: Sweeps, k: int, tolerance: float, regime: str, form: str = "any_run") -> str:
    """The best rate as the page says it."""
    rates = success_rates(sweeps["cost"].result, tolerance)
    rates = rates[(rates["k"] == k) & (rates["regime"] == regime) & (rates["form"] == form)]
    return said_of.hits(highest(rates[rates["split"] == "test"]).iloc[0])


def test_the_finding_and_figures_stand_there_before_any_click(
    open_page: Open, as_published: Sweeps
) -> None:
    app = open_page(PAGE, dataset="small")
    assert not app.exception
    assert not app.error
    assert not app.warning
    assert rate(as_published, 1, 0.03, "high_accuracy") in words(app)
    assert "computed here · your features file" in words(app)
    assert len(app.get("plotly_chart")) == 1
    assert "This result is shown on this page" in words(app)
    unfold(app)
    assert not app.exception
    assert len(app.get("plotly_chart")) == 5, "other attacks, other data, the baseline, less data"


def test_the_objectives_that_keep_something_stand_beside_the_papers(
    open_page: Open, as_published: Sweeps
) -> None:
    app = open_page(PAGE, dataset="small", k=3)
    assert not app.exception
    unfold(app)
    assert "“keep accuracy” moves" in words(app)
    assert "“keep predictions and ranks” moves" in words(app)
    shown = next(t for t in tables(app) if "all three" in t.columns)
    both = [as_published[role].result for role in ("cost", "frontier")]
    found = pd.concat([quiet_rates(table) for table in both]).query("k == 3")
    assert len(shown) == len(found) == 6  # three objectives, two radii
    for row in named_rows(shown):
        said, radius = row.attack.split(", ")
        name = next(objective for objective, name in NAMES.items() if name == said)
        mine = found[(found["objective"] == name) & (found["radius"] == float(radius))]
        assert row[1] == f"{mine['success'].iloc[0]} of {mine['attacks'].iloc[0]}"
        assert row[4].startswith(f"{mine['quiet'].iloc[0]} (")


def test_the_tolerance_decides_what_counts(open_page: Open, as_published: Sweeps) -> None:
    app = open_page(PAGE, dataset="small")
    app.slider(key="tolerance").set_value(0.0).run()
    assert "at a cost of at most 0 points" in words(app).lower()
    assert rate(as_published, 1, 0.0, "high_accuracy") in words(app)
    app.slider(key="tolerance").set_value(10.0).run()
    assert "at any cost in accuracy" in words(app)
    assert rate(as_published, 1, 1.0, "best") in words(app)


def test_a_link_restores_k_and_count(open_page: Open, as_published: Sweeps) -> None:
    app = open_page(PAGE, dataset="small", k=3, form="the returned model", tolerance=5.5)
    assert not app.exception
    assert not app.warning
    assert app.selectbox(key="k").value == 3
    assert app.slider(key="tolerance").value == 5.5
    assert rate(as_published, 3, 0.055, "high_accuracy", "returned") in words(app)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("k", "7"),
        ("k", "x"),
        ("form", "zzz`"),
        ("tolerance", "abc"),
        ("tolerance", "nan"),
        ("targets", "0"),
        ("starts", "-1"),
    ],
)
def test_nonsense_in_a_link_gives_a_note(
    name: str, value: str, open_page: Open, as_published: Sweeps
) -> None:
    app = open_page(PAGE, dataset="small", **{name: value})
    check_note(app, name, value)
    assert app.get("plotly_chart")
    app.slider(key="tolerance").set_value(4.0).run()
    assert not notes(app)


def test_an_unknown_data_set_gives_a_note(open_page: Open, as_published: Sweeps) -> None:
    app = open_page(PAGE, dataset="foo")
    assert not app.exception
    assert "dataset=foo" in notes(app)[0]
    assert app.selectbox(key="dataset").value == "digits"


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("radii", "0.1, much", "Radii must be numbers with commas"),
        ("radii", "-1", "radii must be"),
        ("ks", "1.5", "Into the top must be whole numbers"),
        ("ks", ",", "ks must be"),
    ],
)
def test_nonsense_in_the_sweep_of_ones_own_is_said_beside_it(
    name: str, value: str, said: str, open_page: Open, as_published: Sweeps
) -> None:
    app = open_page(PAGE, dataset="small", **{name: value})
    assert not app.exception
    assert said in app.error[0].value
    assert len(app.get("plotly_chart")) == 1


def test_nothing_published_is_said_and_offered(open_page: Open, as_published: Sweeps) -> None:
    app = open_page(PAGE, k="zzz", targets="0")  # digits: nothing is computed for it here
    assert not app.exception
    assert not app.error
    assert "This is not computed for" in words(app)
    assert len(notes(app)) == 1, "of a control that is there"
    assert not app.get("plotly_chart")
    assert not app.button(key="offer-sweep").disabled


def test_a_published_sweep_of_data_that_is_elsewhere(
    open_page: Open, published_elsewhere: Sweeps
) -> None:
    app = open_page(PAGE, dataset="elsewhere")
    assert not app.exception
    assert not app.error
    assert rate(published_elsewhere, 1, 0.03, "high_accuracy") in words(app)
    app.number_input(key="targets").set_value(3).run()
    assert "is not on this machine" in words(app)
    assert not [b for b in app.button if b.key == "offer-sweep"]


def test_a_sweep_of_ones_own_from_click_to_figures(open_page: Open, as_published: Sweeps) -> None:
    app = open_page(PAGE, dataset="small", targets=2, radii="0.4", ks="1", starts=1)
    assert "The figures show the sweep that this page opens with" in words(app)
    assert "2 attacks of 1 run each" in words(app)
    app.button(key="offer-sweep").click().run()
    follow(app, lambda: "This result is shown on this page" in words(app))
    assert "may move by 40%" in words(app)
    assert "of 2 reach" in words(app)
    assert "The figures show the sweep that this page opens with" not in words(app)


def test_choices_carry_over_to_the_other_pages(open_page: Open, as_published: Sweeps) -> None:
    app = open_page(PAGE, dataset="small", k=3, tolerance=6.0)
    for page in (registry.page("many-targets"), PAGE):
        goto(app, page)
        assert app.selectbox(key="dataset").value == "small"
        assert app.selectbox(key="k").value == 3
        assert app.slider(key="tolerance").value == 6.0
    goto(app, registry.page("move-one-sample"))
    assert app.selectbox(key="dataset").value == "small"
    assert app.number_input(key="k").value == 3


def goto(app: AppTest, page: registry.PageEntry) -> None:
    """By the menu: the link's parameters stay behind."""
    app.query_params.clear()
    app.switch_page(page.file).run()
    assert not app.exception


def test_swept_radii_can_be_read_again_as_they_are_shown(
    open_page: Open, as_published: Sweeps
) -> None:
    app = open_page(PAGE, dataset="small")
    assert app.text_input(key="radii").value == "0.2, 0.8"
    assert SWEPT.radii == (0.2, 0.8)
    app.text_input(key="radii").set_value("0.2; 0.8").run()
    assert "This result is shown on this page" in words(app)
