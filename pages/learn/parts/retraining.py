"""Influence beside leave-one-out retraining: the settings, the figure, and why they differ."""

from collections.abc import Mapping

import streamlit as st

from engine.errors import InvalidInput
from engine.experiments import LeaveOneOutRequest, LeaveOneOutResult
from engine.results.store import Stored
from pages.common.asking import door, links
from pages.common.asking.door import Computation
from pages.common.asking.form import HERE, Form
from pages.common.keeping import shelf
from pages.common.lab import published_results
from pages.common.lab.shared import shown
from pages.common.samples import Samples
from pages.common.widgets import blocks, unfold
from pages.common.widgets.charts import heading
from pages.common.widgets.figure import FigureBlock
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
CLOSE = 0.95  # rank correlation from which on scores and retraining are said to agree
FEWEST = 3  # retrained models, of which a correlation says anything


def setting_of(setting: str, name: str) -> LeaveOneOutRequest:
    """Make the request that a setting stands for: the published one, or one of a few samples."""
    role, l2, damping = SETTINGS[setting]
    few = LeaveOneOutRequest(name, l2=l2, damping=damping, n_samples=FEW)
    return published_results.request_of(role, name) or few


def find_all(name: str) -> dict[str, Stored | None]:
    """Find the stored result of every setting."""
    return {setting: door.find(RETRAIN, setting_of(setting, name)) for setting in SETTINGS}


def own_setting(form: Form, name: str, n: int) -> LeaveOneOutRequest | None:
    """Choose l2, damping and how many samples; None where they make no request, which is said."""
    left, middle, right = st.columns(3)
    l2 = form.number(
        left, "l2 of the training", "l2", STRENGTH, 0.05, "Weight of ‖θ‖²/2 beside the mean loss."
    )
    damping = form.number(
        middle,
        "Damping λ of the scores",
        "damping",
        STRENGTH,
        0.05,
        "Added to the Hessian of the mean loss before it is inverted.",
    )
    samples = form.whole(
        right,
        "Samples to retrain without",
        "samples",
        links.Range(0, n),
        min(FEW, n),
        "Spread evenly over the ranking; 0 stands for all.",
    )
    try:
        return LeaveOneOutRequest(name, l2=l2, damping=damping, n_samples=samples)
    except InvalidInput as error:
        st.error(shown(error))
        return None


def verdict(result: LeaveOneOutResult) -> str:
    """Say how well the two agree, as a figure's title."""
    if len(result.table) < FEWEST:
        many = len(result.table)
        return f"{many} retrained model{'s' if many > 1 else ''}: too few to speak of agreement"
    _, spearman = retraining_agreement.correlations(result.table)
    factor = retraining_agreement.slope(result.table)
    close = spearman >= CLOSE
    said = f"{'agree' if close else 'agree only roughly'}: Spearman {decimal_3(spearman)}"
    if not 0.8 <= factor <= 1.25:
        said += f", {'but' if close else 'and'} retraining changes the loss {factor:.2g} times as "
        said += "much as estimated"
    return f"Influence and retraining {said}"


@shelf.kept
def retraining_figure(
    stored: Stored, request: LeaveOneOutRequest, train: Samples | None
) -> FigureBlock:
    """Make the figure of estimated against measured changes of the test loss."""
    result: LeaveOneOutResult = stored.result
    pearson, spearman = retraining_agreement.correlations(result.table)
    return FigureBlock(
        name="retraining",
        key=f"retraining-{request.l2:g}-{request.damping:g}-{request.n_samples}",
        title=verdict(result),
        kind="Change of the test loss when a sample is left out: estimated by influence against "
        "measured by retraining, with the identity line",
        build=influence_figures.against_retraining,
        values=(result, train),
        table=lambda: result.table,
        results=(stored,),
        samples=train,
        at=influence_figures.SAMPLE_IN_RETRAINING,
        caption=f"One mark for each of {len(result.table):,} training samples: the model was "
        "trained again without it. On the dashed line the estimate is exact.",
        details="Each model was trained to a minimum, and the mean loss on the test half compared. "
        f"l2 {request.l2:g}, damping {request.damping:g}: Pearson {decimal_3(pearson)}, Spearman "
        f"{decimal_3(spearman)}. Both axes are linear near 0 and logarithmic beyond; a line beside "
        "the dashed one is a constant factor.",
    )


def by_choice(result: LeaveOneOutResult) -> None:
    """Show the agreement for several choices of samples, where enough models were retrained."""
    parts = retraining_agreement.by_choice(result)
    if parts.empty:
        return
    blocks.table(parts, "Agreement for several choices of training samples")
    st.caption(
        "How good the agreement looks depends on the samples: over the whole ranking large changes "
        "are compared with small ones, at one end of it only large ones with each other. And sixty "
        "say little: nine of ten random draws lie in the range given."
    )


@unfold.section("How sure is this, and why do the two differ?", "why")
def why(
    shown: LeaveOneOutResult | None,
    usual: LeaveOneOutResult | None,
) -> None:
    """Show the agreement for several choices of samples, and say what comes between the two."""
    if shown is not None:
        by_choice(shown)
    heading("Why they differ")
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
    form: Form, name: str, train: Samples | None
) -> tuple[LeaveOneOutRequest, Stored] | None:
    """Choose l2 and damping, beside the figure that they change; find what is stored for them, and
    offer to compute it where nothing is."""
    setting = form.choice(
        HERE,
        "Penalty in training (l2) and damping of the scores",
        "setting",
        [*SETTINGS, OWN],
        "The usual defaults are l2 0.01 and damping 0.25, as in the paper's set-up.",
    )
    request: LeaveOneOutRequest | None
    if setting == OWN and train is not None:
        request = own_setting(form, name, len(train))
    else:
        request = setting_of(MATCHING if setting == OWN else setting, name)
    if request is None:
        return None
    found = Computation.of(RETRAIN, request)
    if found.stored is not None:
        return request, found.stored
    asked = request.n_samples or (0 if train is None else len(train))
    door.offer(
        [found],
        f"{asked:,} models are trained again, each without one sample: on digits sixty take "
        "seconds, all take minutes.",
        "model",
        "Training the honest model",
    )
    door.show_refusal()
    return None


def result_of(stored: Stored | None) -> LeaveOneOutResult | None:
    return None if stored is None else stored.result


def section(
    form: Form, name: str, train: Samples | None, found: Mapping[str, Stored | None], said: str
) -> tuple[LeaveOneOutRequest, Stored] | None:
    """Show scores against retraining, in one of the settings, folded unless a link asks for one.
    said: what it comes to. Returns what is shown."""
    label = "Is the estimate right? Train again without each sample and compare"
    box = unfold.with_controls(label, "retraining", "setting" in st.query_params or train is None)
    if box is None:
        matching = found[MATCHING]
        return None if matching is None else (setting_of(MATCHING, name), matching)
    with box:
        st.markdown(said)
        shown = choose_setting(form, name, train)
        if shown is not None:
            request, stored = shown
            retraining_figure(stored, request, train).show()
        why(None if shown is None else shown[1].result, result_of(found[USUAL]))
    return shown
