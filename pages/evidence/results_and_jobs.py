"""Results and jobs: what is computed, what waits, and everything that is kept."""

import hashlib
import io
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from engine.data.sources.fairness_sets import LOADERS
from engine.data.untrusted import limits
from engine.data.untrusted.limits import MB, size
from engine.errors import DamagedResult, EngineError
from engine.experiments import EXPERIMENTS, make_request
from engine.results import budget, bundle, library
from engine.results.jobs import Job, JobState
from engine.results.library import Entry, Library
from engine.results.store import LOCAL, PUBLISHED, Stored, open_entry
from engine.results.watchdog import limits_of
from engine.settings import ROOT
from pages.common.asking import controls, door, form, links
from pages.common.lab import registry
from pages.common.lab.shared import lab, origin
from pages.common.widgets import charts, unfold
from pages.common.words.wording import count, seconds, stamp
from pages.evidence.parts import library_words as words
from pages.evidence.parts import view_of_result

PAGE = registry.page("results")
LOOK_SECONDS = 2.0
ANY = "all"
TICKED = "result"  # in links: the keys of the results that are ticked
SAID, TAKEN, SENT = "library_said", "bundle_taken", "bundle"  # session-state keys
# Pages that show results without their data: any, those of the lab's tables, published ones alone.
SWEPT, TABLES, PUBLISHED_ONLY = (
    [url for url, *_ in view_of_result.SWEPT],
    "fairness",
    "easy-or-hard",
)
TABLE_ROWS = 12  # of the library that are seen without scrolling in it


# The queue.


@st.fragment(run_every=LOOK_SECONDS)
def queue() -> None:
    """What runs, what waits and how the last ones ended; looks again by itself."""
    found = lab().jobs.all()
    charts.heading(words.queue_title(found))
    active = [(job, state) for job, state in found if state.status in door.ACTIVE]
    ended = found[len(active) :]
    for job, state in active:
        job_row(job, state)
    if not active:
        st.caption(
            "Whatever a page is asked to compute stands here: it goes on when the page is closed "
            "and when the server is started again."
        )
    jobs = lab().jobs
    st.caption(words.limits_said(limits_of(jobs.settings, jobs.at_once()), jobs.at_once()))
    if ended:
        endings(ended)


@unfold.section("How the last computations ended", "ended")
def endings(ended: Sequence[tuple[Job, JobState]]) -> None:
    """What became of computations that are over."""
    st.dataframe(
        words.ended_rows(ended),
        hide_index=True,
        column_config={"seconds": st.column_config.NumberColumn(format="%.1f")},
        alt="Computations that are over, with their messages",
    )


def job_row(job: Job, state: JobState) -> None:
    """A job that runs or waits, and the button that ends it."""
    left, right = st.columns([5, 1], vertical_alignment="center")
    title = words.plain(words.job_title(job))
    with left:
        if state.status == "running":
            share, said = words.progress_of(state)
            took = seconds(state.seconds) + words.resumed(state)
            st.progress(share, text=f"{title} · {said} · {took}")
        else:
            ahead = max(state.place - 1, 0)
            where = f"behind {count(ahead, 'other')}" if ahead else "next in line"
            st.progress(0.0, text=f"{title} · waits, {where}{words.resumed(state)}")
    right.button("Cancel", key=f"cancel-{job.id}", on_click=door.cancel, args=(job.id,))


# The library.


