"""Choosing a target: by a click on a ranking, or at random; and why a sample cannot be one."""

import numpy as np
import streamlit as st

from engine.attacks.result import Ranking
from pages.common.asking import door, refusals
from pages.common.asking.form import forget_notes


def inside(index: int, before: Ranking, k: int) -> str:
    """Say why a sample cannot be a target."""
    return (
        f"Sample {index} is at rank {int(before.ranks[index]):,} under the honest model: it is in "
        f"the top {k} before any attack. Choose a sample further down, or a smaller k."
    )


def pick(key: str, before: Ranking, k: int) -> None:
    """Make the sample that was clicked in a ranking the target, unless it is in the top-k
    already."""
    points = st.session_state[key].selection.points
    if not points:
        return
    index = int(points[0]["customdata"][0])
    if before.ranks[index] <= k:
        door.refuse(inside(index, before, k))
    else:
        st.session_state["target"] = index
        forget_notes()


def was_picked(target: int) -> bool:
    """Return whether a click has chosen another sample than `target`, or was refused, and the page
    does not show it yet: a figure in a fold draws itself again, alone."""
    return st.session_state.get("target") != target or refusals.REFUSAL in st.session_state


def random_target(before: Ranking, k: int) -> None:
    """Choose a sample outside the honest top-k."""
    outside = np.flatnonzero(before.ranks > k)
    st.session_state["target"] = int(np.random.default_rng().choice(outside))
    forget_notes()
