"""Influence beside leave-one-out retraining: the settings, the figure, and why they differ."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from engine.errors import InvalidInput
from engine.experiments import LeaveOneOutRequest, LeaveOneOutResult
from engine.results.store import Stored
from pages.common.asking import controls, door, form, links
from pages.common.lab import published_results
from pages.common.lab.shared import badge_of
from pages.common.samples import Samples, hover_names
from pages.common.widgets import blocks, charts
from pages.common.widgets.save_figure import Source
from pages.learn.parts import influence_figures, retraining_agreement
from pages.learn.parts.retraining_agreement import decimal_3

RETRAIN = "leave-one-out"
OWN = "of my own"
SETTINGS: dict[str, tuple[str, float, float]] = {  # by name: role of what is published, l2, damping
    "both 0.25": ("matching", 0.25, 0.25),
    "usual defaults": ("usual", 0.01, 0.25),
    "both 0.01": ("matching small", 0.01, 0.01),
}
MATCHING, USUAL = list(SETTINGS)[:2]
STRENGTH = links.Range(0.0001, 10.0, whole=False)  # of l2 and damping
FEW = 60  # samples to retrain without, where nothing else is asked for
FEWEST = 3  # retrained models, of which a correlation says anything


def setting_of(setting: str, name: str) -> LeaveOneOutRequest:
    """The retraining that a setting stands for, as it is published, or of a few samples."""
    role, l2, damping = SETTINGS[setting]
    return published_results.request_of(role, name) or LeaveOneOutRequest(name, l2, damping, FEW)


def find_all(name: str) -> dict[str, Stored | None]:
    """What is stored of every setting."""
    return {setting: door.find(RETRAIN, setting_of(setting, name)) for setting in SETTINGS}


def own_setting(name: str, n: int) -> tuple[LeaveOneOutRequest | None, links.Expected]:
    """l2, damping and how many samples; None where they make no request, which is said."""
    for key in ("l2", "damping"):  # other pages leave these empty
        if st.session_state.get(key, 0.0) is None:
            del st.session_state[key]
    left, middle, right = st.columns(3)
    options: dict[str, Any] = {"bind": "query-params", "on_change": form.forget_notes}
    l2 = left.number_input(
        "l2 of the training",
        STRENGTH.low,
        STRENGTH.high,
        0.05,
        key="l2",
        format="%g",
        help="Weight of ‖θ‖²/2 beside the mean loss.",
        **options,
    )
    damping = middle.number_input(
        "Damping λ of the scores",
        STRENGTH.low,
        STRENGTH.high,
        0.05,
        key="damping",
        format="%g",
        help="Added to the Hessian of the mean loss before it is inverted.",
        **options,
    )
    samples = right.number_input(
        "Samples to retrain without",
        0,
        n,
        min(FEW, n),
        key="samples",
        help="Spread evenly over the ranking; 0 stands for all.",
        **options,
    )
    expected = {"l2": STRENGTH, "damping": STRENGTH, "samples": links.Range(0, n)}
    try:
        return LeaveOneOutRequest(name, float(l2), float(damping), int(samples)), expected
    except InvalidInput as error:
        st.error(str(error))
        return None, expected


def verdict(result: LeaveOneOutResult) -> str:
    """The agreement as a figure's title."""
    if len(result.table) < FEWEST:
        many = len(result.table)
        return f"{many} retrained model{'s' if many > 1 else ''}: too few to speak of agreement"
    _, spearman = retraining_agreement.correlations(result.table)
    factor = retraining_agreement.slope(result.table)
    close = spearman >= 0.95
    size = (
        ""
        if 0.8 <= factor <= 1.25
        else f", but retraining changes the loss {factor:.2g} times as much as estimated"
    )
    said = "agree" if close else "agree only roughly"
    if not close:
        size = size.replace(", but", ", and")
    return f"Influence and retraining {said}: Spearman {decimal_3(spearman)}{size}"


