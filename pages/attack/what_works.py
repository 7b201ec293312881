"""What makes it work? The paper's ablation (Table 2) and a variant of ours, on the same targets."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pandas as pd
import streamlit as st

from engine.attacks.rates import success_rates
from engine.experiments import AttackRequest, SweepRequest, cost
from engine.results.store import Stored
from pages.attack.parts import ablation, fresh, sweep_frame, variant_figures
from pages.common.asking import data_choice, door, effort, progress, sweep_requests
from pages.common.asking.form import HERE
from pages.common.asking.rate_view import RateView, choose_view
from pages.common.frames import distinct, row_of
from pages.common.keeping import shelf
from pages.common.lab import published_results, registry
from pages.common.lab.shared import open_dataset
from pages.common.samples import Samples
from pages.common.widgets import blocks, charts, take_away, unfold
from pages.common.widgets.figure import FigureBlock
from pages.common.words import paper, rate_words
from pages.common.words.code_names import data_name
from pages.common.words.wording import count

PAGE = registry.page("what-works")
ROLE, RESTARTED = "ablation", "cost"  # of published results: started once, and from random starts
KEEPING = "frontier"  # of those of the objectives that keep something
STARTS = 5  # of the paper's attack
SWEPT = ("dataset", "steps", "damping", "l2", "order", "dtype", "learning_rates")


def parts(request: SweepRequest) -> list[SweepRequest]:
    """Return the three objectives started once, and the paper's attack from random starts."""
    restarted = replace(request, objectives=("higher_ranked",), restarts=(STARTS,))
    published = published_results.request_of(RESTARTED, request.dataset)
    if request == published_results.request_of(ROLE, request.dataset) and published is not None:
        wider = replace(published, radii=request.radii)  # of other radii there may be more
        restarted = published if wider == restarted else restarted
    return [request, restarted]


def ours_of(dataset: str) -> dict[SweepRequest, Stored]:
    """Return the sweeps of our objective."""
    kept = sweep_requests.stored_of(KEEPING, dataset)
    return {r: stored for r, stored in kept.items() if ablation.ACCURATE in r.objectives}


def seconds_of(found: Mapping[SweepRequest, Stored]) -> float | None:
    """Return what an attack of sweeps took on average, as recorded; None where there is none."""
    attacks = sum(len(request) for request in found)
    return sum(s.manifest.seconds for s in found.values()) / attacks if attacks else None


@shelf.kept
def variants_figure(
    kept: pd.DataFrame,
    shown: pd.DataFrame,
    taken: pd.DataFrame,
    view: RateView,
    stored: tuple[Stored, ...],
    budget: str,
) -> FigureBlock:
    """Make the figure of each variant's success."""
    return FigureBlock(
        name=f"variants-top-{view.k}",
        title=ablation.parts_title(taken),
        kind="Attacks of each variant that move their target, within the limit and at a higher "
        "price",
        build=variant_figures.variant_rates,
        values=(shown, view.tolerance),
        results=stored,
        caption="Each row is one attack. It changes one part of the attack in the row above. "
        f"“The top” is {'rank 1' if view.k == 1 else f'ranks 1 to {view.k}'}; “above it” is all "
        f"that ranks before the target. {rate_words.interval(row_of(kept, ablation.RESTARTS))}",
        details=f"Into the top {view.k}, each variant at the radius where it does best. The first "
        "three start once, at the honest model, with each learning rate; the fourth from "
        f"{STARTS} random starts, as the paper's attack does.{budget}"
        f"{fresh.TUNED + fresh.ELSEWHERE if budget else ''}",
    )


def table_two(best: pd.DataFrame, k: int) -> None:
    charts.heading("The same numbers beside the paper's Table 2")
    blocks.table(
        paper.beside_table_2(best, ablation.LABELS, f"here, k = {k}"),
        "Success rates of the variants, here and in the paper's Table 2",
    )
    st.caption(f"{paper.CELL_MEANING} {paper.COMPARABLE}")


