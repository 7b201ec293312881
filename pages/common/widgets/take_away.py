"""What can be taken away from a result that is a table: tables, request, code, provenance."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

import pandas as pd
import streamlit as st

from engine.data.sources.bundled import LOADERS
from engine.results.store import Stored
from pages.common.lab.shared import lab, provenance
from pages.common.widgets import code_tabs
from pages.common.widgets.charts import heading
from pages.common.words import reproduce


def show(
    stored: Stored,
    request: Any,
    tables: Mapping[str, Callable[[], pd.DataFrame]],
    others: Sequence[Any] = (),
    snippet: Callable[[Any, str | None], str] = reproduce.sweep_snippet,
    code: Callable[[str, str], None] = code_tabs.folded,
) -> None:
    """Tables, request, code and provenance of a result that is a table; `others` are the requests
    of the sweeps that were put together with it, `snippet` writes the Python of each, `code` draws
    it."""
    heading("Take it with you")
    experiment, requests = stored.manifest.experiment, [request, *others]
    name = f"{request.dataset}-{experiment}"
    asked = [{"experiment": experiment, "request": asdict(r)} for r in requests]
    with st.container(horizontal=True):
        for label, table in tables.items():
            st.download_button(
                f"{label} (CSV)",
                partial(as_csv, table),
                f"{name}-{label.lower().replace(' ', '-')}.csv",
                "text/csv",
                on_click="ignore",
            )
        st.download_button(
            "Request (JSON)",
            json.dumps(asked if others else asked[0], indent=2),
            f"{name}-request.json",
            "application/json",
            on_click="ignore",
        )
    where = None if request.dataset in LOADERS else str(lab().settings.data_dir)
    code(
        "\n".join(snippet(r, where) for r in requests),
        "\n".join(reproduce.command_of(experiment, r) for r in requests),
    )
    st.caption(provenance(stored))


def as_csv(table: Callable[[], pd.DataFrame]) -> bytes:
    return table().to_csv(index=False).encode()


def flat(table: pd.DataFrame) -> pd.DataFrame:
    """A sweep's table for a spreadsheet: what it has an entry a run of is written out."""
    lists = [c for c in table.columns if len(table) and isinstance(table[c].iloc[0], list)]
    return table.assign(**{c: [" ".join(map(str, v)) for v in table[c]] for c in lists})
