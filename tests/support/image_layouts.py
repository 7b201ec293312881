"""The paper's image sets as they lie on a disk, in small, made of real pictures, and a backbone of
a few numbers. A module of its own, so that other processes need to import nothing else."""

import functools
import hashlib
import io
import os
import pickle
import signal
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits, load_sample_images

from engine.data import catalogue
from engine.data.images.backbones import Backbone
from engine.data.images.extraction import ImageSet, prepare_features

BREEDS = ("Abyssinian", "Bengal", "american_bulldog")
CATEGORIES = ("Faces", "accordion", "yin_yang")


@functools.cache
def photographs() -> tuple[Image.Image, ...]:
    """A Chinese palace and a flower, 640 × 427."""
    return tuple(Image.fromarray(picture) for picture in load_sample_images().images)


def crop(which: int, seed: int) -> Image.Image:
    """A part of one of them, 200 to 400 pixels a side."""
    rng = np.random.default_rng([which, seed])
    width, height = rng.integers(200, 400, size=2)
    left, top = rng.integers(0, 640 - width), rng.integers(0, 427 - height)
    return photographs()[which % 2].crop((left, top, left + width, top + height))


def write_cifar(raw: Path, monkeypatch: pytest.MonkeyPatch, per_batch: int = 20) -> None:
    """cifar-10-batches-py with digits for pictures. torchvision is told the MD5 of these files
    instead of the real ones'; that it does compare them is left as it is."""
    from torchvision.datasets import CIFAR10

    digits, folder = load_digits(), raw / CIFAR10.base_folder
    folder.mkdir(parents=True)
    # by class, of which every batch takes the next few of each
    order = np.argsort(digits.target, kind="stable").reshape(-1)
    of_class = [order[digits.target[order] == c] for c in range(10)]

    def write(name: str, content: dict[str, Any]) -> list[str]:
        data = pickle.dumps(content, protocol=2)
        (folder / name).write_bytes(data)
        return [name, hashlib.md5(data).hexdigest()]

    listed = []
    for batch in range(6):
        chosen = [
            int(of_class[i % 10][batch * per_batch // 10 + i // 10]) for i in range(per_batch)
        ]
        planes = [
            np.asarray(Image.fromarray((digits.images[i] * 15.9).astype(np.uint8)).resize((32, 32)))
            for i in chosen
        ]
        data = np.stack([np.tile(plane.reshape(-1), 3) for plane in planes])
        data[:, 1024:2048] = 255 - data[:, 1024:2048]  # so that a mixed-up channel shows
        labels = [int(digits.target[i]) for i in chosen]
        listed.append(
            write(
                "test_batch" if batch == 5 else f"data_batch_{batch + 1}",
                {"data": data, "labels": labels, "batch_label": "", "filenames": []},
            )
        )
    meta = write("batches.meta", {"label_names": [f"digit {c}" for c in range(10)]})
    monkeypatch.setattr(CIFAR10, "train_list", listed[:5])
    monkeypatch.setattr(CIFAR10, "test_list", listed[5:])
    monkeypatch.setattr(CIFAR10, "meta", {**CIFAR10.meta, "md5": meta[1]})
    resize(monkeypatch, "cifar10", {"train": 5 * per_batch, "test": per_batch}, 10)


def write_pets(raw: Path, monkeypatch: pytest.MonkeyPatch, per_breed: int = 4) -> None:
    """oxford-iiit-pet: images/<Breed>_<number>.jpg, annotations/trainval.txt and test.txt."""
    images, lists = raw / "oxford-iiit-pet" / "images", raw / "oxford-iiit-pet" / "annotations"
    images.mkdir(parents=True)
    (lists / "trimaps").mkdir(parents=True)
    lines: dict[str, list[str]] = {"trainval": [], "test": []}
    for label, breed in enumerate(BREEDS):
        for number in range(2 * per_breed):
            name = f"{breed}_{number + 1}"
            crop(label, number).save(images / f"{name}.jpg", quality=90)
            part = "trainval" if number % 2 else "test"
            lines[part].append(f"{name} {label + 1} {1 + (label > 1)} 1")
    for part, text in lines.items():
        (lists / f"{part}.txt").write_text("\n".join(text) + "\n")
    resize(monkeypatch, "oxford_pets", {"train": 3 * per_breed, "test": 3 * per_breed}, 3)


def write_caltech(raw: Path, monkeypatch: pytest.MonkeyPatch, per_category: int = 10) -> None:
    """caltech101/101_ObjectCategories/<category>/image_0001.jpg, some of them grey, and the
    background that is no category."""
    for label, category in enumerate(("BACKGROUND_Google", *CATEGORIES)):
        folder = raw / "caltech101" / "101_ObjectCategories" / category
        folder.mkdir(parents=True)
        (raw / "caltech101" / "Annotations" / category).mkdir(parents=True)
        for number in range(per_category):
            picture = crop(label, 100 + number)
            grey = picture.convert("L") if number == 3 else picture
            grey.save(folder / f"image_{number + 1:04d}.jpg", quality=90)
    rows = {"train": 3 * per_category * 4 // 5, "test": 3 * per_category // 5}
    resize(monkeypatch, "caltech101", rows, 3)


def resize(
    monkeypatch: pytest.MonkeyPatch, name: str, rows: dict[str, int], n_classes: int
) -> None:
    """Have the registry expect the small layout."""
    small = replace(catalogue.SETS[name], rows=rows, n_classes=n_classes)
    monkeypatch.setitem(catalogue.SETS, name, small)


def save_weights(state: dict[str, Any], name: str, folder: Path) -> str:
    """A file of weights under the name that its SHA-256 demands."""
    import torch

    buffer = io.BytesIO()
    torch.save(state, buffer)
    digits = hashlib.sha256(buffer.getvalue()).hexdigest()[:8]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}-{digits}.pth").write_bytes(buffer.getvalue())
    return f"{name}-{digits}.pth"


def tiny_network(state: Mapping[str, Any]) -> Any:
    from torch import nn

    network = nn.Sequential(
        nn.Conv2d(3, 6, 3, stride=2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    )
    network.load_state_dict(state)
    return network


def in_folder(backbone: Backbone, folder: Path, say: Callable[[str], None]) -> Path:
    return folder / backbone.weights


def tiny_backbone(data_dir: Path) -> Backbone:
    """Six features of 32 × 32 pixels; its seeded weights are in the data directory."""
    import torch

    rng = torch.Generator().manual_seed(3)
    state = {
        "0.weight": torch.randn(6, 3, 3, 3, generator=rng) / 3,
        "0.bias": torch.randn(6, generator=rng),
    }
    weights = save_weights(state, "tiny", data_dir / "raw")
    mean = std = (0.5, 0.5, 0.5)
    return Backbone(
        "tiny", "Tiny", 6, 36, 32, mean, std, "bilinear", weights, in_folder, tiny_network
    )


def digit_images(n_train: int = 200, n_test: int = 100) -> ImageSet:
    """Digits as pictures: four batches and two."""
    digits = load_digits()
    pictures = [Image.fromarray((image * 15.9).astype(np.uint8)) for image in digits.images]
    y = digits.target.astype(np.int64)
    return ImageSet(
        class_names=tuple(str(c) for c in range(10)),
        train=pictures[:n_train],
        y_train=y[:n_train],
        test=pictures[n_train : n_train + n_test],
        y_test=y[n_train : n_train + n_test],
        source={"made_of": "digits"},
    )


def prepare_digits(data_dir: str, name: str = "mine") -> None:
    prepare_features(name, digit_images(), tiny_backbone(Path(data_dir)), Path(data_dir), "cpu")


def prepare_digits_and_die(data_dir: str, call: int) -> None:
    """Prepare, and end the process, as a power cut does, before the `call`-th thing that reaches
    the disk: an array flushed, a file synced, renamed or deleted."""
    left = call

    def counted(original: Callable[..., Any]) -> Callable[..., Any]:
        def called(*arguments: Any, **options: Any) -> Any:
            nonlocal left
            left -= 1
            if left <= 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return original(*arguments, **options)

        return called

    tiny_backbone(Path(data_dir))  # the weights are there before
    np.memmap.flush = counted(np.memmap.flush)  # type: ignore[method-assign]
    os.fsync = counted(os.fsync)
    os.unlink = counted(os.unlink)
    Path.replace = counted(Path.replace)  # type: ignore[method-assign]
    prepare_digits(data_dir)
