"""The gradient norm against the smallest radius that a search found: an axis without a grid."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from engine.experiments import MinimalRadiusResult, SensitivityRequest, SensitivityResult
from engine.results.store import Stored
from pages.attack.parts import moved_targets
from pages.attack.parts.moved_target_figures import MOVED, NOT_MOVED, log_axis
from pages.attack.parts.moved_targets import NEVER, Prediction
from pages.common.asking import door
from pages.common.figures.layout import custom_data, finish
from pages.common.keeping import shelf
from pages.common.lab import published_results
from pages.common.samples import Samples, hover_names
from pages.common.widgets import unfold
from pages.common.widgets.figure import FigureBlock
from pages.common.words.wording import decimal

ROLE, EXPERIMENT = "minimal", "minimal-radius"
SAMPLE = 2  # place of a target in the custom data of its point
FEWEST = 5  # targets with a radius, below which no correlation is drawn


def search_of(request: SensitivityRequest, k: int) -> Stored | None:
    """Return the published search on the same data, damping, l2 and k; None where there is none, or
    one that ended at a radius that was near enough."""
    asked = published_results.request_of(ROLE, request.dataset)
    if (
        asked is None
        or asked.enough
        or (asked.damping, asked.l2, asked.k) != (request.damping, request.l2, k)
    ):
        return None
    return door.find_published(EXPERIMENT, asked)


@shelf.kept
def targets_of(found: MinimalRadiusResult, result: SensitivityResult) -> pd.DataFrame:
    """Return a row per target of the search, indexed by sample: rank, norm (of its score's
    gradient), least (the smallest radius found, infinite where nothing arrived) and moved."""
    targets = found.targets
    return pd.DataFrame(
        {
            "rank": result.ranking.ranks[targets],
            "norm": result.norms[targets],
            "least": np.where(found.arrived, found.radius, NEVER),
            "moved": found.arrived,
        },
        index=pd.Index(targets, name="sample"),
    )


def scatter(tried: pd.DataFrame, samples: Samples | None) -> go.Figure:
    """Draw smallest radius against gradient norm (log); targets that never arrived on top."""
    names = hover_names(samples, int(tried.index.max()) + 1)
    top = 1.12 * float(tried.loc[tried["moved"], "least"].max())
    figure = go.Figure()
    for moved, marker, name in ((True, MOVED, "moved"), (False, NOT_MOVED, "not moved")):
        part = tried[tried["moved"] == moved]
        if part.empty:
            continue
        figure.add_scatter(
            x=part["norm"],
            y=part["least"].clip(upper=top),
            mode="markers",
            name=name,
            marker=marker | {"size": 10},
            customdata=custom_data(
                [
                    [names[i], f"{r:,}", int(i)]
                    for i, r in zip(part.index, part["rank"], strict=True)
                ]
            ),
            hovertemplate="%{customdata[0]}<br>rank %{customdata[1]}, sensitivity %{x:.3g}"
            + ("<br>smallest radius %{y:.3f}" if moved else "")
            + f"<extra>{name}</extra>",
        )
    figure.update_xaxes(log_axis(tried["norm"].to_numpy()))
    figure.update_xaxes(title_text="sensitivity of the target's score (log)")
    figure.update_yaxes(title_text="smallest radius found", range=[0, 1.06 * top])
    return finish(figure, 380)


def title(told: Prediction) -> str:
    """Say what the norm tells of the radius that the search found."""
    value = f"Spearman {decimal(told.correlation)}"
    if not told.tells:
        return f"Sensitivity does not tell how far the model must go: {value}"
    way = "less" if told.correlation < 0 else "more"
    return f"The more sensitive the score, the {way} the model must change: {value}"


def figure_of(
    stored: Stored, search: Stored, samples: Samples | None, tried: pd.DataFrame, told: Prediction
) -> FigureBlock:
    return FigureBlock(
        name="norm-against-smallest-radius",
        title=title(told),
        kind="Sensitivity of each target's score against the smallest radius that a search found",
        build=scatter,
        values=(tried, samples),
        table=lambda: tried.reset_index(),
        results=(stored, search),
        samples=samples,
        at=SAMPLE,
        caption=f"The {len(tried)} targets of the page “How far must the model go?”. Their "
        "radius was searched for, not read off a grid; it is an upper bound.",
    )


def show(stored: Stored, request: SensitivityRequest, k: int, samples: Samples | None) -> None:
    """Show the figure where a search is published; nothing where none is, or too few arrived."""
    search = search_of(request, k)
    if search is None or int(search.result.arrived.sum()) < FEWEST:
        return
    tried = targets_of(search.result, stored.result)
    told = moved_targets.prediction("norm", tried, len(stored.result.norms))
    if told is not None:
        folded(stored, search, samples, tried, told)


@unfold.section("Does it tell how far the model must go?", "searched-radius")
def folded(
    stored: Stored, search: Stored, samples: Samples | None, tried: pd.DataFrame, told: Prediction
) -> None:
    figure_of(stored, search, samples, tried, told).show()
