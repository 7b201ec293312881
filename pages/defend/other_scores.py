"""Would another score have noticed? The malicious model under other attributions, and an alarm."""

from dataclasses import replace

import pandas as pd
import streamlit as st

from engine.data.dataset import Dataset
from engine.experiments import AttributionsRequest, AttributionsResult
from engine.results.store import Stored
from engine.vocabulary import SCORES
from pages.common.asking import door, links
from pages.common.asking.form import HERE, Form
from pages.common.keeping import shelf
from pages.common.lab import published_results, registry
from pages.common.widgets import blocks, charts, sign, take_away, unfold
from pages.common.widgets.figure import FigureBlock
from pages.common.words.objective_words import NAMES
from pages.common.words.wording import count
from pages.defend.parts import other_case
from pages.defend.parts import other_scores_figures as drawn
from pages.defend.parts import other_scores_words as words
from pages.defend.parts.examined_attack import ExaminedAttack, Question

PAGE = registry.page("other-scores")
OTHERS = "other attackers"  # of published results
COST = (
    "The attack, six scores of two models, and the alarm on many honest and malicious models: "
    "one to three minutes for digits on a laptop."
)
EVERY_COST = (
    "Twelve scores of two models, and 400 models trained on random subsets for Data Banzhaf: a "
    "minute for digits on a laptop."
)
MOST_NEIGHBOURS = 100
ALARM = "alarm"  # in links


def start(dataset: Dataset) -> AttributionsRequest:
    return AttributionsRequest(dataset.name, neighbours=min(5, dataset.n_train))


def own(form: Form, dataset: Dataset, request: AttributionsRequest) -> AttributionsRequest:
    """Return the neighbours of kNN-Shapley."""
    neighbours = form.whole(
        HERE,
        "Neighbours of kNN-Shapley",
        "neighbours",
        links.Range(1, min(MOST_NEIGHBOURS, dataset.n_train)),
        request.neighbours,
        "How many nearest training samples vote on a test point.",
    )
    return replace(request, neighbours=neighbours)


@shelf.kept
def ranks_figure(stored: Stored) -> FigureBlock:
    result: AttributionsResult = stored.result
    return FigureBlock(
        name="attributions",
        key="target-ranks",
        title=words.ranks_title(result),
        kind=f"Rank of the target by {len(result.names)} attributions under the honest and the "
        "malicious model",
        build=drawn.target_ranks,
        values=(result, words.follows(result)[0]),
        table=lambda: words.sample_table(result),
        results=(stored,),
        caption="Orange: moved along with influence, at least half as far on this axis.",
    )


def every_score(request: AttributionsRequest) -> AttributionsRequest:
    """Return a request for the same attack under every score of the lab, with two honest models and
    one malicious model instead of the many that the alarm is tested on."""
    return replace(request, attributions=tuple(SCORES), retrained=0, n_honest=2, n_attacked=1)


@shelf.kept
def every_figure(stored: Stored) -> FigureBlock:
    result: AttributionsResult = stored.result
    return FigureBlock(
        name="every-score",
        title=words.every_title(result),
        kind=f"Rank of the target by all {len(result.names)} scores of the lab under the honest "
        "and the malicious model",
        build=drawn.target_ranks,
        values=(result, words.follows(result)[0]),
        table=lambda: words.sample_table(result),
        results=(stored,),
        caption="K-FAC, EK-FAC and TRAK approximate influence; TracIn adds up checkpoints of an "
        "honest training. kNN-Shapley, Data-OOB and Data Banzhaf never see the model. “Is any "
        "score safe?” attacks each of them.",
    )


@unfold.section("Every score of the lab: TRAK, EK-FAC, TracIn, Data-OOB, Data Banzhaf", "every")
def by_every_score(request: AttributionsRequest, as_asked: bool) -> None:
    asked = door.Computation.of(QUESTION.experiment, every_score(request))
    if asked.stored is None:
        then = "" if as_asked else " Run the attack asked for first: then they are offered for it."
        st.markdown(f"For the attack shown the other six scores are not computed yet.{then}")
        if as_asked:  # else the offer of that run stands at the end of the page
            door.offer([asked], EVERY_COST, "step")
        return
    every_figure(asked.stored).show()
    for line in words.left_out(asked.stored.result):
        st.warning(line)


def choose_alarm(form: Form, result: AttributionsResult) -> tuple[str, str]:
    """Return which alarm is shown model by model: its kind and its score."""
    by_name = {
        f"{row.score}-{row.kind}": (str(row.kind), str(row.score))
        for row in result.alarms.itertuples()
    }
    name = form.choice(
        HERE,
        "Alarm",
        ALARM,
        list(by_name),
        "Which score is compared with influence, and whether over the whole ranking or by the ten "
        "samples that influence puts first.",
        "-".join(reversed(words.MAIN)),
        words=lambda code: words.alarm_name(*by_name[code]),
    )
    return by_name[name]


@shelf.kept
def crowd_figure(
    stored: Stored, request: AttributionsRequest, kind: str, score: str
) -> FigureBlock:
    """Draw one alarm, model by model."""
    result: AttributionsResult = stored.result
    failed = result.count("failed")
    return FigureBlock(
        name=f"alarm-{score}-{kind}",
        key="crowd",
        title=words.crowd_title(result, kind, score),
        kind="The alarm's number for honest and malicious models, with its threshold",
        build=drawn.crowd,
        values=(result, kind, score),
        table=lambda: result.models,
        results=(stored,),
        caption="Each mark is one model. Honest trainers differ: L2 from a tenth to ten times "
        f"{request.l2:g}, 10 to 1,000 iterations, half to all of the samples. The threshold is set "
        f"on {result.count('known')} of them so that it accuses at most "
        f"{request.false_alarms:.0%}, and tried on {result.count('unknown')} others. Attacked: for "
        f"{request.n_attacked} targets drawn at random, from one start each; "
        f"{count(failed, 'attack')} that failed {'is' if failed == 1 else 'are'} left out. "
        "The attackers did not know of the alarm.",
    )


