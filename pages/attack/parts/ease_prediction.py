"""Whether sensitivity tells which samples are easy to move, target by target, and how it is
computed: what *Easy or hard?* folds."""

import pandas as pd
import streamlit as st

from engine.experiments import SensitivityRequest
from engine.results.store import Stored
from pages.attack.parts import moved_target_figures, moved_targets
from pages.common.keeping import shelf
from pages.common.samples import Samples
from pages.common.widgets import blocks, charts, unfold
from pages.common.widgets.figure import FigureBlock
from pages.common.words.wording import decimal


@shelf.kept
def least_radius_figure(
    title: str, tried: pd.DataFrame, samples: Samples | None, k: int, radius: float, swept: Stored
) -> FigureBlock:
    return FigureBlock(
        name=f"by-least-radius-top-{k}",
        title=title,
        kind="Sensitivity of the attacked samples' scores by the smallest radius that moved them",
        build=moved_target_figures.by_radius,
        values=(tried, samples, radius),
        table=lambda: tried.rename_axis("sample").reset_index(),
        results=(swept,),
        samples=samples,
        at=moved_target_figures.SAMPLE,
    )


@unfold.section("Target by target: how sure is this, and is there a better clue?", "prediction")
def show(
    tried: pd.DataFrame, n: int, samples: Samples | None, k: int, radius: float, swept: Stored
) -> None:
    """Show how well the norm predicts success, and simpler clues; n: training samples."""
    found = moved_targets.prediction("norm", tried, n)
    if found is None:
        return
    title = "Every target, by the smallest radius that moved it"
    least_radius_figure(title, tried, samples, k, radius, swept).show()
    st.markdown(
        f"{moved_targets.measured(found, tried, k)} {moved_targets.against_place(tried, n)}"
    )
    moved = int(tried["moved"].sum())
    st.caption(
        f"The {len(tried)} targets of the published sweep, drawn at random outside the honest top; "
        f"at radius {radius:g} some run moved {moved} of them into the top {k}, whatever it cost "
        "in accuracy. In brackets, how many needed that radius."
    )
    clues(tried, n, radius)


@shelf.kept
def clues_table(tried: pd.DataFrame, n: int, radius: float) -> pd.DataFrame:
    """Return what is known before an attack, and what it tells: a row for each that can be
    judged."""
    rows = []
    for name, label in moved_targets.PREDICTORS.items():
        found = moved_targets.prediction(name, tried, n)
        if found is None:
            continue
        rows.append(
            {
                "known before the attack": label,
                "Spearman with the smallest radius": decimal(found.correlation),
                "95%": ends_of(found.correlation_interval),
                f"AUC, moved at radius {radius:g}": (
                    decimal(found.area) if found.area == found.area else "–"
                ),
                "95% ": ends_of(found.area_interval),
            }
        )
    return pd.DataFrame(rows)


def clues(tried: pd.DataFrame, n: int, radius: float) -> None:
    """Show the norm beside what the ranking itself says."""
    table = clues_table(tried, n, radius)
    if table.empty:
        return
    charts.heading("Is there a better clue?")
    blocks.table(table, "What is known before an attack, and what it tells")
    st.caption(
        "Spearman compares the clue with the radius: at −1 more of the clue always means a smaller "
        "radius, at 0 the clue tells nothing. "
        "AUC: how often, of a target that was moved and one that was not, the moved one has more "
        "of the clue; 0.5 is chance, – where all or none were moved. Intervals are 95% percentile "
        "bootstraps over the targets."
    )


def ends_of(interval: tuple[float, float]) -> str:
    low, high = interval
    return f"{decimal(low)} to {decimal(high)}" if low == low else "–"


@unfold.section("What is computed (Definition 1, Figures 4 and 7)", "formulas")
def formulas(request: SensitivityRequest) -> None:
    st.markdown(
        "The paper asks what makes some samples easier to manipulate, and plots the norm of "
        "the gradient of each sample's influence score in the model's parameters: the score's "
        "sensitivity. With "
        f"$\\lambda$ the damping (here {request.damping:g}), $g_i$ the gradient of sample "
        "$i$'s loss and $s=(H+\\lambda I)^{-1}\\nabla L_{\\text{test}}$:"
    )
    st.latex(
        r"\nabla_\theta I_i=-(H_{\text{test}}-T)\,(H+\lambda I)^{-1}g_i-H_i\,s,\qquad "
        r"T v=\nabla_\theta\langle v,H(\theta)\,s\rangle"
    )
    st.markdown(
        "One exact norm takes a solve a sample. Here all are estimated at once: $H_{\\text{"
        "test}}-T$ is symmetric, so that for a random direction $u$ a single solve gives the "
        "inner product with *every* gradient,"
    )
    st.latex(
        r"w=(H+\lambda I)^{-1}(H_{\text{test}}-T)\,u,\qquad \langle u,\nabla I_i\rangle="
        r"-\langle w,g_i\rangle-\operatorname{Cov}_{p_i}(Xs,Xu)_i"
    )
    st.markdown(
        "and for Gaussian $u$ its square has the mean $\\lVert\\nabla I_i\\rVert^2$. From "
        f"{request.probes} directions the relative standard error is $1/\\sqrt{{2\\cdot "
        f"{request.probes}}}$."
    )
