"""A page on the result of one experiment on the chosen data set."""

from collections.abc import Callable
from typing import TypeVar

from engine.results.store import Stored
from pages.common.asking import controls, data_choice, door, openings
from pages.common.asking.form import Form
from pages.common.asking.not_here import offer_instead
from pages.common.lab.registry import PageEntry
from pages.common.widgets import blocks

R = TypeVar("R")


def show(
    page: PageEntry,
    role: str,
    experiment: str,
    cost: str,
    results: Callable[[Form, Stored, R], None],
    otherwise: Callable[[], None] | None = None,
) -> None:
    """Draw a page's question and its data set's control, then `results`. While there is no result,
    offer to compute it at the `cost` that is said, and draw `otherwise` below the offer."""
    blocks.ask(page)
    form = Form()
    name = controls.dataset_choice(form, data_choice.names_of(role, experiment))
    request = openings.of(role, experiment, name)
    asked = door.Computation.of(experiment, request)
    if asked.stored is not None:
        results(form, asked.stored, request)
        return
    form.finish()
    offer_instead(page, asked, cost, "stage", asks=False)
    if otherwise is not None:
        otherwise()
