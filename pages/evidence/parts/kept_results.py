"""One kept result and what it says of itself, or two of them side by side."""

from collections.abc import Mapping, Sequence

import streamlit as st

from engine.data.sources.fairness_sets import LOADERS
from engine.data.untrusted.limits import size
from engine.errors import DamagedResult, EngineError
from engine.experiments import EXPERIMENTS, make_request
from engine.results import bundle, library
from engine.results.library import Entry
from engine.results.store import LOCAL, PUBLISHED, Stored, open_entry
from engine.settings import ROOT
from engine.vocabulary import LINEAR
from pages.common.asking import door
from pages.common.lab.shared import lab, origin, shown
from pages.common.widgets import blocks, charts, unfold
from pages.common.widgets.blocks import Fact
from pages.common.widgets.figure import FigureBlock
from pages.common.words.code_names import data_name, experiment_name
from pages.common.words.wording import percent, plain, seconds, stamp
from pages.evidence.parts import library_figures, main_numbers, view_of_result
from pages.evidence.parts import library_words as words

# Pages that show results without their data: any, those of the lab's tables, published ones alone.
SWEPT, TABLES, PUBLISHED_ONLY = (
    [url for url, *_ in view_of_result.SWEPT],
    "fairness",
    "easy-or-hard",
)


LOOKED_AT = 12  # results, for one that a page can show
FACTS = 5  # main numbers of the example


def opened(entry: Entry) -> Stored | None:
    """Return the result of an entry; None where it is damaged, which is said."""
    try:
        return open_entry(entry.folder, entry.origin)
    except DamagedResult as error:
        st.error(f"This result cannot be opened: {plain(shown(error))}")
        return None


def example(entries: Sequence[Entry]) -> None:
    """Show what the first of these results says that a page can show here, and the way to it,
    while none is ticked. None of a network is shown: it would bring PyTorch into the server."""
    linear = [e for e in entries[:LOOKED_AT] if e.manifest.request.get("model", LINEAR) == LINEAR]
    entry = next((e for e in linear if e.current and can_be_opened(e)), None)
    stored = None if entry is None else opened(entry)
    if entry is None or stored is None:
        return
    where = f", {data_name(entry.dataset)}" if entry.dataset else ""
    place = "the first row" if entry is entries[0] else f"row {entries.index(entry) + 1}"
    charts.heading(f"For example, {place}: {experiment_name(entry.experiment)}{where}")
    numbers = main_numbers.main_of(entry.experiment, stored.result)
    facts = [Fact(name, said(name, numbers[name])) for name in list(numbers)[:FACTS]]
    blocks.facts("", facts)
    way_to(entry)


def said(name: str, value: float) -> str:
    """Return a main number as pages say it: accuracies in percent."""
    share = name.startswith("accuracy") and 0 <= value <= 1
    return percent(value) if share else main_numbers.figure(value)


def can_be_opened(entry: Entry) -> bool:
    found = view_of_result.view_of(make_request(entry.experiment, entry.manifest.request))
    return found is not None and not obstacle(entry, found)


def one(entry: Entry) -> None:
    """Show what a result says of itself, and the way to the page that shows it."""
    manifest = entry.manifest
    charts.heading(EXPERIMENTS[entry.experiment].title, words.origin(entry))
    if not entry.current:
        st.warning(
            "Another version of the lab made this: no page shows it. Compute it again, or delete "
            "it."
        )
        return
    stored = opened(entry)
    if stored is None:
        return
    way_to(entry)
    st.code(EXPERIMENTS[entry.experiment].describe(stored.result), language=None, wrap_lines=True)
    asked_for(manifest.request)
    st.caption(
        f"{origin(stored, entry.dataset)} · made {stamp(manifest.created)} in "
        f"{seconds(manifest.seconds)} on {manifest.device} · {manifest.made_with} · "
        f"data {manifest.data_hash[:12]} · {size(entry.size)} · key {entry.key}"
    )


@unfold.section("What was asked for", "request")
def asked_for(request: Mapping[str, object]) -> None:
    st.dataframe(words.request_table(request), hide_index=True, alt="The request's fields")


