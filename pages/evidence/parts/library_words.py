"""What the library says of stored results and of jobs: rows, summaries, and two side by side."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import pandas as pd

from engine.data.untrusted.limits import size
from engine.errors import EngineError
from engine.experiments import make_request
from engine.results.budget import Usage
from engine.results.bundle import Report
from engine.results.jobs import Job, JobState
from engine.results.lanes import LONG, SHORT
from engine.results.library import Entry, Library, said_by
from engine.results.store import IMPORTED, LOCAL, PUBLISHED
from engine.results.watchdog import JobLimits, duration
from pages.common.asking.links import EXAMPLE
from pages.common.keeping import shelf
from pages.common.lab.registry import PAGES, PageEntry
from pages.common.widgets.blocks import Fact
from pages.common.words.code_names import data_name, experiment_name, field_name, in_prose, in_words
from pages.common.words.wording import count, listed, plain, stamp
from pages.evidence.parts import view_of_result
from pages.evidence.parts.settings_words import TELLING, UNTOLD, tell_apart, usual

ORIGINS = {LOCAL: "computed here", PUBLISHED: "published", IMPORTED: "imported"}


def shown(value: object) -> str:
    """Return a field's value in a few characters."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {shown(part)}" for name, part in value.items())
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(map(shown, value)) or "none"
    return f"{value:g}" if isinstance(value, float) else "–" if value is None else in_words(value)


@shelf.kept
def asked(experiment: str, request: Mapping[str, object]) -> str:
    """Return a request in short: what tells it from others, 'targets 16, k 1, radius 0.35'."""
    telling, defaults = TELLING.get(experiment, ()), usual(experiment)
    said = [
        f"{field_name(name)} {shown(value)}"
        for name, value in request.items()
        if name != "dataset"
        and name not in UNTOLD.get(experiment, ())
        and (name in telling or shown(value) != shown(defaults.get(name)))
    ]
    return ", ".join(said) or "the usual settings"


def answer(library: Library) -> str:
    """Say what the page holds, what a row says, and how it is opened."""
    kept = len(library.entries)
    return (
        f"**{count(kept, 'result')} {'is' if kept == 1 else 'are'} kept here.** Tick one to read "
        "it and to open its page. Tick two to compare them."
    )


def kept_said(library: Library) -> str:
    """Say where the results are from, and what they take."""
    of = {origin: sum(e.origin == origin for e in library.entries) for origin in ORIGINS}
    parts = [f"{of[o]:,} {name}" for o, name in ORIGINS.items() if of[o]]
    extra = (
        f", {size(library.parts_size)} of it for {count(library.parts, 'batch', 'batches')} of "
        "interrupted sweeps"
        if library.parts
        else ""
    )
    total = size(sum(library.size.values()))
    return f"Kept are {listed(parts) or 'no'} results. They take {total} of the disk{extra}."


@shelf.kept
def sections(entries: Sequence[Entry]) -> list[str]:
    """Return of each result the part of the lab whose page shows it; empty where no page does."""
    found = [shown_on(entry.experiment, entry.manifest.request) for entry in entries]
    return ["" if page is None else page.section for page in found]


@shelf.kept
def in_order(entries: Sequence[Entry]) -> list[Entry]:
    """Return what is not published first, the latest at the top; then the attack that the pages
    are about; then the rest in the order of the pages that show it, what no page shows last."""
    places = {page.url: place for place, page in enumerate(PAGES)}

    def rank(entry: Entry) -> int:
        if entry.origin != PUBLISHED:
            return -2
        if is_example(entry.experiment, entry.manifest.request):
            return -1
        found = shown_on(entry.experiment, entry.manifest.request)
        return len(places) if found is None else places[found.url]

    return sorted(entries, key=rank)  # those of one page stay as they are, the latest first


def searched(entries: Sequence[Entry], of: Sequence[Entry], text: str) -> list[Entry]:
    """Return the entries that hold every word of `text`, in what the table says of them or in what
    the library finds them by. of: all that the library holds."""
    wanted = text.lower().split()
    if not wanted or not entries:
        return list(entries)
    said = zip(entries, searchable(entries, of), strict=True)
    return [entry for entry, held in said if all(word in held for word in wanted)]


@shelf.kept
def searchable(entries: Sequence[Entry], of: Sequence[Entry]) -> list[str]:
    """Return all that can be searched of each entry, in lower case."""
    seen = rows(entries, of)[["what", "data set", "asked for", "shown on", "from"]]
    return [
        f"{' '.join(row)} {said_by(entry)}".lower()
        for entry, row in zip(entries, seen.itertuples(index=False), strict=True)
    ]


@shelf.kept
def rows(entries: Sequence[Entry], of: Sequence[Entry]) -> pd.DataFrame:
    """Return the library as a table. of: all that the library holds, so that a row says the same
    settings however the table is filtered."""
    settings = dict(zip(map(place, of), tell_apart(of), strict=True))
    return pd.DataFrame(
        [
            {
                "what": experiment_name(e.experiment),
                "data set": data_name(e.dataset) if e.dataset else "synthetic",
                "asked for": settings[place(e)],
                "shown on": page_of(e.experiment, e.manifest.request),
                "from": origin(e),
                "made": datetime.fromisoformat(e.manifest.created),
                "seconds": e.manifest.seconds,
                "KB": e.size / 1024,
                "device": e.manifest.device,
                "key": e.key,
            }
            for e in entries
        ]
    )


