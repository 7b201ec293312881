"""What can be taken away from a result, folded: tables, request, figures, code, provenance."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TypeVar

import pandas as pd
import streamlit as st

from engine.data.sources.bundled import LOADERS
from engine.experiments import Request, values_of
from engine.results.store import Stored
from pages.common.lab.shared import data_place, provenance
from pages.common.widgets import code_tabs, unfold
from pages.common.words import reproduce

LABEL, KEY = "Take it with you: tables, request, and the same in Python", "take-away"
Content = str | Callable[[], str | bytes]  # of a file; a function makes it when it is asked for
R = TypeVar("R", bound=Request)  # the type of an experiment's requests


def show(
    stored: Stored,
    request: R,
    tables: Mapping[str, Callable[[], pd.DataFrame]],
    others: Sequence[R] = (),
    snippet: Callable[[R, str | None], str] | None = None,
    name: str = "",
    figures: Callable[[], str] | None = None,
) -> None:
    """Show what can be taken away, folded. The arguments are those of `contents`."""
    write = partial(contents, stored, request, tables, others, snippet, name, figures)
    unfold.show(LABEL, KEY, write)


def folded(
    label: str,
    key: str,
    stored: Stored,
    request: R,
    tables: Mapping[str, Callable[[], pd.DataFrame]],
    name: str = "",
) -> None:
    """Show one of several results of a page under a `label` and a `key` of its own."""
    unfold.show(label, key, partial(contents, stored, request, tables, name=name))


def contents(
    stored: Stored,
    request: R,
    tables: Mapping[str, Callable[[], pd.DataFrame]],
    others: Sequence[R] = (),
    snippet: Callable[[R, str | None], str] | None = None,
    name: str = "",
    figures: Callable[[], str] | None = None,
) -> None:
    """Draw the buttons for tables and request of a result, the code that repeats it, and its
    provenance.

    others: the requests of the results that were put together with it. snippet: writes the Python
    of a request, by default as `reproduce.snippet_of`. name: what the files' names begin with, by
    default data set and experiment. figures: makes a page (HTML) of all figures.
    """
    experiment, requests = stored.manifest.experiment, [request, *others]
    dataset = stored.manifest.request.get("dataset")
    name = name or f"{dataset}-{experiment}"
    with st.container(horizontal=True):
        for label, table in tables.items():
            word = label.lower().replace(" ", "-").replace("'", "")
            download(f"{label} (CSV)", partial(as_csv, table), f"{name}-{word}.csv", "text/csv")
        written = reproduce.requests_json([(experiment, values_of(r)) for r in requests])
        download("Request (JSON)", written, f"{name}-request.json", "application/json")
        if figures is not None:
            download("All figures (HTML)", figures, f"{name}.html", "text/html")
    own = dataset is not None and dataset not in LOADERS
    where = data_place() if own else None
    python = snippet or partial(reproduce.snippet_of, experiment)
    code_tabs.tabs(
        "\n".join(python(r, where) for r in requests),
        "\n".join(reproduce.command_of(experiment, r) for r in requests),
    )
    st.caption(provenance(stored))


def download(label: str, content: Content, file: str, kind: str) -> None:
    st.download_button(label, content, file, kind, on_click="ignore")


def as_csv(table: Callable[[], pd.DataFrame]) -> bytes:
    return table().to_csv(index=False).encode()


def flat(table: pd.DataFrame) -> pd.DataFrame:
    """Return a sweep's table for a spreadsheet: columns that have an entry per run are written as
    text."""
    lists = [c for c in table.columns if len(table) and isinstance(table[c].iloc[0], list)]
    return table.assign(**{c: [" ".join(map(str, v)) for v in table[c]] for c in lists})
