"""Sweeps on pages: which data sets there are, what is stored, and a sweep of one's own."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from engine.data.sources.bundled import LOADERS
from engine.errors import InvalidInput
from engine.experiments import SweepRequest
from engine.results.library import imported_datasets
from engine.results.store import Stored
from pages.common.asking import controls, door, effort, links
from pages.common.lab import published_results
from pages.common.lab.registry import PageEntry
from pages.common.lab.shared import datasets, lab, open_dataset, origin, provenance
from pages.common.samples import Samples
from pages.common.widgets import code_tabs
from pages.common.widgets.charts import heading
from pages.common.words import reproduce
from pages.common.words.wording import count

ROLE_NOT_PUBLISHED = (
    "For this data set nothing is published. Ask for a sweep below, where it is said how long it "
    "may take."
)
MODEST_SECONDS = 3600.0  # that a sweep which nobody has chosen yet may take
BEGUN = "own_sweep"  # session-state key: the page and data set that its controls began with


def names_of(role: str, experiment: str = "") -> list[str]:
    """The data sets to choose from: those on this machine, those with published results and, where
    an experiment is named, those with imported results of it."""
    imported = imported_datasets(lab().store, experiment) if experiment else ()
    return list(dict.fromkeys([*datasets(), *published_results.preset_datasets(role), *imported]))


def samples_of(name: str) -> Samples | None:
    """The training samples of a data set; None where it is not on this machine."""
    return None if door.data_hash(name) is None else Samples(open_dataset(name))


def stored_of(role: str, dataset: str) -> dict[SweepRequest, Stored]:
    """The published sweeps that play this role for a data set, those of them that are here."""
    found = {
        request: door.find("sweep", request)
        for request in published_results.presets_of(role, dataset)
    }
    return {request: stored for request, stored in found.items() if stored is not None}


def preset(role: str, dataset: str) -> SweepRequest:
    """The published request in this role, or a modest one like it for another data set."""
    found = published_results.preset(role, dataset)
    if found is not None:
        return found
    others = (
        published_results.preset(role, name) for name in published_results.preset_datasets(role)
    )
    like: SweepRequest = next(others, None) or SweepRequest()
    fewer = tuple(min(starts, 1) for starts in like.restarts)
    sizes = [(10, like.restarts), (4, like.restarts), (4, fewer), (2, fewer)]
    tried = [replace(like, dataset=dataset, n_targets=n, restarts=s) for n, s in sizes]
    return next((r for r in tried if seconds_of([r]) <= MODEST_SECONDS), tried[-1])


@dataclass(frozen=True)
class Axis:
    """One list of numbers that a sweep of one's own may vary: its name in links, label, help."""

    name: str
    label: str
    help: str
    whole: bool = False


AXES = {
    "radii": Axis("radii", "Radii", "How far models may lie from θ*, as shares of ‖θ*‖."),
    "ks": Axis(
        "ks", "Values of k", "The tops that are to be reached; one run serves every k.", True
    ),
    "set_sizes": Axis("set_sizes", "Sizes of the target set", "Targets moved at once.", True),
    "train_sizes": Axis(
        "train_sizes", "Training samples", "Sizes of the training set; 0 stands for all.", True
    ),
}


def read_numbers(axis: Axis, text: str) -> tuple[float, ...]:
    """The numbers in a text like '0.1, 0.3'. Raises InvalidInput."""
    parts = [part for part in re.split(r"[\s,;]+", text) if part]
    kind = "whole numbers" if axis.whole else "numbers"
    try:
        return tuple(int(part) if axis.whole else float(part) for part in parts)
    except ValueError:
        raise InvalidInput(axis.label, text, f"{kind} with commas between them") from None


def shown_numbers(values: Sequence[float]) -> str:
    return ", ".join(f"{value:g}" for value in values)


def begin(place: str, start: SweepRequest, axes: Sequence[str]) -> None:
    """Where page or data set changed: the controls begin at `start`, not at what an earlier one has
    left in them, unless the link says otherwise."""
    if st.session_state.get(BEGUN) == (place, start.dataset):
        return
    st.session_state[BEGUN] = (place, start.dataset)
    values = {name: shown_numbers(getattr(start, name)) for name in axes}
    for name, value in {**values, "targets": start.n_targets, "starts": start.restarts[0]}.items():
        if name not in st.query_params:
            st.session_state[name] = value


