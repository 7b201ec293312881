"""The door to results: pages go through it, and a job may end while a page looks."""

import ast
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from engine.data.prepare import Prepared
from engine.experiments import NO_DATA, PrepareRequest, open_data
from engine.progress import ignore
from engine.results.compute import compute_and_keep
from engine.results.jobs import Jobs, JobState
from engine.results.manifest import MANIFEST
from engine.results.store import Store
from engine.settings import PUBLISHED, ROOT, read_settings
from pages.common.lab.registry import PAGES, PageEntry
from pages.evidence.parts.view_of_result import view_of
from tests.pages.test_one_multiplication import loans, own_request
from tests.support.pages import Asked, Open, words

# Who touches the store and the jobs beside the door, what of them, and why that is no key, state
# or result of a request.
BESIDE_THE_DOOR: Mapping[str, tuple[set[str], str]] = {
    "common/lab/shared.py": ({"Store", "Jobs"}, "makes them, once for all sessions"),
    "common/serve.py": ({"Store", "Jobs"}, "upkeep before the first page is opened"),
    "common/asking/data_choice.py": ({"store"}, "the data sets of all imported results"),
    "common/asking/cancelling.py": ({"jobs", "jobs.owners_of"}, "whose a job is, and its end"),
    "common/lab/visitors.py": ({"jobs.folder"}, "whether the queue is closed to students"),
    "lesson/join.py": ({"jobs.all", "jobs.folder"}, "the queue as such: closing it"),
    "lesson/parts/kept_lessons.py": (
        {"store.write", "store.roots", "open_entry"},
        "a lesson that is over, by its name; what it is made of lies in the store",
    ),
    "attack/easy_or_hard.py": ({"store.on_data"}, "all that was tried on a data set"),
    "evidence/results_and_jobs.py": ({"store"}, "the library as such: list, import, remove"),
    "evidence/parts/kept_results.py": (
        {"store.roots", "open_entry"},
        "a result of the library, by its folder; which of two of one request counts",
    ),
    "evidence/parts/job_queue.py": (
        {"jobs.all", "jobs.at_once", "jobs.settings"},
        "the queue as such",
    ),
}
OF_LAB = re.compile(r"\blab\(\)(?:\.(store|jobs)(\.\w+)?)?")
DOOR = "common/asking/door.py"
OF_RESULTS = {"Store", "Jobs", "key", "key_of", "find_by_request", "open_folder", "open_entry"}


def sources() -> Iterator[tuple[str, ast.Module]]:
    """Every file of the pages, by its path there."""
    for path in sorted((ROOT / "pages").rglob("*.py")):
        yield path.relative_to(ROOT / "pages").as_posix(), ast.parse(path.read_text("utf-8"))


class WithoutNames(ast.NodeTransformer):
    """Puts what it stands for in place of every name for the lab, its store or its jobs."""

    def __init__(self) -> None:
        self.meant: dict[str, ast.expr] = {}

    def visit_Assign(self, node: ast.Assign) -> ast.Assign | None:
        value, name = self.visit(node.value), node.targets[0]
        if isinstance(name, ast.Name) and OF_LAB.fullmatch(ast.unparse(value)):
            self.meant[name.id] = value
            return None
        return node

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return self.meant.get(node.id, node)


def touched(tree: ast.Module) -> set[str]:
    """What a file takes of store and jobs: 'store.find' for a use of that attribute, 'store' where
    the whole is handed on, and the names that it imports from their modules."""
    imported = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("engine.results")
        for alias in node.names
    }
    used = OF_LAB.findall(ast.unparse(WithoutNames().visit(tree)))
    return imported & OF_RESULTS | {"".join(parts) for parts in used if parts[0]}


def test_pages_read_results_through_the_door_alone() -> None:
    found = {name: touched(tree) for name, tree in sources() if name != DOOR}
    allowed = {name: what for name, (what, _) in BESIDE_THE_DOOR.items()}
    assert {name: what for name, what in found.items() if what} == allowed


@pytest.mark.parametrize(
    ("code", "what"),
    [
        ("lab().store.find(*asked)", {"store.find"}),
        ("shared.lab().jobs.state(job)", {"jobs.state"}),
        ("jobs = lab().jobs\njobs.state(job)", {"jobs.state"}),
        ("here = lab()\nhere.store.key(*asked)", {"store.key"}),
        ("remove(lab().store, entry)", {"store"}),
        ("from engine.results.store import Store, Stored", {"Store"}),
        ("page.store.find(lab().settings)", set()),
    ],
)
def test_the_door_s_guard_sees_every_way_round(code: str, what: set[str]) -> None:
    assert touched(ast.parse(code)) == what


