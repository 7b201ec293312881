"""Figures of the check for a minimum: pure functions from its table to a Plotly figure."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from engine.statistics import points, wilson_interval
from pages.common.figures.axes import number
from pages.common.figures.layout import finish
from pages.common.figures.palette import (
    ATTACKED,
    BEYOND,
    GREEN,
    GREY,
    HONEST,
    KNOWING,
    LIMIT,
)
from pages.common.figures.rates import OBJECTIVE_LOOKS, bars
from pages.common.frames import named_rows
from pages.common.keeping import shelf

LOOKS: Mapping[str, tuple[str, str, str]] = {  # of a kind of model: name, colour, symbol
    "honest": ("honest", HONEST, "circle"),
    "attacked": ("malicious", ATTACKED, "diamond"),
    "scaled": ("scaled", GREEN, "square"),
    "adaptive": ("attacker who knows the check", KNOWING, "triangle-up"),
}
SMALLEST = 1e-9  # gradient norms below are rounding, and drawn there
TRAINERS = {"lbfgs": "L-BFGS", "adam": "Adam", "sgd": "SGD"}


def norms(table: pd.DataFrame) -> np.ndarray:
    return table["gradient_norm"].clip(lower=SMALLEST).to_numpy()


def norm_axis(title: str) -> dict[str, object]:
    """Return a log axis of gradient norms, with a tick at every second power of ten."""
    ticks = {"dtick": 2, "tickangle": 0, "exponentformat": "power", "minor": {"ticks": ""}}
    return {"type": "log", "title": {"text": title}, **ticks}


def rows_of(table: pd.DataFrame) -> list[tuple[str, str, pd.DataFrame]]:
    """Return the models in rows, from above: a label, a kind, and the models."""
    honest = table[table["kind"] == "honest"]
    by_optimizer = honest.groupby(honest["trained"].str.split(",").str[0], sort=False)
    rows = [
        (f"honest, {TRAINERS.get(str(name), name)}", "honest", part) for name, part in by_optimizer
    ]
    for (k, radius), part in table[table["kind"] == "attacked"].groupby(["k", "radius"]):
        rows.append((f"into the top {k}, radius {radius:g}", "attacked", part))
    for weight, part in table[table["kind"] == "adaptive"].groupby("stealth"):
        rows.append((f"knows the check, weight {weight:g}", "adaptive", part))
    rows.append(("scaled", "scaled", table[table["kind"] == "scaled"]))
    return rows


def groups_of(table: pd.DataFrame) -> list[tuple[str, str, pd.DataFrame]]:
    """Return the models in as few rows as show what the check can do: a label, a kind, and the
    models. An attack that failed manipulated no ranking and is in none. Of the attacker who knows
    the check, who tries several weights, each target's model with the smallest gradient."""
    kinds = {str(kind): part for kind, part in table.groupby("kind")}
    noisy = kinds["honest"]["trained"].str.startswith("sgd")
    knowing = kinds["adaptive"].query("stealth > 0 and success")
    nearest = knowing.loc[knowing.groupby("target")["gradient_norm"].idxmin()]
    rows = [
        ("honest", "honest", kinds["honest"][~noisy]),
        ("honest, by SGD", "honest", kinds["honest"][noisy]),
        ("malicious", "attacked", kinds["attacked"].query("success")),
        ("attacker knows the check", "adaptive", nearest),
        ("weights multiplied", "scaled", kinds["scaled"]),
    ]
    return [row for row in rows if len(row[2])]


def said_of(part: pd.DataFrame, label: str) -> np.ndarray:
    """Return what pointing at each model of a row says."""
    return np.asarray(
        [
            f"{row.trained or label}<br>gradient norm {number(row.gradient_norm)}"
            + (f"<br>sample {row.target}: rank {row.rank_before} → {row.rank_after}"
               if row.kind in ("attacked", "adaptive") else "")
            + (f"<br>scale {row.scale:g}" if row.kind == "scaled" else "")
            + f"<br>accuracy {points(-row.accuracy_drop)} points"
            for row in named_rows(part)
        ]
    )  # fmt: skip


