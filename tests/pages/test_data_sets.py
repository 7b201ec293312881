"""The page of data sets: what is said of them, asked for, followed and removed."""

import re
import shutil
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import replace
from html import unescape
from io import BytesIO
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from engine.data import catalogue, inventory
from engine.data.load import load_dataset
from engine.data.sources.bundled import PARTS, docstrings, folder_of
from engine.data.sources.fairness_sets import LOADERS
from engine.experiments import NO_DATA, PrepareRequest
from engine.progress import Progress
from engine.results import library
from engine.results.jobs import Jobs, JobState
from engine.results.manifest import key
from engine.results.store import Store
from engine.settings import PUBLISHED, Settings
from pages.common.lab import registry
from pages.common.samples import Samples
from pages.data.parts import cards
from tests.support.image_layouts import prepare_digits
from tests.support.pages import Asked, Open, words, write_features

PAGE = registry.page("data")


@pytest.fixture
def prepared(settings: Settings, tmp_path: Path) -> Iterator[Path]:
    """The lab's data directory, with features under the name of a set of the registry and a file of
    one's own."""
    prepare_digits(str(tmp_path), "cifar10")
    data_dir = settings.data_dir
    (data_dir / "thumbnails").mkdir(exist_ok=True)
    for path in (*tmp_path.glob("cifar10.*"), *tmp_path.glob("thumbnails/*")):
        shutil.copy(path, data_dir / path.relative_to(tmp_path))
    write_features(data_dir / "passing.npz")
    yield data_dir
    for path in (*data_dir.glob("cifar10*"), *data_dir.glob("thumbnails/*")):
        path.unlink()
    (data_dir / "passing.npz").unlink(missing_ok=True)


def keys(app: AppTest) -> set[str]:
    return {str(button.key) for button in app.button}


