"""Is it a minimum? The defence of Section 6, and an attacker who knows it."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import streamlit as st

from engine.experiments import DefenceRequest
from engine.results.store import Stored
from pages.common.asking import door, links
from pages.common.asking.form import Form
from pages.common.keeping import shelf
from pages.common.lab import published_results, registry
from pages.common.lab.shared import badge_of
from pages.common.widgets import blocks, take_away, unfold
from pages.common.widgets.badge import mark_origin
from pages.common.widgets.charts import heading
from pages.common.widgets.figure import FigureBlock
from pages.common.words.objective_words import MEANINGS, NAMES
from pages.common.words.wording import count, stamp
from pages.defend.parts import defence_figures as figures
from pages.defend.parts import defence_rates as rates
from pages.defend.parts import defence_words as words
from pages.defend.parts import live_threshold, other_case, result_page

PAGE = registry.page("minimum")
EXPERIMENT = "defence"
KEEPING = "kept defence"  # of published results: the objectives that keep something
ALARMS = 0.05  # share of honest models that the threshold flags at first
THRESHOLD = "threshold"  # in links; a power of ten
RANGE, STEP = links.Range(-8.0, 0.0, whole=False), 0.05  # of the threshold's power of ten
COST = (
    "Trains some 120 honest models and attacks 25 targets at five radii and with seven weights of "
    "the check: some ten minutes for digits on a laptop."
)


@shelf.kept
def first_threshold(table: pd.DataFrame) -> float:
    """Return the power of ten that flags one honest model in twenty."""
    honest = table.loc[table["kind"] == "honest", "gradient_norm"]
    wanted = np.log10(max(float(honest.quantile(1 - ALARMS)), 10**RANGE.low))
    return float(np.clip(round(np.floor(wanted / STEP) * STEP, 2), RANGE.low, RANGE.high))


def choose_threshold(form: Form, table: pd.DataFrame) -> float:
    """Return the threshold on the gradient norm, as a power of ten: the first one until another is
    set in the browser."""
    chosen = form.clicked(THRESHOLD, RANGE)
    return first_threshold(table) if chosen is None else float(chosen)


@shelf.kept
def overview_figure(stored: Stored, threshold: float) -> FigureBlock:
    table: pd.DataFrame = stored.result
    return FigureBlock(
        name="gradient-norms",
        key="norms",
        title=words.overview_title(table),
        kind="Gradient norms of honest, malicious, scaled and adaptively attacked models",
        build=figures.overview,
        values=(table, threshold),
        results=(stored,),
        caption=words.trained_to_the_end(table),
    )


def live(stored: Stored, exponent: float) -> None:
    """Show the models and the curves, which answer while the threshold is dragged."""
    table: pd.DataFrame = stored.result
    heading("Whose slope is too large for finished training?")
    live_threshold.show("minimum", live_threshold.of_norms(table, RANGE, STEP), exponent, THRESHOLD)
    st.caption(
        "Each mark is one model. Those right of the dashed line are flagged."
        f"{mark_origin(badge_of(stored))}"
    )


def groups(stored: Stored, threshold: float) -> None:
    """Show all models, those whose attack failed too, by trainer, radius and weight of the
    check."""
    table: pd.DataFrame = stored.result
    FigureBlock(
        name="gradient-norms-by-group",
        title="Gradient norms by trainer, radius and weight of the check",
        kind="Gradient norms of all models by group",
        build=figures.distributions,
        values=(table, threshold),
        results=(stored,),
        caption=words.norms_caption(table, threshold),
    ).show()


@shelf.kept
def roc_figure(stored: Stored, threshold: float) -> FigureBlock:
    """Make the figure of how well the check tells malicious models from honest ones."""
    table: pd.DataFrame = stored.result
    alarms = float((table.loc[table["kind"] == "honest", "gradient_norm"] >= threshold).mean())
    drawn = rates.curves_table(rates.by_kind(table))
    return FigureBlock(
        name="roc",
        title=words.detector_title(table),
        kind="ROC curves of the gradient-norm check",
        build=figures.roc,
        values=(drawn, alarms),
        results=(stored,),
    )


@unfold.section("How well does the check tell them apart? All models, group by group", "detector")
def detector(stored: Stored, threshold: float) -> None:
    """Show how well the check tells malicious models from honest ones: the marks and curves as
    figures to save, a table, and every group of models."""
    overview_figure(stored, threshold).show()
    roc_figure(stored, threshold).show()
    found = rates.curves(stored.result)
    blocks.table(words.areas_table(found), "AUC of the check, by what it is asked to tell apart")
    st.caption(
        f"{words.detector_meaning(stored.result)}AUC: how often a malicious model has the larger "
        "gradient than an honest one, ties half; "
        "intervals by bootstrap of both groups. Of malicious models those count that reached the "
        f"top.{words.with_failures(stored.result)}"
    )
    groups(stored, threshold)


def keeping(dataset: str) -> dict[DefenceRequest, Stored]:
    """Return what the check finds of the objectives that keep something, where that is here."""
    requests = published_results.requests_of(KEEPING, dataset)
    found = {request: door.find(EXPERIMENT, request) for request in requests}
    return {request: stored for request, stored in found.items() if stored is not None}


def objectives(
    stored: Stored,
    request: DefenceRequest,
    others: Mapping[DefenceRequest, Stored],
    threshold: float,
) -> None:
    """Show the objectives that keep something beside the paper's, under the same check."""
    results = {request.objective: stored.result}
    results |= {other.objective: kept.result for other, kept in others.items()}
    rows = rates.by_objective(results, threshold)
    if rows.empty:
        return
    meanings = "; ".join(MEANINGS[other.objective] for other in others)
    badges = [
        f":gray-badge[{NAMES[other.objective]}: made {stamp(kept.manifest.created)}]"
        for other, kept in others.items()
    ]
    FigureBlock(
        name="by-objective",
        key="objectives",
        title=words.caught_title(rows),
        kind="Share of malicious models that the check flags, by objective and radius",
        build=figures.caught,
        values=(rows,),
        results=(stored, *others.values()),
        caption=f"Models pulled to the top {rows['k'].min()}, whether or not they got there, on "
        f"the same {count(int(rows['attacks'].max()), 'target')}; bars are 95% Wilson intervals. "
        f"{meanings}. Per attack: {words.budgets([request, *others])}. {' '.join(badges)}",
    ).show()
    blocks.table(
        words.objectives_table(rows, rates.passing(results, threshold), request),
        "Malicious models that the check flags, by objective and radius",
    )
    st.caption(
        "p: exact sign test against Algorithm 3 on the targets of which only one of the two models "
        "is flagged, Holm-corrected for all rows. The last column: for how many targets an "
        "attacker who knows the check and starts at θ* "
        f"reaches the top unflagged, at radius {request.stealth_radius:g}, with one of the weights "
        "that all have."
    )


