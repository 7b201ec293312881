"""The first screen: a real attack, played; would anybody have noticed?"""

from collections.abc import Mapping

import streamlit as st

from engine.attacks.result import AttackResult, Replay
from engine.experiments import cost
from engine.settings import ROOT
from pages.attack.parts import replay_view
from pages.common.asking import door, links, progress
from pages.common.asking.form import Form
from pages.common.lab import navigation, registry
from pages.common.lab.shared import open_dataset, origin
from pages.common.samples import Samples
from pages.common.widgets import replay
from pages.common.widgets.badge import mark_origin
from pages.common.words import wording

PAGE = registry.page("start")
NOTICED, SEEN = "noticed", "seen-the-replay"  # in links; in the session state
ANSWERS = {"yes": "Yes, I would have", "no": "No, I would not"}
FORMER = {"round", "vote"}  # parameters of the page that was the lab's first before
WORDS = replay.Words("your digit", "▶ Be the attacker", "▶ Play again")
TASKS: tuple[tuple[str, str, Mapping[str, str]], ...] = (  # page, words, parameters of its link
    ("story", "The story", {}),
    ("move-one-sample", "Move a sample", {}),
    ("story", "See its cost", {"step": "3"}),
    ("story", "Find the impossible", {"step": "6"}),
    ("story", "Break fairness", {"step": "7"}),
    ("story", "Catch the attacker", {"step": "8"}),
    ("data", "Use my data", {}),
)


def vote(answer: str) -> None:
    st.session_state[NOTICED] = answer


def lead(result: AttackResult, seen: bool, answered: str | None, holdout: int) -> None:
    """Say what the scene is; once the attack was seen, ask whether the visitor would have noticed,
    and answer. Both take the same room, so that the replay below stays where it is."""
    with st.container(horizontal=True, vertical_alignment="center", key="first-lead"):
        if not seen:
            ranks = result.before.ranks
            st.markdown(
                "A buyer ranks digits by how much each matters to a model's predictions, and pays "
                f"rank 1 most. Yours is at {int(ranks[result.targets[0]]):,}. **But you train the "
                "model. Change it a little, and your digit climbs.**"
            )
            return
        st.markdown(
            f"**Accuracy {wording.percent(result.accuracy_before)} → "
            f"{wording.percent(result.accuracy_after)}. Would you have noticed?**"
        )
        for name, label in ANSWERS.items() if answered is None else ():
            st.button(label, key=f"noticed-{name}", on_click=vote, args=(name,))
    if answered is not None:
        st.markdown(answer(result, answered, holdout))


def answer(result: AttackResult, answered: str, holdout: int) -> str:
    """Return what can be said to the vote, from the accuracies' intervals and the rankings."""
    honest, malicious = wording.intervals(result, holdout)
    turnover = wording.turnover(result)
    if honest.overlaps(malicious):
        verdict = "It would be hard to prove" if answered == "yes" else "Hardly anybody could"
        why = (
            "the 95% intervals of both accuracies overlap: a difference this small can come from "
            "chance"
        )
    else:
        verdict = "You could have" if answered == "yes" else "A careful buyer could have"
        why = "the 95% intervals of both accuracies are apart"
    return (
        f"**{verdict}.** On {holdout:,} digits that neither model has seen, {why}. The ranking "
        f"gives the attack away: {turnover[0].lower()}{turnover[1:]}. But the buyer sees one "
        "ranking, and has no honest one to compare it with."
    )


def scene(answered: str | None) -> None:
    """Play the published attack; above it, what it is about."""
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
    result: AttackResult = stored.result
    samples, above = Samples(dataset), st.container()
    found: Replay | None = replay_view.replay_of(stored, links.EXAMPLE)
    if found is None:
        replay_view.show(stored, links.EXAMPLE, samples)
    else:
        film = replay.film(result, found, samples, WORDS)
        if replay.play(film, "first-replay", tells=True):
            st.session_state[SEEN] = True
    seen = answered is not None or found is None or st.session_state.get(SEEN, False)
    with above:
        lead(result, seen, answered, len(dataset.y_holdout))
    st.caption(
        "Every digit stands at its rank, the first at the top. Each step changes the model a "
        "little, never the data. Yellow: the first tenth before the attack."
        f"{mark_origin(origin(stored, links.EXAMPLE.dataset))}"
    )


def onward() -> None:
    """Offer the story, and what a visitor may want to do."""
    with st.container(horizontal=True, vertical_alignment="center", key="onward"):
        st.markdown("Or:", width="content")
        for url, label, parameters in TASKS:
            st.page_link(
                ROOT / registry.page(url).file,
                label=label,
                width="content",
                query_params=parameters,
            )


def page() -> None:
    if FORMER & set(st.query_params):  # a link from when another page was the first
        former = navigation.page_of(registry.page("apart"))
        st.switch_page(former, query_params=dict(st.query_params))
    st.title(PAGE.title)
    form = Form()
    answered = form.clicked(NOTICED, list(ANSWERS))
    scene(answered)
    onward()
    form.finish()


page()
