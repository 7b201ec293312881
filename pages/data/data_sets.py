"""Data sets: what there is, what of it is on this machine, and how to prepare, check and remove
it."""

from collections.abc import Mapping, Sequence

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from engine.data import catalogue, inventory
from engine.data.intake.take_in import BACKBONE as OWN_BACKBONE
from engine.data.inventory import InventoryEntry
from engine.data.tables.read import stem_of
from engine.errors import EngineError
from engine.experiments import PrepareRequest
from engine.results.jobs import JobState
from engine.settings import ROOT
from pages.common.asking import door
from pages.common.asking.form import Form
from pages.common.lab import registry, visitors
from pages.common.lab.permissions import Action
from pages.common.lab.shared import lab, shown
from pages.common.widgets import blocks, unfold
from pages.common.words.wording import count
from pages.data.parts import cards, own_data, standing_in

PAGE = registry.page("data")
CARDS = 3  # in a row
EXPERIMENT = "prepare"
GROUPS: dict[catalogue.SetKind, str] = {
    "bundled": "Ready to open",
    "images": "The paper's image sets",
    "fairness": "For the fairness page",
}
Refused = Mapping[Action, str]  # what the visitor may not do here, with the reason
REMOVED, CHECKED = "removed", "checked"  # session-state keys
INTERRUPTIBLE = (
    "“Prepare” fetches the pictures, and a network turns each into features. ResNet-50: the "
    "paper's features. EfficientNet-Lite2: a stand-in, which does not give the paper's numbers. "
    "Fewer pictures are a stand-in too. You can leave this page while it prepares."
)
SHOWN_ALREADY = "The fairness page shows published results on these three. "
TO_PREPARE = "Prepare one to run it with settings of your own."
TO_OPEN = "Their data are here: open one to run it with settings of your own."


def megabytes(n_bytes: int) -> str:
    """'0.4 MB', '28.5 MB', '1,240 MB'."""
    size = n_bytes / 1e6
    return f"{size:,.1f} MB" if size < 99.95 else f"{size:,.0f} MB"


def overview(entries: Sequence[InventoryEntry]) -> str:
    """Return the finding: how much there is. The features of two networks on the same pictures are
    one data set, as they have one card; so are those that stand in for them."""
    here, known = ({name_of(e) for e in kept} for kept in ([e for e in entries if e.here], entries))
    standing = sum(e.here and standing_in.stands_for(e) is not None for e in entries)
    stand = "a stand-in, which does" if standing == 1 else "stand-ins, which do"
    some = f", {standing} of them as {stand} not give the paper's numbers"
    left = known - here
    others = f"{min(left)} needs" if len(left) == 1 else "The others need"
    prepare = f"{others} one click on “Prepare”, once. " if left else ""
    return (
        f"**{len(here)} of the {count(len(known), 'data set')} below are ready to open"
        f"{some if standing else ''}.** {prepare}You can also bring in a file of your own."
    )


def described(entry: InventoryEntry) -> catalogue.Description | None:
    """Return the data set of the lab that an entry is, or stands in for; None for one's own."""
    return entry.about or standing_in.stands_for(entry)


def name_of(entry: InventoryEntry) -> str:
    about = described(entry)
    return entry.name if about is None else about.title


def request_of(entry: InventoryEntry) -> PrepareRequest:
    if entry.about is None:
        return PrepareRequest(entry.name, OWN_BACKBONE)
    return PrepareRequest(entry.about.name, entry.backbone.name if entry.backbone else "")


def status(entry: InventoryEntry, active: bool) -> str:
    """Return a badge: whether it is being prepared, what it takes, how much is computed; none where
    a button says it."""
    if active:
        return ":orange-badge[being prepared]"
    if not entry.here:
        return "" if entry.begun is None else f":gray-badge[{entry.begun:.0%} computed]"
    return f":green-badge[ready, {megabytes(entry.n_bytes)}]" if entry.files else ""


def open_link(entry: InventoryEntry, place: DeltaGenerator) -> None:
    """Show the way to a page that shows the data set."""
    fairness = entry.kind in ("fairness", "table")
    target = registry.page("fairness" if fairness else "move-one-sample")
    table = stem_of(entry.files[0]) if entry.kind == "table" else entry.name
    place.page_link(
        ROOT / target.file,
        label="Open →",
        query_params={"table": table} if fairness else {"dataset": entry.name},
    )


