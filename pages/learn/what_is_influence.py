"""What is influence? One test image's most influential samples, and scores against retraining."""

from collections.abc import Mapping
from html import escape

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from engine.experiments import (
    ExplainRequest,
    ExplainResult,
    LeaveOneOutRequest,
    LeaveOneOutResult,
    RankingRequest,
    cost,
)
from engine.results.store import Stored
from pages.common.asking import data_choice, door, effort, halves, links, progress
from pages.common.asking.controls import dataset_choice
from pages.common.asking.form import Form, forget_notes, keep_choice
from pages.common.figures.axes import number, thinning
from pages.common.keeping import shelf
from pages.common.lab import published_results, registry
from pages.common.lab.shared import badge_of, is_here
from pages.common.samples import Samples
from pages.common.widgets import badge, blocks, charts, sign, take_away, unfold
from pages.common.widgets.blocks import Fact, portrait
from pages.common.widgets.figure import FigureBlock
from pages.common.words import code_names, halves_words, reproduce
from pages.common.words.code_names import data_name
from pages.common.words.wording import percent, plain, rank_one
from pages.learn.parts import (
    halves_figures,
    influence_figures,
    pulls,
    retraining,
    retraining_agreement,
)
from pages.learn.parts.retraining_agreement import decimal_3

PAGE = registry.page("influence")
EXPLAIN = "explain"


def choose_image(form: Form, name: str, n_test: int) -> int:
    """Choose the test image, in the sidebar."""
    published = published_results.request_of(EXPLAIN, name)
    image = form.whole(
        st.sidebar,
        "Test sample",
        "image",
        links.Range(0, n_test - 1),
        0 if published is None else min(published.image, n_test - 1),
        "Number of a sample in the test half; the training samples are ranked by their influence "
        "on its loss.",
    )
    keep_choice(image=image)
    return image


def another(indices: NDArray[np.int64]) -> None:
    """Show one of these test samples at random, as a button's callback."""
    st.session_state["image"] = int(np.random.default_rng().choice(indices))
    forget_notes()


def buttons(samples: Samples, request: ExplainRequest) -> None:
    """Offer other test images: any, or one that the honest model gets wrong (where it is known)."""
    dataset = samples.dataset
    asked = RankingRequest(request.dataset, damping=request.damping, l2=request.l2)
    ranked = door.find("ranking", asked)
    with st.container(horizontal=True):  # they wrap in a narrow column
        everything = np.arange(len(dataset.y_test))
        st.button("Another at random", key="any", on_click=another, args=(everything,))
        if ranked is not None:
            said = ranked.result.model.predict(dataset.X_test)
            wrong = np.flatnonzero(said != dataset.y_test)
            st.button(
                "One that the model gets wrong",
                key="wrong",
                disabled=not len(wrong),
                on_click=another,
                args=(wrong,),
            )


def cells(
    result: ExplainResult, samples: Samples, indices: NDArray[np.int64], side: blocks.Side
) -> None:
    """Show training samples with score, label and rank."""
    shown = [
        (
            portrait(samples, int(i)),
            [
                f"<b>{signed(float(result.ranking.scores[i]))}</b>",
                f'<span class="note" title="sample {i}">“{escape(samples.label(int(i)))}”, '
                f"rank {int(result.ranking.ranks[i]):,}</span>",
            ],
        )
        for i in indices
    ]
    blocks.grid(shown, side)


def signed(score: float) -> str:
    """Return a score with its sign, which says what the sample does."""
    return f"+{number(score)}" if score > 0 else number(score)