def overview(table: pd.DataFrame, threshold: float) -> go.Figure:
    """Draw gradient norms of the models that a check is to tell apart, on one log axis: a row a
    group, what lies above the threshold shaded, and how many of each row that is."""
    figure = go.Figure()
    rows = groups_of(table)
    rng = np.random.default_rng(0)  # of the jitter, which means nothing
    for place, (label, kind, part) in enumerate(rows):
        _, colour, symbol = LOOKS[kind]
        figure.add_scatter(
            x=norms(part),
            y=place + 0.26 * rng.uniform(-1, 1, len(part)),
            mode="markers",
            showlegend=False,
            marker={"size": 7, "symbol": symbol, "color": colour, "opacity": 0.7},
            text=said_of(part, label),
            hovertemplate="%{text}<extra></extra>",
        )
    top = 3 * max(float(norms(table).max()), threshold)
    low = float(norms(table).min()) / 3
    figure.add_vrect(x0=threshold, x1=top, fillcolor=BEYOND, line_width=0, layer="below")
    figure.add_vline(x=threshold, line={"color": LIMIT, "width": 2, "dash": "dash"})
    title = "gradient norm of the training loss (log)"
    figure.update_xaxes(norm_axis(title), range=[np.log10(low), np.log10(top)])
    figure.update_yaxes(
        tickvals=list(range(len(rows))),
        ticktext=[
            f"<b>{label}</b><br>{int((part['gradient_norm'] >= threshold).sum())} of {len(part)} "
            "flagged"
            for label, _, part in rows
        ],
        range=[len(rows) - 0.5, -0.65],
        zeroline=False,
        showgrid=False,
    )
    figure = finish(figure, 60 + 62 * len(rows))
    figure.update_layout(margin={"t": 8})
    return figure


def distributions(table: pd.DataFrame, threshold: float) -> go.Figure:
    """Draw gradient norms of all models on one log axis, a row a group, with the threshold. Hollow:
    attacks that did not reach the top."""
    figure = go.Figure()
    rows, shown = rows_of(table), set()
    rng = np.random.default_rng(0)  # of the jitter, which means nothing
    for place, (label, kind, part) in enumerate(rows):
        name, colour, symbol = LOOKS[kind]
        failed = (~part["success"] & part["kind"].isin(["attacked", "adaptive"])).to_numpy()
        heights = place + 0.3 * rng.uniform(-1, 1, len(part))
        said = said_of(part, label)
        for hollow, mark in ((False, symbol), (True, f"{symbol}-open")):
            chosen = failed == hollow
            if not chosen.any():
                continue
            legend = f"{name}, top not reached" if hollow else name
            figure.add_scatter(
                x=norms(part)[chosen],
                y=heights[chosen],
                mode="markers",
                name=legend,
                legendgroup=legend,
                showlegend=legend not in shown,
                marker={"size": 7, "symbol": mark, "color": colour, "opacity": 0.75},
                text=said[chosen],
                hovertemplate="%{text}<extra></extra>",
            )
            shown.add(legend)
    figure.add_vline(x=threshold, line={"color": LIMIT, "width": 2, "dash": "dash"})
    figure.add_annotation(
        x=np.log10(threshold), y=1, yref="paper", yanchor="bottom", showarrow=False,
        text="flagged →", xanchor="left", font={"color": LIMIT, "size": 12},
    )  # fmt: skip
    figure.update_xaxes(norm_axis("gradient norm (log)"))
    figure.update_yaxes(
        tickvals=list(range(len(rows))),
        ticktext=[label for label, _, _ in rows],
        range=[len(rows) - 0.4, -0.6],
        zeroline=False,
    )
    figure = finish(figure, 90 + 26 * len(rows))
    figure.update_layout(margin={"t": 84}, legend={"y": 1, "yref": "container", "yanchor": "top"})
    return figure


def colour_of(group: str) -> str:
    """Return the colour of one of `defence_rates.manipulated`'s groups."""
    kinds = {"scaled": "scaled", "knows the check": "adaptive"}
    return LOOKS[kinds.get(group, "attacked")][1]


ROC_DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")


def roc(curves: pd.DataFrame, alarm_share: float) -> go.Figure:
    """Draw malicious models found against honest ones flagged, a curve a group; dotted: by
    chance.

    curves: of `defence_rates.curves_table`. alarm_share: of honest models flagged, drawn as a line.
    """
    figure = go.Figure()
    for place, (name, curve) in enumerate(curves.groupby("models", sort=False)):
        figure.add_scatter(
            x=curve["honest_flagged"].to_numpy(),
            y=curve["manipulated_found"].to_numpy(),
            mode="lines",
            name=str(name),
            line={
                "color": colour_of(str(name)),
                "dash": ROC_DASHES[place % len(ROC_DASHES)],
                "width": 2.4,
                "shape": "linear",
            },
            hovertemplate=f"%{{x:.0%}} of honest flagged<br>%{{y:.0%}} found<extra>{name}</extra>",
        )
    figure.add_scatter(
        x=[0, 1], y=[0, 1], mode="lines", showlegend=False, hoverinfo="skip",
        line={"color": GREY, "width": 1, "dash": "dot"},
    )  # fmt: skip
    figure.add_vline(x=alarm_share, line={"color": LIMIT, "width": 1.4, "dash": "dash"})
    figure.update_xaxes(title_text="honest models flagged", tickformat=".0%", range=[-0.02, 1.02])
    figure.update_yaxes(title_text="malicious found", tickformat=".0%", range=[-0.02, 1.03])
    figure = finish(figure, 420)
    figure.update_layout(
        legend={"orientation": "v", "x": 1, "xanchor": "right", "y": 0.02, "yanchor": "bottom"}
    )
    return figure


