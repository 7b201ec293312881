"""Figures of the ablation: rates, targets and runs of the variants of the attack."""

import re
import textwrap
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from engine.attacks.result import AttackResult
from engine.results.store import Stored
from pages.attack.parts import price_figure
from pages.attack.parts.ablation import LABELS
from pages.common.figures.axes import rank_axis
from pages.common.figures.layout import finish
from pages.common.figures.palette import ATTACKED, BAND, FAINT, GREY
from pages.common.figures.trajectories import draw_runs, run_states

SHOWN_RANKS = 8  # tick labels under the strip of targets


def wrapped(name: str, width: int = 14) -> str:
    """Return a variant's name in lines of about that many letters."""
    return "<br>".join(textwrap.wrap(LABELS[name], width))


def in_two_lines(name: str) -> str:
    """Return a variant's name, broken after its first comma or colon."""
    return re.sub("([,:]) ", r"\1<br>", LABELS[name], count=1)


def variant_rates(best: pd.DataFrame, tolerance: float | None) -> go.Figure:
    """Draw for each variant how many attacks succeed within the limit at its best radius, how many
    more where accuracy has no say, and how many do not.

    best: a row per variant and regime with rate, low, high, successes and attacks.
    """
    names = [v for v in LABELS if (best["variant"] == v).any()]
    within, anyhow = (
        best[best["regime"] == regime].set_index("variant").loc[names]
        for regime in ("high_accuracy", "best")
    )
    found = within[["attacks", "low", "high"]].assign(
        moved=within["successes"],
        dearer=anyhow["successes"] - within["successes"],
        stuck=anyhow["attacks"] - anyhow["successes"],
    )
    return price_figure.outcomes(found, [in_two_lines(name) for name in names], tolerance)


STRIP_LOOKS = {
    "moved, accuracy kept": {"symbol": "circle", "size": 10, "color": ATTACKED},
    "moved, accuracy lost": {
        "symbol": "circle-open",
        "size": 10,
        "color": ATTACKED,
        "line": {"width": 2},
    },
    "not moved": {
        "symbol": "x-thin",
        "size": 7,
        "color": GREY,
        "line": {"width": 1.5, "color": GREY},
    },
}


def target_strip(found: pd.DataFrame, chosen: int | None = None) -> go.Figure:
    """Draw which variant moves which target: a column a target, in the order of honest ranks.

    found: a row per target and variant with rank_before, rank_test, kept and moved. chosen: the
    target whose column is marked.
    """
    targets = found.drop_duplicates("target")
    place = {int(target): at for at, target in enumerate(targets["target"])}
    names = [v for v in LABELS if (found["variant"] == v).any()]
    outcome = np.where(
        found["kept"],
        "moved, accuracy kept",
        np.where(found["moved"], "moved, accuracy lost", "not moved"),
    )
    figure = go.Figure()
    if chosen in place:
        at = place[chosen]
        figure.add_vrect(x0=at - 0.5, x1=at + 0.5, fillcolor=BAND, line_width=0, layer="below")
    for label, marker in STRIP_LOOKS.items():
        part = found[outcome == label]
        figure.add_scatter(
            x=part["target"].map(place).to_numpy(),
            y=[len(names) - 1 - names.index(v) for v in part["variant"]],
            mode="markers",
            name=label,
            marker=marker,
            customdata=np.stack(
                [
                    part["target"],
                    part["rank_before"],
                    part["rank_test"],
                    part["variant"].map(LABELS),
                ],
                axis=1,
            ),
            hovertemplate="<b>sample %{customdata[0]}</b>, honest rank %{customdata[1]:,}<br>"
            "%{customdata[3]}: the returned model has it at rank %{customdata[2]:,}"
            f"<extra>{label}</extra>",
        )
    ticks = np.unique(np.linspace(0, len(place) - 1, SHOWN_RANKS).round().astype(int))
    figure.update_xaxes(
        tickvals=ticks,
        ticktext=[f"{rank:,}" for rank in targets["rank_before"].to_numpy()[ticks]],
        title_text="targets, by honest rank",
        range=[-0.8, len(place) - 0.2],
        showgrid=False,
        zeroline=False,
    )
    figure.update_yaxes(
        tickvals=list(range(len(names))),
        ticktext=[wrapped(name) for name in reversed(names)],
        range=[-0.6, len(names) - 0.4],
        gridcolor=FAINT,
        zeroline=False,
    )
    return finish(figure, 90 + 60 * len(names))


