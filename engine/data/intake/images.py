"""Images of one's own in class folders, in a folder or a zip archive, with train/ and test/ on top
or split here.

    cat/1.png, dog/2.jpg, …               or, under train/ and test/:
    train/cat/1.png, test/dog/2.jpg, …

Once accepted they are kept, unchanged, as <data_dir>/raw/<name>/<split>/<class>/<number>.<ending>,
from where a backbone makes them a data set (`engine.data.images.extraction`).
"""

import hashlib
import io
import json
import os
import shutil
import uuid
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Protocol, TypedDict, cast

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from engine.data.images.extraction import ImageSet, thumbnail
from engine.data.intake.labelled_table import FEWEST, SEED, TEST_SHARE, check_share, in_order, split
from engine.data.intake.names import LOCK, another
from engine.data.intake.preview import LISTED, Preview, Problem, count, count_classes
from engine.data.raw_files import FOLDER
from engine.data.untrusted import limits
from engine.data.untrusted.archives import leads_outside, open_zip
from engine.data.untrusted.limits import MB
from engine.data.untrusted.pictures import SUFFIXES, check_bytes, open_picture
from engine.errors import EngineError, InvalidDataset, shorten
from engine.progress import OnStep, ignore_step

if TYPE_CHECKING:
    from PIL.Image import Image

TRAIN, TEST = "train", "test"
OTHER_SPLITS = ("val", "valid", "validation", "dev")
RUBBISH = ("__MACOSX", "Thumbs.db", "desktop.ini")  # left by systems, never meant
SHOWN = 12  # classes of which the preview shows a picture
ABOUT = "own.json"  # what is kept, beside the images
FEWEST_TEST = 2  # of a class in a test folder: one for each half of the test data
REMEDY = "Pack one folder a class, each with its images: cat/1.png, dog/1.png."


class Files(Protocol):
    """What a folder or an archive holds: bytes by relative name. left_out: what is no file."""

    sizes: dict[str, int]
    left_out: list[Problem]

    def read(self, name: str) -> bytes: ...


class Archive:
    def __init__(self, archive: zipfile.ZipFile) -> None:
        self.archive = archive
        self.sizes = {e.filename: e.file_size for e in archive.infolist() if not e.is_dir()}
        self.left_out: list[Problem] = []

    def read(self, name: str) -> bytes:
        return self.archive.read(name)


class Folder:
    """Links in it are not followed: they may lead anywhere."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.sizes: dict[str, int] = {}
        self.left_out: list[Problem] = []
        for top, folders, files in os.walk(path, onerror=self.closed):
            folders.sort()
            for name in sorted([*files, *(f for f in folders if (Path(top) / f).is_symlink())]):
                found = Path(top) / name
                relative = found.relative_to(path).as_posix()
                if found.is_symlink():
                    self.left_out.append(Problem(relative, "is a symbolic link"))
                elif not found.is_file():
                    self.left_out.append(Problem(relative, "is neither file nor folder"))
                else:
                    self.sizes[relative] = found.stat().st_size
            if len(self.sizes) > limits.ENTRIES:
                raise ValueError(
                    f"it has more than {limits.ENTRIES:,} files, the most that are taken"
                )

    def closed(self, error: OSError) -> None:
        where = Path(error.filename).relative_to(self.path).as_posix()
        self.left_out.append(Problem(where, f"cannot be opened ({error.strerror})"))

    def read(self, name: str) -> bytes:
        with (self.path / name).open("rb") as file:
            return file.read(limits.IMAGE_MB * MB + 1)


@contextmanager
def opened(path: Path) -> Iterator[Files]:
    """Open the files of a folder or an archive. A ValueError in the block is about all of it.
    Raises InvalidDataset."""
    with ExitStack() as stack:
        try:
            files: Files
            if path.is_dir():
                files = Folder(path)
            else:
                files = Archive(stack.enter_context(open_zip(path, limits.UNPACKED_MB)))
        except Exception as error:  # a damaged archive can make zipfile raise anything
            raise unfit_as_a_whole(path, error) from error
        try:
            yield files
        except EngineError:
            raise
        except (ValueError, zipfile.BadZipFile, zlib.error) as error:
            raise unfit_as_a_whole(path, error) from error


def unfit_as_a_whole(path: Path, error: Exception) -> InvalidDataset:
    return InvalidDataset(
        f"'{path.name}' cannot be taken as images in class folders "
        f"({str(error)[:400] or type(error).__name__}). {REMEDY}"
    )


@dataclass(frozen=True)
class ImagePlace:
    """Where an image belongs; split: train or test, '' where that is to be chosen here."""

    name: str
    split: str
    label: str


def arrange(names: list[str]) -> tuple[list[ImagePlace], list[Problem]]:
    """Return class and split of every image, by its path; a file that is no image, or lies in no
    class folder, is a problem. One folder around everything is looked through. Raises
    ValueError."""
    parts = {
        name: PurePosixPath(name).parts
        for name in names
        if not any(p in RUBBISH or p.startswith(".") for p in PurePosixPath(name).parts)
    }
    images = {n: p for n, p in parts.items() if PurePosixPath(n).suffix.lower() in SUFFIXES}
    problems = [
        Problem(n, "is no image (PNG, JPEG, GIF, BMP or WebP)") for n in parts if n not in images
    ]
    while len({p[0] for p in images.values()}) == 1 and all(len(p) > 2 for p in images.values()):
        images = {n: p[1:] for n, p in images.items()}
    tops = {p[0].casefold() for p in images.values() if len(p) > 2}
    if tops & {TRAIN, TEST} and (other := sorted(tops & set(OTHER_SPLITS))):
        raise ValueError(
            f"it has a folder {shorten(other[0])} beside train or test: move what is in it into "
            "one of these two"
        )
    is_split = bool(tops) and tops <= {TRAIN, TEST}
    places = []
    for name, path in sorted(images.items()):
        inside = path[1:] if is_split else path
        if len(inside) < 2:
            problems.append(Problem(name, "lies in no class folder"))
        elif unfit(inside[0]):
            problems.append(Problem(name, "its class folder's name cannot be kept: rename it"))
        else:
            places.append(ImagePlace(name, path[0].casefold() if is_split else "", inside[0]))
    return places, problems


def unfit(label: str) -> bool:
    """Return whether some system allows no folder with this class's name."""
    return (
        len(label.encode("utf-8", "replace")) > limits.TEXT_LENGTH
        or not label.isprintable()
        or leads_outside(label)
    )


