"""Sweeps on pages: which data sets there are, what is stored, and a sweep of one's own."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

import pandas as pd
import streamlit as st

from engine.data.bundled import LOADERS
from engine.errors import EngineError, InvalidInput
from engine.experiments import SweepRequest
from engine.results.jobs import JobState
from engine.results.store import Stored
from pages.common import controls, links, presets, reproduce, running
from pages.common.charts import heading
from pages.common.results import datasets, lab, open_dataset, origin, provenance
from pages.common.wording import count

ROLE_NOT_PUBLISHED = (
    "For this data set nothing is published. Ask for a sweep below; on a laptop that takes minutes."
)


def choose_dataset(role: str) -> str:
    """The data set, in the sidebar: those on this machine, and those with published results."""
    here = datasets()
    return controls.dataset_choice(
        [*here, *(d for d in presets.preset_datasets(role) if d not in here)]
    )


def data_hash(name: str) -> str | None:
    """The content hash of a data set; None where it is not on this machine. Stops the page where
    it is, but cannot be used."""
    if name not in datasets():
        return None
    try:
        return open_dataset(name).content_hash
    except EngineError as error:
        st.error(f"The data set “{name}” cannot be used. {error}")
        st.stop()


def find(experiment: str, request: Any) -> Stored | None:
    """The stored result of a request; a published one where its data is not on this machine."""
    content = data_hash(request.dataset)
    if content is None:
        return lab().store.find_published(experiment, request)
    return lab().store.find(experiment, request, content)


def preset(role: str, dataset: str) -> SweepRequest:
    """The published request in this role, or a modest one like it for another data set."""
    found = presets.preset(role, dataset)
    if found is not None:
        return found
    like = presets.preset(role, links.EXAMPLE.dataset) or SweepRequest()
    return replace(like, dataset=dataset, n_targets=10)


@dataclass(frozen=True)
class Axis:
    """One list of numbers that a sweep of one's own may vary: its name in links, label, help."""

    name: str
    label: str
    help: str
    whole: bool = False


AXES = {
    "radii": Axis("radii", "Radii", "How far models may lie from θ*, as shares of ‖θ*‖."),
    "ks": Axis("ks", "k", "The tops that are to be reached; one run serves every k.", True),
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


def own_sweep(start: SweepRequest, axes: Sequence[str]) -> SweepRequest | None:
    """The controls of a sweep of one's own, bound to the address; None while they hold nonsense,
    which is said."""
    widths = [1, *(2 for _ in axes), 1]
    columns = st.columns(widths, vertical_alignment="bottom")
    targets = columns[0].number_input(
        "Targets",
        1,
        10_000,
        start.n_targets,
        1,
        key="targets",
        help="Drawn at random outside the honest top of the largest k; each is attacked alone.",
        bind="query-params",
    )
    texts = {
        name: column.text_input(
            AXES[name].label,
            shown_numbers(getattr(start, name)),
            key=name,
            help=AXES[name].help,
            bind="query-params",
        )
        for name, column in zip(axes, columns[1:-1], strict=True)
    }
    restarts = columns[-1].number_input(
        "Restarts",
        0,
        links.RESTARTS_HIGH,
        start.restarts[0],
        1,
        key="starts",
        help="Random starts of every attack, each at every learning rate; 0 starts at θ*.",
        bind="query-params",
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


def draw_sweep(what: str) -> running.Draw:
    """Live progress of a computation that tells what is done of a total."""

    def draw(state: JobState) -> None:
        told = [record for record in state.progress if "total" in record]
        for record in state.progress:
            if "notice" in record:
                st.warning(record["notice"])
        if not told:
            st.progress(0.0, text="Training the honest model, drawing the targets …")
            return
        last = told[-1]
        step = f"; step {last['step']} of {last['steps']} of a batch" if "step" in last else ""
        st.progress(
            min(last["done"] / max(last["total"], 1), 1.0),
            text=f"{last['done']:,} of {count(last['total'], what)} done{step}",
        )

    return draw


def offer(experiment: str, request: Any, stored: Stored | None, cost: str, what: str) -> None:
    """What a computation would do, its button, its progress, and what went wrong with it."""
    content = data_hash(request.dataset)
    if stored is not None:
        st.caption("This result is shown on this page. Change anything here to ask for another.")
        return
    if content is None:
        st.warning(
            f"The data set “{request.dataset}” is not on this machine: only what is published for "
            "it can be shown. Put its features file into the data directory to compute more."
        )
        return
    job = lab().store.key(experiment, request, content)
    state = lab().jobs.state(job)
    if state.status in running.ACTIVE:
        running.follow(job, draw_sweep(what))
        return
    running.explain(state, "The computation")
    st.caption(cost)
    again = state.status in running.ENDED
    st.button(
        "Start again" if again else "Run it",
        key=f"offer-{experiment}",
        type="primary",
        on_click=running.submit,
        args=(experiment, request),
    )


def cost_of(request: SweepRequest) -> str:
    """What a sweep would take, in runs."""
    runs = sum(max(r, 1) for r in request.restarts) * len(request.learning_rates)
    return (
        f"{count(len(request), 'attack')} of {count(runs, 'run')} each, at most {request.steps} "
        "steps a run. Finished batches are kept: whatever interrupts it, it goes on where it was. "
        "You can leave this page meanwhile."
    )


def badge(stored: Stored) -> str:
    return origin(stored, stored.manifest.request["dataset"])


def take_away(
    stored: Stored, request: Any, tables: Mapping[str, Callable[[], pd.DataFrame]]
) -> None:
    """Tables, request, code and provenance of a result that is a table."""
    heading("Take it with you")
    experiment = stored.manifest.experiment
    name = f"{request.dataset}-{experiment}"
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
            json.dumps({"experiment": experiment, "request": asdict(request)}, indent=2),
            f"{name}-request.json",
            "application/json",
            on_click="ignore",
        )
    python, shell = st.tabs(["The same in Python", "Command line"])
    with python:
        where = None if request.dataset in LOADERS else str(lab().settings.data_dir)
        st.code(reproduce.sweep_snippet(request, where), "python", wrap_lines=True)
    with shell:
        st.code(reproduce.command_of(experiment, request), "bash", wrap_lines=True)
    st.caption(provenance(stored))


def as_csv(table: Callable[[], pd.DataFrame]) -> bytes:
    return table().to_csv(index=False).encode()


def flat(table: pd.DataFrame) -> pd.DataFrame:
    """A sweep's table for a spreadsheet: what it has an entry a run of is written out."""
    lists = [c for c in table.columns if len(table) and isinstance(table[c].iloc[0], list)]
    return table.assign(**{c: [" ".join(map(str, v)) for v in table[c]] for c in lists})
