"""The workbench: choose a sample on the shelf, attack it, play the attack, hold it against another.

One figure in the browser links all of it; the detailed figures are on the page of the attack.
"""

from dataclasses import dataclass, replace

import streamlit as st

from engine.attacks.result import Ranking
from engine.experiments import AttackRequest, SensitivityRequest, SensitivityResult, cost
from engine.models.model import kinds_for
from engine.options import taken_from
from engine.results.store import Stored
from engine.settings import ROOT
from engine.vocabulary import LINEAR
from pages.attack.parts import bench, honest_ranking, next_tries, pinned, replay_view
from pages.common.asking import controls, data_choice, door, effort, links, progress, targets
from pages.common.asking.controls import Aim, Recipe
from pages.common.asking.form import Form
from pages.common.lab import published_results, registry
from pages.common.lab.shared import datasets, open_dataset, origin
from pages.common.samples import Samples
from pages.common.widgets import badge, sign, unfold
from pages.common.words import wording

PAGE, ATTACK_PAGE = registry.page("lab"), registry.page("move-one-sample")


@dataclass(frozen=True)
class Shown:
    """What the bench shows: a finished attack or, before it, the honest ranking."""

    stored: Stored
    before: Ranking
    accuracy: float
    is_attack: bool


def choose(form: Form, n_train: int, kinds: list[str]) -> tuple[Aim, Recipe]:
    """Return what the attack is to do: in plain words, with the paper's names as notes."""
    box = st.container(key="settings")
    clicked = "The button beside the figure"
    aim: Aim = {
        "radius": controls.radius(form, box, n_train, "How far the model may move (radius)"),
        "k": controls.top(form, box, n_train, "Places that count as the top (k)"),
        "target": controls.target(form, box, n_train, clicked, "Sample to move (target)"),
        "seed": controls.seed(form, box, n_train, "Seed of the starts (seed)"),
    }
    return aim, controls.recipe(form, box, n_train, kinds)


def sensitivity_of(request: AttackRequest) -> SensitivityResult | None:
    """Return how strongly each score depends on the model, where that is published for the same
    ranking."""
    asked = published_results.request_of("sensitivity", request.dataset)
    if asked is None or request.model != LINEAR:
        return None
    same = taken_from(SensitivityRequest, asked, damping=request.damping, l2=request.l2)
    stored = door.find("sensitivity", same)
    return None if stored is None else stored.result


def effort_of(request: AttackRequest, shown: Shown) -> bench.Effort:
    """Return what the attack that is shown has cost, or what one may cost."""
    runs = request.restarts * len(request.learning_rates)
    dataset = open_dataset(request.dataset)
    most = effort.roughly(cost.attack_seconds(dataset, runs, request.steps, request.model))
    if not shown.is_attack:
        return bench.Effort(request.radius, most, "at most, on two processor cores", most)
    made = shown.stored.manifest
    note = f"to find this model, on {made.device}"
    return bench.Effort(request.radius, wording.seconds(made.seconds), note, most)


def next_step(shown: Shown) -> str:
    """Say what helps where the attack that is shown fails."""
    if shown.is_attack and not shown.stored.result.success:
        return "It fails. Below the figure stands what may help."
    return ""


def attack_asked(request: AttackRequest, before: Ranking) -> None:
    """Attack the sample whose button was pressed beside the figure."""
    index = bench.asked_for()
    if index is None:
        return
    if before.ranks[index] <= request.k:
        door.refuse(targets.inside(index, before, request.k))
        return
    next_tries.take(replace(request, targets=(index,)))


def draw(asked: door.Computation[AttackRequest], shown: Shown, samples: Samples) -> None:
    """Draw the bench."""
    request, found = asked.request, sensitivity_of(asked.request)
    steps = replay_view.replay_of(shown.stored, request) if shown.is_attack else None
    if steps is not None:
        data = bench.attacked(shown.stored.result, steps, samples, found)
    else:
        data = bench.honest(shown.before, shown.accuracy, samples, request.targets[0], found)
    state = "running" if asked.is_active else "done" if shown.is_attack else "open"
    inside = f"It is among the {request.k} first already: choose another sample."
    bench.BENCH.show(
        bench.KEY,
        data,
        {
            "k": request.k,
            "state": state,
            "refused": door.why_not("attack", request),
            "bench": bench.words_for(len(samples))
            | effort_of(request, shown).words()
            | {"inside": inside, "next": next_step(shown)},
        },
        attack=lambda: attack_asked(request, shown.before),
    )
    with st.container(horizontal=True):
        sign.note("bench", request.order, width="content")
        badge.note(origin(shown.stored, request.dataset), width="content")
    if shown.is_attack and steps is None:
        st.caption("This result was kept before the lab recorded steps: its page can make them.")


