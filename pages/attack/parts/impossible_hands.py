"""Theorem 1 under one's own hands, in the browser: three numbers of a model, a place to drag."""

from collections.abc import Mapping, Sequence

import numpy as np
import streamlit as st

from engine.experiments import ImpossibleRequest
from engine.scrutiny.impossibility import ImpossibleInstance
from pages.common.asking import links
from pages.common.asking.form import Form, forget_notes
from pages.common.keeping import shelf
from pages.common.keeping.ready import Ready
from pages.common.widgets.component import Component

KEY = "impossible-hands"
WEIGHT_HIGH, WEIGHT_STEP = 6.0, 0.1
WEIGHTS = {
    "w1": ("Left–right weight", 0.3),
    "w2": ("Up–down weight", -0.3),
    "b": ("Shift of the model's line", 0.0),
}
DAMPINGS = (0.001, 0.01, 0.25, 1.0, 10.0)
HANDS = Component("impossible", "drawing.js", "marks.js", "live.css")


def choose_model(form: Form, damping: float) -> tuple[tuple[float, ...], float]:
    """Return the difference of the two classes' weights, bias last, and λ, as the browser or the
    link has them; `damping`: the λ to begin with."""
    limits = links.Range(-WEIGHT_HIGH, WEIGHT_HIGH, whole=False)
    chosen = form.clicked("damping", DAMPINGS)
    if chosen not in DAMPINGS:  # left there by another page
        chosen = None
    numbers = (form.clicked(name, limits) for name in WEIGHTS)
    starts = (start for _, start in WEIGHTS.values())
    difference = tuple(
        start if number is None else float(number)
        for number, start in zip(numbers, starts, strict=True)
    )
    return difference, damping if chosen is None else float(chosen)


def take_over() -> None:
    """Keep what the browser was set to, for the link and the code."""
    set_to = (st.session_state.get(KEY) or {}).get("model") or {}
    for name, value in set_to.items():
        if name in (*WEIGHTS, "damping"):
            st.session_state[name] = float(value)
    forget_notes()


@shelf.kept
def given(
    instance: ImpossibleInstance, request: ImpossibleRequest, reach: float
) -> Mapping[str, object]:
    """Return what the browser is given but for the model."""
    dataset, k = instance.dataset, instance.k
    copies = "its copy" if k == 1 else f"its {k} copies"
    never = f"never in the top {k}"
    told: dict[str, object] = {
        "id": f"{dataset.content_hash[:16]}-{k}-{request.seed}",
        "X": dataset.X_train.astype(np.float64).tolist(),
        "y": dataset.y_train.tolist(),
        "k": k,
        "reach": reach,
        "high": WEIGHT_HIGH,
        "step": WEIGHT_STEP,
        "dampings": list(DAMPINGS),
        "words": {
            "label": "The impossible sample: a model and a place of your own",
            "plane": f"Your sample is at rank {{rank}} of {dataset.n_train}, {never}. Arrow keys "
            "move it.",
            "strip": f"The ranking: your sample is at rank {{rank}}, below {copies}.",
            "home": "Put the sample back",
            "random": "Try a random model",
            "rank": "Rank of your sample",
            "note": "Your best: rank {best}.",
            "of": f"of {dataset.n_train}",
            "ranking": "The ranking, first at the left:",
            "marked": [["target", "your sample"], ["copy", copies]],
            "score": "score {}",
            "sliders": [[name, label] for name, (label, _) in WEIGHTS.items()],
            "more": "How far apart are both scores?",
            "scores": f"The score of {copies} is higher by {{gap}}, and never by 0 or less.",
            "damping": "Damping (λ), a constant of the scores",
            "both": f"your sample and {copies}",
            "drag": "Drag the orange ring, or change the model.",
            "legend": f"Green diamond: {copies}, at the same place, with the other label. Crosses "
            "and circles: the other samples, by label. Dashed: the model's line.",
        },
    }
    return Ready(told)


def show(
    instance: ImpossibleInstance,
    request: ImpossibleRequest,
    difference: Sequence[float],
    damping: float,
) -> None:
    """Draw the plane, the model's numbers and the scores, which answer while they are dragged."""
    reach = 1.15 * float(np.abs(instance.dataset.X_train).max())
    model = dict(zip(WEIGHTS, difference, strict=True)) | {"damping": damping}
    HANDS.show(KEY, given(instance, request, reach), {"model": model}, model=take_over)
