"""A lab with a cache of its own for the pages' tests; the example is computed in it."""

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.components.v2 import manifest_scanner
from streamlit.testing.v1 import AppTest

from engine.data.load import load_dataset
from engine.progress import ignore
from engine.results.compute import compute_and_keep
from engine.results.jobs import Jobs, JobState
from engine.results.store import Store, Stored
from engine.settings import ROOT, Settings, read_settings
from pages.common.asking.links import EXAMPLE
from pages.common.lab import published_results, shared
from pages.common.lab.registry import PageEntry
from pages.common.lab.shared import ranking_request
from tests.support.looks import Part, parts_of
from tests.support.pages import (
    ROLES,
    SMALL,
    Asked,
    JobsStand,
    Open,
    Publish,
    write_features,
)
from tests.support.queues import kill_all
from tests.support.reading import Passage, every_page
from tests.support.shared import once


@pytest.fixture(scope="session", autouse=True)
def installed_components() -> Iterator[None]:
    """What is installed is searched for Streamlit's components once, as a server does it: every
    AppTest would do it again, a fifth of a second each."""
    found = manifest_scanner.scan_component_manifests()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(manifest_scanner, "scan_component_manifests", lambda: found)
        yield


@pytest.fixture(scope="session", autouse=True)
def no_worker_unasked() -> Iterator[None]:
    """A worker starts with the first job, as it would where that comes sooner than the warm-up: a
    test whose lab has a cache of its own would leave one behind, which imports torch."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(shared, "warm_up", lambda jobs: None)
        yield


def place_of(cache: Path) -> dict[str, str]:
    """The settings of a lab whose files lie in `cache`."""
    return {
        "IAL_CACHE_DIR": str(cache),
        "IAL_DEVICE": "cpu",
        "IAL_WORKER_IDLE_S": "300",  # a new one takes seconds to import torch
        "IAL_JOBS": "1",  # sweeps of these sizes are done before a second process is there
    }


def fill_lab(cache: Path) -> None:
    """Write a small features file and a broken one, and compute the example and a small attack."""
    settings = read_settings(place_of(cache))
    settings.data_dir.mkdir()
    write_features(settings.data_dir / "small.npz")
    (settings.data_dir / "broken.npz").write_bytes(b"no archive")
    for request in (EXAMPLE, SMALL):
        dataset = load_dataset(request.dataset, settings.data_dir)
        compute_and_keep("attack", request, dataset, settings, ignore)
        compute_and_keep("ranking", ranking_request(request), dataset, settings, ignore)


def fill_sweeps(cache: Path) -> None:
    """Compute the small sweeps."""
    settings = read_settings(place_of(cache))
    settings.data_dir.mkdir()
    write_features(settings.data_dir / "small.npz")
    dataset = load_dataset("small", settings.data_dir)
    for name, request in ROLES.values():
        compute_and_keep(name, request, dataset, settings, ignore)


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """The lab's settings: temporary folders, with a small features file and a broken one."""
    cache = tmp_path_factory.mktemp("cache")
    shutil.copytree(once(tmp_path_factory, "lab", fill_lab), cache, dirs_exist_ok=True)
    place = place_of(cache)
    settings = read_settings(place)
    before = {name: os.environ.get(name) for name in place}
    os.environ.update(place)
    yield settings
    for name, value in before.items():
        if value is None:
            del os.environ[name]
        else:
            os.environ[name] = value
    kill_all(Jobs(settings))


