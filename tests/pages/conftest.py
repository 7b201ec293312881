"""A lab with a cache of its own for the pages' tests; the example is computed in it."""

import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from engine.data.dataset import load_dataset
from engine.experiments import ignore
from engine.results.compute import compute_and_keep
from engine.results.jobs import Jobs
from engine.results.store import Store, Stored
from engine.settings import Settings, read_settings
from pages.common.links import EXAMPLE
from pages.common.registry import ROOT, PageEntry
from pages.common.results import ranking_request

Open = Callable[..., AppTest]
SMALL = replace(EXAMPLE, dataset="small", targets=(7,), radius=0.5, restarts=1)


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """The lab's settings: temporary folders, with a small features file and a broken one."""
    cache = tmp_path_factory.mktemp("cache")
    place = {"IAL_CACHE_DIR": str(cache), "IAL_DEVICE": "cpu", "IAL_WORKER_IDLE_S": "20"}
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
