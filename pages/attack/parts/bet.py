"""The bet: which of a few attacked samples moves most easily, asked before it is shown."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import pandas as pd
import streamlit as st

from pages.attack.parts import moved_targets
from pages.common.asking import links
from pages.common.asking.form import Form, unchoose
from pages.common.figures.axes import number
from pages.common.frames import row_of
from pages.common.keeping import shelf
from pages.common.samples import Samples
from pages.common.widgets import blocks, charts
from pages.common.widgets.blocks import portrait
from pages.common.words import rate_words

SAMPLE, ROUND = "bet", "deal"  # in links and in the session state
PLACED = "bet_placed"  # session-state key: data set, k and round of the bet
ROUNDS = 10_000


@dataclass(frozen=True)
class Bet:
    """Which round it is, and the sample that was bet on; None before the bet."""

    round: int = 0
    sample: int | None = None

    @classmethod
    def of(cls, form: Form, dataset: str, k: int, n: int) -> "Bet":
        """Read round and bet, clicked or in the link, on one of n samples. A bet counts where it
        was placed: on other data or another k there is none yet."""
        round_ = form.clicked(ROUND, links.Range(0, ROUNDS - 1), 0)
        place = (dataset, k, round_)
        if st.session_state.setdefault(PLACED, place) != place:
            unchoose(SAMPLE)
        st.session_state[PLACED] = place
        return cls(round_, form.clicked(SAMPLE, links.Range(0, n - 1)))


def place_bet(sample: int) -> None:
    """Handle the button that places the bet."""
    st.session_state[SAMPLE] = sample


def next_round() -> None:
    """Handle the button that deals other samples."""
    st.session_state[ROUND] = (st.session_state.get(ROUND, 0) + 1) % ROUNDS
    unchoose(SAMPLE)


def show(tried: pd.DataFrame, samples: Samples | None, k: int, n: int, placed: Bet) -> list[int]:
    """Draw the bet on a few targets of n samples and, once it is placed, how each of them fared;
    returns them then."""
    dealt = moved_targets.deal(tried, placed.round)
    if not dealt:
        return []
    chosen = placed.sample
    known = chosen in dealt
    charts.heading(
        outcome(tried.loc[dealt], chosen)
        if chosen is not None and known
        else f"Your bet: which of these moves into {rate_words.top(k)} most easily?"
    )
    blocks.grid(cells_of(tried, dealt, samples, known))
    if known and chosen is not None:
        st.markdown(by_sensitivity(tried.loc[dealt], chosen))
        st.caption(
            f"Radius: the smallest of those tried at which some run moved the sample, of {n:,}, "
            f"into {rate_words.top(k)}."
        )
        st.button("Other samples", key="bet-again", on_click=next_round)
        return dealt
    with st.container(horizontal=True):
        for index in dealt:
            st.button(
                f"Sample {index}",
                key=f"bet-{index}",
                type="primary",
                on_click=place_bet,
                args=(index,),
            )
    st.caption(
        "The easiest is the one that the attack moves with the smallest change of the model. "
        "All of them have been attacked; the answer comes with your bet."
    )
    return []


@shelf.kept
def cells_of(
    tried: pd.DataFrame, dealt: Sequence[int], samples: Samples | None, known: bool
) -> list[tuple[str, list[str]]]:
    """Return the pictures of the dealt targets with what is said below each, as HTML; `known`: with
    the smallest radius that moved it, and the sensitivity of its score."""
    cells = []
    for index in dealt:
        row = row_of(tried, index)
        shown = "" if samples is None else portrait(samples, index)
        lines = [f"<b>sample {index}</b>", f"rank {int(row['rank']):,}"]
        if samples is not None:
            lines.insert(1, f"class “{escape(samples.label(index))}”")
        if known:
            lines += [
                f"<b>radius {moved_targets.radius_name(row['least'])}</b>",
                f"sensitivity {number(row['norm'])}",
            ]
        cells.append((shown, lines))
    return cells


def ends(dealt: pd.DataFrame) -> tuple[int, int]:
    """Return the sample that moves most easily, and that with the most sensitive score."""
    return (
        int(dealt.index[int(dealt["least"].argmin())]),
        int(dealt.index[int(dealt["norm"].argmax())]),
    )


def outcome(dealt: pd.DataFrame, chosen: int) -> str:
    """Say whether the bet was won."""
    easiest, _ = ends(dealt)
    if chosen == easiest:
        return f"Sample {chosen}: you won"
    return f"You bet on sample {chosen} and lost: it was sample {easiest}"


def by_sensitivity(dealt: pd.DataFrame, chosen: int) -> str:
    """Say whether the sensitivity would have won the bet."""
    easiest, steepest = ends(dealt)
    if steepest != easiest:
        return f"Betting on the most sensitive score (sample {steepest}) would have lost."
    too = " too" if chosen == easiest else ""
    return f"Betting on the most sensitive score would have won{too}."
