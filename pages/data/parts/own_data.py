"""Data of one's own on the data page: a file is chosen, what it would become is shown, and the file
is taken in only then. What is refused leaves the page and the choices on it as they are."""

import filecmp
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path

import pandas as pd
import streamlit as st

from engine.data.intake import take_in
from engine.data.intake.names import another
from engine.data.intake.preview import FileKind, Preview
from engine.data.sources import fairness_table
from engine.data.tables import packed
from engine.data.tables.account import TableAccount
from engine.data.tables.read import is_plain, suffix_of
from engine.errors import EngineError, InvalidDataset
from engine.experiments.prepare import PrepareRequest
from engine.progress import OnStep
from engine.results.jobs import JobState
from pages.common.asking import door, own_data
from pages.common.lab import visitors
from pages.common.lab.permissions import Action
from pages.common.lab.shared import lab, shown
from pages.common.samples import data_uri, shortened
from pages.common.widgets import blocks
from pages.common.words.wording import count, plain
from pages.data.parts import cards, own_file, own_tour
from pages.data.parts.own_file import FileOptions, OwnFile
from pages.fairness.parts import own_tables

SEEN, TAKEN, REFUSED = "own_seen", "own_taken", "own_refused"  # session-state keys
EXPERIMENT = "prepare"
SHOWN = {"features": "Features", "table": "Table", "images": "Images"}


@dataclass(frozen=True)
class Taken:
    """What was taken in last; job: that computes the features of images."""

    name: str
    kind: FileKind
    job: str = ""
    backbone: str = ""


def bring_in() -> None:
    """Show the whole part: choose a file, see what it would become, take it in; below it the tour
    on what was taken in, where the file was that the reader has just looked at."""
    cards.heading("Bring in your own", "own")
    show_refused()
    if forbidden := visitors.refusal(Action.UPLOAD):
        st.caption(forbidden)
    else:
        source = own_file.choose_file()
        own_file.what_can_be()
        if source is not None:
            take_in_here(source)
    show_taken()


def take_in_here(source: OwnFile) -> None:
    """Show what a chosen file would become, and take it in at the push of a button."""
    try:
        with source.on_disk() as path:
            kind = take_in.kind_of(path)
            table, columns = own_file.how_to_read(source, path) if kind == "table" else (None, [])
    except EngineError as error:
        st.error(shown(error))
        return
    options = own_file.choose_options(source, kind, columns)
    if table is not None:
        options = replace(options, table=table)
    if kind == "table" and options.label is None:
        st.info("Choose the column that holds the classes.")
        return
    seen = look(source, options)
    if isinstance(seen, str):
        st.error(seen)
        return
    show_preview(seen)
    offer(source, options, kind)


def look(source: OwnFile, options: FileOptions) -> Preview | str:
    """Return the data set that the file gives, or the reason why it is refused. The answer is kept
    for the same file and options."""
    key = (source.mark, options.label, options.test_share, options.table)
    held = st.session_state.get(SEEN)
    if held is not None and held[0] == key:
        return held[1]
    bar = st.progress(0.0, text=f"Looking through {source.name} …")

    def report(done: int, total: int) -> None:
        bar.progress(done / total, text=f"Looking through {source.name}: {done:,} of {total:,}")

    found: Preview | str
    try:
        with source.on_disk() as path:
            share, table = options.test_share, options.table
            found = take_in.preview(path, options.label, share, report, table)
    except EngineError as error:
        found = shown(error)
    except OSError as error:  # the server's disk, or a file that has gone since
        found = f"{source.name} cannot be read here ({error.strerror or error}). Try again."
    finally:
        bar.empty()
    st.session_state[SEEN] = (key, found)
    return found


def show_preview(seen: Preview) -> None:
    st.markdown(f"**{SHOWN[seen.kind]}: {seen.headline}** {seen.balance}")
    left, right = st.columns(2)
    with left:
        st.dataframe(
            seen.classes.rename(columns={"class": "Class", "train": "Train", "test": "Test"}),
            hide_index=True,
            height=min(240, 38 + 35 * len(seen.classes)),
            alt="Samples of every class in train and test",
        )
    with right:
        if seen.pictures:
            blocks.grid(
                (f'<img src="{data_uri(image)}" alt="{escape(name)}">', [escape(shortened(name))])
                for name, image in seen.pictures
            )
        for note in seen.notes:
            st.caption(plain(note))
    if seen.first_rows is not None:
        st.dataframe(seen.first_rows, hide_index=True, alt="The first rows of the table")
    if seen.account is not None:
        show_account(seen.account)
    if seen.n_problems:
        show_problems(seen)


def show_account(account: TableAccount) -> None:
    """Show what every column was read as; those that lack most values first."""
    table = account.table().sort_values("Missing", ascending=False, kind="stable")
    height = min(240, 38 + 35 * len(table))
    st.dataframe(table, hide_index=True, height=height, alt="What the columns were read as")


