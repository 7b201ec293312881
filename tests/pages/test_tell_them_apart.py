"""The game: pairs of models, the vote, its outcome, the ways onward."""

import re

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from engine.experiments import PairsResult
from engine.results.jobs import JobState
from engine.results.store import Store
from engine.settings import PUBLISHED
from engine.statistics import wilson_interval
from pages.common.asking.links import EXAMPLE
from pages.common.lab import published_results, registry
from pages.common.lab.shared import open_dataset
from pages.learn.parts.apart_panels import FIRST, READ, deal
from tests.support.pages import Open, have_found, unfold, words

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


def panels(app: AppTest) -> str:
    """Both models as they are shown, in HTML."""
    body: str = next(e.proto.body for e in app.get("html") if "ial-duel" in e.proto.body)
    return body


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
    shown = panels(app)
    assert "%" not in shown  # accuracy comes after the vote
    assert "marked" not in shown
    assert shown.count("<img") == 2 * (READ + FIRST)
    assert [b.label for b in app.button if (b.key or "").startswith("vote-")] == [
        "It is model A", "It is model B", "Cannot tell",
    ]  # fmt: skip


@pytest.mark.parametrize("number", [0, 1, 5])
def test_each_model_is_shown_with_what_it_reads_and_ranks_first(
    number: int, open_page: Open, pairs: PairsResult
) -> None:
    """Either model's first ten are those that its own scores put first, the first leftmost."""
    shown = panels(open_page(PAGE, round=number))
    dealt = deal(pairs, number)
    truth = open_dataset(EXAMPLE.dataset).y_holdout
    for name, html in zip("AB", shown.split('<div class="model')[1:], strict=True):
        is_malicious = name == dealt.malicious
        scores = pairs.scores[dealt.pair] if is_malicious else pairs.honest_scores
        first = np.argsort(-scores, kind="stable")[:FIRST]
        assert re.findall(r"alt=\"sample (\d+) ", html) == [str(i) for i in first]
        assert re.findall(r"alt=\"unseen sample (\d+) ", html) == [str(i) for i in dealt.shown]
        said = pairs.predictions[dealt.pair] if is_malicious else pairs.honest_predictions
        assert re.findall(r"<b>(\d)</b>", html) == [str(said[i]) for i in dealt.shown]
        assert html.count('class="cross"') == (said != truth)[dealt.shown].sum()


@pytest.mark.parametrize("number", [0, 1, 5])
def test_the_vote_reveals_who_it_was(number: int, open_page: Open, pairs: PairsResult) -> None:
    app = open_page(PAGE, round=number)
    scored = deal(pairs, number).scores
    first, second = (np.sort(scored[one])[-1] / np.sort(scored[one])[-2] for one in "AB")
    assert f"{first:.2f} times the score of the second by model A, and {second:.2f}" in words(app)
    app.button(key="vote-A").click().run()
    every = np.sort(pairs.scores, axis=1)
    own = np.sort(pairs.honest_scores)
    right = int((every[:, -1] / every[:, -2] > own[-1] / own[-2]).sum())
    assert right > 40, "it is a clue"
    assert f"The clue is right in {right} of the {len(every)} pairs of this game" in words(app)
    assert not app.exception
    said = words(app)
    assert ("You found it" if malicious(app) == "A" else "It was the other one") in said
    pair = int(np.random.default_rng(number).integers(len(pairs.targets)))
    target = int(pairs.targets[pair])
    old, new = int(pairs.honest_ranks[target]), int(pairs.ranks[pair, target])
    honest = "B" if malicious(app) == "A" else "A"
    shown = dict(zip("AB", panels(app).split('<div class="model')[1:], strict=True))
    for name, rank in ((honest, old), (malicious(app), new)):
        assert f"Sample {target} is at <b>rank {rank:,}</b>" in shown[name]
        assert ("class=marked" in shown[name]) == (rank <= FIRST)
    assert f"Model {honest}: honest" in shown[honest]
    assert f"Model {malicious(app)}: malicious" in shown[malicious(app)]
    assert len(app.get("plotly_chart")) == 1
    assert not [button for button in app.button if (button.key or "").startswith("vote-")]

    truth = open_dataset(EXAMPLE.dataset).y_holdout
    expected = [(p == truth).mean() for p in (pairs.predictions[pair], pairs.honest_predictions)]
    if malicious(app) == "B":
        expected.reverse()
    found = re.findall(r"<b>([\d.]+)%</b>", panels(app))
    accuracies = [float(accuracy) / 100 for accuracy in found]
    np.testing.assert_allclose(accuracies, expected, atol=5e-4)  # shown to a tenth of a percent
    better = (
        (pairs.predictions == truth).mean(1) > (pairs.honest_predictions == truth).mean()
    ).sum()
    said = words(unfold(app))
    assert f"in {better} of the {len(pairs.targets)} pairs" in said
    for accuracy in expected:
        low, high = wilson_interval(round(accuracy * len(truth)), len(truth))
        assert f"{low:.1%} to {high:.1%}" in said


def test_a_visitor_has_a_score(open_page: Open) -> None:
    """Each round counts once: right, wrong, or not told."""
    app = open_page(PAGE)
    right = wrong = 0
    for given in ("A", "B", "A"):
        app.button(key=f"vote-{given}").click().run()
        right, wrong = right + (malicious(app) == given), wrong + (malicious(app) != given)
        assert f"Your score: {right} right, {wrong} wrong, 0 “cannot tell”" in words(app)
        app.run()  # looked at once more
        assert f"Your score: {right} right, {wrong} wrong, 0 “cannot tell”" in words(app)
        app.button(key="again").click().run()
    app.button(key="vote-none").click().run()
    assert "Nothing above gives it away" in words(app)
    assert f"Your score: {right} right, {wrong} wrong, 1 “cannot tell”" in words(app)
    assert not app.exception


def test_rounds_draw_other_pairs_and_start_anew(open_page: Open) -> None:
    app = open_page(PAGE)
    seen, samples = [], set()
    for _ in range(6):
        app.button(key="vote-A").click().run()
        seen.append(malicious(app))
        samples.add(panels(app).split("Sample ")[1].split()[0])
        app.button(key="again").click().run()
        assert app.button(key="vote-A")
        assert "is malicious" not in words(app)
    assert set(seen) == {"A", "B"}
    assert len(samples) > 3
    assert not app.exception


def test_cards_lead_only_to_pages_that_exist(open_page: Open) -> None:
    app = open_page(PAGE)
    links = [e.proto.page for e in unfold(app).get("page_link")]
    assert len(links) == sum(len(page.presets) for page in registry.PAGES)
    assert set(links) <= {page.url for page in registry.PAGES}


def test_unpublished_pairs_are_computed_first(
    open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    have_found(monkeypatch, lambda experiment, request: None, JobState("running"))
    app = open_page(PAGE)
    assert not app.exception
    assert "vote-A" not in [button.key for button in app.button]