def own_sweep(start: SweepRequest, axes: Sequence[str], starts: bool) -> SweepRequest | None:
    """The controls of a sweep of one's own, bound to the address; None while they hold nonsense,
    which is said. `starts`: whether the number of random starts can be chosen."""
    widths = [1, *(2 for _ in axes), *(1 for _ in range(starts))]
    columns = st.columns(widths, vertical_alignment="bottom")
    sets = "set_sizes" in axes
    targets = columns[0].number_input(
        "Target sets" if sets else "Targets",
        1,
        links.TARGETS_HIGH,
        start.n_targets,
        1,
        key="targets",
        help="Drawn at random outside the honest top of the largest k"
        + (", for every size." if sets else "; each is attacked alone."),
        bind="query-params",
        on_change=controls.forget_notes,
    )
    texts = {
        name: column.text_input(
            AXES[name].label,
            shown_numbers(getattr(start, name)),
            key=name,
            help=AXES[name].help,
            bind="query-params",
            on_change=controls.forget_notes,
        )
        for name, column in zip(axes, columns[1:], strict=False)
    }
    restarts = start.restarts[0]
    if starts:
        restarts = columns[-1].number_input(
            "Restarts",
            0,
            links.RESTARTS_HIGH,
            start.restarts[0],
            1,
            key="starts",
            help="Random starts of every attack, each at every learning rate; 0 starts at θ*.",
            bind="query-params",
            on_change=controls.forget_notes,
        )
    try:
        values: dict[str, Any] = {
            name: read_numbers(AXES[name], text) for name, text in texts.items()
        }
        kept = len(start.restarts) > 1 and restarts == start.restarts[0]
        return replace(
            start,
            n_targets=int(targets),
            restarts=start.restarts if kept else (int(restarts),),
            **values,
        )
    except InvalidInput as error:
        st.error(str(error))
        return None


def cost_of(requests: Sequence[SweepRequest]) -> str:
    """What sweeps would take, in runs."""
    asked = [
        f"{count(len(r), 'attack')} of "
        f"{count(sum(max(s, 1) for s in r.restarts) * len(r.learning_rates), 'run')} each"
        for r in requests
    ]
    seconds = seconds_of(requests)
    long = f" {effort.at_most(seconds)}" if seconds > effort.LONG_SECONDS else ""
    return (
        f"{', and '.join(asked)}, at most {requests[0].steps} steps a run.{long} Finished batches "
        "are kept: whatever interrupts it, it goes on where it was. You can leave this page "
        "meanwhile."
    )


def seconds_of(requests: Sequence[SweepRequest]) -> float:
    """An upper estimate of what sweeps take; 0 where their data is not on this machine."""
    total = 0.0
    for request in requests:
        if door.data_hash(request.dataset) is None:
            continue
        dataset = open_dataset(request.dataset)
        for starts in request.restarts:
            attacks = len(request) / len(request.restarts)
            runs = max(starts, 1) * len(request.learning_rates)
            total += attacks * effort.attack_seconds(dataset, runs, request.steps)
    return total


def read(requests: Sequence[SweepRequest]) -> list[door.Computation]:
    """What the lab knows of each sweep."""
    return [door.Computation.of("sweep", request) for request in requests]


def alone(request: SweepRequest) -> list[SweepRequest]:
    """A page that is about one sweep."""
    return [request]


