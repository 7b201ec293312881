"""From pictures to a features file with its thumbnails: batch by batch, so that an interrupted
preparation goes on where it was, and ends with the same bytes.

    <data_dir>/<name>.npz                    float16 features and labels (see engine/data/files.py)
    <data_dir>/<name>.json                   what they were made of, and every file's SHA-256
    <data_dir>/thumbnails/<name>.train.npy   uint8, (samples, 32, 32, 3); and .test.npy
    <data_dir>/.preparing/<name>/            a preparation under way: arrays, and how far they are

A batch is the same pictures in every run. What is written has no times in it.
"""

import importlib.metadata
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from engine.data.dataset import check_samples, hash_of_arrays
from engine.data.images.backbones import Backbone, Loaded
from engine.data.raw_files import hash_of_file
from engine.data.sources.thumbnails import thumbnail_paths
from engine.errors import DataUnavailable, EngineError, InvalidDataset
from engine.progress import OnProgress, Progress, ignore

if TYPE_CHECKING:
    from PIL.Image import Image

WORK, PLAN = ".preparing", "plan.json"
BATCH = 32  # pictures in one pass: its composition may change the last bits, so it never varies
SIDE = 32  # pixels of a thumbnail
SPLITS = ("train", "test")
PACKAGES = ("numpy", "pillow", "torch", "torchvision")  # what a feature's bits may depend on
FilesPlan = dict[str, Any]  # everything that the files' bytes depend on, as JSON keeps it


class RawPictures(Protocol):
    """Pictures by their index, each opened when it is asked for, from several threads."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> "Image": ...


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Labelled pictures, labels 0…K−1. `source` says in plain values where they come from: it is
    kept beside the features, and a preparation that was begun from another one begins anew."""

    class_names: tuple[str, ...]
    train: RawPictures
    y_train: NDArray[np.int64]
    test: RawPictures
    y_test: NDArray[np.int64]
    source: Mapping[str, object] = field(default_factory=dict)

    def split(self, name: str) -> tuple[RawPictures, NDArray[np.int64]]:
        return getattr(self, name), getattr(self, f"y_{name}")


def prepare_features(
    name: str,
    images: ImageSet,
    backbone: Backbone,
    data_dir: Path,
    device: str = "auto",
    progress: OnProgress = ignore,
) -> Path:
    """Make the features file of the images, `<data_dir>/<name>.npz`, which then is a data set.

    `name` must be fit for a file. `progress` hears of the pictures done after every batch,
    and of downloads; it may raise Cancelled, which keeps what is done. A file of
    that name is replaced. Raises InvalidDataset for labels or a picture that cannot be used,
    DataUnavailable for weights that cannot be had or where another process prepares the same.
    """
    data_dir = Path(data_dir)
    for split in SPLITS:
        y = images.split(split)[1]
        check_samples(split, np.zeros((len(y), 1)), y, len(images.class_names))
    with room(name, data_dir), alone(name, data_dir) as folder:
        loaded = backbone.load(data_dir, lambda text: progress(Progress(notice=text)))
        plan = plan_of(name, images, loaded, device)
        done = begin(folder, plan)
        total = sum(len(images.split(split)[1]) for split in SPLITS)
        with computing(device):
            for split in SPLITS:
                for count in extract(images, split, loaded, folder, device, done[split]):
                    done[split] = count
                    write_plan(folder, plan, done)
                    progress(Progress(sum(done.values()), total))
        path = finish(folder, plan, images, data_dir)
        shutil.rmtree(folder)
    return path


@contextmanager
def room(name: str, data_dir: Path) -> Iterator[None]:
    """Raise DataUnavailable, with place and remedy, where the disk refuses in this block."""
    try:
        yield
    except Timeout:  # of a lock: an OSError, too
        raise
    except OSError as error:
        raise DataUnavailable(
            f"'{name}' cannot be prepared in '{data_dir}' ({error.strerror or error}). Make room "
            "there, allow writing, or set IAL_DATA_DIR to another folder."
        ) from error


