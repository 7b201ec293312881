"""What is on this machine, its check and its removal; preparing as a job and as a command."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.__main__ import main
from engine.data import catalogue, inventory
from engine.data.images.backbones import BACKBONES
from engine.data.images.extraction import BATCH, WORK, alone, prepare_features
from engine.data.images.image_sets import ORIGINALS
from engine.data.intake import images
from engine.data.load import load_dataset
from engine.data.raw_files import RawFile
from engine.data.sources.bundled import LOADERS
from engine.data.sources.fairness_sets import FILES
from engine.data.sources.fairness_sets import LOADERS as FAIRNESS_LOADERS
from engine.errors import Cancelled, DataUnavailable, InvalidInput
from engine.experiments import PrepareRequest
from engine.experiments.prepare import describe_prepared
from engine.progress import Progress
from engine.results.jobs import Jobs
from engine.settings import read_settings
from tests.support.image_layouts import crop, digit_images, prepare_digits, tiny_backbone
from tests.support.queues import kill, until
from tests.support.tables import original


def named(data_dir: Path) -> dict[str, inventory.InventoryEntry]:
    return {entry.name: entry for entry in inventory.entries(data_dir)}


def faults(data_dir: Path) -> dict[str, str]:
    return {f.file: f.fault for f in inventory.check(data_dir) if f.fault}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    prepare_digits(str(folder))
    return folder


@pytest.fixture
def filled(whole: Path, tmp_path: Path) -> Path:
    """Prepared features, called as the registry's; a features file and a table of one's own."""
    folder = tmp_path / "data"
    shutil.copytree(whole, folder)
    shutil.copy(folder / "mine.npz", folder / "own.npz")
    (folder / "people.csv").write_text("a,b,c\n" + "1,2,3\n" * 60)
    return folder


def test_every_loader_is_described_and_nothing_else() -> None:
    assert set(catalogue.SETS) == {*LOADERS, *FAIRNESS_LOADERS, *ORIGINALS}
    assert set(ORIGINALS) == set(catalogue.IMAGES)
    kept = {place for originals in ORIGINALS.values() for place in originals.kept}
    assert {place for place in kept if "." not in place} <= set(catalogue.NAMES)
    for name, about in catalogue.SETS.items():
        assert about.name == name
        assert about.licence and about.citation and about.url.startswith("https://")


@pytest.mark.parametrize("name", list(LOADERS))
def test_the_bundled_sets_are_as_described(name: str) -> None:
    about, here = catalogue.SETS[name], load_dataset(name)
    assert about.title == here.title
    assert about.rows == {
        "train": here.n_train, "test": len(here.y_test) + len(here.y_holdout),
    }  # fmt: skip
    assert (about.n_classes, about.n_features) == (here.n_classes, here.n_features)


@pytest.mark.parametrize("name", list(FAIRNESS_LOADERS))
def test_the_fairness_sets_are_as_described(name: str) -> None:
    about, table = catalogue.SETS[name], original(name)
    assert about.title == table.title
    rows = {"train": table.y_train, "validation": table.y_val, "test": table.y_test}
    assert about.rows == {split: len(y) for split, y in rows.items()}
    assert about.n_features == table.n_features


def test_an_empty_directory_lists_what_there_could_be(tmp_path: Path) -> None:
    entries = named(tmp_path / "none")
    assert [name for name, entry in entries.items() if entry.here] == [*LOADERS]
    assert set(entries) == {*LOADERS, *catalogue.FEATURES, *FAIRNESS_LOADERS}
    assert entries["caltech101-efficientnet_lite2"].backbone is BACKBONES["efficientnet_lite2"]
    assert inventory.check(tmp_path / "none") == []


def test_files_of_ones_own_are_listed_with_their_size(filled: Path) -> None:
    own = [entry for entry in inventory.entries(filled) if entry.about is None]
    assert [(e.name, e.kind) for e in own] == [
        ("mine", "features"), ("own", "features"), ("people", "table"),
    ]  # fmt: skip
    sizes = [p.stat().st_size for p in filled.rglob("mine.*") if p.suffix != ".lock"]
    assert own[0].n_bytes == sum(sizes)
    assert len(sizes) == 4


def test_a_folder_of_arrays_is_listed_checked_and_removed(filled: Path) -> None:
    (filled / "large").mkdir()
    with np.load(filled / "own.npz", allow_pickle=False) as arrays:
        for part in ("X_train", "y_train", "X_test", "y_test"):
            np.save(filled / "large" / f"{part}.npy", arrays[part])
    entry = named(filled)["large"]
    assert (entry.kind, entry.here) == ("folder", True)
    assert entry.n_bytes > 300 * 6 * 2
    assert inventory.samples_of("large", filled) == inventory.samples_of("own", filled)
    assert inventory.samples_of("own", filled) == (200, 100, 6)
    assert faults(filled) == {}
    np.save(filled / "large" / "y_test.npy", np.zeros(3))
    said = "'large' cannot be used: y_test must have one label per sample, shape (100,). Got (3,)."
    assert faults(filled)["large"] == said
    inventory.remove("large", filled)
    assert not (filled / "large").exists()


def test_a_file_under_a_name_of_the_registry_is_ones_own(filled: Path) -> None:
    shutil.copy(filled / "own.npz", filled / "cifar10.npz")
    entries = inventory.entries(filled)
    assert [e.here for e in entries if e.name == "cifar10" and e.about] == [False]
    assert [e.kind for e in entries if e.name == "cifar10" and not e.about] == ["features"]


def test_check_finds_what_has_changed(filled: Path) -> None:
    assert faults(filled) == {}
    assert len(inventory.check(filled)) == 5  # four of prepared and one's own, one table
    with (filled / "mine.npz").open("r+b") as file:
        file.seek(300)
        file.write(b"!!")
    (filled / "thumbnails" / "mine.test.npy").unlink()
    (filled / "own.npz").write_bytes(b"no archive")
    (filled / "people.csv").write_text("a\n1\n")
    np.save(filled / "thumbnails" / "gone.train.npy", np.zeros((1, 32, 32, 3), np.uint8))
    (filled / "raw" / "german.data").write_text("others")
    weights = filled / "raw" / BACKBONES["resnet50"].weights
    weights.write_bytes(b"others")
    found = faults(filled)
    assert set(found) == {
        "mine.npz", "thumbnails/mine.test.npy", "own.npz", "people.csv",
        "thumbnails/gone.train.npy", "raw/german.data", f"raw/{weights.name}",
    }  # fmt: skip
    assert "Remove 'mine' and prepare it again" in found["mine.npz"]
    assert found["thumbnails/mine.test.npy"].startswith("Missing")
    assert "cannot be read as .npz" in found["own.npz"]


def test_an_interrupted_preparation_is_seen_and_removed(tmp_path: Path) -> None:
    def stop(progress: Progress) -> None:
        raise Cancelled("at once")

    with pytest.raises(Cancelled):
        prepare_features("cifar10", digit_images(), tiny_backbone(tmp_path), tmp_path, "cpu", stop)
    entry = named(tmp_path)["cifar10"]
    assert not entry.here
    assert entry.begun == pytest.approx(BATCH / 300)
    assert "11% done" in faults(tmp_path)[f"{WORK}/cifar10"]
    assert inventory.remove("cifar10", tmp_path) > 100 * 32 * 32 * 3
    assert named(tmp_path)["cifar10"].begun is None
    assert faults(tmp_path) == {}


def test_remove_deletes_a_data_set_and_nothing_else(filled: Path) -> None:
    before = {p for p in filled.rglob("*") if p.is_file() and p.suffix != ".lock"}
    freed = inventory.remove("mine", filled)
    gone = before - {p for p in filled.rglob("*") if p.is_file()}
    assert {str(p.relative_to(filled)) for p in gone} == {
        "mine.npz", "mine.json", "thumbnails/mine.train.npy", "thumbnails/mine.test.npy",
    }  # fmt: skip
    assert freed > 300 * 6 * 2
    with pytest.raises(InvalidInput, match=r"one of 'digits', .*Got 'mine'"):
        inventory.remove("mine", filled)


def test_a_table_of_the_name_of_features_is_another_data_set(filled: Path) -> None:
    """`data remove own` leaves the table that the fairness page calls by the same name."""
    shutil.copy(filled / "people.csv", filled / "own.csv")
    shutil.copy(filled / "people.csv", filled / "cifar10.csv")  # the registry's own name
    entries = inventory.entries(filled)
    assert len({entry.name for entry in entries}) == len(entries)
    assert [(e.name, e.kind) for e in entries if e.about is None][-3:] == [
        ("cifar10.csv", "table"), ("own.csv", "table"), ("people", "table"),
    ]  # fmt: skip
    inventory.remove("own", filled)
    assert (filled / "own.csv").is_file() and not (filled / "own.npz").exists()
    assert named(filled)["own"].kind == "table"  # now that the name is free
    inventory.remove("cifar10.csv", filled)
    assert not (filled / "cifar10.csv").exists()
    inventory.remove("own", filled)
    assert not (filled / "own.csv").exists()


def test_a_table_beside_features_on_the_command_line(
    filled: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("IAL_DATA_DIR", str(filled))
    shutil.copy(filled / "people.csv", filled / "own.csv")
    assert main(["data", "list"]) == 0
    assert "own.csv" in capsys.readouterr().out
    assert main(["data", "remove", "own.csv"]) == 0
    assert (filled / "own.npz").is_file() and not (filled / "own.csv").exists()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("digits", "this one comes with the lab"),
        ("caltech101", "one that is on this machine"),
        ("../data/own", "data set must be one of"),
        ("", "data set must be one of"),
    ],
)
def test_what_cannot_be_removed_is_said(filled: Path, name: str, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        inventory.remove(name, filled)


def test_originals_stay_unless_they_are_named(tmp_path: Path) -> None:
    pictures = tmp_path / "raw" / "caltech101" / "101_ObjectCategories" / "Faces"
    pictures.mkdir(parents=True)
    (pictures / "image_0001.jpg").write_bytes(b"12345")
    (tmp_path / "caltech101.npz").write_bytes(b"")
    (tmp_path / "caltech101.json").write_text('{"name": "caltech101", "files": {}}')
    inventory.remove("caltech101", tmp_path)
    assert (pictures / "image_0001.jpg").is_file()
    assert inventory.remove("caltech101", tmp_path, originals=True) == 5
    assert not (tmp_path / "raw" / "caltech101").exists()


def test_nothing_is_removed_while_it_is_prepared(filled: Path) -> None:
    with alone("mine", filled), pytest.raises(DataUnavailable, match="by another process"):
        inventory.remove("mine", filled)
    assert (filled / "mine.npz").is_file()


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"name": "cifar10", "backbone": "vgg"}, "backbone must be one of 'resnet50', 'effic"),
        ({"name": "german", "backbone": "resnet50"}, "'german' is no image set"),
        ({"name": 7}, "dataset must be the name"),
    ],
)
def test_a_request_is_checked(values: dict, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        PrepareRequest(**values)


def test_the_papers_backbone_is_the_default() -> None:
    assert PrepareRequest("cifar10") == PrepareRequest("cifar10", "resnet50")
    assert PrepareRequest("adult").backbone == ""


def take_in(folder: Path, data_dir: Path) -> None:
    """Images of one's own, in class folders."""
    for label, name in enumerate(("palace", "flower")):
        (folder / name).mkdir(parents=True)
        for number in range(5):
            crop(label, number).resize((96, 96)).save(folder / name / f"{number}.png")
    data_dir.mkdir(parents=True, exist_ok=True)
    images.keep(folder, "photos", data_dir, 0.4)


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[Jobs]:
    settings = read_settings({"IAL_CACHE_DIR": str(tmp_path / "cache"), "IAL_DEVICE": "cpu"})
    made = Jobs(replace(settings, published=tmp_path / "published"))
    yield made
    kill(made)


