"""A fairness run of one's own: its controls, its data, and the button that asks for it."""

from dataclasses import replace

import streamlit as st

from engine.data.sources.fairness_sets import LOADERS
from engine.errors import EngineError, InvalidInput
from engine.experiments import FairnessRequest
from engine.experiments.fairness import Table
from engine.vocabulary import DEFAULT_SCALES
from pages.common.asking import door, links, number_lists
from pages.common.asking.door import Computation
from pages.common.asking.form import Form
from pages.common.asking.number_lists import Axis
from pages.common.lab.shared import shown
from pages.common.words.wording import listed, plain
from pages.fairness.parts import own_tables

EXPERIMENT = "fairness"
SCALES = Axis("scales", "Scales α", "Positive numbers; 1, the honest one, is always among them.")
STRENGTHS = {
    "beta": ("β", "The share of the gap that removal is to close (Eq. 7)."),
    "gamma": ("γ", "The share of the possible gain in validation loss to realise (Eq. 7)."),
    "l2": ("L2", "Weight of ‖θ‖²/2 beside the summed log-loss."),
}
CONTROLS = (SCALES.name, *STRENGTHS)  # in links
STRENGTH = links.Range(0.0, 100_000.0, whole=False)  # of any of them
COSTS = {"german": "about two seconds", "compas": "about half a minute", "adult": "half a minute"}


def choose_run(form: Form, table: str, metric: str) -> FairnessRequest | None:
    """Choose data and strengths of a run; None where they make no request, which is said. Raises
    InvalidDataset for a table that has no such columns."""
    columns = Table(table)
    if table not in LOADERS:
        opened, options = own_tables.read_as_chosen(form, table)
        columns = own_tables.choose_columns(form, table, opened.values)
        columns = replace(columns, options=options)
        own_tables.preview(opened.raw.frame, own_tables.account_of(opened, columns))
        if columns.positive is None:
            outcomes = listed([f"“{plain(value)}”" for value in opened.values[str(columns.target)]])
            st.info(
                f"Choose the favourable value: of {outcomes}, which do people wish for? The gap is "
                "between the groups' shares of it."
            )
            return None
    first, *others = st.columns([3, *(1 for _ in STRENGTHS)], vertical_alignment="bottom")
    text = form.text(
        first,
        SCALES.label,
        SCALES.name,
        number_lists.shown_numbers(DEFAULT_SCALES),
        SCALES.help,
    )
    strengths = {
        name: form.optional(
            place, label, name, STRENGTH, "its own", f"{help} Empty: the data set's own."
        )
        for place, (name, (label, help)) in zip(others, STRENGTHS.items(), strict=True)
    }
    try:
        return FairnessRequest(
            table,
            metric=metric,
            scales=number_lists.read_numbers(SCALES, text),
            l2=strengths["l2"],
            beta=strengths["beta"],
            gamma=strengths["gamma"],
            target=columns.target,
            positive=columns.positive,
            sensitive=columns.sensitive,
            privileged=columns.privileged,
            merge_others=columns.merge_others,
            **vars(columns.options),
        )
    except InvalidInput as error:
        st.error(shown(error))
        return None


def section(form: Form, table: str, metric: str) -> Computation | None:
    """Show the box at the end of the page. Returns what is asked for there; None where its controls
    make no request, which is said."""
    run: Computation | None = None
    try:
        request = choose_run(form, table, metric)
        if request is not None:
            run = Computation.of(EXPERIMENT, request)
            cost = COSTS.get(table, "seconds to a minute")
            door.offer(
                [run],
                f"The pipeline at every scale, and a search for the worst one: {cost} on a laptop.",
                "scale",
                "Training the model",
            )
    except EngineError as error:
        st.error(shown(error))
    own_tables.uploader()
    door.show_refusal()
    return run
