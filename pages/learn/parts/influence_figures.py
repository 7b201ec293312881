"""Figures of what an influence score is: the ranking for one test sample, scores and retraining."""

import numpy as np
import plotly.graph_objects as go

from engine.attacks.result import Ranking
from engine.experiments import LeaveOneOutResult
from pages.common.figures.axes import SignedScale, number, thinned
from pages.common.figures.layout import custom_data, finish
from pages.common.figures.palette import GREY, HONEST, INK, LOWERS, RAISES
from pages.common.figures.ranking_ends import halves, panels
from pages.common.samples import Samples, hover_names

SAMPLE_IN_ONE, SAMPLE_IN_RETRAINING = 3, 4  # places of a sample's index in its custom data


def one_sample(ranking: Ranking, samples: Samples | None, shown: int) -> go.Figure:
    """Draw every training sample's score for one test sample against its rank, from both ends; the
    `shown` first and last are marked as those that raise and those that lower its loss."""
    n = len(ranking.ranks)
    names = hover_names(samples, n)
    scale = SignedScale.of(ranking.scores)
    drawn = np.zeros(n, dtype=bool)
    drawn[ranking.top(n)[thinned(n)]] = True
    figure = panels(n)
    looks = {
        1: (f"the {shown} that raise its loss most", RAISES, "triangle-up"),
        2: (f"the {shown} that lower its loss most", LOWERS, "triangle-down"),
    }
    for half in halves(ranking.ranks):
        label, colour, symbol = looks[half.column]
        extreme = half.places <= shown
        kinds = (
            ("all others", ~extreme & drawn[half.members], {"size": 5, "color": GREY}),
            (label, extreme, {"size": 10, "color": colour, "symbol": symbol}),
        )
        for name, inside, marker in kinds:
            members = half.members[inside]
            figure.add_scatter(
                x=half.places[inside],
                y=scale(ranking.scores[members]),
                mode="markers",
                name=name,
                legendgroup=name,
                showlegend=name != "all others" or half.column == 1,
                marker=marker,
                customdata=custom_data(
                    [
                        [names[i], number(ranking.scores[i]), f"{int(ranking.ranks[i]):,}", int(i)]
                        for i in members
                    ]
                ),
                hovertemplate="%{customdata[0]}<br>score %{customdata[1]}<br>rank "
                f"%{{customdata[2]}} of {n:,}<extra></extra>",
                row=1,
                col=half.column,
            )
    low, high = float(ranking.scores.min()), float(ranking.scores.max())
    axis = scale.axis(low, high, "")
    figure.update_yaxes(axis)
    figure.update_yaxes(title_text="influence on this sample's loss", col=1)
    figure.add_hline(y=0, line={"color": GREY, "width": 1, "dash": "dot"})
    return finish(figure, 360)


def against_retraining(result: LeaveOneOutResult, samples: Samples | None) -> go.Figure:
    """Draw what influence estimates against what retraining finds, on one asinh scale, with the
    identity line."""
    rows, names = result.table, hover_names(samples, result.n_train)
    estimate, change = rows["estimate"].to_numpy(), rows["change"].to_numpy()
    scale = SignedScale.of(estimate, change)
    low = float(min(estimate.min(), change.min()))
    high = float(max(estimate.max(), change.max()))
    figure = go.Figure()
    figure.add_scatter(
        x=scale([low, high]),
        y=scale([low, high]),
        mode="lines",
        name="estimate = retraining",
        line={"color": INK, "width": 2, "dash": "dash"},
        hoverinfo="skip",
    )
    figure.add_scatter(
        x=scale(estimate),
        y=scale(change),
        mode="markers",
        name="a training sample",
        marker={
            "size": 6 if len(rows) > 200 else 9,
            "color": HONEST,
            "opacity": 0.6,
            "line": {"width": 0},
        },
        customdata=custom_data(
            [
                [names[sample], f"{rank:,}", number(e), number(c), int(sample)]
                for sample, rank, e, c in zip(
                    rows["sample"], rows["rank"], estimate, change, strict=True
                )
            ]
        ),
        hovertemplate="%{customdata[0]}<br>rank %{customdata[1]}<br>estimated "
        "%{customdata[2]}<br>retrained %{customdata[3]}<extra></extra>",
    )
    # Both axes alike: the identity is the diagonal, and a factor between the two is seen.
    ends = [float(scale(low)), float(scale(high))]
    margin = 0.05 * ((ends[1] - ends[0]) or 1.0)
    ticks = scale.ticks(low, high, gap=0.13)  # so few that they fit side by side on a phone
    axis = {
        "range": [ends[0] - margin, ends[1] + margin],
        "tickvals": scale(ticks),
        "ticktext": [number(t) for t in ticks],
        "tickangle": 0,
        "zeroline": False,
    }
    figure.update_xaxes(axis | {"title": {"text": "change of the test loss: the estimate (−I/n)"}})
    figure.update_yaxes(axis | {"title": {"text": "change of the test loss: retraining"}})
    return finish(figure, 520)
