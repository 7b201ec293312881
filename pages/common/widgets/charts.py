"""Putting a figure on a page: heading, alt text, and the line below: the menu that saves it, what
rank 1 is, and where its numbers come from."""

import re
from collections.abc import Callable

import streamlit as st

from pages.common.samples import Samples
from pages.common.widgets import header, ready_figure, save_figure, sign
from pages.common.widgets.badge import is_new
from pages.common.widgets.ready_figure import ReadyFigure
from pages.common.widgets.sample_card import sample_card
from pages.common.widgets.save_figure import FigureSource

UNFIT = re.compile(r"[^a-zA-Z0-9_-]")  # characters of a key that its class cannot have


def heading(text: str, badge: str = "") -> None:
    """Show the message of what follows, and where its numbers come from unless a line below says
    so."""
    origin = f" :gray-badge[{badge}]" if is_new(badge, text) else ""
    st.markdown(f"## {text}{origin}")


def chart(
    figure: ReadyFigure,
    key: str,
    alt: str,
    source: FigureSource | None,
    on_select: Callable[[], None] | None = None,
    samples: Samples | None = None,
    at: int = 0,
    title: str = "",
    badge: str = "",
) -> None:
    """Show a chart over the full width, and the line below it. `source` is what it shows, None
    only while that is still being computed. `on_select` is called when a point is clicked. With
    `samples`, pointing at one shows its card; `at` is the place of its index in the points' custom
    data. `title`: what saved pictures are called, by default `alt`. `badge`: where its numbers come
    from."""
    key = UNFIT.sub("-", key)  # as Streamlit does for the class by which scripts find the chart
    name = key if source is None else source.name
    config = {
        "displaylogo": False,
        "toImageButtonOptions": {"format": "png", "filename": name, "scale": 2},
    }
    # One container that wraps: the chart takes a row of its own, and the line below is the next.
    with st.container(key=f"figure-{key}", horizontal=True, vertical_alignment="center"):
        shown = ready_figure.for_projector(figure) if header.presenting() else figure
        ready_figure.show(shown, key, alt, config, on_select)
        if samples is not None:
            sample_card(key, samples, at)
        if source is not None:
            below(figure, key, source, title or alt, badge)


def below(figure: ReadyFigure, key: str, source: FigureSource, title: str, badge: str) -> None:
    """Show the line below a chart: its menu; where its numbers come from, unless the page has said
    it; and what rank 1 is, if it is the page's first that shows ranks."""
    save_figure.menu(key, source, title)
    said = [badge] if is_new(badge, title) else []
    said += filter(None, [sign.said_below(figure, key, source)])
    if said:
        st.caption(" · ".join(said), width="content")
