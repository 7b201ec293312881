"""What is a new sample worth: what the page says of results, and what the browser gets."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from scipy.special import softmax

from engine.experiments import CandidatesResult, PlaygroundRequest, PlaygroundResult
from engine.results.store import Store
from engine.settings import PUBLISHED
from pages.common.lab import published_results, registry
from pages.common.widgets import plane
from pages.learn.parts import new_sample_figures, new_sample_words
from tests.support.pages import Open, unfold, words

PAGE = registry.page("new-sample")


def published(role: str, request: Any) -> object:
    stored = Store(PUBLISHED, PUBLISHED).find_published(role, request)
    assert stored is not None
    return stored.result


def made(points: str) -> PlaygroundResult:
    result = published("playground", PlaygroundRequest(points))
    assert isinstance(result, PlaygroundResult)
    return result


@pytest.mark.parametrize("points", list(new_sample_words.SHOWN))
def test_it_opens_with_the_plane_and_its_finding(points: str, open_page: Open) -> None:
    app = open_page(PAGE, points=new_sample_words.SHOWN[points])
    assert not app.exception and not app.warning
    result, said = made(points), words(app)
    n, target = len(result.y), result.target
    assert f"from rank {n} to rank {result.after.ranks[target]} of {n}" in said
    assert f"help and harm swap on {result.disagreement:.0%} of this plane" in said
    expected = "drawn by seed 0" if points == "clouds" else "first two principal components"
    assert expected in said
    made_up = "made up" if points == "clouds" else "handwritten 3s and 8s"
    assert f"{n} training samples, {made_up}." in said
    assert "dataset" not in {box.key for box in app.sidebar.selectbox}  # it is not the figure's


@pytest.mark.parametrize("points", list(new_sample_words.SHOWN))
def test_the_browser_gets_what_every_value_is_made_of(points: str) -> None:
    result = made(points)
    given: Mapping[str, Any] = plane.plane(result)
    assert len(given["points"]) == len(result.y)
    for shown, which, ranking in zip(
        given["models"], ("honest", "attacked"), (result.before, result.after), strict=True
    ):
        np.testing.assert_array_equal(shown["theta"], getattr(result, which).parameters)
        np.testing.assert_array_equal(shown["direction"], getattr(result, f"{which}_direction"))
        own = result.values(which, result.X)[np.arange(len(result.y)), result.y]
        np.testing.assert_allclose(shown["scores"], own, rtol=1e-5, atol=1e-8)
        assert np.argmax(own) == np.argmin(ranking.ranks)
    x, y, label = given["start"]
    place = np.array([[x, y]])
    chance = softmax(np.c_[place, [1.0]] @ result.honest.parameters.T, axis=1)[0]
    assert chance[label] >= plane.BELIEVABLE  # no sample that looks out of place
    honest, attacked = (
        result.values(which, place)[0, label] / shown["unit"]
        for which, shown in zip(("honest", "attacked"), given["models"], strict=True)
    )
    assert honest < -0.3 and attacked > 0.3  # it helps, it harms, and both are seen as colours
    from_target = np.linalg.norm(place[0] - result.X[result.target])
    assert from_target >= 0.2 * result.half  # not in the ring
    assert given["low"][0] < result.X.min() and given["high"][0] > result.X.max()


def test_disagreement_is_counted_on_the_square() -> None:
    result = made("clouds")
    rng = np.random.default_rng(0)
    places = rng.uniform(-result.half, result.half, (20_000, 2))
    signs = [result.values(which, places) > 0 for which in ("honest", "attacked")]
    drawn = float((signs[0] != signs[1]).mean())
    assert result.disagreement == pytest.approx(drawn, abs=0.02)  # 4 standard errors and the grid


def test_candidates_are_told_as_they_are(open_page: Open) -> None:
    app = open_page(PAGE)
    unfold(app)
    request = published_results.request_of("candidates", "digits")
    result = published("candidates", request)
    assert isinstance(result, CandidatesResult)
    honest, attacked = result.own("honest"), result.own("attacked")
    turned = sum((a > 0) != (b > 0) for a, b in zip(honest, attacked, strict=True))
    said = words(app)
    assert f"{turned} of {len(honest)} unseen samples change sides" in said
    assert f"{(honest < 0).sum()} would help by the honest model" in said
    assert f"as their scores say, to {100 * result.error:.1g}%" in said
    assert len(app.get("plotly_chart")) == 2
    assert not app.exception


def test_figures_draw_every_candidate_once() -> None:
    request = published_results.request_of("candidates", "digits")
    result = published("candidates", request)
    assert isinstance(result, CandidatesResult)
    figure = new_sample_figures.candidates(result, tuple("0123456789"))
    drawn = [int(row[0]) for trace in figure.data if trace.customdata is not None
             for row in trace.customdata]  # fmt: skip
    assert sorted(drawn) == list(range(len(result.labels)))
    check = new_sample_figures.check(result)
    assert sum(len(t.customdata) for t in check.data if t.customdata is not None) == 24


def test_data_without_a_result_is_offered(open_page: Open) -> None:
    app = unfold(open_page(PAGE, dataset="small"))
    assert not app.exception
    assert "For “small” this is not computed yet" in words(app)
    assert "offer-candidates" in {button.key for button in app.button}
