"""Move one sample to the top: Algorithms 1 to 3 on one target, live."""

from functools import partial

import streamlit as st

from engine.attacks.result import Ranking
from engine.experiments import AttackRequest, cost
from engine.models.model import Model, kinds_for
from engine.results.store import Stored
from engine.settings import ROOT
from engine.vocabulary import LINEAR
from pages.attack.parts import (
    attack_formulas,
    attack_view,
    honest_ranking,
    model_words,
    next_tries,
    replay_view,
)
from pages.common.asking import controls, data_choice, door, effort, links, progress, targets
from pages.common.asking.controls import Aim
from pages.common.asking.form import Form, Place
from pages.common.asking.not_here import unanswered
from pages.common.figures import ranking
from pages.common.lab import registry
from pages.common.lab.shared import datasets, open_dataset, origin
from pages.common.samples import Samples
from pages.common.widgets import badge
from pages.common.widgets.figure import FigureBlock
from pages.common.words import reproduce, wording

PAGE, BENCH = registry.page("move-one-sample"), registry.page("lab")


def example_line(dataset: str) -> None:
    """Show the published example, while something else of its data is chosen; of other data the
    question alone: the example's numbers would read as theirs."""
    if dataset != links.EXAMPLE.dataset:
        st.markdown(unanswered(PAGE, dataset))
        return
    example = door.find("attack", links.EXAMPLE)
    if example is None:
        st.markdown(PAGE.finding)
        return
    badge = origin(example, links.EXAMPLE.dataset)
    st.markdown(f"{wording.headline(example.result)} :gray-badge[example, {badge}]")


def attack_bar(
    asked: door.Computation,
    before: Ranking | None,
    honest: Model | None,
) -> None:
    """Show what will happen, and the button that makes it happen; of a finished attack, what comes
    next."""
    request, computed = asked.request, asked.stored is not None
    refused = before is not None and before.ranks[request.targets[0]] <= request.k
    not_now = "" if computed else door.why_not("attack", request)
    if before is not None and not computed:
        what_happens(request, before, refused)
    if not_now:
        st.caption(not_now)
    if honest is not None and request.model != LINEAR:
        st.caption(model_words.about(request.model, honest))
    if asked.state is not None and not computed and not asked.is_active:
        door.explain(asked.state, "The attack")
        damage = asked.damage()
        if damage is not None:
            st.warning(f"An earlier result of this attack was damaged and is not shown: {damage}")
    with st.container(horizontal=True, vertical_alignment="center"):
        if not computed:
            st.button(
                "Start again" if asked.has_ended else "Run the attack",
                type="primary",
                key="run",
                disabled=before is None or refused or asked.is_active or bool(not_now),
                on_click=door.submit,
                args=("attack", request),
            )
        st.button(
            "Another target at random",
            key="random",
            disabled=before is None,
            on_click=targets.random_target,
            args=(before, request.k),
        )
        st.page_link(ROOT / BENCH.file, label="Choose a sample by its picture →")
        if asked.stored is not None:
            badge.note(origin(asked.stored, request.dataset), width="content")


def what_happens(request: AttackRequest, before: Ranking, refused: bool) -> None:
    """Say what the attack will look for and how long it takes, or why there is none."""
    target, runs = request.targets[0], request.restarts * len(request.learning_rates)
    if refused:
        st.error(targets.inside(target, before, request.k))
        return
    seconds = cost.attack_seconds(open_dataset(request.dataset), runs, request.steps, request.model)
    long = f" {effort.at_most(seconds)}" if seconds > effort.LONG_SECONDS else ""
    st.caption(
        f"{runs} runs of at most {request.steps} steps each look for a model near the honest "
        f"one that moves sample {target} from rank {int(before.ranks[target]):,} into the top "
        f"{request.k}.{long}"
    )


def prospect(request: AttackRequest, samples: Samples, ranked: Stored) -> None:
    """Show the honest ranking before the attack; the target is ringed, and a click chooses
    another."""
    before: Ranking = ranked.result.test
    target = request.targets[0]
    key = f"prospect-{target}-{request.k}"
    FigureBlock(
        name="ranking",
        key=key,
        title=f"Under the honest model, sample {target} is at rank {int(before.ranks[target]):,}",
        kind="Influence score against rank under the honest model",
        build=ranking.ranking,
        values=(before, samples, target, request.k),
        table=lambda: reproduce.ranking_table(before, samples.labels()),
        results=(ranked,),
        caption="Click any point to make it the target.",
        samples=samples,
        on_select=partial(targets.pick, key, before, request.k),
    ).show()


def answer(stored: Stored, request: AttackRequest, samples: Samples) -> None:
    """Show what the page asks, what a finished attack answers, and the attack step by step."""
    st.markdown(f"{PAGE.question} {wording.headline(stored.result, 'Yes: ')}")
    replay_view.show(stored, request, samples)


def choose(form: Form, box: Place, n_train: int) -> Aim:
    """Draw the controls of target, k and radius in the sidebar, and of the seed in `box`."""
    left, right = st.sidebar.columns(2)
    return {
        "target": controls.target(form, left, n_train),
        "k": controls.top(form, right, n_train),
        "radius": controls.radius(form, st.sidebar, n_train),
        "seed": controls.seed(form, box, n_train, "Seed of the starts (seed)"),
    }


def page() -> None:
    st.title(PAGE.title)
    form = Form()
    name = controls.dataset_choice(form, datasets())
    samples = Samples(data_choice.opened(name))
    head, bar, body = st.container(), st.container(), st.container()
    with st.expander("More settings: the goal, the starts, the kind of model"):
        box = st.container(key="settings")
        aim = choose(form, box, len(samples))
        recipe = controls.recipe(form, box, len(samples), kinds_for(samples.dataset))
    request = controls.request_of(name, aim, recipe)
    asked = door.Computation.of("attack", request)
    stored = asked.stored
    with head:
        form.finish()
        if stored is None:
            example_line(request.dataset)
        else:
            answer(stored, request, samples)
    honest_ranking.note_chosen(request)
    with body:
        ranked = honest_ranking.obtain(request, samples.dataset) if stored is None else None
    before = stored.result.before if stored else ranked.result.test if ranked else None
    honest = stored.result.honest if stored else ranked.result.model if ranked else None
    with bar:
        attack_bar(asked, before, honest)
        door.show_refusal()
    with body:
        if stored is not None:
            if not stored.result.success:
                next_tries.show(request)
            attack_view.strip(stored.result, samples)
        elif ranked is not None:
            if asked.job is not None and asked.is_active:
                live = progress.draw_attack(request, len(samples), ranked.result.test, samples)
                door.follow(asked.job, live)
            else:
                prospect(request, samples, ranked)
    if stored is not None:
        attack = attack_view.FinishedAttack(stored, samples, request)
        attack_view.who_else(attack)
        attack_view.every_try(attack)
        attack_view.take_with_you(attack)
    attack_formulas.formulas(request)


page()
