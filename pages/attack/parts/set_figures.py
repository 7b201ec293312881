"""Figures of attacks on sets of targets (Fig. 3)."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from pages.attack.parts.target_sets import Reading
from pages.common.figures.layout import finish
from pages.common.figures.palette import ATTACKED, FAINT, INK

BARS = 0.8  # of the figure's width; the column of numbers stands to the right of it
BESIDE = 0.9  # where its middle is


def arrivals(shares: pd.DataFrame, k: int) -> go.Figure:
    """Draw a bar for every size of the target set: how many targets arrive in the top k, of how
    many for which there is room; beside it the same in numbers.

    shares: of one regime, form and split, a row per set size and k.
    """
    rows = shares[shares["k"] == k].sort_values("set_size")
    sizes = rows["set_size"].to_numpy()
    names = [f"{size:,}" for size in sizes]
    arrive, low, high = (
        rows[f"share_of_targets{end}"].to_numpy() * sizes for end in ("", "_low", "_high")
    )
    room = np.minimum(sizes, k)
    figure = go.Figure()
    figure.add_bar(
        x=room,
        y=names,
        orientation="h",
        width=0.68,
        name="could arrive",
        marker={"color": FAINT},
        hoverinfo="skip",
    )
    figure.add_bar(
        x=arrive,
        y=names,
        orientation="h",
        width=0.68,
        name="arrive",
        marker={"color": ATTACKED},
        customdata=np.stack([low, high, rows["attacks"].to_numpy(), sizes], axis=1),
        hovertemplate="<b>%{x:.1f} of %{customdata[3]} targets arrive</b><br>mean of "
        "%{customdata[2]} target sets<br>95% interval %{customdata[0]:.1f} to "
        "%{customdata[1]:.1f}<extra></extra>",
    )
    for at, (count, size) in enumerate(zip(arrive, names, strict=True)):
        figure.add_annotation(
            x=BESIDE,
            xref="paper",
            y=at,
            showarrow=False,
            text=f"<b>{count:.1f}</b> of {size}",
            font={"size": 15, "color": INK},
        )
    figure.update_xaxes(
        domain=[0, BARS],
        range=[0, max(room)],
        showgrid=False,
        nticks=5,
        title_text=f"targets in the top {k}",
    )
    figure.update_yaxes(
        type="category", autorange="reversed", showgrid=False, title_text="targets in the set"
    )
    legend = {"traceorder": "reversed"}
    return finish(figure, 110 + 50 * len(names), barmode="overlay", legend=legend)


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
