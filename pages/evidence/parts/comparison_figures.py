"""The paper's statements and rates beside ours: pure functions to figures."""

from collections.abc import Sequence
from textwrap import wrap

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from pages.common.figures.layout import finish
from pages.common.figures.palette import (
    ATTACKED,
    BAD,
    GOOD,
    GREEN,
    GREY,
    MUSTARD,
    OPEN,
    PAPER,
)
from pages.common.figures.rates import rate_dots
from pages.common.words import paper
from pages.evidence.parts.comparison_words import SIGNS
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


COLOURS = {REPRODUCED: GOOD, DIFFERS: BAD, NOT_COMPARABLE: OPEN}
SAID = {REPRODUCED: GREEN, DIFFERS: MUSTARD, NOT_COMPARABLE: GREY}  # as text on either theme
COUNTED = {REPRODUCED: "reproduced", DIFFERS: "differ", NOT_COMPARABLE: "not comparable"}
MARKS = {verdict: f"{sign} {verdict}" for verdict, sign in SIGNS.items()}
LINE = 58  # characters of a line that pointing at a check shows


def scoreboard(compared: Sequence[Comparison]) -> go.Figure:
    """Return every check as a piece of one bar, in the colour of its verdict, with how many there
    are of each."""
    figure = go.Figure()
    start = 0
    for verdict, colour in COLOURS.items():
        chosen = [c for c in compared if c.verdict == verdict]
        figure.add_bar(
            x=[1] * len(chosen),
            y=[""] * len(chosen),
            base=list(range(start, start + len(chosen))),
            orientation="h",
            name=verdict,
            marker={"color": colour, "line": {"color": "white", "width": 2}},
            customdata=[
                [f"{c.source}, on {c.data}: {verdict}", folded(c.claim), folded(c.here)]
                for c in chosen
            ],
            hovertemplate="<b>%{customdata[0]}</b><br>%{customdata[1]}<br>Here: %{customdata[2]}"
            "<extra></extra>",
        )
        last = verdict == NOT_COMPARABLE  # few checks: its words end where the bar ends
        figure.add_annotation(
            x=start + len(chosen) if last else start,
            y=-0.5 if last else 0.5,
            xanchor="right" if last else "left",
            yanchor="top" if last else "bottom",
            text=f"<b>{len(chosen)} {COUNTED[verdict]}</b>",
            showarrow=False,
            font={"color": SAID[verdict], "size": 17},
        )
        start += len(chosen)
    figure.update_xaxes(visible=False, range=[0, max(start, 1)])
    figure.update_yaxes(visible=False, range=[-1.3, 1.2])
    return finish(figure, 130, showlegend=False, barmode="overlay", bargap=0, margin={"t": 4})


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
