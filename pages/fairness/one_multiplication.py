"""Break fairness by one multiplication: the pipeline of Section 5 on a base model α·θ*."""

from collections.abc import Mapping

import pandas as pd
import streamlit as st

from engine.data.catalogue import SETS
from engine.data.sources.fairness_sets import LOADERS
from engine.experiments import FairnessRequest
from engine.fairness.result import FairnessResult, largest_effect
from engine.results.store import Stored
from engine.vocabulary import ACCURACY_TOLERANCE, METRICS, ROUNDING
from pages.common.asking import controls, door, form, links
from pages.common.figures.axes import number
from pages.common.lab import registry
from pages.common.lab.shared import badge_of
from pages.common.widgets import blocks, charts, take_away, unfold
from pages.common.widgets.blocks import Fact
from pages.common.widgets.save_figure import Source
from pages.common.words import reproduce
from pages.common.words.wording import percent
from pages.fairness.parts import fairness_figures as figures
from pages.fairness.parts import fairness_run, own_tables
from pages.fairness.parts import fairness_words as words

PAGE = registry.page("fairness")
OPENING = "adult"  # the data set that the page opens with: the largest, so the clearest answer


def choose_what() -> tuple[str, str, links.Expected]:
    """Data set and gap, in the sidebar; with them, what a link may say."""
    form.restore_choice("table", "metric", "scale")
    tables = [*LOADERS, *own_tables.names()]
    table = controls.choice_of(
        st.sidebar,
        "Data set",
        "table",
        tables,
        "Three benchmarks, and the tables (CSV) in the data directory. Bring your own at the end "
        "of the page.",
        OPENING,
    )
    metric = controls.choice_of(
        st.sidebar,
        "Gap",
        "metric",
        list(METRICS),
        "Which gap the pipeline lowers, of the rates at which the two groups get the favourable "
        "prediction: of all (`dp`), or of those who deserve it (`eop`).",
    )
    st.sidebar.caption(words.MEANINGS[metric])
    return table, metric, {"table": tables, "metric": list(METRICS)}


def choose_scale(result: FairnessResult) -> tuple[float, links.Expected]:
    """One of the scales; the one with the largest effect until another is chosen."""
    by_name = {f"{scale:g}": float(scale) for scale in result.table["scale"]}
    largest = largest_effect(result.table)
    start = result.table["scale"].iloc[0] if largest is None else largest["scale"]
    name = controls.choice_of(
        st.columns([1, 3])[0],
        "Scale α",
        "scale",
        list(by_name),
        "Of the figures below.",
        f"{start:g}",
    )
    return by_name[name], {"scale": list(by_name)}


def gap_figure(stored: Stored, badge: str) -> None:
    result: FairnessResult = stored.result
    title = words.gap_title(result)
    charts.heading(title, badge)
    charts.chart(
        figures.gap_by_scale(result),
        "gap",
        alt=f"The downstream model's gap and accuracy against the base model's scale. {title}",
        source=Source.of("gap", lambda: result.table, stored),
    )
    st.caption(
        f"{words.who_is_ahead(result.about)} Bands are 95% bootstrap intervals over the test rows. "
        "The effect is |gap| with the attack minus without, the largest over the scales that cost "
        f"at most {100 * ACCURACY_TOLERANCE:g} points of accuracy; picked on test, it flatters the "
        f"attack a little. {words.worst(result)}"
    )


def of_every_set(result: FairnessResult, shown: Stored) -> Mapping[str, Stored]:
    """The published results for this gap, and the one shown, by data set."""
    metric = result.about.metric
    results = {
        SETS[name].title: door.find_published(
            fairness_run.EXPERIMENT, FairnessRequest(name, metric)
        )
        for name in LOADERS
    }
    if not shown.published:
        results[f"{result.about.title}, this run"] = shown
    return {name: stored for name, stored in results.items() if stored is not None}


def effects_figure(result: FairnessResult, shown: Stored) -> None:
    found = of_every_set(result, shown)
    largest = {name: largest_effect(stored.result.table) for name, stored in found.items()}
    rows = {name: row for name, row in largest.items() if row is not None}
    if not rows:
        return
    title, badge = words.across(rows), badge_of(shown)
    charts.heading(title, badge if shown.published else f"precomputed; this run: {badge}")
    charts.chart(
        figures.effects(rows, result.about.metric),
        "effects",
        alt=f"The largest effect on every data set with its 95% interval. {title}",
        source=Source.of(
            "largest-effects",
            lambda: pd.DataFrame(rows).T.rename_axis("data set").reset_index(),
            *(found[name] for name in rows),
        ),
    )
    st.caption(
        "The largest effect within the accuracy condition on every data set, with 95% bootstrap "
        "intervals over test rows; hollow where the interval contains 0. The paper gives no "
        "intervals."
    )


