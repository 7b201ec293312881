"""What an answer of this section holds for, and the page on which the other case is treated.

Without their conditions these answers contradict each other: one page undoes every attack, another
passes every check. What decides is who fixes the loss, and what the attacker knows.
"""

import streamlit as st

from pages.common.lab import navigation, registry
from pages.common.lab.registry import PageEntry

CASES = {  # by page: what its answer holds for, and the page of the other case
    "audit": (
        "False scores that are made to fit pass, and so do the true scores of a malicious model. "
        "A check of the model:",
        "minimum",
    ),
    "minimum": (
        "An attacker who knows the check can pass it. A check that is harder to pass:",
        "undo-it",
    ),
    "undo-it": (
        "This works where the verifier fixes the loss. Where the trainer may choose it:",
        "deniable",
    ),
    "what-cannot-be-moved": (
        "This is proven for a loss that the verifier fixes. Where the trainer may choose it:",
        "deniable",
    ),
    "deniable": (
        "This works where the trainer may choose the loss. Where the verifier fixes it:",
        "undo-it",
    ),
    "other-scores": (
        "This attack aims at influence alone. Attacks that aim at each of the others:",
        "is-any-score-safe",
    ),
    "is-any-score-safe": (
        "Here the model is scored as it comes. If the verifier trains it further first:",
        "undo-it",
    ),
}


def show(page: PageEntry) -> None:
    """Say what the page's answer holds for, in one line that leads to the other case."""
    said, other = CASES[page.url]
    entry = registry.page(other)
    with st.container(key="other-case"):
        st.page_link(navigation.page_of(entry), label=f"{said} **{entry.title} →**")
