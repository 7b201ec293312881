"""The card beside a hovered point: the sample's picture or, without one, its unusual features.

Plotly's hovers hold text alone, and thousands of pictures in a page would be megabytes that nobody
looks at: the browser says which sample it points at, and the answer brings that sample's card.
"""

from collections.abc import Mapping
from functools import partial

import streamlit as st

from pages.common.samples import Samples
from pages.common.widgets import fragment
from pages.common.widgets.component import Component

ASK_AFTER_MS = 90  # of pointing at one sample: a pointer that passes over asks for nothing
CARD = Component("sample_card")


def answer(samples: Samples, index: object) -> Mapping[str, object]:
    """Return what the card of a sample shows; no sample where the browser names none."""
    if not isinstance(index, int) or not 0 <= index < len(samples):
        return {"sample": None}
    picture = samples.thumbnail(index)
    lines = [] if picture else samples.features(index)
    return {"sample": index, "picture": picture, "lines": lines}


def sample_card(chart: str, samples: Samples, at: int) -> None:
    """Show the card of the chart with this key; `at` is the place of a sample's index in the custom
    data of its points."""
    key = f"card-{chart}"
    fragment.alone(key, partial(show, key, chart, samples, at))


def show(key: str, chart: str, samples: Samples, at: int) -> None:
    """Show the card of the sample that the browser asks for."""
    asked = (st.session_state.get(key) or {}).get("sample")
    given = {
        "chart": chart,
        "content": samples.dataset.content_hash,
        "at": at,
        "wait": ASK_AFTER_MS,
    }
    CARD.show(key, given, answer(samples, asked), sample=lambda: None)
