"""A table of one's own on a page: brought in, its columns chosen, its first rows shown."""

import shutil
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import streamlit as st

from engine.data import catalogue
from engine.data.intake import labelled_table
from engine.data.intake.names import place, safe_name
from engine.data.sources import fairness_table
from engine.data.sources.fairness_sets import LOADERS
from engine.data.sources.fairness_table import MOST_VALUES
from engine.data.sources.features_file import changed_at
from engine.data.tables import packed
from engine.data.tables.account import TableAccount
from engine.data.tables.columns import complete_rows
from engine.data.tables.options import TableOptions
from engine.data.tables.raw import RawTable
from engine.data.tables.read import FORMATS, SUFFIXES, columns_of, is_plain, suffix_of
from engine.errors import EngineError, InvalidDataset
from engine.experiments.fairness import Table
from pages.common.asking import door, table_options
from pages.common.asking.form import BOUND, Form, forget_notes
from pages.common.lab import visitors
from pages.common.lab.permissions import Action
from pages.common.lab.shared import lab, shown
from pages.fairness.parts.fairness_words import plain

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
        trial = Path(folder) / f"{name}{suffix_of(file_name) or packed.ZIP}"
        trial.write_bytes(content)
        twice = [column for column, times in Counter(columns_of(trial)).items() if times > 1]
        fairness_table.read(trial, TableOptions(drop=tuple(twice)))  # the rest is asked later
        with packed.unpacked(trial, is_plain) as table:
            kept = Path(folder) / f"{name}{table.suffix.lower()}"
            if table != kept:
                shutil.copyfile(table, kept)
        place(kept, data_dir / kept.name)
    return name


def receive() -> None:
    """Make what was uploaded the table of the page, as the uploader's callback."""
    file = st.session_state[UPLOAD]
    if file is None:
        return
    try:
        visitors.check(Action.UPLOAD)
        st.session_state["table"] = keep(file.name, file.getvalue(), lab().settings.data_dir)
        forget_notes()
    except (EngineError, OSError) as error:
        door.refuse(f"{file.name} was not taken. {shown(error)}")


def uploader() -> None:
    if forbidden := visitors.refusal(Action.UPLOAD):
        st.caption(forbidden)
        return
    st.file_uploader(
        "A table of your own",
        type=[suffix.removeprefix(".") for suffix in (*SUFFIXES, *packed.PACKINGS)],
        key=UPLOAD,
        help=f"{FORMATS}. Kept in the data directory of this server, where whoever uses it finds "
        "it under Data set. What becomes of its rows and columns is said below.",
        max_upload_size=UPLOAD_MB,
        on_change=receive,
    )


@dataclass(frozen=True, eq=False)
class Opened:
    """A table and the values of its columns, the most frequent first."""

    raw: RawTable
    values: dict[str, list[str]]


def place_of(name: str) -> tuple[Path, float]:
    """Return the file of a table in the data directory, and when it last changed. Raises
    InvalidDataset."""
    data_dir = lab().settings.data_dir
    path = fairness_table.find(name, data_dir)
    if path is None:
        raise InvalidDataset(f"There is no table '{name}' in the data directory.")
    return path, changed_at(str(path), data_dir)


def read_as_chosen(form: Form, name: str) -> tuple[Opened, TableOptions]:
    """Return a table of the data directory, read as the controls above it say. Raises
    InvalidDataset."""
    path, changed = place_of(name)
    with st.expander("How the table is read", key="how-read"):
        header = table_options.has_header(**BOUND)
        columns = list(dict.fromkeys(columns_of(path, header)))
        options = table_options.choose(columns, header, **BOUND)
    shown = table_options.as_in_links(options)
    allowed = {"header": (False, True), "impute": (False, True), "drop": columns, "text": columns}
    for option, choices in allowed.items():
        form.note(option, choices, shown.get(option))
    form.used["missing"] = shown.get("missing")
    return _opened(path, changed, options), options


@st.cache_resource(max_entries=4, show_spinner="Reading the table …")
def _opened(path: Path, changed: float, options: TableOptions) -> Opened:
    raw = fairness_table.read(path, options)
    columns = raw.frame.columns
    values = {name: fairness_table.values_of(raw.frame[name], options) for name in columns}
    return Opened(raw, values)


def account_of(opened: Opened, chosen: Table) -> TableAccount:
    """Return what becomes of the rows and columns, said before anything is computed. Raises
    InvalidDataset."""
    roles = [str(chosen.target), str(chosen.sensitive)]
    return complete_rows(opened.raw, roles, chosen.options, also=roles[1:]).account


def choose_columns(form: Form, name: str, values: dict[str, list[str]]) -> Table:
    """Which columns and values of a table mean what. Raises InvalidDataset."""
    fit = fairness_table.fit_for_roles(values)
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

    few = binary if len(binary) > 1 else fairness_table.like_groups(values) or fit
    usual = labelled_table.usual_label(fit) or few[-1]
    target = choose("Target", "target", fit, usual, "The column to predict.")
    positive = form.asked(
        next(places),
        "Favourable value",
        "positive",
        values[target],
        "Of the target: the outcome that people wish for. It is chosen for you only where a word "
        "such as “yes” or “approved” says so.",
        fairness_table.favourable(values[target]),
    )
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


def preview(table: pd.DataFrame, account: TableAccount) -> None:
    st.dataframe(table.head(PREVIEW_ROWS), hide_index=True, alt="The first rows of the table")
    used = f"{account.complete:,} of them complete" if account.dropped else "all complete"
    st.caption(
        f"The first {PREVIEW_ROWS} of {len(table):,} rows, {used}; {table.shape[1]} columns."
    )
    for line in account.lines:
        st.caption(plain(line))
