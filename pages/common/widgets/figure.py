"""One figure with all that a page shows with it: heading, chart, menu, badge, caption, card."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from engine.experiments import Request
from engine.results.store import Stored
from pages.common.lab.shared import badge_of
from pages.common.samples import Samples
from pages.common.widgets import unfold
from pages.common.widgets.charts import chart, heading
from pages.common.widgets.ready_figure import drawn
from pages.common.widgets.save_figure import FigureSource


@dataclass(frozen=True, kw_only=True, eq=False)
class FigureBlock:
    """A figure as a page shows it: how to make it, and what stands around it.

    `build(*values)` makes the Plotly figure. The figure depends on nothing but `values` (stored
    results, samples, tables, plain values), so that equal values may share one figure.

    name: the word for it in the names of saved files. title: the message above it, a sentence.
    kind: what kind of figure it is, which the alternative text begins with. table: makes its
    numbers, by default the first value. results: what it is drawn from; the first says in the badge
    where the numbers come from, unless `badge` does. asked: experiment and request, of a figure
    without a stored result.
    details: what only a careful reader asks for, folded beneath the caption.
    key: the chart's own on the page, by default the name; a chart with another key has no point
    selected. samples: pointing at a point shows its sample's card, whose index is at place `at` in
    the point's custom data. on_select hears of clicks on points.
    """

    name: str
    title: str
    kind: str
    build: Callable[..., go.Figure]
    values: tuple[object, ...]
    table: Callable[[], pd.DataFrame] | None = None
    results: tuple[Stored, ...] = ()
    asked: tuple[str, Request] | None = None
    badge: str | None = None
    caption: str = ""
    details: str = ""
    key: str = ""
    samples: Samples | None = None
    at: int = 0
    on_select: Callable[[], None] | None = None

    def made(self) -> go.Figure:
        """Draw the Plotly figure."""
        return self.build(*self.values)

    @property
    def source(self) -> FigureSource:
        """Return what the menu beneath the figure saves."""
        table = self.table or self.first_value
        if self.asked is not None:
            return FigureSource.asking(self.name, table, *self.asked)
        return FigureSource.of(self.name, table, *self.results)

    def first_value(self) -> pd.DataFrame:
        """Return the table that the figure is made of. Raises TypeError where the first value is
        none."""
        table = self.values[0]
        if not isinstance(table, pd.DataFrame):
            raise TypeError(f"“{self.name}” is not made of a table: say what its numbers are.")
        return table

    def show(self) -> None:
        """Draw it, over the full width of where it stands."""
        badge = self.badge
        if badge is None:
            badge = badge_of(self.results[0]) if self.results else ""
        heading(self.title)
        chart(
            drawn(self.build, self.values),
            self.key or self.name,
            f"{self.kind}. {self.title}",
            self.source,
            self.on_select,
            self.samples,
            self.at,
            self.title,
            badge,
        )
        if self.caption:
            st.caption(self.caption)
        if self.details:
            how = partial(st.caption, self.details)
            unfold.show("How to read this figure", f"read-{self.key or self.name}", how)
