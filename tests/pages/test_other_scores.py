"""The page of other attributions: what it opens with, the alarms, a run of one's own, bad links."""

from dataclasses import replace

import pytest

from engine.experiments import AttributionsRequest
from engine.settings import Settings
from engine.vocabulary import ATTRIBUTIONS, MODEL_FREE, SCORES
from pages.common.asking import door
from pages.common.lab import published_results, registry
from tests.support.pages import Open, Publish, check_note, follow, open_fold, tables, unfold, words

PAGE = registry.page("other-scores")
FEWER = ("attributions", "retrained", "n_honest", "n_attacked")
SMALL = AttributionsRequest("small", retrained=5, n_honest=4, n_attacked=3)


def test_the_finding_and_the_figures_stand_there_before_any_click(open_page: Open) -> None:
    app = open_page(PAGE)
    assert len(app.get("plotly_chart")) == 1
    said = words(open_fold(app, "alarm"))
    assert not app.exception
    assert not app.warning
    assert "The attack moved sample 16 from rank" in said
    assert "precomputed" in said
    assert "Against kNN-Shapley, whole ranking:" in said
    which = "self-influence and kNN-Shapley.**"
    assert f"Yes, 2 of the 5 other scores give it away: {which}" in said
    assert "by influence; by these scores it hardly moved." in said
    assert len(app.get("plotly_chart")) == 2
    assert "Of attackers with another goal it finds as few as" in said
    unfold(app)
    assert not app.exception
    assert tables(app)[0]["attack"].tolist() == [
        "keep accuracy", "keep predictions and ranks",
        "Algorithm 3 that hides its gradient (weight 1)"
    ]  # fmt: skip
    assert len(tables(app)) == 2
    assert len(app.get("plotly_chart")) == 4
    assert "At least half as far as influence, on the log scale: gradient dot product" in words(app)
    assert "python -m engine attributions" in words(app)
    assert "of 11 other scores moved along; not self-influence, TracIn" in words(app)


def test_an_alarm_is_chosen_by_control_and_by_link(open_page: Open) -> None:
    app = open_fold(open_page(PAGE), "alarm")
    app.selectbox(key="alarm").select("cosine-top").run()
    assert "Against cosine of gradients, top ten:" in words(app)
    app = open_page(PAGE, alarm="gradient_dot-whole")
    assert not app.warning
    assert "Against gradient dot product, whole ranking:" in words(app)


def test_another_attack_is_run_and_shown(
    open_page: Open, settings: Settings, publish: Publish
) -> None:
    publish(("other scores", "attributions", SMALL))
    app = open_page(PAGE, dataset="small", target=7, radius=0.5, neighbours=3)
    assert "This is not computed for" in words(app)
    app.button(key="offer-attributions").click().run()
    follow(app, lambda: len(app.get("plotly_chart")) >= 1)
    said = words(unfold(app))
    assert "your features file" in said
    assert "The attack moved sample 7" in said
    assert "(3 neighbours)" in said
    assert "For the attack shown the other six scores are not computed yet." in said
    assert [b.key for b in app.button if str(b.key).startswith("offer-")] == ["offer-attributions"]
    other = unfold(open_page(PAGE, dataset="small", target=8, radius=0.5, neighbours=3))
    assert not other.exception, "a second offer has no place beside that of the attack asked for"


@pytest.mark.parametrize(
    ("name", "value"),
    [("alarm", "none"), ("neighbours", "0"), ("target", "-1"), ("seed", "x")],
)
def test_bad_links_fall_back_with_a_note(open_page: Open, name: str, value: str) -> None:
    check_note(open_page(PAGE, **{name: value}), name, value)


def test_all_scores_are_published_for_the_attack_that_the_page_opens_with() -> None:
    """The six that both results have agree; those without a model do not move."""
    every = published_results.request_of("every score", "digits")
    assert every is not None and every.attributions == tuple(SCORES)
    assert replace(every, **{name: getattr(AttributionsRequest(), name) for name in FEWER}) == (
        AttributionsRequest()
    )
    wide = door.find("attributions", every)
    usual = door.find("attributions", AttributionsRequest())
    assert wide is not None and usual is not None
    assert wide.result.names == list(SCORES)
    for name in ATTRIBUTIONS:
        for side in ("before", "after"):
            ranks, others = (getattr(one.result, side)[name].ranks for one in (wide, usual))
            assert abs(int(ranks[16]) - int(others[16])) <= 3, (name, side)
    for name in MODEL_FREE:
        assert (wide.result.before[name].ranks == wide.result.after[name].ranks).all()


def test_what_is_published_is_the_default() -> None:
    request = published_results.request_of("other scores", "digits")
    assert request == AttributionsRequest()
    assert door.find("attributions", request) is not None
    assert replace(request, seed=1) != request
