"""Figures in the form in which the browser gets them: made once, sent to many visitors.

`st.plotly_chart` copies a figure and writes it as JSON in every run of a page, which costs several
milliseconds each. A `ReadyFigure` is that JSON already; `show` sends it as `st.plotly_chart` would.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Self

import plotly.graph_objects as go
import streamlit as st
from plotly.io import to_json
from streamlit.elements.lib.layout_utils import LayoutConfig
from streamlit.elements.lib.utils import compute_and_register_element_id
from streamlit.elements.plotly_chart import PlotlyChartSelectionSerde, parse_selection_mode
from streamlit.proto.PlotlyChart_pb2 import PlotlyChart
from streamlit.runtime.scriptrunner_utils.script_run_context import get_script_run_ctx
from streamlit.runtime.state import register_widget

from pages.common.figures.presented import legible, presented
from pages.common.keeping.shelf import kept
from pages.common.keeping.tokens import digest

THEME = "streamlit"  # the browser draws figures in the colours of the page's theme, light or dark
HEIGHT = 450  # px, Plotly's own for a figure that says none


@dataclass(frozen=True)
class ReadyFigure:
    """A figure as Plotly's JSON, a digest of it, and its height in pixels."""

    spec: str
    digest: str
    height: int

    @classmethod
    def of(cls, figure: go.Figure) -> Self:
        return cls.of_json(to_json(figure, validate=False), int(figure.layout.height or HEIGHT))

    @classmethod
    def of_json(cls, spec: str, height: int) -> Self:
        return cls(spec, digest(spec.encode()), height)


@kept
def drawn(build: Callable[..., go.Figure], values: tuple[object, ...]) -> ReadyFigure:
    """`build(*values)`, ready to be sent."""
    return for_page(build(*values))


def for_page(figure: go.Figure) -> ReadyFigure:
    """Return a figure with texts that can be read on a page."""
    spec = legible(figure.to_dict())
    height = int(figure.layout.height or HEIGHT)
    return ReadyFigure.of_json(to_json(spec, validate=False), height)


@kept
def for_projector(figure: ReadyFigure) -> ReadyFigure:
    """Return the figure as an audience sees it."""
    spec = presented(json.loads(figure.spec))
    return ReadyFigure.of_json(json.dumps(spec), spec["layout"]["height"])


def show(
    figure: ReadyFigure,
    key: str,
    alt: str,
    config: Mapping[str, object],
    on_select: Callable[[], None] | None = None,
) -> None:
    """Send a figure, as `st.plotly_chart` does with these arguments and all others as they are by
    default. `on_select` hears of clicks on points, which are then in the session's state."""
    chart = PlotlyChart(theme=THEME, spec=figure.spec, config=json.dumps(config), alt=alt.strip())
    chart.id = compute_and_register_element_id(
        "plotly_chart",
        user_key=key,
        key_as_main_identity=False,
        dg=st._main,
        plotly_spec=figure.digest,
        plotly_config=chart.config,
        is_selection_activated=on_select is not None,
        alt=chart.alt,
    )
    if on_select is not None:
        chart.selection_mode.extend(parse_selection_mode("points"))
        serde = PlotlyChartSelectionSerde()
        register_widget(
            chart.id,
            on_change_handler=on_select,
            deserializer=serde.deserialize,
            serializer=serde.serialize,
            ctx=get_script_run_ctx(),
            value_type="string_value",
        )
    # Streamlit has no public way to send JSON: a test compares this with st.plotly_chart.
    layout = LayoutConfig(width="stretch", height=figure.height)
    st._main._enqueue("plotly_chart", chart, layout_config=layout)
