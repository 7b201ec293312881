"""The queue: what is being computed, what waits, and how the last computations ended."""

from collections.abc import Sequence

import streamlit as st

from engine.results import budget
from engine.results.jobs import Job, JobState
from engine.results.lanes import LANES
from engine.results.watchdog import limits_of
from pages.common.asking import cancelling, door
from pages.common.lab.shared import lab
from pages.common.widgets import blocks, unfold
from pages.common.words.wording import count, plain, seconds
from pages.evidence.parts import library_words as words

LOOK_SECONDS = 2.0


@st.fragment(run_every=LOOK_SECONDS)
def queue() -> None:
    """Show what runs, what waits and how the last ones ended; read it again at intervals."""
    found = lab().jobs.all()
    active = [(job, state) for job, state in found if state.status in door.ACTIVE]
    ended = found[len(active) :]
    if active:
        blocks.facts("", words.queue_facts(found))
    else:
        st.caption("Nothing is being computed. Running jobs appear here, with their progress.")
    for job, state in active:
        job_row(job, state)
    if ended:
        endings(ended)


@unfold.section("How much is computed at once, and how much is kept", "limits")
def limits(kept: str) -> None:
    """Say what the job runner allows, and what results take of the disk. kept: what is kept now."""
    jobs = lab().jobs
    at_once = {lane: jobs.at_once(lane) for lane in LANES}
    allowed = {lane: limits_of(jobs.settings, many, lane) for lane, many in at_once.items()}
    st.markdown(
        "Jobs go on when the page is closed and when the server is started again. "
        f"{words.limits_said(allowed, at_once)}\n\n{kept} "
        f"{words.disk_said(budget.usage(jobs.settings))}"
    )


@unfold.section("How the last computations ended", "ended")
def endings(ended: Sequence[tuple[Job, JobState]]) -> None:
    """Show what became of computations that are over."""
    st.dataframe(
        words.ended_rows(ended),
        hide_index=True,
        column_config={"seconds": st.column_config.NumberColumn(format="%.1f")},
        alt="Computations that are over, with their messages",
    )


def job_row(job: Job, state: JobState) -> None:
    """Show a job that runs or waits, whose it is, and the button that ends it."""
    left, right = st.columns([5, 1], vertical_alignment="center")
    title = plain(words.job_title(job))
    if cancelling.is_mine(job.id):
        title = f"**Yours:** {title}"
    with left:
        if state.status == "running":
            share, said = words.progress_of(state)
            took = seconds(state.seconds) + words.resumed(state)
            st.progress(share, text=f"{title} · {said} · {took}")
        else:
            ahead = max(state.place - 1, 0)
            where = f"behind {count(ahead, 'other')}" if ahead else "next in line"
            line = f"waits among the {job.lane} computations, {where}"
            st.progress(0.0, text=f"{title} · {line}{words.resumed(state)}")
    with right:
        cancelling.button(job.id)
