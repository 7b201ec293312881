"""Putting a figure on a page: heading with badge, alt text, the camera's format."""

from collections.abc import Callable

import plotly.graph_objects as go
import streamlit as st

from pages.common.sample_card import sample_card
from pages.common.thumbnails import Samples

CAMERA = "camera"  # session-state key: the format that a chart's camera button saves
FORMATS = ("PNG", "SVG")


def heading(text: str, badge: str = "") -> None:
    """A figure's message, and where its numbers come from."""
    st.markdown(f"##### {text}" + (f" :gray-badge[{badge}]" if badge else ""))


def chart(
    figure: go.Figure,
    key: str,
    alt: str,
    on_select: Callable[[], None] | None = None,
    samples: Samples | None = None,
    at: int = 0,
) -> None:
    """A chart over the full width; `on_select` is called when a point is clicked. With `samples`,
    pointing at one shows its card; `at` is the place of its index in the points' custom data."""
    chosen = str(st.session_state.get(CAMERA) or FORMATS[0]).lower()
    config = {
        "displaylogo": False,
        "toImageButtonOptions": {"format": chosen, "filename": key, "scale": 2},
    }
    if on_select is None:
        st.plotly_chart(figure, key=key, alt=alt, config=config)
    else:
        st.plotly_chart(
            figure, key=key, alt=alt, config=config, on_select=on_select, selection_mode="points"
        )
    if samples is not None:
        sample_card(key, samples, at)
