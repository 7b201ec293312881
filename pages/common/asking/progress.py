"""Live progress of jobs, drawn from what they report."""

from collections.abc import Callable, Sequence
from dataclasses import fields

import pandas as pd
import streamlit as st

from engine.attacks.result import Ranking
from engine.experiments import AttackRequest
from engine.progress import Progress, Runs
from engine.results.jobs import JobState
from pages.common.figures.trajectories import RunState, trajectories
from pages.common.samples import Samples
from pages.common.widgets import climb
from pages.common.widgets.charts import chart
from pages.common.widgets.ready_figure import for_page
from pages.common.words.wording import count

Draw = Callable[[JobState], None]  # draws the progress of a job
LIVE_SECONDS = 3.0  # after which an attack is worth a figure, which takes the server tens of ms
BEGINS = "Training the honest model, drawing the targets"
COLUMNS = [field.name for field in fields(Runs)]


def trajectory_so_far(told: Sequence[Progress]) -> pd.DataFrame:
    """Return an attack's reports as a table with one row per run and step."""
    frames = [pd.DataFrame({"step": p.step, **vars(p.runs)}) for p in told if p.runs is not None]
    return (
        pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=["step", *COLUMNS])
    )


def states_so_far(trajectory: pd.DataFrame, k: int) -> dict[int, RunState]:
    """Return which runs have arrived, by their last step."""
    last = trajectory.groupby("run").tail(1)
    return {
        int(run): "reached" if rank <= k else "running"
        for run, rank in zip(last["run"], last["rank"], strict=True)
    }


def draw_attack(
    request: AttackRequest,
    n: int,
    before: Ranking | None = None,
    samples: Samples | None = None,
) -> Draw:
    """Return the drawing of an attack's live progress: the target in the honest ranking, which
    climbs, and of a longer one rank, loss and accuracy by step. The ranking needs `before` and
    `samples`."""
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
        if before is not None and samples is not None:
            now = trajectory.groupby("run")["rank"].last().astype(int).tolist()
            climb.show(before, samples, request.targets[0], [best, *now], request.k)
        if state.seconds < LIVE_SECONDS:
            return
        chart(
            for_page(trajectories(trajectory, states, n, request.k, request.steps)),
            "live",
            alt=f"Live: rank, loss and accuracy of {runs} runs; the best rank so far is {best}",
            source=None,
        )

    return draw


def draw_plain(text: str) -> Draw:
    """Return the drawing of a job that reports no progress."""

    def draw(state: JobState) -> None:
        st.info(f"{text} …")

    return draw


def draw_counted(what: str, begins: str = BEGINS) -> Draw:
    """Return the drawing of a computation's live progress that counts what is done of a total;
    `begins`: what it does before there is anything to count."""

    def draw(state: JobState) -> None:
        told = [progress for progress in state.progress if progress.total]
        for progress in state.progress:
            if progress.notice:
                st.warning(progress.notice)
        if not told:
            st.progress(0.0, text=f"{begins} …")
            return
        last = told[-1]
        step = f"; step {last.step} of {last.steps} of a batch" if last.steps else ""
        st.progress(last.share, text=f"{last.done:,} of {count(last.total, what)} done{step}")

    return draw