def choose(found: Library) -> tuple[list[Entry], dict[str, Any], links.Expected]:
    """The entries that the filters leave; what these hold, and what a link may say of them."""
    choices = {
        "experiment": [ANY, *sorted({e.experiment for e in found.entries})],
        "data": [ANY, *sorted({e.dataset for e in found.entries if e.dataset})],
        "origin": [ANY, *words.ORIGINS.values()],
    }
    columns = st.columns([2, 2, 2, 3])
    chosen = {}
    for column, label, (name, options) in zip(
        columns, ("Experiment", "Data set", "From"), choices.items(), strict=False
    ):
        if st.session_state.get(name, ANY) not in options:  # the last of them was deleted
            st.session_state[name] = ANY
        chosen[name] = column.selectbox(
            label,
            options,
            key=name,
            bind="query-params",
            on_change=form.forget_notes,
        )
    text = columns[-1].text_input(
        "Search",
        key="text",
        placeholder="radius 0.35",
        help="Words that an entry must hold: of its request, its key, its device or its date.",
        bind="query-params",
    )
    wanted = {name: None if value == ANY else value for name, value in chosen.items()}
    origin = next((o for o, name in words.ORIGINS.items() if name == wanted["origin"]), None)
    left = library.select(found.entries, wanted["experiment"], wanted["data"], origin, text)
    return left, {**chosen, "text": text}, choices


def table(entries: Sequence[Entry]) -> list[Entry]:
    """The entries as a table; those that are ticked. Another list is another table: a tick never
    moves to another result."""
    named = "".join(f"{e.origin}{e.key}" for e in entries)
    key = f"library-{hashlib.sha256(named.encode()).hexdigest()[:12]}"
    start = st.session_state.setdefault(
        f"{key}-start", named_in_link(entries, st.query_params.get_all(TICKED))
    )
    event = st.dataframe(
        words.rows(entries),
        key=key,
        hide_index=True,
        height=min(len(entries), TABLE_ROWS) * 35 + 38,
        on_select="rerun",
        selection_mode="multi-row",
        selection_default={"selection": {"rows": start, "columns": [], "cells": []}},
        column_config={
            "made": st.column_config.DatetimeColumn(format="D MMM YYYY, HH:mm"),
            "seconds": st.column_config.NumberColumn(format="%.1f"),
            "KB": st.column_config.NumberColumn(format="%.0f"),
        },
        alt="The stored results, a row each: experiment, data set, request, where from, when",
    )
    chosen = [entries[row] for row in event["selection"]["rows"] if row < len(entries)]
    st.query_params[TICKED] = [entry.key for entry in chosen]
    return chosen


def named_in_link(entries: Sequence[Entry], keys: Sequence[str]) -> list[int]:
    """The rows of the results with these keys. One that lies here twice, computed and imported, is
    meant as often as it is named."""
    left, rows = list(keys), []
    for row, entry in enumerate(entries):
        if entry.key in left:
            left.remove(entry.key)
            rows.append(row)
    return rows


def show_library(found: Library) -> None:
    charts.heading("Everything that is kept")
    st.caption(words.disk_said(budget.usage(lab().settings)))
    given, notes = dict(st.query_params), st.container()
    entries, used, expected = choose(found)
    chosen = table(entries) if entries else []
    controls.finish(
        given,
        {**expected, TICKED: [entry.key for entry in found.entries]},
        {**used, TICKED: [entry.key for entry in chosen]},
    )
    with notes:
        controls.show_notes()
    if not entries:
        st.info(
            "No result fits these filters."
            if found.entries
            else "Nothing is kept here yet: ask "
            "for a computation on any page, or import a bundle below."
        )
        return
    few = f"{count(len(entries), 'result')}" + (
        f" of {len(found.entries):,}" if len(entries) < len(found.entries) else ""
    )
    if not chosen:
        st.caption(
            f"{few}. Tick one to see what it says and to open it on its page, two to compare "
            "them, any number to export or delete them."
        )
    else:
        actions(chosen)
    if len(chosen) == 1:
        one(chosen[0])
    elif len(chosen) == 2:
        two(*chosen)
    if found.unreadable:
        names = ", ".join(f"`{folder.parent.name}/{folder.name}`" for folder in found.unreadable)
        st.warning(f"What lies here cannot be read and is not used: {names}.")


