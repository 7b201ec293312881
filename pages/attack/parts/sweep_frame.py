"""Sweeps on pages: which data sets there are, what is stored, and a sweep of one's own."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from engine.errors import InvalidInput
from engine.experiments import SweepRequest
from engine.results.store import Stored
from pages.common.asking import (
    controls,
    data_choice,
    door,
    effort,
    links,
    number_lists,
    sweep_requests,
)
from pages.common.asking.form import Form
from pages.common.asking.not_here import unanswered
from pages.common.lab.registry import PageEntry
from pages.common.lab.shared import shown
from pages.common.widgets.charts import heading
from pages.common.words.wording import count

ASK_BELOW = "Ask for a sweep below, where it is said how long it may take."
BEGUN = "own_sweep"  # session-state key: the page and data set that its controls began with


def begin(place: str, start: SweepRequest, axes: Sequence[str]) -> None:
    """Set the controls to `start` where the page or the data set changed, unless the link says
    otherwise."""
    if st.session_state.get(BEGUN) == (place, start.dataset):
        return
    st.session_state[BEGUN] = (place, start.dataset)
    values = {name: number_lists.shown_numbers(getattr(start, name)) for name in axes}
    for name, value in {**values, "targets": start.n_targets, "starts": start.restarts[0]}.items():
        if name not in st.query_params:
            st.session_state[name] = value


def own_sweep(
    form: Form, start: SweepRequest, axes: Sequence[str], starts: bool
) -> SweepRequest | None:
    """Return the controls of a sweep of one's own; None while they hold nonsense, which is said.
    `starts`: whether the number of random starts can be chosen."""
    widths = [1, *(2 for _ in axes), *(1 for _ in range(starts))]
    columns = st.columns(widths, vertical_alignment="bottom")
    sets = "set_sizes" in axes
    targets = form.whole(
        columns[0],
        "Target sets" if sets else "Targets",
        "targets",
        links.Range(1, links.TARGETS_HIGH),
        start.n_targets,
        "Drawn at random outside the honest top of the largest k"
        + (", for every size." if sets else "; each is attacked alone."),
    )
    texts = {
        name: form.text(
            column,
            sweep_requests.AXES[name].label,
            name,
            number_lists.shown_numbers(getattr(start, name)),
            sweep_requests.AXES[name].help,
        )
        for name, column in zip(axes, columns[1:], strict=False)
    }
    restarts = start.restarts[0]
    if starts:
        restarts = form.whole(
            columns[-1],
            "Restarts",
            "starts",
            links.Range(0, links.RESTARTS_HIGH),
            start.restarts[0],
            "Random starts of every attack, each at every learning rate; 0 starts at θ*.",
        )
    try:
        numbers = {
            axis: number_lists.read_numbers(sweep_requests.AXES[axis], text)
            for axis, text in texts.items()
        }
        kept = len(start.restarts) > 1 and restarts == start.restarts[0]
        starting = start.restarts if kept else (restarts,)
        asked = replace(start, n_targets=targets, restarts=starting)
        return sweep_requests.with_axes(asked, numbers)
    except InvalidInput as error:
        st.error(shown(error))
        return None


def cost_of(requests: Sequence[SweepRequest]) -> str:
    """Say what sweeps would take, in runs."""
    asked = [
        f"{count(len(r), 'attack')} of "
        f"{count(sum(max(s, 1) for s in r.restarts) * len(r.learning_rates), 'run')} each"
        for r in requests
    ]
    seconds = sweep_requests.seconds_of(requests)
    long = f" {effort.at_most(seconds)}" if seconds > effort.LONG_SECONDS else ""
    return (
        f"{', and '.join(asked)}, at most {requests[0].steps} steps a run.{long} Finished batches "
        "are kept: whatever interrupts it, it goes on where it was. You can leave this page "
        "meanwhile."
    )


def read(requests: Sequence[SweepRequest]) -> list[door.Computation]:
    """Return what the lab knows of each sweep."""
    return [door.Computation.of("sweep", request) for request in requests]


@dataclass(frozen=True)
class SweepFrame:
    """A page about sweeps: the sweep that it shows (in parts, as the page asked for them), whose
    figures go into `body`, its finding and controls into `head`."""

    request: SweepRequest
    stored: tuple[Stored, ...]
    head: DeltaGenerator
    body: DeltaGenerator
    form: Form

    @classmethod
    def open(
        cls,
        page: PageEntry,
        role: str,
        axes: Sequence[str],
        parts: sweep_requests.PartsOf = sweep_requests.alone,
        starts: bool = True,
    ) -> "SweepFrame":
        """Draw title, data set, and at the end of the page a sweep of one's own; stops the page
        where there is nothing to show, and says so. `parts` are what the page needs for a
        request."""
        st.title(page.title)
        form = Form()
        name = controls.dataset_choice(form, data_choice.names_of(role, "sweep"))
        start = sweep_requests.opening_sweep(role, name, parts)
        head, body, bar = st.container(), st.container(), st.container(border=True)
        with bar:
            heading("A sweep of your own")
            begin(page.url, start, axes)
            request = own_sweep(form, start, axes, starts)
            own = [] if request is None else read(parts(request))
        opening = own if request == start else read(parts(start))
        finished = bool(own) and all(one.stored is not None for one in own)
        drawn = own if finished else opening
        stored = tuple(one.stored for one in drawn if one.stored is not None)
        shown = request if finished and request is not None else start
        with bar:
            if own:
                missing = [one.request for one in own if one.stored is None]
                door.offer(own, cost_of(missing or [start]), "attack")
                door.show_refusal()
        with head:
            if len(stored) < len(drawn):
                form.finish()
                st.markdown(f"{unanswered(page, name)} {ASK_BELOW}")
                st.stop()
            if request is not None and request != shown:
                st.info(
                    "The figures show the sweep that this page opens with. The one asked for at "
                    "the end of the page is not computed yet."
                )
        return cls(shown, stored, head, body, form)