@shelf.kept
def pairing(
    found: pd.DataFrame,
    view: RateView,
    chosen: int,
    samples: Samples | None,
    stored: tuple[Stored, ...],
) -> FigureBlock:
    return FigureBlock(
        name=f"targets-top-{view.k}-radius-{view.radius:g}",
        title=ablation.strip_title(ablation.wide(found)),
        kind="Which variant moves which target",
        build=variant_figures.target_strip,
        values=(found, chosen),
        results=stored,
        samples=samples,
        caption=f"{ablation.strip_counts(ablation.wide(found))} Every column is one target, at "
        f"radius {view.radius:g} and k = {view.k} under all variants; hover for its number. The "
        "shaded one is followed above.",
    )


@shelf.kept
def matrix(found: pd.DataFrame, view: RateView, stored: tuple[Stored, ...]) -> FigureBlock:
    hits = ablation.wide(found)
    lead = ablation.leads(hits)
    return FigureBlock(
        name=f"leads-top-{view.k}-radius-{view.radius:g}",
        title=ablation.lead_title(lead),
        kind="How many targets the row's variant moves that the column's does not",
        build=variant_figures.lead_matrix,
        values=(lead, len(hits)),
        table=lambda: lead.rename_axis("variant").reset_index(),
        results=stored,
        caption=f"Of {count(len(hits), 'target')} at radius {view.radius:g}, with accuracy kept. "
        "Were a variant at least as good as another on every target, the other's row would have a "
        "0 there.",
    )


def attacks_on(target: int, view: RateView, request: SweepRequest) -> dict[str, AttackRequest]:
    """Return the four variants on one target, each as an attack of its own."""
    shared = {name: getattr(request, name) for name in SWEPT}
    base = AttackRequest(
        **shared, targets=(target,), k=view.k, radius=view.radius, seed=request.seeds[0]
    )
    objective = {v: v for v in ablation.VARIANTS} | {ablation.RESTARTS: "higher_ranked"}
    return {
        variant: replace(
            base, objective=name, restarts=STARTS if variant == ablation.RESTARTS else 0
        )
        for variant, name in objective.items()
    }


def begun(parts: Sequence[door.Computation[AttackRequest]]) -> bool:
    """Return whether what is missing of the attacks may be computed without being asked for: a
    control
    was set to it and it is quick, or some of it is under way. Otherwise says what it takes, with a
    button."""
    chosen = door.chosen_here("variants", "-".join(str(part.job) for part in parts))
    missing = [part for part in parts if part.stored is None and part.state is not None]
    states = [part.state for part in missing if part.state is not None]
    if not missing or any(state.status in door.ACTIVE for state in states):
        return True
    dataset = open_dataset(missing[0].request.dataset)
    seconds = sum(
        cost.attack_seconds(
            dataset,
            max(part.request.restarts, 1) * len(part.request.learning_rates),
            part.request.steps,
        )
        for part in missing
    )
    if chosen and seconds <= effort.LONG_SECONDS:
        return True
    for state in states:
        door.explain(state, "A variant")
    runs = f"{count(len(missing), 'attack')} on this sample, followed step by step, are not here"
    st.caption(f"{runs} yet. {effort.at_most(seconds)}")
    refused = next(filter(None, (door.why_not(p.experiment, p.request) for p in missing)), "")
    if refused:
        st.caption(refused)
    st.button(
        "Run them",
        key="follow",
        type="primary",
        disabled=bool(refused),
        on_click=door.submit_all,
        args=(missing,),
    )
    door.show_refusal()
    return False


def obtain_attacks(requests: dict[str, AttackRequest]) -> dict[str, Stored] | None:
    """Return the four attacks; what is not there yet is computed in its place, one after the
    other."""
    parts = [door.Computation.of("attack", request) for request in requests.values()]
    begins = begun(parts)
    here = [part.stored for part in parts if part.stored is not None]
    if len(here) == len(parts):
        return dict(zip(requests, here, strict=True))
    if not begins:
        return None
    found: dict[str, Stored] = {}
    for variant, request in requests.items():
        content = data_choice.data_hash(request.dataset)
        if content is None:
            stored = door.find("attack", request)
        else:
            what = f"“{ablation.VARIANTS[variant]}”"
            doing = f"Running variant {len(found) + 1} of {len(requests)}, {what}, on this sample"
            stored = door.obtain(
                "attack", request, what, progress.draw_plain(doing), 0.0, chosen=True
            )
        if stored is None:
            if content is None:
                st.info(
                    "The runs on this sample are not published, and the data set "
                    f"“{data_name(request.dataset)}” is not on this machine to compute them."
                )
            return None
        found[variant] = stored
    return found