def lead_matrix(lead: pd.DataFrame, targets: int) -> go.Figure:
    """Draw how many targets the row's variant moves that the column's does not."""
    names = list(lead.index)
    values = lead.to_numpy(dtype=np.float64, copy=True)
    np.fill_diagonal(values, np.nan)
    figure = go.Figure(
        go.Heatmap(
            z=values,
            x=list(range(len(names))),
            y=list(range(len(names))),
            zmin=0,
            zmax=max(targets / 2, 1),
            colorscale=[[0, "#E3EFF8"], [1, ATTACKED]],  # opaque: numbers are legible on dark too
            showscale=False,
            texttemplate="<b>%{z}</b>",
            textfont={"size": 15},
            hoverongaps=False,
            xgap=3,
            ygap=3,
            name="targets",
            customdata=[[(LABELS[a], LABELS[b]) for b in names] for a in names],
            hovertemplate="“%{customdata[0]}” moves %{z} targets<br>that “%{customdata[1]}” does "
            f"not, of {targets}<extra></extra>",
        )
    )
    for update, title, letters in (
        (figure.update_xaxes, "that this one does not", 8),
        (figure.update_yaxes, "moved by", 12),
    ):
        update(
            tickvals=list(range(len(names))),
            ticktext=[wrapped(name, letters) for name in names],
            tickangle=0,
            tickfont={"size": 12},
            title_text=title,
            showgrid=False,
            zeroline=False,
        )
    figure.update_yaxes(autorange="reversed")
    return finish(figure, 130 + 80 * len(names)).update_yaxes(title_standoff=20)


def stuck_runs_of(variants: tuple[str, ...], *attacks: Stored) -> go.Figure:
    """`stuck_runs` of stored attacks, one a variant."""
    steps = max(int(str(one.manifest.request["steps"])) for one in attacks)
    return stuck_runs({v: one.result for v, one in zip(variants, attacks, strict=True)}, steps)


def stuck_runs(attacks: Mapping[str, AttackResult], steps: int) -> go.Figure:
    """Rank of one target against the step, for every run of each variant, on the same axes; `steps`
    is the most that a run takes."""
    names: Sequence[str] = list(attacks)
    columns = min(len(names), 2)
    titles = [f"{wrapped(v, 18)}<br>{ending(attacks[v])}" for v in names]
    figure = make_subplots(
        rows=-(-len(names) // columns),
        cols=columns,
        shared_xaxes=True,
        shared_yaxes=True,
        subplot_titles=titles,
        vertical_spacing=0.19,
        horizontal_spacing=0.04,
    )
    first = next(iter(attacks.values()))
    last = max(20, max(int(a.trajectory["step"].max()) for a in attacks.values()))
    shown: set[str] = set()
    for place, name in enumerate(names):
        row, col = place // columns + 1, place % columns + 1
        result = attacks[name]
        shown |= draw_runs(
            figure,
            result.trajectory,
            run_states(result.runs, steps),
            {"rank": row},
            result.k,
            col,
            shown,
        )
        figure.add_hrect(
            y0=0.75,
            y1=result.k + 0.5,
            fillcolor=BAND,
            line_width=0,
            layer="below",
            row=row,
            col=col,
        )
    figure.update_yaxes(rank_axis(len(first.before.ranks), "", reverse=True))
    figure.update_yaxes(title_text="rank of the target", col=1)
    figure.update_xaxes(range=[-0.01 * last, 1.03 * last], zeroline=False)
    figure.update_xaxes(title_text="step", row=-(-len(names) // columns))
    figure.update_annotations(font_size=12)
    finish(figure, 620, hovermode="closest")
    return figure.update_layout(margin_t=100, legend_y=1.1)  # above the panels' names


def ending(result: AttackResult) -> str:
    """'1 of 2 runs arrives'."""
    reached, runs = int(result.runs["reached"].sum()), len(result.runs)
    return f"{reached} of {runs} arrive{'s' if reached == 1 else ''}"