def look(
    path: Path, test_share: float = TEST_SHARE, report: OnStep = ignore_step
) -> tuple[Preview, tuple[ImagePlace, ...]]:
    """Decode every image; return what they would become, and where each that is taken belongs.
    Raises InvalidInput, InvalidDataset."""
    check_share(test_share)
    with opened(path) as files:
        places, problems = arrange(list(files.sizes))
        problems = [*files.left_out, *problems]
        readable: list[ImagePlace] = []
        pictures: dict[str, NDArray[np.uint8]] = {}
        for number, place in enumerate(places, 1):
            try:
                picture = read_picture(files, place.name)
            except ValueError as error:
                problems.append(Problem(place.name, str(error)))
            else:
                readable.append(place)
                if place.label not in pictures and len(pictures) < SHOWN:
                    pictures[place.label] = thumbnail(picture)
            report(number, len(places))
        if not places:
            raise ValueError(f"it holds no image in a class folder{first_of(problems)}")
        kept, small = enough(readable)
        names = tuple(sorted({place.label for place in kept}, key=in_order))
        if len(names) < 2:
            raise ValueError(
                f"{count(len(names), 'class folder')} with images enough, and 2 are needed"
                f"{first_of([*small, *problems])}"
            )
        if len(names) > limits.CLASSES:
            raise ValueError(f"it has {len(names):,} classes, and {limits.CLASSES:,} are taken")
    taken = shared_out(kept, names, test_share)
    preview = Preview(
        file=path.name,
        kind="images",
        classes=count_classes(names, labels_of(taken, TRAIN, names), labels_of(taken, TEST, names)),
        n_features=None,
        problems=(*small, *problems)[:LISTED],
        n_problems=len(small) + len(problems),
        dropped=len(files.sizes) + len(files.left_out) - len(taken),
        notes=notes_of(kept),
        pictures=tuple(pictures.items()),
    )
    return preview, taken


