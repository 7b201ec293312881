"""The game: pairs of models, the vote, its outcome, the ways onward."""

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from engine.experiments import PairsResult
from engine.results.jobs import JobState
from engine.results.store import Store
from engine.settings import PUBLISHED
from pages.common.asking.links import EXAMPLE
from pages.common.lab import published_results, registry
from pages.common.lab.shared import open_dataset
from tests.support.pages import Open, have_found, words

PAGE = registry.page("apart")


@pytest.fixture(scope="module")
def pairs() -> PairsResult:
    asked = published_results.request_of("pairs", EXAMPLE.dataset)
    assert asked is not None
    stored = Store(PUBLISHED, PUBLISHED).find_published("pairs", asked)
    assert stored is not None
    result: PairsResult = stored.result
    return result


def malicious(app: AppTest) -> str:
    """The model that the revealed text names."""
    return "A" if "model A is malicious" in words(app) else "B"


def test_there_are_pairs_enough_and_accuracy_does_not_decide(pairs: PairsResult) -> None:
    truth = open_dataset(EXAMPLE.dataset).y_holdout
    honest = (pairs.honest_predictions == truth).mean()
    accuracies = (pairs.predictions == truth).mean(1)
    assert len(set(pairs.targets.tolist())) == len(accuracies) >= 20
    assert (accuracies > honest).sum() >= 3
    assert (accuracies < honest).sum() >= 3
    differ = (pairs.predictions != pairs.honest_predictions).sum(1)
    assert (differ > 0).all()


def test_nothing_is_given_away_before_the_vote(open_page: Open) -> None:
    app = open_page(PAGE)
    assert "is malicious" not in words(app)
    assert PAGE.finding not in words(app)
    assert not app.get("plotly_chart")
    assert not app.metric  # accuracy comes after the vote
    shown = next(e.proto.body for e in app.get("html") if "ial-grid" in e.proto.body)
    assert shown.count("<img") == 8


@pytest.mark.parametrize("number", [0, 5])
def test_the_vote_reveals_who_it_was(number: int, open_page: Open, pairs: PairsResult) -> None:
    app = open_page(PAGE, round=number)
    app.button(key="vote-A").click().run()
    assert not app.exception
    said = words(app)
    assert ("You found it" if malicious(app) == "A" else "It was the other one") in said
    pair = int(np.random.default_rng(number).integers(len(pairs.targets)))
    target = int(pairs.targets[pair])
    old, new = int(pairs.honest_ranks[target]), int(pairs.ranks[pair, target])
    assert f"Sample {target} is at rank {old:,} under model" in said
    assert f"and at rank {new:,} under model {malicious(app)}" in said
    assert len(app.get("plotly_chart")) == 1
    assert app.button(key="vote-A").disabled

    truth = open_dataset(EXAMPLE.dataset).y_holdout
    expected = [(p == truth).mean() for p in (pairs.predictions[pair], pairs.honest_predictions)]
    if malicious(app) == "B":
        expected.reverse()
    accuracies = [float(metric.value[:-1]) / 100 for metric in app.metric]
    np.testing.assert_allclose(accuracies, expected, atol=5e-4)  # shown to a tenth of a percent
    better = (
        (pairs.predictions == truth).mean(1) > (pairs.honest_predictions == truth).mean()
    ).sum()
    assert f"in {better} of the {len(pairs.targets)} pairs" in said


def test_rounds_draw_other_pairs_and_start_anew(open_page: Open) -> None:
    app = open_page(PAGE)
    seen, samples = [], set()
    for _ in range(6):
        app.button(key="vote-A").click().run()
        seen.append(malicious(app))
        samples.add(words(app).split("Sample ")[1].split()[0])
        app.button(key="again").click().run()
        assert not app.button(key="vote-A").disabled
        assert "is malicious" not in words(app)
    assert set(seen) == {"A", "B"}
    assert len(samples) > 3
    assert not app.exception


def test_cards_lead_only_to_pages_that_exist(open_page: Open) -> None:
    app = open_page(PAGE)
    links = [e.proto.page for e in app.get("page_link")]
    assert len(links) == sum(len(page.presets) for page in registry.PAGES)
    assert set(links) <= {page.url for page in registry.PAGES}


def test_unpublished_pairs_are_computed_first(
    open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    have_found(monkeypatch, lambda experiment, request: None, JobState("running"))
    app = open_page(PAGE)
    assert not app.exception
    assert "vote-A" not in [button.key for button in app.button]
