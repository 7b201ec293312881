"""The model at one scale α: what the factor leaves as it was, and what it changes."""

import pandas as pd
import streamlit as st

from engine.fairness.result import FairnessResult, largest_effect
from engine.results.store import Stored
from pages.common.asking.form import HERE, Form
from pages.common.keeping import shelf
from pages.common.lab.shared import badge_of
from pages.common.widgets import blocks
from pages.common.widgets.blocks import Fact
from pages.common.widgets.charts import heading
from pages.common.widgets.figure import FigureBlock
from pages.common.words.wording import percent
from pages.fairness.parts import fairness_words as words
from pages.fairness.parts import row_figures
from pages.fairness.parts.fairness_figures import HONEST


@shelf.kept
def scales_of(table: pd.DataFrame) -> tuple[dict[str, float], float]:
    """Return the scales by their texts, and the one with the largest effect."""
    by_name = {f"{scale:g}": float(scale) for scale in table["scale"]}
    largest = largest_effect(table)
    return by_name, float(table["scale"].iloc[0] if largest is None else largest["scale"])


def held_scale(table: pd.DataFrame) -> float:
    """Return the scale that is about to be chosen: what the session or the link holds, or the one
    with the largest effect."""
    by_name, largest = scales_of(table)
    held = st.session_state.get("scale", st.query_params.get("scale"))
    return by_name.get(str(held), largest)


row_at = shelf.kept(FairnessResult.row)


def choose_scale(form: Form, table: pd.DataFrame) -> float:
    """Choose one of the scales; where that is 1, which changes nothing, the one with the largest
    effect is returned, and said."""
    by_name, largest = scales_of(table)
    name = form.choice(
        HERE,
        "Scale α",
        "scale",
        list(by_name),
        "Of the figures below.",
        f"{largest:g}",
    )
    if by_name[name] != HONEST:
        return by_name[name]
    st.caption(f"α = 1 changes nothing. The figures show α = {largest:g}.")
    return largest


@shelf.kept
def facts(result: FairnessResult, scale: float) -> list[Fact]:
    """Return the model's predictions, which stay, and its influence scores, which do not."""
    about, row, honest = result.about, result.row(scale), result.row(HONEST)
    return [
        Fact(
            "Accuracy on test",
            percent(row["base_accuracy_test"]),
            f"{percent(about.accuracy_before)} at α = 1",
        ),
        Fact(
            "Predictions changed",
            f"{row['base_predictions_changed']}",
            f"of {about.n_test:,} test rows",
        ),
        Fact(
            "Influence ranking",
            f"{row['spearman']:.3f}".replace("-", "−"),
            "Spearman with that at α = 1",
        ),
        Fact(
            f"Honest top {about.top_k} kept",
            f"{row['topk_overlap']:.0%}",
            "rows whose removal lowers the gap most",
        ),
        Fact(
            "Weight removed",
            f"{row['removed']:,.1f}" if row["feasible"] else "–",
            f"of {about.n_train:,} rows; {honest['removed']:,.1f} at α = 1"
            if honest["feasible"]
            else "no solution at α = 1",
        ),
    ]


@shelf.kept
def rank_figure(stored: Stored, scale: float) -> FigureBlock:
    """Make the figure of every training row's rank at α = 1 against that at the scale."""
    result: FairnessResult = stored.result
    about, drawn = result.about, row_figures.n_drawn(result, scale)
    thinned = (
        f" {drawn:,} of {about.n_train:,} rows are drawn: both ends, both top {about.top_k}, and "
        "a thinned middle."
    )
    return FigureBlock(
        name=f"ranks-scale-{scale:g}",
        key="ranks",
        title=words.reshuffled(result.row(scale), about.top_k),
        kind="Influence rank at α = 1 against rank at the chosen scale",
        build=row_figures.rank_to_rank,
        values=(result, scale),
        table=lambda: row_figures.row_table(result, scale),
        results=(stored,),
        caption="Each mark is one training row; rank 1: its removal lowers the gap most. On "
        f"the dashed line nothing moved; shaded: the top {about.top_k} at α = {scale:g}."
        + (thinned if drawn < about.n_train else ""),
    )


@shelf.kept
def weight_figure(stored: Stored, scale: float) -> FigureBlock:
    """Make the figure of the weight removed at α = 1 and at the scale, both with a solution."""
    result: FairnessResult = stored.result
    both, honest_only, scaled_only = row_figures.shared_removal(result, scale)
    return FigureBlock(
        name=f"weights-scale-{scale:g}",
        key="weights",
        title=f"Weights: {honest_only:,.0f} rows removed at α = 1 only, {scaled_only:,.0f} at "
        f"α = {scale:g} only, {both:,.0f} at both",
        kind="Weight removed from the training rows with and without the attack",
        build=row_figures.removed_weights,
        values=(result, scale),
        table=lambda: row_figures.row_table(result, scale),
        results=(stored,),
        caption="Rows may be removed in part: sums of the shares removed.",
    )


def show(form: Form, stored: Stored) -> None:
    """Show, folded, the scale's control and all that is said of that scale."""
    with st.expander(
        "What does the multiplication change? Scores, weights of the rows, step by step"
    ):
        at_one_scale(form, stored)


def at_one_scale(form: Form, stored: Stored) -> None:
    """Show the scale's control and all that is said of that scale."""
    result: FairnessResult = stored.result
    badge = badge_of(stored)
    scale = choose_scale(form, result.table)
    row = row_at(result, scale)
    predictions = words.changed(int(row["base_predictions_changed"]), result.about.n_test)
    heading(f"At α = {scale:g} the model changes {predictions}; its influence scores change", badge)
    lead = f'<div class="name">model</div><div class="value">{scale:g}·θ*</div>'
    blocks.facts(lead, facts(result, scale))
    left, right = st.columns(2, gap="medium")
    with left:
        rank_figure(stored, scale).show()
    with right:
        if row["feasible"] and row_at(result, HONEST)["feasible"]:
            weight_figure(stored, scale).show()
        else:
            heading("Weights: the programme has no solution to compare", badge)
    heading(f"The reweighing pipeline, with the numbers of this run at α = {scale:g}", badge)
    blocks.flow(words.pipeline(result, scale))
    st.caption(
        "After the paper's Fig. 8. Whoever trains the model hands out step 2; the others "
        "compute correctly."
    )
