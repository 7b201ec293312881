"""The one door from a request to its result: what is stored, where its job stands, how to ask.

A page asks `Computation.of(experiment, request)` once and draws what it finds. No other module of
the pages reads keys, states or results of requests from the store and the jobs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import streamlit as st

from engine.errors import EngineError
from engine.experiments import EXPERIMENTS, NO_DATA, Request, open_data, source_of
from engine.experiments.base import Features
from engine.experiments.cost import Size, size_of
from engine.experiments.fairness import Table
from engine.results.jobs import JobState
from engine.results.store import Stored
from pages.common.asking import cancelling, data_choice, effort, progress
from pages.common.asking.progress import Draw
from pages.common.asking.refusals import refuse, show_refusal
from pages.common.lab import permissions, visitors
from pages.common.lab.permissions import Action
from pages.common.lab.shared import is_here, lab, open_dataset, shown
from pages.common.words.code_names import data_name
from pages.common.words.wording import count

POLL_SECONDS, WAITING_SECONDS = 0.25, 1.0
ACTIVE = ("queued", "running")
ENDED = ("done", "failed", "cancelled", "died")  # without a result, if there is none in the store
R = TypeVar("R", bound=Request)  # the type of the experiment's requests
FETCHED_FIRST = (
    " The original files are not on this machine: they are fetched first, once, which may take a "
    "minute or two."
)


def content_of(request: Request) -> str | None:
    """Return the content hash of a request's data; None where that is not on this machine. Raises
    EngineError for a table that cannot be read."""
    source = source_of(request)
    if source is None:
        return NO_DATA
    if isinstance(source, Features):
        return data_choice.data_hash(source.name)
    if not source.is_here(lab().settings.data_dir):
        return None
    with st.spinner("Reading the data …"):
        return lab().jobs.data_hash(request)


@dataclass(frozen=True)
class Computation(Generic[R]):
    """A request and what the lab knows of it: its job and where that stands (None where the data is
    not on this machine), and the stored result (None where there is none)."""

    experiment: str
    request: R
    job: str | None
    state: JobState | None
    stored: Stored | None

    @classmethod
    def of(cls, experiment: str, request: R) -> "Computation[R]":
        """Read key, result and, where there is none, its job's state and then the result again: a
        job that ends between the last two has its result in the store by then. Raises EngineError
        for a table that cannot be read."""
        store = lab().store
        if isinstance(source_of(request), Table):  # of verified files: no need to read them first
            published = store.find_published(experiment, request)
            if published is not None:
                return cls(experiment, request, None, None, published)
        content = content_of(request)
        if content is None:
            elsewhere = store.find_without_data(experiment, request)
            return cls(experiment, request, None, None, elsewhere)
        job = store.key(experiment, request, content)
        found = store.find_entry(experiment, job)
        if found is not None and EXPERIMENTS[experiment].lasts is None:
            return cls(experiment, request, job, JobState("done"), found)
        state = lab().jobs.state(job, experiment)
        last = found if state.status == "unknown" else store.find_entry(experiment, job)
        return cls(experiment, request, job, state, last)

    @property
    def is_active(self) -> bool:
        """Return whether its job waits or runs and there is no result yet."""
        return self.stored is None and self.state is not None and self.state.status in ACTIVE

    @property
    def has_ended(self) -> bool:
        """Return whether its job ended without a result."""
        return self.stored is None and self.state is not None and self.state.status in ENDED

    @property
    def is_fetched_first(self) -> bool:
        """Return whether its data is not on this machine, but is fetched when it is needed."""
        return self.job is None and isinstance(source_of(self.request), Table)

    def damage(self) -> str | None:
        """Return why a stored result cannot be read; None where nothing is damaged."""
        content = content_of(self.request)
        if content is None:
            return None
        return lab().store.damage(self.experiment, self.request, content)


def find(experiment: str, request: Request) -> Stored | None:
    """Return the stored result of a request; a published or imported one where its data is not on
    this machine. Raises EngineError for a table that cannot be read."""
    return Computation.of(experiment, request).stored


def is_stored(experiment: str, job: str) -> bool:
    """Return whether the result of a job that a page remembers lies here, without opening it."""
    return lab().store.has(experiment, job)


def find_published(experiment: str, request: Request) -> Stored | None:
    """Return the published result of a request, which opens without its data."""
    return lab().store.find_published(experiment, request)


def submit(experiment: str, request: Request) -> None:
    """Ask for a computation, as a button's callback: an error is shown on the page."""
    try:
        ask(experiment, request)
    except EngineError as error:
        refuse(shown(error))


