"""The paper's rates and ours in one figure."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from pages.common.figures.layout import finish
from pages.common.figures.palette import ACCENT, GREY
from pages.common.figures.rates import rate_dots
from pages.common.words import paper

SHORT = {  # the methods, from the simplest to the paper's
    "baseline": "loss<br>reweighing",
    "target": "raise<br>target",
    "top_k": "lower<br>top k",
    "higher_ranked": "lower<br>all above",
    "restarts": "random<br>starts",
}
HERE = {"size": 12, "color": ACCENT, "line": {"width": 2, "color": ACCENT}}
PAPER = {"size": 11, "color": GREY, "symbol": "diamond-open", "line": {"width": 2}}
OVER = {"baseline": "target_weight"}  # what a method's rate is the best of; the others: the radius


def of_paper(data: str) -> dict[str, float]:
    """The paper's rates on one of its data sets with accuracy kept, at its smaller k, by method."""
    place = paper.DATASETS.index(data)
    rates = {"baseline": paper.TABLE_1["baseline", "smaller k"][place].high_accuracy}
    return rates | {v: cells[place].high_accuracy for v, cells in paper.TABLE_2.items()}


def order(found: pd.DataFrame, stands_for: str | None = None) -> go.Figure:
    """Success with accuracy kept by method, from the simplest to the paper's, on one data set; the
    paper's beside it, on the data set that it stands in for.

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
            line={"color": GREY, "width": 1, "dash": "dot"},
            marker=PAPER,
            name=f"the paper, {stands_for}",
            hovertemplate="<b>%{y:.0%}</b><extra>the paper</extra>",
        )
    figure.update_xaxes(
        tickvals=list(places.values()),
        ticktext=list(SHORT.values()),
        tickangle=0,
        tickfont={"size": 11},
        range=[-0.6, len(SHORT) - 0.4],
    )
    figure.update_yaxes(title_text="success, accuracy kept", tickformat=".0%", range=[-0.03, 1.05])
    return finish(figure, 340)
