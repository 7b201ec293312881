"""The class experiment: everybody moves a sample of their own, and bets on it first."""

import numpy as np
import streamlit as st

from engine.attacks.result import Ranking
from engine.errors import EngineError
from engine.experiments import AttackRequest
from engine.experiments.lesson import NICKNAME
from engine.results import lessons
from engine.results.lessons import Lesson, LessonEntry
from engine.settings import ROOT
from pages.common.asking import data_choice, door, links, progress
from pages.common.asking.form import Form
from pages.common.lab import registry, visitors
from pages.common.lab.permissions import Action
from pages.common.lab.shared import datasets, lab, ranking_request, shown
from pages.common.samples import Samples
from pages.common.widgets import charts
from pages.common.widgets.blocks import portrait
from pages.common.words.code_names import data_name
from pages.common.words.rate_words import share, top
from pages.common.words.wording import count
from pages.lesson.parts import lesson_state, steps
from pages.lesson.parts import lesson_words as words

PAGE = registry.page("lesson")
LOOK_SECONDS = 2.0
KS, RADII = (1, 3, 10, 30), (0.1, 0.3, 0.5)  # those of the published rates
MOVES, PRICE, NAME = "bet_moves", "bet_price", "nickname"  # session-state keys
YES, NO = "Yes, it will", "No, it will not"
LEAD = "**Everybody bets on a sample of their own, then attacks it: whose bet is right?**"
ABOUT = (
    "You get a sample of your own. You bet whether an attack can move it to the top, and at what "
    "price. Then you run the attack. The wall shows everybody's results."
)


@st.fragment(run_every=LOOK_SECONDS)
def until_it_begins() -> None:
    """Wait for the teacher."""
    if lesson_state.current() is not None:
        st.rerun()
    st.info("The teacher has not begun a lesson yet. This page goes on by itself once one begins.")


def begin() -> None:
    """Open a lesson with what is chosen now, as a button's callback."""
    chosen = {name: st.session_state[name] for name in ("dataset", "k", "radius")}
    lesson_state.begin(links.request_of(chosen | {"target": 0}))


def begin_form(form: Form) -> None:
    """Show what the lesson is about, and the button that opens it."""
    st.markdown("**Students:** wait here. Your sample appears once the lesson begins.")
    charts.heading("Teacher: begin a lesson")
    first, second, third = st.columns(3)
    form.choice(
        first,
        "Data set",
        "dataset",
        datasets(),
        "Whose samples are dealt.",
        lesson_state.DATASET,
        words=data_name,
    )
    form.choice(
        second,
        "Into the top",
        "k",
        KS,
        "The rank to reach.",
        lesson_state.K,
        nearest=True,
        carried=False,
    )
    form.choice(
        third,
        "How far the model may move",
        "radius",
        RADII,
        "How far the malicious model may lie from the honest one, as a share of its weights' "
        "size (norm): the paper's radius. Farther moves more samples and costs more.",
        lesson_state.RADIUS,
        nearest=True,
        carried=False,
        words=share,
    )
    st.button("Begin the lesson", type="primary", key="begin", on_click=begin)


def honest(attack: AttackRequest) -> Ranking | None:
    """Return the honest ranking, computed where it is missing."""
    stored = door.obtain(
        "ranking",
        ranking_request(attack),
        "The honest ranking",
        progress.draw_plain("Ranking the samples under the honest model"),
        0.0,
        chosen=True,
    )
    if stored is None:
        return None
    before: Ranking = stored.result.test
    return before


def draw(lesson: Lesson, before: Ranking) -> None:
    """Deal the visitor a sample, as a button's callback."""
    candidates = np.flatnonzero(before.ranks > lesson.attack.k).tolist()
    lessons.deal(lesson, visitors.current().id, candidates)


def take(lesson: Lesson, before: Ranking) -> None:
    """Give the visitor the sample whose number they typed, as a button's callback."""
    sample = int(st.session_state["own_sample"])
    if before.ranks[sample] <= lesson.attack.k:
        door.refuse(f"Sample {sample} is in {top(lesson.attack.k)} already. Choose another.")
    else:
        lessons.choose(lesson, visitors.current().id, sample)


def attack(lesson: Lesson) -> None:
    """Place the bet and ask for the attack, as a button's callback."""
    visitor = visitors.current().id
    sample = lessons.hand(lesson, visitor)
    moves, price = st.session_state.get(MOVES), st.session_state.get(PRICE)
    if sample is None or moves is None or price is None:
        door.refuse("Bet on both first: whether it will move, and what it will cost.")
        return
    try:
        job = door.ask("attack", lesson.request(sample))
        lessons.enter(
            lesson,
            lab().settings.cache_dir,
            visitor,
            st.session_state.get(NAME) or "",
            "yes" if moves == YES else "no",
            words.price_names().index(price),
            job,
        )
    except EngineError as error:
        door.refuse(shown(error))
        return
    for key in (MOVES, PRICE):
        st.session_state.pop(key, None)