@contextmanager
def alone(name: str, data_dir: Path) -> Iterator[Path]:
    """Open the folder of a preparation for one process at a time. Raises DataUnavailable."""
    folder = data_dir / WORK / name
    folder.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder.with_name(f"{name}.lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise DataUnavailable(
            f"'{name}' is being prepared by another process. Wait until that has ended."
        ) from None
    with lock:
        yield folder


@contextmanager
def computing(device: str) -> Iterator[None]:
    """Use all cores, and on a GPU the same algorithms in every run."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(os.cpu_count() or 1)  # an earlier job may have left it at one
    try:
        with torch.backends.cudnn.flags(
            enabled=True, benchmark=False, deterministic=True, allow_tf32=False
        ):
            yield
    finally:
        torch.set_num_threads(threads)


def plan_of(name: str, images: ImageSet, loaded: Loaded, device: str) -> FilesPlan:
    """Return everything that the files' bytes depend on."""
    import torch

    from engine.devices import resolve_device

    where = resolve_device(device)
    about = {n: v for n, v in asdict(loaded.backbone).items() if not callable(v)}
    labels = hash_of_arrays((split, images.split(split)[1]) for split in SPLITS)
    return json.loads(
        json.dumps(
            {
                "name": name,
                "source": dict(images.source),
                "class_names": images.class_names,
                "n_train": len(images.y_train),
                "n_test": len(images.y_test),
                "labels_sha256": labels,
                "backbone": {**about, "weights_sha256": loaded.weights_sha256},
                "batch": BATCH,
                "device": torch.cuda.get_device_name(where) if where.type == "cuda" else "CPU",
                "versions": {p: importlib.metadata.version(p) for p in PACKAGES},
            }
        )
    )


def begin(folder: Path, plan: FilesPlan) -> dict[str, int]:
    """Return how many pictures of each split an interrupted run of the same plan has done; where
    there was no such run, make the arrays."""
    try:
        kept = json.loads((folder / PLAN).read_text(encoding="utf-8"))
        if kept["plan"] == plan:
            return kept["done"]
    except (OSError, ValueError, KeyError, TypeError):
        pass  # none, or one that a power cut has emptied: from the beginning
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    check_space(folder, plan)
    for split in SPLITS:
        n = plan[f"n_{split}"]
        make_array(folder / f"{split}.features.npy", (n, plan["backbone"]["n_features"]), "<f2")
        make_array(folder / f"{split}.thumbnails.npy", (n, SIDE, SIDE, 3), "|u1")
    done = dict.fromkeys(SPLITS, 0)
    write_plan(folder, plan, done)
    return done


def check_space(folder: Path, plan: FilesPlan) -> None:
    """Raise OSError unless arrays and finished files have room together: where the disk fills up
    under a mapped array, the process just ends."""
    one = 2 * plan["backbone"]["n_features"] + 3 * SIDE**2
    needed = 2 * one * (plan["n_train"] + plan["n_test"])
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise OSError(f"{needed / 1e6:,.0f} MB are needed, {free / 1e6:,.0f} MB are free")


def make_array(path: Path, shape: tuple[int, ...], dtype: str) -> None:
    """Make a file of zeros that takes no space on the disk yet."""
    np.lib.format.open_memmap(path, mode="w+", dtype=np.dtype(dtype), shape=shape).flush()


def write_plan(folder: Path, plan: FilesPlan, done: Mapping[str, int]) -> None:
    """Write how far the preparation is, in one step, after the rows that it counts are on the
    disk."""
    replace(folder / PLAN, json.dumps({"plan": plan, "done": dict(done)}).encode())


def replace(path: Path, content: bytes) -> None:
    """Write a file so that a reader finds the old one or the new one."""
    making = path.with_name(f".{path.name}.partial")
    with making.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    making.replace(path)


