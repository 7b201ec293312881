"""Figures of the impossible sample: ranks that were reached, and one model seen from both sides.

The target is orange, its copies are green, everything else is grey; shapes say the same.
"""

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import ArrayLike, NDArray

from engine.experiments import ImpossibleResult
from engine.scrutiny.impossibility import ExactScores, ImpossibleInstance
from pages.common.figures.axes import number
from pages.common.figures.layout import finish
from pages.common.figures.palette import ACCENT, ATTACKED, BAND, CHANCE, GREEN, GREY, INK
from pages.common.words.wording import count

TARGET, COPIES, OTHERS = "target", "copies", "others"
LANES = {TARGET: 2, COPIES: 1, OTHERS: 0}
RING = {"symbol": "circle-open", "size": 17, "color": ACCENT, "line": {"width": 3.5}}
DIAMOND = {"symbol": "diamond", "size": 11, "color": GREEN}


def ranks_reached(result: ImpossibleResult) -> go.Figure:
    """Draw how many models put the target at which rank; the top k, shaded, stays empty."""
    k, n = result.random.k, len(result.attack.before.ranks)
    figure = go.Figure()
    for name, ranks, look in (
        ("random models", result.random.table["rank"], {"color": CHANCE}),
        (
            "steps of the attack",
            result.attack.trajectory["rank"],
            {"color": ATTACKED, "pattern": {"shape": "/", "size": 5, "fillmode": "overlay"}},
        ),
    ):
        at, models = np.unique(ranks.to_numpy(), return_counts=True)
        figure.add_bar(
            x=at,
            y=models,
            name=name,
            marker=look,
            hovertemplate="rank %{x}: %{y:,} models<extra>" + name + "</extra>",
        )
    figure.add_vrect(x0=0.5, x1=k + 0.5, fillcolor=BAND, line_width=0, layer="below")
    figure.add_vline(x=k + 0.5, line={"color": ACCENT, "width": 2})
    figure.add_annotation(
        x=k + 0.5,
        y=1,
        yref="paper",
        text=f"◂ the top {k}: {result.beaten} of {result.tried:,} models",
        showarrow=False,
        xanchor="left",
        yanchor="top",
        xshift=6,
        font={"color": ACCENT, "size": 14},
    )
    most = max(int(trace.y.max()) for trace in figure.data)
    figure.update_xaxes(title_text=f"rank of the target, of {n:,}", range=[0.4, n + 0.6])
    figure.update_yaxes(
        title_text="models",
        type="log",
        range=[-0.3, np.log10(most) + 0.8],
        dtick=1,
        exponentformat="none",
    )
    return finish(figure, 360, barmode="group", bargap=0.15)


def models_table(result: ImpossibleResult) -> pd.DataFrame:
    """Return every model that was tried, random ones and the attack's steps: where it comes from
    and the rank that it gives the target."""
    parts = {"random": result.random.table, "attack": result.attack.trajectory}
    return pd.concat([t.assign(model=name) for name, t in parts.items()], ignore_index=True)


def groups(instance: ImpossibleInstance) -> dict[str, NDArray[np.int64]]:
    """Return the training samples by the part they play."""
    everyone = np.arange(instance.dataset.n_train)
    named = {TARGET: np.array([instance.target]), COPIES: instance.copies}
    return {**named, OTHERS: np.setdiff1d(everyone, np.concatenate(list(named.values())))}


def instance_table(instance: ImpossibleInstance, exact: ExactScores) -> pd.DataFrame:
    """Return the training samples: part, features, label (0 is y), and score and rank under one
    model."""
    part = np.full(instance.dataset.n_train, OTHERS, dtype=object)
    for name, rows in groups(instance).items():
        part[rows] = name
    features = {f"x{i + 1}": column for i, column in enumerate(instance.dataset.X_train.T)}
    return pd.DataFrame(
        {
            "sample": np.arange(len(part)),
            "part": part,
            **features,
            "label": instance.dataset.y_train,
            "score": exact.scores[0],
            "rank": ranks_of(exact),
        }
    )


def ranks_of(exact: ExactScores) -> NDArray[np.int64]:
    """Return every sample's rank under the first model, (n,)."""
    return 1 + (exact.relative[0][:, None] < exact.relative[0]).sum(1)


