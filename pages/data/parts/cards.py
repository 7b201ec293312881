"""The card of a data set: what its samples look like, how many there are, and where it is from."""

from collections.abc import Callable, Mapping
from functools import cache
from html import escape
from itertools import islice

import numpy as np
import streamlit as st

from engine.data import catalogue
from engine.data.load import load_dataset
from engine.data.sources import bundled
from engine.settings import read_settings
from pages.common.samples import Samples, data_uri

SHOWN = 8  # samples of a strip
PIXELS = 8  # of a value in the strip of a table, before it is scaled
SPREAD = 2.0  # standard deviations between mid-grey and black or white
WORDS = {"train": "to train on", "validation": "to validate", "test": "to test"}
SECONDS_A_PICTURE = 0.06  # of one processor core, in either network: `benchmarks pictures`
QUOTED = ("optimize", "signal")  # parts of SciPy whose first text is quoted


def html_of(about: catalogue.Description) -> str:
    """Return the upper part of a card as HTML."""
    strip = STRIPS[about.name]() if about.name in STRIPS else ""
    numbers = "".join(
        f"<div><b>{value:,}</b> {escape(word)}</div>" for word, value in numbers_of(about).items()
    )
    return (
        f'<div class="ial-set"><h3>{escape(about.title)}</h3>{strip}'
        f'<p class="what">{escape(about.what)}</p>'
        f'<div class="numbers">{numbers}</div><details><summary>Source and licence</summary>'
        f'<p>{escape(about.origin)} <a href="{escape(about.url)}">Source</a></p>'
        f"<p>Split: {escape(about.split)}.{fetched(about)}</p></details></div>"
    )


def heading(text: str, key: str) -> None:
    """Show the heading of a group, with room below it."""
    with st.container(key=f"heading-{key}"):
        st.header(text)


def numbers_of(about: catalogue.Description) -> Mapping[str, int]:
    """Return how many of what there are, by the word for it."""
    found = {WORDS[split]: n for split, n in about.rows.items()}
    found["classes"] = about.n_classes
    if about.n_features:
        found["features"] = about.n_features
    return found


def preparing(about: catalogue.Description) -> str:
    """Say what the button that prepares a data set fetches, and how long it computes."""
    fetches = f"Prepare: {about.download_mb:g} MB to fetch"
    if about.kind != "images":
        return f"{fetches}, then some seconds."
    minutes = sum(about.rows.values()) * SECONDS_A_PICTURE / 60
    return f"{fetches}, then about {minutes:.0f} minutes on one processor core."


def fetched(about: catalogue.Description) -> str:
    return f" Fetched once: {about.download_mb:g} MB." if about.download_mb else ""


@cache
def pictures() -> str:
    """Return the first digits."""
    samples = Samples(load_dataset("digits", read_settings().data_dir))
    shown = "".join(
        f'<img src="{samples.thumbnail(i)}" alt="{escape(samples.describe(i))}">'
        for i in range(SHOWN)
    )
    return f'<div class="strip">{shown}</div>'


@cache
def shades() -> str:
    """Return the first rows of the table of tumours, a square per measurement: the darker, the
    larger."""
    rows = load_dataset("breast_cancer", read_settings().data_dir).X_train[:SHOWN]
    lightness = np.clip(0.5 - np.asarray(rows, np.float64) / (2 * SPREAD), 0, 1)
    picture = np.kron(lightness, np.ones((PIXELS, PIXELS)))
    alt = f"{len(rows)} rows of {rows.shape[1]} measurements, as squares: the darker, the larger"
    return f'<div class="strip"><img class="wide" src="{data_uri(picture, 480)}" alt="{alt}"></div>'


@cache
def quotations() -> str:
    """Return the first line of the first text about some parts of SciPy."""
    lines = []
    for part in QUOTED:
        (text,) = islice(bundled.docstrings(bundled.folder_of("scipy") / part), 1)
        lines.append(f"<div><b>{part}</b> “{escape(text.splitlines()[0])}”</div>")
    return f'<div class="strip quoted">{"".join(lines)}</div>'


STRIPS: Mapping[str, Callable[[], str]] = {
    "digits": pictures,
    "breast_cancer": shades,
    "scipy_docs": quotations,
}
