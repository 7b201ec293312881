"""Can you tell them apart? Two models, one of them malicious: vote, then see their rankings."""

from typing import Literal

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from engine.experiments import PairsRequest, PairsResult, cost
from engine.results.store import Stored
from engine.settings import ROOT
from pages.common.asking import door, links, progress
from pages.common.asking.form import Form, unchoose
from pages.common.figures import ranking
from pages.common.keeping import shelf
from pages.common.lab import published_results, registry
from pages.common.lab.shared import open_dataset
from pages.common.samples import Samples
from pages.common.widgets import blocks, unfold
from pages.common.widgets.figure import FigureBlock
from pages.learn.parts import apart_panels
from pages.learn.parts.apart_panels import Deal

PAGE = registry.page("apart")
ROUND, VOTE = "round", "vote"  # in links and in the session state
ROUNDS = links.Range(0, 10_000)
FIRST_ROUND = 1
NEITHER, SCORE = "none", "apart-score"  # a vote; the session state's name for the rounds voted in
ANSWERS = {"A": "It is model A", "B": "It is model B", NEITHER: "Cannot tell"}


def vote(name: str) -> None:
    st.session_state[VOTE] = name


def next_round() -> None:
    st.session_state[ROUND] = (st.session_state.get(ROUND, FIRST_ROUND) + 1) % 10_000
    unchoose(VOTE)


def ask(dealt: Deal) -> None:
    """Ask for the vote, in one row under the two models, with a clue to weigh."""
    with st.container(horizontal=True, vertical_alignment="center", key="vote-row"):
        st.markdown("**Which is the malicious model?**", width="content")
        for name, label in ANSWERS.items():
            kind: Literal["primary", "secondary"] = "secondary" if name == NEITHER else "primary"
            st.button(label, key=f"vote-{name}", type=kind, on_click=vote, args=(name,))
        with st.popover("Give me a clue"):
            st.markdown(apart_panels.clue(dealt))


def score(number: int, voted: str, malicious: str) -> str:
    """Return this visitor's score over the rounds voted in, this one counted once."""
    outcomes = st.session_state.setdefault(SCORE, {})
    outcomes[number] = "told nothing" if voted == NEITHER else voted == malicious
    given = list(outcomes.values())
    return (
        f"**Your score: {given.count(True)} right, {given.count(False)} wrong, "
        f"{given.count('told nothing')} “cannot tell”.** A coin toss is right half the time."
    )


def reveal(dealt: Deal, pairs: PairsResult, voted: str, number: int) -> None:
    """Say which model is malicious, keep the score, and offer another round."""
    verdict = "Nothing above gives it away"
    if voted != NEITHER:
        verdict = "You found it" if voted == dealt.malicious else "It was the other one"
    with st.container(horizontal=True, vertical_alignment="center", key="vote-row"):
        st.markdown(f"**{verdict}: model {dealt.malicious} is malicious.**", width="content")
        st.button("Play again", key="again", type="primary", on_click=next_round)
    st.markdown(
        f"{score(number, voted, dealt.malicious)} The clue is right in "
        f"{apart_panels.clue_right(pairs)} of the {len(pairs.targets)} pairs of this game. "
        f"{PAGE.finding}"
    )


@unfold.section("Does accuracy tell, or memory?", "tells")
def what_tells(dealt: Deal, pairs: PairsResult, unseen: Samples) -> None:
    """Say why neither accuracy nor a known ranking helps a buyer."""
    truth = unseen.dataset.y_holdout
    better, many = apart_panels.more_accurate(pairs, truth), len(pairs.targets)
    first, second = (apart_panels.accuracy(dealt, name, truth)[1] for name in "AB")
    st.markdown(
        f"Accuracy does not decide it: in {better} of the {many} pairs of this game the malicious "
        f"model is the more accurate one. The 95% intervals here: {first} for model A, {second} "
        "for model B.\n\nThe honest model is the same in every round: whoever remembers its "
        "ranking wins. A buyer has never seen it."
    )


def both_rankings(pairs: PairsResult, train: Samples, pair: int, k: int) -> go.Figure:
    """Draw the ranking under either model, with the target's jump."""
    target = int(pairs.targets[pair])
    return ranking.ranking(pairs.before, train, target, k, pairs.after(pair))


def scores_of(pairs: PairsResult, train: Samples, pair: int) -> pd.DataFrame:
    """Return a table with one row per training sample: rank and score under either model."""
    return pd.DataFrame(
        {
            "sample": np.arange(len(train)),
            "class": train.labels(),
            "rank_before": pairs.honest_ranks,
            "rank_after": pairs.ranks[pair],
            "score_before": pairs.honest_scores,
            "score_after": pairs.scores[pair],
        }
    )


@shelf.kept
def jump_figure(stored: Stored, asked: PairsRequest, train: Samples, pair: int) -> FigureBlock:
    """Make the figure of the two rankings and of the target's place in each."""
    pairs: PairsResult = stored.result
    target = int(pairs.targets[pair])
    return FigureBlock(
        name="ranking",
        key="reveal",
        title=f"Sample {target} jumps from rank {int(pairs.honest_ranks[target]):,} to "
        f"{int(pairs.ranks[pair, target]):,}",
        kind="Influence score against rank, honest and malicious",
        build=both_rankings,
        values=(pairs, train, pair, asked.k),
        table=lambda: scores_of(pairs, train, pair),
        results=(stored,),
        samples=train,
        caption="Whoever sees the malicious ranking alone has nothing to compare it with.",
    )


def game(number: int, voted: str | None) -> None:
    """Play one round: the two models, the vote and, once it is cast, its outcome."""
    asked = published_results.request_of("pairs", links.EXAMPLE.dataset)
    assert asked is not None  # a list without it would be another lab's
    stored = obtained(asked)
    if stored is None:
        return
    pairs: PairsResult = stored.result
    unseen = Samples(open_dataset(links.EXAMPLE.dataset), "holdout")
    dealt = apart_panels.deal(pairs, number)
    target = int(pairs.targets[dealt.pair])
    blocks.html(apart_panels.panels(dealt, target, unseen, voted is not None))
    if voted is None:
        ask(dealt)
    else:
        reveal(dealt, pairs, voted, number)
        jump_figure(stored, asked, Samples(unseen.dataset), dealt.pair).show()
        what_tells(dealt, pairs, unseen)


def obtained(asked: PairsRequest) -> Stored | None:
    """Return the pairs of models; computed (and followed) where they are missing."""
    seconds = door.seconds_of("pairs", asked) or cost.FIXED_SECONDS
    draw = progress.draw_counted("pair")
    return door.obtain("pairs", asked, "The game's pairs of models", draw, seconds)


@unfold.section("Who could do this, and why?", "threat")
def threat_model() -> None:
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


@unfold.section("Try it yourself on other pages", "cards")
def cards() -> None:
    """Link to the views worth opening on the other pages."""
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
    number = form.clicked(ROUND, ROUNDS, FIRST_ROUND)
    voted = form.clicked(VOTE, list(ANSWERS))
    form.finish()
    st.markdown(PAGE.question)
    game(number, voted)
    threat_model()
    cards()


page()