@pytest.fixture
def nothing_fetched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A data directory of its own, with a small features file and a broken one: what other tests
    have fetched or brought in is not in it."""
    write_features(tmp_path / "small.npz")
    (tmp_path / "broken.npz").write_bytes(b"no archive")
    monkeypatch.setenv("IAL_DATA_DIR", str(tmp_path))


@pytest.mark.usefixtures("nothing_fetched")
def test_every_data_set_is_described_and_offered(open_page: Open) -> None:
    app = open_page(PAGE)
    assert not app.exception
    said = unescape(words(app))
    for about in catalogue.SETS.values():
        assert about.title in said
        assert about.licence in said
        assert about.citation in said
    wanted = {f"prepare-{name}" for name in (*catalogue.FEATURES, "german", "compas", "adult")}
    assert wanted <= keys(app)
    assert "prepare-digits" not in keys(app)
    assert "removal-digits" not in app.session_state
    assert "<b>50,000</b> to train on</div><div><b>10,000</b> to test</div>" in said
    assert "<b>10</b> classes" in said
    assert "`small` 60 train and 24 test samples, 4 features" in said
    assert "of the 11 data sets below" in said  # nine cards, small and broken
    assert said.count('<div class="ial-set">') == 9
    kept = library.open_library(Store(Path("none"), PUBLISHED)).entries
    shown = {entry.dataset for entry in kept if entry.experiment == "fairness"}
    assert shown == set(LOADERS)  # as the page says of the three


def test_strips_show_the_samples_themselves() -> None:
    """Eight digits; as many squares in a row as the table has measurements; texts that the data set
    has."""
    digits, tumours = load_dataset("digits"), load_dataset("breast_cancer")
    shown = Samples(digits)
    assert re.findall(r'src="([^"]+)"', cards.pictures()) == [shown.thumbnail(i) for i in range(8)]
    (source,) = re.findall(r"base64,([^\"]+)", cards.shades())
    picture = np.asarray(Image.open(BytesIO(b64decode(source))), np.float64)
    height, width = (size / n for size, n in zip(picture.shape, (8, 30), strict=True))
    middles = picture[
        (height * (np.arange(8) + 0.5)).astype(int)[:, None],
        (width * (np.arange(30) + 0.5)).astype(int),
    ]
    rows = np.asarray(tumours.X_train[:8], np.float64)
    within = np.abs(rows) < 1.5
    assert np.corrcoef(middles[within], -rows[within])[0, 1] > 0.99
    for part in cards.QUOTED:
        (text,) = islice(docstrings(folder_of("scipy") / part), 1)
        assert text.splitlines()[0] in unescape(cards.quotations())
        assert part in PARTS


def test_what_is_here_is_opened_or_removed(open_page: Open, prepared: Path) -> None:
    app = open_page(PAGE)
    assert "prepare-cifar10" not in keys(app)
    assert "prepare-cifar10-efficientnet_lite2" in keys(app)
    entry = next(e for e in inventory.entries(prepared) if e.name == "cifar10")
    assert "stand-in :green-badge[ready]" not in words(app)  # these features are the paper's
    assert "removal-cifar10" not in app.session_state  # what a closed fold holds is not made
    app.session_state["unfold-prepared"] = True
    app.run()
    assert f"ready, {entry.n_bytes / 1e6:.1f} MB" in words(app)
    assert "removal-cifar10" in app.session_state
    assert "It can be prepared again" not in words(app)  # what a closed menu holds is not made
    app.session_state["removal-cifar10"] = True
    app.run()
    assert "It can be prepared again" in words(app)
    app.button(key="remove-cifar10").click().run()
    assert not app.exception
    assert "'cifar10' is removed, 0.9 MB are free again." in [s.value for s in app.success]
    assert not (prepared / "cifar10.npz").exists()
    assert "prepare-cifar10" in keys(app)
    assert (prepared / "passing.npz").exists()
    app.session_state["removal-passing"] = True
    app.run()
    assert "the lab has no other copy" in words(app)
    app.button(key="remove-passing").click().run()
    assert not (prepared / "passing.npz").exists()
    assert "`passing`" not in words(app)


@pytest.mark.usefixtures("nothing_fetched")
def test_the_counts_and_the_advice_follow_from_what_is_here(
    open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    def here(missing: str) -> str:
        """What the page says where all data sets but one are here ('' for none missing)."""
        all_here = [
            replace(entry, here=entry.about is not None and entry.about.name != missing)
            for entry in found
            if entry.about is not None
        ]
        monkeypatch.setattr(inventory, "entries", lambda data_dir: all_here)
        app = open_page(PAGE)
        assert not app.exception
        return words(app)

    found = inventory.entries(Path())
    n = len(catalogue.SETS)
    assert f"{n - 1} of the {n} data sets" in here("oxford_pets")
    assert "Oxford-IIIT Pet needs one click on “Prepare”, once." in here("oxford_pets")
    assert "Their data are here" in here("oxford_pets")
    assert f"{n} of the {n} data sets" in here("")
    assert "on “Prepare”, once" not in here("")
    assert "Prepare one to run it with settings of your own." in here("adult")


@pytest.mark.usefixtures("nothing_fetched")
def test_a_preparation_is_asked_for_followed_and_explained(
    open_page: Open, asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    states: dict[str, JobState] = {}
    app = open_page(PAGE)
    app.button(key="prepare-caltech101-efficientnet_lite2").click().run()
    app.button(key="prepare-adult").click().run()
    assert asked == [
        ("prepare", PrepareRequest("caltech101", "efficientnet_lite2")),
        ("prepare", PrepareRequest("adult")),
    ]
    unknown = JobState("unknown")
    monkeypatch.setattr(Jobs, "state", lambda self, job, *experiment: states.get(job, unknown))
    job = key("prepare", PrepareRequest("caltech101"), NO_DATA)
    states[job] = JobState("running", progress=(Progress(64, 8677),))
    app.run()
    assert not app.exception
    assert "prepare-caltech101" not in keys(app)
    assert f"ask-{job}" in keys(app)  # nobody in particular has asked for it
    assert [p.proto.text for p in app.get("progress")] == ["64 of 8,677 images computed"]
    states[job] = JobState("failed", message="Put caltech-101.zip there.")
    app = open_page(PAGE)
    assert "prepare-caltech101" in keys(app)
    assert [e.value for e in app.error] == [
        "'caltech101' could not be prepared: Put caltech-101.zip there."
    ]


def test_the_check_names_what_is_damaged(open_page: Open, prepared: Path) -> None:
    app = open_page(PAGE)
    app.session_state["unfold-files"] = True
    app.run()
    check = next(button for button in app.button if button.label == "Check all files")
    (prepared / "thumbnails" / "cifar10.test.npy").write_bytes(b"others")
    check.click().run()
    assert not app.exception
    table = app.dataframe[0].value
    found = dict(zip(table["File"], table["What is wrong"], strict=True))
    assert "SHA-256" in found["thumbnails/cifar10.test.npy"]
    assert "cannot be read as .npz" in found["broken.npz"]
    assert "cifar10.npz" not in found
    assert "with a fault" in words(app)
