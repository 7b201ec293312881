"""The figure of polishing: rankings flowing back, from the table to a Plotly figure."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from engine.experiments.polish import HONEST, KNOWING, honest_of, steps_of
from pages.common.figures.axes import rank_axis
from pages.common.figures.layout import finish, set_plainly
from pages.common.figures.palette import ACCENT, BAND, BLUE, GREY

GROUPS: Mapping[str, tuple[str, str]] = {  # name, colour
    "honest": ("honest models' first sample", GREY),
    "attacked": ("target of an attack that reached the top", ACCENT),
    "knowing": ("target of an attacker who knows of polishing", BLUE),
}


def group_of(kind: str) -> str:
    """Say which of `GROUPS` a kind of model belongs to."""
    if kind in HONEST:
        return "honest"
    return "knowing" if kind in KNOWING else "attacked"


def paths(table: pd.DataFrame, step: int) -> go.Figure:
    """Rank of the claimed sample against Newton steps, one line a model, up to `step` strongly and
    beyond it faintly; of attacked models those that reached the top."""
    drawn = pd.concat([honest_of(table), table[table["success"]]])
    groups = drawn["kind"].map(group_of)
    most = steps_of(table)
    figure = go.Figure()
    worst = 10
    for name, (label, colour) in GROUPS.items():
        part = drawn[groups == name]
        if part.empty:
            continue
        ranks = part[[f"rank_{j}" for j in range(most + 1)]].to_numpy()
        worst = max(worst, int(ranks.max()))
        for first, last, strength, shown in ((0, step, 0.45, True), (step, most, 0.1, False)):
            if first == last and not (shown and step == 0):
                continue
            some = np.arange(first, last + 1)
            # one trace a group, its lines apart by gaps: a browser draws few traces faster
            x = np.tile(np.append(some, np.nan), len(ranks))
            y = np.concatenate([np.append(row[some].astype(float), np.nan) for row in ranks])
            figure.add_scatter(
                x=x,
                y=y,
                mode="lines+markers" if shown else "lines",
                name=label,
                legendgroup=name,
                showlegend=shown,
                line={"color": colour, "width": 1.5},
                marker={"size": 5, "color": colour},
                opacity=strength,
                hovertemplate="after %{x} steps: rank %{y:,}<extra></extra>" if shown else None,
                hoverinfo=None if shown else "skip",
            )
    figure.add_hrect(y0=0.7, y1=10, fillcolor=BAND, line_width=0, layer="below")
    figure.add_vline(x=step, line={"color": ACCENT, "width": 1.5, "dash": "dash"})
    figure.update_xaxes(
        title_text="Newton steps", tickvals=list(range(most + 1)), range=[-0.15, most + 0.15]
    )
    set_plainly(figure, yaxis=rank_axis(worst, "rank (1 is above)", reverse=True))
    return finish(figure, 350)
