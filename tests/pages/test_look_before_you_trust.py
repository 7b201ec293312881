"""Look before you trust: what the page says of the published result, and data without one."""

import numpy as np
import pytest

from engine.experiments import ConditioningRequest, ConditioningResult
from engine.results.store import Store
from engine.settings import PUBLISHED
from pages.common.lab import registry
from pages.evidence.parts import conditioning_figures, conditioning_words
from tests.support.pages import Open, tables, unfold, words

PAGE = registry.page("look")


def made(dataset: str) -> ConditioningResult:
    stored = Store(PUBLISHED, PUBLISHED).find_published(
        "conditioning", ConditioningRequest(dataset)
    )
    assert stored is not None
    assert isinstance(stored.result, ConditioningResult)
    return stored.result


@pytest.mark.parametrize("dataset", ["digits", "breast_cancer"])
def test_the_finding_is_in_the_tables(dataset: str, open_page: Open) -> None:
    app, result = open_page(PAGE, dataset=dataset), made(dataset)
    assert not app.exception and not app.warning
    said, e = words(app), result.eigenvalues[0]
    rows = result.by_damping[result.by_damping["model"] == "honest"]
    stay = (10 * rows.set_index("damping")["kept"]).round().astype(int)
    others = stay.drop(0.25)
    assert f"{others.min()} of the top ten stay.**" in said
    assert ("Yes: with" in said) == (others.min() <= 5)
    least = max(d for d in others.index if others[d] == others.min() and d < 0.25)
    assert f"With damping {least:g}, {others.min()} of the paper's top ten stay" in said
    assert len(app.get("plotly_chart")) == 1
    below = (e < 0.25).sum()
    said = words(unfold(app))
    share = f"{result.below[0].mean():.0%} of the honest model's scores"
    assert f"Directions below the dotted line carry {share}" in said
    assert f"Damping 0.25 outweighs the data in {below} of {len(e)} directions" in said


def test_another_damping_is_another_bar(open_page: Open) -> None:
    app, result = open_page(PAGE, other_damping="0.0001"), made("digits")
    assert not app.exception
    stay = round(10 * result.at("honest", 0.0001)["kept"])
    assert f"With damping 0.0001, {stay} of the paper's top ten stay" in words(app)


def test_what_is_folded(open_page: Open) -> None:
    app, result = unfold(open_page(PAGE)), made("digits")
    assert not app.exception
    assert len(app.get("plotly_chart")) == 4
    first, changed, moved = tables(app)[:3]
    scores = result.scores[0]
    assert first["sample"].astype(int).tolist() == np.argsort(-scores)[:12].tolist()
    unseen = conditioning_words.unseen(result)
    other = unseen[unseen["said_first"] != unseen["said_second"]]
    assert f"otherwise for {len(other)} of {len(unseen)} unseen samples" in words(app)
    assert len(changed) == min(len(other), 12)
    assert set(changed["unseen sample"].astype(int)) <= set(other["sample"])
    train = result.differences[result.differences["split"] == "train"]
    factor = np.abs(np.log((train["rank_second"] / train["rank_first"]).to_numpy()))
    assert int(moved["sample"].iloc[0]) == int(train["sample"].to_numpy()[factor.argmax()])


def test_figures_say_what_the_result_says() -> None:
    result = made("digits")
    figure = conditioning_figures.spectrum(result, 0.25)
    for trace, values, flat in zip(figure.data, result.eigenvalues, result.flat, strict=True):
        np.testing.assert_array_equal(trace.y, values[: len(values) - flat])
    (bars,) = conditioning_figures.first_ten(result, 0.01).data
    honest = result.by_damping[result.by_damping["model"] == "honest"]
    np.testing.assert_allclose(bars.y, 10 * honest["kept"])
    drawn = conditioning_figures.by_damping(result)
    rows = result.by_damping[result.by_damping["model"] == "attacked"]
    np.testing.assert_array_equal(drawn.data[1].y, rows["correlation"])
    parts = conditioning_figures.differences(
        conditioning_words.unseen(result), tuple("0123456789")
    ).data
    assert sum(len(trace.x) for trace in parts) == len(conditioning_words.unseen(result))


def test_data_without_a_result_is_offered(open_page: Open) -> None:
    app = open_page(PAGE, dataset="small")
    assert not app.exception
    assert "This is not computed for" in words(app)
    assert "offer-conditioning" in {button.key for button in app.button}