def show_problems(seen: Preview) -> None:
    what = "files" if seen.kind == "images" else "rows"
    st.warning(
        f"{count(seen.n_problems, 'problem')}; {seen.dropped:,} {what} would be left out. "
        "Mend the file and bring it in again, or go on without them."
    )
    table = pd.DataFrame(
        [(p.where, p.column, p.value, p.fault) for p in seen.problems],
        columns=["Where", "Column", "Value", "What is wrong"],
    )
    if not table["Column"].any():
        table = table.drop(columns=["Column", "Value"])
    st.dataframe(table, hide_index=True, height=min(240, 38 + 35 * len(table)), alt="Problems")
    if seen.n_problems > len(table):
        st.caption(f"The first {len(table):,} of {seen.n_problems:,}.")


def offer(source: OwnFile, options: FileOptions, kind: FileKind) -> None:
    """Show the button that accepts."""
    try:
        name = take_in.name_for(source.name, options.name)
    except EngineError as error:
        st.error(shown(error))
        return
    verb = "Take in and compute features" if kind == "images" else "Take in"
    if not st.button(f"{verb} as '{name}'", type="primary", key="own_accept"):
        return
    bar = st.progress(0.0, text="Taking it in …")

    def report(done: int, total: int) -> None:
        bar.progress(done / total, text=f"Taking it in: {done:,} of {total:,} images kept")

    take(source, options, name, report)
    st.rerun()


def take(source: OwnFile, options: FileOptions, name: str, report: OnStep) -> None:
    """Accept a file: what became of it is said when the page is drawn again."""
    data_dir = lab().settings.data_dir
    try:
        visitors.check(Action.UPLOAD)
        with source.on_disk() as path:
            share, table = options.test_share, options.table
            if take_in.kind_of(path) == "table":
                check_table(path, name, data_dir)
            kind = take_in.accept(path, name, data_dir, options.label, share, report, table)
            if kind == "table":
                keep_table(path, name, data_dir)
        job = ""
        if kind == "images":
            job = door.ask(EXPERIMENT, PrepareRequest(name, options.backbone))
    except (EngineError, OSError) as error:
        st.session_state[REFUSED] = f"{source.name} was not taken in. {shown(error)}"
        return
    st.session_state[TAKEN] = Taken(name, kind, job, options.backbone)
    if kind != "images":
        own_data.choose(name)
    own_file.begin_anew()
    st.session_state.pop(SEEN, None)


def check_table(path: Path, name: str, data_dir: Path) -> None:
    """Raise InvalidDataset where a different table of that name lies in the data directory: the
    fairness page would show it as this one's."""
    there = fairness_table.find(name, data_dir)
    if there is None or there == path:
        return
    with packed.unpacked(path, is_plain) as table:
        if not filecmp.cmp(table, there, shallow=False):
            raise InvalidDataset(another(name))


def keep_table(path: Path, name: str, data_dir: Path) -> None:
    """Keep a table beside its features for the fairness page, where it has columns for outcome and
    group, and that page takes one of its size."""
    try:
        if own_data.columns_for_roles(path) < 2:
            return
        own_tables.keep(f"{name}{suffix_of(path.name) or path.suffix}", path.read_bytes(), data_dir)
    except InvalidDataset:  # too large, too few rows: its tour says that page has no table of it
        return


def show_refused() -> None:
    if REFUSED in st.session_state:
        st.error(st.session_state.pop(REFUSED))


def show_taken() -> None:
    """Show what was taken in last, or an own data set that is chosen: the tour on it, or how far
    its features are."""
    taken, chosen = st.session_state.get(TAKEN), own_data.current()
    if chosen and (taken is None or taken.name != chosen):
        with st.container(border=True):
            own_tour.show(chosen)
        return
    if taken is None:
        return
    if not is_ready(taken.name):
        state = door.state_of(taken.job) if taken.job else JobState("unknown")
        if state.status in door.ACTIVE:
            st.markdown(f"Features of **{taken.name}** are being computed.")
            door.follow(taken.job, draw_pictures)
        elif state.status in ("failed", "died", "cancelled"):
            door.explain(state, f"'{taken.name}'")
            request = PrepareRequest(taken.name, taken.backbone)
            st.button(
                "Start again", key="own_again", on_click=door.submit, args=(EXPERIMENT, request)
            )
        else:  # removed since
            del st.session_state[TAKEN]
        return
    with st.container(border=True):
        st.markdown(f"**{taken.name}** is a data set now.")
        own_tour.show(taken.name)


def is_ready(name: str) -> bool:
    return (Path(lab().settings.data_dir) / f"{name}{take_in.FEATURES}").is_file()


def draw_pictures(state: JobState) -> None:
    """Draw the progress of a job that computes features, picture by picture."""
    last = next((p for p in reversed(state.progress) if p.total), None)
    if last is None:
        notice = next((p.notice for p in reversed(state.progress) if p.notice), "")
        st.progress(0.0, text=notice or "Loading the network …")
        return
    st.progress(last.share, text=f"{last.done:,} of {last.total:,} images computed")
