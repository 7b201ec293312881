"""The impossible sample: Theorem 1 tried with random models, the attack and one's own hands."""

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd
import streamlit as st

from engine.experiments import AttackRequest, ImpossibleRequest, ImpossibleResult
from engine.experiments.impossible import IMPOSSIBLE
from engine.results.jobs import JobState
from engine.results.store import Stored
from engine.scrutiny.impossibility import (
    ImpossibleInstance,
    impossible_instance,
    impossible_scores,
)
from pages.attack.parts import impossible_figures, impossible_hands, impossible_words
from pages.common.asking import door, links, progress
from pages.common.asking.form import Form, forget_notes, keep_choice, restore_choice
from pages.common.figures.axes import number
from pages.common.keeping import shelf
from pages.common.lab import registry
from pages.common.lab.shared import badge_of
from pages.common.widgets import badge, charts, take_away, unfold
from pages.common.widgets.figure import FigureBlock

PAGE = registry.page("impossible")
EXPERIMENT = "impossible"
OPENING = ImpossibleRequest()  # published; its k is the controls' default
K_HIGH = 30
HERE = "computed here"  # badge of what the page computes itself
TRIED = "impossible_tried"  # session-state key: models tried and beaten, by request


def choose(form: Form) -> ImpossibleRequest:
    """k and seed, in the sidebar."""
    restore_choice()
    left, right = st.sidebar.columns(2)
    k = form.whole(
        left,
        "Planted copies",
        "k",
        links.Range(1, K_HIGH),
        OPENING.k,
        "So many copies (k) of the sample, with the other label, are in the training set; the "
        "attack succeeds when the sample is among the k first.",
    )
    seed = form.whole(
        right,
        "Draw (seed)",
        "seed",
        links.Range(0, links.SEED_HIGH),
        OPENING.seed,
        "Decides the other samples, the random models and the attack's starts.",
    )
    keep_choice(k=k, seed=seed)
    return replace(OPENING, k=k, seed=seed)


def shown_instead(request: ImpossibleRequest) -> Stored | None:
    """Return what is shown while a request has no result: the published result of its k, or else of
    the opening request."""
    found = (door.find(EXPERIMENT, r) for r in (replace(OPENING, k=request.k), OPENING))
    return next((stored for stored in found if stored is not None), None)


@shelf.kept
def counts_of(result: ImpossibleResult) -> tuple[int, int]:
    """Return how many models were tried, and how many of them beat the theorem."""
    return result.tried, result.beaten


def remember(stored: Stored) -> tuple[int, int]:
    """Return the number of models that this visitor has seen tried, and how many of them beat the
    theorem."""
    seen = st.session_state.setdefault(TRIED, {})
    seen[stored.folder.name] = counts_of(stored.result)
    tried, beaten = zip(*seen.values(), strict=True)
    return sum(tried), sum(beaten)


@unfold.section("How near did these models come?", "near")
def evidence(stored: Stored) -> None:
    """Show which ranks the models reached that were tried."""
    result = stored.result
    FigureBlock(
        name="models",
        title=impossible_words.reached_title(result),
        kind="Number of models by the rank that they give the target; the top "
        f"{result.random.k} is empty",
        build=impossible_figures.ranks_reached,
        values=(result,),
        table=lambda: impossible_figures.models_table(result),
        results=(stored,),
        caption="Random models point in every direction, with norms from 0.01 to 100. The attack "
        "starts around a trained model and may go as far as that model's norm (radius 1, this "
        f"lab's largest); its {len(result.attack.trajectory):,} steps are models, too. The count "
        "is on a log scale.",
    ).show()


def beat(request: ImpossibleRequest, again: bool) -> None:
    """Handle the button: try what is asked for, or another seed where that has been tried."""
    while again and door.find(EXPERIMENT, request) is not None:
        request = replace(request, seed=request.seed + 1)
    forget_notes()
    st.session_state["seed"] = request.seed
    door.submit(EXPERIMENT, request)


def draw(request: ImpossibleRequest) -> door.Draw:
    """Return a function that draws live progress: how many random models succeeded, and how far the
    attack is."""
    runs = request.restarts * 2
    attack = AttackRequest(k=request.k, steps=request.steps, restarts=request.restarts)

    def drawn(state: JobState) -> None:
        tried = next((p for p in state.progress if p.tried), None)
        if tried is None:
            st.progress(0.0, text=f"Trying {request.count:,} random models …")
            return
        st.markdown(
            f"**{tried.beaten} of {tried.tried:,}** random models beat it. Now the attack, "
            f"in {runs} runs:"
        )
        progress.draw_attack(attack, request.n_train)(state)

    return drawn