def actions(chosen: Sequence[Entry]) -> None:
    """Export and delete what is ticked."""
    total = sum(entry.size for entry in chosen)
    removable = [entry for entry in chosen if entry.removable]
    usable = all(entry.current for entry in chosen) and total <= limits.UPLOAD_MB * MB
    with st.container(horizontal=True, vertical_alignment="center"):
        st.download_button(
            f"Export {count(len(chosen), 'result')}",
            lambda: packed(chosen),
            f"influence-attack-lab-{chosen[0].key[:8]}.zip"
            if len(chosen) == 1
            else f"influence-attack-lab-{len(chosen)}-results.zip",
            "application/zip",
            on_click="ignore",
            disabled=not usable,
            help="One zip file with each result's manifest, tables and arrays. Whoever gets it "
            "imports it below.",
        )
        with st.popover("Delete …", disabled=not removable):
            st.markdown(
                f"Delete {count(len(removable), 'result')}, "
                f"{size(sum(e.size for e in removable))}? They can be computed or imported again."
            )
            st.button("Delete for good", key="delete", on_click=delete, args=(removable,))
    if len(removable) < len(chosen):
        st.caption("Published results come with the lab and stay.")
    if not usable:
        st.caption(
            f"A bundle takes results of this version of the lab, {limits.UPLOAD_MB} MB through the "
            "browser; more with `python -m engine library export` on the command line."
        )


def packed(chosen: Sequence[Entry]) -> bytes:
    file = io.BytesIO()
    bundle.write_bundle(chosen, file)
    return file.getvalue()


def delete(chosen: Sequence[Entry]) -> None:
    """As a button's callback."""
    for entry in chosen:
        library.remove(lab().store, entry)
    st.session_state[SAID] = [("success", f"{count(len(chosen), 'result')} deleted.")]


# One result, or two.


def opened(entry: Entry) -> Stored | None:
    """The result of an entry; None where it is damaged, which is said."""
    try:
        return open_entry(entry.folder, entry.origin)
    except DamagedResult as error:
        st.error(f"This result cannot be opened: {words.plain(str(error))}")
        return None


def one(entry: Entry) -> None:
    """What a result says of itself, and the way to the page that shows it."""
    manifest = entry.manifest
    charts.heading(EXPERIMENTS[entry.experiment].title, words.origin(entry))
    if not entry.current:
        st.warning(
            "Another version of the lab made this: no page shows it. Compute it again, or delete "
            "it."
        )
        return
    stored = opened(entry)
    if stored is None:
        return
    way_to(entry)
    st.code(EXPERIMENTS[entry.experiment].describe(stored.result), language=None, wrap_lines=True)
    asked_for(manifest.request)
    st.caption(
        f"{origin(stored, entry.dataset)} · made {stamp(manifest.created)} in "
        f"{seconds(manifest.seconds)} on {manifest.device} · {manifest.made_with} · "
        f"data {manifest.data_hash[:12]} · {size(entry.size)} · key {entry.key}"
    )


@unfold.section("What was asked for", "request")
def asked_for(request: Mapping[str, Any]) -> None:
    st.dataframe(words.request_table(request), hide_index=True, alt="The request's fields")


def way_to(entry: Entry) -> None:
    """The link to the page that shows a result, or why there is none."""
    found = view_of_result.view_of(
        entry.experiment, make_request(entry.experiment, entry.manifest.request)
    )
    if found is None:
        st.caption("No page shows exactly this; here is what it says.")
        return
    if why := obstacle(entry, found):
        st.info(f"The page “{found.page.title}” cannot show it here: {why}")
        return
    st.page_link(
        ROOT / found.page.file,
        label=f"Open it on the page “{found.page.title}” →",
        query_params=dict(found.parameters),
    )
    there = lab().store.roots().items()
    named = (name for name, root in there if (root / bundle.name_of(entry)).is_dir())
    first = next(named, entry.origin)
    if first != entry.origin:
        st.caption(
            f"The page shows the result of this request that was {words.ORIGINS[first]}, which "
            "counts before this one. Tick both to compare them."
        )


