"""Results and jobs: what is computed, what waits, and everything that is kept."""

import hashlib
import io
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import streamlit as st

from engine.data.untrusted import limits
from engine.data.untrusted.limits import MB, size
from engine.errors import EngineError
from engine.results import bundle, library, trash
from engine.results.library import Entry, Library
from pages.common.asking.form import Form, Place
from pages.common.asking.refusals import show_refusal
from pages.common.lab import registry, visitors
from pages.common.lab.permissions import Action
from pages.common.lab.shared import lab, shown
from pages.common.widgets import blocks
from pages.common.words.code_names import data_name, experiment_name
from pages.common.words.wording import count, plain
from pages.evidence.parts import job_queue, kept_results
from pages.evidence.parts import library_words as words

PAGE = registry.page("results")
ANY, OTHER = "all", "other"  # OTHER: what no page shows
TICKED = "result"  # in links: the keys of the results that are ticked
SAID, TAKEN, SENT = "library_said", "bundle_taken", "bundle"  # session-state keys
DELETED = "library_deleted"  # session-state key: the last deletion, which can be undone
SEEN = ("what", "data set", "asked for", "shown on", "from")  # the rest is said of one
ROW = 38  # px
TABLE_ROWS = 6  # of the library that are seen without scrolling in it: what one says is in view


def choose(form: Form, found: Library) -> list[Entry]:
    """Return the entries that the filters leave."""
    place = st.container(key="library-filters")
    part = choose_part(form, place, found)
    origins = list(words.ORIGINS.values())
    several = len({entry.origin for entry in found.entries}) > 1
    columns = place.columns([3, 2, 2, 2][: 4 if several else 3])
    experiments = sorted({entry.experiment for entry in found.entries}, key=experiment_name)
    data = sorted({entry.dataset for entry in found.entries if entry.dataset})
    experiment, dataset = (
        form.choice(column, label, name, [ANY, *choices], "", carried=False, words=said)
        for column, label, name, choices, said in (
            (columns[1], "Experiment", "experiment", experiments, experiment_name),
            (columns[2], "Data set", "data", data, data_name),
        )
    )
    whence = ANY
    if several:
        whence = form.choice(columns[3], "Made", "origin", [ANY, *origins], "", carried=False)
    else:
        form.note("origin", [ANY, *origins], form.given.get("origin", ANY))
    text = form.text(
        columns[0],
        "Search",
        "text",
        "",
        "Words that a row of the table shows, or that its request, key, device or date holds.",
        "digits 35%",
    )
    left = library.select(
        entries_of(part, words.in_order(found.entries)),
        None if experiment == ANY else experiment,
        None if dataset == ANY else dataset,
        next((origin for origin, name in words.ORIGINS.items() if name == whence), None),
    )
    return words.searched(left, found.entries, text)


def choose_part(form: Form, place: Place, found: Library) -> str:
    """Choose the part of the lab whose pages show the results."""
    many = Counter(section or OTHER for section in words.sections(found.entries))
    parts = [part for part in dict.fromkeys(page.section for page in registry.PAGES) if many[part]]
    counts = {ANY: len(found.entries), **{part: many[part] for part in parts}}
    if many[OTHER]:
        counts[OTHER] = many[OTHER]
    return form.segments(
        place,
        "Part of the lab",
        "part",
        list(counts),
        ANY,
        "The part whose pages show a result. No page shows the others.",
        lambda name: f"{name[0].upper()}{name[1:]} {counts[name]:,}",
    )


def entries_of(part: str, entries: Sequence[Entry]) -> Sequence[Entry]:
    """Return those of the entries that a part of the lab shows; all of them for `ANY`."""
    if part == ANY:
        return entries
    sections = words.sections(entries)
    return [e for e, section in zip(entries, sections, strict=True) if part == (section or OTHER)]


def table(entries: Sequence[Entry], of: Sequence[Entry]) -> list[Entry]:
    """Show the entries, of all in the library, as a table; return those that are ticked. Another
    list is another table: a tick never moves to another result."""
    named = "".join(f"{e.origin}{e.key}" for e in entries)
    key = f"library-{hashlib.sha256(named.encode()).hexdigest()[:12]}"
    start = st.session_state.setdefault(
        f"{key}-start", named_in_link(entries, st.query_params.get_all(TICKED))
    )
    event = st.dataframe(
        words.rows(entries, of),
        key=key,
        hide_index=True,
        row_height=ROW,
        height=round(min(len(entries), TABLE_ROWS + 0.5) * ROW) + ROW,  # half a row: it goes on
        on_select="rerun",
        selection_mode="multi-row",
        selection_default={"selection": {"rows": start, "columns": [], "cells": []}},
        column_order=SEEN if len({e.origin for e in entries}) > 1 else SEEN[:-1],
        column_config={
            "what": st.column_config.TextColumn("What was computed", width=165),
            "data set": st.column_config.TextColumn("Data set", width=152),
            "asked for": st.column_config.TextColumn("Settings", width=225),
            "shown on": st.column_config.TextColumn("Read it on the page", width=240),
            "made": st.column_config.DatetimeColumn("Made on", format="D MMM YYYY"),
            "from": st.column_config.TextColumn("Made"),
            "seconds": st.column_config.NumberColumn(format="%.1f"),
            "KB": st.column_config.NumberColumn(format="%.0f"),
        },
        alt="The stored results, a row each: experiment, data set, request, page, when, where from",
    )
    chosen = [entries[row] for row in event["selection"]["rows"] if row < len(entries)]
    st.query_params[TICKED] = [entry.key for entry in chosen]
    return chosen


