"""Easy or hard? How strongly a score depends on the model, and whether that foretells success."""

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd
import streamlit as st

from engine.experiments import SensitivityRequest, SensitivityResult
from engine.results.store import Stored
from pages.attack.parts import bet, moved_target_figures, moved_targets, searched_radius
from pages.attack.parts.bet import Bet
from pages.common.asking import controls, data_choice, door
from pages.common.asking.form import Form
from pages.common.asking.not_here import offer_instead
from pages.common.asking.rate_view import best_radius
from pages.common.figures.axes import thinning
from pages.common.keeping import shelf
from pages.common.lab import published_results, registry
from pages.common.lab.shared import badge_of, lab
from pages.common.samples import Samples
from pages.common.widgets import blocks, charts, take_away, unfold
from pages.common.widgets.badge import mark_origin
from pages.common.widgets.figure import FigureBlock
from pages.common.words.code_names import data_name
from pages.common.words.wording import count, decimal

PAGE = registry.page("easy-or-hard")
EXPERIMENT, ROLE, ATTACKS = "sensitivity", "sensitivity", "cost"


def choose(form: Form, table: pd.DataFrame, start: float) -> tuple[int, float]:
    """k and radius of the attacks that are looked at, in the sidebar; `start`: the radius to begin
    with. Without attacks there is nothing to choose."""
    if table.empty:
        return 1, 0.0
    left, right = st.sidebar.columns(2)
    k = form.choice(
        left,
        "Top k",
        "k",
        [int(k) for k in sorted(table["k"].unique())],
        "A target is moved when it gets into the top k.",
        nearest=True,
    )
    radius = form.choice(
        right,
        "Radius",
        "radius",
        [float(radius) for radius in sorted(table["radius"].unique())],
        "How far the malicious model may lie from the honest one, of the attacks shown.",
        start,
        nearest=True,
    )
    return k, radius


@shelf.kept
def finding(result: SensitivityResult, found: moved_targets.Prediction | None) -> str:
    ratio = moved_targets.ends_against_middle(result)
    ends = (
        "The scores at both ends of the ranking depend on the model **at least "
        f"{ratio:.2g} times as strongly** as those between"
        if ratio > 1
        else "The scores at the ends of the ranking depend on the model no more than those between"
    )
    if found is None:
        return f"{ends}."
    tells = (
        f"**This {moved_targets.strength(found)} predicts** which samples the attack moves"
        if found.tells and found.correlation < 0
        else "**This does not predict** which samples the attack moves"
    )
    return f"{ends}. {tells} (rank correlation {decimal(found.correlation)})."


def norms_title(result: SensitivityResult) -> str:
    ratio = moved_targets.ends_against_middle(result)
    if ratio > 1:
        return (
            f"Steep at both ends: scores there are at least {ratio:.2g} times as sensitive as "
            "between"
        )
    return "Scores are no more sensitive at the ends than between"


def norms_caption(result: SensitivityResult) -> str:
    """Say what is drawn, and how exact the norms are."""
    checked = (
        f"; against {count(len(result.exact_norms), 'exact norm')}, spread over the ranking, it is "
        f"{result.error:.1%}"
        if len(result.exact_norms)
        else ""
    )
    return (
        "Sensitivity is the norm of the score's gradient in the model's parameters. "
        "Ends are the first and the last twentieth. The left half counts from the top, the right "
        "half to the bottom, both on log axes. Norms are estimated from "
        f"{result.probes:,} random directions, standard error "
        f"{1 / (2 * result.probes) ** 0.5:.1%}{checked}; bars, on the samples that were attacked, "
        f"are ± 2 standard errors.{thinning(len(result.norms))}"
    )


@shelf.kept
def norms_figure(
    stored: Stored,
    tried: pd.DataFrame,
    samples: Samples | None,
    radius: float,
    ringed: Sequence[int],
    besides: str,
) -> FigureBlock:
    """Draw sensitivity against rank. besides: a sentence about the marks that no count includes."""
    result: SensitivityResult = stored.result
    return FigureBlock(
        name=f"gradient-norms-radius-{radius:g}",
        title=norms_title(result),
        kind="Sensitivity of every sample's score against its rank, from the top and from the "
        "bottom, by whether an attack moved it",
        build=moved_target_figures.sensitivity,
        values=(result, tried, samples, radius, tuple(ringed)),
        table=lambda: moved_targets.norms_table(result, tried),
        results=(stored,),
        samples=samples,
        at=moved_target_figures.SAMPLE,
        caption="Each mark is one training sample, at its rank under the honest model. Sensitivity "
        "is how fast its score changes when the model changes.",
        details=f"{norms_caption(result)}{besides}",
    )


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


