"""Figures of other attributions and of the alarm: pure functions from results to figures."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from engine.experiments import AttributionsResult
from engine.statistics import wilson_interval
from pages.common.figures.axes import rank_axis
from pages.common.figures.layout import finish
from pages.common.figures.palette import ATTACKED, BAND, BEYOND, GREY, HONEST, LIMIT, TARGET
from pages.common.frames import named_rows
from pages.common.words.score_names import SCORE_NAMES

KINDS = {"whole": "whole ranking", "top": "top ten"}
ROLES = {
    "attacked": ("malicious", ATTACKED, "diamond"),
    "unknown": ("honest, to test it", HONEST, "circle"),
    "known": ("honest, to set it", HONEST, "circle-open"),
}
SPREAD = 0.28
TOP_ENDS = 0.75  # where the shaded top ends beyond rank 1


HINTS = {  # by score: what it is, in few words
    "influence": "the paper's score",
    "gradient_dot": "compares gradients",
    "cosine": "compares directions",
    "relative": "outliers count less",
    "self_influence": "on the sample itself",
    "kfac": "approximates influence",
    "ekfac": "approximates influence",
    "trak": "approximates influence",
    "tracin": "over honest checkpoints",
    "knn_shapley": "never sees the model",
    "data_oob": "never sees the model",
    "banzhaf": "never sees the model",
}


def row_name(name: str) -> str:
    """Return what stands beside a score's row: its name, and below it what it is."""
    hint = f"<br>{HINTS[name]}" if name in HINTS else ""
    return f"<b>{SCORE_NAMES[name]}</b>{hint}"


def order_of_rows(result: AttributionsResult, moved: Sequence[str]) -> list[str]:
    """Return influence, which is attacked, then the scores that `moved` along, then the others."""
    names = [name for name in SCORE_NAMES if name in result.names]
    return sorted(names, key=lambda name: 0 if name == "influence" else 1 if name in moved else 2)


def target_ranks(result: AttributionsResult, moved: Sequence[str]) -> go.Figure:
    """Draw the target's rank under every attribution, before and after: rank 1 to the right. The
    lines of influence and of the scores that `moved` along are in colour."""
    n, t = len(result.before["influence"].ranks), result.target
    names = order_of_rows(result, moved)
    y = np.arange(len(names), 0, -1)
    before = [int(result.before[name].ranks[t]) for name in names]
    after = [int(result.after[name].ranks[t]) for name in names]
    figure = go.Figure()
    for name, height, old, new in zip(names, y, before, after, strict=True):
        figure.add_scatter(
            x=[old, new],
            y=[height, height],
            mode="lines",
            line={"color": TARGET if name in ("influence", *moved) else GREY, "width": 2.5},
            hoverinfo="skip",
            showlegend=False,
        )
    looks = (
        ("honest model", before, "circle", 16, HONEST, "bottom center"),
        ("malicious model", after, "diamond", 11, ATTACKED, "top center"),
    )
    for name, ranks, symbol, size, colour, where in looks:
        known = before if ranks is after else [None] * len(names)  # an equal rank is said once
        figure.add_scatter(
            x=ranks,
            y=y,
            mode="markers+text",
            name=name,
            marker={"symbol": symbol, "size": size, "color": colour},
            text=[
                "" if rank == old else f"{rank:,}" for rank, old in zip(ranks, known, strict=True)
            ],
            textposition=where,
            cliponaxis=False,
            customdata=[SCORE_NAMES[n] for n in names],
            hovertemplate=f"%{{customdata}}: rank %{{x:,}} of {n:,}<extra>{name}</extra>",
        )
    ticks = [row_name(name) for name in names]
    end = result.k + 0.5
    figure.add_vrect(x0=TOP_ENDS, x1=end, fillcolor=BAND, line_width=0, layer="below")
    figure.add_annotation(
        x=(np.log10(TOP_ENDS) + np.log10(end)) / 2, y=0.45, yanchor="bottom", showarrow=False,
        text="rank 1" if result.k == 1 else f"the<br>top {result.k}", font={"size": 13},
    )  # fmt: skip
    figure.update_xaxes(rank_axis(n, f"rank of sample {t}, of {n:,} samples (log)", reverse=True))
    figure.update_yaxes(
        tickvals=y.tolist(),
        ticktext=ticks,
        range=[0.3, len(names) + 0.7],
        zeroline=False,
    )
    return finish(figure, 90 + 52 * len(ticks))