def check_figure(stored: Stored, badge: str) -> None:
    """The check that would have caught it."""
    result: FairnessResult = stored.result
    first, honest = result.table.iloc[0], result.row(1)["gradient_norm"]
    title = (
        "The check that would have caught it: gradient norm "
        f"{'0' if honest < ROUNDING else number(honest)} at α = 1, "
        f"{number(first['gradient_norm'])} at α = {first['scale']:g}"
    )
    charts.heading(title, badge)
    charts.chart(
        figures.gradient_norms(result),
        "gradient",
        alt=f"Norm of the training loss's gradient against the scale. {title}",
        source=Source.of("gradient-norms", lambda: result.table, stored),
    )
    st.caption(
        "Of the base model's training loss (mean, with its L2 term). A trained model is a minimum: "
        "its gradient is 0 up to rounding. A scaled one is not, and whoever has the training data "
        f"can see it. Along θ* itself the slope dL(αθ*)/dα is {number(first['slope'])} at α = "
        f"{first['scale']:g}: training on would {'lengthen' if first['slope'] < 0 else 'shorten'} "
        "the model."
    )


def at_one_scale(stored: Stored, badge: str) -> links.Expected:
    """What the factor leaves as it was, and what it changes."""
    result: FairnessResult = stored.result
    about = result.about
    scale, expected = choose_scale(result)
    row = result.row(scale)
    predictions = words.changed(int(row["base_predictions_changed"]), about.n_test)
    charts.heading(
        f"At α = {scale:g} the base model changes {predictions}; its influence scores change", badge
    )
    both, honest_only, scaled_only = figures.shared_removal(result, scale)
    blocks.facts(
        f'<div class="name">base model</div><div class="value">{scale:g}·θ*</div>',
        [
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
                f"of {about.n_train:,} rows; {result.row(1)['removed']:,.1f} at α = 1"
                if result.row(1)["feasible"]
                else "no solution at α = 1",
            ),
        ],
    )
    left, right = st.columns(2, gap="medium")
    with left:
        title = words.reshuffled(row, about.top_k)
        charts.heading(title, badge)
        charts.chart(
            figures.rank_to_rank(result, scale),
            "ranks",
            alt=f"Influence rank at α = 1 against rank at the chosen scale. {title}",
            source=Source.of(
                f"ranks-scale-{scale:g}", lambda: figures.row_table(result, scale), stored
            ),
        )
        drawn = figures.n_drawn(result, scale)
        st.caption(
            "One mark a training row; rank 1: its removal lowers the gap most. On the dashed line "
            f"nothing moved; shaded: the top {about.top_k} at α = {scale:g}."
            + (
                f" {drawn:,} of {about.n_train:,} rows are drawn: both ends, both top "
                f"{about.top_k}, and a thinned middle."
                if drawn < about.n_train
                else ""
            )
        )
    with right:
        if row["feasible"] and result.row(1)["feasible"]:
            title = (
                f"Weights: {honest_only:,.0f} rows removed at α = 1 only, {scaled_only:,.0f} at "
                f"α = {scale:g} only, {both:,.0f} at both"
            )
            charts.heading(title, badge)
            charts.chart(
                figures.removed_weights(result, scale),
                "weights",
                alt=f"Weight removed from the training rows with and without the attack. {title}",
                source=Source.of(
                    f"weights-scale-{scale:g}", lambda: figures.row_table(result, scale), stored
                ),
            )
            st.caption("Rows may be removed in part: sums of the shares removed.")
        else:
            charts.heading("Weights: the programme has no solution to compare", badge)
    charts.heading(f"The reweighing pipeline, with the numbers of this run at α = {scale:g}", badge)
    blocks.flow(words.pipeline(result, scale))
    st.caption(
        "After the paper's Fig. 8. Whoever trains the base model hands out step 2; the others "
        "compute correctly."
    )
    return expected


def about_the_data(result: FairnessResult) -> None:
    charts.heading("The data and the pipeline's strengths")
    st.markdown("\n".join(f"- {line}" for line in words.description(result.about)))


@unfold.section("Every scale: programme, gaps, accuracy, ranking, gradient", "scales")
def every_scale(result: FairnessResult) -> None:
    numbers_table(result.table, result.about.metric, "One row per scale")
    if len(result.searched):
        st.markdown("The scales that the search for the worst one tried, by validation alone:")
        numbers_table(result.searched, result.about.metric, "One row per scale tried")


def numbers_table(table: pd.DataFrame, metric: str, alt: str) -> None:
    floats = table.select_dtypes("float").columns
    four_digits = {str(name): st.column_config.NumberColumn(format="%.4g") for name in floats}
    shown = words.readable(table, metric)
    st.dataframe(shown, hide_index=True, column_config=four_digits, alt=alt)


