"""Do the scores predict retraining? The linear datamodelling score, and selection by scores."""

import pandas as pd
import streamlit as st

from engine.experiments import LdsRequest, LdsResult, SelectionRequest, SelectionResult
from engine.results.store import Stored
from pages.common.asking import data_choice, door
from pages.common.asking.controls import dataset_choice
from pages.common.asking.form import HERE, Form
from pages.common.asking.not_here import lacking
from pages.common.keeping import shelf
from pages.common.lab import published_results, registry
from pages.common.lab.shared import is_here, open_dataset
from pages.common.widgets import blocks, take_away, unfold
from pages.common.widgets.figure import FigureBlock
from pages.common.words.score_names import SCORE_NAMES, left_out
from pages.common.words.smaller import made_smaller
from pages.evidence.parts import lds_figures as figures
from pages.evidence.parts import lds_words as words

PAGE = registry.page("lds")
ROLE, SELECTED = "lds", "selection"
FORMULAS = "evidence/texts/lds.md"
COST = (
    "Trains 200 models on halves of the samples, and scores them by every attribution under an "
    "honest and a malicious model: two minutes for digits on a laptop."
)
SELECTION_COST = (
    "Trains some 370 models, on what each attribution puts first and last: two minutes for digits "
    "on a laptop."
)


@shelf.kept
def scores_figure(stored: Stored, request: LdsRequest) -> FigureBlock:
    """Draw every attribution's score under both models."""
    result: LdsResult = stored.result
    return FigureBlock(
        name="lds",
        title=words.scores_title(result),
        kind="Linear datamodelling score of every attribution, honest and malicious",
        build=figures.all_scores,
        values=(result,),
        table=lambda: result.table,
        results=(stored,),
        caption=f"{words.best(result)} Bars are 95% intervals, of honest models."
        f"{left_out(request.attributions)}{made_smaller(request)}",
    )


@shelf.kept
def sums_figure(stored: Stored, name: str) -> FigureBlock:
    """Draw the sums behind one attribution's score."""
    result: LdsResult = stored.result
    return FigureBlock(
        name=f"sums-{name}",
        key="sums",
        title=words.sums_title(result, name),
        kind="Sum of scores against the test loss of the model trained on a half",
        build=figures.sums,
        values=(result, name),
        table=lambda: result.table,
        results=(stored,),
        caption="Each mark is a model that was trained on a random half of the samples. Its "
        "predicted loss is the sum of the scores in that half. Above the marks stands the rank "
        "correlation of both losses.",
    )


@shelf.kept
def selection_figure(stored: Stored, name: str, what: str) -> FigureBlock:
    """Draw removal and addition curves of one attribution."""
    result: SelectionResult = stored.result
    return FigureBlock(
        name=f"selection-{name}",
        key="selection",
        title=words.selection_title(result, name),
        kind="Accuracy or loss of a model trained on part of the samples",
        build=figures.selected,
        values=(result, name, what),
        table=lambda: result.table,
        results=(stored,),
        caption=f"{words.selection_said(result, name)} The band spans random selections; the "
        "dotted line is the model of all samples.",
    )


ordered = shelf.kept(figures.ordered)


@shelf.kept
def names_in(table: pd.DataFrame) -> list[str]:
    """Return the attributions of a table, in the lab's order."""
    found = set(table["attribution"])
    return [name for name in SCORE_NAMES if name in found]


def choose(form: Form, names: list[str]) -> str:
    """Choose an attribution by the name that it has on screens."""
    shown = {SCORE_NAMES[one]: one for one in names}
    chosen = form.choice(
        HERE, "Score", "attribution", list(shown), "Whose scores are shown.",
        SCORE_NAMES["influence"] if "influence" in names else None, carried=False,
    )  # fmt: skip
    return shown[chosen]


@unfold.section("Which scores predict retraining best? All of them compared", "numbers")
def all_compared(stored: Stored, request: LdsRequest) -> None:
    result: LdsResult = stored.result
    scores_figure(stored, request).show()
    blocks.table(words.scores_table(result), "Linear datamodelling scores with 95% intervals")
    first = f" of the first {request.queries}" if request.queries else ""
    st.caption(
        f"For each test sample{first} by itself, honest influence with damping = L2 has a mean "
        f"score of {result.each_lds:.2f}; additive scores reach at most "
        f"{result.each_ceiling:.2f}. A second training on the same half changes its loss by at "
        f"most {result.rerun_difference:.0e}."
    )
    for name, why in result.missing.items():
        st.warning(f"Without {SCORE_NAMES.get(name, name)}: {why}")


@unfold.section("What is computed (beyond the paper)", "formulas")
def formulas() -> None:
    blocks.prose(FORMULAS)


def names_of(
    asked: "door.Computation[LdsRequest]", selections: "door.Computation[SelectionRequest]"
) -> list[str]:
    """Return the attributions that can be shown, in the lab's order where nothing orders them."""
    if asked.stored is not None:
        return ordered(asked.stored.result)
    return [] if selections.stored is None else names_in(selections.stored.result.table)


def selection(
    form: Form,
    asked: "door.Computation[SelectionRequest]",
    name: str,
    classes: tuple[str, ...],
) -> None:
    """Show, folded unless a link asks for it, what models are worth that are trained on a
    selection, or the offer to train them."""
    linked = "shown" in st.query_params
    box = unfold.with_controls("Can scores choose training data?", "selection", linked)
    if box is None:
        return
    with box:
        if asked.stored is None:
            door.offer([asked], SELECTION_COST, "model")
            return
        result: SelectionResult = asked.stored.result
        if name not in set(result.table["attribution"]):
            name = "influence"  # of which the other damping is a variant
        figure, place = st.container(), st.container()
        what = form.segments(
            place,
            "Shown",
            "shown",
            list(figures.SPLITS),
            "accuracy",
            "On holdout; the loss on test.",
        )
        with figure:
            selection_figure(asked.stored, name, what).show()
        lost = words.lost_classes(result, classes)
        unasked = f"{left_out(asked.request.attributions)}{made_smaller(asked.request)}"
        if lost or unasked:
            st.caption(f"{lost}{unasked}".strip())


def accept_former_names() -> None:
    """Read a link of the time when the two figures had an attribution each."""
    former = st.query_params.get("ranking")
    if former is not None:
        del st.query_params["ranking"]
        if "attribution" not in st.query_params:
            st.session_state["attribution"] = former


def page() -> None:
    blocks.ask(PAGE)
    accept_former_names()
    form = Form()
    dataset = dataset_choice(form, data_choice.names_of(ROLE))
    request = published_results.request_of(ROLE, dataset) or LdsRequest(dataset)
    selected = published_results.request_of(SELECTED, dataset) or SelectionRequest(dataset)
    asked = door.Computation.of("lds", request)
    selections = door.Computation.of("selection", selected)
    stored = asked.stored
    if stored is not None:
        st.markdown(words.finding(stored.result))
    else:
        st.markdown(lacking(dataset))
        with st.container(border=True):
            door.offer([asked], COST, "model")
    names = names_of(asked, selections)
    name = choose(form, names) if names else ""
    if stored is not None:
        sums_figure(stored, name).show()
        all_compared(stored, request)
    classes = open_dataset(dataset).class_names if is_here(dataset) else ()
    selection(form, selections, name, classes)
    form.finish()
    formulas()
    if stored is not None:
        tables = {"Scores": lambda: stored.result.table}
        take_away.show(stored, request, tables)


page()
