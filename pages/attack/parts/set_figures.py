"""Figures of attacks on sets of targets (Fig. 3)."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from pages.attack.parts.target_sets import Reading, arrived
from pages.common.figures.axes import share_axis
from pages.common.figures.layout import finish
from pages.common.figures.palette import ATTACKED, BEYOND, INK, REST
from pages.common.words.wording import count

BARS = 0.76  # of the figure's width; the column of numbers stands to the right of it
BESIDE = 0.78  # where it begins


def arrivals(shares: pd.DataFrame, k: int) -> go.Figure:
    """Draw a bar for every size of the target set: which part of its targets arrives in the top k,
    which part does not, and for which there is no room; beside it the share and the counts.

    shares: of one regime, form and split, a row per set size and k.
    """
    rows = arrived(shares, k)
    names = ["1 alone" if size == 1 else f"{size:,} together" for size in rows["set_size"]]
    full = np.maximum(rows["room"], rows["hits"])
    figure = go.Figure()
    for name, counts, colour in (
        (f"arrive in the top {k}", rows["hits"], ATTACKED),
        ("do not arrive", full - rows["hits"], REST),
        (f"no room: the top has {k}", rows["of"] - full, BEYOND),
    ):
        if not counts.any():
            continue
        figure.add_bar(
            x=(counts / rows["of"]).to_numpy(),
            y=names,
            orientation="h",
            width=0.68,
            name=name,
            marker={"color": colour},
            customdata=np.stack(
                [counts, rows["of"], rows["sets"], rows["low"], rows["high"]], axis=1
            ),
            hovertemplate="<b>%{customdata[0]} of %{customdata[1]} targets</b>"
            "<br>in %{customdata[2]} sets"
            + (
                "<br>95% interval %{customdata[3]:.0f} to %{customdata[4]:.0f}"
                if colour == ATTACKED
                else ""
            )
            + f"<extra>{name}</extra>",
        )
    for at, (hits, of) in enumerate(zip(rows["hits"], rows["of"], strict=True)):
        figure.add_annotation(
            x=BESIDE,
            xref="paper",
            xanchor="left",
            y=at,
            showarrow=False,
            text=f"<b>{hits / of:.0%}</b><br>{hits:,} of {of:,}",
            align="left",
            font={"size": 14, "color": INK},
        )
    figure.add_annotation(
        x=BESIDE,
        xref="paper",
        xanchor="left",
        y=1.01,
        yref="paper",
        yanchor="bottom",
        showarrow=False,
        text=f"counted over<br>{count(int(rows['sets'].max()), 'set')}",
        align="left",
        font={"size": 13, "color": INK},
    )
    figure.update_xaxes(domain=[0, BARS], **share_axis("share of the samples that arrive"))
    figure.update_yaxes(
        type="category", autorange="reversed", showgrid=False, tickfont={"size": 14}
    )
    legend = {"traceorder": "normal", "y": 1.13}  # above the head of the numbers
    return finish(figure, 130 + 46 * len(names), barmode="stack", legend=legend)


def share_grid(shares: pd.DataFrame, reading: Reading) -> go.Figure:
    """Draw a share by set size and k, with the counts behind it over all sets.

    shares: of one regime, form and split, a row per set size and k.
    """
    table = shares.pivot_table(reading.column, "set_size", "k", aggfunc="first")
    sizes, ks = ([int(value) for value in axis] for axis in (table.index, table.columns))
    by = shares.set_index(["set_size", "k"])
    sets = shares.pivot_table("attacks", "set_size", "k", aggfunc="first")
    text = []
    for size in sizes:
        of = [reading.whole(size, k) * sets[k][size] for k in ks]
        text.append(
            [f"<b>{table[k][size] * n:,.0f}</b><br>of {n:,}" for k, n in zip(ks, of, strict=True)]
        )
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
