"""Undo it in a few steps: models polished by Newton steps, and attackers who know of it."""

import pandas as pd
import streamlit as st

from engine.experiments import PolishRequest
from engine.experiments.polish import steps_of
from engine.results.store import Stored
from pages.common.asking import door, links, own_data
from pages.common.asking.form import Form
from pages.common.asking.not_here import offer_instead
from pages.common.keeping import shelf
from pages.common.lab import published_results, registry
from pages.common.lab.shared import datasets
from pages.common.widgets import blocks, sign, take_away, unfold
from pages.common.widgets.figure import FigureBlock
from pages.defend.parts import other_case
from pages.defend.parts import polish_figures as figures
from pages.defend.parts import polish_rates as rates
from pages.defend.parts import polish_words as words

PAGE = registry.page("undo-it")
EXPERIMENT = "polish"
COST = (
    "Trains some 130 honest models, makes every attack of the lab on fresh targets and polishes "
    "all of them: some five minutes for digits on a laptop."
)


def requests(own: str) -> dict[str, PolishRequest]:
    """Return what can be shown, by its name among the choices: what is published, or the default,
    and the reader's own data set where one is chosen."""
    listed: list[PolishRequest] = [
        request for _, name, request in published_results.with_role() if name == EXPERIMENT
    ]
    listed = [*([PolishRequest(own)] if own else []), *(listed or [PolishRequest()])]
    return {words.case(request): request for request in listed}


def choose(form: Form, place: st.delta_generator.DeltaGenerator, steps: int) -> int:
    """Return how many Newton steps are made."""
    chosen = form.slider(
        place,
        "Newton steps",
        "steps",
        links.Range(0, steps),
        1,
        1,
        "0 is the model as it is handed in. Each step needs the training data and one solve.",
    )
    return int(chosen)


def attacked_elsewhere(request: PolishRequest) -> int:
    """Return how many malicious models that reached the top *Is it a minimum?* shows on the same
    data; 0 where that is not here."""
    asked = published_results.request_of("defence", request.dataset)
    stored = None if asked is None else door.find("defence", asked)
    if stored is None:
        return 0
    models: pd.DataFrame = stored.result
    return int(((models["kind"] == "attacked") & models["success"]).sum())


@shelf.kept
def paths_figure(stored: Stored, step: int, elsewhere: int) -> FigureBlock:
    table: pd.DataFrame = stored.result
    return FigureBlock(
        name="flowing-back",
        key="paths",
        title="Does each model's top sample stay in the top ten?",
        kind="Rank of the claimed sample against Newton steps, one line a model",
        build=figures.paths,
        values=(table, step),
        results=(stored,),
        caption="Each line follows the sample at rank 1 of one model. Shaded: the top ten, counted "
        f"at the dashed line.{words.knowing_stay(table)}{words.honest_left(table)}",
        details=f"{words.attacks_drawn(table, elsewhere)}{words.paths_caption(table)}",
    )


@unfold.section("Attack by attack: how many stay, and which number gives them away", "attacks")
def by_attack(stored: Stored) -> None:
    table: pd.DataFrame = stored.result
    blocks.table(words.staying_table(table), "Targets still in the top after each step")
    areas = rates.areas(table)
    if areas.empty:
        st.info("No attack reached the top: there is nothing to find.")
        return
    blocks.table(words.areas_table(areas), "AUC of three detectors, by attack")
    st.caption(
        "AUC: how often an attack that reached the top has the larger number than an honest model, "
        "ties half; 95% intervals by bootstrap of both groups. All honest models count, those "
        "that held samples back among them."
    )


@unfold.section("Attackers who know it", "knowing")
def knowing(stored: Stored, request: PolishRequest) -> None:
    table: pd.DataFrame = stored.result
    st.markdown(words.knowing_kept(table))
    blocks.table(words.knowing_table(table), "Attackers who know of polishing")
    st.markdown(words.knowing_meaning(table, request))


@unfold.section("What it costs, what a verifier must have, and what is computed", "formulas")
def how(stored: Stored | None = None) -> None:
    if stored is not None:
        st.markdown(words.cost(stored.result))
        blocks.prose("defend/texts/verifier.md")
    blocks.prose("defend/texts/polish.md")


def results(
    form: Form,
    stored: Stored,
    request: PolishRequest,
    head: st.delta_generator.DeltaGenerator,
    control: st.delta_generator.DeltaGenerator,
) -> None:
    """Show the finding in `head`, how many steps are made in `control`, and then the figure and
    what it rests on."""
    table: pd.DataFrame = stored.result
    sign.note("caption", request.order)
    head.markdown(words.finding(table))
    step = choose(form, control, steps_of(table))
    form.finish()
    paths_figure(stored, step, attacked_elsewhere(request)).show()
    other_case.show(PAGE)
    by_attack(stored)
    knowing(stored, request)
    how(stored)
    take_away.show(stored, request, {"Models": lambda: table})


def page() -> None:
    blocks.ask(PAGE)
    form, own = Form(), own_data.current()
    offered = requests(own)
    head, control = st.container(), st.container()
    chosen = next(iter(offered))
    if len(offered) > 1:
        choice, control = control.columns(2)
        chosen = form.choice(
            choice, "What was attacked", "case", list(offered), "Data and model.", chosen
        )
    if own:  # part of the link: without it the choice would be unknown
        form.note("dataset", datasets(), own)
    request = offered[chosen]
    asked = door.Computation.of(EXPERIMENT, request)
    if asked.stored is not None:
        results(form, asked.stored, request, head, control)
        return
    form.finish()
    offer_instead(PAGE, asked, COST, "stage", asks=False)
    how()


page()