def variant(entry: InventoryEntry, label: str, refused: Refused) -> DeltaGenerator | None:
    """Show one line: a data set, and what can be done with it. Returns the line, for more buttons,
    unless the data set is being prepared."""
    request = request_of(entry)
    can_prepare = entry.kind in ("images", "fairness")
    found = door.Computation.of(EXPERIMENT, request) if can_prepare else None
    state = (found.state if found is not None else None) or JobState("unknown")
    active = state.status in door.ACTIVE
    row = line(f"{label} {status(entry, active)}")
    if active:
        if found is not None and found.job is not None and not followed_below(found.job):
            door.follow(found.job, own_data.draw_pictures)
        return None
    if entry.here:
        open_link(entry, row)
    elif can_prepare:
        row.button(
            "Prepare" if entry.begun is None else "Go on",
            key=f"prepare-{entry.name}",
            disabled=Action.PREPARE in refused,
            on_click=door.submit,
            args=(EXPERIMENT, request),
        )
    if not entry.here and state.status != "done":  # of that one the files have been removed
        door.explain(state, f"'{entry.name}'", "prepared", "What is computed is kept.")
    return row


def line(label: str) -> DeltaGenerator:
    """Begin a row with its label, and return it for the buttons."""
    row = st.container(horizontal=True, vertical_alignment="center")
    if said := label.strip():
        row.markdown(said, width="stretch")
    return row


def followed_below(job: str) -> bool:
    """Return whether the part on data of one's own shows this job already."""
    taken = st.session_state.get(own_data.TAKEN)
    return taken is not None and taken.job == job


def originals_of(entry: InventoryEntry) -> int:
    """Return the bytes of the pictures that features were computed from."""
    return inventory.size_of(inventory.originals_of(entry.name, lab().settings.data_dir))


def removal(entry: InventoryEntry, place: DeltaGenerator, refused: Refused) -> None:
    """Remove, with a confirmation that says what goes."""
    if Action.REMOVE_DATA in refused:
        return
    originals = originals_of(entry)
    menu = place.popover("Remove", key=f"removal-{entry.name}", on_change="rerun")
    if not menu.open:
        return
    with menu:
        if entry.here:
            st.markdown(f"Delete **{entry.name}** from this server ({megabytes(entry.n_bytes)})?")
        else:
            st.markdown(f"Delete what is kept of **{entry.name}** on this server?")
        if entry.about is None and not originals:
            st.markdown("It is your own: the lab has no other copy. For everybody here it is gone.")
        else:
            st.markdown("It can be prepared again. Results computed from it stay.")
        with_originals = originals > 0 and st.checkbox(
            f"Also the pictures it was made from ({megabytes(originals)})",
            value=not entry.here and entry.begun is None,
            key=f"originals-{entry.name}",
        )
        st.button(
            "Delete",
            key=f"remove-{entry.name}",
            type="primary",
            on_click=delete,
            args=(entry.name, bool(with_originals)),
        )


def delete(name: str, originals: bool) -> None:
    """Delete a data set, as a button's callback; the outcome is said when the page is drawn
    again."""
    try:
        visitors.check(Action.REMOVE_DATA)
        freed = inventory.remove(name, lab().settings.data_dir, originals)
        st.session_state[REMOVED] = f"'{name}' is removed, {megabytes(freed)} are free again."
    except (EngineError, OSError) as error:
        door.refuse(f"'{name}' was not removed. {shown(error)}")


def card(about: catalogue.Description, entries: Sequence[InventoryEntry], refused: Refused) -> None:
    """Show a data set, and buttons below it. Buttons of one row stand at the same height."""
    of_it = [entry for entry in entries if entry.about is about]
    standing = standing_in.of(about, entries)
    ready = {e.name: e if e.here else standing.whole(e.backbone) for e in of_it}
    with st.container(border=True, height="stretch", key=f"set-{about.name}"):
        blocks.html(cards.html_of(about))
        place = "rows" if about.kind == "images" else "foot"  # rows follow at once, as many as are
        with st.container(key=f"{place}-{about.name}"):
            if standing.part is not None:
                open_link(standing.part, line(standing.said))
            for entry in of_it:
                if (here := ready[entry.name]) is not None:
                    open_link(here, line(standing_in.is_ready(entry)))
            if None in ready.values():
                st.caption(cards.preparing(about))
            for entry in of_it:
                if ready[entry.name] is None:
                    variant(entry, standing_in.made_by(entry), refused)


def listed(entries: Sequence[InventoryEntry], key: str, refused: Refused) -> None:
    """Show data sets that were brought in, one a line."""
    if not entries:
        return
    with st.container(border=True, key=f"foot-{key}"):
        for entry in entries:
            row = variant(entry, f"{standing_in.title(entry)} {content(entry)}", refused)
            if row is not None:
                removal(entry, row, refused)


