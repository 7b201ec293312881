"""Data of one's own, from a file or folder to a data set: a features file, a table with a label
column, or images in class folders. First what it would become, then, if that is wanted, it is
taken in; a different data set of the same name is never replaced."""

import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from engine.data import catalogue
from engine.data.images.backbones import backbone_named
from engine.data.intake import features, images, labelled_table
from engine.data.intake.labelled_table import TEST_SHARE
from engine.data.intake.names import another, check_name, place, safe_name
from engine.data.intake.preview import FileKind, Preview
from engine.data.raw_files import FOLDER
from engine.data.sources.thumbnails import FOLDER as THUMBNAILS
from engine.data.tables import packed
from engine.data.tables.options import TableOptions
from engine.data.tables.read import FORMATS, SUFFIXES, is_table, suffix_of
from engine.errors import DataUnavailable, InvalidDataset
from engine.progress import OnProgress, OnStep, Progress, ignore, ignore_step

FEATURES, ARCHIVE = ".npz", ".zip"
BACKBONE = "efficientnet_lite2"  # its weights come with a package: nothing to download
UPLOADED = (FEATURES, *SUFFIXES, *packed.PACKINGS)
KINDS = f"a features file (.npz), a table ({FORMATS}), or images in class folders (.zip, folder)"


def kind_of(path: Path) -> FileKind:
    """Raises InvalidDataset."""
    suffix = path.suffix.lower()
    if path.is_dir():
        return "images"
    if not path.is_file():
        raise InvalidDataset(f"There is no file or folder at '{path}'. Check the path.")
    if suffix == FEATURES:
        return "features"
    if is_table(path):
        return "table"
    if suffix == ARCHIVE:
        return "images"
    raise InvalidDataset(
        f"'{path.name}' ends in '{path.suffix}'; {KINDS} can be taken. Save it as one of these."
    )


def name_for(file_name: str, name: str | None = None) -> str:
    """Return the name of the data set: the one that was chosen, or one made of the file's. Raises
    InvalidInput, InvalidDataset."""
    return safe_name(file_name, catalogue.NAMES) if not name else check_name(name, catalogue.NAMES)


def preview(
    path: Path,
    label: str | None = None,
    test_share: float = TEST_SHARE,
    report: OnStep = ignore_step,
    options: TableOptions | None = None,
) -> Preview:
    """Return what the file would become; nothing is written. `label` and `options` are of a table,
    `test_share` of a table and of images without train/ and test/. Raises InvalidInput,
    InvalidDataset."""
    kind = kind_of(path)
    if kind == "images":
        return images.look(path, test_share, report)[0]
    return candidate(path, kind, label, test_share, options).preview


def candidate(
    path: Path,
    kind: FileKind,
    label: str | None,
    test_share: float,
    options: TableOptions | None,
) -> features.Candidate:
    if kind == "features":
        return features.look(path)
    return labelled_table.look(path, label, test_share, options)


def accept(
    path: Path,
    name: str,
    data_dir: Path,
    label: str | None = None,
    test_share: float = TEST_SHARE,
    report: OnStep = ignore_step,
    options: TableOptions | None = None,
) -> FileKind:
    """Take a file in: features and tables become the data set `name` at once, images are kept until
    a backbone has made theirs. All is checked again. Raises InvalidInput, InvalidDataset,
    DataUnavailable."""
    data_dir, kind = Path(data_dir), kind_of(path)
    check_name(name, catalogue.NAMES)
    with keeping(data_dir):
        if kind == "images":
            images.keep(path, name, data_dir, test_share, report)
            return kind
        if images.about_images(name, data_dir):
            raise InvalidDataset(another(name))
        found = candidate(path, kind, label, test_share, options)
        making = data_dir / f".{name}.{uuid.uuid4().hex[:8]}.partial"
        try:
            if found.unchanged:
                shutil.copyfile(path, making)
            else:
                with making.open("wb") as file:
                    np.savez(file, allow_pickle=False, **found.arrays)
            place(making, data_dir / f"{name}{FEATURES}")
        finally:
            making.unlink(missing_ok=True)
    return kind


@contextmanager
def keeping(data_dir: Path) -> Iterator[None]:
    """Write to the data directory in this block. Raises DataUnavailable where the disk refuses."""
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise DataUnavailable(
            f"Nothing can be kept in '{data_dir}' ({error.strerror or error}). Make room there, "
            "allow writing, or set IAL_DATA_DIR to another folder."
        ) from error


def add(
    path: Path,
    data_dir: Path,
    name: str | None = None,
    label: str | None = None,
    test_share: float = TEST_SHARE,
    backbone: str = BACKBONE,
    device: str = "auto",
    progress: OnProgress = ignore,
    options: TableOptions | None = None,
) -> str:
    """Take a file in and make it a data set, images by a backbone; returns its name. Raises
    InvalidInput, InvalidDataset, DataUnavailable."""
    from engine.data.prepare import prepare_set

    chosen, backbone = name_for(path.name, name), backbone_named(backbone).name

    def report(done: int, total: int) -> None:
        progress(Progress(done, total))

    if accept(path, chosen, data_dir, label, test_share, report, options) == "images":
        prepare_set(chosen, backbone, data_dir, device, progress)
    return chosen


def offered(data_dir: Path) -> list[str]:
    """Return what lies in the data directory and could be taken in: tables, archives and folders. A
    link there was put by whoever runs this machine, and is followed; one that is uploaded never
    is."""
    if not Path(data_dir).is_dir():
        return []
    return sorted(
        path.name
        for path in Path(data_dir).iterdir()
        if not path.name.startswith(".")
        and (
            bool(suffix_of(path.name)) or path.suffix.lower() == ARCHIVE
            if path.is_file()
            else path.is_dir() and path.name not in (FOLDER, THUMBNAILS)
        )
    )