def deal_form(lesson: Lesson, before: Ranking, first: bool) -> None:
    """Let the visitor be dealt a sample, or choose one."""
    if first:
        st.markdown(ABOUT)
    charts.heading("1 · Your sample" if first else "Another one?")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.button(
            "Deal me a sample", type="primary", key="deal", on_click=draw, args=(lesson, before)
        )
        st.number_input(
            "or its number",
            0,
            len(before.ranks) - 1,
            16,
            key="own_sample",
            width=130,
        )
        st.button("Take this one", key="take", on_click=take, args=(lesson, before))


def bet_form(lesson: Lesson, before: Ranking, samples: Samples, sample: int) -> None:
    """Show the sample, the two bets, and the button that begins the attack."""
    attacked, n = lesson.attack, len(before.ranks)
    charts.heading(f"1 · Your sample: number {sample}, at rank {int(before.ranks[sample]):,}")
    left, right = st.columns([1, 3], vertical_alignment="center")
    with left, st.container(key="own-portrait"):
        st.html(portrait(samples, sample))
    with right:
        st.markdown(
            f"It is {samples.describe(sample)}, one of {n:,}. You train the model: you may change "
            f"it by at most {share(attacked.radius)}, so that this sample ends in "
            f"**{top(attacked.k)}**."
        )
        st.button("Deal me another", key="deal", on_click=draw, args=(lesson, before))
    charts.heading("2 · Your bet")
    st.segmented_control(f"Will it end in {top(attacked.k)}?", [YES, NO], key=MOVES)
    st.segmented_control(
        "How much accuracy on unseen data will the attack cost?", words.price_names(), key=PRICE
    )
    st.text_input(
        "Nickname, if you like: everybody can read it on the wall",
        key=NAME,
        max_chars=NICKNAME,
        width=320,
    )
    why = door.why_not("attack", lesson.request(sample))
    st.button(
        "Place the bet and attack",
        type="primary",
        key="attack",
        disabled=bool(why),
        on_click=attack,
        args=(lesson,),
    )
    if why:
        st.caption(why)


def under_way(lesson: Lesson, entry: LessonEntry, samples: Samples) -> None:
    """Show the visitor's attack: its progress, or why it ended without a result."""
    request = lesson.request(entry.sample)
    found = door.Computation.of("attack", request)
    charts.heading(f"3 · The attack on sample {entry.sample}")
    st.caption(words.bet(entry.moves, entry.price, lesson.attack.k))
    if found.job is not None and found.is_active:
        door.follow(found.job, progress.draw_attack(request, len(samples)))
        return
    if found.stored is not None:
        st.rerun()
    if found.state is not None:
        door.explain(found.state, "Your attack")
    st.button(
        "Start again", key="again", type="primary", on_click=door.submit, args=("attack", request)
    )


def own_results(lesson: Lesson, known: lesson_state.Seen, visitor: str, samples: Samples) -> None:
    """Show what came of the visitor's bets, the latest first."""
    rows = words.rows_of(known.table(lesson.attack.k))
    mine = [place for place, entry in enumerate(known.done) if entry.visitor == visitor]
    for place in reversed(mine):
        row = rows[place]
        left, right = st.columns([1, 5], vertical_alignment="center")
        with left, st.container(key=f"own-{place}"):
            st.html(portrait(samples, row.sample))
        with right:
            st.markdown(words.verdict(row))
            st.page_link(
                ROOT / registry.page("move-one-sample").file,
                label="See the whole attack →",
                query_params={
                    name: str(value)
                    for name, value in links.values_of(lesson.request(row.sample)).items()
                },
            )


def take_part(lesson: Lesson) -> None:
    """Show what comes next for the visitor: sample, bet, attack or outcome."""
    samples = Samples(data_choice.opened(lesson.attack.dataset))
    before = honest(lesson.attack)
    if before is None:
        return
    visitor = visitors.current().id
    known = lesson_state.look(lesson)
    own, sample = known.of(visitor), lessons.hand(lesson, visitor)
    going = [entry for entry in known.waiting if entry.visitor == visitor]
    if sample is not None:
        bet_form(lesson, before, samples, sample)
    elif going:
        under_way(lesson, going[0], samples)
    door.show_refusal()
    if own:
        own_results(lesson, known, visitor, samples)
    if sample is None and not going:
        if visitors.is_limited() and len(own) >= lesson_state.MOST_TRIES:
            st.caption(f"You have attacked {count(len(own), 'sample')}: look at the wall now.")
        else:
            deal_form(lesson, before, first=not own)
            door.show_refusal()


def page() -> None:
    st.title(PAGE.title)
    form, lesson = Form(), lesson_state.current()
    if lesson is None:
        st.markdown(LEAD)
        door.show_refusal()
        steps.show(large=True)
        if visitors.refusal(Action.LESSON):
            until_it_begins()
        else:
            begin_form(form)
    else:
        take_part(lesson)
        st.page_link(ROOT / registry.page("wall").file, label="The wall: what everybody found →")
    form.finish()


page()