def read_picture(files: Files, name: str) -> "Image":
    """Raises ValueError."""
    check_bytes(files.sizes[name])
    try:
        content = files.read(name)
    except (OSError, zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise ValueError(f"it cannot be read: {str(error)[:200]}") from error
    check_bytes(len(content))
    return open_picture(io.BytesIO(content))


def first_of(problems: list[Problem]) -> str:
    return f"; {count(len(problems), 'problem')}, first {problems[0]}" if problems else ""


def enough(places: list[ImagePlace]) -> tuple[list[ImagePlace], list[Problem]]:
    """Without the classes that have too few images for what each split needs, and which these
    are."""
    here = Counter((place.label, place.split) for place in places)
    problems = []
    for label in sorted({place.label for place in places}, key=in_order):
        free, train, test = (here[label, part] for part in ("", TRAIN, TEST))
        if free and free < FEWEST:
            fault = f"has {count(free, 'readable image')}, and {FEWEST} are needed"
        elif not free and not train:
            fault = "has no readable image in train"
        elif not free and 0 < test < FEWEST_TEST:
            found = count(test, "readable image")
            fault = f"has {found} in test, and {FEWEST_TEST} (or none) are needed"
        else:
            continue
        problems.append(Problem(f"class {shorten(label)}", f"{fault}: it is left out"))
    small = {problem.where for problem in problems}
    return [p for p in places if f"class {shorten(p.label)}" not in small], problems


def shared_out(
    places: list[ImagePlace], names: tuple[str, ...], test_share: float
) -> tuple[ImagePlace, ...]:
    """Return the images with their splits; drawn here where the folders do not say."""
    if places[0].split:
        return tuple(places)
    number = {name: i for i, name in enumerate(names)}
    _, test = split(np.array([number[place.label] for place in places]), test_share)
    chosen = set(test.tolist())
    return tuple(
        replace(place, split=TEST if i in chosen else TRAIN) for i, place in enumerate(places)
    )


def labels_of(
    places: tuple[ImagePlace, ...], part: str, names: tuple[str, ...]
) -> NDArray[np.int64]:
    number = {name: i for i, name in enumerate(names)}
    return np.array([number[p.label] for p in places if p.split == part], dtype=np.int64)


def notes_of(found: list[ImagePlace]) -> tuple[str, ...]:
    if found[0].split:
        return ("Split into train and test as the folders say.",)
    return (f"Split into train and test here, stratified (seed {SEED}).",)


def keep(
    path: Path,
    name: str,
    data_dir: Path,
    test_share: float = TEST_SHARE,
    report: OnStep = ignore_step,
) -> None:
    """Keep the images in the data directory; a different data set of that name is never replaced.
    Raises InvalidInput, InvalidDataset."""
    preview, taken = look(path, test_share)
    folder = raw_folder(name, data_dir)
    making = folder.with_name(f".{name}.{uuid.uuid4().hex[:8]}.partial")
    digest = hashlib.sha256()
    try:
        with opened(path) as files:
            for number, image in enumerate(taken):
                content = files.read(image.name)
                ending = PurePosixPath(image.name).suffix.lower()
                file = making / image.split / image.label / f"{number:06d}{ending}"
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(content)
                digest.update(f"{file.relative_to(making)}\0{len(content)}\0".encode())
                digest.update(content)
                report(number + 1, len(taken))
        found = digest.hexdigest()
        names = preview.classes["class"].tolist()
        about = {"digest": found, "file": path.name, "class_names": names}
        (making / ABOUT).write_text(json.dumps(about, indent=1), encoding="utf-8")
        with FileLock(data_dir / LOCK):
            if free_for(name, found, data_dir):
                making.replace(folder)
    finally:
        shutil.rmtree(making, ignore_errors=True)


def free_for(name: str, digest: str, data_dir: Path) -> bool:
    """Return whether the images can be put under this name; False where the same are there. Raises
    InvalidDataset where another data set is."""
    folder = raw_folder(name, data_dir)
    if folder.exists():
        if about_images(name, data_dir).get("digest") == digest:
            return False
    elif not (data_dir / f"{name}.npz").exists():
        return True
    raise InvalidDataset(another(name))


class AboutImages(TypedDict, total=False):
    """What is kept beside images of one's own; without entries where there are none."""

    digest: str
    file: str
    class_names: list[str]


def raw_folder(name: str, data_dir: Path) -> Path:
    return Path(data_dir) / FOLDER / name


def about_images(name: str, data_dir: Path) -> AboutImages:
    """Return what was kept about the images of this name; nothing where there are none."""
    try:
        about = json.loads((raw_folder(name, data_dir) / ABOUT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return AboutImages()
    return cast(AboutImages, about) if isinstance(about, dict) else AboutImages()


class KeptPictures:
    """Pictures in files, opened when they are asked for."""

    def __init__(self, paths: list[Path]) -> None:
        self.paths = paths

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> "Image":
        return open_picture(self.paths[index])


def image_set(name: str, data_dir: Path) -> ImageSet:
    """Return the images that were kept under this name. Raises InvalidDataset where there are
    none."""
    about, folder = about_images(name, data_dir), raw_folder(name, data_dir)
    if not about:
        raise InvalidDataset(
            f"There are no images of your own named '{name}' in '{folder.parent}'. Bring them in "
            "first: python -m engine data add FOLDER."
        )
    names = tuple(about["class_names"])
    found: dict[str, tuple[KeptPictures, NDArray[np.int64]]] = {}
    for part in (TRAIN, TEST):
        paths = [sorted((folder / part / label).glob("*")) for label in names]
        labels = np.repeat(np.arange(len(names)), [len(p) for p in paths])
        found[part] = KeptPictures([p for ps in paths for p in ps]), labels
    source = {"kind": "own images", "digest": about["digest"], "file": about["file"]}
    return ImageSet(names, *found[TRAIN], *found[TEST], source=source)
