"""Figures of attacks on sets of targets (Fig. 3)."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from pages.attack.parts.rate_figures import x_axis
from pages.attack.parts.target_sets import Reading
from pages.common.figures.layout import finish
from pages.common.figures.palette import GREY, MANY
from pages.common.figures.rates import band

# One shape a set size, the smallest first, as there is one colour: both say the same.
SHAPES = ("circle", "square", "diamond", "triangle-up", "star", "cross")


def share_lines(shares: pd.DataFrame, reading: Reading, chosen: int | None = None) -> go.Figure:
    """Draw a share against k, a line with a bootstrap band for every size of the target set.

    shares: of one regime, form and split, a row per set size and k. chosen: the k that is marked.
    """
    figure = go.Figure()
    for place, (_, part) in enumerate(shares.groupby("set_size")):
        colour, symbol = MANY[place % len(MANY)], SHAPES[place % len(SHAPES)]
        part = part.sort_values("k")
        size = int(part["set_size"].iloc[0])
        k = part["k"].to_numpy()
        low, high = (part[f"{reading.column}_{end}"].to_numpy() for end in ("low", "high"))
        name = "1 target" if size == 1 else f"{size} targets"
        figure.add_trace(band(k, low, high, colour, 0.09))
        figure.add_scatter(
            x=k,
            y=part[reading.column].to_numpy(),
            mode="lines+markers",
            name=name,
            line={"color": colour, "width": 2.4},
            marker={"symbol": symbol, "size": 10},
            customdata=np.stack(
                [
                    low,
                    high,
                    part["attacks"].to_numpy(),
                    np.array([reading.possible(size, int(i)) for i in k]),
                ],
                axis=1,
            ),
            hovertemplate="top %{x}: <b>%{y:.0%}</b>, at most %{customdata[3]:.0%} is possible<br>"
            "mean of %{customdata[2]} target sets<br>95% interval %{customdata[0]:.0%} to "
            f"%{{customdata[1]:.0%}}<extra>{name}</extra>",
        )
    if chosen is not None:
        figure.add_vline(x=chosen, line={"color": GREY, "width": 1, "dash": "dot"})
    figure.update_xaxes(x_axis(shares["k"].tolist(), "places in the top (k)", "log"))
    figure.update_yaxes(title_text=reading.axis, tickformat=".0%", range=[-0.03, 1.05])
    return finish(figure, 420)


def share_grid(shares: pd.DataFrame, reading: Reading) -> go.Figure:
    """Draw a share by set size and k, with the largest that is possible under each.

    shares: of one regime, form and split, a row per set size and k.
    """
    table = shares.pivot_table(reading.column, "set_size", "k", aggfunc="first")
    sizes, ks = ([int(value) for value in axis] for axis in (table.index, table.columns))
    by = shares.set_index(["set_size", "k"])
    possible = [[reading.possible(t, k) for k in ks] for t in sizes]
    text = [
        [
            f"<b>{table[k][t]:.0%}</b><br>of {most:.{0 if most >= 0.1 else 1}%}"
            for k, most in zip(ks, row, strict=True)
        ]
        for t, row in zip(sizes, possible, strict=True)
    ]
    figure = go.Figure(
        go.Heatmap(
            z=table.to_numpy(),
            x=list(range(len(ks))),
            y=list(range(len(sizes))),
            zmin=0,
            zmax=1,
            colorscale="Cividis",
            showscale=False,
            text=text,
            texttemplate="%{text}",
            textfont={"size": 13},
            xgap=3,
            ygap=3,
            name=reading.text,
            customdata=[
                [
                    (t, k, *by.loc[(t, k), [f"{reading.column}_low", f"{reading.column}_high"]])
                    for k in ks
                ]
                for t in sizes
            ],
            hovertemplate="%{customdata[0]} targets, top %{customdata[1]}: <b>%{z:.0%}</b><br>95% "
            "interval %{customdata[2]:.0%} to %{customdata[3]:.0%}<extra></extra>",
        )
    )
    figure.update_xaxes(
        tickvals=list(range(len(ks))),
        ticktext=[f"top {k}" for k in ks],
        showgrid=False,
        zeroline=False,
    )
    figure.update_yaxes(
        tickvals=list(range(len(sizes))),
        ticktext=[f"{t:,}" for t in sizes],
        title_text="targets in the set",
        showgrid=False,
        zeroline=False,
    )
    return finish(figure, 110 + 62 * len(sizes))
