"""Scores beside retraining: the published finding, the numbers in it, and data without a result."""

import numpy as np
import pandas as pd
from scipy.stats import spearmanr
from sklearn.neighbors import NearestNeighbors

from engine import fit, influence_scores, load_dataset
from engine.experiments import LdsRequest, LdsResult, SelectionResult
from engine.experiments.lds import MATCHING
from engine.results.store import Store
from engine.settings import PUBLISHED
from pages.common.lab import published_results, registry
from pages.common.words.wording import decimal
from pages.evidence.parts import lds_words
from tests.support.pages import Open, open_fold, tables, unfold, words

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
    usual = spearmanr(result.sums[result.place("influence", "honest")], result.outcomes).statistic
    app = open_page(PAGE)
    assert not app.exception and not app.warning
    said = words(app)
    assert "**Yes: influence scores predict which of 200 retrained models do better.**" in said
    assert f"predicted and real loss is {decimal(usual)} (1 is perfect, 0 is chance)." in said
    assert len(app.get("plotly_chart")) == 1
    unfold(app)
    said = words(app)
    assert f"With damping = L2, influence reaches {decimal(lds)}" in said
    assert f"sums of scores reach at most {decimal(result.ceiling)}" in said
    assert len(tables(app)[0]) == len(result.table)
    assert "python -m engine lds" in said


def test_scores_whose_interval_holds_0_do_not_predict() -> None:
    table = pd.DataFrame(
        {"attribution": "influence", "model": ["honest", "attacked"], "lds": [0.1, 0.0]}
    ).assign(low=-0.1, high=0.2)
    result = LdsResult(np.arange(4.0), np.zeros((2, 4)), table, 0.9, 0.1, 0.9, 0.0)
    assert lds_words.finding(result).startswith("**No: influence scores do not predict which of 4 ")


def test_another_attribution_is_chosen(open_page: Open) -> None:
    app = open_page(PAGE)
    assert "The higher the loss that influence predicts, the higher the real loss" in words(app)
    before = app.get("plotly_chart")[0].proto.spec
    assert "honest model: 0.70" in before and "malicious model: 0.40" in before
    app.selectbox(key="attribution").select("kNN-Shapley").run()
    assert not app.exception
    assert "The loss that kNN-Shapley predicts says little about the real loss" in words(app)
    assert "needs no model: 0.02" in app.get("plotly_chart")[0].proto.spec


def test_a_link_to_a_selection_opens_it(open_page: Open) -> None:
    (fold,) = (f for f in open_page(PAGE).expander if "choose training data" in f.label)
    assert not fold.proto.expanded
    (fold,) = (f for f in open_page(PAGE, shown="loss").expander if "training data" in f.label)
    assert fold.proto.expanded


def test_a_former_link_names_the_attribution_of_the_selection(open_page: Open) -> None:
    app = open_page(PAGE, ranking="TRAK")
    assert not app.exception and not app.warning
    assert app.selectbox(key="attribution").value == "TRAK"


def test_random_halves_stand_beside_the_halves_that_a_score_picks(open_page: Open) -> None:
    """Accuracy of random halves against the better end of the ranking, from the raw rows."""
    request = published_results.request_of("selection", "digits")
    assert request is not None
    stored = Store(PUBLISHED, PUBLISHED).find_published("selection", request)
    assert stored is not None
    half = stored.result.table.query("share == 0.5").groupby(["attribution", "model", "end"])
    means = half["accuracy_holdout"].mean()
    random, best = means["random"].mean(), means["influence", "honest"].max()
    assert random > best
    said = words(open_fold(open_page(PAGE), "selection"))
    assert f"influence picks: {random:.1%} against {best:.1%}" in said
    assert "repeat each other, and some classes become rare" in said


def test_halves_that_influence_picks_repeat_themselves_and_lack_classes() -> None:
    """Why they do worse, as the page says, on digits: their samples lie nearer to each other,
    unseen ones lie farther from them, and their rarest class is rarer than in random halves."""
    digits = load_dataset("digits")
    scores = influence_scores(fit(digits), digits).scores
    X, y, unseen = (np.asarray(a) for a in (digits.X_train, digits.y_train, digits.X_holdout))
    half = len(y) // 2

    def looks(chosen: np.ndarray) -> tuple[float, float, int]:
        near = NearestNeighbors(n_neighbors=2).fit(X[chosen])
        within, away = near.kneighbors(X[chosen])[0][:, 1], near.kneighbors(unseen)[0][:, 0]
        return within.mean(), away.mean(), int(np.bincount(y[chosen], minlength=10).min())

    rng = np.random.default_rng(0)
    at_random = np.array([looks(rng.permutation(len(y))[:half]) for _ in range(10)])
    order = np.argsort(scores)
    for picked in (order[:half], order[half:]):
        within, away, rarest = looks(picked)
        assert within < at_random[:, 0].min()
        assert away > at_random[:, 1].max()
        assert rarest < at_random[:, 2].min()


def test_data_without_a_result_is_offered(open_page: Open) -> None:
    app = open_page(PAGE, dataset="small")
    assert not app.exception
    assert "This is not computed for" in words(app)
    open_fold(app, "selection")
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
