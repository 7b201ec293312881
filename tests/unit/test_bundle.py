"""Bundles: what one lab exports another shows unchanged, and nothing hostile is taken in."""

import dataclasses
import io
import json
import random
import shutil
import stat
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engine.attacks.result import AttackResult
from engine.data.load import load_dataset
from engine.errors import InvalidBundle, InvalidInput
from engine.experiments import make_request
from engine.models.linear import LinearModel
from engine.results import bundle
from engine.results.bundle import BUNDLE_MB, INDEX, import_bundle, write_bundle
from engine.results.library import Entry, open_library, select
from engine.results.manifest import MANIFEST, checksum, key, key_of
from engine.results.store import Store
from engine.results.trial import is_harmless
from engine.settings import PUBLISHED
from pages.common.figures import ranking
from pages.common.samples import Samples
from pages.fairness.parts import fairness_figures
from tests.support.stores import HASH, REQUEST, put, result, same

KEY = key("attack", REQUEST, HASH)
NAME = f"attack/{KEY}"
Files = dict[str, bytes]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Empty, with room for imported results."""
    here = tmp_path / "here"
    return Store(here / "results", here / "published", here / "imported")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """A sound bundle of one attack, as its entries."""
    there = tmp_path_factory.mktemp("there")
    theirs = Store(there / "results", there / "published")
    put(theirs)
    with zipfile.ZipFile(packed(open_library(theirs).entries, there)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(entries: Any, folder: Path) -> Path:
    path = folder / "bundle.zip"
    with path.open("wb") as file:
        write_bundle(entries, file)
    return path


def written(path: Path, files: Files) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def nothing_in(store: Store) -> bool:
    return not any(path.is_file() for path in store.local.parent.rglob("*"))


# What comes out is what went in.


def published(name: str) -> list[Entry]:
    lab = Store(Path("nowhere"), PUBLISHED)
    return select(open_library(lab).entries, experiment=name)


def known(attack: AttackResult) -> AttackResult:
    """Without what is not known of a malicious model: NaN is not equal to itself."""
    assert isinstance(attack.model, LinearModel)
    return dataclasses.replace(attack, model=dataclasses.replace(attack.model, gradient_norm=0.0))


def test_a_bundle_opens_in_an_empty_lab_with_the_same_figures(tmp_path, store):
    attack = next(e for e in published("attack") if e.manifest.request["targets"] == [16])
    fairness = next(e for e in published("fairness") if e.manifest.request["dataset"] == "compas")
    report = import_bundle(packed([attack, fairness], tmp_path), store, "from Ann.zip")
    assert (set(report.taken), report.already, report.refused) == (
        {f"attack/{attack.key}", f"fairness/{fairness.key}"}, (), {},
    )  # fmt: skip
    here = Store(PUBLISHED.with_name("none"), PUBLISHED)
    digits = load_dataset("digits")
    request = make_request("attack", attack.manifest.request)
    ours = here.find("attack", request, digits.content_hash)
    theirs = store.find("attack", request, digits.content_hash)
    assert ours is not None and theirs is not None and theirs.imported is not None
    assert theirs.imported.source == "from-Ann.zip"
    assert theirs.manifest == ours.manifest
    assert same(known(theirs.result), known(ours.result))
    samples = Samples(digits)
    drawn = [ranking.ranking(one.result.after, samples, 16, 1) for one in (ours, theirs)]
    assert drawn[0].to_json() == drawn[1].to_json()
    # and one whose data is not on this machine
    request = make_request("fairness", fairness.manifest.request)
    ours, theirs = (s.find_without_data("fairness", request) for s in (here, store))
    assert ours is not None and ours.published
    assert theirs is not None and theirs.imported is not None
    drawn = [fairness_figures.gap_by_scale(one.result) for one in (ours, theirs)]
    assert drawn[0].to_json() == drawn[1].to_json()


def test_all_that_is_published_can_be_exported_and_taken_in(tmp_path, store):
    entries = open_library(Store(tmp_path, PUBLISHED)).entries
    report = import_bundle(packed(entries, tmp_path), store)
    assert report.refused == {}
    assert len(report.taken) == len(entries) >= 40
    mine = open_library(store).entries
    assert {(e.key, e.manifest.created) for e in mine} == {
        (e.key, e.manifest.created) for e in entries
    }


def test_equal_results_make_equal_bundles(tmp_path):
    entries = published("sweep")
    first = packed(entries, tmp_path).read_bytes()
    assert packed([*reversed(entries), *entries], tmp_path).read_bytes() == first
    with zipfile.ZipFile(io.BytesIO(first)) as archive:
        assert archive.namelist() == sorted(archive.namelist(), key=lambda n: (n != INDEX, n))
        assert {e.date_time for e in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


@pytest.fixture
def trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is tried in another process, which takes seconds to start."""
    monkeypatch.setattr(bundle, "try_opening", lambda folders: {})


