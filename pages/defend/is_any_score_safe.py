"""Is any score safe? The same attack on every attribution, and what the others make of it."""

import streamlit as st

from engine.experiments import ScoreMatrixRequest, ScoreMatrixResult
from engine.results.store import Stored
from pages.common.asking import data_choice, door
from pages.common.asking.controls import dataset_choice
from pages.common.asking.form import Form
from pages.common.asking.not_here import offer_instead
from pages.common.keeping import shelf
from pages.common.lab import published_results, registry
from pages.common.widgets import blocks, sign, take_away, unfold
from pages.common.widgets.figure import FigureBlock
from pages.common.words.score_names import SCORE_NAMES, left_out
from pages.common.words.smaller import made_smaller
from pages.defend.parts import other_case
from pages.defend.parts import score_matrix_figures as figures
from pages.defend.parts import score_matrix_words as words

PAGE = registry.page("is-any-score-safe")
ROLE = "score matrix"
COST = (
    "Attacks nine scores for 24 targets each, and looks at every malicious model with all twelve: "
    "some ten minutes for digits on a laptop."
)


@shelf.kept
def reached_figure(
    stored: Stored, request: ScoreMatrixRequest, found: Stored | None
) -> FigureBlock:
    """Draw how many targets an attack on each score moves. found: the search for the smallest
    radius on the same data, which moves another number."""
    result: ScoreMatrixResult = stored.result
    return FigureBlock(
        name="reached",
        title="How many targets does an attack on each score move?",
        kind="Targets in the top k by each score, after an attack on it",
        build=figures.reached,
        values=(result,),
        table=lambda: result.moves,
        results=(stored,),
        caption=words.reached(request),
        details=f"Each start has {request.steps} steps. A score that never "
        "sees the model cannot be aimed at: its bar is the most that an attack on another score "
        f"moves.{'' if found is None else words.searched(found.result)}"
        f"{left_out(request.attributions)}{made_smaller(request)}",
    )


@shelf.kept
def matrix_figure(stored: Stored) -> FigureBlock:
    """Draw attacked against observed scores."""
    result: ScoreMatrixResult = stored.result
    return FigureBlock(
        name="matrix",
        title=words.matrix_title(result),
        kind="Targets in the top k by each score, after an attack on each score",
        build=figures.matrix,
        values=(result,),
        table=lambda: result.moves,
        results=(stored,),
        caption=f"Rows: the score that is attacked. Columns: the score that then looks. A cell "
        f"counts, of {result.n_targets} targets, those in the top {result.k}; all were outside it "
        "by every score before. Right of the dashed line the model does not enter.",
    )


@shelf.kept
def success_figure(stored: Stored) -> FigureBlock:
    """Draw success and price."""
    result: ScoreMatrixResult = stored.result
    return FigureBlock(
        name="success",
        title=words.success_title(result),
        kind="Share of targets that reach the top, and accuracy lost, by attacked score",
        build=figures.success,
        values=(result,),
        table=lambda: result.attacks,
        results=(stored,),
        caption="Each score is attacked by itself. Bars are 95% intervals: Wilson's for the share, "
        "bootstrap for the accuracy.",
    )


@unfold.section("Every attack seen by every score, and what it costs", "numbers")
def in_numbers(stored: Stored) -> None:
    result: ScoreMatrixResult = stored.result
    matrix_figure(stored).show()
    success_figure(stored).show()
    blocks.table(words.table(result), "Success, price and collateral of the attack on each score")
    st.caption(
        "Its ranking kept: mean rank correlation of the attacked score's ranking with the honest "
        "one."
    )
    for name, why in result.missing.items():
        st.warning(f"Without {SCORE_NAMES[name]}: {why}")


@unfold.section("Why these are immune, and the others are not", "formulas")
def why() -> None:
    blocks.prose("defend/texts/score-matrix.md")


def page() -> None:
    blocks.ask(PAGE)
    form = Form()
    name = dataset_choice(form, data_choice.names_of(ROLE))
    form.finish()
    request = published_results.request_of(ROLE, name) or ScoreMatrixRequest(name)
    asked = door.Computation.of("score-matrix", request)
    stored = asked.stored
    if stored is None:
        offer_instead(PAGE, asked, COST, "stage", asks=False)
        why()
        return
    sign.note("caption", request.order)
    st.markdown(words.finding(stored.result))
    search = published_results.request_of("minimal", name)
    found = None if search is None else door.find("minimal-radius", search)
    reached_figure(stored, request, found).show()
    other_case.show(PAGE)
    in_numbers(stored)
    why()
    tables = {"Moves": lambda: stored.result.moves, "Attacks": lambda: stored.result.attacks}
    take_away.show(stored, request, tables)


page()
