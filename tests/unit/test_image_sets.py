"""The paper's image sets from torchvision's folders, made here in small, to data sets."""

import json
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from engine.data import catalogue
from engine.data.images import backbones
from engine.data.images.backbones import BACKBONES
from engine.data.images.extraction import ImageSet
from engine.data.images.image_sets import SEED, TEST_SHARE, open_images
from engine.data.load import load_dataset
from engine.data.prepare import Prepared, prepare_set
from engine.errors import DataUnavailable, InvalidDataset, InvalidInput
from tests.support.image_layouts import (
    BREEDS,
    CATEGORIES,
    tiny_backbone,
    write_caltech,
    write_cifar,
    write_pets,
)

Write = Callable[..., None]


def opened(name: str, data_dir: Path) -> ImageSet:
    return open_images(catalogue.SETS[name], data_dir)


def prepared(name: str, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Prepared:
    """By a backbone of a few numbers, in the place of the paper's."""
    tiny = replace(tiny_backbone(data_dir), name=backbones.DEFAULT)
    monkeypatch.setitem(BACKBONES, backbones.DEFAULT, tiny)
    return prepare_set(name, "", data_dir, "cpu")


def test_cifar10_is_read_in_its_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_cifar(tmp_path / "raw", monkeypatch)
    images = opened("cifar10", tmp_path)
    assert images.class_names[3] == "digit 3"
    assert (len(images.train), len(images.test)) == (100, 20)
    assert images.y_train.tolist() == [i % 10 for i in range(20)] * 5
    digits = load_digits()
    first_four = digits.images[np.flatnonzero(digits.target == 4)[0]]
    plane = Image.fromarray((first_four * 15.9).astype(np.uint8)).resize((32, 32))
    found = np.asarray(images.train[4])
    assert np.array_equal(found[:, :, 0], np.asarray(plane))
    assert np.array_equal(found[:, :, 1], 255 - np.asarray(plane))  # the green one is turned


def test_cifar10_whose_files_are_others_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_cifar(tmp_path / "raw", monkeypatch)
    batch = tmp_path / "raw" / "cifar-10-batches-py" / "data_batch_3"
    batch.write_bytes(batch.read_bytes()[:-1] + b"!")  # it would be unpickled
    with pytest.raises(InvalidDataset, match=r"corrupted.*Delete '.*cifar-10-batches-py'"):
        opened("cifar10", tmp_path)


def test_oxford_pets_is_read_by_its_lists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_pets(tmp_path / "raw", monkeypatch)
    images = opened("oxford_pets", tmp_path)
    assert images.class_names == ("Abyssinian", "Bengal", "American Bulldog")
    assert images.y_train.tolist() == images.y_test.tolist() == [0] * 4 + [1] * 4 + [2] * 4
    folder = tmp_path / "raw" / "oxford-iiit-pet" / "images"
    expected = Image.open(folder / f"{BREEDS[1]}_4.jpg").convert("RGB")  # its second in trainval
    assert np.array_equal(np.asarray(images.train[5]), np.asarray(expected))
    (folder / f"{BREEDS[0]}_1.jpg").unlink()
    with pytest.raises(InvalidDataset, match="1 listed pictures are missing, such as 'Abyssin"):
        opened("oxford_pets", tmp_path)


def test_caltech101_is_split_once_and_for_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_caltech(tmp_path / "raw", monkeypatch)
    images = opened("caltech101", tmp_path)
    assert images.class_names == CATEGORIES  # the background is none
    assert np.bincount(images.y_train).tolist() == [8, 8, 8]
    assert np.bincount(images.y_test).tolist() == [2, 2, 2]
    again = opened("caltech101", tmp_path)
    shown = [images.test[i].tobytes() for i in range(len(images.test))]
    assert shown == [again.test[i].tobytes() for i in range(len(again.test))]
    assert not {images.train[i].tobytes() for i in range(len(images.train))} & set(shown)


def test_caltech101_has_the_papers_sizes() -> None:
    """Its 8,677 pictures fall into the paper's 6,941 and 1,736, every category in both: the numbers
    of pictures of its 101 categories go from 31 to 800."""
    from sklearn.model_selection import train_test_split

    counts = np.array([800, 435, 435, *np.linspace(31, 114, 98).astype(int)])
    counts[-1] += 8677 - counts.sum()
    y = np.repeat(np.arange(101), counts)
    train, test = train_test_split(y, test_size=TEST_SHARE, stratify=y, random_state=SEED)
    rows = catalogue.SETS["caltech101"].rows
    assert {"train": len(train), "test": len(test)} == rows == {"train": 6941, "test": 1736}
    assert np.bincount(test).min() >= 2  # both halves of test have each


@pytest.mark.parametrize(
    ("write", "name"),
    [(write_cifar, "cifar10"), (write_pets, "oxford_pets"), (write_caltech, "caltech101")],
)
def test_each_becomes_a_data_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Write, name: str
) -> None:
    write(tmp_path / "raw", monkeypatch)
    made = prepared(name, tmp_path, monkeypatch)
    assert made.name == name
    assert made.files[0] == f"{name}.npz"
    about, dataset = catalogue.SETS[name], load_dataset(name, tmp_path)
    assert dataset.n_train == about.rows["train"]
    assert len(dataset.y_test) + len(dataset.y_holdout) == about.rows["test"]
    assert np.bincount(dataset.y_test).tolist() == np.bincount(dataset.y_holdout).tolist()
    manifest = json.loads((tmp_path / f"{name}.json").read_text())
    assert manifest["source"]["split"] == about.split
    changed = (tmp_path / f"{name}.npz").stat().st_mtime_ns
    prepared(name, tmp_path, monkeypatch)  # it is there
    assert (tmp_path / f"{name}.npz").stat().st_mtime_ns == changed