def ask(experiment: str, request: Request) -> str:
    """Ask for a computation; returns its job's id. Raises EngineError where its data cannot be
    opened, or the visitor may not ask for it."""
    visitors.check(action_of(experiment, request))
    most = lab().settings.visitor_jobs if visitors.is_limited() else 0
    return lab().jobs.submit(experiment, request, visitors.current().id, most)


def action_of(experiment: str, request: Request) -> Action:
    """Return what asking for a computation counts as among the permissions."""
    seconds = seconds_of(experiment, request)
    return permissions.action_of(experiment, seconds is not None and seconds <= effort.LONG_SECONDS)


def seconds_of(experiment: str, request: Request) -> float | None:
    """Return an upper estimate of a request's time; None for what always takes minutes, and for
    features that are not on this machine or cannot be read. A table is not opened for it."""
    estimate, source = EXPERIMENTS[experiment].seconds, source_of(request)
    size: Size | None = Size()
    if estimate is None:
        return None
    if isinstance(source, Features):
        try:
            size = size_of(open_dataset(source.name)) if is_here(source.name) else None
        except EngineError:  # the computation will say what is wrong with it
            size = None
    return None if size is None else estimate(request, size)


def why_not(experiment: str, request: Request) -> str:
    """Say why the visitor may not ask for a computation; empty where they may."""
    return visitors.refusal(action_of(experiment, request))


def submit_all(computations: Sequence[Computation[R]]) -> None:
    """Ask for all of them, as a button's callback."""
    for one in computations:
        submit(one.experiment, one.request)


def chosen_here(what: str, job: str) -> bool:
    """Return whether a visitor came to `job` by changing a control: the session's first job of this
    kind, by a link or otherwise, was another one."""
    return st.session_state.setdefault(f"opened-{what}", job) != job


def obtain(
    experiment: str,
    request: Request,
    what: str,
    draw: Draw,
    seconds: float,
    chosen: bool = False,
) -> Stored | None:
    """Return the result of a request that the page cannot do without, which may take so many
    `seconds`.

    Where there is none yet, its job is followed in its place. What a control has been set to (or
    the caller says is `chosen`) is asked for at once, if it is quick. What a link opens with is
    never asked for without a click.
    """
    found = Computation.of(experiment, request)
    chosen = chosen_here(experiment, str(found.job)) or chosen
    if found.stored is not None or found.job is None:
        return found.stored
    refused = why_not(experiment, request)
    if refused and not found.is_active:
        st.info(f"{what} is not computed here yet. {refused}")
        return None
    if found.has_ended and found.state is not None:
        explain(found.state, what)
        st.button(
            "Start again", key=f"again-{found.job}", on_click=submit, args=(experiment, request)
        )
        return None
    if not found.is_active and not (chosen and seconds <= effort.LONG_SECONDS):
        st.info(f"{what} is not computed here yet. {effort.expected(seconds)}")
        st.button(
            "Compute it",
            key=f"compute-{found.job}",
            type="primary",
            on_click=submit,
            args=(experiment, request),
        )
        return None
    if not found.is_active:
        submit(experiment, request)
    if state_of(found.job).status == "unknown":  # it was refused: too much was asked for at once
        show_refusal()
        return None
    follow(found.job, draw)
    return None