def place(entry: Entry) -> tuple[str, str, str]:
    """Return what names an entry among all that the library holds."""
    return entry.origin, entry.experiment, entry.key


@shelf.kept
def is_example(experiment: str, request: Mapping[str, object]) -> bool:
    """Return whether a request is the attack that the pages are about."""
    if experiment != "attack":
        return False
    try:
        return make_request(experiment, request) == EXAMPLE
    except EngineError:  # of another version of the lab
        return False


@shelf.kept
def shown_on(experiment: str, request: Mapping[str, object]) -> PageEntry | None:
    """Return the page that shows the result of a request; None where none does."""
    try:
        found = view_of_result.view_of(make_request(experiment, request))
    except EngineError:  # of another version of the lab
        return None
    return None if found is None else found.page


def page_of(experiment: str, request: Mapping[str, object]) -> str:
    """Return the title of the page that shows the result of a request; a dash where none does."""
    found = shown_on(experiment, request)
    return "–" if found is None else found.title


def origin(entry: Entry) -> str:
    """Say where a result comes from."""
    name = ORIGINS[entry.origin]
    return name if entry.imported is None else f"{name} from {entry.imported.source}"


def label(entry: Entry) -> str:
    """Return a result beside another one of its experiment."""
    return f"{origin(entry)}, {stamp(entry.manifest.created)}"


def request_table(request: Mapping[str, object]) -> pd.DataFrame:
    said = [(field_name(name), shown(value)) for name, value in request.items()]
    return pd.DataFrame(said, columns=["field", "value"])


def said_of(report: Report) -> list[tuple[str, str]]:
    """Return what became of a bundle, as pairs of a message's kind ('success', 'info', 'error') and
    text."""
    said = []
    if report.taken:
        said.append(
            ("success", f"{count(len(report.taken), 'result')} taken in: {listed(report.taken)}.")
        )
    if report.already:
        said.append(("info", f"Already here: {listed(report.already)}."))
    said += [("error", f"{name} was refused. {plain(why)}") for name, why in report.refused.items()]
    return said


def job_title(job: Job) -> str:
    """Say what a job computes."""
    data = job.request.get("dataset")
    where = f" on {in_prose(str(data))}" if data else ""
    return f"{experiment_name(job.experiment)}{where}: {asked(job.experiment, job.request)}"


def progress_of(state: JobState) -> tuple[float, str]:
    """Return how far a running job is (0 where it has not said so), in words and as a share."""
    for progress in reversed(state.progress):
        if progress.total:
            return progress.share, f"{progress.done:,} of {progress.total:,} done"
        if progress.steps:
            return progress.share, f"step {progress.step:,} of {progress.steps:,}"
    return 0.0, "begun"


def limits_said(limits: Mapping[str, JobLimits], at_once: Mapping[str, int]) -> str:
    """Say what the job runner allows in each lane."""
    runs = {lane: f"{many} {'runs' if many == 1 else 'run'}" for lane, many in at_once.items()}
    memory = {lane: size(limit.memory) for lane, limit in limits.items()}
    return (
        "Computations that take seconds (attacks, rankings) never wait for those that take minutes "
        f"(sweeps, defences). Short ones: {runs[SHORT]} at a time, with at most "
        f"{memory[SHORT]} of memory each. Long ones: {runs[LONG]} at a time, with at most "
        f"{memory[LONG]} each. Long ones give way to short ones. A computation may take "
        f"{duration(limits[LONG].seconds)} at most. Settings of the server, in the README, change "
        "these limits."
    )


def disk_said(usage: Usage) -> str:
    """Say what results take of the disk budget, and what was evicted last."""
    last = f" The last one that went: {plain(usage.evicted)}." if usage.evicted else ""
    return (
        f"Results computed here and their intermediates take {size(usage.held)} of "
        f"{size(usage.budget)}. Beyond that the least recently used go; published "
        f"and imported ones stay.{last}"
    )


def resumed(state: JobState) -> str:
    """' · resumed 2 times': how often a job's worker ended under it; empty where none did."""
    if not state.resumed:
        return ""
    return " · resumed" + ("" if state.resumed == 1 else f" {state.resumed} times")


def queue_facts(found: Sequence[tuple[Job, JobState]]) -> list[Fact]:
    """Say how many computations run and how many wait."""
    running = sum(state.status == "running" for _, state in found)
    waiting = sum(state.status == "queued" for _, state in found)
    return [
        Fact("Running now", f"{running:,}" if running else "nothing"),
        Fact("Waiting", f"{waiting:,}" if waiting else "nothing"),
    ]


def ended_rows(found: Iterable[tuple[Job, JobState]]) -> pd.DataFrame:
    """Return jobs that are over, and how they ended."""
    return pd.DataFrame(
        [
            {
                "ended": state.status if state.status != "unknown" else "result removed",
                "computation": job_title(job),
                "seconds": state.seconds,
                "message": state.message,
            }
            for job, state in found
        ]
    )
