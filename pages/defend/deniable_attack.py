"""The deniable attack: true minima of losses that an honest trainer may declare."""

import streamlit as st

from engine.experiments import DeniableRequest, DeniableResult
from engine.results.store import Stored
from pages.common.asking import links
from pages.common.asking.form import Form
from pages.common.keeping import shelf
from pages.common.lab import registry
from pages.common.widgets import blocks, charts, sign, take_away, unfold
from pages.common.widgets.figure import FigureBlock
from pages.defend.parts import deniable_figures as drawn
from pages.defend.parts import deniable_words as words
from pages.defend.parts import other_case, result_page

PAGE = registry.page("deniable")
EXPERIMENT = ROLE = "deniable"
COST = (
    "Trains some thousand models for each of 28 targets' searches, and holds every check against "
    "what arrives: some ten minutes for digits on a laptop."
)


@shelf.kept
def moves_figure(stored: Stored, epsilon: float, tolerance: float | None) -> FigureBlock:
    result: DeniableResult = stored.result
    return FigureBlock(
        name="deniable-moves",
        key="moves",
        title=words.at(result, epsilon),
        kind="How much each random target needs to reach the top, with its rank before and after",
        build=drawn.moves,
        values=(result, epsilon, words.every_means(result), tolerance),
        table=lambda: words.targets(result),
        results=(stored,),
        caption=words.meaning(result, tolerance),
    )


@shelf.kept
def curve_figure(stored: Stored, epsilon: float) -> FigureBlock:
    result: DeniableResult = stored.result
    return FigureBlock(
        name="deniable-within-epsilon",
        key="curve",
        title="How much freedom does the trainer need?",
        kind="Share of the targets in the top against ε, as staircases",
        build=drawn.curve,
        values=(result, epsilon, words.every_means(result)),
        table=lambda: words.targets(result),
        results=(stored,),
        caption="Each step is one target that arrives, at the least ε that was found for it: an "
        "upper bound. The dashed line is the ε chosen above. L2 may be ten times larger or "
        "smaller. Targets near the top are drawn from the first samples of the usual ranking.",
    )


@shelf.kept
def weights_figure(stored: Stored, epsilon: float) -> FigureBlock:
    result: DeniableResult = stored.result
    return FigureBlock(
        name="deniable-by-weights",
        title="With the samples' weights alone the attack reaches less",
        kind="Share of the targets in the top against ε, by the samples' weights alone",
        build=drawn.curve,
        values=(result, epsilon, "weights"),
        table=lambda: words.targets(result),
        results=(stored,),
    )


def choose(form: Form, place: st.delta_generator.DeltaGenerator, limit: float) -> float:
    """Return the ε that is granted to a trainer."""
    chosen = form.slider(
        place,
        "Allowed change: how much more or less each counts (ε)",
        "epsilon",
        links.Range(0.05, limit, whole=False),
        limit,
        0.05,
        "With 20% each sample counts between 0.8 and 1.2 times. Also free: L2, from a tenth to "
        "ten times the usual.",
        "percent",
    )
    return float(chosen)


@unfold.section("Which checks stop it?", "checks")
def checked(result: DeniableResult) -> None:
    """Show which checks stop the attacks that arrived."""
    if not words.has_arrived(result):
        st.info("No attack reached the top: there is nothing to check.")
        return
    charts.heading(words.checks_title(result))
    blocks.table(words.stopped(result), "How many attacks each check stops", {words.STOPPED: str})
    st.caption(
        f"{words.arrived_by(result)}A check stops a model if it flags it, or if the model's "
        "target leaves the top. The verifier fixes equal weights, unscaled features and the usual "
        f"L2. {words.averaging(result)}"
    )


@unfold.section("How far do honest choices move the ranking?", "honest")
def honest(stored: Stored) -> None:
    result: DeniableResult = stored.result
    blocks.table(words.honest_choices(result), "Honest choices drawn at random, by ε")
    interval_figure(stored).show()
    st.markdown(words.l2_alone(result))


@shelf.kept
def interval_figure(stored: Stored) -> FigureBlock:
    result: DeniableResult = stored.result
    epsilon = float(result.drawn["epsilon"].max())
    return FigureBlock(
        name="honest-intervals",
        key="intervals",
        title=f"Ranks that honest draws give each sample, ε = {epsilon:g}",
        kind="Best and worst rank of each sample over honest draws",
        build=drawn.intervals,
        values=(result, epsilon),
        table=lambda: words.intervals_table(result, epsilon),
        results=(stored,),
        caption="Grey: from the best to the worst rank over the draws. Chosen, not drawn, the same "
        "limits reach farther: that is the attack.",
    )


@unfold.section("Every check and every target in numbers", "targets")
def in_numbers(stored: Stored, epsilon: float, request: DeniableRequest) -> None:
    result: DeniableResult = stored.result
    st.markdown(words.nearest(result, request.l2))
    curve_figure(stored, epsilon).show()
    if words.has_arrived(result):
        blocks.table(
            words.checks(result), "Checks that the attack passes, and checks that it fails"
        )
        st.caption(
            "“Usual” is the loss with equal weights, unscaled features and the default l2. AUC: "
            "how often a malicious model's first sample ranks lower by averaged scores than an "
            "honest trainer's."
        )
        st.markdown(words.price(result))
    if (result.table["means"] == "weights").any():
        weights_figure(stored, epsilon).show()
    blocks.table(words.targets(result), "Every target, with the least ε found")
    st.caption(
        "Targets were drawn by another seed than those on which the search was tried."
        f"{words.margin(request.tolerance)}"
    )


@unfold.section("What is computed (beyond the paper)", "formulas")
def how() -> None:
    blocks.prose("defend/texts/deniable.md")


def results(form: Form, stored: Stored, request: DeniableRequest) -> None:
    result: DeniableResult = stored.result
    sign.note("finding", request.order)
    st.markdown(words.finding(result))
    epsilon = choose(form, st.container(), result.limit)
    form.finish()
    moves_figure(stored, epsilon, request.tolerance).show()
    other_case.show(PAGE)
    checked(result)
    honest(stored)
    in_numbers(stored, epsilon, request)
    how()
    take_away.show(
        stored,
        request,
        {
            "Targets": lambda: result.table,
            "Samples": lambda: result.samples,
            "l2": lambda: result.line,
            "Honest draws": lambda: result.drawn,
            "Honest trainers": lambda: result.trainers,
        },
    )


result_page.show(PAGE, ROLE, EXPERIMENT, COST, results)
