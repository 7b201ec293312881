"""A table of one's own on a page: brought in, its columns chosen, its first rows shown."""

import tempfile
from pathlib import Path

import pandas as pd
import streamlit as st

from engine.data import catalogue
from engine.data.intake.names import place, safe_name
from engine.data.sources import fairness_table
from engine.data.sources.fairness_sets import LOADERS
from engine.data.sources.fairness_table import MOST_VALUES
from engine.errors import EngineError, InvalidDataset
from engine.experiments.fairness import Table
from pages.common.asking import door
from pages.common.asking.form import Form, forget_notes
from pages.common.lab.shared import lab

UPLOAD = "upload"  # session-state key
UPLOAD_MB = 50
PREVIEW_ROWS = 5


def names() -> list[str]:
    """List the tables in the data directory."""
    return [name for name in fairness_table.names(lab().settings.data_dir) if name not in LOADERS]


def keep(file_name: str, content: bytes, data_dir: Path) -> str:
    """Put a table into the data directory, if it is one; returns its name. A different table of
    that name is never replaced. Raises InvalidDataset."""
    if len(content) > UPLOAD_MB * 2**20:
        raise InvalidDataset(f"'{file_name}' is larger than {UPLOAD_MB} MB. Take fewer rows.")
    name = safe_name(file_name, catalogue.NAMES)
    data_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=data_dir, prefix=".") as folder:
        trial = Path(folder) / f"{name}{fairness_table.SUFFIX}"
        trial.write_bytes(content)
        fairness_table.read(trial)
        place(trial, data_dir / trial.name)
    return name


def receive() -> None:
    """Make what was uploaded the table of the page, as the uploader's callback."""
    file = st.session_state[UPLOAD]
    if file is None:
        return
    try:
        st.session_state["table"] = keep(file.name, file.getvalue(), lab().settings.data_dir)
        forget_notes()
    except (EngineError, OSError) as error:
        door.refuse(f"{file.name} was not taken. {error}")


def uploader() -> None:
    st.file_uploader(
        "A table of your own (CSV with a header)",
        type="csv",
        key=UPLOAD,
        help="Kept in the data directory of this server, where whoever uses it finds it under Data "
        "set. Rows with missing values are dropped.",
        max_upload_size=UPLOAD_MB,
        on_change=receive,
    )


def open_table(name: str) -> pd.DataFrame:
    """Open a table of the data directory, kept in memory until its file changes. Raises
    InvalidDataset."""
    path = Path(lab().settings.data_dir) / f"{name}{fairness_table.SUFFIX}"
    return _open_table(path, path.stat().st_mtime if path.is_file() else 0.0)


@st.cache_resource(max_entries=4, show_spinner="Reading the table …")
def _open_table(path: Path, changed: float) -> pd.DataFrame:
    return fairness_table.read(path)


def choose_columns(form: Form, name: str, table: pd.DataFrame) -> Table:
    """Choose which columns and values of a table mean what. Raises InvalidDataset where it has too
    few columns to choose from."""
    values = {str(column): fairness_table.values_of(table, column) for column in table.columns}
    fit = [column for column, found in values.items() if 2 <= len(found) <= MOST_VALUES]
    if len(fit) < 2:
        raise InvalidDataset(
            f"Two columns with 2 to {MOST_VALUES} values are needed, for target and group; this "
            f"table has {len(fit)}."
        )
    binary = [column for column in fit if len(values[column]) == 2] or fit
    places = iter(st.columns(4))

    def choose(label: str, key: str, choices: list[str], default: str, help: str) -> str:
        # Not carried to other pages: there `target` is a training sample.
        return form.choice(next(places), label, key, choices, help, default, carried=False)

    target = choose("Target", "target", fit, binary[-1], "The column to predict.")
    of_target = values[target]
    positive = choose("Favourable value", "positive", of_target, of_target[0], "Of the target.")
    others = [column for column in fit if column != target]
    default = next((column for column in binary if column != target), others[0])
    sensitive = choose("Group", "sensitive", others, default, "The column of the group.")
    privileged = choose(
        "Group s = 1",
        "privileged",
        values[sensitive],
        values[sensitive][0],
        "The value whose rate comes first in the gap.",
    )
    merged = form.tick(
        st.container(),
        "Merge all other values",
        "merge_others",
        "Where target or group have more than two values: compare the chosen one with all the "
        "others together.",
    )
    return Table(name, target, positive, sensitive, privileged, merged)


def preview(table: pd.DataFrame) -> None:
    st.dataframe(table.head(PREVIEW_ROWS), hide_index=True, alt="The first rows of the table")
    st.caption(f"The first {PREVIEW_ROWS} of {len(table):,} rows; {table.shape[1]} columns.")
