"""A lab with a cache of its own for the pages' tests; the example is computed in it."""

import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from engine.data.load import load_dataset
from engine.experiments import BaselineRequest, SweepRequest
from engine.progress import ignore
from engine.results.compute import compute_and_keep
from engine.results.jobs import Jobs
from engine.results.store import Store, Stored
from engine.settings import ROOT, Settings, read_settings
from pages.common.asking import links
from pages.common.asking.links import EXAMPLE
from pages.common.lab import published_results
from pages.common.lab.registry import PageEntry
from pages.common.lab.shared import ranking_request
from pages.common.widgets.unfold import KEY

Open = Callable[..., AppTest]
SMALL = replace(EXAMPLE, dataset="small", targets=(7,), radius=0.5, restarts=1)
SWEPT = SweepRequest(
    "small", n_targets=6, radii=(0.2, 0.8), ks=(1, 3), learning_rates=(0.1,), steps=25
)
ROLES: Mapping[str, tuple[str, Any]] = {
    "cost": ("sweep", SWEPT),
    "ablation": (
        "sweep",
        replace(SWEPT, objectives=("target", "top_k", "higher_ranked"), restarts=(0,)),
    ),
    "frontier": ("sweep", replace(SWEPT, objectives=("accurate", "quiet"), restarts=(1,))),
    "training": ("sweep", replace(SWEPT, radii=(0.8,), train_sizes=(30, 0))),
    "sizes": ("sweep", replace(SWEPT, n_targets=3, radii=(0.8,), set_sizes=(1, 3, 9))),
    "baseline": ("baseline", BaselineRequest("small", n_targets=6, outside=3, steps=60)),
}


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """The lab's settings: temporary folders, with a small features file and a broken one."""
    cache = tmp_path_factory.mktemp("cache")
    place = {
        "IAL_CACHE_DIR": str(cache),
        "IAL_DEVICE": "cpu",
        "IAL_WORKER_IDLE_S": "20",
        "IAL_JOBS": "1",  # sweeps of these sizes are done before a second process is there
    }
    settings = read_settings(place)
    settings.data_dir.mkdir()
    write_features(settings.data_dir / "small.npz")
    (settings.data_dir / "broken.npz").write_bytes(b"no archive")
    for request in (EXAMPLE, SMALL):
        dataset = load_dataset(request.dataset, settings.data_dir)
        compute_and_keep("attack", request, dataset, settings, ignore)
        compute_and_keep("ranking", ranking_request(request), dataset, settings, ignore)
    before = {name: os.environ.get(name) for name in place}
    os.environ.update(place)
    yield settings
    for name, value in before.items():
        if value is None:
            del os.environ[name]
        else:
            os.environ[name] = value
    worker = Jobs(settings).worker_pid()
    if worker is not None:
        os.kill(worker, signal.SIGTERM)


@pytest.fixture(scope="session")
def small_sweeps(settings: Settings) -> Mapping[str, Stored]:
    """Small sweeps in every role of published ones, on the small features file, by their roles."""
    dataset, store = load_dataset("small", settings.data_dir), Store.of(settings)
    for name, request in ROLES.values():
        compute_and_keep(name, request, dataset, settings, ignore)
    found = {
        role: store.find(name, request, dataset.content_hash)
        for role, (name, request) in ROLES.items()
    }
    return {role: stored for role, stored in found.items() if stored is not None}


@pytest.fixture
def as_published(
    small_sweeps: Mapping[str, Stored], monkeypatch: pytest.MonkeyPatch
) -> Mapping[str, Stored]:
    """The small sweeps stand for those that are published: pages open with them."""
    listed = tuple((role, name, request) for role, (name, request) in ROLES.items())
    monkeypatch.setattr(published_results, "published", lambda: listed)
    return small_sweeps


@pytest.fixture
def published_elsewhere(
    as_published: Mapping[str, Stored], monkeypatch: pytest.MonkeyPatch
) -> Mapping[str, Stored]:
    """The same under the name of a data set that is not on this machine."""
    listed = tuple(
        (role, name, replace(request, dataset="elsewhere"))
        for role, (name, request) in ROLES.items()
    )
    by = {request: as_published[role] for role, _, request in listed}
    monkeypatch.setattr(published_results, "published", lambda: listed)
    monkeypatch.setattr(Store, "find_published", lambda self, name, request: by.get(request))
    return as_published


def follow(app: AppTest, done: Callable[[], bool], seconds: float = 60) -> None:
    """Run the page again, as its polling does, until it shows what is awaited."""
    end = time.monotonic() + seconds
    while not done() and time.monotonic() < end:
        time.sleep(0.2)
        app.run()
        assert not app.exception
    assert done(), words(app)


def unfold(app: AppTest, *menus: str) -> AppTest:
    """Open every section that unfolds, and these menus."""
    for section in app.expander:
        app.session_state[section.key] = True
    for menu in menus:
        app.session_state[f"{KEY}{menu}"] = True
    return app.run()


def tables(app: AppTest) -> list[pd.DataFrame]:
    """The tables that a page shows to be read, cells as text."""
    pages = [
        ElementTree.fromstring(e.proto.body)
        for e in app.get("html")
        if "ial-table" in e.proto.body and "<table" in e.proto.body
    ]
    found = []
    for page in pages:
        head, *rows = [["".join(cell.itertext()) for cell in row] for row in page.iter("tr")]
        found.append(pd.DataFrame(rows, columns=head))
    return found


def notes(app: AppTest) -> list[str]:
    """What a page says about a link."""
    return [w.value for w in app.warning if "The link asks" in w.value]


def check_note(app: AppTest, name: str, value: str) -> None:
    """The page opened, and says of this one parameter of its link what it uses instead."""
    assert not app.exception
    assert len(notes(app)) == 1
    assert f"{name}={links.clean(value)}" in notes(app)[0]
    assert f"uses {name} {app.session_state[name]} instead" in notes(app)[0]


def write_features(path: Path) -> None:
    """Three well-separated classes in four dimensions, without pictures."""
    rng = np.random.default_rng(5)
    y = {"train": np.arange(60) % 3, "test": np.arange(24) % 3}
    X = {split: rng.normal(size=(len(labels), 4)) for split, labels in y.items()}
    for split, labels in y.items():
        X[split][np.arange(len(labels)), labels] += 1.5
    np.savez(
        path,
        X_train=X["train"],
        y_train=y["train"],
        X_test=X["test"],
        y_test=y["test"],
        class_names=np.array(["ant", "bee", "cat"]),
    )


@pytest.fixture(scope="session")
def example(settings: Settings) -> Stored:
    """The published example, as computed for these tests."""
    content = load_dataset(EXAMPLE.dataset, settings.data_dir).content_hash
    stored = Store.of(settings).find("attack", EXAMPLE, content)
    assert stored is not None
    return stored


@pytest.fixture
def open_page(settings: Settings) -> Open:
    """Opens a page of the app with a link's parameters, as a new session."""
    st.cache_resource.clear()  # the settings that an earlier test's session has read

    def opened(page: PageEntry, **parameters: object) -> AppTest:
        app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=30).run()
        app.switch_page(page.file)
        for name, value in parameters.items():
            app.query_params[name] = str(value)
        return app.run()

    return opened


def words(app: AppTest) -> str:
    """All text that a page shows."""
    kinds = ("title", "markdown", "caption", "info", "warning", "error", "code", "latex")
    parts = [e.value for kind in kinds for e in getattr(app, kind)]
    parts += [e.proto.body for e in app.get("html")]
    return "\n".join(str(part) for part in parts)
