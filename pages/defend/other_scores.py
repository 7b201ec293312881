"""Would another score have noticed? The attacked model under other attributions, and an alarm."""

from typing import Any

import streamlit as st

from engine.data.dataset import Dataset
from engine.experiments import AttributionsRequest, AttributionsResult
from engine.results.store import Stored
from pages.common.asking import controls, form, links
from pages.common.lab import registry
from pages.common.lab.shared import badge_of
from pages.common.widgets import blocks, charts, take_away, unfold
from pages.common.widgets.save_figure import Source
from pages.common.words import wording
from pages.common.words.wording import count
from pages.defend.parts import other_scores_figures as drawn
from pages.defend.parts import other_scores_words as words
from pages.defend.parts.examined_attack import Inquiry

PAGE = registry.page("other-scores")
EXPERIMENT, ROLE = "attributions", "other scores"
COST = (
    "The attack, six scores of two models, and the alarm on a crowd of honest and attacked models: "
    "one to three minutes for digits on a laptop."
)
MOST_NEIGHBOURS = 100


def start(dataset: Dataset) -> AttributionsRequest:
    return AttributionsRequest(dataset.name, neighbours=min(5, dataset.n_train))


def own(dataset: Dataset, opening: AttributionsRequest) -> tuple[dict[str, Any], links.Expected]:
    """The neighbours of kNN-Shapley."""
    most = min(MOST_NEIGHBOURS, dataset.n_train)
    held = st.session_state.get("neighbours")
    if held is not None and held > most:  # left over from another data set
        st.session_state["neighbours"] = opening.neighbours
    neighbours = st.columns([1, 3])[0].number_input(
        "Neighbours",
        1,
        most,
        opening.neighbours,
        1,
        key="neighbours",
        help="Of kNN-Shapley: how many nearest training samples vote on a test point.",
        bind="query-params",
        on_change=form.forget_notes,
    )
    return {"neighbours": int(neighbours)}, {"neighbours": links.Range(1, most)}


def ranks_figure(stored: Stored, badge: str) -> None:
    result: AttributionsResult = stored.result
    title = words.ranks_title(result)
    charts.heading(title, badge)
    charts.chart(
        drawn.target_ranks(result),
        "target-ranks",
        alt=f"Rank of the target by {len(result.names)} attributions under the honest and the "
        f"malicious model. {title}",
        source=Source.of("attributions", lambda: words.sample_table(result), stored),
    )
    st.caption(
        f"Rank 1 is to the right; shaded: the top {result.k}. "
        f"{wording.score_meaning(result.order)} All scores here have that sign. Scores made from "
        "the model's gradient on the test set move with it. Self-influence leaves the test set "
        "out: the attack changes it, but not towards its goal. kNN-Shapley leaves the model out, "
        "and leave-one-out retraining trains anew and honestly, whatever model was handed out: the "
        "attack has no hold on these two. But they rank the sample elsewhere from the start, so "
        "that one look at them proves nothing."
    )


def alarm_figures(stored: Stored, request: AttributionsRequest, badge: str) -> links.Expected:
    """The alarm chosen, and all of them."""
    result: AttributionsResult = stored.result
    by_name = {
        f"{row.score}-{row.kind}": (str(row.kind), str(row.score))
        for row in result.alarms.itertuples()
    }
    main = "-".join(reversed(words.MAIN))
    title_place = st.container()
    name = controls.choice_of(
        st.columns([1, 2])[0],
        "Alarm",
        "alarm",
        list(by_name),
        "Which score is compared with influence, and whether over the whole ranking or by the ten "
        "samples that influence puts first.",
        main,
    )
    kind, score = by_name[name]
    title = words.crowd_title(result, kind, score)
    with title_place:
        charts.heading(title, badge)
    charts.chart(
        drawn.crowd(result, kind, score),
        "crowd",
        alt=f"The alarm's number for honest and attacked models, with its threshold. {title}",
        source=Source.of(f"alarm-{score}-{kind}", lambda: result.models, stored),
    )
    failed = result.count("failed")
    st.caption(
        f"One mark a model. Honest trainers differ: l2 from a tenth to ten times {request.l2:g}, "
        "10 to 1,000 iterations, half to all of the samples. The threshold is set on "
        f"{result.count('known')} of them so that it accuses at most {request.false_alarms:.0%}, "
        f"and tried on {result.count('unknown')} others. Attacked: for {request.n_attacked} "
        f"targets drawn at random, from one start each; {count(failed, 'attack')} that failed "
        f"{'is' if failed == 1 else 'are'} left out. "
        "The attackers did not know of the alarm."
    )
    title = words.alarms_title(result)
    charts.heading(title, badge)
    charts.chart(
        drawn.alarms(result),
        "alarms",
        alt=f"Attacked models found and honest models accused by six alarms. {title}",
        source=Source.of("alarms", lambda: result.alarms, stored),
    )
    st.caption(
        "With 95% Wilson intervals. An AUC is the chance that an attacked model disagrees more "
        "than an honest one. This page opens with kNN-Shapley over the whole ranking, because the "
        "model cannot touch it; the best of six on one crowd may do a little worse on the next."
    )
    in_numbers(result)
    return {"alarm": list(by_name)}


