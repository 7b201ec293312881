"""What to try after an attack that failed: each with its cost, one click away."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import streamlit as st

from engine.data.dataset import Dataset
from engine.experiments import AttackRequest, cost
from engine.vocabulary import LINEAR
from pages.common.asking import door, effort, links
from pages.common.asking.form import forget_notes
from pages.common.lab.shared import open_dataset
from pages.common.words.objective_words import NAMES

KS = (1, 3, 10, 30, 100)
STRONGER = "accurate"  # reaches more targets than the paper's objective: page “What does it cost?”


@dataclass(frozen=True)
class NextTry:
    """Another attack on the same target, and what it changes, in words."""

    label: str
    request: AttackRequest


def next_tries(request: AttackRequest) -> list[NextTry]:
    """Return the attacks that may succeed where `request` did not, the most promising first."""
    tries = []
    if request.radius < links.RADIUS_HIGH:
        radius = round(min(2 * request.radius, links.RADIUS_HIGH), 2)
        label = f"Let the model move farther: radius {radius:g}"
        tries.append(NextTry(label, replace(request, radius=radius)))
    if request.objective != STRONGER and request.model == LINEAR:
        label = f"Another goal: {NAMES[STRONGER]}"
        tries.append(NextTry(label, replace(request, objective=STRONGER)))
    if 2 * request.restarts <= links.RESTARTS_HIGH:
        label = f"More random starts: {2 * request.restarts}"
        tries.append(NextTry(label, replace(request, restarts=2 * request.restarts)))
    k = next((k for k in KS if k > request.k), None)
    if k is not None:
        tries.append(NextTry(f"Settle for the top {k}", replace(request, k=k)))
    return tries


def take(request: AttackRequest) -> None:
    """Set the controls to an attack and ask for it, as a button's callback."""
    for name, value in links.values_of(request).items():
        st.session_state[name] = value
    forget_notes()
    door.submit("attack", request)


def show(request: AttackRequest, on_take: Callable[[AttackRequest], None] = take) -> None:
    """Offer the next tries, each with what it takes at most."""
    dataset: Dataset = open_dataset(request.dataset)
    st.markdown("**What may help.** Each button runs another attack on the same sample.")
    with st.container(horizontal=True):
        for one in next_tries(request):
            runs = one.request.restarts * len(one.request.learning_rates)
            most = cost.attack_seconds(dataset, runs, one.request.steps, one.request.model)
            st.button(
                one.label,
                key=f"try-{one.label}",
                help=f"It takes {effort.roughly(most)} at most.",
                on_click=on_take,
                args=(one.request,),
                disabled=bool(door.why_not("attack", one.request)),
            )
