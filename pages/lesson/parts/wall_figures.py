"""The wall's figure: where everybody's sample ended, against what it cost."""

from collections.abc import Sequence
from html import escape

import pandas as pd
import plotly.graph_objects as go

from engine.experiments.lesson import PRICE_BOUNDS
from engine.statistics import wilson_interval
from pages.common.figures.axes import rank_axis
from pages.common.figures.layout import custom_data, finish
from pages.common.figures.palette import ATTACKED, BAND, FAINT, GREY, PAPER, TARGET
from pages.lesson.parts.lesson_words import LessonRow, rows_of

LOOKS = ((True, "moved into the top", TARGET, "circle"), (False, "did not", GREY, "x"))
FONT = 17  # px: it is read from the last row
ROOM = 0.4  # points above and below the outermost marks, for their names
MOST_NAMED = 15  # of more points the names would cover each other


def rank_against_price(table: pd.DataFrame) -> go.Figure:
    """Draw accuracy lost (points) against the rank reached, on a log axis; the bands of the bet's
    price classes behind."""
    n, k = int(table["n"].max()), int(table["k"].iloc[0])
    figure = go.Figure()
    figure.add_vrect(x0=0.75, x1=k + 0.5, fillcolor=BAND, line_width=0, layer="below")
    for bound in PRICE_BOUNDS:
        figure.add_hline(y=100 * bound, line={"color": FAINT, "width": 1, "dash": "dot"})
    for moved, name, colour, symbol in LOOKS:
        part = [row for row in rows_of(table) if row.moved == moved]
        if part:
            figure.add_trace(dots(part, name, colour, symbol, len(table) <= MOST_NAMED))
    lost = 100 * table["accuracy_drop"]
    figure.update_xaxes(**rank_axis(n, "rank reached (1 is the top)"))
    figure.update_yaxes(
        title={"text": "accuracy lost, points"},
        range=[min(float(lost.min()), 0) - ROOM, max(float(lost.max()), 3) + 2 * ROOM],
    )
    for update in (figure.update_xaxes, figure.update_yaxes):
        update(tickfont={"size": FONT}, title_font={"size": FONT})
    size = {"font": {"size": FONT}}
    return finish(figure, 480, **size, legend=size, hoverlabel=size)


def before(hits: int, attacks: int, paper: tuple[float, float]) -> go.Figure:
    """Draw this lab's published rate with its 95% interval, the paper's range, and an empty place
    for the class."""
    low, high = wilson_interval(hits, attacks)
    rate, figure = hits / attacks, go.Figure()
    figure.add_scatter(
        x=list(paper),
        y=["the paper"] * 2,
        mode="lines",
        line={"color": PAPER, "width": 12},
        hovertemplate="%{x:.0%}<extra>the paper</extra>",
    )
    spans = f"{100 * paper[0]:.0f}–{paper[1]:.0%}, range over three data sets"
    for row, text, colour in (
        ("the paper", spans, PAPER),
        ("this lab", f"{rate:.0%}, with its 95% interval", ATTACKED),
    ):
        figure.add_annotation(
            x=1, y=row, yshift=22, showarrow=False, xanchor="right", text=text,
            font={"size": FONT, "color": colour},
        )  # fmt: skip
    figure.add_scatter(
        x=[rate],
        y=["this lab"],
        mode="markers",
        marker={"color": ATTACKED, "size": 16},
        error_x={
            "type": "data",
            "symmetric": False,
            "array": [high - rate],
            "arrayminus": [rate - low],
            "color": ATTACKED,
            "thickness": 3,
            "width": 8,
        },
        hovertemplate=f"{hits} of {attacks}; 95% interval {low:.0%} to {high:.0%}"
        "<extra>this lab</extra>",
    )
    figure.add_annotation(
        x=0,
        y="your class",
        yshift=14,
        xanchor="left",
        text="waits for its first attack",
        showarrow=False,
        font={"size": FONT, "color": GREY},
    )
    figure.update_xaxes(
        title_text="attacks that moved their sample",
        tickformat=".0%",
        tickvals=[0, 0.25, 0.5, 0.75, 1],  # on a phone Plotly would leave 100% out
        range=[0, 1.02],
    )
    figure.update_yaxes(
        categoryorder="array",
        categoryarray=["your class", "this lab", "the paper"],
        range=[-0.6, 2.7],
        zeroline=False,
    )
    for update in (figure.update_xaxes, figure.update_yaxes):
        update(tickfont={"size": FONT}, title_font={"size": FONT})
    margin = {"t": 8, "r": 30}  # half of "100%" stands beside the axis
    return finish(figure, 280, showlegend=False, font={"size": FONT}, margin=margin)


def compared(hits: int, attacks: int, paper: tuple[float, float]) -> pd.DataFrame:
    """Return the numbers of the figure before a lesson, as they are saved: rates as shares."""
    low, high = wilson_interval(hits, attacks)
    columns = ["of", "attacks", "rate", "low", "high"]
    rows = [("this lab", attacks, hits / attacks, low, high), ("the paper", None, None, *paper)]
    return pd.DataFrame(rows, columns=columns)


def dots(rows: Sequence[LessonRow], name: str, colour: str, symbol: str, named: bool) -> go.Scatter:
    """Draw some entries as marks; whoever made them is text that anybody may have typed. Names of
    neighbours stand above and below their marks in turns, so that they do not cover each other."""
    rows = sorted(rows, key=lambda row: row.rank_after)
    names = [escape(row.who) for row in rows]
    return go.Scatter(
        x=[row.rank_after for row in rows],
        y=[100 * row.drop for row in rows],
        mode="markers+text" if named else "markers",
        text=names if named else None,
        textposition=[("top center", "bottom center")[place % 2] for place in range(len(rows))],
        name=name,
        marker={"size": 15, "color": colour, "symbol": symbol, "line": {"width": 1}},
        customdata=custom_data(
            [
                [row.sample, who, row.rank_before, row.rank_after]
                for row, who in zip(rows, names, strict=True)
            ]
        ),
        hovertemplate="<b>%{customdata[1]}</b>, sample %{customdata[0]}<br>rank "
        "%{customdata[2]:,} → %{customdata[3]:,}<br>%{y:.1f} points lost<extra></extra>",
    )


def exported(table: pd.DataFrame) -> pd.DataFrame:
    """Return the numbers of the figure, as they are saved."""
    return table[[
        "entry", "nickname", "sample", "rank_before", "rank_after", "moved", "accuracy_drop",
        "bet_moves", "bet_price", "points",
    ]]  # fmt: skip
