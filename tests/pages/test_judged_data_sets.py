"""What is said of scores on every data set with a published result: one table, one image set, and
digits. Each sentence is compared with the tables of its own data set."""

from typing import Any

import pytest
from scipy.stats import spearmanr

from engine.experiments.lds import MATCHING
from engine.results.store import Store
from engine.settings import PUBLISHED
from engine.vocabulary import MODEL_FREE, SCORES
from pages.common.lab import published_results, registry
from pages.common.words.score_names import SCORE_NAMES, left_out
from pages.common.words.wording import decimal, listed, percent
from tests.support.pages import Open, unfold, words

IMAGES = "cifar10_5000_2000_effnetlite2"  # features that stand in for CIFAR-10's
ROLES = ("lds", "selection", "score matrix", "cleaning")


def published(role: str, dataset: str) -> tuple[Any, Any]:
    """The request in a role on a data set, and its result."""
    for name, experiment, request in published_results.with_role():
        if name == role and request.dataset == dataset:
            stored = Store(PUBLISHED, PUBLISHED).find_published(experiment, request)
            assert stored is not None, (role, dataset)
            return request, stored.result
    raise AssertionError((role, dataset))


@pytest.mark.parametrize("role", ROLES)
def test_a_table_and_an_image_set_are_published_beside_digits(role: str) -> None:
    assert {"digits", "breast_cancer", IMAGES} <= set(published_results.datasets_of(role))


@pytest.mark.parametrize("dataset", published_results.datasets_of("lds"))
def test_scores_beside_retraining(dataset: str, open_page: Open) -> None:
    app = unfold(open_page(registry.page("lds"), dataset=dataset))
    assert not app.exception and not app.warning
    said, (request, result) = words(app), published("lds", dataset)
    sums = result.sums[result.place(MATCHING, "honest")]
    lds = spearmanr(sums, result.outcomes).statistic
    assert f"With damping = L2, influence reaches {decimal(lds)}" in said
    assert f"{len(result.outcomes)} retrained models" in said
    assert set(result.table["attribution"]) == {*request.attributions, MATCHING}
    assert left_out(request.attributions).strip() in said
    assert ("of the first 40 by itself" in said) == (request.queries == 40)
    _, chosen = published("selection", dataset)
    everything = chosen.everything["accuracy_holdout"]
    assert chosen.table["accuracy_holdout"].max() >= everything
    assert len(app.get("plotly_chart")) >= 3


@pytest.mark.parametrize("dataset", published_results.datasets_of("score matrix"))
def test_the_matrix(dataset: str, open_page: Open) -> None:
    app = unfold(open_page(registry.page("is-any-score-safe"), dataset=dataset))
    assert not app.exception and not app.warning
    said, (request, result) = words(app), published("score matrix", dataset)
    moves = result.moves[result.moves["attacked"] == result.moves["observed"]]
    own = moves[moves["rank_after"] <= request.k].groupby("attacked")["target"].nunique()
    own = own.reindex(result.attacked, fill_value=0)
    assert [result.arrived(name, name)[0] for name in result.attacked] == list(own)  # the bars
    assert f"starts outside the top {request.k} and ends between rank 1 and {request.k}." in said
    failed = [SCORE_NAMES[name] for name in result.attacked if own[name] == 0]
    verdict = f"attacks here fail on {listed(failed)}." if failed else "Every score that sees it"
    assert verdict in said
    assert [n for n in SCORES if n in result.observed] == list(request.attributions)
    assert any(name in MODEL_FREE for name in result.observed)
    assert "Only scores that never see the model are safe." in said
    assert left_out(request.attributions).strip() in said


@pytest.mark.parametrize("dataset", published_results.datasets_of("cleaning"))
def test_wrong_labels(dataset: str, open_page: Open) -> None:
    app = unfold(open_page(registry.page("wrong-labels"), dataset=dataset))
    assert not app.exception and not app.warning
    said, (request, result) = words(app), published("cleaning", dataset)
    rows = result.table[(result.table["model"] == "honest")]
    recall = rows[rows["detector"] == "influence"]["recall"].mean()
    found = f"checking the {result.wrong} most suspicious samples finds {percent(recall)}"
    assert f"**Yes: {found} of the {result.wrong} wrong labels, and only " in said
    assert len(app.selectbox(key="detector").options) == len(request.detectors)
    assert "CIFAR-10N" in said


def test_what_is_left_out_is_named() -> None:
    assert left_out(tuple(SCORES)) == ""
    some = [name for name in SCORES if name not in ("trak", "banzhaf")]
    assert left_out(some).startswith(" Left out, because of the time")
