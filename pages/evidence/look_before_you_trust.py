"""Look before you trust: what the damping decides, and the samples on which two models differ."""

import streamlit as st

from engine.experiments import ConditioningRequest, ConditioningResult
from engine.results.store import Stored
from pages.common.asking import data_choice, door
from pages.common.asking.controls import dataset_choice
from pages.common.asking.form import Form
from pages.common.asking.not_here import offer_instead
from pages.common.keeping import shelf
from pages.common.lab import published_results, registry
from pages.common.lab.shared import class_names_of, is_here, open_dataset
from pages.common.samples import Samples
from pages.common.widgets import blocks, take_away, unfold
from pages.common.widgets.figure import FigureBlock
from pages.evidence.parts import conditioning_figures as figures
from pages.evidence.parts import conditioning_words as words

PAGE = registry.page("look")
ROLE = "conditioning"
COST = (
    "An attack, and two decompositions of H: half a minute for digits on a laptop. Models of more "
    "than 2,500 parameters are refused."
)


@shelf.kept
def first_ten_figure(stored: Stored, damping: float) -> FigureBlock:
    """Draw how many of the first ten samples stay at each damping."""
    result: ConditioningResult = stored.result
    return FigureBlock(
        name="first-ten",
        key=f"first-ten-{damping:g}",
        title=words.first_ten_title(result, damping),
        kind="How many of the first ten samples stay at each damping, as bars",
        build=figures.first_ten,
        values=(result, damping),
        table=lambda: result.by_damping,
        results=(stored,),
        caption="Each bar counts the samples that stay among the first ten. There is no one true "
        "damping.",
    )


@shelf.kept
def spectrum_figure(stored: Stored) -> FigureBlock:
    """Draw the spectrum of H beside the usual damping."""
    result: ConditioningResult = stored.result
    return FigureBlock(
        name="spectrum",
        title=words.spectrum_title(result, result.damping),
        kind="Eigenvalues of the Hessian at the honest and at the malicious model",
        build=figures.spectrum,
        values=(result, result.damping),
        table=lambda: result.by_damping,
        results=(stored,),
        caption=words.spectrum_caption(result, result.damping),
    )


@shelf.kept
def damping_figure(stored: Stored) -> FigureBlock:
    """Draw rankings at other dampings."""
    result: ConditioningResult = stored.result
    return FigureBlock(
        name="dampings",
        title=words.by_damping_title(result),
        kind="Rank correlation of scores at each damping with those at the usual one",
        build=figures.by_damping,
        values=(result,),
        table=lambda: result.by_damping,
        results=(stored,),
        caption="The dotted line is the usual damping, which the paper uses. No damping is the "
        "true one: it stands for how far the model may move.",
    )


@shelf.kept
def difference_figure(
    stored: Stored, names: tuple[str, ...], samples: Samples | None
) -> FigureBlock:
    """Draw both models on every unseen sample."""
    result: ConditioningResult = stored.result
    rows = words.unseen(result)
    return FigureBlock(
        name="differences",
        title=words.differences_title(result),
        kind="Confidence of both models on each unseen sample",
        build=figures.differences,
        values=(rows, names),
        results=(stored,),
        samples=samples,
        caption="Confidence is the probability of the class that a model predicts. No label is "
        "needed to draw this.",
    )


@unfold.section("Which scores depend on the damping?", "dampings")
def dampings(stored: Stored, request: ConditioningRequest) -> None:
    damping_figure(stored).show()
    first = words.first_samples(stored.result, request.order)
    blocks.table(first, "The first samples of the honest ranking and what the damping adds to them")
    st.caption(
        "Change of a score for twice the damping: its derivative, which holds to first order."
    )


@unfold.section("Where do the honest and the malicious model differ?", "differences")
def differences(stored: Stored, name: str) -> None:
    result: ConditioningResult = stored.result
    names = class_names_of(name, int(result.differences["label"].max()) + 1)
    samples = Samples(open_dataset(name), "holdout") if is_here(name) else None
    difference_figure(stored, names, samples).show()
    changed = words.changed(result, names)
    if len(changed):
        blocks.table(changed, "Unseen samples that the two models predict otherwise")
    blocks.table(
        words.moved(result, names),
        "Training samples whose rank changes most",
        dict.fromkeys(("honest rank", "malicious rank"), "{:,}".format),
    )
    st.caption("Those farthest apart come first. A whole table is under “Take it with you”.")


@unfold.section("Why: most directions are hardly curved", "formulas")
def formulas(stored: Stored | None = None) -> None:
    if stored is not None:
        spectrum_figure(stored).show()
        st.markdown(words.numbers_said(stored.result, stored.result.damping))
    blocks.prose("evidence/texts/conditioning.md")


def page() -> None:
    blocks.ask(PAGE)
    form = Form()
    name = dataset_choice(form, data_choice.names_of(ROLE, "conditioning"))
    request = published_results.request_of(ROLE, name) or ConditioningRequest(name)
    asked = door.Computation.of("conditioning", request)
    stored = asked.stored
    if stored is None:
        form.finish()
        offer_instead(PAGE, asked, COST, "stage", asks=False)
        formulas()
        return
    st.markdown(words.finding(stored.result))
    others = [value for value in request.dampings if value != request.damping]
    named = {f"{value:g}": value for value in others}
    chosen = form.segments(
        st.container(), "Choose another damping", "other_damping", list(named),
        f"{words.least_alike(stored.result):g}",
        "Added to every eigenvalue of H before it is inverted.",
    )  # fmt: skip
    damping = named[chosen]
    form.finish()
    first_ten_figure(stored, damping).show()
    formulas(stored)
    dampings(stored, request)
    differences(stored, name)
    take_away.show(
        stored,
        request,
        {
            "Dampings": lambda: stored.result.by_damping,
            "Differences": lambda: stored.result.differences,
        },
    )


page()