@shelf.kept
def alarms_figure(stored: Stored) -> FigureBlock:
    """Draw all alarms side by side."""
    result: AttributionsResult = stored.result
    return FigureBlock(
        name="alarms",
        title=words.alarms_title(result),
        kind="Malicious models found and honest models accused by six alarms",
        build=drawn.alarms,
        values=(result,),
        table=lambda: result.alarms,
        results=(stored,),
        caption="With 95% Wilson intervals. An AUC is the chance that a malicious model disagrees "
        "more than an honest one. This page opens with kNN-Shapley over the whole ranking, because "
        "the model cannot touch it; the best of six on one crowd may do a little worse on the "
        "next.",
    )


def attackers(request: AttributionsRequest) -> dict[str, AttributionsResult]:
    """Return the published looks at attackers with other goals, by name, where the request is the
    published one: their models and the honest ones are then of the same data and radius."""
    found: dict[str, AttributionsResult] = {}
    if request != published_results.request_of(QUESTION.role, request.dataset):
        return found
    for other in published_results.requests_of(OTHERS, request.dataset):
        stored = door.find_published(QUESTION.experiment, other)
        if stored is not None:
            hides = f" that hides its gradient (weight {other.stealth:g})" if other.stealth else ""
            found[f"{NAMES[other.objective]}{hides}"] = stored.result
    return found


def other_attackers(rows: pd.DataFrame, request: AttributionsRequest) -> None:
    """Show the main alarm against attackers with other goals."""
    if rows.empty:
        return
    charts.heading("The same alarm against attackers with other goals", "precomputed")
    blocks.table(words.others_table(rows), "What the main alarm finds, by the attacker's goal")
    st.caption(
        "kNN-Shapley over the whole ranking, with the threshold set on the same honest models. "
        f"Radius {request.radius:g}, one start for each target; only models that reached the top "
        "count. None of these attackers knew of the alarm."
    )


def along(result: AttributionsResult) -> None:
    rank = result.rank_retrained()
    retrained = (
        ""
        if rank is None
        else f" By retraining the sample is number {rank} of the {len(result.retrained)} left out."
    )
    st.markdown(
        f"{words.apart(result)} All scores here have the sign of influence.\n\n"
        "Scores made from the model's gradient on the test set move with it. Self-influence leaves "
        "the test set out: the attack changes it, but not towards its goal. kNN-Shapley leaves the "
        "model out, and leave-one-out retraining trains anew and honestly, whatever model was "
        f"handed out: the attack has no hold on these two.{retrained} But they rank the sample "
        "elsewhere from the start, so that one look at them proves nothing."
    )


@unfold.section("All alarms, and attackers with other goals", "alarms")
def in_numbers(stored: Stored, request: AttributionsRequest, others: pd.DataFrame) -> None:
    result: AttributionsResult = stored.result
    alarms_figure(stored).show()
    other_attackers(others, request)
    blocks.table(words.alarms_table(result), "What each alarm finds, and whom it accuses")


@unfold.section("Which scores moved along and why; what is computed", "formulas")
def formulas(request: AttributionsRequest, result: AttributionsResult) -> None:
    along(result)
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


def alarm(form: Form, stored: Stored, request: AttributionsRequest, others: pd.DataFrame) -> None:
    """Show, folded unless a link asks for an alarm, what alarms are worth. others: the main one
    against other attackers."""
    result: AttributionsResult = stored.result
    box = unfold.with_controls(
        "Can disagreement between scores raise an alarm?", ALARM, ALARM in st.query_params
    )
    if box is None:
        return
    with box:
        if result.alarms.empty:
            st.info(
                "No attack of the crowd reached the top k: there is nothing for an alarm to find."
            )
        else:
            st.markdown(f"{words.more(result)}{words.against_others(others)}")
            crowd_figure(stored, request, *choose_alarm(form, result)).show()


def show(examined: ExaminedAttack[AttributionsRequest], others: pd.DataFrame) -> None:
    """Draw what stands below the finding. others: the main alarm against other attackers."""
    form, stored, request = examined.form, examined.stored, examined.request
    result: AttributionsResult = stored.result
    sign.note("finding", request.order)
    ranks_figure(stored).show()
    for line in words.left_out(result):
        st.warning(line)
    other_case.show(PAGE)
    alarm(form, stored, request, others)
    if not result.alarms.empty:
        in_numbers(stored, request, others)
    by_every_score(request, examined.as_asked)
    formulas(request, result)
    tables = {
        "Samples": lambda: words.sample_table(result),
        "Models": lambda: result.models,
        "Alarms": lambda: result.alarms,
    }
    take_away.show(stored, request, tables, snippet=words.snippet)


QUESTION = Question(
    PAGE, "attributions", "other scores", start, own, "A look at another attack", COST
)


def page() -> None:
    examined = ExaminedAttack.open(QUESTION)
    others = words.other_attackers(attackers(examined.request))
    with examined.body:
        show(examined, others)
    examined.say(words.finding(examined.stored.result))


page()
