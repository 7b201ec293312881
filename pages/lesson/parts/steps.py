"""The class experiment in four steps, for pages that open before a lesson begins."""

import streamlit as st

from pages.common.widgets import blocks

STEPS = (
    ("1 · A sample", "Everybody is dealt a training sample of their own.", False),
    ("2 · A bet", "Can an attack move it to the top, and at what price?", False),
    ("3 · The attack", "Everybody runs it on their sample.", False),
    ("4 · The wall", "It compares the class's rate with the published one.", False),
)


def show(large: bool = False) -> None:
    """Draw the steps from left to right, down on a phone; `large` on a page that has little
    else."""
    with st.container(key="large-steps" if large else None):
        blocks.flow(STEPS)
