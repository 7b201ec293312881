"""Small pieces of HTML that pages share: facts, thumbnails, tables, flows; in theme colours."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from html import escape, unescape
from typing import Any, Literal

import pandas as pd
import streamlit as st
from streamlit.elements.lib.layout_utils import LayoutConfig
from streamlit.proto.Html_pb2 import Html

from engine.settings import ROOT
from pages.common.keeping import shelf
from pages.common.lab import registry
from pages.common.lab.registry import PageEntry
from pages.common.samples import Samples

FEATURES_MEAN = (
    "The features in which the sample is farthest from the training data's mean, in standard "
    "deviations σ"
)
LAYOUT = LayoutConfig(width="stretch")
SHORT = 20  # characters of a table's cell that no line breaks
PHONE = 350  # px of a table on a phone
LETTER, AROUND, LONG = 7.0, 23, 167  # px: a character, a cell's margins, a cell that lines break


def html(text: str) -> None:
    """Show HTML that is no style, as `st.html` does, which asks first whether the text is the name
    of a file, and looks through all of it for what to leave out."""
    st._main._enqueue("html", Html(body=text), layout_config=LAYOUT)


def ask(page: PageEntry) -> None:
    """Draw a page's title, and the question below it."""
    st.title(page.title)
    st.markdown(page.question)


def main_link(url: str, label: str, key: str) -> None:
    """Show the one link that a page leads to, as its button. url: of a page of the registry."""
    with st.container(key=f"main-link-{key}"):
        st.page_link(ROOT / registry.page(url).file, label=label)


def prose(name: str) -> None:
    """Show a text with formulas, Markdown in a file of its own below `pages`."""
    st.markdown(text_below_pages(name))


@cache
def text_below_pages(name: str) -> str:
    return (ROOT / "pages" / name).read_text(encoding="utf-8")


def portrait(samples: Samples, index: int) -> str:
    """Return a sample's thumbnail or, where the data set has no pictures, what is unusual about
    it."""
    source = samples.thumbnail(index)
    if source is not None:
        return f'<img src="{source}" alt="{escape(samples.describe(index))}">'
    lines = "".join(
        f"<div>{escape(line).replace(' σ', '&nbsp;σ')}</div>" for line in samples.features(index)
    )
    return f'<div class="features" title="{escape(FEATURES_MEAN)}">{lines}</div>'


@dataclass(frozen=True)
class Fact:
    """One number of a strip: its name, its value, and what to make of it."""

    name: str
    value: str
    note: str = ""


def facts(lead: str, items: Iterable[Fact]) -> None:
    """Show a strip of facts; `lead` is HTML in a first cell, empty for none."""
    cells = "".join(
        f'<div><div class="name">{escape(f.name)}</div><div class="value">{escape(f.value)}</div>'
        f'<div class="note">{escape(f.note)}</div></div>'
        for f in items
    )
    first = f"<div>{lead}</div>" if lead else ""
    html(f'<div class="ial-facts">{first}{cells}</div>')


Side = Literal["", "up", "down"]  # what samples do to the test loss; nothing is said of others


def grid(cells: Iterable[tuple[str, Sequence[str]]], side: Side = "") -> None:
    """Show thumbnails (HTML) with lines of HTML under each, below a bar in the colour of a side."""
    body = "".join(
        f'<div class="ial-cell">{image}{"".join(f"<div>{line}</div>" for line in lines)}</div>'
        for image, lines in cells
    )
    html(f'<div class="ial-grid {side}" data-figure="pictures">{body}</div>')


def table(
    frame: pd.DataFrame, alt: str, formats: Mapping[str, Callable[[Any], str]] | None = None
) -> None:
    """Draw a small table to be read, not to be sorted or searched. `formats` writes the cells of a
    column as HTML, each from its own column's type of value (hence Any); other cells are text,
    numbers as they are, missing values as –."""
    html(table_html(frame, alt, formats or {}))


@shelf.kept
def table_html(frame: pd.DataFrame, alt: str, formats: Mapping[str, Callable[[Any], str]]) -> str:
    """Return the table as HTML."""

    def text(name: str, value: Any) -> str:  # Any: what a cell may hold
        if name in formats:
            return formats[name](value)
        return "–" if pd.isna(value) else escape(str(value))

    def look(name: str, texts: Sequence[str]) -> str:
        if pd.api.types.is_numeric_dtype(frame[name]):
            return ' class="number"'
        return ' class="short"' if max(map(len, texts), default=0) <= SHORT else ""

    columns = {
        name: [text(name, value) for value in frame[name].to_numpy(object)]
        for name in frame.columns
    }
    looks = {name: look(name, texts) for name, texts in columns.items()}
    width = sum(
        AROUND + LETTER * max(map(len, (*map(plain_text, texts), longest_word(str(name)))))
        if looks[name]
        else LONG
        for name, texts in columns.items()
    )
    head = "".join(f"<th{looks[name]}>{escape(str(name))}</th>" for name in frame.columns)
    rows = "".join(
        "<tr>"
        + "".join(f"<td{looks[n]}>{t}</td>" for n, t in zip(columns, row, strict=True))
        + "</tr>"
        for row in zip(*columns.values(), strict=True)
    )
    wide = width > PHONE
    return (
        f'<div class="ial-framed{" wide" if wide else ""}">'
        f'<div class="ial-table" role="region" tabindex="0" aria-label="{escape(alt)}"><table>'
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div></div>"
    )


def plain_text(html: str) -> str:
    """Return what is read of a cell."""
    return unescape(re.sub(r"<[^>]*>", "", html))


def longest_word(text: str) -> str:
    return max(text.split() or [""], key=len)


def flow(steps: Sequence[tuple[str, str, bool]]) -> None:
    """Show steps from left to right (down on a phone): name, text, whether it is the crucial
    one."""
    boxes = [
        f'<div class="step{" accent" if crucial else ""}">'
        f"<b>{escape(name)}</b> {escape(text)}</div>"
        for name, text, crucial in steps
    ]
    html(
        '<div class="ial-flow">'
        + '<div class="arrow" aria-hidden="true">→</div>'.join(boxes)
        + "</div>"
    )
