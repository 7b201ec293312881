"""The impossible sample: it opens with its finding, links set its model, the button tries."""

from dataclasses import replace

import pytest

from engine.experiments import NO_DATA, ImpossibleRequest
from engine.progress import ignore
from engine.results.compute import compute_and_keep
from engine.results.jobs import JobState
from engine.results.store import Store
from engine.settings import Settings
from pages.common.lab import registry
from tests.support.pages import (
    Asked,
    JobsStand,
    Open,
    address,
    check_note,
    follow,
    notes,
    unfold,
    words,
)

PAGE = registry.page("impossible")


def test_the_finding_and_its_figure_before_any_click(open_page: Open) -> None:
    app = open_page(PAGE)
    said = words(app)
    assert not app.exception
    assert not app.warning
    assert "No: no linear model brings this sample to rank 1." in said
    assert "**0 of 10,000 random models** bring it to rank 1" in said
    assert "**0 of 10 runs of the attack**" in said
    assert "Precomputed" in said
    assert not app.get("plotly_chart")
    assert "Past everything else, never past its copy: the best rank is 2" in words(unfold(app))
    assert len(app.get("plotly_chart")) == 3
    assert r"I_{\text{copy}}-I_{\text{target}}=(1-p)\,q>0" in words(unfold(app))
    assert r"q=\frac{2}{\lambda+2\,p(1-p)\,n_1/n}" in words(unfold(app))


@pytest.mark.parametrize("k", [3, 10])
def test_other_k_are_published_too(open_page: Open, k: int) -> None:
    said = words(unfold(open_page(PAGE, k=k)))
    assert f"brings this sample into the top {k}" in said
    assert f"the best rank is {k + 1}" in said
    assert "has not been tried yet" not in said


@pytest.mark.parametrize(
    "weights", [(0.0, 0.0, 0.0), (6.0, -6.0, 6.0), (-6.0, 6.0, -6.0), (0.3, 5.0, -2.0)]
)
def test_whatever_the_model_is_the_gap_is_positive(
    open_page: Open, weights: tuple[float, float, float]
) -> None:
    w1, w2, b = weights
    app = open_page(PAGE, k=3, w1=w1, w2=w2, b=b, damping=0.001)
    said = words(unfold(app))
    assert not app.exception
    assert "the gap is positive whatever you do" in said
    assert len(app.get("plotly_chart")) == 3


def test_a_link_restores_the_view(open_page: Open) -> None:
    app = open_page(PAGE, k=10, seed=0, damping=1.0, w1=2.5, w2=0.5, b=-1.0)
    assert not app.warning
    assert app.number_input(key="k").value == 10
    assert "?k=10&seed=0&damping=1.0&w1=2.5&w2=0.5&b=-1.0" in address(app)
    assert "[[1.25, 0.25, -0.5], [-1.25, -0.25, 0.5]]" in words(unfold(app))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("k", "0"),
        ("k", "31"),
        ("k", "many"),
        ("seed", "-1"),
    ],
)
def test_bad_values_in_a_link_fall_back_with_a_note(open_page: Open, name: str, value: str) -> None:
    check_note(open_page(PAGE, **{name: value}), name, value)


@pytest.mark.parametrize(
    ("name", "value"), [("damping", "0.5"), ("w1", "7"), ("w2", "nan"), ("b", "<b>")]
)
def test_a_bad_model_in_a_link_falls_back_with_a_note(
    open_page: Open, name: str, value: str
) -> None:
    app = open_page(PAGE, **{name: value})
    assert not app.exception
    (note,) = notes(app)
    assert f"`{name}={value}`" in note
    assert "The lab uses its default instead" in note
    assert "[[0.15, -0.15, 0.0], [-0.15, 0.15, -0.0]], damping=0.25" in words(unfold(app))


def test_what_another_page_left_and_is_too_large_here_gives_way(open_page: Open) -> None:
    app = open_page(registry.page("move-one-sample"), k=400)
    app.query_params.clear()
    app.switch_page(PAGE.file)
    app.run()
    assert not app.exception
    assert app.number_input(key="k").value == 1
    assert not notes(app)


def test_what_has_not_been_tried_is_said_and_offered(
    open_page: Open, asked: Asked, jobs_stand: JobsStand
) -> None:
    jobs_stand(JobState("unknown"))
    app = open_page(PAGE, k=2, seed=7)
    said = words(app)
    assert "What you ask for, k = 2 and seed 7, has not been tried yet" in said
    assert "The figure shows k = 1 and seed 0" in said
    app.button(key="beat").click().run()
    assert asked == [("impossible", ImpossibleRequest(k=2, seed=7))]


def test_trying_again_takes_the_next_seed(
    open_page: Open, asked: Asked, jobs_stand: JobsStand
) -> None:
    jobs_stand(JobState("unknown"))
    app = open_page(PAGE)
    app.button(key="beat").click().run()
    assert asked == [("impossible", ImpossibleRequest(seed=1))]
    assert app.number_input(key="seed").value == 1


def test_the_count_goes_on_and_stays_at_zero(open_page: Open, settings: Settings) -> None:
    """The button's whole way, through the worker."""
    request = ImpossibleRequest(k=4)
    app = open_page(PAGE, k=4)
    app.button(key="beat").click().run()
    follow(app, lambda: "brings this sample into the top 4" in words(app), 120)
    stored = Store.of(settings).find("impossible", request, NO_DATA)
    assert stored is not None
    assert not stored.published
    assert "Computed here" in words(app)
    both = stored.result.tried + 11_010  # the published one was seen before
    assert f"{both:,}" in words(app)
    assert "models tried; 0 beat it" in words(app)


def test_another_seed_that_is_stored_is_shown(open_page: Open, settings: Settings) -> None:
    request = replace(ImpossibleRequest(), k=2, seed=3, count=10_000)
    compute_and_keep("impossible", request, None, settings, ignore)
    said = words(open_page(PAGE, k=2, seed=3))
    assert "brings this sample into the top 2" in said
    assert "has not been tried yet" not in said
