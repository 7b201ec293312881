"""Data of one's own on a page: a file is chosen, what it would become is shown, and only then is it
taken in. Whatever is refused leaves the page and the choices on it as they are."""

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd
import streamlit as st

from engine.data.images.backbones import BACKBONES
from engine.data.intake import labelled_table, take_in
from engine.data.intake.preview import Kind, Preview
from engine.data.untrusted import limits
from engine.data.untrusted.tables import columns_of
from engine.errors import EngineError
from engine.experiments.prepare import PrepareRequest
from engine.results.jobs import JobState
from engine.settings import ROOT
from pages.common.asking import door
from pages.common.lab import registry
from pages.common.lab.shared import lab
from pages.common.samples import data_uri, shortened
from pages.common.widgets import blocks, unfold
from pages.common.words.wording import count

# Session-state keys. The uploader's carries a number: another one is a new, empty uploader.
UPLOAD, ROUND, OFFERED = "own_upload", "own_round", "own_offered"
NAME, LABEL, SHARE, BACKBONE = "own_name", "own_label", "own_share", "own_backbone"
SEEN, TAKEN, REFUSED = "own_seen", "own_taken", "own_refused"
EXPERIMENT = "prepare"
OPEN_AT = ("move-one-sample", "influence", "easy-or-hard")  # pages that a new data set opens on
SHOWN = {"features": "Features", "table": "Table", "images": "Images"}


@dataclass(frozen=True)
class Source:
    """A file that was uploaded (`content`), or one in the data directory. `mark` changes with
    it."""

    name: str
    mark: str
    content: Any = None  # Streamlit's UploadedFile

    @contextmanager
    def on_disk(self) -> Iterator[Path]:
        """The file where the engine can read it."""
        if self.content is None:
            yield Path(lab().settings.data_dir) / self.name
            return
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / self.name
            path.write_bytes(self.content.getbuffer())
            yield path


@dataclass(frozen=True)
class Taken:
    """What was taken in last; job: that computes the features of images."""

    name: str
    kind: Kind
    job: str = ""
    backbone: str = ""


@dataclass(frozen=True)
class Options:
    """How a file is to be read; label: of a table; test_share: of what has no test data."""

    name: str
    label: str | None = None
    test_share: float = labelled_table.TEST_SHARE
    backbone: str = ""


def plain_name(name: str) -> str:
    """The last part of an uploaded file's name, as one that any disk can keep."""
    last = PurePosixPath(name.replace("\\", "/")).name
    return re.sub(r"[\x00-\x1f]", "", last)[-100:].lstrip(".") or "upload"


@unfold.section("What can be brought in, and how much", "forms")
def what_can_be() -> None:
    st.markdown(FORMS)
    st.markdown("\n".join(f"- {line}" for line in limits.stated()))


def bring_in() -> None:
    """The whole part: choose a file, see what it would become, take it in."""
    st.subheader("Bring in your own")
    show_taken()
    show_refused()
    source = choose_source()
    what_can_be()
    if source is None:
        return
    try:
        with source.on_disk() as path:
            kind = take_in.kind_of(path)
            columns = columns_of(path) if kind == "table" else []
    except EngineError as error:
        st.error(f"{error}")
        return
    options = choose_options(source, kind, columns)
    if kind == "table" and options.label is None:
        st.info("Choose the column that holds the classes.")
        return
    seen = look(source, options)
    if isinstance(seen, str):
        st.error(seen)
        return
    show_preview(seen)
    offer(source, options, kind)


FORMS = """\
- **Features** (`.npz`): `X_train`, `y_train`, `X_test`, `y_test`, optionally `class_names`; labels
  numbered 0…K−1. Nothing is unpickled.
- **A table** (`.csv` in UTF-8 with a header, or `.parquet`): one column holds the classes; numbers
  are taken as they are, texts become one 0/1 column for every value, rows with missing values are
  left out. Rows are counted from 1, without the header.
- **Images** (`.zip`): one folder a class (`cat/1.png`, `dog/1.png`), under `train/` and `test/` if
  you have split them; a network makes the features.

What is taken in is kept in the data directory of this server, where whoever uses it finds it. A
data set that is there is never replaced. For larger files:
`python -m engine data add FILE`."""


def choose_source() -> Source | None:
    """An uploaded file or, where there is none, one that lies in the data directory."""
    key = f"{UPLOAD}-{st.session_state.get(ROUND, 0)}"
    file = st.file_uploader(
        "A file of your own",
        type=[suffix.removeprefix(".") for suffix in take_in.UPLOADED],
        key=key,
        help="Features (.npz), a table (.csv, .parquet), or images in class folders (.zip).",
        max_upload_size=limits.UPLOAD_MB,
    )
    offered = take_in.offered(lab().settings.data_dir)
    there = None
    if offered:
        there = st.selectbox(
            "Or one that lies in the data directory",
            offered,
            index=None,
            key=OFFERED,
            placeholder="Tables, archives and folders",
            disabled=file is not None,
            help="Features files (.npz) there are data sets already. A table needs to be told "
            "which column holds the classes, images need a network.",
        )
    if file is not None:
        return Source(plain_name(file.name), f"upload {file.file_id}", file)
    if there is None:
        return None
    changed = (Path(lab().settings.data_dir) / there).stat().st_mtime_ns
    return Source(there, f"file {there} {changed}")


