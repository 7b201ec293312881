"""The story: every number that its steps say, worked out again by other means than the page's."""

import base64
import re

import numpy as np
import pandas as pd
import pytest

from engine.data.load import load_dataset
from engine.results.store import Store
from engine.settings import PUBLISHED
from pages.common.asking import door
from pages.common.asking.links import EXAMPLE
from pages.common.lab import registry
from pages.learn.parts import story_figures, story_sources, story_words
from pages.learn.parts.story_sources import Sources
from tests.support.pages import Open, Publish, notes, words

PAGE = registry.page("story")
TARGET = EXAMPLE.targets[0]


@pytest.fixture(scope="module")
def found() -> Sources:
    """What is published, without a lab around it."""
    store = Store(PUBLISHED, PUBLISHED)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(door, "find_published", store.find_published)
        patched.setattr(door, "find", store.find_published)
        collected = story_sources.collect(load_dataset(EXAMPLE.dataset))
    assert collected is not None
    return collected


def numbers(told: story_words.Told) -> list[float]:
    """The numbers of a step's sentence and notice, in their order; shares in percent."""
    text = f"{told.sentence} {told.notice}".replace(",", "").replace("−", "-")
    return [float(one) for one in re.findall(r"(?<![\w.])[-+]?\d+(?:\.\d+)?", text)]


def test_there_are_eight_steps_each_with_a_page_of_its_own(found: Sources) -> None:
    told = story_words.story(found)
    assert len(told) == 8
    assert PAGE.finding.startswith("Eight steps")
    urls = {page.url for page in registry.PAGES}
    assert told[0].sentence.endswith("Rank 1 raises the loss most.")  # what the order means
    for step in told:
        assert step.page in urls
        assert step.notice.startswith(("Notice", "Hardly", "A careful"))
        assert step.question.endswith("?")
        assert len(step.sentence.split()) <= 40


def test_step_1_counts_signs_and_gives_the_loss_of_exact_retraining(found: Sources) -> None:
    scores = found.attack.before.scores
    said = numbers(story_words.score(found))
    assert said == [1, (scores < 0).sum(), (scores > 0).sum()]  # the first of rank 1
    given = story_figures.score(found)
    table = found.removed.table
    first = table[table["rank"] == 1].iloc[0]
    np.testing.assert_array_equal(
        table.set_index("sample").sort_index()["rank"], found.attack.before.ranks
    )  # the same honest model and ranking as the attack's
    without = np.frombuffer(_bytes(given["without"]), "<f4")
    assert without[int(first["sample"])] == pytest.approx(found.removed.loss + first["change"])


def _bytes(packed: object) -> bytes:
    assert isinstance(packed, str)
    return base64.b64decode(packed)


def test_steps_2_and_3_are_the_attack_and_its_price(found: Sources) -> None:
    result = found.attack
    assert numbers(story_words.attack(found)) == [
        round(100 * result.distance),
        result.before.ranks[TARGET],
        result.after.ranks[TARGET],
    ]
    X, y = found.dataset.X_holdout, found.dataset.y_holdout
    was, now = result.honest.predict(X), result.model.predict(X)
    said = story_words.price(found)
    assert numbers(said)[:2] == [len(y), (was != now).sum()]
    given = story_figures.price(found)
    assert given["accuracy"] == [f"{100 * (one == y).mean():.1f}%" for one in (was, now)]
    assert given["changed"] == [int(i) for i in np.flatnonzero(was != now)]
    assert given["read"] == [f"{was[i]} → {now[i]}" for i in np.flatnonzero(was != now)]
    assert "confidence" not in said.notice and "95% intervals" in said.notice


