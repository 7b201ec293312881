"""The one list of pages: navigation, cards, links and the pages' tests are made from it."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

LIST = Path(__file__).with_name("pages.toml")


@dataclass(frozen=True)
class Preset:
    """A view worth opening: what its card says, and its parameters in the link."""

    title: str
    text: str
    parameters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class PageEntry:
    """One page: where it stands, what it asks, and what it finds (numbers come from results).
    notes: what a speaker may ask an audience. takes_data: whether it is about a data set. whose:
    of a page on which none can be chosen, the data that it shows; instead: the address of the page
    that answers the like of a data set of one's own."""

    section: str
    title: str
    url: str
    file: str
    question: str
    finding: str
    presets: tuple[Preset, ...] = ()
    default: bool = False
    notes: tuple[str, ...] = ()
    takes_data: bool = True
    whose: str = ""
    instead: str = ""


def read(entry: dict[str, Any]) -> PageEntry:  # values as TOML holds them
    """Return a page as `pages.toml` describes it."""
    presets = tuple(Preset(**preset) for preset in entry.pop("presets", ()))
    notes = tuple(entry.pop("notes", ()))
    return PageEntry(**entry, presets=presets, notes=notes)


PAGES = tuple(map(read, tomllib.loads(LIST.read_text(encoding="utf-8"))["page"]))


def page(url: str) -> PageEntry:
    """Return the page at `url`."""
    return next(entry for entry in PAGES if entry.url == url)


def links() -> list[tuple[PageEntry, Mapping[str, str]]]:
    """Return every link that the lab itself offers, with its parameters: each page, each preset."""
    presets = {page.url: [p.parameters for p in page.presets if p.parameters] for page in PAGES}
    return [(page, given) for page in PAGES for given in ({}, *presets[page.url])]
