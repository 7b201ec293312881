"""The page on sets of targets: both readings of success, links, a sweep of one's own."""

from collections.abc import Mapping

import pandas as pd
import pytest

from engine.results.store import Stored
from pages.attack.parts import target_sets
from pages.common.asking.rate_view import RateView
from pages.common.lab import registry
from tests.support.pages import Open, check_note, follow, unfold, words

PAGE = registry.page("many-targets")
Sweeps = Mapping[str, Stored]


def finding(sweeps: Sweeps, tolerance: float | None, form: str = "any_run") -> str:
    return target_sets.finding(own(sweeps, tolerance, form), tolerance, 0.8, 3)


def own(sweeps: Sweeps, tolerance: float | None, form: str = "any_run") -> pd.DataFrame:
    """The shares on the attacker's own test set."""
    shares = RateView(1, tolerance, form, 0.8).shares(sweeps["sizes"].result)
    return shares[shares["split"] == "test"]


def test_headline_control_and_figure_speak_of_one_k(open_page: Open, as_published: Sweeps) -> None:
    app = open_page(PAGE, dataset="small")
    assert not app.exception
    assert not app.error
    assert not app.warning
    assert finding(as_published, 0.03) in words(app)
    assert app.selectbox(key="k").value == 3, "the largest"
    assert "the top 3.**" in words(app)
    assert len(app.get("plotly_chart")) == 1, "the others are folded"
    app.selectbox(key="k").set_value(1).run()
    assert "the very top.**" in words(app) and "the top 3.**" not in words(app)
    app.selectbox(key="k").set_value(3).run()
    unfold(app)
    assert len(app.get("plotly_chart")) == 4
    assert target_sets.against_paper(own(as_published, 0.03)).strip() in words(app)
    assert "Means over 3 target sets of each size" in words(app)


def test_the_limit_and_the_count_decide(open_page: Open, as_published: Sweeps) -> None:
    app = open_page(PAGE, dataset="small", form="the returned model")
    app.slider(key="tolerance").set_value(10.0).run()
    assert finding(as_published, None, "returned") in words(app)


def test_the_grids_follow_the_reading(open_page: Open, as_published: Sweeps) -> None:
    app = open_page(PAGE, dataset="small", reading="targets", k=3)
    assert not app.warning
    assert "The share of the target set that arrives, counted over all sets" in words(app)
    app.selectbox(key="reading").set_value("places").run()
    assert "The share of the top k that targets take, counted over all sets" in words(app)


@pytest.mark.parametrize(
    ("name", "value"), [("reading", "both"), ("k", "99"), ("tolerance", "-1"), ("targets", "1.5")]
)
def test_nonsense_in_a_link_gives_a_note(
    name: str, value: str, open_page: Open, as_published: Sweeps
) -> None:
    check_note(open_page(PAGE, **{"dataset": "small", name: value}), name, value)


def test_nothing_published_is_said_and_offered(open_page: Open, as_published: Sweeps) -> None:
    app = open_page(PAGE)
    assert not app.exception
    assert not app.error
    assert "This is not computed for" in words(app)
    assert app.number_input(key="targets").label == "Target sets"


def test_a_sweep_of_one_size_and_two_radii(open_page: Open, as_published: Sweeps) -> None:
    app = open_page(
        PAGE, dataset="small", targets=2, set_sizes="2", radii="0.5, 0.9", ks="2", starts=1
    )
    app.button(key="offer-sweep").click().run()
    follow(app, lambda: "This result is shown on this page" in words(app))
    assert "compare sizes and k" in words(app)
    assert app.selectbox(key="radius").options == ["50%", "90%"]
    app.selectbox(key="radius").set_value(0.9).run()
    assert not app.exception
    assert "moves by at most 90%" in words(app)