def test_a_job_prepares_and_after_removal_prepares_again(jobs: Jobs, tmp_path: Path) -> None:
    """Images of one's own by the backbone whose weights are here, through the worker."""
    data_dir = jobs.settings.data_dir
    take_in(tmp_path / "photos", data_dir)
    entry = named(data_dir)["photos"]
    assert (entry.kind, entry.here) == ("images", False)
    request = PrepareRequest("photos", "efficientnet_lite2")
    job = jobs.submit("prepare", request)
    state = until(jobs, job, "done", "failed", "died")
    assert (state.status, state.message) == ("done", "")
    assert state.progress[-1] == Progress(10, 10)
    content = (data_dir / "photos.npz").read_bytes()
    assert load_dataset("photos", data_dir).n_features == 1280
    assert named(data_dir)["photos"].here
    stored = jobs.store.find("prepare", request, "none")
    assert stored is not None
    assert "'photos' is ready: photos.npz" in describe_prepared(stored.result)
    # asked again, nothing is done
    assert jobs.submit("prepare", request) == job
    assert jobs.state(job).seconds == state.seconds
    # removed, it is made again: the result in the store alone is not enough
    inventory.remove("photos", data_dir)
    assert jobs.submit("prepare", request) == job
    state = until(jobs, job, "done", "failed", "died")
    assert (state.status, state.message) == ("done", "")
    assert (data_dir / "photos.npz").read_bytes() == content
    # what cannot be prepared says why
    unknown = jobs.submit("prepare", PrepareRequest("nothing", "efficientnet_lite2"))
    state = until(jobs, unknown, "done", "failed", "died")
    assert state.status == "failed"
    assert "data set must be one of 'digits', 'breast_cancer'" in state.message


