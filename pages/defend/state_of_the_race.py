"""The state of the race: every attack against every check, from one published experiment."""

import pandas as pd
import streamlit as st

from engine.experiments import AttributionsRequest, PolishRequest
from engine.results.store import Stored
from pages.attack.parts import fresh, radius_words
from pages.common.asking import controls, data_choice, door, halves, openings, sweep_requests
from pages.common.asking.form import Form
from pages.common.asking.not_here import offer_instead
from pages.common.keeping import shelf
from pages.common.lab import navigation, published_results, registry
from pages.common.widgets import blocks, take_away, unfold
from pages.common.widgets.figure import FigureBlock
from pages.common.words.code_names import in_prose
from pages.common.words.wording import listed
from pages.defend.parts import race_elsewhere
from pages.defend.parts import race_figures as figures
from pages.defend.parts import race_words as words
from pages.defend.parts.deniable_words import has_arrived

PAGE = registry.page("race")
COST = (
    "Trains some 130 honest models, makes every attack of the lab on fresh targets and polishes "
    "all of them: some five minutes for digits on a laptop."
)


def deniable(dataset: str) -> Stored | None:
    """Return the deniable attack on the same data, where it is computed and an attack arrived."""
    stored = door.find("deniable", openings.of("deniable", "deniable", dataset))
    if stored is None:
        return None
    return stored if has_arrived(stored.result) else None


def elsewhere(dataset: str) -> pd.DataFrame:
    """Return the cells that other published experiments on the same data fill."""
    asked = [
        (request, door.find("attributions", request))
        for role in ("other scores", "other attackers")
        for request in published_results.requests_of(role, dataset)
    ]
    tuned, sweeps = (
        tuple(
            stored for role in roles for stored in sweep_requests.stored_of(role, dataset).values()
        )
        for roles in (fresh.TUNED_ROLES, (fresh.ROLE,))
    )
    looks = tuple((request, stored) for request, stored in asked if stored is not None)
    return cells(looks, tuned, sweeps)


@shelf.kept
def cells(
    looks: tuple[tuple[AttributionsRequest, Stored], ...],
    tuned: tuple[Stored, ...],
    sweeps: tuple[Stored, ...],
) -> pd.DataFrame:
    """Return the cells from the alarms and the sweeps, without the targets that were tuned on."""
    seen = [stored.result for stored in tuned]
    return race_elsewhere.table_of(
        race_elsewhere.alarm_cells((request, stored.result) for request, stored in looks),
        race_elsewhere.half_cells(fresh.unseen(stored.result, seen) for stored in sweeps),
    )


@shelf.kept
def grid_figure(stored: Stored, declared: Stored | None) -> FigureBlock:
    cells = words.matrix(stored.result, None if declared is None else declared.result)
    return FigureBlock(
        name="race",
        title="Share of malicious models stopped, for the attack that escapes most",
        kind="Blocks of attacks against checks: the share that each check stops",
        build=figures.grid,
        values=(words.strongest(cells),),
        results=(stored,) if declared is None else (stored, declared),
    )


def race(stored: Stored, request: PolishRequest) -> None:
    """Show the finding, the figure, and what a verifier needs."""
    table: pd.DataFrame = stored.result
    declared = deniable(request.dataset)
    found = words.finding(table, None if declared is None else declared.result)
    st.markdown(found)
    grid_figure(stored, declared).show()
    st.caption(
        "The best check stands first. A cell shows the attack that escapes most; point at it to "
        "see all. Honest training ends where the slope is zero."
    )
    with st.container(horizontal=True):
        urls = [page for _, page in words.CHECKS.values()]
        for url in dict.fromkeys([*urls, *(["deniable"] if declared is not None else [])]):
            entry = registry.page(url)
            st.page_link(navigation.page_of(entry), label=f"{entry.title} →")
    evidence(stored, request, declared)
    verifier()
    take_away.show(stored, request, {"Race": lambda: words.race(table)})


@shelf.kept
def checks_of(others: pd.DataFrame) -> list[str]:
    """Return the checks of other experiments' cells, each once."""
    return list(dict.fromkeys(others["check"]))


def beside(dataset: str, others: pd.DataFrame) -> str:
    """Say which columns are of other experiments, and what the other half of the test data is
    worth, with a space before it; empty where there are none."""
    checks = checks_of(others)
    if not checks:
        return ""
    are = "is" if len(checks) == 1 else "are"
    named = listed([f"“{check}”" for check in checks])
    own = f" {named} {are} of other experiments, with other targets and radii."
    stored = halves.stored_for(dataset) if race_elsewhere.HALF in checks else None
    return own if stored is None else f"{own} {race_elsewhere.honest_first(stored.result)}"


def before(request: PolishRequest) -> str:
    """Say on which other targets earlier versions of the search had been run, with a space before
    it; empty where the search was not made."""
    asked = published_results.request_of("minimal", request.dataset)
    if asked is None or not request.minimal:
        return ""
    return radius_words.seen_elsewhere(published_results.earlier(asked), asked.n_targets)


@unfold.section("Every attack against every check, in numbers", "numbers")
def evidence(stored: Stored, request: PolishRequest, declared: Stored | None) -> None:
    others = elsewhere(request.dataset)
    shown = words.as_table(stored.result, None if declared is None else declared.result, others)
    blocks.table(shown, "Attacks against checks", dict.fromkeys(shown.columns, str))
    st.caption(
        "Of the attacks that reached the top: how many a check flags when it may flag one honest "
        "model in twenty, and how many targets the Newton steps leave in the top ten. AUC: how "
        "often a malicious model has the larger number than an honest one. A cell leads to its "
        f"evidence. Linear models on {in_prose(request.dataset)}, {request.n_targets} targets that "
        f"nothing was tuned on.{words.within(request)}{before(request)}"
        f"{beside(request.dataset, others)}"
    )
    st.markdown(words.beside_other_pages(stored.result))
    if declared is not None:
        st.caption(
            f"{words.beyond(declared.result)} That row is of another experiment and other targets."
        )


@unfold.section("What a verifier needs, and pays", "verifier")
def verifier() -> None:
    blocks.prose("defend/texts/race.md")


def page() -> None:
    blocks.ask(PAGE)
    form = Form()
    name = controls.dataset_choice(form, data_choice.names_of("polish", "polish"))
    form.finish()
    request: PolishRequest = openings.of("polish", "polish", name)
    asked = door.Computation.of("polish", request)
    if asked.stored is not None:
        race(asked.stored, request)
        return
    offer_instead(PAGE, asked, COST, "stage", asks=False)


page()
