"""The figure of the race: which check stops which attack."""

from textwrap import wrap

import pandas as pd
import plotly.graph_objects as go

from pages.common.figures.axes import column_axis
from pages.common.figures.layout import finish
from pages.common.figures.palette import BAD, GOOD, GREY, OPEN
from pages.defend.parts.race_words import CAUGHT, MISSED, POLISHES, SHORT

LOOKS = (
    (f"check wins: {CAUGHT:.0%} or more", GOOD),
    ("in between", OPEN),
    (f"attack wins: {MISSED:.0%} or less", BAD),
)
STOPPED = "<span style='font-size:13px'>stopped</span>"  # below a cell's number
ROW, AROUND = 76, 116  # px: height of a row of cells; height of heads and legend together


def look(stopped: int, of: int) -> int:
    """Return which of `LOOKS` a cell has."""
    share = stopped / of
    return 0 if share >= CAUGHT else 2 if share <= MISSED else 1


def row_name(check: str) -> str:
    """Return what stands beside a row: what is looked at, and what is asked of it."""
    many, asked = POLISHES
    short, asked = SHORT.get(check, (many.format(check.split()[0]), asked))
    return f"<b>{short}</b><br>{'<br>'.join(wrap(asked, 18))}"


def head(family: str) -> str:
    """Return a column's head: 'attacker', and below it what the attacker does, in two lines of
    about one length, which fit on a phone."""
    does = family[0].lower() + family[1:]
    width = next(width for width in range(1, len(does) + 1) if len(wrap(does, width)) <= 2)
    return f"attacker<br><b>{'<br>'.join(wrap(does, width))}</b>"


def best_first(table: pd.DataFrame) -> list[str]:
    """Return the checks by the sum of their shares, the best first."""
    shares = (table["stopped"] / table["of"]).groupby(table["check"]).sum()
    return sorted(shares.index, key=lambda check: -shares[check])


def grid(table: pd.DataFrame) -> go.Figure:
    """Draw checks, the best first, against blocks of attacks: a coloured cell says which share a
    check stops of the attack that it stops least often. table: of `race_words.strongest`."""
    families, checks = list(dict.fromkeys(table["family"])), best_first(table)
    shares = table["stopped"] / table["of"]
    seen = [look(stopped, of) for stopped, of in zip(table["stopped"], table["of"], strict=True)]
    figure = go.Figure()
    for place, (name, colour) in enumerate(LOOKS):
        part = table[[one == place for one in seen]]
        if part.empty:  # in the legend all the same
            figure.add_bar(x=[None], y=[None], name=name, marker={"color": colour})
            continue
        figure.add_bar(
            y=[checks.index(check) for check in part["check"]],
            x=[0.95] * len(part),
            base=[families.index(family) - 0.475 for family in part["family"]],
            orientation="h",
            width=0.9,
            name=name,
            marker={"color": colour, "line": {"width": 0}, "cornerradius": 8},
            text=[f"<b>{share:.0%}</b><br>{STOPPED}" for share in shares[part.index]],
            textposition="inside",
            insidetextanchor="middle",
            textangle=0,
            constraintext="none",
            textfont={"color": "white", "size": 20},
            customdata=part[["family", "check", "every", "stopped", "of"]].to_numpy(object),
            hovertemplate="<b>%{customdata[0]}</b><br>stopped by %{customdata[1]}<br><br>"
            "%{customdata[2]}<extra></extra>",
        )
    asked = set(zip(table["family"], table["check"], strict=True))
    for x, family in enumerate(families):
        for y, check in enumerate(checks):
            if (family, check) not in asked:
                figure.add_annotation(
                    x=x, y=y, text="not measured", showarrow=False, font={"size": 13, "color": GREY}
                )
    figure.update_xaxes(
        column_axis([head(family) for family in families]) | {"tickfont": {"size": 13}}
    )
    figure.update_yaxes(
        tickvals=list(range(len(checks))),
        ticktext=[row_name(check) for check in checks],
        tickfont={"size": 13},
        range=[len(checks) - 0.5, -0.5],
        showgrid=False,
        zeroline=False,
    )
    figure = finish(figure, AROUND + ROW * len(checks), barmode="overlay")
    figure.update_layout(
        legend={"y": -0.03, "yanchor": "top", "font": {"size": 13}}, margin={"t": 8}
    )
    return figure
