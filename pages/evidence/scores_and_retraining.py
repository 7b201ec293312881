"""Do the scores predict retraining? The linear datamodelling score, and selection by scores."""

import pandas as pd
import streamlit as st

from engine.experiments import LdsRequest, LdsResult, SelectionRequest, SelectionResult
from engine.results.store import Stored
from pages.common.asking import data_choice, door
from pages.common.asking.controls import dataset_choice
from pages.common.asking.form import Form
from pages.common.asking.not_here import unanswered
from pages.common.keeping import shelf
from pages.common.lab import published_results, registry
from pages.common.lab.shared import badge_of, is_here, open_dataset
from pages.common.widgets import blocks, charts, take_away, unfold
from pages.common.widgets.badge import mark_origin
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
    "honest and an attacked model: two minutes for digits on a laptop."
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
        kind="Linear datamodelling score of every attribution, honest and attacked",
        badge="",
        build=figures.all_scores,
        values=(result,),
        table=lambda: result.table,
        results=(stored,),
        caption=f"Each of {len(result.outcomes)} models is trained on half of the samples. The "
        "linear datamodelling score is the rank correlation of its test loss with the sum of the "
        "scores in its half: 1 if the sums order the models perfectly. Bars are 95% intervals, "
        "of honest models. No "
        f"scores that are added up reach more than about {result.ceiling:.2f}, because losses do "
        "not add up."
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
        caption="A dot is one half of the training samples. Scores that predict retraining put the "
        "dots on a rising line.",
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


def choose(form: Form, names: list[str], place: "st.delta_generator.DeltaGenerator") -> str:
    """Choose an attribution by the name that it has on screens."""
    shown = {SCORE_NAMES[one]: one for one in names}
    chosen = form.choice(
        place, "Attribution", "attribution", list(shown), "Whose scores are shown.",
        SCORE_NAMES["influence"] if "influence" in names else None, carried=False,
    )  # fmt: skip
    return shown[chosen]


@unfold.section("One attribution, half by half", "halves")
def half_by_half(stored: Stored, name: str) -> None:
    sums_figure(stored, name).show()


@unfold.section("All scores in numbers, and what is computed", "numbers")
def in_numbers(result: LdsResult, request: LdsRequest) -> None:
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
    blocks.prose(FORMULAS)


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


def curves(
    form: Form,
    asked: "door.Computation[SelectionRequest]",
    name: str,
    place: "st.delta_generator.DeltaGenerator",
    classes: tuple[str, ...],
) -> None:
    """Show what models are worth that are trained on a selection, or the offer to train them."""
    if asked.stored is None:
        charts.heading("Choose data by the scores")
        with st.container(border=True):
            door.offer([asked], SELECTION_COST, "model")
        return
    result: SelectionResult = asked.stored.result
    what = form.segments(
        place, "Shown", "shown", list(figures.SPLITS), "accuracy", "On holdout; the loss on test."
    )
    if name not in set(result.table["attribution"]):
        name = "influence"  # of which the other damping is a variant
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
    st.title(PAGE.title)
    accept_former_names()
    form = Form()
    dataset = dataset_choice(form, data_choice.names_of(ROLE))
    request = published_results.request_of(ROLE, dataset) or LdsRequest(dataset)
    selected = published_results.request_of(SELECTED, dataset) or SelectionRequest(dataset)
    asked = door.Computation.of("lds", request)
    selections = door.Computation.of("selection", selected)
    stored, said = asked.stored, st.empty()
    if stored is not None:
        scores_figure(stored, request).show()
        said.markdown(f"{words.finding(stored.result)}{mark_origin(badge_of(stored))}")
    else:
        said.markdown(unanswered(PAGE, dataset))
        with st.container(border=True):
            door.offer([asked], COST, "model")
    names = names_of(asked, selections)
    left, right = st.columns([1, 1])
    name = choose(form, names, left) if names else ""
    classes = open_dataset(dataset).class_names if is_here(dataset) else ()
    curves(form, selections, name, right, classes)
    form.finish()
    if stored is None:
        formulas()
    else:
        half_by_half(stored, name)
        in_numbers(stored.result, request)
        tables = {"Scores": lambda: stored.result.table}
        take_away.show(stored, request, tables)


page()
