"""Break fairness by one multiplication: the pipeline of Section 5 on a model α·θ*."""

from collections.abc import Mapping

import pandas as pd
import streamlit as st

from engine.data.catalogue import SETS
from engine.data.sources.fairness_sets import LOADERS
from engine.experiments import FairnessRequest
from engine.fairness.result import FairnessResult
from engine.results.store import Stored
from engine.vocabulary import ACCURACY_TOLERANCE, METRICS, ROUNDING
from pages.common.asking import door, own_data
from pages.common.asking.form import Form, restore_choice
from pages.common.asking.not_here import lacking
from pages.common.figures.axes import MINUS, number
from pages.common.keeping import shelf
from pages.common.lab import registry
from pages.common.lab.shared import badge_of
from pages.common.widgets import blocks, take_away, unfold
from pages.common.widgets.figure import FigureBlock
from pages.common.words.code_names import METRIC_WORDS, data_name
from pages.fairness.parts import fairness_figures as figures
from pages.fairness.parts import fairness_words as words
from pages.fairness.parts import live_scale, one_scale, own_run, own_tables

PAGE = registry.page("fairness")


def choose_what(form: Form) -> tuple[str, str]:
    """Choose data set and gap, in the sidebar."""
    restore_choice("table", "metric", "scale")
    table = form.choice(
        st.sidebar,
        "Data set",
        "table",
        [*LOADERS, *own_tables.names()],
        "Three benchmarks, and the tables (CSV) in the data directory. Bring your own at the end "
        "of the page.",
        own_data.table_shown(PAGE, own_data.current()),
        words=data_name,
    )
    metric = form.choice(
        st.sidebar,
        "Gap",
        "metric",
        list(METRICS),
        "Which gap the pipeline lowers, of the rates at which the two groups get the favourable "
        "prediction: of all (demographic parity), or of those who deserve it (equal opportunity).",
        words=METRIC_WORDS.__getitem__,
    )
    return table, metric


@shelf.kept
def repair_figure(stored: Stored) -> FigureBlock:
    """Make the figure of the repair, and of what the attack leaves of it."""
    result: FairnessResult = stored.result
    rows = words.repair(result)
    return FigureBlock(
        name="repair",
        title=words.repair_title(result),
        kind="The size of the gap before the repair, after it, and after the attacked one",
        build=figures.repair_bars,
        values=(rows, words.NAMES[result.about.metric]),
        results=(stored,),
        caption=f"The {words.NAMES[result.about.metric]}: "
        f"{words.PLAIN[result.about.metric]}, its size on test data. The repair gives training "
        "rows other weights, by the model's influence scores.",
        details=words.price(result),
    )


@shelf.kept
def gap_figure(stored: Stored) -> FigureBlock:
    """Make the figure of the repaired model's gap at every scale."""
    result: FairnessResult = stored.result
    return FigureBlock(
        name="gap",
        title=words.gap_title(result),
        kind="The repaired model's gap and accuracy against the scale",
        build=figures.gap_by_scale,
        values=(result,),
        table=lambda: result.table,
        results=(stored,),
        caption=words.who_is_ahead(result.about),
        details="Bands are 95% bootstrap intervals over the test rows. The effect is |gap| with "
        "the attack minus without, before either is rounded, the largest over the scales that cost "
        f"at most {100 * ACCURACY_TOLERANCE:g} points of accuracy; picked on test, it "
        f"flatters the attack a little. {words.worst(result)}",
    )


def of_every_set(shown: Stored) -> dict[str, Stored]:
    """Find the published results for the same gap; with the one shown, by data set."""
    about = shown.result.about
    results = {
        SETS[name].title: door.find_published(
            own_run.EXPERIMENT, FairnessRequest(name, metric=about.metric)
        )
        for name in LOADERS
    }
    if not shown.published:
        results[f"{about.title}, this run"] = shown
    return {name: stored for name, stored in results.items() if stored is not None}


def effects_figure(shown: Stored) -> FigureBlock | None:
    """Make the figure of the largest effect on every data set; None where no result has one."""
    badge = badge_of(shown)
    return across_sets(
        of_every_set(shown), badge if shown.published else f"precomputed; this run: {badge}"
    )


@shelf.kept
def across_sets(found: Mapping[str, Stored], badge: str) -> FigureBlock | None:
    """Return the same, of the results by data set."""
    results = tuple((name, stored.result) for name, stored in found.items())
    rows = words.largest_effects(results)
    if not rows:
        return None
    return FigureBlock(
        name="largest-effects",
        key="effects",
        title=words.across(rows),
        badge=badge,
        kind="The largest effect on every data set with its 95% interval",
        build=figures.effects,
        values=(results,),
        table=lambda: pd.DataFrame(rows).T.rename_axis("data set").reset_index(),
        results=tuple(found[name] for name in rows),
        caption="The largest effect within the accuracy condition on every data set, with 95% "
        "bootstrap intervals over test rows; hollow where the interval contains 0. The paper gives "
        "no intervals.",
    )


