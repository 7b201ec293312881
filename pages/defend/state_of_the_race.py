"""The state of the race: every attack against every check, from one published experiment."""

import pandas as pd
import streamlit as st

from engine.experiments import DeniableResult, PolishRequest
from engine.results.store import Stored
from pages.common.asking import door
from pages.common.asking.form import Form
from pages.common.asking.not_here import offer_instead
from pages.common.lab import published_results, registry
from pages.common.lab.shared import badge_of
from pages.common.widgets import blocks, take_away
from pages.common.widgets.badge import mark_origin
from pages.common.words.code_names import in_prose
from pages.defend.parts import race_words as words

PAGE = registry.page("race")
COST = (
    "Trains some 130 honest models, makes every attack of the lab on fresh targets and polishes "
    "all of them: some five minutes on a laptop."
)


def deniable() -> DeniableResult | None:
    """Return the published deniable attack on the same data, where an attack arrived."""
    asked = published_results.request_of("deniable", "digits")
    stored = None if asked is None else door.find("deniable", asked)
    if stored is None:
        return None
    result: DeniableResult = stored.result
    return None if result.arrived.empty else result


def race(stored: Stored, request: PolishRequest) -> None:
    """Show the finding, the table, and what a verifier needs."""
    table: pd.DataFrame = stored.result
    declared = deniable()
    beyond = "" if declared is None else f" {words.beyond(declared)}"
    st.markdown(f"{words.finding(table)}{beyond}{mark_origin(badge_of(stored))}")
    shown = words.as_table(table, declared)
    blocks.table(shown, "Attacks against checks", dict.fromkeys(shown.columns, str))
    st.caption(
        "Of the models that reached the top, how many a check flags when it may flag one honest "
        "model in twenty. AUC: how often an attacked model has the larger number than an honest "
        f"one. Linear models on {in_prose(request.dataset)}, {request.n_targets} targets that "
        "nothing was tuned on. A cell leads to its evidence."
        + ("" if declared is None else " The last row is of another experiment and other targets.")
    )
    blocks.prose("defend/texts/race.md")
    take_away.show(stored, request, {"Race": lambda: words.race(table)})


def page() -> None:
    st.title(PAGE.title)
    Form().finish()
    request = PolishRequest()
    asked = door.Computation.of("polish", request)
    if asked.stored is not None:
        race(asked.stored, request)
        return
    lacking = "It has not been measured here yet."
    offer_instead(PAGE.finding, lacking, asked, COST, "stage")


page()
