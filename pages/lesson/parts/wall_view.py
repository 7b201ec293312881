"""The wall: everybody's results so far, to be projected; the same when the lesson is over."""

import pandas as pd
import streamlit as st

from engine.attacks.rates import success_rates
from engine.experiments import AttackRequest
from engine.results.store import Stored
from engine.vocabulary import ACCURACY_TOLERANCE
from pages.common.asking import data_choice, door
from pages.common.lab import published_results
from pages.common.widgets import blocks, charts
from pages.common.widgets.blocks import Fact, portrait
from pages.common.widgets.figure import FigureBlock
from pages.common.words.code_names import data_name
from pages.common.words.rate_words import share, top
from pages.lesson.parts import lesson_words as words
from pages.lesson.parts import wall_figures

MOST_PICTURES = 120  # the latest first


def published_sweep(dataset: str) -> Stored | None:
    """Return the published attacks on many targets of this data set; None where none are."""
    request = published_results.request_of("cost", dataset)
    return None if request is None else door.find_published("sweep", request)


@st.cache_resource(max_entries=16, show_spinner=False)
def published_rate(dataset: str, k: int, radius: float) -> pd.Series | None:
    """Return the published success rate of this attack on this data set: the returned model, at any
    cost in accuracy, as on the wall. None where none is published."""
    stored = published_sweep(dataset)
    if stored is None:
        return None
    rates = success_rates(stored.result, ACCURACY_TOLERANCE)
    here = (rates["k"] == k) & (rates["radius"] == radius) & (rates["objective"] == "higher_ranked")
    kind = (rates["split"] == "test") & (rates["form"] == "returned") & (rates["regime"] == "best")
    found = rates[here & kind]
    return found.iloc[0] if len(found) else None


def before(dataset: str, k: int, radius: float) -> None:
    """Show what a class will be compared with, before its lesson begins: the published rate of the
    attack with which a lesson begins unless told otherwise."""
    stored, published = published_sweep(dataset), published_rate(dataset, k, radius)
    if stored is None or published is None:
        return
    hits, attacks = int(published["successes"]), int(published["attacks"])
    said = f"**{words.expected(hits, attacks, k)}** Will your class agree?"
    st.markdown(said)
    FigureBlock(
        name="wall-before",
        title="Your class will stand beside this lab and the paper",
        kind="Share of attacks that succeeded: here, in the paper, and a place for a class",
        build=wall_figures.before,
        values=(hits, attacks, words.PAPER),
        table=lambda: wall_figures.compared(hits, attacks, words.PAPER),
        results=(stored,),
        caption=f"This lab: the model moves by at most {share(radius)}, data set "
        f"“{data_name(dataset)}”. In the paper it moves as far as works best. "
        f"A sample counts here if it is in {top(k)}, even if the model loses accuracy.",
    ).show()


def show(
    table: pd.DataFrame, attack: AttackRequest, running: int = 0, stored: Stored | None = None
) -> None:
    """Show a lesson's results: the finding, four numbers, the figure, and a picture for
    everybody."""
    published = published_rate(attack.dataset, attack.k, attack.radius)
    st.markdown(f"#### {words.finding(table, published)}")
    strip(table, published, running)
    if not len(table):
        return
    FigureBlock(
        name="wall",
        key="wall-figure",
        title="What it costs to rise: each mark is one sample",
        kind="Rank reached, on a log scale, against accuracy lost",
        build=wall_figures.rank_against_price,
        values=(table,),
        table=lambda: wall_figures.exported(table),
        results=() if stored is None else (stored,),
        asked=("attack", attack) if stored is None else None,
        caption=f"Inside the shaded band a sample is in {top(attack.k)}. Dotted lines divide the "
        f"prices that could be bet on. The model moves by at most {share(attack.radius)}, data set "
        f"“{data_name(attack.dataset)}”.",
    ).show()
    pictures(table, attack.dataset)


def strip(table: pd.DataFrame, published: pd.Series | None, running: int) -> None:
    """Show the rate beside the published one and the paper's, and the score of the bets."""
    moved, n = int(table["moved"].sum()), len(table)
    bets = table["points"].dropna()
    ours = Fact("Moved, your class", words.rate(moved, n), words.interval(moved, n))
    known = (
        Fact("Moved, in this lab", "–", "not for these settings")
        if published is None
        else Fact(
            "Moved, in this lab",
            f"{published['rate']:.0%}",
            words.interval(int(published["successes"]), int(published["attacks"])),
        )
    )
    low, high = words.PAPER
    paper = Fact(
        "Moved, in the paper", f"{100 * low:.0f}–{high:.0%}", "its best radius, other data sets"
    )
    right = int((bets == 2).sum())
    score = Fact(
        "The bets",
        words.rate(int(bets.sum()), 2 * len(bets)),
        f"of all points; {right} of {len(bets)} had both right" if len(bets) else "none yet",
    )
    waiting = f'<div class="name">Still running</div><div class="value">{running}</div>'
    done = f'<div class="name">Attacks done</div><div class="value">{n}</div>'
    with st.container(key="wall-strip"):
        blocks.facts(waiting if running else done, [ours, known, paper, score])


def pictures(table: pd.DataFrame, dataset: str) -> None:
    """Show everybody's sample with what came of it, the latest first."""
    samples = data_choice.samples_of(dataset)
    charts.heading("Whose samples they are")
    rows = words.rows_of(table)[::-1][:MOST_PICTURES]
    with st.container(key="wall-pictures"):
        blocks.grid(
            (
                "" if samples is None else portrait(samples, row.sample),
                words.caption_of(row),
            )
            for row in rows
        )
    st.caption(
        "Ranks before and after, the change of accuracy on unseen data, and a dot for each of the "
        "bet's two points."
        + (f" The latest {MOST_PICTURES} of {len(table)}." if len(table) > MOST_PICTURES else "")
    )
