"""The paper's statements and rates beside ours: pure functions to figures."""

from collections.abc import Sequence
from textwrap import wrap

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from pages.common.figures.axes import column_axis
from pages.common.figures.layout import finish
from pages.common.figures.palette import ATTACKED, BAD, GOOD, OPEN, PAPER
from pages.common.figures.rates import rate_dots
from pages.common.words import paper
from pages.evidence.parts.comparisons import DIFFERS, NOT_COMPARABLE, REPRODUCED, Comparison

SHORT = {  # the methods, from the simplest to the paper's
    "baseline": "loss<br>reweighing",
    "target": "raise<br>target",
    "top_k": "lower<br>top k",
    "higher_ranked": "lower<br>all above",
    "restarts": "random<br>starts",
}
HERE = {"size": 12, "color": ATTACKED, "line": {"width": 2, "color": ATTACKED}}
PAPER_LOOK = {"size": 11, "color": PAPER, "symbol": "diamond-open", "line": {"width": 2}}
OVER = {"baseline": "target_weight"}  # what a method's rate is the best of; the others: the radius


VERDICT_LOOKS = {  # colour, and the sign within the mark
    REPRODUCED: (GOOD, "✓"),
    DIFFERS: (BAD, "✗"),
    NOT_COMPARABLE: (OPEN, "–"),
}
MARKS = {verdict: f"{sign} {verdict}" for verdict, (_, sign) in VERDICT_LOOKS.items()}
LINE = 58  # characters of a line that pointing at a mark shows


def scoreboard(compared: Sequence[Comparison]) -> go.Figure:
    """Return every check as a mark: a row a statement, in the paper's order of sources; a column
    the data that it was checked on. Data on which one statement alone is checked share the last
    column."""
    rows = list(dict.fromkeys((c.source, c.short) for c in compared))
    shared = [
        data
        for data in dict.fromkeys(c.data for c in compared)
        if len({c.short for c in compared if c.data == data}) > 2
    ]
    columns = [*shared, "other data"]
    figure = go.Figure()
    for verdict, (colour, sign) in VERDICT_LOOKS.items():
        chosen = [c for c in compared if c.verdict == verdict]
        figure.add_scatter(
            x=[columns.index(c.data if c.data in shared else columns[-1]) for c in chosen],
            y=[rows.index((c.source, c.short)) for c in chosen],
            mode="markers+text",
            name=MARKS[verdict],
            marker={"size": 20, "color": colour, "symbol": "circle"},
            text=[sign] * len(chosen),
            textfont={"color": "white", "size": 12},
            customdata=[
                [f"{c.source}, on {c.data}: {verdict}", folded(c.claim), folded(c.here)]
                for c in chosen
            ],
            hovertemplate="<b>%{customdata[0]}</b><br>%{customdata[1]}<br>Here: %{customdata[2]}"
            "<extra></extra>",
        )
    heads = [name.removeprefix("the ").replace(" ", "<br>") for name in columns]
    figure.update_xaxes(column_axis(heads))
    figure.update_yaxes(
        tickvals=list(range(len(rows))),
        ticktext=["<br>".join(wrap(short, 24)) for _, short in rows],
        range=[len(rows) - 0.5, -0.6],
        zeroline=False,
    )
    figure = finish(figure, 90 + 36 * len(rows))
    figure.update_layout(legend={"y": 0, "yanchor": "top"}, margin={"t": 8})
    return figure


def folded(text: str) -> str:
    return "<br>".join(wrap(text, LINE))


def of_paper(data: str) -> dict[str, float]:
    """Return the paper's rates on one of its data sets with accuracy kept, at its smaller k, by
    method."""
    place = paper.DATASETS.index(data)
    rates = {"baseline": paper.TABLE_1["baseline", "smaller k"][place].high_accuracy}
    return rates | {v: cells[place].high_accuracy for v, cells in paper.TABLE_2.items()}


def order(found: pd.DataFrame, stands_for: str | None = None) -> go.Figure:
    """Draw success with accuracy kept by method, from the simplest to the paper's, on one data set;
    the paper's beside it, on the data set that it stands in for.

    found: a row a method with rate, low, high, successes, attacks, accuracy_drop, and radius or
    target_weight.
    """
    figure = go.Figure()
    places = {name: place for place, name in enumerate(SHORT)}
    shift = 0.13 if stands_for else 0.0
    for shown, (over, part) in enumerate(
        found.groupby(found["method"].map(lambda m: OVER.get(m, "radius")))
    ):
        at = np.asarray(part["method"].map(places), np.float64) + shift
        dots = rate_dots(part, at, "here", HERE, str(over))
        figure.add_trace(dots.update(legendgroup="here", showlegend=shown == 0))
    if stands_for:
        rates = of_paper(stands_for)
        figure.add_scatter(
            x=np.array([places[m] for m in rates]) - shift,
            y=np.array(list(rates.values())),
            mode="markers+lines",
            line={"color": PAPER, "width": 1, "dash": "dot"},
            marker=PAPER_LOOK,
            name=f"the paper, {stands_for}",
            hovertemplate="<b>%{y:.0%}</b><extra>the paper</extra>",
        )
    figure.update_xaxes(
        tickvals=list(places.values()),
        ticktext=list(SHORT.values()),
        tickangle=0,
        tickfont={"size": 12},
        range=[-0.6, len(SHORT) - 0.4],
    )
    figure.update_yaxes(title_text="success, accuracy kept", tickformat=".0%", range=[-0.03, 1.05])
    return finish(figure, 340)
