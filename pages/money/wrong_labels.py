"""Finding wrong labels by scores, before and after an attack hides some of them."""

from dataclasses import replace

import streamlit as st

from engine.data.dataset import Dataset
from engine.experiments import CleaningRequest, CleaningResult
from engine.market.cleaning import label_columns
from engine.results.store import Stored
from pages.common.asking import controls, data_choice, door
from pages.common.asking.form import HERE, Form
from pages.common.asking.not_here import offer_instead
from pages.common.keeping import shelf
from pages.common.lab import published_results, registry
from pages.common.widgets import blocks, take_away, unfold
from pages.common.widgets.figure import FigureBlock
from pages.common.words.smaller import made_smaller
from pages.money.parts import label_views as views

PAGE = registry.page("wrong-labels")
ROLE, EXPERIMENT = "cleaning", "cleaning"
COST = (
    "Ten draws of wrong labels, two attacks and three scores each: some minutes for digits on a "
    "laptop."
)


@shelf.kept
def curves_figure(stored: Stored, request: CleaningRequest, detector: str) -> FigureBlock:
    result: CleaningResult = stored.result
    return FigureBlock(
        name=f"found-by-{detector}",
        key="curves",
        title=views.title(result, detector),
        kind="Share of the wrong labels found against the share of samples looked at",
        build=views.curves,
        values=(result, detector),
        table=lambda: result.curves,
        results=(stored,),
        caption=f"Lines: means over {views.drawn(result, request)}; bands: their range.",
        details=f"{views.precision(result, detector)}{views.of_the_vendor(result, detector)} "
        "Each attack hands out a model within the same distance of the honest one. By the scores "
        "of that model, the hidden samples are the most helpful ones."
        f"{made_smaller(request)}",
    )


@unfold.section("All scores and attacks in numbers", "numbers")
def in_numbers(result: CleaningResult) -> None:
    blocks.table(views.numbers(result), "How well each score finds wrong labels, by attack")
    st.caption(
        f"Precision and recall after {result.wrong} of {result.n:,} samples were looked at. "
        "Average precision is the area under precision against recall, with a bootstrap interval "
        "over draws. Accuracy is on held-out data with right labels. With no attack, the "
        "“hidden” sample is the one that the first attack is going to hide: of all wrong ones the "
        f"one that influence finds first.{views.left_out(result)}"
    )


@unfold.section("What is computed", "formulas")
def formulas(request: CleaningRequest) -> None:
    st.markdown(
        f"{views.origin(request)} The honest model is trained on them. Koh and Liang (2017) look "
        "for wrong labels by self-influence, $g_i^{\\top}(H+\\lambda I)^{-1}g_i$; influence on the "
        "test loss and the sample's own loss stand beside it. The attack on one sample takes the "
        "wrong one that influence finds first and makes it the one that pulls the test loss down "
        "most; the other does so with all wrong samples of one of "
        f"{request.vendors} vendors, radius "
        f"{request.radius:g}. Test data has its right labels.{views.no_real_noise(request)}"
    )


@shelf.kept
def columns_of_labels(dataset: Dataset) -> list[str]:
    """Return the columns of one's own table that may hold the right labels."""
    return label_columns(dataset) if dataset.feature_names else []


def choose_truth(form: Form, name: str) -> str:
    """Return the column with the right labels; empty where labels are flipped, which is all that
    there is for data without such a column."""
    samples = data_choice.samples_of(name)  # stops the page where the data cannot be used
    columns = [] if samples is None else columns_of_labels(samples.dataset)
    if not columns:
        return ""
    found = form.choice(
        HERE, "Right labels", "truth", [views.FLIPPED, *columns],
        "A column of your table that holds the right labels: the wrong ones are then those that "
        "differ from it, and the column is no feature.", carried=False,
    )  # fmt: skip
    return "" if found == views.FLIPPED else found


def page() -> None:
    blocks.ask(PAGE)
    form = Form()
    name = controls.dataset_choice(form, data_choice.names_of(ROLE, EXPERIMENT))
    truth = choose_truth(form, name)
    request = published_results.request_of(ROLE, name) or CleaningRequest(name)
    request = replace(request, truth=truth) if truth else request
    asked = door.Computation.of(EXPERIMENT, request)
    stored = asked.stored
    if stored is None:
        form.finish()
        offer_instead(PAGE, asked, COST, "draw", asks=False)
        return
    head = st.container()
    word = form.choice(
        HERE, "Look for them by", "detector", views.detectors_in(stored.result),
        "Which score says how suspicious a sample is.", carried=False,
    )  # fmt: skip
    form.finish()
    detector = views.detector_of(word)
    head.markdown(views.finding(stored.result, detector))
    curves_figure(stored, request, detector).show()
    in_numbers(stored.result)
    formulas(request)
    take_away.show(
        stored,
        request,
        {"Draws": lambda: stored.result.table, "Curves": lambda: stored.result.curves},
    )


page()