@shelf.kept
def thresholds_of(table: pd.DataFrame) -> tuple[float, ...]:
    """Return the thresholds at which `stealth_curve` is drawn."""
    sizes = norms(table)
    return tuple(np.geomspace(sizes.min(), 2 * sizes.max(), 200).tolist())


def stealth_curve(table: pd.DataFrame, at: Sequence[float], threshold: float) -> go.Figure:
    """Draw success at each level of stealth: share of targets for which some model reaches the top
    with a gradient norm below the threshold on the axis (`at`), for the plain attack at the same
    radius and for the attacker who knows the check, who may try all weights. threshold: the chosen
    one."""
    thresholds = np.asarray(at)
    figure = go.Figure()
    adaptive = table[table["kind"] == "adaptive"]
    plain = adaptive[adaptive["stealth"] == 0]
    for name, part, colour, dash in (
        ("does not know the check (weight 0)", plain, ATTACKED, "dash"),
        ("knows the check, tries every weight", adaptive, KNOWING, "solid"),
    ):
        if part.empty:
            continue
        smallest = (
            part["gradient_norm"].where(part["success"], np.inf).groupby(part["target"]).min()
        )
        counts = (smallest.to_numpy()[:, None] < thresholds).sum(axis=0)
        bounds = np.array([wilson_interval(int(c), len(smallest)) for c in counts])
        figure.add_scatter(
            x=np.concatenate([thresholds, thresholds[::-1]]),
            y=np.concatenate([bounds[:, 1], bounds[::-1, 0]]),
            fill="toself", mode="none", fillcolor=colour, opacity=0.13,
            showlegend=False, hoverinfo="skip",
        )  # fmt: skip
        figure.add_scatter(
            x=thresholds,
            y=counts / len(smallest),
            mode="lines",
            name=name,
            line={"color": colour, "width": 2.4, "dash": dash, "shape": "hv"},
            hovertemplate="norm below %{x:.2g}: %{y:.0%} of targets<extra></extra>",
        )
    honest = table.loc[table["kind"] == "honest", "gradient_norm"].to_numpy()
    figure.add_scatter(
        x=thresholds,
        y=(honest[:, None] >= thresholds).mean(axis=0),
        mode="lines",
        name="honest models flagged",
        line={"color": HONEST, "width": 2, "dash": "dot", "shape": "hv"},
        hovertemplate="threshold %{x:.2g}: %{y:.0%} of honest models flagged<extra></extra>",
    )
    figure.add_vline(x=threshold, line={"color": LIMIT, "width": 1.4, "dash": "dash"})
    figure.update_xaxes(norm_axis("threshold (log)"))
    figure.update_yaxes(title_text="share", tickformat=".0%", range=[-0.02, 1.05])
    return finish(figure, 380)


def caught(rows: pd.DataFrame) -> go.Figure:
    """Draw share of models flagged by radius, a mark an objective. rows: of `by_objective`."""
    radii = sorted(set(rows["radius"]))
    names = [name for name in OBJECTIVE_LOOKS if (rows["objective"] == name).any()]
    figure = go.Figure()
    for place, objective in enumerate(names):
        name, colour, symbol, _ = OBJECTIVE_LOOKS[objective]
        part = rows[rows["objective"] == objective]
        figure.add_scatter(
            x=[radii.index(r) + 0.16 * (place - (len(names) - 1) / 2) for r in part["radius"]],
            y=part["rate"].to_numpy(),
            mode="markers",
            name=name,
            marker={"size": 11, "symbol": symbol, "color": colour},
            error_y=bars(part),
            customdata=part[["flagged", "attacks", "reached", "radius", "auc"]].to_numpy(),
            hovertemplate="<b>%{y:.0%}</b>, %{customdata[0]} of %{customdata[1]} models flagged<br>"
            "radius %{customdata[3]:g}, %{customdata[2]} reach the top<br>"
            f"AUC %{{customdata[4]:.3f}}<extra>{name}</extra>",
        )
    figure.update_xaxes(
        tickvals=list(range(len(radii))),
        ticktext=[f"radius {radius:g}" for radius in radii],
        range=[-0.6, len(radii) - 0.4],
    )
    figure.update_yaxes(title_text="models flagged", tickformat=".0%", range=[-0.03, 1.05])
    return finish(figure, 360, showlegend=True)
