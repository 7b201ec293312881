"""Prepare a data set of the registry: fetch its files, and compute an image set's features."""

from dataclasses import dataclass, replace
from pathlib import Path

from engine.data import catalogue, inventory
from engine.data.images.backbones import DEFAULT, backbone_named
from engine.data.images.extraction import prepare_features
from engine.data.images.image_sets import open_images
from engine.data.intake.images import image_set
from engine.data.raw_files import fetch
from engine.data.sources.fairness_sets import FILES
from engine.errors import InvalidInput
from engine.progress import OnProgress, Progress, ignore


@dataclass(frozen=True)
class Prepared:
    """A data set that is on this machine: the name to open it by, its files within the data
    directory, and the bytes that they take."""

    name: str
    files: tuple[str, ...]
    n_bytes: int


def check_backbone(name: str, backbone: str) -> str:
    """Check the backbone's name and return it: '' for a data set of the registry that needs none.
    Raises
    InvalidInput."""
    if name not in catalogue.SETS or catalogue.SETS[name].kind == "images":
        return backbone_named(backbone or DEFAULT).name
    if backbone:
        raise InvalidInput("backbone", backbone, f"left out: '{name}' is no image set")
    return ""


def prepare_set(
    name: str,
    backbone: str,
    data_dir: Path,
    device: str = "auto",
    progress: OnProgress = ignore,
) -> Prepared:
    """Have a data set of the registry on this machine, or the features of images of your own that
    were taken in; where that is so already, nothing is done.

    `progress` hears of files or pictures done and of downloads, and may raise Cancelled: what is
    done is kept. Raises InvalidInput, InvalidDataset, DataUnavailable.
    """
    backbone = check_backbone(name, backbone)
    own = [e.name for e in inventory.entries(data_dir) if e.about is None and e.kind == "images"]
    kind = "own" if name in own else catalogue.description(name).kind

    def say(text: str) -> None:
        progress(Progress(notice=text))

    opened_by = catalogue.features_name(name, backbone) if kind == "images" else name
    if kind == "fairness":
        for count, file in enumerate(FILES[name]):
            progress(Progress(count, len(FILES[name])))
            fetch(file, data_dir, say)
    elif kind != "bundled" and not inventory.is_prepared(opened_by, data_dir):
        check_free(opened_by, data_dir)
        if kind == "own":
            images = image_set(name, data_dir)
        else:
            about = catalogue.SETS[name]
            source = {"data_set": name, "split": about.split, "url": about.url}
            images = replace(open_images(about, data_dir, say), source=source)
        prepare_features(opened_by, images, backbone_named(backbone), data_dir, device, progress)
    files = inventory.files_of(opened_by, data_dir)
    return Prepared(
        opened_by,
        tuple(str(f.relative_to(data_dir)) for f in files),
        inventory.size_of(files),
    )


def check_free(name: str, data_dir: Path) -> None:
    """Raises InvalidInput where a features file that was not made here has that name."""
    path = data_dir / f"{name}.npz"
    if path.exists():
        free = f"a free name, but '{path.name}' in the data directory was not made here: rename it"
        raise InvalidInput("data set", name, free)
