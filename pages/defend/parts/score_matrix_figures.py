"""Figures of attacks on every attribution: pure functions from results to figures."""

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from engine.experiments import ScoreMatrixResult
from engine.vocabulary import MODEL_FREE
from pages.common.figures.layout import finish
from pages.common.figures.palette import ATTACKED, GOOD, GREEN, GREY, LIMIT
from pages.common.words.score_names import SCORE_NAMES
from pages.defend.parts.other_scores_figures import row_name

# Of no target, and from one target to all of them: dark enough for white text.
SCALE = ((0.0, "rgba(134, 142, 150, 0.12)"), (0.02, "#5E7386"), (1.0, "#005B96"))


def reached(result: ScoreMatrixResult) -> go.Figure:
    """Draw, for each score, how many targets an attack on it moves into its top, most first. Scores
    without the model stand above them, in a band of their own: they can only be moved along."""
    names = sorted(
        result.observed, key=lambda name: (name not in MODEL_FREE, -most_moved(result, name))
    )[::-1]
    counts = [most_moved(result, name) for name in names]
    figure = go.Figure(
        go.Bar(
            x=counts,
            y=[SCORE_NAMES[name] for name in names],
            orientation="h",
            width=0.66,
            marker={"color": ATTACKED},
            text=[f"<b>{count}</b>" for count in counts],
            textposition="outside",
            textfont={"size": 14},
            cliponaxis=False,
            hovertemplate=f"%{{y}}: %{{x}} of {result.n_targets}<extra></extra>",
        )
    )
    safe = sum(name in MODEL_FREE for name in names)
    if safe:
        figure.add_hrect(
            y0=len(names) - safe - 0.5,
            y1=len(names) - 0.5,
            fillcolor=GOOD,
            opacity=0.16,
            line_width=0,
            layer="below",
        )
        figure.add_annotation(
            x=result.n_targets, y=len(names) - (safe + 1) / 2, xanchor="right", showarrow=False,
            text="<b>safe</b>: never see the model", font={"size": 16, "color": GREEN},
        )  # fmt: skip
    title = f"targets moved into the top {result.k}, of {result.n_targets}"
    limits = [0, 1.06 * result.n_targets]
    figure.update_xaxes(title_text=title, range=limits, showticklabels=False)  # bars say theirs
    figure.update_yaxes(
        tickvals=[SCORE_NAMES[name] for name in names],
        ticktext=[
            f"<b>{SCORE_NAMES[name]}</b>" if name in MODEL_FREE else row_name(name)
            for name in names  # the band says what those without the model are
        ],
        tickfont={"size": 13},
        automargin=True,
    )
    return finish(figure, 60 + 35 * len(names), margin={"t": 8})


def most_moved(result: ScoreMatrixResult, name: str) -> int:
    """Return how many targets an attack on a score moves, or, where the model does not enter it,
    the most that an attack on any score does."""
    attacks = [name] if name in result.attacked else result.attacked
    return max(result.arrived(attack, name)[0] for attack in attacks)


def matrix(result: ScoreMatrixResult) -> go.Figure:
    """Draw how many targets are in the top k by each score (columns) after an attack on each
    (rows)."""
    rows, columns = result.attacked[::-1], result.observed
    counts = np.array([[result.arrived(a, o)[0] for o in columns] for a in rows])
    said = [[hover(result, a, o) for o in columns] for a in rows]
    figure = go.Figure(
        go.Heatmap(
            z=counts,
            x=[SCORE_NAMES[name] for name in columns],
            y=[SCORE_NAMES[name] for name in rows],
            zmin=0,
            zmax=result.n_targets,
            colorscale=SCALE,
            showscale=False,
            xgap=2,
            ygap=2,
            customdata=said,
            hovertemplate="%{customdata}<extra></extra>",
        )
    )
    for i, attacked in enumerate(rows):
        for j, observed in enumerate(columns):
            own = attacked == observed
            # On empty cells the theme's own colour, light or dark.
            white = {"color": "white"} if counts[i, j] else {}
            figure.add_annotation(
                x=j,
                y=i,
                text=f"<b>{counts[i, j]}</b>" if own else str(counts[i, j]),
                showarrow=False,
                font={"size": 13} | white,
            )
    free = [j for j, name in enumerate(columns) if name in MODEL_FREE]
    if free:
        figure.add_vline(x=min(free) - 0.5, line={"color": LIMIT, "width": 2, "dash": "dash"})
    figure.update_xaxes(
        side="top", tickangle=-90, title_text="", tickfont={"size": 12}, showgrid=False
    )
    figure.update_yaxes(title_text="", tickfont={"size": 12}, showgrid=False)
    figure = finish(figure, 500)
    figure.update_layout(margin={"t": 8})
    return figure


def hover(result: ScoreMatrixResult, attacked: str, observed: str) -> str:
    """Say what one cell says when it is pointed at."""
    count, (low, high) = result.arrived(attacked, observed)
    cell = result.cell(attacked, observed)
    return (
        f"attack on {SCORE_NAMES[attacked]}, seen by {SCORE_NAMES[observed]}<br>{count} of "
        f"{result.n_targets} in the top {result.k} ({low:.0%} to {high:.0%})<br>median rank "
        f"{cell['rank_before'].median():,.0f} → {cell['rank_after'].median():,.0f}<br>correlation "
        f"with the honest ranking {cell['correlation'].mean():.2f}"
    )


def success(result: ScoreMatrixResult) -> go.Figure:
    """Draw success of the attack on each score, and beside it the price in accuracy, with 95%
    intervals."""
    names = result.attacked[::-1]
    shares, prices = [], []
    for name in names:
        count, ends = result.arrived(name, name)
        shares.append((count / result.n_targets, *ends))
        price, around = result.price(name)
        prices.append((100 * price, 100 * around.low, 100 * around.high))
    figure = make_subplots(1, 2, shared_yaxes=True, horizontal_spacing=0.1)
    said = [SCORE_NAMES[name] for name in names]
    for column, values in enumerate((shares, prices), 1):
        middle, low, high = np.array(values).T
        figure.add_scatter(
            x=middle,
            y=said,
            mode="markers",
            showlegend=False,
            marker={"color": ATTACKED, "symbol": "diamond", "size": 10},
            error_x={
                "type": "data",
                "symmetric": False,
                "array": high - middle,
                "arrayminus": middle - low,
                "color": GREY,
                "thickness": 1,
                "width": 3,
            },
            hovertemplate="%{y}: %{x:.0%}<extra></extra>"
            if column == 1
            else "%{y}: %{x:.1f} points<extra></extra>",
            row=1,
            col=column,
        )
    top = f"in the top {result.k}"
    figure.update_xaxes(title_text=top, tickformat=".0%", range=[-0.03, 1.03], row=1, col=1)
    lost = "accuracy lost (points)"
    figure.update_xaxes(title_text=lost, rangemode="tozero", row=1, col=2)
    return finish(figure, 380)
