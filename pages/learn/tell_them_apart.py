"""Can you tell them apart? Two models, one of them malicious: vote, then see their rankings."""

from dataclasses import dataclass
from html import escape

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st
from numpy.typing import NDArray

from engine.experiments import PairsRequest, PairsResult, cost
from engine.results.store import Stored
from engine.settings import ROOT
from engine.statistics import wilson_interval
from pages.common.asking import door, links, progress
from pages.common.asking.form import Form, unchoose
from pages.common.figures import ranking
from pages.common.keeping import shelf
from pages.common.lab import published_results, registry
from pages.common.lab.shared import open_dataset
from pages.common.samples import Samples
from pages.common.widgets import blocks, charts
from pages.common.widgets.blocks import portrait
from pages.common.widgets.figure import FigureBlock
from pages.common.words import wording

PAGE = registry.page("apart")
ROUND, VOTE = "round", "vote"  # in links and in the session state
ROUNDS = links.Range(0, 10_000)
SHOWN = 8
DISPUTED = 2  # of the shown samples, where the models differ often enough


@dataclass(frozen=True)
class Deal:
    """One round: which pair it is of, what the two models predict for all unseen samples, which of
    them is malicious, and which samples are shown."""

    pair: int
    said: dict[str, NDArray[np.integer]]
    malicious: str
    shown: NDArray[np.int64]

    @property
    def honest(self) -> str:
        """Return the other model."""
        return "B" if self.malicious == "A" else "A"


def deal(pairs: PairsResult, number: int) -> Deal:
    """Deal round `number`, the same for everyone: the shuffle is seeded with it."""
    rng = np.random.default_rng(number)
    pair = int(rng.integers(len(pairs.targets)))
    malicious = str(rng.choice(["A", "B"]))
    honest = "B" if malicious == "A" else "A"
    said = {malicious: pairs.predictions[pair], honest: pairs.honest_predictions}
    differ = said["A"] != said["B"]
    disputed = np.flatnonzero(differ)
    disputed = rng.choice(disputed, min(DISPUTED, len(disputed)), replace=False)
    agreed = np.flatnonzero(~differ)
    agreed = rng.choice(agreed, min(SHOWN - len(disputed), len(agreed)), replace=False)
    return Deal(pair, said, malicious, rng.permutation(np.concatenate([agreed, disputed])))


def show_predictions(dealt: Deal, unseen: Samples) -> None:
    """Show what both models say about the same samples."""
    y = unseen.dataset.y_holdout

    def line(name: str, i: int) -> str:
        guess = escape(unseen.class_name(dealt.said[name][i]))
        wrong = "" if dealt.said[name][i] == y[i] else " ✗"
        return f"{name} says <b>“{guess}”</b>{wrong}"

    blocks.grid(
        (
            portrait(unseen, int(i)),
            [line("A", i), line("B", i)],
        )
        for i in dealt.shown
    )
    st.caption(
        f"{len(dealt.shown)} unseen samples drawn at random, up to {DISPUTED} of them from those "
        "on which the two models differ. ✗ marks a wrong prediction."
    )


def show_accuracies(dealt: Deal, unseen: Samples) -> None:
    """Show both models' accuracies: after the vote, since neither number tells who is who."""
    y = unseen.dataset.y_holdout
    for name, column in zip("AB", st.columns(2), strict=True):
        right = int((dealt.said[name] == y).sum())
        low, high = wilson_interval(right, len(y))
        column.metric(
            f"Model {name}: accuracy on {len(y):,} unseen samples",
            wording.percent(right / len(y)),
            f"95% interval {wording.percent(low)} to {wording.percent(high)}",
            delta_color="off",
            delta_arrow="off",
            border=True,
        )


def more_accurate(pairs: PairsResult, truth: NDArray[np.integer]) -> int:
    """Return in how many pairs the malicious model is the more accurate one."""
    honest = (pairs.honest_predictions == truth).mean()
    return int(((pairs.predictions == truth).mean(1) > honest).sum())


def vote(name: str) -> None:
    st.session_state[VOTE] = name


def next_round() -> None:
    st.session_state[ROUND] = (st.session_state.get(ROUND, 0) + 1) % 10_000
    unchoose(VOTE)


def reveal(dealt: Deal, voted: str, stored: Stored, asked: PairsRequest, unseen: Samples) -> None:
    """Say which model is malicious, and show where that can be seen."""
    pairs: PairsResult = stored.result
    target, train = int(pairs.targets[dealt.pair]), Samples(unseen.dataset)
    old, new = int(pairs.honest_ranks[target]), int(pairs.ranks[dealt.pair, target])
    verdict = "You found it" if voted == dealt.malicious else "It was the other one"
    better, many = more_accurate(pairs, unseen.dataset.y_holdout), len(pairs.targets)
    st.markdown(
        f"**{verdict}: model {dealt.malicious} is malicious.** A coin toss would be right half the "
        f"time. Sample {target} is at rank {old:,} under model {dealt.honest}, and at rank {new:,} "
        f"under model {dealt.malicious}."
    )
    show_accuracies(dealt, unseen)
    st.caption(
        f"Accuracy does not decide it: in {better} of the {many} pairs of this game the malicious "
        "model is the more accurate one."
    )
    jump_figure(stored, asked, train, dealt.pair).show()


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
    unseen = Samples(open_dataset(links.EXAMPLE.dataset), "holdout")
    dealt = deal(stored.result, number)
    show_predictions(dealt, unseen)
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
        reveal(dealt, voted, stored, asked, unseen)


def obtained(asked: PairsRequest) -> Stored | None:
    """Return the pairs of models; computed (and followed) where they are missing."""
    seconds = door.seconds_of("pairs", asked) or cost.FIXED_SECONDS
    draw = progress.draw_counted("pair")
    return door.obtain("pairs", asked, "The game's pairs of models", draw, seconds)


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
    st.markdown(PAGE.question if voted is None else f"{PAGE.question} {PAGE.finding}")
    game(number, voted)
    threat_model()
    cards()


page()
