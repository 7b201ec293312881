"""What is written into a figure's layout as plain values is what Plotly itself would have made."""

from collections.abc import Callable

import plotly.graph_objects as go
import pytest
from plotly.subplots import make_subplots

from pages.common.figures.layout import AXES, SHARED, finish, set_plainly


def plain() -> go.Figure:
    return go.Figure(go.Scatter(x=[1, 2], y=[2, 3]))


def panels() -> go.Figure:
    return make_subplots(2, 2, subplot_titles=list("abcd")).add_scatter(x=[1], y=[2], row=2, col=1)


def with_properties() -> go.Figure:
    figure = plain().update_xaxes(title_text="steps", automargin=False, range=[0, 1])
    return figure.update_layout(legend_title_text="a", legend_xanchor="right", margin_t=90)


@pytest.mark.parametrize("make", [plain, panels, with_properties])
def test_it_is_as_with_plotlys_own_functions(make: Callable[[], go.Figure]) -> None:
    layout = {"showlegend": False, "font": {"size": 20}, "legend": {"font": {"size": 18}}}
    ours, theirs = finish(make(), 300, **layout), make()
    theirs.update_layout(SHARED).update_layout(height=300, **layout)
    theirs.update_xaxes(AXES["xaxis"]).update_yaxes(AXES["yaxis"])
    for figure in (ours, theirs):  # the figure can be changed in Plotly's way afterwards
        figure.update_yaxes(title_standoff=20).update_layout(legend_y=2)
    assert ours.to_plotly_json() == theirs.to_plotly_json()


def test_one_figure_changes_no_other_and_nothing_shared() -> None:
    shared = {"range": [0, 1], "title": {"text": "a"}}
    first, second = plain(), plain()
    for figure in (first, second):
        set_plainly(figure, xaxis=shared, yaxis=shared)
        finish(figure, 300)
    set_plainly(first, xaxis={"title": {"text": "b"}}, legend={"x": 1})
    assert second.layout.xaxis.title.text == second.layout.yaxis.title.text == "a"
    assert first.layout.yaxis.title.text == "a"
    assert second.layout.legend.x == 0
    assert shared == {"range": [0, 1], "title": {"text": "a"}}
    legend = SHARED["legend"]
    assert isinstance(legend, dict)
    assert legend["x"] == 0