def beat_bar(found: door.Computation, shown: Stored | None) -> None:
    """Show what was tried, the button that tries more, its progress, and what went wrong."""
    charts.heading("Let the computer try")
    request = found.request
    if shown is not None:
        tried, beaten = remember(shown)
        said = impossible_words.tried(shown.result)
        st.markdown(f"{said}{badge.mark_origin(badge_of(shown), 'tried')}")
        if tried > shown.result.tried:
            st.caption(f"You have seen {tried:,} models tried; {beaten} beat it.")
    if found.job is not None and found.is_active:
        door.follow(found.job, draw(request))
        return
    if found.stored is None and found.state is not None:
        door.explain(found.state, "The attempt")
    other = "The next try has other samples around it. " if found.stored is not None else ""
    st.caption(f"{other}A try takes some seconds.")
    refused = door.why_not(EXPERIMENT, request)
    if refused:
        st.caption(refused)
    st.button(
        f"Try {request.count:,} more models, and the attack again",
        key="beat",
        disabled=bool(refused),
        on_click=beat,
        args=(request, found.stored is not None),
    )
    door.show_refusal()


def parameters(difference: Sequence[float]) -> list[list[float]]:
    """θ (2, d + 1) with that difference between its rows."""
    return [[v / 2 for v in difference], [-v / 2 for v in difference]]


instance_of, exact_of = shelf.kept(impossible_instance), shelf.kept(impossible_scores)


def by_hand(
    form: Form, request: ImpossibleRequest
) -> tuple[ImpossibleInstance, tuple[float, ...], float]:
    """Let the visitor drag the sample and set a model of three numbers; returns the instance, these
    numbers and the damping."""
    charts.heading("Try it: can you bring the orange sample to the top?")
    instance = instance_of(request.k, request.n_train, request.n_features, seed=request.seed)
    difference, damping = impossible_hands.choose_model(form, OPENING.damping)
    impossible_hands.show(instance, request, difference, damping)
    return instance, difference, damping


@unfold.section("Why it cannot be done: the proof (Theorem 1)", "proof")
def why() -> None:
    impossible_words.proof()


@unfold.section("Figures of this model, to save", "model-figures")
def to_save(
    request: ImpossibleRequest,
    instance: ImpossibleInstance,
    difference: Sequence[float],
    damping: float,
) -> None:
    """Offer to save the two figures of the model that is set; the target at its own place."""
    exact = exact_of(instance, parameters(difference), damping)

    def table() -> pd.DataFrame:
        return impossible_figures.instance_table(instance, exact)

    copies = "its copy" if request.k == 1 else "its copies"
    left, right = st.columns(2, gap="medium")
    with left:
        FigureBlock(
            name=f"seed-{request.seed}-scores",
            title=f"The target at {number(float(exact.target[0]))}, {copies} at "
            f"{number(float(exact.copy[0]))}: the gap is positive whatever you do",
            kind="Influence scores of the target, its copies and the others on one axis",
            build=impossible_figures.score_axis,
            values=(instance, exact),
            table=table,
            asked=(EXPERIMENT, request),
            badge=HERE,
        ).show()
    with right:
        FigureBlock(
            name=f"seed-{request.seed}-plane",
            title=f"At x this model gives y the probability {impossible_words.probability(exact)}",
            kind="The training samples in the plane of the two features, the target and its copies "
            "at one place, and the line on which both labels are equally likely",
            build=impossible_figures.plane,
            values=(instance, difference),
            table=table,
            asked=(EXPERIMENT, request),
            badge=HERE,
        ).show()


def take_with_you(stored: Stored, difference: Sequence[float]) -> None:
    """Show tables, request, code and provenance."""
    request, result = IMPOSSIBLE.make(stored.manifest.request), stored.result

    def snippet(request: ImpossibleRequest, data_dir: str | None) -> str:
        return impossible_words.snippet(request, parameters(difference))

    take_away.show(
        stored,
        request,
        {
            "Random models": lambda: result.random.table,
            "Attack's steps": lambda: result.attack.trajectory,
            "Attack's runs": lambda: result.attack.runs,
        },
        snippet=snippet,
        name=f"impossible-k{request.k}-seed{request.seed}",
    )


def page() -> None:
    st.title(PAGE.title)
    form = Form()
    request = choose(form)
    head, hands = st.container(), st.container()
    bar, tried = st.container(border=True), st.container()
    found = door.Computation.of(EXPERIMENT, request)
    stored = found.stored
    shown = stored or shown_instead(request)
    with bar:
        beat_bar(found, shown)
    with hands:
        instance, difference, damping = by_hand(form, request)
    with head:
        form.finish()
        if shown is None:
            st.markdown(f"{PAGE.finding} Nothing has been tried here yet: press the button below.")
        else:
            st.markdown(impossible_words.headline(shown.result))
            if stored is None:
                st.info(
                    f"The figure shows k = {shown.result.random.k} and seed "
                    f"{shown.manifest.seed}. What you ask for, k = {request.k} and seed "
                    f"{request.seed}, has not been tried yet."
                )
    if shown is not None:
        with tried:
            evidence(shown)
    why()
    impossible_words.remarks()
    to_save(request, instance, difference, damping)
    if shown is not None:
        take_with_you(shown, difference)


page()
