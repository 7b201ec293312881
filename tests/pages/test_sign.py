"""What rank 1 means, in the same words everywhere: behind the dotted words "rank 1", and once on
the page that explains scores."""

import re
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.metrics import log_loss

from engine import influence_scores
from engine.data.dataset import Dataset
from engine.data.sources.bundled import digits
from engine.models.fit import fit
from engine.models.linear import LinearModel
from pages.common.words.glossary import glossary
from pages.common.words.wording import rank_one
from tests.support.reading import Passage

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]  # the first reads every page

Said = list[tuple[str, str, Passage]]
NAMES = re.compile(r"(?<!stable )\brank \d")  # in a sentence
AXES = re.compile(r"\b(ranks?|scores?|top)\b")
ORDERS = ("highest_first", "lowest_first")
DOTTED = re.compile(r"\brank 1\b(?![.,]\d)", re.IGNORECASE)  # what the browser underlines
READ = ("markdown", "caption", "html", "component story")  # where it looks: not in a figure
# Pages that cannot be read without it.
NAMED = {"start", "story", "apart", "influence", "move-one-sample", "who-gets-the-money"}


def shows(passage: Passage) -> bool:
    if passage.place == "figure text":  # what is said of a mark that is pointed at
        return False
    return bool((AXES if passage.place == "axis" else NAMES).search(passage.text))


def test_the_order_is_told_under_dots_and_once_where_scores_are_explained(said: Said) -> None:
    pages = {page for page, _, passage in said if shows(passage)}
    assert len(pages) > 15
    dotted = {p for p, _, passage in said if passage.place in READ and DOTTED.search(passage.text)}
    assert dotted >= NAMED, NAMED - dotted
    told = Counter(
        (page, data)
        for page, data, passage in said
        if any(rank_one(order) in passage.text for order in ORDERS)
    )
    assert set(told.values()) == {1}
    assert {page for page, _ in told} >= {"influence"}


def test_the_glossary_says_the_same() -> None:
    (word,) = (word for word in glossary() if "rank 1" in word.forms)
    assert rank_one("highest_first") in word.text
    assert word.text.startswith("The sample with the highest influence score")


def with_more_weight(data: Dataset, sample: int) -> Dataset:
    """The data set with ten more of one training sample."""
    rows = np.append(np.arange(data.n_train), [sample] * 10)
    return replace(data, X_train=data.X_train[rows], y_train=data.y_train[rows], images=None)


def loss_of(model: LinearModel, data: Dataset) -> float:
    """The mean test loss, by scikit-learn."""
    return log_loss(data.y_test, softmax(model.logits(data.X_test), axis=1))


def test_what_is_said_is_true() -> None:
    """More weight on a sample pulls the test loss up where its score is above zero, and down where
    it is below: by training again."""
    data = digits()
    honest = fit(data)
    scores = influence_scores(honest, data).scores
    loss, order = loss_of(honest, data), np.argsort(scores)
    for sample in (*order[:3], *order[-3:]):
        moved = loss_of(fit(with_more_weight(data, int(sample))), data) - loss
        assert np.sign(moved) == np.sign(scores[sample])