def score_axis(instance: ImpossibleInstance, exact: ExactScores) -> go.Figure:
    """Draw the scores of one model: target, copies and the others in lanes over one axis."""
    scores, ranks = exact.scores[0], ranks_of(exact)
    looks = {TARGET: RING, COPIES: DIAMOND, OTHERS: {"symbol": "line-ns-open", "size": 13}}
    labels = {TARGET: "target", COPIES: count(instance.k, "copy", "copies"), OTHERS: "the others"}
    figure = go.Figure()
    for name, rows in groups(instance).items():
        figure.add_scatter(
            x=scores[rows],
            y=np.full(len(rows), LANES[name]),
            mode="markers",
            name=labels[name],
            marker={"color": GREY, **looks[name]},
            customdata=np.stack([rows, ranks[rows]], 1),
            hovertemplate="sample %{customdata[0]}: score %{x:.3g}, rank %{customdata[1]}"
            f"<extra>{labels[name]}</extra>",
            showlegend=False,
        )
    target, copy = float(exact.target[0]), float(exact.copy[0])
    for x in (target, copy):
        figure.add_shape(
            type="line", x0=x, x1=x, y0=LANES[COPIES], y1=2.75, line={"color": GREY, "dash": "dot"}
        )
    figure.add_annotation(
        x=copy, ax=target, y=2.75, ay=2.75, axref="x", ayref="y", text="", arrowhead=2,
        arrowside="end+start", arrowwidth=2, arrowcolor=INK,
    )  # fmt: skip
    figure.add_annotation(
        x=(target + copy) / 2,
        y=2.8,
        text=f"gap (1 − p) q = {number(float(np.exp(exact.log_gap[0])))}",
        showarrow=False,
        yanchor="bottom",
        font={"color": INK, "size": 14},
    )
    figure.add_vline(x=0, line={"color": GREY, "width": 1})
    figure.update_xaxes(
        title_text="influence score; rank 1 is the highest",
        zeroline=False,
        exponentformat="power",
    )
    figure.update_yaxes(
        range=[-0.5, 3.5],
        tickvals=list(LANES.values()),
        ticktext=[labels[name] for name in LANES],
        showgrid=False,
        zeroline=False,
    )
    return finish(figure, 290)


def plane(instance: ImpossibleInstance, difference: ArrayLike) -> go.Figure:
    """Draw the samples of two features, and the line on which the model finds both labels
    alike."""
    X, y = instance.dataset.X_train.astype(np.float64), instance.dataset.y_train
    w1, w2, b = np.asarray(difference, dtype=np.float64)
    x = X[instance.target]
    figure = go.Figure()
    others = groups(instance)[OTHERS]
    for label, symbol, name in ((0, "circle-open", "label y"), (1, "x-thin-open", "other label")):
        rows = others[y[others] == label]
        figure.add_scatter(
            x=X[rows, 0],
            y=X[rows, 1],
            mode="markers",
            name=name,
            marker={"symbol": symbol, "size": 8, "color": GREY, "line": {"width": 1.6}},
            hovertemplate=f"(%{{x:.2f}}, %{{y:.2f}})<extra>{name}</extra>",
        )
    copies = count(instance.k, "copy", "copies")
    for name, marker in ((f"{copies}, other label", DIAMOND), ("target, label y", RING)):
        figure.add_scatter(
            x=x[:1],
            y=x[1:],
            mode="markers",
            name=name,
            marker=marker,
            hovertemplate=f"(%{{x:.2f}}, %{{y:.2f}})<extra>{name}</extra>",
        )
    reach = 1.15 * float(np.abs(X).max())
    ends = boundary(w1, w2, b, 3 * reach)
    if ends is not None:
        figure.add_scatter(
            x=ends[:, 0],
            y=ends[:, 1],
            mode="lines",
            name="p = ½",
            line={"color": GREY, "width": 2, "dash": "dash"},
            hoverinfo="skip",
        )
    axis = {"range": [-reach, reach], "zeroline": False, "constrain": "domain"}
    figure.update_xaxes(title_text="first feature", **axis)
    figure.update_yaxes(title_text="second feature", scaleanchor="x", **axis)
    return finish(figure, 430)


def boundary(w1: float, w2: float, b: float, reach: float) -> NDArray[np.float64] | None:
    """Return two far points on w1·x1 + w2·x2 + b = 0, or None where the model does not see x."""
    w = np.array([w1, w2])
    if not w.any():
        return None
    foot, along = -b * w / (w @ w), np.array([-w2, w1]) / np.linalg.norm(w)
    return np.stack([foot - reach * along, foot + reach * along])
