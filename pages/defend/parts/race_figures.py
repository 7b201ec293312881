"""The figure of the race: which check stops which attack."""

from textwrap import wrap

import pandas as pd
import plotly.graph_objects as go

from pages.common.figures.axes import column_axis
from pages.common.figures.layout import finish
from pages.common.figures.palette import BAD, GOOD, OPEN
from pages.defend.parts.race_words import CAUGHT, MISSED

LOOKS = ("stopped", GOOD), ("in part", OPEN), ("missed", BAD)


def looks(stopped: int, of: int) -> str:
    """Name which of `LOOKS` a cell has."""
    share = stopped / of
    return "stopped" if share >= CAUGHT else "missed" if share <= MISSED else "in part"


def grid(table: pd.DataFrame) -> go.Figure:
    """Draw attacks against checks: a coloured cell says how many of the attacks that reached the
    top are stopped. table: of `race_words.matrix`."""
    rows = list(dict.fromkeys(table["attack"]))
    columns = list(dict.fromkeys(table["check"]))
    seen = [
        looks(stopped, of) if of else ""
        for stopped, of in zip(table["stopped"], table["of"], strict=True)
    ]
    figure = go.Figure()
    for name, colour in LOOKS:
        part = table[[one == name for one in seen]]
        y = [rows.index(attack) for attack in part["attack"]]
        figure.add_bar(
            y=y,
            x=[0.94] * len(part),
            base=[columns.index(check) - 0.47 for check in part["check"]],
            orientation="h",
            width=0.88,
            name=name,
            marker={"color": colour, "line": {"width": 0}},
            text=[f"{s}/{n}" for s, n in zip(part["stopped"], part["of"], strict=True)],
            textposition="inside",
            insidetextanchor="middle",
            textangle=0,
            textfont={"color": "white", "size": 13},
            customdata=part[["attack", "check", "stopped", "of"]].to_numpy(object),
            hovertemplate="<b>%{customdata[0]}</b><br>%{customdata[1]}: %{customdata[2]} of "
            "%{customdata[3]} stopped<extra></extra>",
        )
    heads = column_axis(["<br>".join(wrap(name, 16)) for name in columns])
    heads |= {"tickangle": None, "autotickangles": [0, 90]}  # upright where columns are narrow
    figure.update_xaxes(heads)
    figure.update_yaxes(
        tickvals=list(range(len(rows))),
        ticktext=["<br>".join(wrap(name, 24)) for name in rows],
        range=[len(rows) - 0.5, -0.5],
        showgrid=False,
        zeroline=False,
    )
    figure = finish(figure, 110 + 34 * len(rows), barmode="overlay")
    figure.update_layout(legend={"y": -0.01, "yanchor": "top"}, margin={"t": 8})
    return figure