def under_the_bench(
    request: AttackRequest, stored: Stored, kept: AttackRequest | None, samples: Samples
) -> None:
    """Show what can be done with a finished attack: the next try, pinning, its page."""
    if not stored.result.success:
        next_tries.show(request)
    with st.container(horizontal=True, vertical_alignment="center"):
        if kept is None:
            st.button(
                "Pin as A, to compare with another", key="pin", on_click=pinned.pin, args=(request,)
            )
        else:
            st.button("Unpin A", key="unpin", on_click=pinned.pin, args=(None,))
        st.page_link(
            ROOT / ATTACK_PAGE.file,
            label="All figures and files of this attack →",
            query_params={n: str(links.text_of(v)) for n, v in links.values_of(request).items()},
        )
    if kept is not None and kept != request:
        pinned.compare(kept, stored, request, samples)
    elif kept is not None:
        st.caption("This attack is pinned as A. Attack another sample, or change a control.")


def page() -> None:
    with st.container(key="bench-page"):
        st.title(PAGE.title)
        head = st.container()
    form = Form()
    name = controls.dataset_choice(form, datasets())
    samples = Samples(data_choice.opened(name))
    above, stage, below = st.container(), st.container(key="bench-stage"), st.container()
    with st.expander("More settings: how far the model may move, the goal, the starts"):
        aim, recipe = choose(form, len(samples), kinds_for(samples.dataset))
    request = controls.request_of(name, aim, recipe)
    kept = pinned.pinned_attack(form, request, len(samples))
    asked = door.Computation.of("attack", request)
    with head:
        form.finish()
    with above:
        where_it_stands(asked, len(samples))
    honest_ranking.note_chosen(request)
    with stage:
        shown = what_is_shown(asked, samples)
    if shown is None:
        return
    with head:
        answer(shown)
    with stage:
        draw(asked, shown, samples)
    if asked.stored is not None:
        with below:
            under_the_bench(request, asked.stored, kept, samples)
    reading()


def where_it_stands(asked: door.Computation[AttackRequest], n_train: int) -> None:
    """Follow the attack while it runs, and say what became of one without a result."""
    door.show_refusal()
    if asked.job is not None and asked.is_active:
        door.follow(asked.job, progress.draw_attack(asked.request, n_train))
    elif asked.state is not None and asked.stored is None:
        door.explain(asked.state, "The attack")


def answer(shown: Shown) -> None:
    """Say what the page asks, and what the attack that is shown answers."""
    said = f"  \n{wording.climb(shown.stored.result)}" if shown.is_attack else ""
    st.markdown(f"{PAGE.question}{said}")


def what_is_shown(asked: door.Computation[AttackRequest], samples: Samples) -> Shown | None:
    """Return the finished attack or, where there is none, the honest ranking, which is computed
    where it is missing."""
    if asked.stored is not None:
        result = asked.stored.result
        return Shown(asked.stored, result.before, result.accuracy_before, True)
    ranked = honest_ranking.obtain(asked.request, samples.dataset)
    if ranked is None:
        return None
    found = ranked.result
    return Shown(ranked, found.test, found.accuracy_holdout, False)


@unfold.section("How to read this", "reading")
def reading() -> None:
    st.markdown(
        "- **Left**: the chosen sample, and the one button. Below it, all samples that match your "
        "search, in the order of their rank at the step that is shown. The attacked sample has an "
        "orange frame, your choice a plain one.\n"
        "- **Middle**: each line is a sample. It begins at the sample's rank under the honest "
        "model and ends at its rank at the step that is shown. The first ten stand evenly; at the "
        "slanted mark a logarithmic scale begins. The ten that were first are yellow, and dots "
        "where they have fallen behind the first ten. The places that count as the top are "
        "shaded. Click a picture to choose it. The slider below leads from the honest model to the "
        "end of the attack.\n"
        "- **Right**: the price at the step that is shown."
    )


page()