@unfold.section("The alarms in numbers", "alarms")
def in_numbers(result: AttributionsResult) -> None:
    blocks.table(words.alarms_table(result), "What each alarm finds, and whom it accuses")


@unfold.section("What is computed (beyond the paper)", "formulas")
def formulas(request: AttributionsRequest) -> None:
    st.markdown(
        "With $g$ the mean gradient of the test loss, $g_i$ that of training sample $i$ and "
        f"$\\lambda$ = {request.damping:g} the damping:"
    )
    st.latex(
        r"\begin{aligned}"
        r"\text{influence}&:\ -g^{\top}(H+\lambda I)^{-1}g_i\\"
        r"\text{gradient dot product}&:\ -g^{\top}g_i\\"
        r"\text{cosine}&:\ -g^{\top}g_i\,/\,(\lVert g\rVert\lVert g_i\rVert)\\"
        r"\text{relative influence}&:\ I_i\,/\,\lVert(H+\lambda I)^{-1}g_i\rVert\\"
        r"\text{self-influence}&:\ g_i^{\top}(H+\lambda I)^{-1}g_i"
        r"\end{aligned}"
    )
    st.markdown(
        "**kNN-Shapley** is minus the exact Shapley value of sample $i$ in a nearest-neighbour "
        f"classifier ({request.neighbours} neighbours) on the features (Jia et al. 2019): the "
        "model does not enter. **Leave-one-out retraining** is $n$ times the test loss with "
        "the sample minus that without it, each trained to a minimum. **Relative influence** "
        "is that of Barshan et al. (2020)."
    )
    st.markdown(
        "**Disagreement** over the whole ranking is $1-\\rho$ with Spearman's $\\rho$ of "
        "influence and the other score. For the top ten it is the mean $\\log_{10}$ of the "
        "other score's ranks of the ten samples that influence puts first."
    )


def show(stored: Stored, request: AttributionsRequest) -> links.Expected:
    result, badge = stored.result, badge_of(stored)
    ranks_figure(stored, badge)
    for line in words.left_out(result):
        st.warning(line)
    expected: links.Expected = {}
    if result.alarms.empty:
        st.info("No attack of the crowd reached the top k: there is nothing for an alarm to find.")
    else:
        expected = alarm_figures(stored, request, badge)
    formulas(request)
    tables = {
        "Samples": lambda: words.sample_table(result),
        "Models": lambda: result.models,
        "Alarms": lambda: result.alarms,
    }
    take_away.show(stored, request, tables, snippet=words.snippet)
    return expected


def page() -> None:
    inquiry = Inquiry.open(
        PAGE, EXPERIMENT, ROLE, start, own, "A look at another attack", COST, "step"
    )
    if inquiry.stored is None:
        return
    with inquiry.body:
        expected = show(inquiry.stored, inquiry.request)
    badge = badge_of(inquiry.stored)
    with inquiry.head:
        inquiry.notes(expected)
        st.markdown(f"{words.finding(inquiry.stored.result)} :gray-badge[{badge}]")


page()
