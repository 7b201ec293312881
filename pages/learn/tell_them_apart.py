"""Can you tell them apart? Two models, one of them malicious: vote, then see their rankings."""

from dataclasses import dataclass
from html import escape

import numpy as np
import plotly.graph_objects as go
import streamlit as st
from numpy.typing import NDArray

from engine.attacks.result import AttackResult
from engine.experiments import cost
from engine.models.model import Model
from engine.results.store import Stored
from engine.settings import ROOT
from engine.statistics import wilson_interval
from pages.common.asking import door, links, progress
from pages.common.asking.form import Form, unchoose
from pages.common.figures import ranking
from pages.common.keeping import shelf
from pages.common.lab import registry
from pages.common.lab.shared import open_dataset
from pages.common.samples import Samples
from pages.common.widgets import blocks, charts
from pages.common.widgets.blocks import portrait
from pages.common.widgets.figure import FigureBlock
from pages.common.words import reproduce, wording

PAGE = registry.page("apart")
ROUND, VOTE = "round", "vote"  # in links and in the session state
ROUNDS = links.Range(0, 10_000)
SHOWN = 8
DISPUTED = 2  # of the shown samples, where the models differ often enough


@dataclass(frozen=True)
class Deal:
    """One round: which of the two models is 'A', and which unseen samples are shown."""

    models: dict[str, Model]
    malicious: str
    shown: NDArray[np.int64]


def deal(result: AttackResult, unseen: Samples, number: int) -> Deal:
    """Deal round `number`, the same for everyone: the shuffle is seeded with it."""
    rng = np.random.default_rng(number)
    malicious = str(rng.choice(["A", "B"]))
    honest = "B" if malicious == "A" else "A"
    models = {malicious: result.model, honest: result.honest}
    X = unseen.dataset.X_holdout
    differ = result.honest.predict(X) != result.model.predict(X)
    disputed = np.flatnonzero(differ)
    disputed = rng.choice(disputed, min(DISPUTED, len(disputed)), replace=False)
    agreed = np.flatnonzero(~differ)
    agreed = rng.choice(agreed, min(SHOWN - len(disputed), len(agreed)), replace=False)
    return Deal(models, malicious, rng.permutation(np.concatenate([agreed, disputed])))


def show_models(dealt: Deal, unseen: Samples) -> None:
    """Show both models' accuracies, and what they say about the same samples."""
    y = unseen.dataset.y_holdout
    said = {name: dealt.models[name].predict(unseen.dataset.X_holdout) for name in ("A", "B")}
    for name, column in zip("AB", st.columns(2), strict=True):
        right = int((said[name] == y).sum())
        low, high = wilson_interval(right, len(y))
        column.metric(
            f"Model {name}: accuracy on {len(y):,} unseen samples",
            wording.percent(right / len(y)),
            f"95% interval {wording.percent(low)} to {wording.percent(high)}",
            delta_color="off",
            delta_arrow="off",
            border=True,
        )

    def line(name: str, i: int) -> str:
        guess = escape(unseen.class_name(said[name][i]))
        wrong = "" if said[name][i] == y[i] else " ✗"
        return f"{name} says <b>“{guess}”</b>{wrong}"

    blocks.grid(
        (
            portrait(unseen, int(i)),
            [line("A", i), line("B", i)],
        )
        for i in dealt.shown
    )
    st.caption(
        f"{len(dealt.shown)} unseen samples drawn at random, {DISPUTED} of them from those on "
        "which the two models differ. ✗ marks a wrong prediction."
    )


def vote(name: str) -> None:
    st.session_state[VOTE] = name


def next_round() -> None:
    st.session_state[ROUND] = (st.session_state.get(ROUND, 0) + 1) % 10_000
    unchoose(VOTE)