@pytest.fixture
def lab(filled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The command line's settings."""
    monkeypatch.setenv("IAL_DATA_DIR", str(filled))
    monkeypatch.setenv("IAL_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("IAL_DEVICE", "cpu")
    return filled


def test_the_command_line_lists_checks_and_removes(
    lab: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["data", "list"]) == 0
    listed = capsys.readouterr().out
    lines = {line.split()[0]: line for line in listed.splitlines() if line}
    assert "comes with the lab" in lines["digits"]
    assert "not here" in lines["oxford_pets-efficientnet_lite2"]
    assert "1,280 features by EfficientNet-Lite2" in lines["oxford_pets-efficientnet_lite2"]
    assert "3,680 / 3,669 train / test, 37 classes" in lines["oxford_pets"]
    assert "your own table" in lines["people"]
    assert f"MB in {lab}" in listed
    assert main(["data", "check"]) == 0
    assert "mine.npz: sound" in capsys.readouterr().out
    assert main(["data", "remove", "mine"]) == 0
    assert "'mine' is removed: 0.9 MB freed" in capsys.readouterr().out
    (lab / "own.npz").write_bytes(b"")
    assert main(["data", "check"]) == 1
    assert "with a fault: 1" in capsys.readouterr().out
    assert main(["data", "remove", "mine"]) == 2
    assert "error: data set must be one of" in capsys.readouterr().err


def test_the_command_line_prepares(
    lab: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    small = RawFile("small.data", "nowhere", "nowhere", "")
    monkeypatch.setitem(FILES, "german", (small,))
    monkeypatch.setattr(
        "engine.data.prepare.fetch",
        lambda file, data_dir, say: (data_dir / "raw" / file.name).write_text("12345"),
    )
    assert main(["data", "prepare", "german"]) == 0
    assert "'german' is ready: raw/small.data (0.0 MB)" in capsys.readouterr().out
    assert main(["data", "prepare", "digits"]) == 0
    assert "it comes with the lab" in capsys.readouterr().out
    assert main(["data", "prepare", "nope"]) == 2
    assert main(["data", "prepare", "cifar10", "--backbone", "vgg"]) == 2
    assert "backbone must be one of" in capsys.readouterr().err


def test_preparing_is_no_command_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["prepare"])
    assert "invalid choice: 'prepare'" in capsys.readouterr().err


def test_the_size_of_a_folder_is_that_of_its_files(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "file").write_bytes(b"12345")
    os.symlink(tmp_path / "a" / "b" / "file", tmp_path / "a" / "link")
    assert inventory.size_of([tmp_path / "a" / "b"]) == 5