@dataclass(frozen=True)
class Frame:
    """A page about sweeps: the sweep that it shows (in parts, as the page asked for them), whose
    figures go into `body`, its finding and controls into `head`."""

    request: SweepRequest
    stored: tuple[Stored, ...]
    head: DeltaGenerator
    body: DeltaGenerator
    given: Mapping[str, str]
    expected: links.Expected
    axes: Sequence[str]

    @classmethod
    def open(
        cls,
        page: PageEntry,
        role: str,
        axes: Sequence[str],
        parts: Callable[[SweepRequest], Sequence[SweepRequest]] = alone,
        starts: bool = True,
    ) -> "Frame":
        """Title, data set, and at the end of the page a sweep of one's own; stops the page where
        there is nothing to show, and says so. `parts` are what the page needs for a request."""
        st.title(page.title)
        given, names = dict(st.query_params), names_of(role, "sweep")
        start = preset(role, controls.dataset_choice(names))
        expected: dict[str, Any] = {"dataset": names, "targets": links.Range(1, links.TARGETS_HIGH)}
        if starts:
            expected["starts"] = links.Range(0, links.RESTARTS_HIGH)
        head, body, bar = st.container(), st.container(), st.container(border=True)
        with bar:
            heading("A sweep of your own")
            begin(page.url, start, axes)
            request = own_sweep(start, axes, starts)
            own = (
                [door.Computation.of("sweep", r) for r in parts(request)]
                if request is not None
                else []
            )
        opening = (
            own if request == start else [door.Computation.of("sweep", r) for r in parts(start)]
        )
        finished = bool(own) and all(part.stored is not None for part in own)
        parts_ = own if finished else opening
        stored = tuple(part.stored for part in parts_ if part.stored is not None)
        shown = request if finished and request is not None else start
        frame = cls(shown, stored, head, body, given, expected, axes)
        with bar:
            if own:
                missing = [part.request for part in own if part.stored is None]
                door.offer(own, cost_of(missing or [start]), "attack")
                door.show_refusal()
        with head:
            if len(stored) < len(parts_):
                frame.notes({})
                st.markdown(f"{page.finding} {ROLE_NOT_PUBLISHED}")
                st.stop()
            if request is not None and request != shown:
                st.info(
                    "The figures show the sweep that this page opens with. The one asked for at "
                    "the end of the page is not computed yet."
                )
        return frame

    def notes(self, expected: links.Expected) -> None:
        """Say what of the link cannot be used; `expected` are the controls besides the frame's."""
        expected = {**self.expected, **expected}
        names = [*expected, *self.axes]
        used = {name: st.session_state[name] for name in names if name in st.session_state}
        controls.finish(self.given, expected, used)
        controls.show_notes()


def badge(stored: Stored) -> str:
    return origin(stored, stored.manifest.request.get("dataset"))


def take_away(
    stored: Stored,
    request: Any,
    tables: Mapping[str, Callable[[], pd.DataFrame]],
    others: Sequence[Any] = (),
    snippet: Callable[[Any, str | None], str] = reproduce.sweep_snippet,
    code: Callable[[str, str], None] = code_tabs.folded,
) -> None:
    """Tables, request, code and provenance of a result that is a table; `others` are the requests
    of the sweeps that were put together with it, `snippet` writes the Python of each, `code` draws
    it."""
    heading("Take it with you")
    experiment, requests = stored.manifest.experiment, [request, *others]
    name = f"{request.dataset}-{experiment}"
    asked = [{"experiment": experiment, "request": asdict(r)} for r in requests]
    with st.container(horizontal=True):
        for label, table in tables.items():
            st.download_button(
                f"{label} (CSV)",
                partial(as_csv, table),
                f"{name}-{label.lower().replace(' ', '-')}.csv",
                "text/csv",
                on_click="ignore",
            )
        st.download_button(
            "Request (JSON)",
            json.dumps(asked if others else asked[0], indent=2),
            f"{name}-request.json",
            "application/json",
            on_click="ignore",
        )
    where = None if request.dataset in LOADERS else str(lab().settings.data_dir)
    code(
        "\n".join(snippet(r, where) for r in requests),
        "\n".join(reproduce.command_of(experiment, r) for r in requests),
    )
    st.caption(provenance(stored))


def as_csv(table: Callable[[], pd.DataFrame]) -> bytes:
    return table().to_csv(index=False).encode()


def flat(table: pd.DataFrame) -> pd.DataFrame:
    """A sweep's table for a spreadsheet: what it has an entry a run of is written out."""
    lists = [c for c in table.columns if len(table) and isinstance(table[c].iloc[0], list)]
    return table.assign(**{c: [" ".join(map(str, v)) for v in table[c]] for c in lists})
