"""What of the data sets is on this machine: their files, the disk they take, whether they are as
they were written; and how to remove them."""

import json
import shutil
import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from engine.data import catalogue
from engine.data.images.backbones import BACKBONES, Backbone
from engine.data.images.extraction import PLAN, WORK, alone, manifest_path
from engine.data.images.image_sets import ORIGINALS
from engine.data.intake.images import ABOUT
from engine.data.raw_files import FOLDER, RawFile, hash_of_file
from engine.data.sources import fairness_table
from engine.data.sources.fairness_sets import FILES
from engine.data.sources.features_file import load_features
from engine.data.sources.features_folder import folders, is_folder, load_folder, open_array
from engine.data.sources.thumbnails import FOLDER as THUMBNAILS
from engine.data.sources.thumbnails import PARTS, thumbnail_paths
from engine.data.untrusted.archives import check_array
from engine.errors import InvalidDataset, InvalidInput


@dataclass(frozen=True)
class InventoryEntry:
    """A data set that can be opened, or could be. `about` is None for one of your own, and then
    `kind` says what it is: features, folder (of arrays), table or images. begun: the share done of
    a preparation that runs or was interrupted."""

    name: str
    kind: str
    here: bool
    files: tuple[Path, ...] = ()
    n_bytes: int = 0
    about: catalogue.Description | None = None
    backbone: Backbone | None = None
    begun: float | None = None


@dataclass(frozen=True)
class CheckedFile:
    """What `check` found of one file, by its path within the data directory; fault: '' where it is
    sound, what to do stands in it."""

    file: str
    fault: str = ""


def size_of(paths: Iterable[Path]) -> int:
    """Return the bytes of files and of all files in folders; links count as what they lead to."""
    files = (f for path in paths for f in (path.rglob("*") if path.is_dir() else [path]))
    return sum(f.stat().st_size for f in files if f.is_file())


class MadeOf(TypedDict):
    """What the lab reads of a features file's manifest: its data set, and SHA-256 by file."""

    name: str
    files: dict[str, str]