def test_caltech101_by_efficientnet_lite2_tells_the_photographs_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real weights on real pictures, from torchvision's folders to a data set: 'accordion' is
    made of parts of one photograph here, the others of parts of the other."""
    write_caltech(tmp_path / "raw", monkeypatch)
    made = prepare_set("caltech101", "efficientnet_lite2", tmp_path, "cpu")
    assert made.name == "caltech101-efficientnet_lite2"
    dataset = load_dataset(made.name, tmp_path)
    assert dataset.n_features == 1280
    palace = dataset.X_train[dataset.y_train == 1].mean(axis=0)
    flower = dataset.X_train[dataset.y_train != 1].mean(axis=0)
    scores = np.concatenate([dataset.X_test, dataset.X_holdout]) @ (palace - flower)
    is_palace = np.concatenate([dataset.y_test, dataset.y_holdout]) == 1
    assert scores[is_palace].min() > scores[~is_palace].max()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("cifar10", r"put cifar-10-python.tar.gz into '.*raw' yourself"),
        ("oxford_pets", r"images.tar.gz and annotations.tar.gz into '.*oxford-iiit-pet'"),
        ("caltech101", r"caltech-101.zip into '.*caltech101'"),
    ],
)
def test_without_a_connection_it_is_said_what_to_put_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, words: str
) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        raise OSError("Name or service not known")

    monkeypatch.setattr("urllib.request.urlopen", refuse)
    for _ in range(2):
        with pytest.raises(DataUnavailable, match=words) as failed:
            opened(name, tmp_path)
        assert "Name or service not known" in str(failed.value)
    assert not (tmp_path / "raw" / f".{name}.unpacking").exists()


def test_the_weights_of_resnet50_are_asked_for_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        raise OSError("Name or service not known")

    monkeypatch.setattr("torch.hub.urlopen", refuse)
    with pytest.raises(DataUnavailable, match=r"put the file resnet50-0676ba61.pth from .* into"):
        BACKBONES["resnet50"].load(tmp_path)


def test_an_archive_put_there_by_hand_is_unpacked_and_an_interruption_mended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CIFAR-10's archive with the small layout in it; the MD5 is that of this archive."""
    from torchvision.datasets import CIFAR10
    from torchvision.datasets.utils import calculate_md5

    raw = tmp_path / "raw"
    write_cifar(raw, monkeypatch)
    archive = raw / CIFAR10.filename
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(raw / CIFAR10.base_folder, CIFAR10.base_folder)
    monkeypatch.setattr(CIFAR10, "tgz_md5", calculate_md5(archive))
    # as if killed while unpacking: a mark, and a folder that lacks a part
    (raw / CIFAR10.base_folder / "data_batch_2").unlink()
    (raw / ".cifar10.unpacking").touch()
    assert len(opened("cifar10", tmp_path).train) == 100
    assert not (raw / ".cifar10.unpacking").exists()
    assert archive.is_file()


def test_an_incomplete_folder_is_no_data_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_caltech(tmp_path / "raw", monkeypatch)
    folder = tmp_path / "raw" / "caltech101" / "101_ObjectCategories" / "accordion"
    (folder / "image_0010.jpg").unlink()
    with pytest.raises(InvalidDataset, match=r"23 training and 6 test pictures of 3 classes"):
        opened("caltech101", tmp_path)


def test_a_file_of_ones_own_is_not_written_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cifar10.npz").write_bytes(b"mine")
    with pytest.raises(InvalidInput, match=r"'cifar10.npz' in the data directory was not"):
        prepared("cifar10", tmp_path, monkeypatch)
    assert (tmp_path / "cifar10.npz").read_bytes() == b"mine"