def test_a_result_is_taken_once_and_another_of_its_request_is_not(tmp_path, store, files, trusted):
    path = written(tmp_path / "b.zip", files)
    assert import_bundle(path, store).taken == (NAME,)
    assert import_bundle(path, store).already == (NAME,)
    other = remade(files, lambda folder, values: values.update(created="2030-01-01T00:00:00+00:00"))
    report = import_bundle(written(tmp_path / "c.zip", other), store)
    assert "imported before. Remove that one" in report.refused[NAME]


def test_beside_a_result_of_ones_own_it_is_kept_too(tmp_path, store, files, trusted):
    put(store, result(5))
    assert import_bundle(written(tmp_path / "b.zip", files), store).taken == (NAME,)
    assert [e.origin for e in open_library(store).entries].count("imported") == 1
    assert same(store.find("attack", REQUEST, HASH).result, result(5))


def test_nothing_damaged_old_or_empty_is_exported(tmp_path, store):
    folder = put(store)
    (entry,) = open_library(store).entries
    with pytest.raises(InvalidBundle, match="Choose at least one"):
        packed([], tmp_path)
    old = dataclasses.replace(entry.manifest, result_version=1)
    with pytest.raises(InvalidBundle, match="another version of the lab"):
        packed([dataclasses.replace(entry, manifest=old)], tmp_path)
    with pytest.raises(InvalidBundle, match="export fewer"):
        packed([dataclasses.replace(entry, size=BUNDLE_MB * 2**20 + 1)], tmp_path)
    (folder / "scalars.json").write_text("{}")
    with pytest.raises(Exception, match=r"scalars\.json is not the one that was written"):
        packed([entry], tmp_path)


# Archives that are refused as a whole.


def renamed(old: str, new: str) -> Callable[[Files], Files]:
    return lambda files: {(new if n == old else n): content for n, content in files.items()}


def indexed(**values: Any) -> Callable[[Files], Files]:
    def change(files: Files) -> Files:
        return {**files, INDEX: json.dumps({**json.loads(files[INDEX]), **values}).encode()}

    return change


def without(name: str) -> Callable[[Files], Files]:
    return lambda files: {n: content for n, content in files.items() if n != name}


def more(name: str, content: bytes = b"x") -> Callable[[Files], Files]:
    return lambda files: {**files, name: content}


ENTRIES: dict[str, tuple[Callable[[Files], Files], str]] = {
    "zip slip": (more("../../evil.json"), "would lie outside the folder"),
    "zip slip within a name": (more(f"{NAME}/../../evil.json"), "would lie outside the folder"),
    "absolute path": (more("/etc/evil.json"), "would lie outside the folder"),
    "windows path": (more("C:\\evil.json"), "would lie outside the folder"),
    "no bundle": (without(INDEX), "has no index.json"),
    "index is no JSON": (more(INDEX, b"{"), "index.json is no JSON"),
    "index is a deep JSON": (more(INDEX, b"[" * 100_000), "index.json is no JSON"),
    "index of something else": (indexed(format="other"), "does not describe a bundle of this lab"),
    "index of another version": (indexed(result_version=1), "results of version 1, here"),
    "index lists nothing": (indexed(results=[]), "lists no results"),
    "index lists numbers": (indexed(results=[1]), "lists no results"),
    "index lists another": (indexed(results=[NAME, f"attack/{'0' * 24}"]), "the same results"),
    "index lists fewer": (more(f"attack/{'0' * 24}/a.json"), "the same results"),
    "index is huge": (more(INDEX, b" " * (5 * 2**20)), "5.0 MB, and 4 MB are taken"),
    "a file beside the results": (more("readme.json"), "is no file of a result"),
    "a program": (more(f"{NAME}/run.py"), "is no file of a result"),
    "a folder": (more(f"{NAME}/"), "is no file of a result"),
    "a file below": (more(f"{NAME}/deep/a.json"), "is no file of a result"),
    "a hidden file": (more(f"{NAME}/.a.json"), "is no file of a result"),
    "a key in capitals": (more(f"attack/{'A' * 24}/a.json"), "is no file of a result"),
    "a huge manifest": (more(f"{NAME}/{MANIFEST}", b" " * (5 * 2**20)), "and 4 MB are taken"),
    "nothing but an index": (lambda files: {INDEX: files[INDEX]}, "the same results"),
}