def reveal(dealt: Deal, voted: str, stored: Stored) -> None:
    """Say which model is malicious, and show where that can be seen."""
    result: AttackResult = stored.result
    target = result.targets[0]
    train = Samples(open_dataset(links.EXAMPLE.dataset))
    right = voted == dealt.malicious
    verdict = "You found it" if right else "It was the other one"
    st.markdown(
        f"**{verdict}: model {dealt.malicious} is malicious.** A coin toss would be "
        "right half the time. Predictions hardly differ, but look at what each model says the "
        f"training data is worth: sample {target} is at rank "
        f"{int(result.before.ranks[target]):,} under model "
        f"{'B' if dealt.malicious == 'A' else 'A'}, and at rank {result.rank_test:,} under model "
        f"{dealt.malicious}."
    )
    jump_figure(stored, train).show()


def both_rankings(result: AttackResult, train: Samples) -> go.Figure:
    """Draw the ranking under either model, with the target's jump."""
    return ranking.ranking(result.before, train, result.targets[0], result.k, result.after)


@shelf.kept
def jump_figure(stored: Stored, train: Samples) -> FigureBlock:
    """Make the figure of the two rankings and of the target's place in each."""
    result: AttackResult = stored.result
    target = result.targets[0]
    return FigureBlock(
        name="ranking",
        key="reveal",
        title=f"Sample {target} jumps from rank {int(result.before.ranks[target]):,} to "
        f"{result.rank_test:,}",
        kind="Influence score against rank, honest and malicious",
        build=both_rankings,
        values=(result, train),
        table=lambda: reproduce.sample_table(result, train).reset_index(),
        results=(stored,),
        samples=train,
        caption=f"{wording.score_meaning(result.order)} {wording.turnover(result)}. Whoever "
        "sees the malicious ranking alone has nothing to compare it with.",
    )


def game(number: int, voted: str | None) -> None:
    """Play one round: both models, the vote and, once it is cast, its outcome."""
    dataset = open_dataset(links.EXAMPLE.dataset)
    stored = door.obtain(
        "attack",
        links.EXAMPLE,
        "The example",
        progress.draw_attack(links.EXAMPLE, dataset.n_train),
        cost.FIXED_SECONDS,
    )
    if stored is None:
        return
    unseen = Samples(dataset, "holdout")
    dealt = deal(stored.result, unseen, number)
    show_models(dealt, unseen)
    st.markdown("**Which is the malicious one?**")
    with st.container(horizontal=True):
        for name in "AB":
            st.button(
                f"Model {name}",
                key=f"vote-{name}",
                type="primary",
                on_click=vote,
                args=(name,),
                disabled=voted is not None,
            )
        if voted is not None:
            st.button("Play again", key="again", on_click=next_round)
    if voted is not None:
        reveal(dealt, voted, stored)


def threat_model() -> None:
    charts.heading("Who could do this, and why")
    blocks.flow(
        [
            (
                "Data vendors",
                "sell training data and are paid by what their samples are worth.",
                False,
            ),
            (
                "The one who trains",
                "fits the model. An honest one minimises the loss; a malicious one picks a model "
                "nearby, just as accurate, that favours certain samples.",
                True,
            ),
            (
                "Influence calculator",
                "is given model, training and test data, and works out every sample's influence "
                "correctly.",
                False,
            ),
            (
                "Payment",
                "follows the scores: the favoured samples' owner is paid, others are not.",
                False,
            ),
        ]
    )
    st.caption(
        "Nothing is wrong with the calculation, and no data is touched: only the weights of the "
        "model that it is given. The attacker knows the test set used for scoring; accuracy is "
        "measured on data that the attacker never saw."
    )


def cards() -> None:
    """Link to the views worth opening on the other pages."""
    charts.heading("Try it")
    entries = [(entry, preset) for entry in registry.PAGES for preset in entry.presets]
    for column, (entry, preset) in zip(st.columns(len(entries)), entries, strict=True):
        with column.container(border=True, height="stretch"):
            st.markdown(f"**{preset.title}**")
            st.markdown(preset.text)
            st.page_link(
                ROOT / entry.file,
                label="Open it →",
                query_params=dict(preset.parameters),
            )


def page() -> None:
    st.title(PAGE.title)
    form = Form()
    number = form.clicked(ROUND, ROUNDS, 0)
    voted = form.clicked(VOTE, ["A", "B"])
    form.finish()
    st.markdown(f"{PAGE.question} {PAGE.finding}")
    game(number, voted)
    threat_model()
    cards()


page()
