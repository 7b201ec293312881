"""How far two honest rankings agree between halves of the test data, one row a data set."""

from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go

from pages.common.figures.layout import finish
from pages.common.figures.palette import GREY, INK


def agreement(table: pd.DataFrame) -> go.Figure:
    """Draw Spearman's correlation of two honest rankings, a mark for every way to halve the test
    data.

    table: that of `all_of`.
    """
    figure = go.Figure()
    looks = (
        (table["draw"] > 0, "another way to halve the test data", GREY, "circle", 7),
        (table["draw"] == 0, "the lab's own halves", INK, "diamond", 12),
    )
    for rows, name, colour, symbol, size in looks:
        part = table[rows]
        figure.add_scatter(
            x=part["spearman"].to_numpy(),
            y=part["data"].to_numpy(),
            mode="markers",
            name=name,
            marker={"color": colour, "symbol": symbol, "size": size, "opacity": 0.75},
            customdata=part[["shared_first", "first_on_second", "n_train"]].to_numpy(),
            hovertemplate="Spearman <b>%{x:.2f}</b><br>%{customdata[0]} of the first ten shared"
            "<br>the first sample ranks %{customdata[1]:,} of %{customdata[2]:,} on the other half"
            f"<extra>%{{y}}, {name}</extra>",
        )
    figure.add_vline(x=0, line={"color": GREY, "width": 1, "dash": "dot"})
    figure.update_yaxes(autorange="reversed")
    figure.update_xaxes(title_text="Spearman ρ (1: the same order)", range=[-0.25, 1.04])
    return finish(figure, 120 + 46 * table["data"].nunique())


def all_of(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return the comparisons on several data sets as one table, with the data set's name in
    `data`."""
    parts = [table.assign(data=name) for name, table in tables.items()]
    return pd.concat(parts, ignore_index=True)