@pytest.mark.parametrize("what", ENTRIES)
def test_a_bundle_of_other_entries_is_refused(what, tmp_path, store, files):
    change, words = ENTRIES[what]
    refuse(written(tmp_path / "b.zip", change(files)), store, words)


def refuse(path: Path, store: Store, words: str) -> None:
    with pytest.raises(InvalidBundle) as caught:
        import_bundle(path, store)
    said = str(caught.value)
    assert words in said
    assert said.startswith(f"'{path.name}' cannot be taken in: ")
    assert said.endswith(bundle.AGAIN)
    assert nothing_in(store)


def archive_of(files: Files) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, one in files.items():
            archive.writestr(name, one)
    return content.getvalue()


def with_symlink(files: Files) -> bytes:
    content = io.BytesIO(archive_of(files))
    with zipfile.ZipFile(content, "a") as archive:
        link = zipfile.ZipInfo(f"{NAME}/link.json")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    return content.getvalue()


def with_duplicate(files: Files) -> bytes:
    content = io.BytesIO(archive_of(files))
    with zipfile.ZipFile(content, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr(f"{NAME}/scalars.json", b"{}")
    return content.getvalue()


def bomb(files: Files) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, one in files.items():
            archive.writestr(name, one)
        archive.writestr(f"{NAME}/zeros.json", bytes(80 * 2**20))
    return content.getvalue()


def encrypted(files: Files) -> bytes:
    """Every entry's flags say that it is."""
    content = archive_of(files)
    begins = b"PK\x01\x02\x14\x03\x14\x00"
    return content.replace(begins + b"\x00\x00", begins + b"\x01\x00")


def claiming_more(files: Files) -> bytes:
    """Its last entry claims four gigabytes."""
    content = bytearray(archive_of(files))
    at = content.rindex(b"PK\x01\x02") + 24
    content[at : at + 4] = struct.pack("<I", 2**32 - 2)
    return bytes(content)


def flipped(files: Files) -> bytes:
    """One bit of the last entry's content, behind the archive's own checksum."""
    content, last = bytearray(archive_of(files)), list(files.values())[-1]
    content[content.rindex(last) + len(last) // 2] ^= 1
    return bytes(content)


ARCHIVES: dict[str, tuple[Callable[[Files], bytes], str]] = {
    "nothing": (lambda files: b"", "is empty: 0 bytes"),
    "wrong magic": (lambda files: b"\x89PNG\r\n" * 50, "is no zip archive, it begins with"),
    "truncated": (lambda files: archive_of(files)[:-300], "or it was cut off"),
    "cut in front": (lambda files: archive_of(files)[400:], "cannot be taken in"),
    "symbolic link": (with_symlink, "is a symbolic link"),
    "a name twice": (with_duplicate, "2 of its entries have the name"),
    "a bomb": (bomb, "times its own size"),
    "encrypted": (encrypted, "is encrypted"),
    "claims four gigabytes": (claiming_more, "unpacks to 4.0 GB, and 1,024 MB are taken"),
    "a flipped bit": (flipped, "Bad CRC-32"),
}


@pytest.mark.parametrize("what", ARCHIVES)
def test_a_hostile_archive_is_refused(what, tmp_path, store, files):
    make, words = ARCHIVES[what]
    path = tmp_path / "b.zip"
    path.write_bytes(make(files))
    refuse(path, store, words)


# Results that are refused, each for itself, before any of them is opened.


Change = Callable[[Path, dict[str, Any]], None]  # of a result's folder and manifest


def remade(files: Files, change: Change, rekey: bool = True) -> Files:
    """The bundle after a change of its result's folder and manifest, checksums made right again,
    and the key too, as whoever wants to deceive would do."""
    with_folder = Path(bundle.tempfile.mkdtemp())
    try:
        for name, content in files.items():
            if name != INDEX:
                (with_folder / name.split("/")[-1]).write_bytes(content)
        values = json.loads((with_folder / MANIFEST).read_text())
        (with_folder / MANIFEST).unlink()
        change(with_folder, values)
        for path in with_folder.iterdir():
            if path.name in values["files"]:
                values["files"][path.name] = checksum(path)
        asked = [values[n] for n in ("experiment", "request", "data_hash", "result_version")]
        name = f"attack/{key_of(*asked)}" if rekey else NAME
        (with_folder / MANIFEST).write_text(json.dumps(values))
        made = {f"{name}/{path.name}": path.read_bytes() for path in with_folder.iterdir()}
        index = {**json.loads(files[INDEX]), "results": [name]}
        return {INDEX: json.dumps(index).encode(), **made}
    finally:
        shutil.rmtree(with_folder)


def manifest(**changes: Any) -> Change:
    return lambda folder, values: values.update(changes)


def asked(**changes: Any) -> Change:
    return lambda folder, values: values["request"].update(changes)


def arrays(**changes: Any) -> Change:
    def change(folder: Path, values: dict[str, Any]) -> None:
        with np.load(folder / "arrays.npz") as there:
            held = {name: there[name] for name in there.files}
        np.savez_compressed(folder / "arrays.npz", **(held | changes))

    return change


def huge_shape(folder: Path, values: dict[str, Any]) -> None:
    """An array whose header claims 10¹² numbers, and nothing behind it."""
    header = io.BytesIO()
    shape = {"descr": "<f8", "fortran_order": False, "shape": (10**6, 10**6)}
    np.lib.format.write_array_header_1_0(header, shape)
    with zipfile.ZipFile(folder / "arrays.npz", "w") as archive:
        archive.writestr("huge.npy", header.getvalue())


def no_npz(folder: Path, values: dict[str, Any]) -> None:
    (folder / "arrays.npz").write_bytes(b"\x80\x04K\x01.")


def wrong_checksum(folder: Path, values: dict[str, Any]) -> None:
    values["files"]["scalars.json"] = "0" * 64
    (folder / "scalars.json").rename(folder / "other.json")


def extra_file(folder: Path, values: dict[str, Any]) -> None:
    (folder / "extra.json").write_text("{}")


def missing_file(folder: Path, values: dict[str, Any]) -> None:
    (folder / "runs.parquet").unlink()


OBJECTS = np.array([{"a": 1}], dtype=object)
RESULTS: dict[str, tuple[Change, str]] = {
    "other version": (manifest(result_version=1), "results of version 1, here"),
    "unknown field": (manifest(note="hello"), "manifest.json does not hold"),
    "wrong kind": (manifest(seconds="long"), "holds no usable 'seconds'"),
    "endless": (manifest(seconds=float("inf")), "holds no usable 'seconds'"),
    "no date": (manifest(created="yesterday"), "holds no usable 'created'"),
    "a link as device": (manifest(device="![x](http://evil.example/x)"), "no usable 'device'"),
    "markup as device": (manifest(device="<img src=//evil.example>"), "no usable 'device'"),
    "no hash": (manifest(data_hash="../../x"), "holds no usable 'data_hash'"),
    "no files": (manifest(files={}), "holds no usable 'files'"),
    "a link in the versions": (manifest(versions={"a": "[b]: //c"}), "no usable 'versions'"),
    "a link as the lab's version": (manifest(lab_version="[b]: //c"), "no usable 'lab_version'"),
    "no revision": (manifest(source_revision="main"), "holds no usable 'source_revision'"),
    "another seed": (manifest(seed=7), "is not written as this lab writes it"),
    "another experiment": (manifest(experiment="sweep"), "lies under attack, but is 'sweep'"),
    "no such request": (asked(radius=-1), "radius must be a finite number > 0. Got -1"),
    "unknown request field": (asked(power=9000), "field of 'attack' must be one of"),
    "a request of odd types": (asked(targets={"a": []}), "Nobody can ask for its request here"),
    "a link as data set": (asked(dataset="[a](b)"), "holds no usable 'request'"),
    "a request in other words": (asked(learning_rates=[1, 0.1]), "as this lab writes it"),
    "wrong checksum": (wrong_checksum, "missing, or not listed: other.json, scalars.json"),
    "extra file": (extra_file, "missing, or not listed: extra.json"),
    "missing file": (missing_file, "missing, or not listed: runs.parquet"),
    "pickled objects": (arrays(evil=OBJECTS), "holds Python objects, which only pickle can read"),
    "huge claimed shape": (huge_shape, "claims shape (1000000, 1000000) of float64, 7.3 TB"),
    "a pickle as arrays": (no_npz, "arrays.npz cannot be used: it is no zip archive"),
}  # fmt: skip


@pytest.fixture
def never_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    def opened(folders: Any) -> dict[str, str]:
        assert not folders, "this should have been refused before anything of it is opened"
        return {}

    monkeypatch.setattr(bundle, "try_opening", opened)


def refused(store: Store, path: Path) -> str:
    report = import_bundle(path, store)
    assert report.taken == report.already == ()
    assert nothing_in(store)
    (why,) = report.refused.values()
    return why


@pytest.mark.parametrize("what", RESULTS)
def test_a_hostile_result_is_refused(what, tmp_path, store, files, never_opened):
    change, words = RESULTS[what]
    made = remade(files, change)
    assert words in refused(store, written(tmp_path / "b.zip", made))


def test_a_changed_file_request_or_name_is_refused(tmp_path, store, files, never_opened):
    path = tmp_path / "b.zip"
    changed = {**files, f"{NAME}/scalars.json": b"{}"}
    assert "changed after it was exported" in refused(store, written(path, changed))
    other = remade(files, asked(radius=0.7), rekey=False)
    assert "not that of its request" in refused(store, written(path, other))
    for experiment in ("unheard-of", "batch"):
        name = f"{experiment}/{KEY}"
        listed = indexed(results=[name])(files)
        named = {n.replace(NAME, name): content for n, content in listed.items()}
        assert f"'{experiment}' is no experiment" in refused(store, written(path, named))


# Results whose files are sound by themselves, and are not what they should be: tried elsewhere.


def scalars(**changes: Any) -> Change:
    def change(folder: Path, values: dict[str, Any]) -> None:
        path = folder / "scalars.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    return change


def no_table(folder: Path, values: dict[str, Any]) -> None:
    (folder / "runs.parquet").write_bytes(b"PAR1" + bytes(range(200)) + b"PAR1")


def linking_table(folder: Path, values: dict[str, Any]) -> None:
    pd.DataFrame({"run": [0], "reached": [True], "how": ["[see](http://evil.example)"]}).to_parquet(
        folder / "runs.parquet"
    )


def unpickling_table(folder: Path, values: dict[str, Any]) -> None:
    """A column whose type would be unpickled by Arrow before version 14."""
    metadata = {
        "ARROW:extension:name": "arrow.py_extension_type",
        "ARROW:extension:metadata": "cos\nsystem\n(S'touch evil'\ntR.",
    }
    field = pa.field("run", pa.int64(), metadata=metadata)
    pq.write_table(pa.table([pa.array([0])], schema=pa.schema([field])), folder / "runs.parquet")


def exploding_table(folder: Path, values: dict[str, Any]) -> None:
    """Four million rows of the same 100,000 letters: 400 GB in a few kilobytes."""
    places = pa.array(np.zeros(4_000_000, np.int32))
    texts = pa.DictionaryArray.from_arrays(places, pa.array(["x" * 100_000]))
    table = pa.table({"how": texts})
    pq.write_table(table, folder / "runs.parquet", row_group_size=len(table), store_schema=False)


OPENED: dict[str, tuple[Change, str]] = {
    "sound": (manifest(), ""),
    "no table": (no_table, "its files cannot be opened"),
    "a link in a table": (linking_table, "runs.parquet holds a link, markup or unprintable text"),
    "a link in the scalars": (scalars(order="![a](//b)"), "scalars.json holds a link"),
    "an unknown scalar": (scalars(evil=1), "its files cannot be opened"),
    "a target that is none": (scalars(targets=[99]), "do not make a result (IndexError"),
    "text for a number": (scalars(accuracy_after="x"), "do not make a result"),
    "a type of its own": (unpickling_table, "do not make a result (KeyError"),
    "an exploding table": (exploding_table, "cannot be opened"),
}


def test_what_is_tried_is_judged_one_by_one(tmp_path, store, files):
    """In one bundle: the trial costs seconds. Each result has a request of its own."""
    names: dict[str, Any] = {}
    parts: dict[str, Any] = {}
    for seed, (what, (change, _)) in enumerate(OPENED.items(), start=1):

        def both(folder: Path, values: dict[str, Any], seed=seed, change=change) -> None:
            values["request"]["seed"] = values["seed"] = seed
            change(folder, values)

        made = remade(files, both)
        (names[what],) = json.loads(made.pop(INDEX))["results"]
        parts |= made
    parts[INDEX] = indexed(results=sorted(names.values()))(files)[INDEX]
    path = written(tmp_path / "b.zip", parts)
    assert path.stat().st_size < 2**20
    report = import_bundle(path, store)
    for what, (_, words) in OPENED.items():
        if words:
            assert words in report.refused[names[what]], what
    assert report.taken == (names["sound"],)
    assert [entry.origin for entry in open_library(store).entries] == ["imported"]


def test_where_the_trial_ends_the_rest_is_not_looked_at():
    found = bundle.faults(["a", "b", "c", "d"], ['""', '"no table."'], "took too long")
    assert set(found) == {"b", "c", "d"}
    assert found["b"].startswith("no table. Ask")
    assert found["c"] == "It took too long. Do not trust it."
    assert found["d"].startswith("It was not looked at, since c, before it, took too long")


def test_any_damage_to_a_bundle_is_a_refusal(tmp_path, store, files, trusted):
    sound, rng, path = archive_of(files), random.Random(5), tmp_path / "b.zip"
    for round_ in range(150):
        content = bytearray(sound)
        for _ in range(rng.randint(1, 4)):
            content[rng.randrange(len(content))] = rng.randrange(256)
        path.write_bytes(content[: rng.choice([len(content), rng.randrange(len(content))])])
        try:
            report = import_bundle(path, store)
        except InvalidBundle:
            continue
        # what zip holds twice or leaves unused may change; never the content of what is taken
        assert report.refused or same_files(store, files), round_
        shutil.rmtree(store.imported, ignore_errors=True)


def same_files(store: Store, files: Files) -> bool:
    assert store.imported is not None
    folder = store.imported / NAME
    return all(
        (folder / name.split("/")[-1]).read_bytes() == content
        for name, content in files.items()
        if name != INDEX
    )


@pytest.mark.parametrize(
    "text", ["<=50K", "African-American", "a < b", "C++", "sex: male", "[0, 1)", "Zoë", "x" * 1000]
)
def test_names_of_classes_and_groups_are_harmless(text):
    assert is_harmless({"names": [text, 1, None, [text]]})


@pytest.mark.parametrize(
    "text",
    ["[a](b)", "![a][b]", "[b]: //c", "http://x", "<img src=x>", "</p>", "<!--", "a\nb", "\x1b[m"],
)
def test_what_a_browser_would_follow_is_not(text):
    assert not is_harmless({"names": [1, [text]]})
    assert not is_harmless({text: 1})


def test_a_store_without_a_place_for_them_takes_nothing_in(tmp_path):
    store = Store(tmp_path / "results", tmp_path / "published")
    with pytest.raises(InvalidInput, match="a folder for imported results"):
        store.take_in("attack", tmp_path / KEY, bundle.Imported("a", "b"))
