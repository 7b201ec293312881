"""The controls of an attack, bound to the address bar: every view is a link."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypedDict

import streamlit as st

from engine.experiments import AttackRequest
from engine.vocabulary import MODELS, OBJECTIVES, ORDERS
from pages.common.asking import links
from pages.common.asking.form import Form, Place, keep_choice, restore_choice
from pages.common.asking.links import EXAMPLE
from pages.common.words.code_names import MODEL_WORDS, OBJECTIVE_WORDS, ORDER_WORDS, data_name


def default_request(n_train: int) -> AttackRequest:
    """Return the published example, its target within a data set of `n_train` samples."""
    return replace(EXAMPLE, targets=(min(EXAMPLE.targets[0], n_train - 1),))


def dataset_choice(form: Form, names: Sequence[str], place: Place | None = None) -> str:
    """Draw the choice of a data set, a page's first control, in the sidebar or at a place; return
    its name."""
    restore_choice()
    return form.choice(
        st.sidebar if place is None else place,
        "Data set",
        "dataset",
        names,
        "Bundled sets, and features files in the data directory.",
        EXAMPLE.dataset,
        words=data_name,
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


def target(
    form: Form,
    place: Place,
    n_train: int,
    clicked: str = "A click on the ranking",
    label: str = "Sample to move",
) -> int:
    """Draw the field for the sample to move, and return its index; `clicked`: what else sets it."""
    return form.whole(
        place,
        label,
        "target",
        links.ranges(n_train)["target"],
        default_request(n_train).targets[0],
        f"Number of the training sample to move. {clicked} sets it.",
    )


def top(form: Form, place: Place, n_train: int, label: str = "Into the top") -> int:
    """Draw the field for k, the number of places that count as the top; return it."""
    return form.whole(
        place,
        label,
        "k",
        links.ranges(n_train)["k"],
        EXAMPLE.k,
        "The attack succeeds when the sample is among so many first (k).",
    )


def radius(
    form: Form, place: Place, n_train: int, label: str = "How far the model may move"
) -> float:
    """Draw the slider for the radius, how far the model may move; return it."""
    return form.slider(
        place,
        label,
        "radius",
        links.ranges(n_train)["radius"],
        EXAMPLE.radius,
        links.RADIUS_STEP,
        "The radius: how much all weights together may change, as a share of their size (norm).",
        "percent",
    )


def seed(form: Form, place: Place, n_train: int, label: str = "Seed") -> int:
    """Draw the field for the seed of the random starts, and return it."""
    limits = links.ranges(n_train)["seed"]
    return form.whole(place, label, "seed", limits, EXAMPLE.seed, "Decides the random starts.")


def model(form: Form, place: Place, models: Sequence[str]) -> str:
    """Draw the choice among the kinds of model that the data set can have; return its name."""
    missing = [MODEL_WORDS[name] for name in MODELS if name not in models]
    cannot = f". This data set cannot have {' or '.join(missing)}." if missing else ""
    return form.choice(
        place,
        "Kind of model (model)",
        "model",
        models,
        explained(MODELS, MODEL_WORDS) + cannot,
        EXAMPLE.model,
        words=MODEL_WORDS.__getitem__,
    )


def objective(form: Form, place: Place) -> str:
    """Draw the choice of the objective that the attack lowers; return its name."""
    return form.choice(
        place,
        "Goal (objective)",
        "objective",
        list(OBJECTIVES),
        explained(OBJECTIVES, OBJECTIVE_WORDS),
        EXAMPLE.objective,
        words=OBJECTIVE_WORDS.__getitem__,
    )


def restarts(form: Form, place: Place, n_train: int) -> int:
    """Draw the field for the number of random starts, and return it."""
    return form.whole(
        place,
        "Random starts (restarts)",
        "restarts",
        links.ranges(n_train)["restarts"],
        EXAMPLE.restarts,
        "Random starts; each runs at every learning rate.",
    )


def order(form: Form, place: Place) -> str:
    """Draw the choice of which end of the scores is rank 1; return its name."""
    return form.segments(
        place,
        "Which end is rank 1 (order)",
        "order",
        list(ORDERS),
        EXAMPLE.order,
        explained(ORDERS, ORDER_WORDS),
        words=ORDER_WORDS.__getitem__,
    )


def aim(form: Form, n_train: int) -> Aim:
    """Draw the controls of target, k, radius and seed in the sidebar; return their values."""
    left, right = st.sidebar.columns(2)
    return {
        "target": target(form, left, n_train),
        "k": top(form, right, n_train),
        "radius": radius(form, st.sidebar, n_train),
        "seed": seed(form, st.sidebar, n_train),
    }


def recipe(form: Form, place: Place, n_train: int, models: Sequence[str]) -> Recipe:
    """Draw the controls of objective, restarts, model and order; return their values."""
    return {
        "objective": objective(form, place),
        "restarts": restarts(form, place, n_train),
        "model": model(form, place, models),
        "order": order(form, place),
    }


def explained(meanings: Mapping[str, str], words: Mapping[str, str]) -> str:
    """Say what each of a few choices means, as a control's help."""
    return "; ".join(f"*{words[name]}*: {text}" for name, text in meanings.items())


def request_of(dataset: str, aim: Aim, recipe: Recipe) -> AttackRequest:
    """Return the attack that the controls ask for; other pages begin with it."""
    request = links.request_of({"dataset": dataset, **aim, **recipe})
    keep_choice(**links.values_of(request))
    return request
