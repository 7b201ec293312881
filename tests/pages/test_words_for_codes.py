"""Screens say words, not the codes of requests and links."""

import re

import pytest

from engine.experiments import EXPERIMENTS
from engine.vocabulary import METRICS, OBJECTIVES, ORDERS, SCORES
from pages.common.words import code_names
from tests.support.reading import Passage, known_data_sets

CODE = re.compile(r"(?<![\w./])[A-Za-z][A-Za-z0-9]*(?:_[A-Za-z0-9]+)+(?![\w(])")
ALONE = {*OBJECTIVES, *ORDERS, *METRICS, "mlp", "cnn"} - {"target", "accurate", "quiet", "pay"}
NAMED = {*ALONE, *SCORES, *known_data_sets()}  # never even in the type of code
NAMED -= {"target", "accurate", "quiet", "pay", "influence", "cosine"}  # words as well
LINKS = "The link asks for"  # such a note is about codes


def codes_in(passage: Passage) -> list[str]:
    """What of a passage is a code that a reader should not meet."""
    if passage.text.startswith(LINKS):
        return []
    if passage.place == "code":
        return [passage.text] if passage.text in NAMED and passage.text != "digits" else []
    found = CODE.findall(passage.text)
    return found or ([passage.text] if passage.text in ALONE else [])


@pytest.mark.long
def test_no_page_shows_a_code_for_a_word(said: list[tuple[str, str, Passage]]) -> None:
    assert len(said) > 5000
    assert {page for page, _, _ in said} >= {"start", "cost", "fairness", "results", "wall"}
    found = {
        (page, passage.place, code, passage.text[:80])
        for page, _, passage in said
        if (page, passage.place) != ("data", "code")  # it lists the names that commands take
        for code in codes_in(passage)
    }
    assert not found


@pytest.mark.parametrize(
    ("place", "text", "codes"),
    [
        ("option", "higher_ranked", ["higher_ranked"]),
        ("option", "dp", ["dp"]),
        ("legend", "knn_shapley-whole", ["knn_shapley"]),
        ("caption", "On cifar10_5000_2000_effnetlite2.", ["cifar10_5000_2000_effnetlite2"]),
        ("code", "breast_cancer", ["breast_cancer"]),
        ("code", "X_train", []),
        ("caption", "The target is accurate and quiet.", []),
        ("warning", "The link asks for top_k", []),
    ],
)
def test_a_code_is_told_from_words(place: str, text: str, codes: list[str]) -> None:
    assert codes_in(Passage(place, text)) == codes


def test_every_code_has_a_word_of_its_own() -> None:
    for codes, words in (
        (OBJECTIVES, code_names.OBJECTIVE_WORDS),
        (ORDERS, code_names.ORDER_WORDS),
        (METRICS, code_names.METRIC_WORDS),
    ):
        assert set(codes) == set(words)
        assert len(set(words.values())) == len(words)
    names = [code_names.data_name(name) for name in known_data_sets()]
    assert len(set(names)) == len(names)


def test_every_experiment_has_a_name_of_its_own() -> None:
    assert set(code_names.EXPERIMENT_WORDS) == set(EXPERIMENTS)
    assert len(set(code_names.EXPERIMENT_WORDS.values())) == len(EXPERIMENTS)
