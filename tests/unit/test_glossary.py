"""The glossary holds every word that a newcomer would ask about, once, with a short definition."""

import json

from pages.common.words.glossary import for_browser, glossary

# What the lab's pages say and a first-year student would ask about.
ASKED = (
    "Hessian",
    "damping",
    "l2",
    "Spearman",
    "θ*",
    "Wilson",
    "AUC",
    "DP",
    "LiSSA",
    "stand-in",
    "kNN-Shapley",
    "LDS",
    "TRAK",
    "TracIn",
    "EK-FAC",
    "Data-OOB",
    "Data Banzhaf",
    "Holm",
    "gradient norm",
    "Newton step",
    "top-k",
    "radius",
    "holdout",
)
LONGEST = 45  # words of a definition


def test_every_word_that_a_newcomer_would_ask_about_is_defined_once() -> None:
    forms = [form for word in glossary() for form in word.forms]
    assert len(forms) == len(set(forms))
    assert set(ASKED) <= set(forms)


def test_definitions_are_short_sentences_in_the_order_of_the_alphabet() -> None:
    terms = [word.term for word in glossary()]
    assert terms == sorted(terms, key=str.casefold)
    for word in glossary():
        assert len(word.text.split()) <= LONGEST, word.term
        assert word.text.endswith("."), word.term


def test_the_browser_gets_every_word_and_nothing_that_ends_its_script() -> None:
    sent = json.loads(for_browser())
    assert [word["term"] for word in sent] == [word.term for word in glossary()]
    assert "<" not in for_browser()
