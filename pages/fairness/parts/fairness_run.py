"""A fairness run of one's own: its controls, its data, its way through the queue."""

from typing import Any

import streamlit as st

from engine.data import raw_files
from engine.data.sources.fairness_sets import FILES, LOADERS
from engine.errors import EngineError, InvalidInput
from engine.experiments import FairnessRequest
from engine.progress import Progress
from engine.results.jobs import JobState
from engine.vocabulary import DEFAULT_SCALES
from pages.common.asking import door, form, links, number_lists
from pages.common.asking.door import Computation
from pages.common.asking.number_lists import Axis
from pages.common.lab.shared import lab
from pages.common.widgets import charts
from pages.fairness.parts import own_tables

EXPERIMENT = "fairness"
SCALES = Axis("scales", "Scales α", "Positive numbers; 1, the honest one, is always among them.")
STRENGTHS = {
    "beta": ("β", "The share of the gap that removal is to close (Eq. 7)."),
    "gamma": ("γ", "The share of the possible gain in validation loss to realise (Eq. 7)."),
    "l2": ("L2", "Weight of ‖θ‖²/2 beside the summed log-loss."),
}
STRENGTH_HIGH = 100_000.0
COSTS = {"german": "about two seconds", "compas": "about half a minute", "adult": "half a minute"}


def choose_run(table: str, metric: str) -> tuple[FairnessRequest | None, links.Expected]:
    """The controls of a run of one's own; None where they make no request, which is said. Raises
    InvalidDataset for a table that has no such columns."""
    own: dict[str, Any] = {}
    expected: dict[str, Any] = {
        name: links.Range(0, STRENGTH_HIGH, whole=False) for name in STRENGTHS
    }
    if table not in LOADERS:
        rows = own_tables.open_table(table)
        own, of_columns = own_tables.choose_columns(rows)
        expected |= of_columns
        own_tables.preview(rows)
    columns = st.columns([3, *(1 for _ in STRENGTHS)], vertical_alignment="bottom")
    text = columns[0].text_input(
        SCALES.label,
        number_lists.shown_numbers(DEFAULT_SCALES),
        key=SCALES.name,
        help=SCALES.help,
        bind="query-params",
        on_change=form.forget_notes,
    )
    for column, (name, (label, help)) in zip(columns[1:], STRENGTHS.items(), strict=True):
        own[name] = column.number_input(
            label,
            0.0,
            STRENGTH_HIGH,
            None,
            key=name,
            format="%g",
            placeholder="its own",
            help=f"{help} Empty: the data set's own.",
            bind="query-params",
            on_change=form.forget_notes,
        )
    try:
        scales = number_lists.read_numbers(SCALES, text)
        return FairnessRequest(table, metric, scales, **own), expected
    except InvalidInput as error:
        st.error(str(error))
        return None, expected


def draw(state: JobState) -> None:
    """Live progress: the scales."""
    last = state.progress[-1] if state.progress else Progress()
    said = f"{last.done} of {last.total} scales done" if last.total else "Training the base model …"
    st.progress(last.share, text=said)


def offer(part: Computation) -> None:
    """What a run would do, its button, its progress, and what went wrong with it."""
    if part.stored is not None:
        st.caption("This result is shown on this page. Change anything here to ask for another.")
        return
    if part.job is not None and part.state is not None:
        if part.state.status in door.ACTIVE:
            door.follow(part.job, draw)
            return
        door.explain(part.state, "The run")
    fetch = part.job is None
    st.caption(
        f"The pipeline at every scale, and a search for the worst one: "
        f"{COSTS.get(part.request.dataset, 'seconds to a minute')} on a laptop."
        + (
            " The original files are not on this machine: they are fetched first, once, which may "
            "take a minute or two."
            if fetch
            else ""
        )
    )
    again = part.state is not None and part.state.status in door.ENDED
    if st.button("Start again" if again else "Run it", key="run-fairness", type="primary"):
        with st.status("Asking for it …") as status:
            for file in FILES.get(part.request.dataset, ()):
                raw_files.fetch(file, lab().settings.data_dir, status.write)
            door.submit(EXPERIMENT, part.request)
        st.rerun()


def run_of_ones_own(table: str, metric: str) -> tuple[Computation | None, links.Expected]:
    """The box at the end of the page; None where what it asks for makes no sense, which is said."""
    charts.heading("A run of your own")
    part: Computation | None = None
    expected: links.Expected = {}
    try:
        request, expected = choose_run(table, metric)
        if request is not None:
            part = Computation.of(EXPERIMENT, request)
            offer(part)
    except EngineError as error:
        st.error(str(error))
    own_tables.uploader()
    door.show_refusal()
    return part, expected
