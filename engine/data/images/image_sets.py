"""CIFAR-10, Oxford-IIIT Pet and Caltech-101 through torchvision, in the paper's splits.

Originals are kept in `<data_dir>/raw`, where torchvision looks for them and verifies their MD5: the
archives, or what is in them. Only what loads one imports torchvision.
"""

import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from filelock import FileLock
from numpy.typing import ArrayLike, NDArray

from engine.data.catalogue import Description
from engine.data.images.extraction import ImageSet, RawPictures
from engine.data.raw_files import FOLDER, Say, silent
from engine.errors import DataUnavailable, InvalidDataset

if TYPE_CHECKING:
    from PIL.Image import Image


class LabelledPictures(Protocol):
    """A torchvision data set: samples by their index, each a picture and its label."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> "tuple[Image, object]": ...


@dataclass(frozen=True, eq=False)
class Some:
    """The pictures of those samples of a torchvision data set that `indices` lists."""

    dataset: LabelledPictures
    indices: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> "Image":
        return self.dataset[int(self.indices[index])][0]


def all_of(dataset: LabelledPictures) -> RawPictures:
    return Some(dataset, np.arange(len(dataset)))


def whole(
    dataset_train: LabelledPictures,
    y_train: ArrayLike,
    dataset_test: LabelledPictures,
    y_test: ArrayLike,
    names: Iterable[str],
) -> ImageSet:
    """Return a data set that has its own train and test parts."""
    return ImageSet(
        class_names=tuple(names),
        train=all_of(dataset_train),
        y_train=np.asarray(y_train, dtype=np.int64),
        test=all_of(dataset_test),
        y_test=np.asarray(y_test, dtype=np.int64),
    )


def cifar10(raw: Path, download: bool) -> ImageSet:
    """Return CIFAR-10's five train batches and its test batch, in their order."""
    from torchvision.datasets import CIFAR10

    train, test = (CIFAR10(str(raw), train=part, download=download) for part in (True, False))
    return whole(train, train.targets, test, test.targets, train.classes)


def oxford_pets(raw: Path, download: bool) -> ImageSet:
    """Return the data set's lists trainval and test, in their order."""
    from torchvision.datasets import OxfordIIITPet

    lists = ("trainval", "test")
    train, test = (OxfordIIITPet(str(raw), part, download=download) for part in lists)
    lost = [path.name for part in (train, test) for path in part._images if not path.is_file()]
    if lost:
        raise FileNotFoundError(f"{len(lost):,} listed pictures are missing, such as '{lost[0]}'")
    return whole(train, train._labels, test, test._labels, train.classes)


TEST_SHARE, SEED = 0.2, 0  # of Caltech-101: 1,736 of 8,677


def caltech101(raw: Path, download: bool) -> ImageSet:
    """Return the data set's 101 categories, split once and for all: stratified, a fifth for test,
    both parts in the order of categories and of the pictures in them."""
    from sklearn.model_selection import train_test_split  # a second to import: not for every start
    from torchvision.datasets import Caltech101

    dataset = Caltech101(str(raw), target_type="category", download=download)
    y = np.asarray(dataset.y, dtype=np.int64)
    train, test = train_test_split(
        np.arange(len(y)), test_size=TEST_SHARE, stratify=y, random_state=SEED
    )
    train, test = np.sort(train), np.sort(test)
    return ImageSet(
        class_names=tuple(dataset.categories),
        train=Some(dataset, train),
        y_train=y[train],
        test=Some(dataset, test),
        y_test=y[test],
    )


@dataclass(frozen=True)
class Originals:
    """How an image set is opened, what of it lies in the folder of originals, which of that was
    unpacked, and what to put where, where nothing can be downloaded."""

    open: Callable[[Path, bool], ImageSet]
    kept: tuple[str, ...]
    unpacked: tuple[str, ...]
    by_hand: str


ORIGINALS = {
    "cifar10": Originals(
        cifar10,
        ("cifar-10-python.tar.gz", "cifar-10-batches-py"),
        ("cifar-10-batches-py",),
        "cifar-10-python.tar.gz into '{raw}'",
    ),
    "oxford_pets": Originals(
        oxford_pets,
        ("oxford-iiit-pet",),
        ("oxford-iiit-pet/images", "oxford-iiit-pet/annotations"),
        "images.tar.gz and annotations.tar.gz into '{raw}/oxford-iiit-pet'",
    ),
    "caltech101": Originals(
        caltech101,
        ("caltech101",),
        ("caltech101/caltech-101", "caltech101/101_ObjectCategories", "caltech101/Annotations"),
        "caltech-101.zip into '{raw}/caltech101'",
    ),
}


def open_images(about: Description, data_dir: Path, say: Say = silent) -> ImageSet:
    """Return the pictures and labels of an image set, downloaded where they are not there yet.

    Raises DataUnavailable where that fails, and InvalidDataset where what is there is incomplete.
    """
    raw, originals = Path(data_dir) / FOLDER, ORIGINALS[about.name]
    try:
        raw.mkdir(parents=True, exist_ok=True)
        with FileLock(raw / f".{about.name}.lock"):
            images = opened(about, originals, raw, say)
    except OSError as error:
        raise DataUnavailable(
            f"{about.title} cannot be kept in '{raw}' ({error.strerror or error}). Make room "
            "there, allow writing, or set IAL_DATA_DIR to another folder."
        ) from error
    found = {"train": len(images.train), "test": len(images.test)}
    if found != dict(about.rows) or len(images.class_names) != about.n_classes:
        raise InvalidDataset(
            f"{about.title} has {found['train']:,} training and {found['test']:,} test pictures of "
            f"{len(images.class_names)} classes in '{raw}', but {about.rows['train']:,}, "
            f"{about.rows['test']:,} and {about.n_classes} are expected. {remedy(originals, raw)}"
        )
    return images


def opened(about: Description, originals: Originals, raw: Path, say: Say) -> ImageSet:
    """Open what is there, else download it. A mark stays behind where that was interrupted, by
    whatever: what was unpacked beside one is not complete, and is unpacked again.
    Raises DataUnavailable and InvalidDataset."""
    mark = raw / f".{about.name}.unpacking"
    unpacked = [raw / place for place in originals.unpacked]
    if mark.exists():
        for folder in unpacked:
            shutil.rmtree(folder, ignore_errors=True)
    if not any(folder.exists() for folder in unpacked):
        mark.touch()
        say(f"Fetching and unpacking {about.title} ({about.download_mb:g} MB, once) …")
        try:
            images = originals.open(raw, True)
        except Exception as error:  # networks and archives fail in every way
            if not any(folder.exists() for folder in unpacked):
                mark.unlink()
            raise DataUnavailable(
                f"{about.title} could not be downloaded ({str(error)[:200]}). Check the connection "
                f"and ask again, or put {originals.by_hand.format(raw=raw)} yourself "
                f"(see {about.url})."
            ) from error
        mark.unlink()
        return images
    try:
        return originals.open(raw, False)
    except Exception as error:  # torchvision raises anything on folders that are not as they were
        raise InvalidDataset(
            f"What is in '{raw}' of {about.title} cannot be used ({str(error)[:200]}). "
            f"{remedy(originals, raw)}"
        ) from error


def remedy(originals: Originals, raw: Path) -> str:
    places = " and ".join(f"'{raw / place}'" for place in originals.unpacked)
    return f"Delete {places} and ask again: it is unpacked anew."
