"""Is any score safe: the finding and the matrix of a result, and data without one."""

import pandas as pd
import pytest

from engine.experiments import ScoreMatrixResult
from engine.experiments.score_matrix import WITH_MODEL
from engine.results.store import Stored
from engine.statistics import wilson_interval
from engine.vocabulary import MODEL_FREE, SCORES
from pages.common.lab import registry
from pages.common.words.score_names import SCORE_NAMES
from pages.defend.parts import score_matrix_figures
from tests.support.pages import Open, have_found, tables, unfold, words
from tests.support.stores import published

PAGE = registry.page("is-any-score-safe")


def made() -> ScoreMatrixResult:
    """Four targets: every attack moves all of them by the attacked score, but two by TracIn; no
    other score moves, but cosine with influence."""
    moves, attacks = [], []
    for attacked in WITH_MODEL:
        for target in range(4):
            attacks.append(
                {"attacked": attacked, "target": target, "accuracy_drop": 0.02, "distance": 0.3}
            )
            for observed in SCORES:
                along = (attacked, observed) == ("influence", "cosine")
                own = attacked == observed and (attacked != "tracin" or target < 2)
                after = 3 if along or own else 90
                free = observed in MODEL_FREE
                moves.append(
                    {
                        "attacked": attacked,
                        "target": target,
                        "observed": observed,
                        "rank_before": 90,
                        "rank_after": after,
                        "correlation": 1.0 if free else 0.5,
                    }
                )
    return ScoreMatrixResult(10, 100, pd.DataFrame(moves), pd.DataFrame(attacks))


def test_the_finding(open_page: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    def found(experiment: str, request: object) -> Stored | None:
        if experiment != "score-matrix":  # the search for the smallest radius: not here
            return None
        return published(experiment, made(), dataset="digits")

    have_found(monkeypatch, found)
    app = open_page(PAGE)
    said = words(app)
    assert not app.exception and not app.warning
    assert "**Only scores that never see the model are safe.**" in said
    assert "Every score that sees it can be rigged." in said
    assert "How far must the model go?* searches" not in said
    assert len(app.get("plotly_chart")) == 1
    shown = tables(unfold(app))[0]
    assert "also moves 4 of 4 targets by cosine of gradients" in words(app)
    low, high = wilson_interval(2, 4)
    assert f"2 of 4 ({100 * low:.1f}% to {100 * high:.1f}%)" in set(shown["in its top 10"])
    assert "python -m engine score-matrix" in words(app)


def test_the_matrix_has_a_cell_for_each_pair() -> None:
    figure = score_matrix_figures.matrix(made())
    counts = figure.data[0].z
    assert counts.shape == (len(WITH_MODEL), len(SCORES))
    assert counts.sum() == 4 * len(WITH_MODEL) - 2 + 4
    # The dashed line has every score that sees the model to its left, and the others to its right.
    (line,) = figure.layout.shapes
    free = [SCORE_NAMES[name] for name in MODEL_FREE]
    assert list(figure.data[0].x[-len(free) :]) == free
    assert line.x0 == len(SCORES) - len(free) - 0.5
    texts = [a.text for a in figure.layout.annotations]
    assert texts.count("<b>4</b>") == len(WITH_MODEL) - 1 and texts.count("<b>2</b>") == 1


def test_a_bar_for_each_score_those_without_the_model_on_top() -> None:
    (own,) = score_matrix_figures.reached(made()).data
    assert {*own.y[-len(MODEL_FREE) :]} == {SCORE_NAMES[name] for name in MODEL_FREE}  # from below
    by_score = dict(zip(own.y, own.x, strict=True))
    expected = {name: 4 for name in WITH_MODEL} | {"tracin": 2} | dict.fromkeys(MODEL_FREE, 0)
    assert by_score == {SCORE_NAMES[name]: count for name, count in expected.items()}


def test_data_without_a_result_is_offered(open_page: Open) -> None:
    app = open_page(PAGE, dataset="small")
    assert not app.exception
    assert "This is not computed for" in words(app)
    assert "offer-score-matrix" in {button.key for button in app.button}