def named_in_link(entries: Sequence[Entry], keys: Sequence[str]) -> list[int]:
    """Return the rows of the results with these keys. One that lies here twice, computed and
    imported, is meant as often as it is named."""
    left, rows = list(keys), []
    for row, entry in enumerate(entries):
        if entry.key in left:
            left.remove(entry.key)
            rows.append(row)
    return rows


def show_library(found: Library) -> None:
    form, notes = Form(), st.container()
    entries = choose(form, found)
    chosen = table(entries, found.entries) if entries else []
    form.note(TICKED, [entry.key for entry in found.entries], [entry.key for entry in chosen])
    with notes:
        form.finish()
    if not entries:
        st.info(
            "No result fits these filters."
            if found.entries
            else "Nothing is kept here yet: ask "
            "for a computation on any page, or import a bundle below."
        )
        return
    if len(entries) > TABLE_ROWS:
        st.caption(f"Scroll in the table for all {len(entries):,} results.")
    if not chosen:
        kept_results.example(entries)
    elif len(chosen) == 1:
        kept_results.one(chosen[0])
    elif len(chosen) == 2:
        kept_results.two(*chosen)
    if chosen:
        actions(chosen)
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
        forbidden = visitors.refusal(Action.DELETE)
        with st.popover("Delete …", disabled=not removable or bool(forbidden)):
            st.markdown(
                f"Delete {count(len(removable), 'result')}, "
                f"{size(sum(e.size for e in removable))}, for everybody who uses this lab? This "
                "can be undone for a day."
            )
            st.button("Delete", key="delete", on_click=delete, args=(removable,))
    if forbidden:
        st.caption(forbidden)
    elif len(removable) < len(chosen):
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
    """Delete the chosen results, as a button's callback."""
    try:
        visitors.check(Action.DELETE)
        st.session_state[DELETED] = trash.throw_away(lab().store, chosen)
    except EngineError as error:
        st.session_state[SAID] = [("error", plain(shown(error)))]
        return
    st.session_state[SAID] = [("success", f"{count(len(chosen), 'result')} deleted.")]


def undo() -> None:
    """Put back what was deleted last, as a button's callback."""
    try:
        visitors.check(Action.DELETE)
        back, left = trash.put_back(lab().store, st.session_state.pop(DELETED, ""))
    except EngineError as error:
        st.session_state[SAID] = [("error", plain(shown(error)))]
        return
    again = f" {count(left, 'other')} had been computed again meanwhile." if left else ""
    st.session_state[SAID] = [("success", f"{count(back, 'result')} put back.{again}")]


def take_in(name: str, content: bytes) -> list[tuple[str, str]]:
    """Import an uploaded bundle; what is said about it, as pairs of kind and text."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bundle.zip"
        path.write_bytes(content)
        try:
            visitors.check(Action.IMPORT)
            return words.said_of(bundle.import_bundle(path, lab().store, name))
        except EngineError as error:
            return [("error", plain(shown(error)))]


def uploader() -> None:
    """Take in somebody else's bundle: it is checked first, and taken in where it is sound."""
    st.caption(
        "Everything in the file is checked, and nothing in it is run. Imported results say so "
        "wherever they are shown, and give way to your own."
    )
    if forbidden := visitors.refusal(Action.IMPORT):
        st.caption(forbidden)
        return
    file = st.file_uploader(
        "A bundle (zip)", type="zip", key=SENT, max_upload_size=limits.UPLOAD_MB
    )
    if file is not None and st.session_state.get(TAKEN) != file.file_id:
        st.session_state[TAKEN] = file.file_id
        with st.spinner("Checking the bundle …"):
            st.session_state[SAID] = take_in(file.name, file.getvalue())
        st.rerun()  # the library above has more in it now


def show_said() -> None:
    """Show what became of the last bundle or deletion, and the way back."""
    show_refusal()
    for kind, text in st.session_state.pop(SAID, []):
        {"success": st.success, "info": st.info, "error": st.error}[kind](text)
    if DELETED in st.session_state:
        st.button("Undo the deletion", key="undo", icon=":material/undo:", on_click=undo)


def page() -> None:
    blocks.ask(PAGE)
    found = library.open_library(lab().store)
    st.markdown(words.answer(found))
    show_said()
    job_queue.queue()
    show_library(found)
    with st.expander("Import results from somebody else"):
        uploader()
    job_queue.limits(words.kept_said(found))


page()
