"""The audit (A.0.1): who is caught when reported scores are checked against the model."""

from dataclasses import replace

import numpy as np
import streamlit as st

from engine.data.dataset import Dataset
from engine.experiments import AuditRequest, AuditResult
from engine.results.store import Stored
from pages.common.asking import data_choice, links, openings
from pages.common.asking.form import HERE, Form
from pages.common.figures.axes import number, thinning
from pages.common.keeping import shelf
from pages.common.lab import registry
from pages.common.lab.shared import badge_of
from pages.common.samples import Samples
from pages.common.widgets import charts, sign, take_away, unfold
from pages.common.widgets.badge import mark_origin
from pages.common.widgets.figure import FigureBlock
from pages.defend.parts import audit_figures as figures
from pages.defend.parts import audit_words as words
from pages.defend.parts import live_threshold, other_case
from pages.defend.parts.examined_attack import ExaminedAttack, Question

PAGE = registry.page("audit")
TOLERANCE = "caught_above"  # in links; a power of ten
TOLERANCES, STEP = links.Range(-17.0, 0.0, whole=False), 0.1
COST = (
    "The attack, then the influence of every training sample on every query, for the honest and "
    "for the malicious model: under a minute for digits on a laptop."
)


def own(form: Form, dataset: Dataset, request: AuditRequest) -> AuditRequest:
    """Return the number of queries; nothing to choose where there can be no audit."""
    if openings.no_audit(dataset):
        return request
    most = openings.most_queries(dataset)
    queries = form.whole(
        HERE,
        "Test samples to ask about",
        "queries",
        links.Range(1, most),
        request.queries,
        f"Test samples with a label each, at most {most:,}. The first have their own labels, the "
        "rest all others.",
    )
    st.caption(
        f"The model has {openings.parameters(dataset):,} parameters. With too few queries, "
        "invented numbers fit as well. All other settings are in the sidebar."
    )
    return replace(request, queries=queries)


@shelf.kept
def rows_figure(stored: Stored, samples: Samples | None) -> FigureBlock:
    result: AuditResult = stored.result
    return FigureBlock(
        name="residuals",
        title=words.title(result),
        kind="Residual of every reported row for four calculators, on a log axis",
        build=figures.residuals,
        values=(result,),
        table=lambda: words.residual_table(result),
        results=(stored,),
        caption="Each mark is one sample's row of reported scores; that of sample "
        f"{result.target} is ringed. A row in the shaded part cannot come from the model.",
        samples=samples,
    )


@unfold.section("Who answers what, and why the attacker passes", "players")
def players(result: AuditResult) -> None:
    st.markdown(words.players_table(result))
    sign.note("players", result.order)
    st.markdown(words.same_verdict(result))
    st.markdown(
        f"- {words.impossible(result)}\n"
        "- The audit asks whether **some** vector *v* explains a row of scores as *vᵀT*. Honest "
        "scores have *v* = −(H + λI)⁻¹g. The **careful liar** takes another *v*; the audit does "
        "not ask which.\n"
        "- The **attacker** computes honestly. The model is what is wrong, and the auditor takes "
        "the model as given: the query gradients are those of the malicious model.\n"
        "- With more queries than their gradients have rank, honest rows pass and invented rows do "
        "not. Against this one cheat the audit is as good as a proof."
    )


@unfold.section("How many test samples must the auditor ask about?", "growth")
def by_queries(stored: Stored, samples: Samples | None) -> None:
    growth_figure(stored).show()
    rows_figure(stored, samples).show()


@shelf.kept
def growth_figure(stored: Stored) -> FigureBlock:
    result: AuditResult = stored.result
    rank = int(result.gradient_ranks[0])
    return FigureBlock(
        name="by-queries",
        key="growth",
        title=words.growth_title(result),
        kind="Residual of the invented row against the number of queries",
        build=figures.growth,
        values=(result,),
        table=lambda: result.growth,
        results=(stored,),
        caption="While no query's gradient is a combination of the others, any row of numbers "
        f"fits. {result.queries:,} queries have rank {rank:,} here, below the "
        f"{result.parameters:,} parameters: a softmax model's gradients sum to zero over the "
        "classes, and features that are constant add nothing.",
    )


@unfold.section("What is computed", "formulas")
def formulas(result: AuditResult) -> None:
    st.markdown(
        "With $t_j=\\nabla_\\theta L(q_j)$ the gradient of query $j$'s loss, which the auditor "
        "can compute from the model alone, and $g_i$ that of training sample $i$:"
    )
    st.latex(
        r"\begin{aligned}I(z_i,q_j)&=-\,g_i^{\top}(H+\lambda I)^{-1}t_j=v_i^{\top}t_j\\"
        r"v_i&=-(H+\lambda I)^{-1}g_i\end{aligned}"
    )
    st.markdown(
        "All honest scores of sample $i$ are the row $v_i^{\\top}T$ with $T=(t_1\\dots t_q)$, "
        "and lie in the row space of $T$. With $B$ an orthonormal basis of it (from the "
        "singular value decomposition), the residual of a reported row $r$ is"
    )
    st.latex(r"\frac{\lVert r-rB^{\top}B\rVert_2}{\lVert r\rVert_2}\in[0,1]")
    st.markdown(
        "All is computed in float64: honest rows are off by the rounding and by what solves to "
        "1e−10 leave open, invented ones by nearly all that can be. The tolerance, "
        f"{number(result.tolerance)}, lies between, decades from both."
        f"{thinning(result.residuals.shape[1])}"
    )
    st.markdown(
        "Gaussian numbers leave $\\sqrt{1-\\operatorname{rank}(T)/q}$ on average. The paper "
        "collects a basis of queries first and predicts the scores of new ones; with one "
        "matrix of all queries that is the same test, and it needs no full rank."
    )
    st.markdown(
        "**The careful liar** reports $v^{\\top}T$ with $v=c\\,\\bar g/\\lVert\\bar g"
        "\\rVert^2$, $\\bar g$ the mean gradient of the test points with their own labels: the "
        "mean of the row over them is $c$, whatever $c$ the liar likes."
    )


def live(stored: Stored, exponent: float | None) -> None:
    """Show every row's residual, which is caught or passes while the tolerance is dragged."""
    result: AuditResult = stored.result
    charts.heading("Do the reported scores fit the model?")
    start = float(np.log10(result.tolerance))
    live_threshold.show(
        "audit",
        live_threshold.of_residuals(result, TOLERANCES, STEP),
        start if exponent is None else exponent,
        TOLERANCE,
    )
    st.caption(
        f"Each dot is one training sample with its scores for {result.queries:,} test samples. "
        "True scores misfit by rounding alone. "
        f"{words.rings(result)}"
        f"{mark_origin(badge_of(stored))}"
    )


def show(form: Form, stored: Stored, request: AuditRequest) -> None:
    result: AuditResult = stored.result
    chosen = form.clicked(TOLERANCE, TOLERANCES)
    live(stored, None if chosen is None else float(chosen))
    other_case.show(PAGE)
    players(result)
    by_queries(stored, data_choice.samples_of(request.dataset))
    formulas(result)
    tables = {
        "Residuals": lambda: words.residual_table(result),
        "By queries": lambda: result.growth,
    }
    take_away.show(stored, request, tables, snippet=words.snippet)


QUESTION = Question(
    PAGE,
    "audit",
    "audit",
    openings.audit,
    own,
    "An audit of your own",
    COST,
    openings.no_audit,
)


def page() -> None:
    audit = ExaminedAttack.open(QUESTION)
    with audit.body:
        show(audit.form, audit.stored, audit.request)
    audit.say(words.finding(audit.stored.result))


page()
