"""Figures for a projector: every text is large, and the figure on the page stays as it is."""

import copy
import json
from typing import Any

import plotly.graph_objects as go
import pytest
from plotly.io import to_json
from plotly.subplots import make_subplots

from pages.common.figures.presented import (
    ABOVE,
    AWAY,
    BROKEN,
    LEGIBLE,
    TALLER,
    TEXT,
    legible,
    presented,
)


def scatter() -> go.Figure:
    figure = go.Figure(
        go.Scatter(x=[1, 2], y=[3, 4], text=["a", "b"], mode="markers+text", marker_size=5)
    )
    figure.add_annotation(text="here", font_size=10)
    return figure.update_layout(legend_font_size=9, height=300, title="a title", font_size=11)


def panels() -> go.Figure:
    figure = make_subplots(1, 2, subplot_titles=["a", "b"]).add_scatter(x=[1], y=[2], row=1, col=2)
    return figure.update_xaxes(tickfont_size=8, title_text="x")


def heatmap() -> go.Figure:
    made = go.Heatmap(z=[[1, 2], [3, 4]], texttemplate="%{z}", colorbar={"title": {"text": "z"}})
    return go.Figure(made)


def coloured() -> go.Figure:
    marker = {"color": [1, 2], "size": [4, 5], "colorbar": {"tickfont": {"size": 9}}}
    return go.Figure(go.Scatter(x=[1, 2], y=[1, 2], marker=marker))


def sizes(part: object) -> list[float]:
    """Every font size in a figure."""
    if isinstance(part, list):
        return [size for one in part for size in sizes(one)]
    if not isinstance(part, dict):
        return []
    own = [v["size"] for n, v in part.items() if n.endswith("font") and "size" in v]
    return own + [size for n, v in part.items() if n != "template" for size in sizes(v)]


@pytest.mark.parametrize("make", [scatter, panels, heatmap, coloured])
def test_every_text_is_large_enough(make: Any) -> None:
    spec = json.loads(to_json(make()))
    before = copy.deepcopy(spec)
    shown = presented(spec)
    assert spec == before
    go.Figure(shown)  # raises ValueError for what Plotly does not know
    found = sizes(shown)
    assert len(found) >= 6 and min(found) >= TEXT
    for axis in ("xaxis", "yaxis"):
        assert shown["layout"][axis]["tickfont"]["size"] >= TEXT
        assert shown["layout"][axis]["title"]["font"]["size"] >= TEXT


def test_larger_texts_stay_and_the_figure_grows() -> None:
    figure = go.Figure(go.Scatter(x=[1], y=[1])).update_layout(font_size=40, height=200)
    shown = presented(json.loads(to_json(figure)))
    assert shown["layout"]["font"]["size"] == 40
    assert shown["layout"]["height"] == 200 * TALLER


def test_rows_named_in_several_lines_and_titles_of_panels_get_room() -> None:
    short, long = ({"height": 100, "margin": {"t": 20}, "yaxis2": {"ticktext": [name]}} for name in
                   ("a", "a<br>b"))  # fmt: skip
    made = [presented({"layout": layout, "data": []})["layout"] for layout in (short, long)]
    assert [one["height"] for one in made] == [100 * TALLER, 100 * BROKEN]
    assert made[0]["margin"] == {"t": 20 * ABOVE}


def test_a_large_title_stands_farther_from_the_ticks() -> None:
    """Turned on its side it would reach into the numbers beside it."""
    spec = {"layout": {"yaxis": {"title": {"text": "money", "standoff": 6}}, "xaxis": {}}}
    shown = presented(spec)["layout"]
    assert shown["yaxis"]["title"]["standoff"] == 6 + AWAY
    assert "standoff" not in shown["xaxis"]["title"]  # Plotly's own


@pytest.mark.parametrize("make", [scatter, panels, heatmap, coloured])
def test_on_a_page_no_text_is_too_small_to_read(make: Any) -> None:
    spec = json.loads(to_json(make()))
    before = copy.deepcopy(spec)
    shown = legible(spec)
    assert spec == before
    go.Figure(shown)  # raises ValueError for what Plotly does not know
    assert min(sizes(shown)) >= LEGIBLE
    for axis in ("xaxis", "yaxis"):
        assert shown["layout"][axis]["tickfont"]["size"] >= LEGIBLE
    assert shown["layout"]["legend"]["font"]["size"] >= LEGIBLE


def test_on_a_page_larger_texts_and_the_height_stay() -> None:
    figure = go.Figure(go.Scatter(x=[1], y=[1], marker_size=5))
    figure.update_layout(xaxis_tickfont_size=17, legend_font_size=16, height=200)
    shown = legible(json.loads(to_json(figure)))
    assert shown["layout"]["xaxis"]["tickfont"]["size"] == 17
    assert shown["layout"]["legend"]["font"]["size"] == 16
    assert shown["layout"]["height"] == 200
    assert shown["data"][0]["marker"]["size"] == 5


def test_sizes_of_single_marks_that_plotly_packs_stay() -> None:
    packed = {"dtype": "i1", "bdata": "CAg="}
    spec = {"data": [{"textfont": {"size": packed}}], "layout": {}}
    assert legible(spec)["data"][0]["textfont"]["size"] == packed