def prediction(
    tried: pd.DataFrame, n: int, samples: Samples | None, k: int, radius: float, swept: Stored
) -> None:
    """Show whether the norm predicts success, against simpler clues; n: training samples."""
    found = moved_targets.prediction("norm", tried, n)
    if found is None:
        charts.heading("Too few attacks, or all ended alike: nothing to predict")
        return
    least_radius_figure(moved_targets.verdict(found), tried, samples, k, radius, swept).show()
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


@unfold.section("Is there a better clue?", "clues")
def clues(tried: pd.DataFrame, n: int, radius: float) -> None:
    """Show the norm beside what the ranking itself says."""
    table = clues_table(tried, n, radius)
    if table.empty:
        return
    blocks.table(table, "What is known before an attack, and what it tells")
    st.caption(
        "Spearman: −1 if more of the clue always means a smaller radius, 0 if it tells nothing. "
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


def attacks_of(dataset: str) -> tuple[Stored | None, float, float]:
    """Return the published sweep over radii, if there is one, with its damping and l2."""
    request = published_results.request_of(ATTACKS, dataset)
    default = SensitivityRequest()
    if request is None:
        return None, default.damping, default.l2
    return door.find("sweep", request), request.damping, request.l2


def others_of(samples: Samples | None, damping: float, l2: float) -> pd.DataFrame:
    """Return what else was attacked on this data set: all sweeps and single attacks in the
    store."""
    if samples is None:
        return moved_targets.ATTACKS
    content = samples.dataset.content_hash
    stored = [s for name in ("sweep", "attack") for s in lab().store.on_data(name, content)]
    return moved_targets.attacks_in(stored, len(samples), damping, l2)


@shelf.kept
def with_others(tried: pd.DataFrame, others: pd.DataFrame) -> pd.DataFrame:
    """Return the targets of the sweep, and those that were attacked besides."""
    return pd.concat([tried, others[~others.index.isin(tried.index)]])


def marked_besides(more: int) -> str:
    """Say what the marks of other attacks are; nothing where there are none."""
    if not more:
        return ""
    return (
        f" Marked besides: {count(more, 'target')} of other attacks at this radius that are "
        "stored here. They are counted nowhere below, where every target was tried at every "
        "radius."
    )


def no_attacks(dataset: str) -> None:
    st.info(
        f"No sweep over random targets of “{data_name(dataset)}” is published, so that nothing can "
        "be said about what predicts success. Sweeps of one's own stand on the page “What "
        "does it cost?”; their targets are marked here."
    )


def not_computed(asked: door.Computation[SensitivityRequest]) -> None:
    """Say, where there is no result, what it takes to have one."""
    cost = (
        f"{asked.request.probes} random directions, a solve each: seconds on a small data set, "
        "minutes on a large one."
    )
    offer_instead(PAGE, asked, cost, "direction")


def page() -> None:
    st.title(PAGE.title)
    form = Form()
    name = controls.dataset_choice(form, data_choice.names_of(ROLE))
    samples = data_choice.samples_of(name)  # stops the page where the data cannot be used
    swept, damping, l2 = attacks_of(name)
    others = others_of(samples, damping, l2)
    known = others if swept is None else swept.result
    start = best_radius(known) if swept is not None else float(known["radius"].max())
    k, radius = choose(form, known, start)
    request = published_results.request_of(ROLE, name) or SensitivityRequest(name)
    request = replace(request, damping=damping, l2=l2)
    asked = door.Computation.of(EXPERIMENT, request)
    stored = asked.stored
    placed = Bet()
    if stored is not None and swept is not None:
        placed = Bet.of(form, name, k, len(stored.result.norms))
    form.finish()
    if stored is None:
        not_computed(asked)
        return
    result: SensitivityResult = stored.result
    n = len(result.norms)
    table = moved_targets.ATTACKS if swept is None else swept.result
    tried = moved_targets.attempts(table, result, k, radius)
    others = moved_targets.attempts(moved_targets.at_radius(others, radius), result, k, radius)
    marked = with_others(tried, others)
    found = moved_targets.prediction("norm", tried, n)
    st.markdown(f"{finding(result, found)}{mark_origin(badge_of(stored))}")
    ringed: list[int] = []
    if swept is not None:
        with st.container(border=True):
            ringed = bet.show(tried, samples, k, n, placed)
    besides = marked_besides(len(marked) - len(tried))
    norms_figure(stored, marked, samples, radius, ringed, besides).show()
    if swept is None:
        no_attacks(name)
    else:
        prediction(tried, n, samples, k, radius, swept)
    searched_radius.show(stored, request, k, samples)
    formulas(request)
    take_away.show(
        stored,
        request,
        {"Samples": lambda: moved_targets.norms_table(result, tried)},
    )


page()
