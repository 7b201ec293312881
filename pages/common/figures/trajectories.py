"""Trajectories: rank, loss and accuracy of every run of an attack against the step."""

from collections.abc import Collection, Mapping, Sequence
from typing import Literal

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from pages.common.figures.axes import rank_axis
from pages.common.figures.layout import finish, set_plainly
from pages.common.figures.palette import ATTACKED, BAND, GREY, TARGET

RunState = Literal["returned", "reached", "ended", "stuck", "running"]

RUN_LOOKS: dict[RunState, tuple[str, dict[str, object]]] = {
    "stuck": ("did not arrive", {"color": GREY, "width": 1.3, "dash": "dash"}),
    "ended": ("ended, another had arrived", {"color": GREY, "width": 1.3, "dash": "dot"}),
    "running": ("under way", {"color": GREY, "width": 1.6}),
    "reached": ("arrived", {"color": ATTACKED, "width": 1.6}),
    "returned": ("returned model", {"color": TARGET, "width": 3.6}),
}


def run_states(runs: pd.DataFrame, steps: int) -> dict[int, RunState]:
    """Return what became of each run of at most so many steps, from a result's table of runs.

    Objectives that keep accuracy end all runs of an attack once one run is good enough. A run that
    is not in the top then has 'ended': nobody knows whether it would have arrived.
    """
    states: dict[int, RunState] = {}
    for one in runs.to_dict("records"):
        state: RunState = "returned" if one["returned"] else "reached"
        if not (one["returned"] or one["reached"]):
            state = "ended" if one["steps"] < steps else "stuck"
        states[int(one["run"])] = state
    return states


def trajectories(
    trajectory: pd.DataFrame,
    states: Mapping[int, RunState],
    n: int,
    k: int,
    steps: int,
    honest_accuracy: float | None = None,
    honest_rank: int | None = None,
) -> go.Figure:
    """Rank (log, reversed), loss and holdout accuracy against the step, for every run."""
    figure = make_subplots(
        rows=3, cols=1, shared_xaxes=True, row_heights=[0.56, 0.2, 0.24], vertical_spacing=0.045
    )
    last = min(steps, max(20, int(trajectory["step"].max() * 1.15))) if len(trajectory) else steps
    draw_runs(figure, trajectory, states, {panel: row for row, panel in enumerate(PANELS, 1)}, k)
    figure.add_hrect(y0=0.75, y1=k + 0.5, fillcolor=BAND, line_width=0, layer="below", row=1, col=1)
    if honest_rank is not None:
        figure.add_hline(
            y=honest_rank, line={"color": GREY, "width": 1, "dash": "dot"}, row=1, col=1
        )
        figure.add_annotation(
            x=1,
            xref="x domain",
            y=np.log10(honest_rank),
            text=f"honest: rank {honest_rank:,}",
            showarrow=False,
            xanchor="right",
            yanchor="top" if honest_rank < 0.7 * n else "bottom",  # below, where there is room
            font={"size": 12},
            row=1,
            col=1,
        )
    if honest_accuracy is not None:
        figure.add_hline(
            y=honest_accuracy,
            line={"color": GREY, "width": 1, "dash": "dot"},
            row=3,
            col=1,
            annotation={"text": f"honest: {honest_accuracy:.1%}", "font": {"size": 12}},
            annotation_position="top right",
        )
    steps_axis = {
        "range": [-0.01 * last, 1.02 * last],
        "showspikes": True,
        "spikemode": "across",
        "spikethickness": 1,
        "spikedash": "dot",
        "spikecolor": GREY,
        "zeroline": False,
    }
    set_plainly(
        figure,
        yaxis=rank_axis(n, "rank of the target", reverse=True),
        yaxis2={"title": {"text": "loss"}, "nticks": 4, "zeroline": False},
        yaxis3={"title": {"text": "accuracy"}, "tickformat": ".1%", "nticks": 4},
        xaxis=steps_axis,
        xaxis2=steps_axis,
        xaxis3={**steps_axis, "title": {"text": "step of the attack"}},
    )
    return finish(figure, 520, hovermode="closest")


HOVER = {
    "rank": "rank %{y:,}",
    "loss": "loss %{y:.3g}",
    "accuracy_holdout": "accuracy, unseen half %{y:.1%}",
}


PANELS = tuple(HOVER)


def draw_runs(
    figure: go.Figure,
    trajectory: pd.DataFrame,
    states: Mapping[int, RunState],
    rows: Mapping[str, int],
    k: int,
    col: int = 1,
    in_legend: Collection[str] = (),
) -> set[str]:
    """Return every run's line in each panel, at its row, with a mark where its rank ends: a cross
    where
    it got stuck outside the top k, with all its steps taken. Returns the states that were drawn;
    those `in_legend` already are not named there again."""
    drawn: set[str] = set()
    for state, (name, look) in RUN_LOOKS.items():
        members = [run for run, s in states.items() if s == state]
        part = trajectory[trajectory["run"].isin(members)]
        if part.empty:
            continue
        columns = _with_gaps(part, tuple(rows))
        for panel, row in rows.items():
            figure.add_scatter(
                x=columns["step"],
                y=columns[panel],
                mode="lines",
                line=look,
                name=name,
                legendgroup=state,
                showlegend=panel == "rank" and state not in in_legend,
                customdata=columns["run"],
                hovertemplate=f"run %{{customdata}}, step %{{x}}<br>{HOVER[panel]}"
                f"<extra>{name}</extra>",
                row=row,
                col=col,
            )
        ends = part.groupby("run").tail(1)
        figure.add_scatter(
            x=ends["step"].to_numpy(),
            y=ends["rank"].to_numpy(),
            mode="markers",
            legendgroup=state,
            showlegend=False,
            hoverinfo="skip",
            marker={
                "color": look["color"],
                "size": 10 if state == "returned" else 7,
                "symbol": [
                    "x" if rank > k and state in ("stuck", "returned") else "circle"
                    for rank in ends["rank"]
                ],
            },
            row=rows["rank"],
            col=col,
        )
        drawn.add(state)
    return drawn


def _with_gaps(part: pd.DataFrame, panels: Sequence[str]) -> dict[str, NDArray[np.float64]]:
    """Return the runs of one kind as one line each, broken by NaN: few traces draw quickly."""
    columns: dict[str, list[NDArray[np.float64]]] = {c: [] for c in ("run", "step", *panels)}
    for _, one in part.sort_values(["run", "step"]).groupby("run"):
        for name, pieces in columns.items():
            pieces.append(np.append(one[name].to_numpy(dtype=np.float64), np.nan))
    return {name: np.concatenate(pieces)[:-1] for name, pieces in columns.items()}