@shelf.kept
def stealth_figure(stored: Stored, threshold: float) -> FigureBlock:
    """Make the figure of what the attacker who knows the check keeps."""
    table: pd.DataFrame = stored.result
    kept = rates.kept(table, threshold)
    radius = table.loc[table["kind"] == "adaptive", "radius"].iloc[0]
    return FigureBlock(
        name="knows-the-check",
        key="stealth",
        title=words.stealth_title(kept),
        kind="Success of the attacker who knows the check at each threshold",
        build=figures.stealth_curve,
        values=(table, figures.thresholds_of(table), threshold),
        table=lambda: kept,
        results=(stored,),
        caption="The first figure counts targets that some weight brings to the top "
        "unflagged. The attacker adds the gradient's norm, times a weight, to the objective of "
        f"Algorithm 1, and starts at θ*; radius {radius:g}. These runs stop at the top and do not "
        "go on to hide there: what the attacker keeps here is the least possible. Where the curve "
        "of success lies above that of honest models flagged, the check costs honest trainers more "
        "than it costs the attacker. Bands: 95% Wilson.",
    )


@unfold.section("Attackers who know the check, or who keep the accuracy", "knows")
def stealth(
    stored: Stored,
    request: DefenceRequest,
    others: Mapping[DefenceRequest, Stored],
    threshold: float,
) -> None:
    """Show what the attacker who knows the check keeps, and what the check finds of the objectives
    that keep something."""
    stealth_figure(stored, threshold).show()
    kept = rates.kept(stored.result, threshold)
    blocks.table(words.kept_table(kept), "What the attacker who knows the check keeps, by weight")
    if others:
        objectives(stored, request, others, threshold)


@unfold.section("What is checked (Section 6), and how the attacker answers", "formulas")
def how() -> None:
    blocks.prose("defend/texts/minimum.md")


def results(form: Form, stored: Stored, request: DefenceRequest) -> None:
    """Show the finding, and below it what it rests on, for the threshold that is chosen."""
    table: pd.DataFrame = stored.result
    exponent = choose_threshold(form, table)
    threshold = 10**exponent
    form.finish()
    st.markdown(words.finding(table, threshold))
    live(stored, exponent)
    other_case.show(PAGE)
    detector(stored, threshold)
    others = keeping(request.dataset)
    stealth(stored, request, others, threshold)
    how()
    take_away.show(stored, request, {"Models": lambda: table}, list(others))


result_page.show(PAGE, EXPERIMENT, EXPERIMENT, COST, results, how)
