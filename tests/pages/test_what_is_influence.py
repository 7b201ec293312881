"""What is influence: a test image's samples, and scores against retraining in every setting."""

import re

import pytest

from engine.data.load import load_dataset
from engine.experiments import ExplainRequest, LeaveOneOutRequest
from engine.progress import ignore
from engine.results.compute import compute_and_keep
from engine.results.jobs import JobState
from engine.settings import Settings
from pages.common.lab import published_results, registry
from pages.common.lab.shared import lab
from tests.support.pages import JobsStand, Open, check_note, open_fold, unfold, words

PAGE = registry.page("influence")


@pytest.fixture
def small_results(settings: Settings) -> None:
    """The first test sample of the small features file, and a few retrainings there."""
    dataset = load_dataset("small", settings.data_dir)
    for name, request in (
        ("explain", ExplainRequest("small")),
        ("leave-one-out", LeaveOneOutRequest("small", 0.25, 0.25, 60)),
        ("leave-one-out", LeaveOneOutRequest("small", 0.05, 0.1, 5)),
    ):
        compute_and_keep(name, request, dataset, settings, ignore)


def test_everything_stands_there_before_any_click(open_page: Open) -> None:
    app = open_page(PAGE)
    said = words(app)
    assert not app.exception
    assert not app.warning
    assert "Which training samples decide this prediction?" in said
    assert "test sample 202" in said
    assert "wrong: it is “3”" in said
    assert "**Here samples of class “8” pull it up most, those of class “3” down.**" in said
    assert "These make the prediction worse (+)" in said
    assert len(app.get("plotly_chart")) == 0
    said += words(open_fold(app, "retraining"))
    assert "(rank correlation 0.998); at the usual settings only a similar one (0.796)" in said
    assert "Influence and retraining agree: Spearman 0.998" in said
    assert len(app.get("plotly_chart")) == 1
    unfold(app)
    assert not app.exception
    assert "Few samples matter" in words(app)
    assert "Why they differ" in words(app)
    assert len(app.get("plotly_chart")) == 3
    assert all(chart.proto.alt for chart in app.get("plotly_chart"))
    assert "Precomputed" in said


def test_the_cells_are_the_scores_of_the_store(open_page: Open) -> None:
    said = words(open_page(PAGE, image=43))
    request = ExplainRequest(image=43)
    stored = lab().store.find("explain", request, load_dataset("digits").content_hash)
    assert stored is not None
    ranking = stored.result.ranking
    for place, index in enumerate(ranking.top(3), 1):
        assert re.search(rf'title="sample {index}">“\d”, rank {place}<', said)
    assert re.search(rf'title="sample {ranking.scores.argmin()}">“\d”, rank 1,200<', said)


def test_the_usual_defaults_agree_only_roughly(open_page: Open) -> None:
    app = open_page(PAGE, setting="usual defaults")
    assert not app.exception
    said = words(unfold(app))
    assert "agree only roughly: Spearman 0.796" in said
    assert "l2 0.01, damping 0.25" in said
    app.selectbox(key="setting").set_value("both 0.01").run()
    assert "agree: Spearman 0.988, but retraining changes the loss 1.3 times" in words(app)


def test_a_setting_of_ones_own_is_offered_and_shown_once_computed(
    open_page: Open, small_results: None, jobs_stand: JobsStand
) -> None:
    jobs_stand(JobState("unknown"))
    app = open_page(PAGE, dataset="small", setting="of my own", l2=0.05, damping=0.2, samples=5)
    assert not app.exception
    assert not app.warning
    assert "5 models are trained again" in words(app)
    assert app.button(key="offer-leave-one-out")
    app.number_input(key="damping").set_value(0.1).run()
    assert not app.exception
    assert "One mark for each of 5 training samples" in words(app)
    assert "l2 0.05, damping 0.1" in words(unfold(app))


def test_features_of_ones_own(open_page: Open, small_results: None) -> None:
    app = open_fold(open_page(PAGE, dataset="small"), "retraining")
    said = words(app)
    assert not app.exception
    assert "your features file" in said
    assert "One mark for each of 60 training samples" in said
    assert "test sample 0," in said


def test_an_image_that_another_data_set_lacks_gives_way(
    open_page: Open, small_results: None
) -> None:
    app = open_page(PAGE, image=61)
    app.selectbox(key="dataset").set_value("small").run()
    assert not app.exception
    assert app.number_input(key="image").value == 0


def test_another_image_at_random(open_page: Open, jobs_stand: JobsStand) -> None:
    app = open_page(PAGE)
    jobs_stand(JobState("cancelled"))
    app.button(key="wrong").click().run()
    assert not app.exception
    wrong = {r.image for role, _, r in published_results.with_role() if role == "explain"} - {0}
    assert app.session_state["image"] in wrong
    app.button(key="any").click().run()
    assert not app.exception


@pytest.mark.parametrize(
    ("name", "value"),
    [("image", "299"), ("image", "x"), ("setting", "none"), ("dataset", "nowhere")],
)
def test_a_bad_link_falls_back_and_says_so(open_page: Open, name: str, value: str) -> None:
    check_note(open_page(PAGE, **{name: value}), name, value)


def test_bad_strengths_in_a_link_are_said(open_page: Open, jobs_stand: JobsStand) -> None:
    jobs_stand(JobState("unknown"))
    app = open_page(PAGE, setting="of my own", damping=-3)
    check_note(app, "damping", "-3")


def test_data_that_cannot_be_used_is_said(open_page: Open) -> None:
    app = open_page(PAGE, dataset="broken")
    assert not app.exception
    assert "cannot be used" in words(app)