def crowd(result: AttributionsResult, kind: str, score: str) -> go.Figure:
    """Draw one alarm's number for every honest and every malicious model, and its threshold."""
    alarm = alarm_row(result, kind, score)
    column, rng = f"{kind}_{score}", np.random.default_rng(0)
    figure = go.Figure()
    for place, (role, (name, colour, symbol)) in enumerate(reversed(ROLES.items())):
        part = result.models[result.models["role"] == role]
        figure.add_scatter(
            x=part[column],
            y=place + rng.uniform(-SPREAD, SPREAD, size=(len(part),)),
            mode="markers",
            name=name,
            marker={"color": colour, "symbol": symbol, "size": 8, "opacity": 0.8},
            customdata=part["how"],
            hovertemplate=f"{name}<br>%{{customdata}}<br>%{{x:.3f}}<extra></extra>",
        )
    values = result.models.loc[result.models["role"].isin(ROLES), column]
    room = 0.06 * float(np.ptp(values)) or 1.0
    high = float(values.max()) + room
    figure.add_vrect(x0=alarm["threshold"], x1=high, fillcolor=BEYOND, line_width=0, layer="below")
    figure.add_vline(x=alarm["threshold"], line={"color": LIMIT, "width": 1.5, "dash": "dash"})
    figure.add_annotation(
        x=alarm["threshold"],
        y=1,
        yref="paper",
        xanchor="left",
        yanchor="bottom",
        showarrow=False,
        text="alarm →",
        font={"size": 12, "color": LIMIT},
    )
    measure = (
        "disagreement, 1 − Spearman"
        if kind == "whole"
        else f"mean log₁₀ rank by {SCORE_NAMES[score]}"
    )
    figure.update_xaxes(title_text=measure, range=[float(values.min()) - room, high])
    figure.update_yaxes(
        tickvals=list(range(len(ROLES))),
        ticktext=[ROLES[role][0].replace(" ", "<br>", 1) for role in reversed(ROLES)],
        range=[-0.6, len(ROLES) - 0.4],
        showgrid=False,
        zeroline=False,
    )
    return finish(figure, 320, showlegend=False)


def alarm_row(result: AttributionsResult, kind: str, score: str) -> pd.Series:
    table = result.alarms
    return table[(table["kind"] == kind) & (table["score"] == score)].iloc[0]


def alarms(result: AttributionsResult) -> go.Figure:
    """Draw what every alarm finds and whom it accuses, with Wilson intervals."""
    table = result.alarms.iloc[::-1]
    y = np.arange(len(table))
    figure = go.Figure()
    looks = (
        ("malicious models found", "found", "attacked", ATTACKED, "diamond", 0.13),
        ("honest models accused", "flagged", "unknown", HONEST, "circle", -0.13),
    )
    for name, column, role, colour, symbol, aside in looks:
        total = result.count(role)
        shares = table[column].to_numpy(dtype=np.float64) / total
        ends = [wilson_interval(int(hits), total) for hits in table[column]]
        figure.add_scatter(
            x=shares,
            y=y + aside,
            mode="markers",
            name=name,
            marker={"color": colour, "symbol": symbol, "size": 10},
            error_x={
                "type": "data",
                "symmetric": False,
                "array": [end.high - share for end, share in zip(ends, shares, strict=True)],
                "arrayminus": [share - end.low for end, share in zip(ends, shares, strict=True)],
                "color": colour,
                "thickness": 1.8,
                "width": 4,
            },
            customdata=[[f"{end.low:.0%}", f"{end.high:.0%}"] for end in ends],
            hovertemplate=f"{name}: %{{x:.0%}} of {total}<br>95% interval %{{customdata[0]}} to "
            "%{customdata[1]}<extra></extra>",
        )
    figure.update_xaxes(title_text="share of models", tickformat=".0%", range=[-0.02, 1.02])
    figure.update_yaxes(
        tickvals=y.tolist(),
        ticktext=[f"{SCORE_NAMES[row.score]}<br>{KINDS[row.kind]}" for row in named_rows(table)],
        range=[-0.6, len(table) - 0.4],
        zeroline=False,
    )
    return finish(figure, 420)