def obstacle(entry: Entry, found: view_of_result.View) -> str:
    """Why a page cannot show a result on this machine; empty where it can."""
    name = entry.dataset
    if name is None:
        return ""
    request = make_request(entry.experiment, entry.manifest.request)
    try:
        content = door.content_of(request)
    except EngineError as error:
        return f"the data set “{name}” cannot be used. {error}"
    if content is None:
        if entry.origin != LOCAL and shows_without_data(found.page.url, entry):
            return ""
        return f"the data set “{name}” is not on this machine. What it says is below."
    if content != entry.manifest.data_hash:
        return f"the data set “{name}” on this machine has other content."
    return ""


def shows_without_data(url: str, entry: Entry) -> bool:
    """Whether a page shows a published or imported result although its data is not here."""
    known = entry.origin == PUBLISHED or entry.dataset in LOADERS
    return url in SWEPT or (url == TABLES and known) or (url == PUBLISHED_ONLY and known)


def two(first: Entry, second: Entry) -> None:
    """Two results side by side: requests, main numbers, summaries."""
    if first.experiment != second.experiment:
        st.info("Two results of the same experiment can be compared; these are of two.")
        return
    if not (first.current and second.current):
        st.info("Results of another version of the lab cannot be compared.")
        return
    stored = [opened(first), opened(second)]
    if stored[0] is None or stored[1] is None:
        return
    results = (stored[0].result, stored[1].result)
    numbers = words.side_by_side(first.experiment, *results)
    charts.heading(f"{words.sameness(numbers)}" if len(numbers) else "Side by side")
    st.caption(f"A: {words.label(first)}. B: {words.label(second)}.")
    differ = library.differences([first.manifest.request, second.manifest.request])
    same_data = first.manifest.data_hash == second.manifest.data_hash
    if differ:
        st.dataframe(
            [
                {"asked for": name, "A": words.shown(a), "B": words.shown(b)}
                for name, (a, b) in differ.items()
            ],
            hide_index=True,
            alt="The fields in which the requests differ",
        )
    else:
        st.caption("Both were asked for the same" + ("." if same_data else ", on other data."))
    if len(numbers):
        st.dataframe(
            numbers.assign(**{c: numbers[c].map(words.figure) for c in ("A", "B", "B − A")}),
            hide_index=True,
            alt="Main numbers of both results and their difference",
        )
    for column, name, entry, result in zip(
        st.columns(2, gap="medium"), "AB", (first, second), results, strict=True
    ):
        with column:
            st.markdown(f"**{name}**")
            said = EXPERIMENTS[entry.experiment].describe(result)
            st.code(said, language=None, wrap_lines=True)


# Bundles of others.


def take_in(name: str, content: bytes) -> list[tuple[str, str]]:
    """Import an uploaded bundle; what is said about it, as pairs of kind and text."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bundle.zip"
        path.write_bytes(content)
        try:
            return words.said_of(bundle.import_bundle(path, lab().store, name))
        except EngineError as error:
            return [("error", words.plain(str(error)))]


def uploader() -> None:
    """Somebody else's bundle: checked, and taken in where it is sound."""
    charts.heading("Import a bundle")
    st.caption(
        "Results that somebody else has exported. Everything in the file is checked before any of "
        "it is kept, and nothing in it is run. Its numbers are those of whoever computed them: "
        "imported results say so wherever they are shown, and give way to your own."
    )
    file = st.file_uploader(
        "A bundle (zip)", type="zip", key=SENT, max_upload_size=limits.UPLOAD_MB
    )
    if file is not None and st.session_state.get(TAKEN) != file.file_id:
        st.session_state[TAKEN] = file.file_id
        with st.spinner("Checking the bundle …"):
            st.session_state[SAID] = take_in(file.name, file.getvalue())
        st.rerun()  # the library above has more in it now


def show_said() -> None:
    """What became of the last bundle or deletion."""
    for kind, text in st.session_state.pop(SAID, []):
        {"success": st.success, "info": st.info, "error": st.error}[kind](text)


def page() -> None:
    st.title(PAGE.title)
    found = library.open_library(lab().store)
    st.markdown(words.finding(found))
    show_said()
    queue()
    show_library(found)
    uploader()


page()