def test_controls_are_bound_to_the_address_in_one_place() -> None:
    bound = {
        name
        for name, tree in sources()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and node.value == "query-params"
    }
    assert bound == {"common/asking/form.py"}


def test_figures_are_drawn_in_one_place_and_those_of_running_jobs_in_another() -> None:
    drawn = {
        name
        for name, tree in sources()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and re.search(r"(^|\.)chart$", ast.unparse(node.func))
    }
    assert drawn == {"common/widgets/figure.py", "common/asking/progress.py"}


@pytest.fixture(scope="module")
def of_ones_own(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """Results of what nothing is published for, by key: a table of one's own, a prepared set."""
    cache = tmp_path_factory.mktemp("computed")
    settings = read_settings({"IAL_CACHE_DIR": str(cache), "IAL_DEVICE": "cpu"})
    settings.data_dir.mkdir()
    (settings.data_dir / "loans.csv").write_text(loans(), encoding="utf-8")
    asked = own_request()
    compute_and_keep("fairness", asked, open_data(asked, settings.data_dir), settings, ignore)
    prepared = Prepared("german", ("german.csv",), 1)
    Store.of(settings).write("prepare", PrepareRequest("german"), NO_DATA, prepared, 1.0, "CPU")
    return {path.parent.name: path.parent for path in cache.rglob(MANIFEST)}


class Race:
    """Jobs that end between a page's first look at them and its second, whatever it looks at
    first: the result, or where the job stands."""

    def __init__(self, ready: Mapping[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
        self.ready, self.ended = ready, set[str]()
        find, state = Store.find_entry, Jobs.state

        def find_once(store: Store, name: str, job: str, *rest: Any) -> Any:
            found = find(store, name, job, *rest)
            self.end(store, job)
            return found

        def state_once(jobs: Jobs, job: str, *experiment: str) -> JobState:
            if job in self.ended:
                return JobState("done")
            ends = self.end(jobs.store, job)
            return JobState("running") if ends else state(jobs, job, *experiment)

        monkeypatch.setattr(Store, "find_entry", find_once)
        monkeypatch.setattr(Jobs, "state", state_once)

    def end(self, store: Store, job: str) -> bool:
        """Have a job end that has not yet: its result is in the store. Whether it did."""
        if job in self.ended or job not in self.ready:
            return False
        self.ended.add(job)
        shutil.copytree(self.ready[job], store.local / self.ready[job].parent.name / job)
        return True


ASK = {"Compute it", "Run it", "Start again"}  # what a page offers for a result that it lacks
NOTHING_ASKED = (
    "paper",
    "results",
    "join",
    "lesson",
    "wall",
)  # pages about what is published, or about all that is


STOPS_FIRST = "story"  # where a published result is missing, it asks for nothing else


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.url)
def test_a_job_that_ends_while_a_page_looks_is_not_told_to_be_damaged(
    page: PageEntry,
    open_page: Open,
    of_ones_own: Mapping[str, Path],
    tmp_path: Path,
    asked: Asked,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = tmp_path / "cache" / "data"
    data.mkdir(parents=True)
    (data / "loans.csv").write_text(loans(), encoding="utf-8")
    monkeypatch.setenv("IAL_CACHE_DIR", str(tmp_path / "cache"))
    if page.url not in NOTHING_ASKED:
        monkeypatch.setattr("engine.settings.PUBLISHED", tmp_path / "published")
    app = open_page(PAGES[0])
    published = {path.parent.name: path.parent for path in PUBLISHED.rglob(MANIFEST)}
    race = Race({**published, **of_ones_own}, monkeypatch)
    app.switch_page(page.file)
    own = view_of(own_request())  # what its page asks for at first is not here
    if own is not None and page is own.page:
        for name, value in own.parameters.items():
            app.query_params[name] = value
    app.run()
    assert not app.exception
    assert bool(race.ended) == (page.url not in (*NOTHING_ASKED, STOPS_FIRST))
    assert "damaged" not in words(app)
    assert not ASK & {button.label for button in app.button}, "it is shown, or being computed"