def extract(
    images: ImageSet, split: str, loaded: Loaded, folder: Path, device: str, done: int
) -> Iterator[int]:
    """Compute the features and thumbnails of a split from picture `done` on; yields how many are
    written, after every batch. Raises InvalidDataset."""
    import torch

    from engine.devices import resolve_device

    where = resolve_device(device)
    layout = torch.channels_last  # on a CPU in half the time
    module = loaded.module.to(where).to(memory_format=layout)
    preprocess = loaded.backbone.preprocess()
    pictures = images.split(split)[0]

    def opened(index: int) -> tuple[torch.Tensor, NDArray[np.uint8]]:
        try:
            picture = pictures[index]
            return preprocess(picture), thumbnail(picture)
        except EngineError:  # it knows the picture by its name
            raise
        except (OSError, SyntaxError, ValueError) as error:  # Pillow's words for a damaged file
            raise InvalidDataset(
                f"Picture {index} of {split} cannot be read ({str(error)[:200]}). "
                "Replace or remove it."
            ) from error

    with ThreadPoolExecutor(min(os.cpu_count() or 1, 8)) as pool, torch.inference_mode():
        for start in range(done, len(pictures), BATCH):
            stop = min(start + BATCH, len(pictures))
            batch = list(pool.map(opened, range(start, stop)))
            inputs = torch.stack([x for x, _ in batch]).to(where, memory_format=layout)
            features = module(inputs).cpu().numpy().astype(np.float16)
            if not np.isfinite(features).all():
                row = start + int(np.argwhere(~np.isfinite(features))[0, 0])
                raise InvalidDataset(f"Picture {row} of {split} has features beyond float16.")
            write_rows(folder / f"{split}.features.npy", start, features)
            write_rows(folder / f"{split}.thumbnails.npy", start, np.stack([t for _, t in batch]))
            yield stop


def thumbnail(picture: "Image") -> NDArray[np.uint8]:
    """Return the middle of a picture, (32, 32, 3)."""
    from PIL import Image, ImageOps

    rgb = picture.convert("RGB")
    return np.asarray(ImageOps.fit(rgb, (SIDE, SIDE), Image.Resampling.LANCZOS))


def write_rows(path: Path, start: int, rows: NDArray) -> None:
    """Write rows into the array in a file; they are on the disk when this returns. Nothing stays
    mapped, so that memory does not grow with the file."""
    array = np.load(path, mmap_mode="r+", allow_pickle=False)
    array[start : start + len(rows)] = rows
    array.flush()


def finish(folder: Path, plan: FilesPlan, images: ImageSet, data_dir: Path) -> Path:
    """Put the files in their place; the features last, which make them a data set. Whatever ends
    it, the next run does all of it again."""
    path = data_dir / f"{plan['name']}.npz"
    made = dict(zip(SPLITS, thumbnail_paths(path), strict=True))
    path.parent.mkdir(parents=True, exist_ok=True)
    made["train"].parent.mkdir(exist_ok=True)
    for split, place in made.items():
        copy(folder / f"{split}.thumbnails.npy", place)
    making = folder / path.name
    with making.open("wb") as file:
        np.savez(
            file,
            X_train=np.load(folder / "train.features.npy", mmap_mode="r", allow_pickle=False),
            y_train=images.y_train.astype("<i8"),
            X_test=np.load(folder / "test.features.npy", mmap_mode="r", allow_pickle=False),
            y_test=images.y_test.astype("<i8"),
            class_names=np.array(images.class_names),
        )
        file.flush()
        os.fsync(file.fileno())
    files = {str(p.relative_to(data_dir)): hash_of_file(p) for p in made.values()}
    manifest = {**plan, "files": {path.name: hash_of_file(making), **files}}
    replace(manifest_path(path), json.dumps(manifest, indent=1).encode())
    making.replace(path)
    return path


def copy(source: Path, place: Path) -> None:
    """Copy a file so that the copy appears whole or not at all."""
    making = place.with_name(f".{place.name}.partial")
    with source.open("rb") as old, making.open("wb") as new:
        shutil.copyfileobj(old, new, 2**20)
        new.flush()
        os.fsync(new.fileno())
    making.replace(place)


def manifest_path(features: Path) -> Path:
    """Return where the manifest of a features file lies: it says what the file was made of."""
    return features.with_suffix(".json")