def choose_options(source: Source, kind: Kind, columns: list[str]) -> Options:
    """Name and, by kind, the label column, the test share and the network."""
    mark = source.mark
    places = st.columns([3, 2, 2] if kind != "features" else [3, 4])
    try:
        suggested = take_in.name_for(source.name)
    except EngineError:
        suggested = ""
    name = places[0].text_input(
        "Name of the data set",
        suggested,
        key=f"{NAME}-{mark}",
        max_chars=60,
        help="Letters, digits, - and _.",
    )
    if kind == "features":
        return Options(name)
    label = backbone = None
    with places[1]:
        if kind == "table":
            usual = labelled_table.usual_label(columns)
            label = st.selectbox(
                "Column with the classes",
                columns,
                index=columns.index(usual) if usual else None,
                key=f"{LABEL}-{mark}",
            )
        else:
            backbone = st.selectbox(
                "Network",
                list(BACKBONES),
                index=list(BACKBONES).index(take_in.BACKBONE),
                key=f"{BACKBONE}-{mark}",
                format_func=lambda name: BACKBONES[name].title,
                help="It makes the features. The weights of ResNet-50 are fetched once; those of "
                "EfficientNet-Lite2 come with the lab.",
            )
    with places[2]:
        share = st.slider(
            "Share for test",
            labelled_table.LEAST_SHARE,
            labelled_table.MOST_SHARE,
            labelled_table.TEST_SHARE,
            0.01,
            key=f"{SHARE}-{mark}",
            help="Drawn at random from every class (seed 0). Images that lie in train/ and test/ "
            "stay as they are.",
        )
    return Options(name, label, share, backbone or "")


def look(source: Source, options: Options) -> Preview | str:
    """What the file would become, or why it cannot be taken; found once for these options."""
    key = (source.mark, options.label, options.test_share)
    held = st.session_state.get(SEEN)
    if held is not None and held[0] == key:
        return held[1]
    bar = st.progress(0.0, text=f"Looking through {source.name} …")

    def report(done: int, total: int) -> None:
        bar.progress(done / total, text=f"Looking through {source.name}: {done:,} of {total:,}")

    found: Preview | str
    try:
        with source.on_disk() as path:
            found = take_in.preview(path, options.label, options.test_share, report)
    except EngineError as error:
        found = str(error)
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
            st.caption(escape_markdown(note))
    if seen.first_rows is not None:
        st.dataframe(seen.first_rows, hide_index=True, alt="The first rows of the table")
    if seen.n_problems:
        show_problems(seen)


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


def escape_markdown(text: str) -> str:
    """A text from a file, shown as it is."""
    return re.sub(r"([\\`*_{}\[\]<>#$~|:])", r"\\\1", text)


def offer(source: Source, options: Options, kind: Kind) -> None:
    """The button that accepts."""
    try:
        name = take_in.name_for(source.name, options.name)
    except EngineError as error:
        st.error(str(error))
        return
    verb = "Take in and compute features" if kind == "images" else "Take in"
    if not st.button(f"{verb} as '{name}'", type="primary", key="own_accept"):
        return
    bar = st.progress(0.0, text="Taking it in …")

    def report(done: int, total: int) -> None:
        bar.progress(done / total, text=f"Taking it in: {done:,} of {total:,} images kept")

    take(source, options, name, report)
    st.rerun()


def take(source: Source, options: Options, name: str, report: take_in.Report) -> None:
    """Accept a file: what became of it is said when the page is drawn again."""
    data_dir = lab().settings.data_dir
    try:
        with source.on_disk() as path:
            kind = take_in.accept(path, name, data_dir, options.label, options.test_share, report)
        job = ""
        if kind == "images":
            job = door.ask(EXPERIMENT, PrepareRequest(name, options.backbone))
    except (EngineError, OSError) as error:
        st.session_state[REFUSED] = f"{source.name} was not taken in. {error}"
        return
    st.session_state[TAKEN] = Taken(name, kind, job, options.backbone)
    st.session_state[ROUND] = st.session_state.get(ROUND, 0) + 1
    st.session_state.pop(OFFERED, None)
    st.session_state.pop(SEEN, None)


def show_refused() -> None:
    if REFUSED in st.session_state:
        st.error(st.session_state.pop(REFUSED))


def show_taken() -> None:
    """What was taken in last: the way to its pages, or how far its features are."""
    taken = st.session_state.get(TAKEN)
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
        st.markdown(f"**{taken.name}** is a data set now. Open it:")
        for column, url in zip(st.columns(len(OPEN_AT)), OPEN_AT, strict=True):
            entry = registry.page(url)
            column.page_link(
                ROOT / entry.file,
                label=f"{entry.title} →",
                query_params={"dataset": taken.name},
            )


def is_ready(name: str) -> bool:
    return (Path(lab().settings.data_dir) / f"{name}{take_in.FEATURES}").is_file()


def draw_pictures(state: JobState) -> None:
    """Progress of a job that computes features, picture by picture."""
    last = next((p for p in reversed(state.progress) if p.total), None)
    if last is None:
        notice = next((p.notice for p in reversed(state.progress) if p.notice), "")
        st.progress(0.0, text=notice or "Loading the network …")
        return
    st.progress(last.share, text=f"{last.done:,} of {last.total:,} images computed")
