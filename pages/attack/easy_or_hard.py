"""Easy or hard? How strongly a score depends on the model, and whether that foretells success."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import pandas as pd
import streamlit as st

from engine.experiments import SensitivityRequest, SensitivityResult
from engine.results.store import Stored
from pages.attack.parts import (
    bet,
    ease_prediction,
    ease_words,
    fifths_figure,
    moved_target_figures,
    moved_targets,
    searched_radius,
)
from pages.attack.parts.bet import Bet
from pages.common.asking import controls, data_choice, door
from pages.common.asking.form import Form
from pages.common.asking.not_here import offer_instead
from pages.common.asking.rate_view import COLUMNS, best_radius
from pages.common.frames import distinct
from pages.common.keeping import shelf
from pages.common.lab import published_results, registry
from pages.common.lab.shared import badge_of, lab
from pages.common.samples import Samples
from pages.common.widgets import badge, charts, take_away, unfold
from pages.common.widgets.figure import FigureBlock
from pages.common.words import rate_words
from pages.common.words.code_names import data_name
from pages.common.words.wording import count

PAGE = registry.page("easy-or-hard")
EXPERIMENT, ROLE, ATTACKS = "sensitivity", "sensitivity", "cost"


def choose(form: Form, table: pd.DataFrame, start: Callable[[], float]) -> tuple[int, float]:
    """k and radius of the attacks that are looked at, in the sidebar; `start`: the radius to begin
    with. Without attacks there is nothing to choose."""
    if table.empty:
        return 1, 0.0
    left, right = st.sidebar.columns(COLUMNS)
    k = form.choice(
        left,
        "Into the top",
        "k",
        distinct(table, "k"),
        "A sample is moved when it gets into the top k.",
        nearest=True,
    )
    radius = form.choice(
        right,
        "Model moves by",
        "radius",
        distinct(table, "radius"),
        "How far the malicious model may lie from the honest one, as a share of its weights' size "
        "(norm): the paper's radius. Of the figures that show a single one.",
        start(),
        nearest=True,
        words=rate_words.share,
    )
    return k, radius


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
        title=ease_words.norms_title(result),
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
        details=f"{ease_words.norms_caption(result)}{besides}",
    )


@shelf.kept
def fifths_block(
    tried: pd.DataFrame, found: moved_targets.Prediction, k: int, swept: Stored
) -> FigureBlock:
    """Draw the attacked targets in fifths by their sensitivity."""
    return FigureBlock(
        name=f"fifths-top-{k}",
        title=fifths_figure.TITLE,
        kind="Attacked samples in fifths by the sensitivity of their score, each split by the "
        "smallest move of the model that brought them to the top",
        build=fifths_figure.by_fifth,
        values=(fifths_figure.fifths(tried),),
        results=(swept,),
        caption="Each row is a fifth of the attacked samples. A number counts samples that need "
        "this move. A move is a share of the size of the model's weights. "
        f"{ease_words.correlated(found, tried)}",
    )


def answer(
    tried: pd.DataFrame, found: moved_targets.Prediction | None, k: int, swept: Stored
) -> None:
    """Show how far the model must move for the targets, by the sensitivity of their scores."""
    if found is None or len(tried) < fifths_figure.FEWEST:
        charts.heading("Too few attacks, or all ended alike: nothing to predict")
        badge.note(badge_of(swept))
        return
    fifths_block(tried, found, k, swept).show()


@unfold.section("Where in the ranking do the sensitive samples stand?", "where")
def where(
    stored: Stored,
    marked: pd.DataFrame,
    samples: Samples | None,
    radius: float,
    ringed: Sequence[int],
    besides: str,
) -> None:
    norms_figure(stored, marked, samples, radius, ringed, besides).show()


def attacks_of(dataset: str) -> tuple[Stored | None, float, float]:
    """Return the published sweep over radii, if there is one, with its damping and l2."""
    request = published_results.request_of(ATTACKS, dataset)
    default = SensitivityRequest()
    if request is None:
        return None, default.damping, default.l2
    return door.find("sweep", request), request.damping, request.l2


def first_radius(known: pd.DataFrame, swept: Stored | None) -> float:
    """Return the radius to begin with: where the attack succeeds most often."""
    return float(known["radius"].max()) if swept is None else best_radius(known)


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
    request = published_results.request_of(ROLE, name) or SensitivityRequest(name)
    request = replace(request, damping=damping, l2=l2)
    asked = door.Computation.of(EXPERIMENT, request)
    stored = asked.stored
    known = others if swept is None else swept.result
    k, radius = choose(form, known, partial(first_radius, known, swept))
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
    st.markdown(ease_words.finding(result, tried, found))
    ringed: list[int] = []
    if swept is not None:
        figure, asks = st.columns([7, 5], gap="medium")
        with figure:
            answer(tried, found, k, swept)
        with asks:
            ringed = bet.show(tried, samples, k, n, placed)
    besides = marked_besides(len(marked) - len(tried))
    if swept is None:
        norms_figure(stored, marked, samples, radius, ringed, besides).show()
        no_attacks(name)
    else:
        where(stored, marked, samples, radius, ringed, besides)
        ease_prediction.show(tried, n, samples, k, radius, swept)
    searched_radius.show(stored, request, k, samples)
    ease_prediction.formulas(request)
    take_away.show(
        stored,
        request,
        {"Samples": lambda: moved_targets.norms_table(result, tried)},
    )


page()