def retraining_figure(
    stored: Stored, request: LeaveOneOutRequest, train: Samples | None, n: int
) -> None:
    result: LeaveOneOutResult = stored.result
    title = verdict(result)
    charts.heading(title, badge_of(stored))
    charts.chart(
        influence_figures.against_retraining(result, hover_names(train, n)),
        f"retraining-{request.l2:g}-{request.damping:g}-{request.n_samples}",
        alt="Change of the test loss when a sample is left out: estimated by influence against "
        f"measured by retraining, with the identity line. {title}",
        source=Source.of("retraining", lambda: result.table, stored),
        samples=train,
        at=influence_figures.SAMPLE_IN_RETRAINING,
    )
    pearson, spearman = retraining_agreement.correlations(result.table)
    st.caption(
        f"One mark for each of {len(result.table):,} training samples: the model was trained again "
        "without it, to a minimum, and the mean loss on the test half compared. l2 "
        f"{request.l2:g}, damping {request.damping:g}: Pearson {decimal_3(pearson)}, Spearman "
        f"{decimal_3(spearman)}. Both axes are linear near 0 and logarithmic beyond; on the dashed "
        "line the estimate is exact, and a line beside it is a constant factor."
    )
    parts = retraining_agreement.by_choice(result)
    if len(parts):
        blocks.table(parts, "Agreement for several choices of training samples")
        st.caption(
            "How good the agreement looks depends on the samples: over the whole ranking large "
            "changes are compared with small ones, at one end of it only large ones with each "
            "other. And sixty say little: nine of ten random draws lie in the range given."
        )


def why(matching: LeaveOneOutResult | None, usual: LeaveOneOutResult | None) -> None:
    charts.heading("Why they differ")
    factor = (
        " At the usual defaults, on the samples here, retraining changes the loss "
        f"{retraining_agreement.slope(usual.table):.2g} times as much as estimated."
        if usual is not None
        else ""
    )
    st.markdown(
        "- **Damping is not the model's own.** Training with l2 adds l2 to the curvature; the "
        "score adds the damping. Where the damping is the larger, flat directions look steeper "
        "than they are: the estimate is too small, and not by the same factor for every sample, "
        f"so that the order changes too.{factor}\n"
        "- **A score is one step.** It is the first term of an expansion in 1/n. A sample that "
        "moves the model far changes the curvature on the way, which the step does not see; the "
        "smaller l2, the more. That is what is left where l2 and damping are equal.\n"
        "- **Most changes are tiny.** In the middle of the ranking all are near 0, so that a small "
        "error of the estimate changes many ranks."
    )


def choose_setting(
    name: str, train: Samples | None
) -> tuple[LeaveOneOutRequest | None, Stored | None, links.Expected]:
    """l2 and damping, beside the figure that they change, and what is stored for them; where it is
    nothing, the way to it."""
    names = [*SETTINGS, OWN]
    setting = controls.choice_of(
        st.columns([1, 1])[0],
        "l2 of the training and damping of the scores",
        "setting",
        names,
        "The usual defaults are l2 0.01 and damping 0.25, as in the paper's set-up.",
    )
    expected: dict[str, Any] = {"setting": names}
    request: LeaveOneOutRequest | None
    if setting == OWN and train is not None:
        request, of_own = own_setting(name, len(train))
        expected |= of_own
    else:
        request = setting_of(MATCHING if setting == OWN else setting, name)
    stored = None if request is None else door.find(RETRAIN, request)
    if request is not None and stored is None:
        asked = request.n_samples or (0 if train is None else len(train))
        door.offer(
            [door.Computation.of(RETRAIN, request)],
            f"{asked:,} models are trained again, each without one sample: on digits sixty take "
            "seconds, all take minutes.",
            "model",
        )
        door.show_refusal()
    return request, stored, expected


def result_of(stored: Stored | None) -> LeaveOneOutResult | None:
    return None if stored is None else stored.result


def section(
    name: str, train: Samples | None, found: Mapping[str, Stored | None]
) -> tuple[LeaveOneOutRequest | None, Stored | None, links.Expected]:
    """Scores against retraining, in one of the settings."""
    charts.heading("Does a score mean what it says? Retraining without the sample tells")
    with st.container(border=True):
        request, stored, expected = choose_setting(name, train)
    if request is not None and stored is not None:
        retraining_figure(stored, request, train, stored.result.n_train)
    why(result_of(found[MATCHING]), result_of(found[USUAL]))
    return request, stored, expected
