"""The controls of an attack, bound to the address bar: every view is a link."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypedDict

import streamlit as st

from engine.experiments import AttackRequest
from engine.vocabulary import MODELS, OBJECTIVES, ORDERS
from pages.common.asking import links
from pages.common.asking.form import Form, keep_choice, restore_choice
from pages.common.asking.links import EXAMPLE


def default_request(n_train: int) -> AttackRequest:
    """The published example, its target within a data set of `n_train` samples."""
    return replace(EXAMPLE, targets=(min(EXAMPLE.targets[0], n_train - 1),))


def dataset_choice(form: Form, names: Sequence[str]) -> str:
    """The data set, chosen in the sidebar: a page's first control."""
    restore_choice()
    return form.choice(
        st.sidebar,
        "Data set",
        "dataset",
        names,
        "Bundled sets, and features files in the data directory.",
        EXAMPLE.dataset,
    )


class Aim(TypedDict):
    """What an attack is to do."""

    target: int
    k: int
    radius: float
    seed: int


class Recipe(TypedDict):
    """How an attack goes about it."""

    model: str
    objective: str
    restarts: int
    order: str


def aim(form: Form, n_train: int) -> Aim:
    """Target, k, radius and seed, in the sidebar."""
    start, limits = default_request(n_train), links.ranges(n_train)
    left, right = st.sidebar.columns(2)
    return {
        "target": form.whole(
            left,
            "Target",
            "target",
            limits["target"],
            start.targets[0],
            "Number of the training sample to move. A click on the ranking sets it.",
        ),
        "k": form.whole(
            right,
            "k",
            "k",
            limits["k"],
            start.k,
            "The attack succeeds when the target is among the k first.",
        ),
        "radius": form.slider(
            st.sidebar,
            "Radius",
            "radius",
            limits["radius"],
            start.radius,
            links.RADIUS_STEP,
            "How far the malicious model may lie from the honest one, as a share of the honest "
            "model's norm.",
        ),
        "seed": form.whole(
            st.sidebar, "Seed", "seed", limits["seed"], start.seed, "Decides the random starts."
        ),
    }


def recipe(form: Form, n_train: int, models: Sequence[str]) -> Recipe:
    """Model, objective, restarts and order: beside the button that they change."""
    start = default_request(n_train)
    first, left, middle, right = st.columns([2, 3, 2, 4])
    missing = [name for name in MODELS if name not in models]
    cannot = f". This data set cannot have {' or '.join(missing)}." if missing else ""
    return {
        "model": form.choice(
            first, "Model", "model", models, explained(MODELS) + cannot, start.model
        ),
        "objective": form.choice(
            left,
            "Objective",
            "objective",
            list(OBJECTIVES),
            explained(OBJECTIVES),
            start.objective,
        ),
        "restarts": form.whole(
            middle,
            "Restarts",
            "restarts",
            links.ranges(n_train)["restarts"],
            start.restarts,
            "Random starts; each runs at every learning rate.",
        ),
        "order": form.segments(
            right, "Order", "order", list(ORDERS), start.order, explained(ORDERS)
        ),
    }


def explained(meanings: Mapping[str, str]) -> str:
    """What each of a few choices means, as a control's help."""
    return "; ".join(f"`{name}`: {text}" for name, text in meanings.items())


def request_of(dataset: str, aim: Aim, recipe: Recipe) -> AttackRequest:
    """The attack that the controls ask for; other pages begin with it."""
    request = links.request_of({"dataset": dataset, **aim, **recipe})
    keep_choice(**links.values_of(request))
    return request