@unfold.section("What is computed (Section 5, Definition 2, Equations 6 and 7)", "formulas")
def formulas(result: FairnessResult) -> None:
    about = result.about
    st.markdown(
        "**Definition 2, demographic parity.** With ŷ the downstream model's prediction and s "
        "the group, signed here; equal opportunity is the same among the rows with y = 1:"
    )
    st.latex(r"\text{DP gap}=P(\hat y=1\mid s=1)-P(\hat y=1\mid s=0)")
    st.latex(r"\text{EOP gap}=P(\hat y=1\mid y=1,s=1)-P(\hat y=1\mid y=1,s=0)")
    st.markdown(
        "**The base model** is a logistic regression without intercept, $p=\\sigma(X\\theta)$. "
        f"$\\theta^*$ minimises the summed log-loss $+\\,\\tfrac{{l}}{{2}}\\lVert\\theta"
        f"\\rVert^2$, here $l={about.l2:g}$. **The attack** hands out $\\alpha\\theta^*$ with "
        "$\\alpha>0$: the sign of $x^\\top\\theta$ stays, and with it every prediction."
    )
    st.markdown(
        "**Influence** of removing training row $i$ on a function $f$ of the model, with "
        "everything computed at $\\alpha\\theta^*$:"
    )
    st.latex(
        r"I_i(f)=(p_i-y_i)\,x_i^{\top}H^{-1}\nabla f,\qquad "
        r"H=\sum_i p_i(1-p_i)\,x_ix_i^{\top}+l\,I"
    )
    st.markdown(
        "**Equation 7** chooses the shares $x$ to remove, so that the soft gap $f_g$ on "
        "validation falls by β of itself and the validation loss $f_u$ by γ of what is "
        f"possible; here β = {about.beta:g}, γ = {about.gamma:g}. Equation 6 is β = 1, γ = 0. "
        "The weights are $1-x$:"
    )
    st.latex(
        r"\min_{0\le x\le 1}\sum_i x_i\quad\text{s.t.}\quad "
        r"\sum_i I_i(f_g)\,x_i\le-\beta f_g,\qquad "
        r"\sum_i I_i(f_u)\,x_i\le\gamma\sum_i\min\big(I_i(f_u),0\big)"
    )
    st.markdown(
        "Where removal cannot promise to close the gap at all, "
        "$f_g\\ge-\\sum_i\\min(I_i(f_g),0)$, the gap is lowered as far as it goes:"
    )
    st.latex(
        r"\min_{0\le x\le 1}\sum_i I_i(f_g)\,x_i\quad\text{s.t.}\quad "
        r"\sum_i I_i(f_u)\,x_i\le 0"
    )
    st.markdown(
        "The downstream model is trained anew on the weights. **The check**: at a minimum "
        "$\\nabla L(\\theta^*)=0$; at $\\alpha\\theta^*$ it is not."
    )


def show(stored: Stored, request: FairnessRequest) -> links.Expected:
    """All of a result but its finding."""
    result, badge = stored.result, badge_of(stored)
    gap_figure(stored, badge)
    left, right = st.columns(2, gap="medium")
    with left:
        effects_figure(result, stored)
    with right:
        check_figure(stored, badge)
    expected = at_one_scale(stored, badge)
    about_the_data(result)
    every_scale(result)
    formulas(result)
    tables = {"Scales": lambda: result.table, "Search": lambda: result.searched}
    take_away.show(stored, request, tables, snippet=reproduce.fairness_snippet)
    return expected


def page() -> None:
    st.title(PAGE.title)
    given = dict(st.query_params)
    table, metric, expected = choose_what()
    head, body, bar = st.container(), st.container(), st.container(border=True)
    with bar:
        part, of_run = fairness_run.run_of_ones_own(table, metric)
    opening = FairnessRequest(table, metric)
    stored, request = (None, opening) if part is None else (part.stored, part.request)
    if stored is None and table in LOADERS:
        stored, request = door.find(fairness_run.EXPERIMENT, opening), opening
    of_scale: links.Expected = {}
    if stored is not None:
        with body:
            of_scale = show(stored, request)
    expected = {**expected, **of_run, **of_scale}
    names = [*expected, fairness_run.SCALES.name]
    used = {name: st.session_state[name] for name in names if name in st.session_state}
    controls.finish(given, expected, used)
    with head:
        controls.show_notes()
        if stored is None:
            st.markdown(f"{PAGE.finding} For this data nothing is computed yet: run it below.")
            return
        st.markdown(f"{words.finding(stored.result)} :gray-badge[{badge_of(stored)}]")
        if part is not None and request != part.request:
            st.info(
                "The figures show the result that this page opens with. The run asked for at the "
                "end of the page is not computed yet."
            )


page()
