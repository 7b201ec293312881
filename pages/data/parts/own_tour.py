"""What comes after taking in a data set: it is ranked at once, an attack is one click away, and so
is every step of the whole tour on it."""

import streamlit as st

from engine.attacks.result import Ranking
from engine.data.dataset import Dataset
from engine.errors import EngineError
from engine.experiments import cost
from pages.common.asking import door, effort, openings, own_data, progress, tour
from pages.common.asking.tour import DONE, OPEN, RUNNING, Standing
from pages.common.lab.shared import open_dataset, ranking_request
from pages.common.words.wording import plain

ICONS = {
    DONE: ":material/check_circle:",
    RUNNING: ":material/progress_activity:",
    OPEN: ":material/radio_button_unchecked:",
}


def show(name: str) -> None:
    """Rank the data set, offer to attack its last sample, and list the tour."""
    try:
        dataset = open_dataset(name)
    except EngineError:  # it was removed, or changed: its pages say so
        return
    attack_it(dataset)
    st.markdown(f"**The whole tour on {plain(name)}.** A click computes a step and opens its page.")
    door.show_refusal()
    fair = own_data.no_fairness(name)
    with st.container(key="own-tour-list", gap=None):
        for place, step in enumerate(tour.STEPS, start=1):
            row(place, tour.stands(step, dataset, fair))


def row(place: int, standing: Standing) -> None:
    """Draw one step: the button that computes and opens it, and what it costs."""
    step = standing.step
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        clicked = st.button(
            f"{place} · {step.does}",
            key=f"tour-{step.url}",
            type="tertiary",
            icon=ICONS[standing.state],
        )
        st.caption(said(standing), width="content")
    if clicked:
        tour.go(standing)


def said(standing: Standing) -> str:
    """Say what is known of a step before it is opened: its cost, or that it is there already."""
    if standing.why_not:
        return standing.why_not
    if standing.state == DONE:
        return "computed"
    if standing.state == RUNNING:
        return "being computed"
    if standing.asked is None:
        return f"asks first which outcome and group you mean; then {cost_of(standing)}"
    refused = door.why_not(standing.step.experiment, standing.asked)
    return f"{cost_of(standing)}. {refused}" if refused else cost_of(standing)


def cost_of(standing: Standing) -> str:
    if standing.seconds is None:
        return "minutes"
    if standing.seconds < effort.NOTICED_SECONDS:
        return "a few seconds"
    return f"{effort.roughly(standing.seconds)} at most"


def attack_it(dataset: Dataset) -> None:
    """Offer to attack the last of the ranking; the ranking's job is followed until it is there."""
    ranked = door.obtain(
        "ranking",
        ranking_request(openings.attack(dataset)),
        "The honest ranking",
        progress.draw_plain(f"Ranking the {dataset.n_train:,} training samples"),
        cost.honest_seconds(dataset),
        chosen=True,
    )
    if ranked is None:
        return
    before: Ranking = ranked.result.test
    target = tour.last_of(before)
    asked = openings.attack(dataset, target)
    if forbidden := door.why_not("attack", asked):
        st.caption(forbidden)
        return
    st.markdown(
        f"Its {dataset.n_train:,} training samples are ranked. Sample {target} is the last of them:"
    )
    if st.button(f"Attack sample {target}", type="primary", key="own_attack"):
        step = next(step for step in tour.STEPS if step.experiment == "attack")
        tour.go(tour.stands(step, dataset, ""))
