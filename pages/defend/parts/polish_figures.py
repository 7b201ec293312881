"""The figure of polishing: rankings flowing back, from the table to a Plotly figure."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from engine.experiments.polish import HONEST, KNOWING, honest_of, steps_of
from pages.common.figures.axes import rank_axis
from pages.common.figures.layout import finish
from pages.common.figures.palette import ATTACKED, BAND, GREY, INK, VIOLET
from pages.defend.parts.polish_rates import TOP, outside

GROUPS: Mapping[str, tuple[str, str]] = {  # name, colour
    "honest": ("honest", GREY),
    "attacked": ("malicious", ATTACKED),
    "knowing": ("attacker who<br>knows the check", VIOLET),
}


def group_of(kind: str) -> str:
    """Say which of `GROUPS` a kind of model belongs to."""
    if kind in HONEST:
        return "honest"
    return "knowing" if kind in KNOWING else "attacked"


def claims(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return the models that put a sample first, by group: the honest ones, and attacked ones that
    reached the top with a target from outside the honest top ten."""
    arrived = outside(table)
    groups = arrived["kind"].map(group_of)
    found = {"honest": honest_of(table)}
    found |= {name: arrived[groups == name] for name in GROUPS if name != "honest"}
    return {name: part for name, part in found.items() if len(part)}


def paths(table: pd.DataFrame, step: int) -> go.Figure:
    """Draw the rank of the sample that a model puts first against Newton steps, one line a model
    and a panel a group, up to `step` strongly and beyond it faintly. A panel's title says how many
    stay in the top ten after `step`."""
    groups, most = claims(table), steps_of(table)
    columns = [f"rank_{j}" for j in range(most + 1)]
    worst = max(TOP, *(int(part[columns].to_numpy().max()) for part in groups.values()))
    titles = [
        f"<b>{GROUPS[name][0]}</b><br>{int((part[f'rank_{step}'] <= TOP).sum())} of {len(part)} "
        "stay"
        for name, part in groups.items()
    ]
    figure = make_subplots(
        1, len(groups), shared_yaxes=True, horizontal_spacing=0.03, subplot_titles=titles
    )
    for place, (name, part) in enumerate(groups.items(), start=1):
        label, colour = GROUPS[name]
        ranks = part[columns].to_numpy()
        stay = ranks[:, step] <= TOP
        for first, last, strength, shown, width in (
            *((0, step, 0.8, ranks[stay], 3), (0, step, 0.45, ranks[~stay], 1.5)),
            *((step, most, 0.45, ranks[stay], 3), (step, most, 0.35, ranks[~stay], 1.5)),
        ):
            if not len(shown) or (first == last and first):
                continue
            some = np.arange(first, last + 1)
            # one trace a group, its lines apart by gaps: a browser draws few traces faster
            figure.add_scatter(
                x=np.tile(np.append(some, np.nan), len(shown)),
                y=np.concatenate([np.append(row[some].astype(float), np.nan) for row in shown]),
                mode="lines+markers" if first == 0 else "lines",
                name=label,
                showlegend=False,
                line={"color": colour, "width": width},
                marker={"size": 5, "color": colour},
                opacity=strength,
                hovertemplate="after %{x} steps: rank %{y:,}<extra></extra>",
                row=1,
                col=place,
            )
        figure.add_hrect(y0=0.7, y1=TOP, fillcolor=BAND, line_width=0, layer="below", col=place)
        figure.add_vline(
            x=step, line={"color": INK, "width": 1.5, "dash": "dash"}, row=1, col=place
        )
    figure.update_xaxes(tickvals=list(range(most + 1)), range=[-0.3, most + 0.3], zeroline=False)
    figure.update_xaxes(title_text="Newton steps", row=1, col=(len(groups) + 1) // 2)
    axis = rank_axis(worst, "", reverse=True)
    figure.update_yaxes(axis)
    figure.update_yaxes(title_text="rank (log)", row=1, col=1)
    figure = finish(figure, 370)
    figure.update_layout(margin={"t": 64})
    figure.update_annotations(font_size=14)
    return figure
