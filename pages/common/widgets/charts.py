"""Putting a figure on a page: heading with badge, alt text, the menu that saves it."""

import re
from collections.abc import Callable

import streamlit as st

from pages.common.samples import Samples
from pages.common.widgets import header, ready_figure, save_figure, sign
from pages.common.widgets.badge import mark_origin
from pages.common.widgets.ready_figure import ReadyFigure
from pages.common.widgets.sample_card import sample_card
from pages.common.widgets.save_figure import FigureSource

UNFIT = re.compile(r"[^a-zA-Z0-9_-]")  # characters of a key that its class cannot have


def heading(text: str, badge: str = "") -> None:
    """Show a figure's message, and where its numbers come from."""
    st.markdown(f"## {text}{mark_origin(badge, text)}")


def chart(
    figure: ReadyFigure,
    key: str,
    alt: str,
    source: FigureSource | None,
    on_select: Callable[[], None] | None = None,
    samples: Samples | None = None,
    at: int = 0,
    title: str = "",
) -> None:
    """Show a chart over the full width, and the menu that saves it; below the page's first that
    shows ranks, what they mean. `source` is what it shows, None
    only while that is still being computed. `on_select` is called when a point is clicked. With
    `samples`, pointing at one shows its card; `at` is the place of its index in the points' custom
    data. `title`: what saved pictures are called, by default `alt`."""
    key = UNFIT.sub("-", key)  # as Streamlit does for the class by which scripts find the chart
    name = key if source is None else source.name
    config = {
        "displaylogo": False,
        "toImageButtonOptions": {"format": "png", "filename": name, "scale": 2},
    }
    with st.container(gap=None):
        shown = ready_figure.for_projector(figure) if header.presenting() else figure
        ready_figure.show(shown, key, alt, config, on_select)
        if samples is not None:
            sample_card(key, samples, at)
        sign.note_below(figure, key, source)
        if source is not None:
            save_figure.menu(key, source, title or alt)