def test_step_4_pays_the_owners_of_the_lowest_scores(found: Sources) -> None:
    paid, given = found.paid, story_figures.money(found)
    each = story_words.BUDGET / paid.k
    shown, earned = given["paid"], given["earned"]
    assert isinstance(shown, list) and isinstance(earned, list)
    for samples, money, model in zip(shown, earned, ("honest", "pay_top_k"), strict=True):
        scores = paid.test[model]
        assert sorted(scores[samples]) == sorted(scores)[: paid.k]
        owners = np.bincount(paid.vendors.owner[samples], minlength=len(paid.vendors.names))
        assert money == [f"{each * many:,.0f}" for many in owners]
    table = paid.table
    rows = table[
        (table["attack"] == "pay_top_k")
        & (table["rule"] == "top_k")
        & (table["score"] == "influence")
    ]
    said = numbers(story_words.money(found))
    favoured = earned[0][paid.vendor], earned[1][paid.vendor]
    assert said[2:4] == [float(one.replace(",", "")) for one in favoured]
    assert said[4:7] == [
        round(100 * (paid.accuracy["honest"] - paid.accuracy["pay_top_k"]), 1),
        len(rows),
        round(1e4 * (rows["after"] - rows["before"]).mean()),
    ]


def test_step_5_ranks_by_either_half(found: Sources) -> None:
    result, own = found.attack, found.halves.iloc[0]
    said = numbers(story_words.halves(found))
    assert said[0] == round(own["spearman"], 2)
    assert said[-3:] == [1, result.after_holdout.ranks[TARGET], result.before_holdout.ranks[TARGET]]
    first, second = (
        np.argsort(np.argsort(one.scores)) for one in (result.before, result.before_holdout)
    )
    assert np.corrcoef(first, second)[0, 1] == pytest.approx(own["spearman"], abs=2e-3)


def test_step_6_never_has_the_sample_first(found: Sources) -> None:
    given = story_figures.impossible(found)
    ranks = np.frombuffer(_bytes(given["ranks"]), "<u2")
    order = np.frombuffer(_bytes(given["order"]), "<u1").reshape(len(ranks), -1)
    assert len(ranks) == given["count"] and ranks.min() == given["best"] == 2
    places = (order == given["target"]).argmax(1) + 1
    assert (places >= ranks).all()  # equal scores share a rank, and stand in some order
    copies = given["copies"]
    assert isinstance(copies, list)
    assert ((order == copies[0]).argmax(1) + 1 < places).all()
    random: pd.DataFrame = found.impossible.random.table
    assert numbers(story_words.impossible(found)) == [
        (random["rank"] == 1).sum(),
        len(random),
        (found.impossible.attack.runs["rank_test"] == 1).sum(),
        len(found.impossible.attack.runs),
    ]


def test_step_7_says_the_gap_before_with_and_without_the_attack(found: Sources) -> None:
    table = found.fairness.table
    ordered = table.sort_values("scale")
    least, one = ordered.iloc[0], ordered.iloc[-1]
    said = numbers(story_words.fairness(found))
    low, high = found.fairness.about.rates_test
    assert least["base_predictions_changed"] == 0  # "none"
    assert said[-4:] == [
        1,
        round(100 * one["dp_test"], 1),
        least["scale"],
        round(100 * least["dp_test"], 1),
    ]
    assert said[0] == round(100 * found.fairness.about.gap_before, 1)
    assert 0 < low < high  # of the two groups that the sentence names
    assert found.fairness.about.group_names == ("female", "male")


def test_step_8_counts_who_is_left_at_the_top(found: Sources) -> None:
    table = found.polish
    arrived = table[table["success"] & (table["rank_before"] > 10)]
    knows = arrived["kind"].isin(["through", "hides norm", "hides decrement", "declares"])
    counts = [
        value
        for part in (arrived[~knows], arrived[knows])
        for value in (len(part), int((part["rank_1"] <= 10).sum()))
    ]
    said = numbers(story_words.undo(found))
    assert said == [counts[0], counts[1], counts[0], 10, counts[2], counts[3]]
    given = story_figures.undo(found)
    assert np.array(given["ranks"])[0].max() <= 1


def test_it_opens_at_the_step_of_its_link(open_page: Open) -> None:
    app = open_page(PAGE, step=4)
    assert not app.exception
    assert app.session_state["step"] == 4
    assert "Step 6 is computed as you drag. The other steps show stored results." in words(app)


def test_a_step_that_is_none_is_said(open_page: Open) -> None:
    app = open_page(PAGE, step=9)
    assert not app.exception
    assert len(notes(app)) == 1
    assert "step=9" in notes(app)[0]


def test_without_its_results_it_says_what_to_do(open_page: Open, publish: Publish) -> None:
    publish()
    app = open_page(PAGE)
    assert not app.exception
    assert "engine publish" in words(app)