def way_to(entry: Entry) -> None:
    """Show the link to the page that shows a result, or why there is none."""
    found = view_of_result.view_of(make_request(entry.experiment, entry.manifest.request))
    if found is None:
        st.caption("No page shows exactly this; here is what it says.")
        return
    if why := obstacle(entry, found):
        st.info(f"The page “{found.page.title}” cannot show it here: {why}")
        return
    st.container(key="main-link-result").page_link(
        ROOT / found.page.file,
        label=f"Open it on the page “{found.page.title}” →",
        query_params=dict(found.parameters),
    )
    there = lab().store.roots().items()
    named = (name for name, root in there if (root / bundle.name_of(entry)).is_dir())
    first = next(named, entry.origin)
    if first != entry.origin:
        st.caption(
            f"The page shows the result of this request that was {words.ORIGINS[first]}, which "
            "counts before this one. Tick both to compare them."
        )


def obstacle(entry: Entry, found: view_of_result.ResultView) -> str:
    """Say why a page cannot show a result on this machine; empty where it can."""
    name = entry.dataset
    if name is None:
        return ""
    request = make_request(entry.experiment, entry.manifest.request)
    try:
        content = door.content_of(request)
    except EngineError as error:
        return f"the data set “{data_name(name)}” cannot be used. {shown(error)}"
    if content is None:
        if entry.origin != LOCAL and shows_without_data(found.page.url, entry):
            return ""
        return f"the data set “{data_name(name)}” is not on this machine. What it says is below."
    if content != entry.manifest.data_hash:
        return f"the data set “{data_name(name)}” on this machine has other content."
    return ""


def shows_without_data(url: str, entry: Entry) -> bool:
    """Return whether a page shows a published or imported result although its data is not here."""
    known = entry.origin == PUBLISHED or entry.dataset in LOADERS
    return url in SWEPT or (url == TABLES and known) or (url == PUBLISHED_ONLY and known)


def two(first: Entry, second: Entry) -> None:
    """Show two results side by side: requests, main numbers, summaries."""
    if first.experiment != second.experiment:
        st.info("Two results of the same experiment can be compared; these are of two.")
        return
    if not (first.current and second.current):
        st.info("Results of another version of the lab cannot be compared.")
        return
    stored = [opened(first), opened(second)]
    if stored[0] is None or stored[1] is None:
        return
    results = (stored[0].result, stored[1].result)
    numbers = main_numbers.side_by_side(first.experiment, *results)
    farthest = library_figures.farthest(numbers)
    if len(farthest):
        FigureBlock(
            name="comparison",
            title=main_numbers.sameness(numbers),
            kind="Main numbers of two results, a row each",
            build=library_figures.pair,
            values=(farthest,),
            table=lambda: numbers,
            results=(stored[0], stored[1]),
            caption="The numbers that differ most. Each row has its own scale: from 0 to the "
            "larger of the two.",
        ).show()
    else:
        charts.heading(main_numbers.sameness(numbers) if len(numbers) else "Side by side")
    st.caption(f"A: {words.label(first)}. B: {words.label(second)}.")
    differ = library.differences([first.manifest.request, second.manifest.request])
    same_data = first.manifest.data_hash == second.manifest.data_hash
    if differ:
        st.dataframe(
            [
                {"asked for": name, "A": words.shown(a), "B": words.shown(b)}
                for name, (a, b) in differ.items()
            ],
            hide_index=True,
            alt="The fields in which the requests differ",
        )
    else:
        st.caption("Both were asked for the same" + ("." if same_data else ", on other data."))
    if len(numbers):
        st.dataframe(
            numbers.assign(**{c: numbers[c].map(main_numbers.figure) for c in ("A", "B", "B − A")}),
            hide_index=True,
            alt="Main numbers of both results and their difference",
        )
    for column, name, entry, result in zip(
        st.columns(2, gap="medium"), "AB", (first, second), results, strict=True
    ):
        with column:
            st.markdown(f"**{name}**")
            said = EXPERIMENTS[entry.experiment].describe(result)
            st.code(said, language=None, wrap_lines=True)
