"""Putting a figure on a page: heading with badge, alt text, the camera's format."""

from collections.abc import Callable

import plotly.graph_objects as go
import streamlit as st

CAMERA = "camera"  # session-state key: the format that a chart's camera button saves
FORMATS = ("PNG", "SVG")


def heading(text: str, badge: str = "") -> None:
    """A figure's message, and where its numbers come from."""
    st.markdown(f"##### {text}" + (f" :gray-badge[{badge}]" if badge else ""))


def chart(
    figure: go.Figure, key: str, alt: str, on_select: Callable[[], None] | None = None
) -> None:
    """A chart over the full width; `on_select` is called when a point is clicked."""
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