def offer(
    computations: Sequence[Computation[R]], cost: str, what: str, begins: str = progress.BEGINS
) -> None:
    """Offer computations that are only of use together: what they cost, a button, the progress, and
    what went wrong with them. `what` is the unit in which their progress is counted, `begins` what
    they do before there is anything to count."""
    missing = [one for one in computations if one.stored is None]
    if not missing:
        st.caption("This result is shown on this page. Change anything here to ask for another.")
        return
    fetched = any(one.is_fetched_first for one in missing)
    if not fetched and all(one.state is None for one in missing):
        name = dataset_of(missing[0].request) or ""
        st.warning(
            f"The data set “{data_name(name)}” is not on this machine: only what is published "
            "for it can be shown. Put its features file into the data directory to compute more."
        )
        return
    for one in missing:
        if one.job is not None and one.is_active:
            follow(one.job, progress.draw_counted(what, begins))
            return
    for one in missing:
        if one.state is not None:
            explain(one.state, "The computation")
    refused = offer_refused(missing, fetched)
    st.caption(cost + (FETCHED_FIRST if fetched else beside_digits(missing[0])))
    if refused:
        st.caption(refused)
    clicked = st.button(
        "Start again" if any(one.has_ended for one in missing) else "Run it",
        key=f"offer-{missing[0].experiment}",
        type="primary",
        disabled=bool(refused),
        on_click=None if fetched else submit_all,
        args=None if fetched else (missing,),
    )
    show_refusal()
    if clicked and fetched:
        fetch_and_submit(missing)


def offer_refused(computations: Sequence[Computation[R]], fetched: bool) -> str:
    """Say why the visitor may not ask for these computations, or may not have their data fetched;
    empty where both are allowed."""
    found = [why_not(one.experiment, one.request) for one in computations]
    return (visitors.refusal(Action.PREPARE) if fetched else "") or next(filter(None, found), "")


def fetch_and_submit(computations: Sequence[Computation]) -> None:
    """Fetch the data of computations, which is said as it comes, ask for all of them, and run the
    page again."""
    with st.status("Asking for it …") as status:
        try:
            visitors.check(Action.PREPARE)
            for one in computations:
                open_data(one.request, lab().settings.data_dir, status.write)
            submit_all(computations)
        except EngineError as error:
            refuse(shown(error))
    st.rerun()


def dataset_of(request: Request) -> str | None:
    """Return the name of the data set that a request is about; None where it makes its own data."""
    name: str | None = getattr(request, "dataset", None)
    return name


def beside_digits(one: Computation[R]) -> str:
    """Say what is added to a cost that is known for digits; a sweep's is estimated for its data."""
    source = source_of(one.request)
    if one.experiment == "sweep" or not isinstance(source, Features):
        return ""
    here = data_choice.data_hash(source.name) is not None
    return effort.beside_digits(open_dataset(source.name)) if here else ""


def state_of(job: str) -> JobState:
    """Return where a job stands that a page asked for and remembers by its id."""
    return lab().jobs.state(job)


def follow(job: str, draw: Draw) -> None:
    """Show a job until it ends, then run the whole page again. A page whose job waits behind others
    looks less often: every look costs the server time, and in a class most jobs wait."""
    waits = state_of(job).place > 1
    st.fragment(run_every=WAITING_SECONDS if waits else POLL_SECONDS)(look)(job, draw, waits)


def look(job: str, draw: Draw, waits: bool) -> None:
    """Show where a job stands; once it has ended, or waits behind others no more, run the whole
    page again."""
    state = state_of(job)
    if state.status not in ACTIVE or (waits and state.place <= 1):
        st.rerun()
    if state.status == "queued":
        ahead = max(state.place - 1, 0)
        waiting = f"behind {count(ahead, 'other job')}" if ahead else "next in line"
        again = f"{shown(state.message)} " if state.resumed else ""
        st.info(f"{again}In the queue, {waiting}. You can leave this page: the job goes on.")
    else:
        draw(state)
        if state.resumed:
            st.caption(shown(state.message))
    cancelling.button(job)


def explain(
    state: JobState,
    what: str,
    doing: str = "computed",
    rest: str = "Start again; a new worker takes over.",
) -> None:
    """Say what became of a job that ended without a result; `rest`: what becomes of one that was
    ended from outside."""
    if state.status == "failed":
        st.error(f"{what} could not be {doing}: {shown(state.message)}")
    elif state.status == "died":
        st.error(f"{what} was not finished: {shown(state.message)} {rest}")
    elif state.status == "cancelled":
        st.info(f"{what} was cancelled.")
    elif state.status == "done":
        st.error(f"{what} was computed, but what is stored of it is damaged and cannot be shown.")