def remove_prepared(entries: Sequence[InventoryEntry], refused: Refused) -> None:
    """Show the data sets that were prepared, or begun, with what they take and a way to remove
    them."""
    kept = [e for e in entries if e.here or e.begun is not None or originals_of(e)]
    if not kept:
        st.markdown("No data set is prepared.")
    if Action.REMOVE_DATA in refused:
        st.info(refused[Action.REMOVE_DATA])
    with st.container(key="foot-prepared"):
        for entry in kept:
            said = f"{standing_in.title(entry)} {content(entry)} {status(entry, active=False)}"
            removal(entry, line(said), refused)


def content(entry: InventoryEntry) -> str:
    """Say what a data set that was brought in or prepared holds."""
    if entry.kind == "fairness":
        return "for the fairness page"
    samples = inventory.samples_of(entry.name, lab().settings.data_dir)
    if entry.kind == "table" or samples is None:
        return {"table": "table for the fairness page"}.get(entry.kind, entry.kind)
    return f"{samples[0]:,} train and {samples[1]:,} test samples, {samples[2]:,} features"


def check(refused: Refused) -> None:
    """Compare every file with what is known of it."""
    if st.button(
        "Check all files",
        help="Files of the lab are compared with their SHA-256, your own are opened. Large ones "
        "take some seconds.",
        disabled=Action.CHECK_DATA in refused,
    ):
        visitors.check(Action.CHECK_DATA)
        with st.spinner("Reading every file …"):
            st.session_state[CHECKED] = inventory.check(lab().settings.data_dir)
    found = st.session_state.get(CHECKED)
    if found is None:
        return
    faults = [finding for finding in found if finding.fault]
    if not faults:
        st.success(f"{count(len(found), 'file')} checked, all are sound.")
        return
    st.warning(f"{count(len(found), 'file')} checked, {len(faults)} with a fault.")
    table = pd.DataFrame([(f.file, f.fault) for f in faults], columns=["File", "What is wrong"])
    st.dataframe(table, hide_index=True, alt="Files with a fault")


def take_away() -> None:
    st.code(
        "python -m engine data list\n"
        "python -m engine data prepare caltech101 --backbone efficientnet_lite2\n"
        "python -m engine data add fruit.csv --label species --preview\n"
        "python -m engine data check\n"
        "python -m engine data remove caltech101-efficientnet_lite2",
        "bash",
    )


def group(kind: catalogue.SetKind, entries: Sequence[InventoryEntry], refused: Refused) -> None:
    """Show the cards of one kind of data sets."""
    cards.heading(GROUPS[kind], kind)
    if kind == "images":
        st.caption(INTERRUPTIBLE)
    if kind == "fairness":
        with st.container(horizontal=True, vertical_alignment="center", key="foot-fairness"):
            every = all(entry.here for entry in entries if entry.kind == kind)
            st.caption(SHOWN_ALREADY + (TO_OPEN if every else TO_PREPARE))
            page = ROOT / registry.page("fairness").file
            st.page_link(page, label="Open the fairness page →", width="content")
    sets = [about for about in catalogue.SETS.values() if about.kind == kind]
    for first in range(0, len(sets), CARDS):
        for column, about in zip(st.columns(CARDS), sets[first:], strict=False):
            with column:
                card(about, entries, refused)


def page() -> None:
    blocks.ask(PAGE)
    Form().finish()
    entries = inventory.entries(lab().settings.data_dir)
    st.markdown(overview(entries))
    door.show_refusal()
    asked = (Action.PREPARE, Action.REMOVE_DATA, Action.CHECK_DATA)
    refused = {action: why for action in asked if (why := visitors.refusal(action))}
    if Action.PREPARE in refused:
        st.info(refused[Action.PREPARE])
    if REMOVED in st.session_state:
        st.success(st.session_state.pop(REMOVED))
        st.session_state.pop(CHECKED, None)
    prepared = [e for e in entries if e.kind != "bundled" and described(e) is not None]
    brought = [e for e in entries if described(e) is None]
    for kind in GROUPS:
        group(kind, entries, refused)
        if kind == "bundled":
            listed([entry for entry in brought if entry.here], "ready", refused)
            own_data.bring_in()
            listed([entry for entry in brought if not entry.here], "begun", refused)
    unused = unfold.with_controls("Remove what was prepared", "prepared", False)
    if unused is not None:
        with unused:
            remove_prepared(prepared, refused)
    more = unfold.with_controls("Check all files; the same on the command line", "files", False)
    if more is not None:
        with more:
            check(refused)
            take_away()


page()
