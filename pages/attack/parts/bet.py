"""The bet: which of a few attacked samples moves most easily, asked before it is shown."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import pandas as pd
import streamlit as st

from pages.attack.parts import moved_targets
from pages.common.asking import links
from pages.common.asking.form import Form, unchoose
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
    known = chosen is not None and chosen in dealt
    with st.container(border=True):
        if chosen is not None and known:
            told(tried, samples, dealt, chosen, k, n)
            return dealt
        ask(tried, samples, dealt, n)
    return []


def ask(tried: pd.DataFrame, samples: Samples | None, dealt: Sequence[int], n: int) -> None:
    """Show the dealt targets of n samples, each with the button that bets on it."""
    charts.heading("Bet with this clue: which moves most easily?")
    st.caption(
        "The clue is sensitivity: samples are numbered by it, the most sensitive first. The answer "
        "comes with your bet."
    )
    for index in dealt:
        with st.container(horizontal=True, vertical_alignment="center"):
            blocks.html(card(tried, index, samples, n, known=False))
            st.button(
                f"Bet on {index}",
                key=f"bet-{index}",
                on_click=place_bet,
                args=(index,),
            )


def told(
    tried: pd.DataFrame,
    samples: Samples | None,
    dealt: Sequence[int],
    chosen: int,
    k: int,
    n: int,
) -> None:
    """Show how each of the dealt targets fared, and a way to others."""
    charts.heading(outcome(tried.loc[list(dealt)], chosen))
    for index in dealt:
        blocks.html(card(tried, index, samples, n, known=True))
    st.markdown(by_sensitivity(tried.loc[list(dealt)], chosen))
    st.caption(
        f"Radius: the smallest of those tried at which some run moved the sample, of {n:,}, "
        f"into {rate_words.top(k)}."
    )
    st.button("Other samples", key="bet-again", on_click=next_round)


@shelf.kept
def card(tried: pd.DataFrame, index: int, samples: Samples | None, n: int, known: bool) -> str:
    """Return the picture of a target, one of n samples, with what is said beside it, as HTML;
    `known`: also with the smallest radius that moved it. tried: of `moved_targets.attempts`."""
    row = row_of(tried, index)
    shown = "" if samples is None else portrait(samples, index)
    class_ = "" if samples is None else f"class “{escape(samples.label(index))}”"
    named = [f"<b>sample {index}</b>"] if known or not class_ else []
    lines = [
        ", ".join([*named, *([class_] if class_ else [])]),
        f"rank {int(row['rank']):,} of {n:,}",
    ]
    sensitivity = f"sensitivity no. {1 + (tried['norm'] > row['norm']).sum()}"
    least = f"<b>radius {moved_targets.radius_name(row['least'])}</b>, " if known else ""
    lines.append(f"{least}{sensitivity}")
    said = "".join(f"<div>{line}</div>" for line in lines)
    return f'<div class="ial-cell beside">{shown}<div>{said}</div></div>'


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