@shelf.kept
def concentration(result: ExplainResult) -> tuple[int, float]:
    """Count a hundredth of the samples, and add up the share of all influence (of absolute scores)
    that as many of them, the strongest, have."""
    sizes = np.sort(np.abs(result.ranking.scores))[::-1]
    first = max(len(sizes) // 100, 1)
    return first, float(sizes[:first].sum() / sizes.sum())


def facts(result: ExplainResult, train: Samples, test: Samples, image: int) -> None:
    """Show the test sample, and what the honest model makes of it."""
    truth, said = train.class_name(result.label), train.class_name(result.predicted)
    lead = portrait(test, image)
    lead += f'<div class="note">test sample {image}, class “{escape(truth)}”</div>'
    blocks.facts(
        lead,
        [
            Fact(
                "The honest model says",
                f"“{said}”",
                "right" if said == truth else f"wrong: it is “{truth}”",
            ),
            Fact(
                f"Probability that it gives “{truth}”",
                percent(float(result.probabilities[result.label])),
            ),
        ],
    )


def one_image(stored: Stored, request: ExplainRequest, train: Samples) -> None:
    """Show the most and the least influential samples of one test image."""
    result: ExplainResult = stored.result
    test = Samples(train.dataset, "test")
    with st.container(key="one-image"):
        seen, others = st.columns([5, 2], vertical_alignment="center")
        with seen:
            facts(result, train, test, request.image)
        with others:
            buttons(train, request)
    up, down = pulls.ends(result.ranking)
    sides: tuple[tuple[NDArray[np.int64], blocks.Side, str], ...] = (
        (up, "up", "These make the prediction worse (+)"),
        (down, "down", "These make it better (−)"),
    )
    for column, (indices, side, heading) in zip(st.columns(2, gap="medium"), sides, strict=True):
        with column:
            most, many = pulls.most_common(train, indices)
            charts.heading(heading)
            cells(result, train, indices, side)
            st.caption(f"{many} of these {len(indices)} are of class “{most}”.")
    st.caption(
        "Scores have no unit: they compare samples. Here the loss is that of this one test sample; "
        f"on other pages, of all test samples.{badge.mark_origin(badge_of(stored))}"
    )
    every_sample(stored, request, train, len(up))


@unfold.section("How is the influence spread over all training samples?", "spread")
def every_sample(stored: Stored, request: ExplainRequest, train: Samples, shown: int) -> None:
    share_figure(stored, request, train, shown).show()


@shelf.kept
def share_figure(
    stored: Stored, request: ExplainRequest, train: Samples, shown: int
) -> FigureBlock:
    """Make the figure of every training sample's score for the test sample."""
    result: ExplainResult = stored.result
    n = len(train)
    first, share = concentration(result)
    return FigureBlock(
        name="influence",
        key=f"image-{request.image}",
        title=f"Few samples matter: the strongest 1% have {share:.0%} of all influence on it"
        if first * 100 <= n
        else "How much each sample matters",
        kind="Influence of every training sample on one test sample against its rank, from the top "
        "and from the bottom",
        build=influence_figures.one_sample,
        values=(result.ranking, train, shown),
        table=lambda: scores_table(result, train),
        results=(stored,),
        samples=train,
        at=influence_figures.SAMPLE_IN_ONE,
        caption="Each mark is one training sample.",
        details="Ranks are on log axes, counted from the top on the "
        f"left and to the bottom on the right. Damping {request.damping:g}, model trained with l2 "
        f"{request.l2:g}. On every other page a score is the mean of these over the test half."
        f"{thinning(n)}",
    )


def image_section(name: str, image: int, train: Samples) -> tuple[ExplainRequest, Stored] | None:
    """Show one test sample's influence; have it computed where it is missing. Returns what is
    shown."""
    charts.heading("Which training samples decide this prediction?")
    request = ExplainRequest(name, image)
    stored = door.obtain(
        EXPLAIN,
        request,
        "The influence on this sample",
        progress.draw_plain(
            f"Training the model and solving for this sample{effort.training(train.dataset)}"
        ),
        cost.honest_seconds(train.dataset),
    )
    if stored is None:
        return None
    one_image(stored, request, train)
    return request, stored


def scores_table(result: ExplainResult, train: Samples) -> pd.DataFrame:
    return reproduce.ranking_table(result.ranking, train.labels())


def finding(name: str, matching: Stored | None, usual: Stored | None) -> str:
    """Say how well scores agree with retraining."""
    if matching is None or usual is None:
        return (
            "A score estimates how much better or worse the model predicts without the sample. "
            f"Whether it does for “{plain(name)}” is not computed yet."
        )
    _, best = retraining_agreement.correlations(matching.result.table)
    _, common = retraining_agreement.correlations(usual.result.table)
    return (
        "A score estimates how much better or worse the model predicts test data without one "
        f"training sample. **Training again without it gives {alike(best)} (rank "
        f"correlation {decimal_3(best)}); at the usual settings {alike(common)} "
        f"({decimal_3(common)}).**"
    )


def alike(correlation: float) -> str:
    """Say how much the order by score is that by retraining."""
    return "almost the same order" if correlation >= retraining.CLOSE else "only a similar one"


@unfold.section("What is computed (Definition 1, Equation 3)", "formulas")
def formulas() -> None:
    st.markdown(f"**The order.** {rank_one(sign.USUAL)} A buyer pays the top of the ranking most.")
    blocks.prose("learn/texts/influence.md")


@unfold.section("Would another test set rank the samples the same?", "halves")
def two_halves(name: str) -> None:
    """Compare two honest rankings, on every data set that is published and on the chosen one."""
    request = halves.request_for(name)
    stored = halves.stored_for(name)
    if stored is not None:
        st.markdown(halves_words.finding(stored.result))
    if stored is None and is_here(name):
        stored = door.obtain(
            halves.EXPERIMENT,
            request,
            "The comparison of two honest rankings",
            progress.draw_plain("Ranking the samples by many halves of the test data"),
            cost.sensitivity_seconds(data_choice.opened(name), 2 * request.draws),
        )
    everything = halves.published() | ({} if stored is None else {name: stored})
    if everything:
        halves_figure(everything, name).show()


@shelf.kept
def halves_figure(found: Mapping[str, Stored], name: str) -> FigureBlock:
    tables = {code_names.in_prose(data): stored.result for data, stored in found.items()}
    own = tables.get(code_names.in_prose(name))
    return FigureBlock(
        name="halves",
        title=halves_words.title(tables),
        kind="Rank correlation of two honest rankings, for every way to halve the test data",
        build=halves_figures.agreement,
        values=(halves_figures.all_of(tables),),
        results=tuple(found.values()),
        caption=halves_words.caption(own),
    )


def files_and_code(
    explained: tuple[ExplainRequest, Stored] | None,
    retrained: tuple[LeaveOneOutRequest, Stored] | None,
    train: Samples | None,
) -> None:
    """Offer files and code of what the page shows."""
    if explained is not None and train is not None:
        request, stored = explained
        result: ExplainResult = stored.result
        tables = {"Scores": lambda: scores_table(result, train)}
        label = "Take this test sample with you"
        take_away.folded(label, "take-sample", stored, request, tables)
    if retrained is not None:
        asked, kept = retrained
        rows: LeaveOneOutResult = kept.result
        tables = {"Retraining": lambda: rows.table}
        label = "Take the retraining with you"
        take_away.folded(label, "take-retraining", kept, asked, tables)


def page() -> None:
    st.title(PAGE.title)
    form = Form()
    name = dataset_choice(form, data_choice.names_of(EXPLAIN))
    train = data_choice.samples_of(name)  # stops the page where the data cannot be used
    found = retraining.find_all(name)
    head, images = st.container(), st.container()
    image = 0 if train is None else choose_image(form, name, len(train.dataset.y_test))
    said = finding(name, found[retraining.MATCHING], found[retraining.USUAL])
    retrained = retraining.section(form, name, train, found, said)
    with head:
        form.finish()
        known = None if train is None else door.find(EXPLAIN, ExplainRequest(name, image))
        told = "" if train is None or known is None else f" {pulls.answer(known.result, train)}"
        st.markdown(f"{pulls.QUESTION}{told}")
    explained = None
    with images:
        if train is not None:
            explained = image_section(name, image, train)
        else:
            st.info(
                f"The data set “{data_name(name)}” is not on this machine: only what is "
                "published can be shown."
            )
    two_halves(name)
    formulas()
    files_and_code(explained, retrained, train)


page()
