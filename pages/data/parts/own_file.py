"""Controls of the data page: the file of one's own that is to be taken in, and how to read it."""

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from engine.data.images.backbones import BACKBONES
from engine.data.intake import labelled_table, take_in
from engine.data.intake.preview import FileKind
from engine.data.tables.options import TableOptions
from engine.data.tables.read import FORMATS, columns_of
from engine.data.untrusted import limits
from engine.errors import EngineError
from pages.common.asking import table_options
from pages.common.lab.shared import lab
from pages.common.widgets import unfold

# Session-state keys. The uploader's carries a number: another one is a new, empty uploader.
UPLOAD, ROUND, OFFERED = "own_upload", "own_round", "own_offered"
GUESSED = "own_guessed"
NAME, LABEL, SHARE, BACKBONE = "own_name", "own_label", "own_share", "own_backbone"

FORMS = """\
- **Features** (`.npz`): `X_train`, `y_train`, `X_test`, `y_test`, optionally `class_names`; labels
  numbered 0…K−1. Nothing is unpickled.
- **A table** ({formats}): one column holds the classes; numbers are taken as they are, texts become
  one 0/1 column for every value, rows with missing values are left out or imputed. What becomes of
  rows and columns is said before anything is taken in. Rows are counted from 1, without the header.
- **Images** (`.zip`): one folder a class (`cat/1.png`, `dog/1.png`), under `train/` and `test/` if
  you have split them; a network makes the features.

What is taken in is kept in the data directory of this server, where whoever uses it finds it. A
data set that is there is never replaced. For larger files:
`python -m engine data add FILE`."""


@dataclass(frozen=True)
class OwnFile:
    """A file that was uploaded (`content`), or one in the data directory. `mark` changes with
    it."""

    name: str
    mark: str
    content: UploadedFile | None = None

    @contextmanager
    def on_disk(self) -> Iterator[Path]:
        """Put the file where the engine can read it."""
        if self.content is None:
            yield Path(lab().settings.data_dir) / self.name
            return
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / self.name
            path.write_bytes(self.content.getbuffer())
            yield path


@dataclass(frozen=True)
class FileOptions:
    """How a file is to be read; label: of a table; test_share: of what has no test data."""

    name: str
    label: str | None = None
    test_share: float = labelled_table.TEST_SHARE
    backbone: str = ""
    table: TableOptions = field(default_factory=TableOptions)


def plain_name(name: str) -> str:
    """Return the last part of an uploaded file's name, as one that any disk can keep."""
    last = PurePosixPath(name.replace("\\", "/")).name
    return re.sub(r"[\x00-\x1f]", "", last)[-100:].lstrip(".") or "upload"


@unfold.section("What can be brought in, and how much", "forms")
def what_can_be() -> None:
    st.markdown(FORMS.format(formats=FORMATS))
    st.markdown("\n".join(f"- {line}" for line in limits.stated()))


def choose_file() -> OwnFile | None:
    """Return an uploaded file or, where there is none, one that lies in the data directory."""
    key = f"{UPLOAD}-{st.session_state.get(ROUND, 0)}"
    file = st.file_uploader(
        "A file of your own",
        type=[suffix.removeprefix(".") for suffix in take_in.UPLOADED],
        key=key,
        help=f"Features (.npz), a table ({FORMATS}), or images in class folders (.zip).",
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
        return OwnFile(plain_name(file.name), f"upload {file.file_id}", file)
    if there is None:
        return None
    changed = (Path(lab().settings.data_dir) / there).stat().st_mtime_ns
    return OwnFile(there, f"file {there} {changed}")


def how_to_read(source: OwnFile, path: Path) -> tuple[TableOptions, list[str]]:
    """Return how the table is read, as it is chosen, and the columns that are left. Raises
    InvalidDataset."""

    def key(name: str) -> str:
        return f"own-{name}-{source.mark}"

    with st.expander("How the table is read", key="how-read"):
        header = table_options.has_header(key)
        columns = list(dict.fromkeys(columns_of(path, header)))
        options = table_options.choose(columns, header, key)
    return options, [column for column in columns if column not in options.drop]


def choose_options(source: OwnFile, kind: FileKind, columns: list[str]) -> FileOptions:
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
        return FileOptions(name)
    label = backbone = None
    with places[1]:
        if kind == "table":
            usual = labelled_table.usual_label(columns) or guessed(source, columns)
            label = st.selectbox(
                "Column with the classes",
                columns,
                index=columns.index(usual) if usual else None,
                key=f"{LABEL}-{mark}",
                help="Guessed where no column is called label, class, target or y: the last one "
                "with few values, each of them in several rows.",
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
    return FileOptions(name, label, share, backbone or "")


def guessed(source: OwnFile, columns: list[str]) -> str | None:
    """Return the column that most likely holds the classes, looked for once for a file."""
    held = st.session_state.get(GUESSED)
    if held is None or held[0] != (source.mark, tuple(columns)):
        try:
            with source.on_disk() as path:
                found = labelled_table.guessed_label(path)
        except EngineError:  # the preview says what is wrong with the table
            found = None
        held = (source.mark, tuple(columns)), found
        st.session_state[GUESSED] = held
    return held[1] if held[1] in columns else None


def begin_anew() -> None:
    """Empty the controls: the file that they held has been taken in."""
    st.session_state[ROUND] = st.session_state.get(ROUND, 0) + 1
    st.session_state.pop(OFFERED, None)