def read_manifest(name: str, data_dir: Path) -> MadeOf | None:
    """Return what a features file was made of; None where it was not made here, or where that is no
    longer to be read."""
    try:
        found = json.loads(manifest_path(data_dir / f"{name}.npz").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    sound = isinstance(found, dict) and isinstance(found.get("files"), dict)
    return found if sound and found.get("name") == name else None


def samples_of(name: str, data_dir: Path) -> tuple[int, int, int] | None:
    """Return the numbers of training and test samples, and features, as the headers of a features
    file or of a folder's arrays say; None where they cannot be read."""
    found = {}
    try:
        if is_folder(data_dir / name):
            arrays = (open_array(data_dir / name, part) for part in ("X_train", "X_test"))
            (n_train, n_features), (n_test, _) = (array.shape for array in arrays)
            return n_train, n_test, n_features
        with zipfile.ZipFile(data_dir / f"{name}.npz") as archive:
            for part in ("X_train", "X_test"):
                entry = archive.getinfo(f"{part}.npy")
                with archive.open(entry) as member:
                    found[part] = check_array(part, member, entry.file_size)
        (n_train, n_features), (n_test, _) = found["X_train"], found["X_test"]
    except (OSError, ValueError, KeyError, zipfile.BadZipFile, NotImplementedError, RuntimeError):
        return None  # `check` says what is wrong with it
    return n_train, n_test, n_features


def is_prepared(name: str, data_dir: Path) -> bool:
    """Return whether a features file of the registry is here, made by `prepare`."""
    return (data_dir / f"{name}.npz").is_file() and read_manifest(name, data_dir) is not None


def files_of(
    name: str, data_dir: Path, tables: Mapping[str, Path] | None = None
) -> tuple[Path, ...]:
    """Return the files of a data set on this machine, or its folder; its originals left out.
    tables: your own, where they have been looked for."""
    if name in FILES:
        return tuple(p for p in map(data_dir.joinpath, raw_names(name)) if p.is_file())
    tables = own_tables(data_dir) if tables is None else tables
    if name in tables:
        return (tables[name],)
    features = data_dir / f"{name}.npz"
    known = [features, manifest_path(features), *thumbnail_paths(features)]
    arrays = [data_dir / name] if is_folder(data_dir / name) else []
    return (*(path for path in known if path.is_file()), *arrays)


def raw_names(name: str) -> tuple[str, ...]:
    return tuple(f"{FOLDER}/{file.name}" for file in FILES[name])


def originals_of(name: str, data_dir: Path) -> tuple[Path, ...]:
    """Return what features were made from and could be made from again: archives and pictures."""
    if name in FILES or (name in catalogue.SETS and name not in catalogue.IMAGES):
        return ()
    raw = data_dir / FOLDER
    base = catalogue.FEATURES[name][0].name if name in catalogue.FEATURES else name
    kept = ORIGINALS[base].kept if base in ORIGINALS else (base,)
    return tuple(raw / place for place in kept if (raw / place).exists())


def begun(name: str, data_dir: Path) -> float | None:
    """Return the share of a data set's pictures that are done; None where no preparation was
    begun."""
    try:
        found = json.loads((data_dir / WORK / name / PLAN).read_text(encoding="utf-8"))
        total = found["plan"]["n_train"] + found["plan"]["n_test"]
        return sum(found["done"].values()) / total
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def entries(data_dir: Path) -> list[InventoryEntry]:
    """Return every data set of the registry, image sets once for each backbone, then your own."""
    data_dir = Path(data_dir)
    tables, found = own_tables(data_dir), []
    for about in catalogue.SETS.values():
        if about.kind == "images":
            for backbone in BACKBONES.values():
                name = catalogue.features_name(about.name, backbone.name)
                found.append(entry(name, data_dir, tables, about, backbone))
        else:
            found.append(entry(about.name, data_dir, tables, about))
    return found + [entry(name, data_dir, tables) for name in own_names(data_dir)]


def own_names(data_dir: Path) -> list[str]:
    """Return the names of your own data sets: features files, folders of arrays and tables that are
    not of the registry, and images that were taken in."""
    images = own_images(data_dir)
    arrays = [path.name for path in folders(data_dir)]
    found = [*own_features(data_dir), *arrays, *own_tables(data_dir), *images]
    return list(dict.fromkeys(found))


def own_features(data_dir: Path) -> list[str]:
    """Return the features files that are not of the registry, by their names."""
    features = [p.stem for p in sorted(data_dir.glob("*.npz")) if p.is_file()]
    return [n for n in features if n not in catalogue.FEATURES or not is_prepared(n, data_dir)]


def own_images(data_dir: Path) -> list[str]:
    """Return the images that were taken in, by their names."""
    return sorted(p.parent.name for p in (data_dir / FOLDER).glob(f"*/{ABOUT}"))


def own_tables(data_dir: Path) -> dict[str, Path]:
    """Return the tables by their names. Where another data set has that name, a table is called by
    its file, 't.csv': so that what is asked of one is not done to both."""
    arrays = [path.name for path in folders(data_dir)]
    others = {*own_features(data_dir), *arrays, *own_images(data_dir)}
    others |= {*catalogue.SETS, *catalogue.FEATURES}
    tables = fairness_table.by_name(data_dir)
    return {path.name if name in others else name: path for name, path in tables.items()}


def entry(
    name: str,
    data_dir: Path,
    tables: Mapping[str, Path],
    about: catalogue.Description | None = None,
    backbone: Backbone | None = None,
) -> InventoryEntry:
    files = files_of(name, data_dir, tables)
    if about is None:
        features = (data_dir / f"{name}.npz").is_file()
        if (data_dir / FOLDER / name / ABOUT).is_file():
            share = None if features else begun(name, data_dir)
            return InventoryEntry(name, "images", features, files, size_of(files), begun=share)
        arrays = "folder" if is_folder(data_dir / name) else "table"
        return InventoryEntry(name, "features" if features else arrays, True, files, size_of(files))
    if about.kind == "bundled":
        return InventoryEntry(name, about.kind, True, about=about)
    if about.kind == "fairness":
        here = len(files) == len(FILES[name])
        return InventoryEntry(name, about.kind, here, files, size_of(files), about)
    here = is_prepared(name, data_dir)
    files = files if here else ()
    share = None if here else begun(name, data_dir)
    return InventoryEntry(name, about.kind, here, files, size_of(files), about, backbone, share)


def remove(name: str, data_dir: Path, originals: bool = False) -> int:
    """Delete a data set's files (of your own: the only copy that the lab has), an interrupted
    preparation of it, and with `originals` what it was made from. Returns the bytes that were
    freed. Raises InvalidInput for a name that is not there, DataUnavailable while it is prepared.
    """
    data_dir = Path(data_dir)
    known = {e.name: e for e in entries(data_dir)}
    if name not in known:
        raise InvalidInput("data set", name, "one of " + ", ".join(f"'{n}'" for n in known))
    if known[name].kind == "bundled":
        raise InvalidInput("data set", name, "one that can be removed: this one comes with the lab")
    with alone(name, data_dir) as work:
        gone = [*files_of(name, data_dir), work]
        gone += originals_of(name, data_dir) if originals else ()
        gone = [path for path in gone if path.exists()]
        if not gone:
            raise InvalidInput("data set", name, "one that is on this machine")
        freed = size_of(gone)
        for path in gone:  # the features first: without them there is no data set
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
    return freed


def check(data_dir: Path) -> list[CheckedFile]:
    """Look at every file in the data directory that the lab reads: those with a known SHA-256 are
    compared with it, your own are opened."""
    data_dir = Path(data_dir)
    found: list[CheckedFile] = []
    for path in sorted(data_dir.glob("*.npz")):
        found += check_features(path.stem, data_dir)
    for path in folders(data_dir):
        found += check_opens(path, load_folder)
    for name in fairness_table.names(data_dir):
        found += check_table(name, data_dir)
    for file in (file for files in FILES.values() for file in files):
        found += check_raw(file, data_dir)
    for backbone in BACKBONES.values():
        found += check_weights(backbone, data_dir)
    return found + check_lone_thumbnails(data_dir) + check_unfinished(data_dir)


def check_features(name: str, data_dir: Path) -> list[CheckedFile]:
    file, manifest = f"{name}.npz", read_manifest(name, data_dir)
    if manifest is None:
        return check_opens(data_dir / file, load_features)
    again = f"Remove '{name}' and prepare it again."
    found = []
    for part, expected in manifest["files"].items():
        path = data_dir / part
        if not path.is_file():
            found.append(CheckedFile(part, f"Missing. {again}"))
        elif hash_of_file(path) != expected:
            found.append(CheckedFile(part, f"Not the file that was written (SHA-256). {again}"))
        else:
            found.append(CheckedFile(part))
    return found


def check_table(name: str, data_dir: Path) -> list[CheckedFile]:
    path = fairness_table.find(name, data_dir)
    return [] if path is None else check_opens(path, fairness_table.read)


def check_opens(path: Path, load: Callable[[Path], object]) -> list[CheckedFile]:
    try:
        load(path)
    except InvalidDataset as error:
        return [CheckedFile(path.name, str(error))]
    return [CheckedFile(path.name)]


def check_raw(file: RawFile, data_dir: Path) -> list[CheckedFile]:
    path = data_dir / FOLDER / file.name
    if not path.is_file():
        return []
    sound = hash_of_file(path) == file.sha256
    fault = "Not the original (SHA-256). It is fetched again when it is needed."
    return [CheckedFile(f"{FOLDER}/{file.name}", "" if sound else fault)]


def check_weights(backbone: Backbone, data_dir: Path) -> list[CheckedFile]:
    path = data_dir / FOLDER / backbone.weights
    if not path.is_file():
        return []
    sound = hash_of_file(path).startswith(backbone.digits)
    fault = f"Not the weights of {backbone.title} (SHA-256). Delete the file."
    return [CheckedFile(f"{FOLDER}/{backbone.weights}", "" if sound else fault)]


def check_lone_thumbnails(data_dir: Path) -> list[CheckedFile]:
    """Find thumbnails without their features."""
    found = []
    for path in sorted((data_dir / THUMBNAILS).glob("*.npy")):
        name, _, part = path.stem.rpartition(".")
        if part not in PARTS or not (data_dir / f"{name}.npz").is_file():
            fault = "There is no features file to these thumbnails. Delete them."
            found.append(CheckedFile(f"{THUMBNAILS}/{path.name}", fault))
    return found


def check_unfinished(data_dir: Path) -> list[CheckedFile]:
    found = []
    for path in sorted((data_dir / WORK).glob("*/")):
        share = begun(path.name, data_dir)
        done = "" if share is None else f", {share:.0%} done"
        fault = f"A preparation under way or interrupted{done}. Prepare or remove '{path.name}'."
        found.append(CheckedFile(f"{WORK}/{path.name}", fault))
    return found