@pytest.fixture(scope="session")
def small_sweeps(
    settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> Mapping[str, Stored]:
    """Small sweeps in every role of published ones, on the small features file, by their roles."""
    dataset, store = load_dataset("small", settings.data_dir), Store.of(settings)
    computed = once(tmp_path_factory, "sweeps", fill_sweeps)
    shutil.copytree(computed / "results", store.local, dirs_exist_ok=True)
    found = {
        role: store.find(name, request, dataset.content_hash)
        for role, (name, request) in ROLES.items()
    }
    return {role: stored for role, stored in found.items() if stored is not None}


@pytest.fixture
def publish(monkeypatch: pytest.MonkeyPatch) -> Publish:
    """Says what is published for a page in a role, in the place of what is."""

    def these(*listed: tuple[str, str, Any]) -> None:
        monkeypatch.setattr(published_results, "with_role", lambda: listed)

    return these


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    """No computation begins: what is asked for is listed here, experiment and request."""
    listed: Asked = []

    def submit(jobs: Jobs, experiment: str, request: Any, *visitor: object) -> str:
        listed.append((experiment, request))
        return "none"

    monkeypatch.setattr(Jobs, "submit", submit)
    return listed


@pytest.fixture
def jobs_stand(monkeypatch: pytest.MonkeyPatch) -> JobsStand:
    """Says where every job stands."""

    def at(state: JobState) -> None:
        monkeypatch.setattr(Jobs, "state", lambda self, job, *experiment: state)

    return at


@pytest.fixture
def as_published(small_sweeps: Mapping[str, Stored], publish: Publish) -> Mapping[str, Stored]:
    """The small sweeps stand for those that are published: pages open with them."""
    publish(*((role, name, request) for role, (name, request) in ROLES.items()))
    return small_sweeps


@pytest.fixture
def published_elsewhere(
    as_published: Mapping[str, Stored], publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> Mapping[str, Stored]:
    """The same under the name of a data set that is not on this machine."""
    listed = tuple(
        (role, name, replace(request, dataset="elsewhere"))
        for role, (name, request) in ROLES.items()
    )
    by = {request: as_published[role] for role, _, request in listed}
    publish(*listed)
    monkeypatch.setattr(Store, "find_published", lambda self, name, request: by.get(request))
    return as_published


@pytest.fixture(scope="session")
def example(settings: Settings) -> Stored:
    """The published example, as computed for these tests."""
    content = load_dataset(EXAMPLE.dataset, settings.data_dir).content_hash
    stored = Store.of(settings).find("attack", EXAMPLE, content)
    assert stored is not None
    return stored


def opened(page: PageEntry, **parameters: object) -> AppTest:
    """A page of the app with a link's parameters, as a new session."""
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=180).run()
    app.switch_page(page.file)
    for name, value in parameters.items():
        app.query_params[name] = str(value)
    return app.run()


@pytest.fixture
def open_page(settings: Settings) -> Open:
    """Opens a page."""
    st.cache_resource.clear()
    shared.open_lab.cache_clear()  # the settings that an earlier test's session has read
    return opened


def read_all(folder: Path) -> None:
    """Write down what every page of a lab that has computed nothing says, and how its figures
    look."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("IAL_CACHE_DIR", str(folder / "cache"))
        shared.open_lab.cache_clear()
        figures: list[tuple[str, str]] = []
        found = [(*where, p.place, p.text) for *where, p in every_page(opened, figures)]
    shared.open_lab.cache_clear()
    (folder / "said.json").write_text(json.dumps(found), encoding="utf-8")
    parts = [(page, part) for page, spec in figures for part in parts_of(json.loads(spec))]
    (folder / "parts.json").write_text(json.dumps(parts), encoding="utf-8")


@pytest.fixture(scope="session")
def said(
    settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> list[tuple[str, str, Passage]]:
    """Every text that pages show of what is published: page, data set, passage."""
    folder = once(tmp_path_factory, "said", read_all, seconds=900)
    rows = json.loads((folder / "said.json").read_text(encoding="utf-8"))
    return [(page, dataset, Passage(place, text)) for page, dataset, place, text in rows]


@pytest.fixture(scope="session")
def drawn(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, Part]]:
    """Every named part of every figure that pages show of what is published, with its page."""
    folder = once(tmp_path_factory, "said", read_all, seconds=900)
    rows = json.loads((folder / "parts.json").read_text(encoding="utf-8"))
    return [(page, Part(*part)) for page, part in rows]
