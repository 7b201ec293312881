"""Move one sample to the top: Algorithms 1 to 3 on one target, live."""

from functools import partial

import streamlit as st

from engine.attacks.result import Ranking
from engine.experiments import AttackRequest, cost
from engine.models.model import Model, kinds_for
from engine.results.store import Stored
from engine.vocabulary import LINEAR
from pages.attack.parts import (
    attack_formulas,
    attack_view,
    baseline_view,
    honest_ranking,
    model_words,
    next_tries,
    replay_view,
)
from pages.common.asking import controls, data_choice, door, effort, links, progress, targets
from pages.common.asking.form import Form
from pages.common.asking.not_here import unanswered
from pages.common.figures import ranking
from pages.common.lab import registry
from pages.common.lab.shared import datasets, open_dataset, origin
from pages.common.samples import Samples
from pages.common.widgets.badge import mark_origin
from pages.common.widgets.figure import FigureBlock
from pages.common.words import reproduce, wording

PAGE = registry.page("move-one-sample")


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
    """Show what will happen, and the button that makes it happen."""
    request, computed = asked.request, asked.stored is not None
    target, runs = request.targets[0], request.restarts * len(request.learning_rates)
    seconds = cost.attack_seconds(open_dataset(request.dataset), runs, request.steps, request.model)
    long = f" {effort.at_most(seconds)}" if seconds > effort.LONG_SECONDS else ""
    refused = before is not None and before.ranks[target] <= request.k
    if computed:
        st.caption(
            "Your turn: click any point of the ranking below (or type its number in the sidebar), "
            "choose k, radius and objective, and run the attack on it."
        )
    elif before is not None and refused:
        st.error(targets.inside(target, before, request.k))
    elif before is not None:
        st.caption(
            f"{runs} runs of at most {request.steps} steps each look for a model near the honest "
            f"one that moves sample {target} from rank {int(before.ranks[target]):,} into the top "
            f"{request.k}.{long}"
        )
    not_now = "" if computed else door.why_not("attack", request)
    if not_now:
        st.caption(not_now)
    if honest is not None and request.model != LINEAR:
        st.caption(model_words.about(request.model, honest))
    if asked.state is not None and not computed and not asked.is_active:
        door.explain(asked.state, "The attack")
        damage = asked.damage()
        if damage is not None:
            st.warning(f"An earlier result of this attack was damaged and is not shown: {damage}")
    with st.container(horizontal=True):
        st.button(
            "Start again" if asked.has_ended else "Run the attack",
            type="secondary" if computed else "primary",
            key="run",
            disabled=computed or before is None or refused or asked.is_active or bool(not_now),
            on_click=door.submit,
            args=("attack", request),
        )
        st.button(
            "Another target at random",
            type="primary" if computed else "secondary",
            key="random",
            disabled=before is None,
            on_click=targets.random_target,
            args=(before, request.k),
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


def finished(stored: Stored, request: AttackRequest, samples: Samples) -> None:
    """Show all that is known about a computed attack."""
    attack = attack_view.FinishedAttack(stored, samples, request)
    attack_view.show(attack)
    if request.model == LINEAR:
        baseline_view.show(stored.result, request)
    else:
        st.caption(model_words.NO_BASELINE)
    attack_view.take_with_you(attack)


def page() -> None:
    st.title(PAGE.title)
    form = Form()
    name = controls.dataset_choice(form, datasets())
    samples = Samples(data_choice.opened(name))
    aim = controls.aim(form, len(samples))
    head, bar, body = st.container(), st.container(border=True), st.container()
    with bar:
        recipe = controls.recipe(form, len(samples), kinds_for(samples.dataset))
    request = controls.request_of(name, aim, recipe)
    asked = door.Computation.of("attack", request)
    stored = asked.stored
    with head:
        form.finish()
        if stored is None:
            example_line(request.dataset)
        else:
            st.markdown(
                f"{wording.headline(stored.result)}{mark_origin(origin(stored, request.dataset))}"
            )
            replay_view.show(stored, request, samples)
            attack_view.strip(stored.result, samples)
            if not stored.result.success:
                next_tries.show(request)
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
            finished(stored, request, samples)
        elif ranked is not None:
            if asked.job is not None and asked.is_active:
                live = progress.draw_attack(request, len(samples), ranked.result.test, samples)
                door.follow(asked.job, live)
            else:
                prospect(request, samples, ranked)
        attack_formulas.formulas(request)


page()
