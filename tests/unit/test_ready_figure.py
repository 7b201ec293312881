"""A figure that is ready to be sent is what `st.plotly_chart` would send."""

import pytest
from streamlit.testing.v1 import AppTest


def sent(selects: bool, height: int | None) -> AppTest:
    """One page that sends a figure in both ways."""

    def page(selects: bool, height: int | None) -> None:
        import plotly.graph_objects as go
        import streamlit as st

        from pages.common.widgets import ready_figure

        figure = go.Figure(go.Scatter(x=[0, 1, 2], y=[0.5, 1, 4]), layout={"height": height})
        config, words = {"displaylogo": False}, "Three points"
        if selects:
            st.plotly_chart(
                figure, key="a", alt=words, config=config, on_select=print, selection_mode="points"
            )
        else:
            st.plotly_chart(figure, key="a", alt=words, config=config)
        ready = ready_figure.ReadyFigure.of(figure)
        ready_figure.show(ready, "b", words, config, print if selects else None)

    return AppTest.from_function(page, args=(selects, height)).run()


@pytest.mark.parametrize("selects", [False, True])
@pytest.mark.parametrize("height", [None, 300])
def test_it_is_what_streamlit_sends(selects: bool, height: int | None) -> None:
    app = sent(selects, height)
    assert not app.exception
    theirs, ours = (chart.proto for chart in app.get("plotly_chart"))
    assert ours.id.endswith("-b") and theirs.id.endswith("-a")
    ours.id = theirs.id
    assert ours == theirs
