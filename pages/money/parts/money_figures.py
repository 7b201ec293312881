"""Figures of payments: pure functions from tables to figures."""

import pandas as pd
import plotly.graph_objects as go

from pages.common.figures.layout import finish
from pages.common.figures.palette import ATTACKED, FAINT, HONEST, TARGET


def bars(table: pd.DataFrame, favoured: str | None, budget: float) -> go.Figure:
    """Draw what each vendor earns by the honest and by the malicious model. The favoured vendor's
    bars carry their amounts, and the attacked one a colour of its own. table: of
    `money_words.vendors_table`."""
    figure = go.Figure()
    gains = str(table["vendor"].iloc[int(table["change"].to_numpy().argmax())])
    named = favoured or gains  # whose money is written
    own = table["vendor"].astype(str) == named
    looks = (
        ("before the attack (honest model)", "before", HONEST, table),
        (f"{named} after the attack", "after", TARGET, table[own]),
        ("the others after the attack", "after", ATTACKED, table[~own]),
    )
    for name, column, colour, rows in looks:
        figure.add_bar(
            x=rows["vendor"],
            y=rows[column],
            name=name,
            offsetgroup=column,
            marker={"color": colour},
            text=[
                f"<b>{value:,.0f}</b>" if (str(one), column) == (named, "after") else ""
                for one, value in zip(rows["vendor"], rows[column], strict=True)
            ],
            textposition="outside",
            textangle=0,
            textfont={"size": 15},
            constraintext="none",
            cliponaxis=False,
            customdata=rows["samples"],
            hovertemplate="vendor %{x}, %{customdata:,} samples<br>%{y:,.0f}"
            f"<extra>{name}</extra>",
        )
    was = float(table["before"][own].iloc[0])
    figure.add_annotation(  # beside the taller bar, which would cover a text above its own
        x=named, y=was, text=f"<b>{was:,.0f}</b>", showarrow=False, xanchor="right", xshift=-2,
        yanchor="bottom", font={"size": 15},
    )  # fmt: skip
    highest = float(table[["before", "after"]].to_numpy().max())
    figure.update_yaxes(
        title_text=f"money, of {budget:,.0f}", range=[0, 1.12 * highest], tickformat=",.0f"
    )
    names = [f"<b>{one}</b>" if one == named else one for one in table["vendor"].astype(str)]
    figure.update_xaxes(
        title_text="vendor", type="category", tickvals=list(table["vendor"]), ticktext=names
    )
    return finish(figure, 380, barmode="group", bargap=0.25, bargroupgap=0.05)


def pairs(table: pd.DataFrame) -> go.Figure:
    """Draw a mark a draw: the vendor's share by the attack for pay against that of moving
    samples. table: of `PaymentsResult.against_moving`."""
    top = 1.06 * float(table[["pay", "moving"]].to_numpy().max())
    figure = go.Figure()
    figure.add_scatter(
        x=[0, top],
        y=[0, top],
        mode="lines",
        line={"color": FAINT, "dash": "dash"},
        name="equal",
        hoverinfo="skip",
    )
    figure.add_scatter(
        x=table["moving"],
        y=table["pay"],
        mode="markers",
        name="a draw",
        marker={"color": ATTACKED, "symbol": "diamond", "size": 10},
        customdata=table[["draw", "pay_drop", "moving_drop"]],
        hovertemplate="draw %{customdata[0]}<br>for pay %{y:.1%}, accuracy lost "
        "%{customdata[1]:.1%}<br>moving samples %{x:.1%}, accuracy lost "
        "%{customdata[2]:.1%}<extra></extra>",
    )
    figure.update_xaxes(
        title_text="vendor's share by moving its samples", range=[0, top], tickformat=".0%"
    )
    figure.update_yaxes(
        title_text="vendor's share by the attack for pay", range=[0, top], tickformat=".0%"
    )
    return finish(figure, 380)