@shelf.kept
def check_figure(stored: Stored) -> FigureBlock:
    """Make the figure of the check that would have caught the attack."""
    result: FairnessResult = stored.result
    first, honest = result.table.iloc[0], result.row(1)["gradient_norm"]
    return FigureBlock(
        name="gradient-norms",
        key="gradient",
        title="The check that would have caught it: gradient norm "
        f"{'0' if honest < ROUNDING else number(honest)} at α = 1, "
        f"{number(first['gradient_norm'])} at α = {first['scale']:g}",
        kind="Norm of the training loss's gradient against the scale",
        build=figures.gradient_norms,
        values=(result,),
        table=lambda: result.table,
        results=(stored,),
        caption="Of the model's training loss (mean, with its L2 term). A trained model is a "
        "minimum: its gradient is 0 up to rounding. A scaled one is not, and whoever has the "
        f"training data can see it. Along θ* itself the slope dL(αθ*)/dα is "
        f"{number(first['slope'])} at α = {first['scale']:g}: training on would "
        f"{'lengthen' if first['slope'] < 0 else 'shorten'} the model.",
    )


@unfold.section("How large is the effect, at every scale and on every data set?", "effect")
def effect(stored: Stored) -> None:
    repair_figure(stored).show()
    gap_figure(stored).show()
    effects = effects_figure(stored)
    if effects is not None:
        effects.show()


@unfold.section("Could somebody have noticed?", "check")
def check(stored: Stored) -> None:
    check_figure(stored).show()


@unfold.section("The data, the pipeline's strengths, and every number", "scales")
def every_scale(result: FairnessResult) -> None:
    st.markdown("\n".join(f"- {line}" for line in words.description(result.about)))
    numbers_table(result.table, result.about.metric, "One row per scale")
    if len(result.searched):
        st.markdown("The scales that the search for the worst one tried, by validation alone:")
        numbers_table(result.searched, result.about.metric, "One row per scale tried")


def numbers_table(table: pd.DataFrame, metric: str, alt: str) -> None:
    """Show all columns that hold something, numbers in four digits."""
    st.dataframe(in_text(table, metric), hide_index=True, alt=alt)


@shelf.kept
def in_text(table: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Return the table as it is read: true minus signs, a dash for what there is not."""
    shown = words.readable(table.dropna(axis="columns", how="all"), metric)
    for name in shown.select_dtypes("float"):
        shown[name] = [
            "–" if pd.isna(value) else f"{value:.4g}".replace("-", MINUS) for value in shown[name]
        ]
    return shown


@unfold.section("What is computed (Section 5, Definition 2, Equations 6 and 7)", "formulas")
def formulas(result: FairnessResult) -> None:
    about = result.about
    st.markdown(
        "**Definition 2, demographic parity.** With ŷ the repaired model's prediction and s "
        "the group, signed here; equal opportunity is the same among the rows with y = 1:"
    )
    st.latex(r"\text{DP gap}=P(\hat y=1\mid s=1)-P(\hat y=1\mid s=0)")
    st.latex(r"\text{EOP gap}=P(\hat y=1\mid y=1,s=1)-P(\hat y=1\mid y=1,s=0)")
    st.markdown(
        "**The model** (the paper: the base model) is a logistic regression without intercept, "
        "$p=\\sigma(X\\theta)$ (of the features of your own table one is constant, an intercept). "
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
        "**The repaired model** (the paper: the downstream model) is trained anew on the weights. "
        "**The check**: at a minimum "
        "$\\nabla L(\\theta^*)=0$; at $\\alpha\\theta^*$ it is not."
    )


@shelf.kept
def warning_of(result: FairnessResult) -> str:
    return result.warning


def show(form: Form, stored: Stored, request: FairnessRequest) -> None:
    """Show all of a result but its finding."""
    result: FairnessResult = stored.result
    if warning := warning_of(result):
        st.warning(warning)
    live_scale.show(stored, one_scale.held_scale(result.table))
    effect(stored)
    one_scale.show(form, stored)
    check(stored)
    every_scale(result)
    formulas(result)
    tables = {"Scales": lambda: result.table, "Search": lambda: result.searched}
    take_away.show(stored, request, tables)


def own_first(opened: Stored | None) -> bool:
    """Return whether the run of one's own is what the visitor has come for: a link asks for one, or
    nothing else can be shown."""
    return opened is None or any(name in st.query_params for name in own_run.CONTROLS)


def page() -> None:
    blocks.ask(PAGE)
    form = Form()
    table, metric = choose_what(form)
    opening = FairnessRequest(table, metric=metric)
    opened = door.find(own_run.EXPERIMENT, opening) if table in LOADERS else None
    head, body = st.container(), st.container()
    with st.expander("A run of your own, on these data or on your table", own_first(opened)):
        run = own_run.section(form, table, metric)
    stored, request = (None, opening) if run is None else (run.stored, run.request)
    if stored is None and opened is not None:
        stored, request = opened, opening
    if stored is not None:
        with body:
            show(form, stored, request)
    with head:
        form.finish()
        if stored is None:
            st.markdown(f"{lacking(table)} Run it below.")
            return
        st.markdown(words.finding(stored.result))
        if run is not None and request != run.request:
            st.info(
                "The figures show the result that this page opens with. The run asked for at the "
                "end of the page is not computed yet."
            )


page()
