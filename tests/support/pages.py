"""What tests of pages share: opening a page, reading what it shows."""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from engine.experiments import BaselineRequest, SweepRequest
from engine.results.jobs import JobState
from engine.results.store import Stored
from pages.common.asking import links
from pages.common.asking.door import Computation
from pages.common.asking.links import EXAMPLE
from pages.common.asking.view_link import LINK
from pages.common.widgets.unfold import KEY

Open = Callable[..., AppTest]
Publish = Callable[..., None]  # of (role, experiment, request)
Asked = list[tuple[str, Any]]  # experiment and request
JobsStand = Callable[[JobState], None]
NO_JOB = JobState("unknown")


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


def follow(app: AppTest, done: Callable[[], bool], seconds: float = 180) -> None:
    """Run the page again, as its polling does, until it shows what is awaited."""
    end = time.monotonic() + seconds
    while not done() and time.monotonic() < end:
        time.sleep(0.2)
        app.run()
        assert not app.exception
    assert done(), words(app)


def unfold(app: AppTest) -> AppTest:
    """Open every section that unfolds, those within others too, and then every menu."""
    opened: set[str] = set()
    while found := {str(section.key) for section in app.expander} - opened:
        opened |= found
        for key in found:
            app.session_state[key] = True
        app.run()
    for menu in app.get("popover"):
        app.session_state[str(menu.key)] = True
    return app.run()


def open_fold(app: AppTest, key: str) -> AppTest:
    """Open the section of this key."""
    app.session_state[f"{KEY}{key}"] = True
    return app.run()


def address(app: AppTest) -> str:
    """The link that the page gives for its view: its menu is opened."""
    app.session_state[LINK] = True
    (code,) = app.run().sidebar.code
    return str(code.value)


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


def words(app: AppTest) -> str:
    """All text that a page shows."""
    kinds = ("title", "markdown", "caption", "info", "warning", "error", "code", "latex")
    parts = [e.value for kind in kinds for e in getattr(app, kind)]
    parts += [e.proto.body for e in app.get("html")]
    return "\n".join(str(part) for part in parts)


def have_found(
    monkeypatch: pytest.MonkeyPatch,
    find: Callable[[str, object], Stored | None],
    state: JobState = NO_JOB,
) -> None:
    """Have the door find these results, and jobs that stand there for the others."""

    def of(experiment: str, request: object) -> Computation:
        stored = find(experiment, request)
        return Computation(experiment, request, "job", state, stored)

    monkeypatch.setattr(Computation, "of", of)