@shelf.kept
def stuck_figure(found: Mapping[str, Stored], view: RateView) -> FigureBlock:
    """Draw every run of the four variants on one target. found: the variants' attacks."""
    attacks = {variant: stored.result for variant, stored in found.items()}
    return FigureBlock(
        name="runs",
        title=ablation.runs_title(attacks),
        kind="Rank against step for every run of the four variants",
        build=variant_figures.stuck_runs_of,
        values=(tuple(found), *found.values()),
        table=lambda: ablation.runs_table(attacks),
        results=tuple(found.values()),
        caption="The target's rank on the attacker's test set, step by step, at radius "
        f"{view.radius:g}: a run leaves when it arrives in the shaded top {view.k}, and a cross "
        "marks one that never does. Accuracy has no say here. These attacks ran alone; in the "
        "sweep above, among others, a run may have ended elsewhere, as rounding grows over a "
        "hundred steps.",
    )


def follow_target(target: int, view: RateView, request: SweepRequest) -> None:
    """Show the four variants on one target, run by run; what is missing is computed in its
    place."""
    head = st.empty()
    with head:
        charts.heading(f"Four ways to move sample {target}, run by run")
    found = obtain_attacks(attacks_on(target, view, request))
    if found is not None:
        head.empty()
        stuck_figure(found, view).show()


@unfold.section("Could it be chance, and does it match the paper?", "chance")
def beside_chance(
    order: str, table: pd.DataFrame, best: pd.DataFrame, view: RateView, request: SweepRequest
) -> None:
    """Say how sure the order of the variants is, and show it beside the paper's; order: what is
    said of it."""
    st.markdown(order)
    st.markdown(ablation.ours(table, view, request.steps))
    table_two(best, view.k)


@unfold.section("Target by target: which variant moves which?", "by-target")
def target_by_target(
    found: pd.DataFrame, view: RateView, chosen: int, stored: tuple[Stored, ...]
) -> None:
    """Show every target under every variant, and how many only one of two variants moves."""
    samples = data_choice.samples_of(str(stored[0].manifest.request["dataset"]))
    pairing(found, view, chosen, samples, stored).show()
    matrix(found, view, stored).show()


def page() -> None:
    frame = sweep_frame.SweepFrame.open(PAGE, ROLE, ("radii", "ks"), parts, starts=False)
    single, restarted = frame.stored
    four = ablation.variants(single.result, restarted.result)
    ours = ours_of(frame.request.dataset)
    table = ablation.with_ours(four, [stored.result for stored in ours.values()])
    ours = ours if ablation.ACCURATE in distinct(table, "variant") else {}
    stored = (*frame.stored, *ours.values())
    with frame.head:
        place = st.container()
        view = choose_view(frame.form, table, with_radius=True)
    best = ablation.best_at(table, view)
    kept = ablation.with_accuracy(best)
    radii = ablation.radii_of(kept)
    hits = ablation.wide(ablation.moved(table, view, radii))
    taken = ablation.steps(kept, ablation.of_paper(hits))
    found = ablation.moved(table, view, dict.fromkeys(radii, view.radius))
    linked = "target" in st.query_params
    place.markdown(ablation.finding(kept, view))
    with frame.body:
        budget = ablation.budget(seconds_of(ours), seconds_of({parts(frame.request)[1]: restarted}))
        shown = ablation.at_one_radius(table, view)
        variants_figure(kept, shown, taken, view, stored, budget).show()
        beside_chance(ablation.order(taken, len(hits)), table, best, view, frame.request)
        chosen = ablation.telling_target(found)
        box = unfold.with_controls(
            "Where do the other runs get stuck? One target, run by run", "runs", linked
        )
        if box is not None:
            with box:
                chosen = frame.form.choice(
                    HERE,
                    "Target",
                    "target",
                    distinct(found, "target"),
                    "One of the sweep's targets, to be followed run by run.",
                    chosen,
                )
                follow_target(chosen, view, frame.request)
        target_by_target(found, view, chosen, stored)
        take_away.show(
            single,
            frame.request,
            {
                "Attacks": lambda: take_away.flat(table),
                "Success rates": lambda: success_rates(table, by=ablation.BY),
                "Targets": lambda: found,
            },
            [*parts(frame.request)[1:], *ours],
        )
    with frame.head:
        frame.form.finish()


page()
