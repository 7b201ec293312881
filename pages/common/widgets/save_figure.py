"""The menu beneath a figure: as a picture, its numbers, what was asked for, and what to cite.

Pictures are made in the browser by the Plotly that drew the figure: neither a server's browser nor
a network is needed. They are light whatever the lab's theme, as a page of paper is.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from html import escape

import pandas as pd
import streamlit as st

from engine.experiments import Request, values_of
from engine.results.store import Stored
from pages.common.keeping import shelf
from pages.common.widgets import blocks, unfold
from pages.common.words import reproduce

NAMED = ("metric", "k", "radius", "image", "scale")  # fields that a file's name says, if single
LEAST_WIDTH = 640  # px of a picture: a figure on a phone is narrower
CHOICES = {
    "png": "Picture (PNG)",
    "slide": "Picture for a slide (PNG)",
    "svg": "Drawing (SVG)",
    "request": "Request (JSON)",
    "citation": "To cite (BibTeX)",
}

MakeTable = Callable[[], pd.DataFrame]
Asked = tuple[tuple[str, Mapping[str, object]], ...]  # requests, each with its experiment


@dataclass(frozen=True)
class FigureSource:
    """What a figure shows: a word for it, its numbers as a table (made when they are asked for),
    and the requests whose results it is drawn from, each with its experiment."""

    what: str
    table: MakeTable
    asked: Asked

    @classmethod
    def of(cls, what: str, table: MakeTable, *results: Stored) -> "FigureSource":
        asked = [(r.manifest.experiment, r.manifest.request) for r in results]
        return cls(what, table, tuple(asked))

    @classmethod
    def asking(
        cls, what: str, table: MakeTable, experiment: str, request: Request
    ) -> "FigureSource":
        """Make the source of a figure that shows what a request is about, with or without a
        result."""
        return cls(what, table, ((experiment, values_of(request)),))

    @property
    def name(self) -> str:
        """'digits-sample-16-k-1-radius-0.3-ranking': what files are called."""
        experiment, request = self.asked[0]
        text = "-".join([str(request.get("dataset", experiment)), *self._details(), self.what])
        return re.sub(r"[^A-Za-z0-9._]+", "-", text)

    def _details(self) -> list[str]:
        """Return the sample, if it is one, and the fields that a file's name says."""
        request = self.asked[0][1]
        targets, target = request.get("targets"), request.get("target")
        if isinstance(targets, list | tuple) and len(targets) == 1:
            target = targets[0]
        sample = [f"sample {target}"] if isinstance(target, int) else []
        single = {name: request.get(name) for name in NAMED}
        return sample + [f"{n} {v}" for n, v in single.items() if isinstance(v, str | int | float)]

    @property
    def said(self) -> str:
        """'digits · sample 16 · k 1 · radius 0.3': what it is drawn from, in a picture."""
        experiment, request = self.asked[0]
        return " · ".join([str(request.get("dataset", experiment)), *self._details()])

    def csv(self) -> bytes:
        return self.table().to_csv(index=False).encode()


def plain(text: str) -> str:
    """Return Markdown as the text of a picture: without marks of emphasis and badges."""
    return re.sub(r":\w+-badge\[[^]]*\]|\*\*|`", "", text).strip()


def menu(chart: str, source: FigureSource, title: str) -> None:
    """Show the menu of the chart with this key; pictures carry the title, and what they are drawn
    from. The browser makes what it holds when it is opened, and the numbers are written when they
    are asked for."""
    unfold.menu(
        "Save figure",
        f"save-{chart}",
        partial(offer, chart, source, title),
        ":material/download:",
        type="tertiary",
    )


def offer(chart: str, source: FigureSource, title: str) -> None:
    """Write what the menu holds."""
    blocks.html(choices(chart, source.what, source.asked, title))
    st.download_button(
        "Numbers (CSV)",
        source.csv,
        f"{source.name}.csv",
        "text/csv",
        key=f"save-{chart}-numbers",
        on_click="ignore",
        width="stretch",
    )


@shelf.kept
def choices(chart: str, what: str, asked: Asked, title: str) -> str:
    """Return what the browser saves by itself, as HTML: a button for each. `save_figure.js`, which
    comes with the lab's page, draws the pictures and hears the clicks."""
    source = FigureSource(what, pd.DataFrame, asked)
    drawn = {
        "chart": chart,
        "file": source.name,
        "width": LEAST_WIDTH,
        "title": plain(title),
        "source": source.said,
        "request": reproduce.requests_json(asked),
    }
    buttons = "".join(
        f'<button type="button" data-save="{kind}">{label}</button>'
        for kind, label in CHOICES.items()
    )
    return (
        f'<div class="ial-save" data-of="{escape(json.dumps(drawn))}">{buttons}'
        '<div class="said" role="status"></div></div>'
    )
