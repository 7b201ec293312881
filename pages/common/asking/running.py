"""Following a job: place in the queue, live progress, cancel, and what went wrong."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from engine.errors import EngineError
from engine.experiments import AttackRequest
from engine.results.jobs import JobState
from engine.results.store import Stored
from pages.common.asking import effort
from pages.common.asking.targets import REFUSAL
from pages.common.figures.trajectories import RunState, trajectories
from pages.common.lab.shared import lab
from pages.common.widgets.charts import chart
from pages.common.words.wording import count

POLL_SECONDS = 0.25
ACTIVE = ("queued", "running")
ENDED = ("done", "failed", "cancelled", "died")  # without a result, if there is none in the store
Draw = Callable[[JobState], None]
COLUMNS = ("run", "rank", "loss", "accuracy_test", "accuracy_holdout")


def submit(experiment: str, request: object) -> None:
    """Ask for a computation, as a button's callback: an error is shown on the page."""
    try:
        lab().jobs.submit(experiment, request)
    except EngineError as error:
        st.session_state[REFUSAL] = str(error)


def show_refusal() -> None:
    """Say why the last click did nothing."""
    if REFUSAL in st.session_state:
        st.warning(st.session_state.pop(REFUSAL))


def chosen_here(what: str, job: str) -> bool:
    """Whether a visitor came to `job` by changing a control: it is not what the session has seen
    first of this kind, by a link or otherwise."""
    return st.session_state.setdefault(f"opened-{what}", job) != job


def obtain(
    experiment: str,
    request: Any,
    data_hash: str,
    what: str,
    draw: Draw,
    seconds: float,
    chosen: bool = False,
) -> Stored | None:
    """The result of a request that the page cannot do without, which may take so many `seconds`.
    Where there is none yet, it is followed in its place. What a control has been set to (or the
    caller says is `chosen`) is asked for at once, if it is quick; what a link opens with, never."""
    job = lab().store.key(experiment, request, data_hash)
    chosen = chosen_here(experiment, job) or chosen
    state = lab().jobs.state(job)  # before the look into the store: what ended since is there
    stored = lab().store.find(experiment, request, data_hash)
    if stored is not None:
        return stored
    if state.status in ENDED:
        explain(state, what)
        st.button("Start again", key=f"again-{job}", on_click=submit, args=(experiment, request))
        return None
    if state.status not in ACTIVE and not (chosen and seconds <= effort.LONG_SECONDS):
        st.info(f"{what} is not computed here yet. {effort.expected(seconds)}")
        st.button(
            "Compute it",
            key=f"compute-{job}",
            type="primary",
            on_click=submit,
            args=(experiment, request),
        )
        return None
    if state.status not in ACTIVE:
        submit(experiment, request)
    follow(job, draw)
    return None


@st.fragment(run_every=POLL_SECONDS)
def follow(job: str, draw: Draw) -> None:
    """Show a job until it ends, then run the whole page again."""
    state = lab().jobs.state(job)
    if state.status not in ACTIVE:
        st.rerun()
    if state.status == "queued":
        ahead = max(state.place - 1, 0)
        waiting = f"behind {count(ahead, 'other job')}" if ahead else "next in line"
        again = f"{state.message} " if state.resumed else ""
        st.info(f"{again}In the queue, {waiting}. You can leave this page: the job goes on.")
    else:
        draw(state)
        if state.resumed:
            st.caption(state.message)
    st.button("Cancel", key=f"cancel-{job}", on_click=lab().jobs.cancel, args=(job,))


def trajectory_so_far(records: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """An attack's progress records as a table with one row per run and step."""
    frames = [
        pd.DataFrame({"step": record["step"], **{name: record[name] for name in COLUMNS}})
        for record in records
        if "step" in record
    ]
    return (
        pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=["step", *COLUMNS])
    )


def states_so_far(trajectory: pd.DataFrame, k: int) -> dict[int, RunState]:
    """Which runs have arrived, by their last step."""
    last = trajectory.groupby("run").tail(1)
    return {
        int(run): "reached" if rank <= k else "running"
        for run, rank in zip(last["run"], last["rank"], strict=True)
    }


def draw_attack(request: AttackRequest, n: int) -> Draw:
    """Live progress of an attack: rank, loss and accuracy by step."""
    runs = max(request.restarts, 1) * len(request.learning_rates)

    def draw(state: JobState) -> None:
        trajectory = trajectory_so_far(state.progress)
        if trajectory.empty:
            st.progress(
                0.0, text=state.message or "Training the honest model, drawing the starts …"
            )
            return
        states = states_so_far(trajectory, request.k)
        step, best = int(trajectory["step"].max()), int(trajectory["rank"].min())
        arrived = sum(s == "reached" for s in states.values())
        st.progress(
            min(step / request.steps, 1.0),
            text=f"Step {step} of {request.steps}: best rank so far {best:,}; "
            f"{arrived} of {runs} runs arrived",
        )
        chart(
            trajectories(trajectory, states, n, request.k, request.steps),
            "live",
            alt=f"Live: rank, loss and accuracy of {runs} runs; the best rank so far is {best}",
            source=None,
        )

    return draw


def draw_plain(text: str) -> Draw:
    """Progress of a job that reports none."""

    def draw(state: JobState) -> None:
        st.info(f"{text} …")

    return draw


def explain(
    state: JobState,
    what: str,
    doing: str = "computed",
    rest: str = "Start again; a new worker takes over.",
) -> None:
    """What is said about a job that ended without a result; `rest`: what becomes of one that was
    ended from outside."""
    if state.status == "failed":
        st.error(f"{what} could not be {doing}: {state.message}")
    elif state.status == "died":
        st.error(f"{what} was not finished: {state.message} {rest}")
    elif state.status == "cancelled":
        st.info(f"{what} was cancelled.")
    elif state.status == "done":
        st.error(f"{what} was computed, but what is stored of it is damaged and cannot be shown.")
