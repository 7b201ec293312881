"""Scores beside retraining: the published finding, the numbers in it, and data without a result."""

import pandas as pd
from scipy.stats import spearmanr

from engine.experiments import LdsRequest, SelectionResult
from engine.experiments.lds import MATCHING
from engine.results.store import Store
from engine.settings import PUBLISHED
from pages.common.lab import published_results, registry
from pages.common.words.wording import decimal
from pages.evidence.parts import lds_words
from tests.support.pages import Open, tables, unfold, words

PAGE = registry.page("lds")


def test_the_finding_is_that_of_the_published_result(open_page: Open) -> None:
    request = published_results.request_of("lds", "digits")
    assert request is not None
    stored = Store(PUBLISHED, PUBLISHED).find_published("lds", request)
    assert stored is not None
    result = stored.result
    sums = result.sums[result.place(MATCHING, "honest")]
    lds = spearmanr(sums, result.outcomes).statistic
    assert lds >= 0.9 * result.ceiling  # with at least a hundred halves
    assert len(result.outcomes) >= 100
    app = open_page(PAGE)
    assert not app.exception and not app.warning
    said = words(app)
    assert f"do better, with a rank correlation of {decimal(lds)}**" in said
    assert f"sums of scores reach at most {decimal(result.ceiling)}" in said
    assert len(app.get("plotly_chart")) >= 2
    unfold(app)
    assert len(tables(app)[0]) == len(result.table)
    assert "python -m engine lds" in words(app)


def test_another_attribution_is_chosen(open_page: Open) -> None:
    app = open_page(PAGE)
    app.selectbox(key="attribution").select("kNN-Shapley").run()
    assert not app.exception
    assert "Score of “kNN-Shapley”: 0.0" in words(app)


def test_data_without_a_result_is_offered(open_page: Open) -> None:
    app = open_page(PAGE, dataset="small")
    assert not app.exception
    assert "This is not computed for" in words(app)
    assert {"offer-lds", "offer-selection"} <= {button.key for button in app.button}
    assert published_results.request_of("lds", "small") is None
    assert LdsRequest("small").dataset == "small"


def test_selections_that_lose_a_class_are_named() -> None:
    rows = [
        {"attribution": "influence", "share": 0.1, "lost": 2},
        {"attribution": "random", "share": 0.5, "lost": -1},
    ]
    result = SelectionResult(pd.DataFrame(rows), "highest_first")
    said = lds_words.lost_classes(result, ("a", "b", "c"))
    assert said.startswith("1 of 2 selections lose a class")
    assert "keeps 10.0% by influence and has no “c”" in said
