"""The library: what lies in a store, found by words, deleted where it may be; and its commands."""

import json
import shutil
import time
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from engine.__main__ import main
from engine.errors import InvalidInput
from engine.experiments import RESULT_VERSION, BaselineRequest
from engine.experiments.sweep import BatchRequest
from engine.results.library import (
    by_key,
    differences,
    imported_datasets,
    open_library,
    remove,
    select,
)
from engine.results.manifest import MANIFEST, Imported, key
from engine.results.store import Store, open_folder
from tests.support.stores import HASH, REQUEST, put, result

TABLE = pd.DataFrame({"target": [3], "rank_before": [9]})
RECORD = Imported("theirs.zip", "2026-11-26T12:00:00+00:00")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A local attack and a part, the same attack published and imported, a published baseline."""
    made = Store(tmp_path / "results", tmp_path / "published", tmp_path / "imported")
    request = BaselineRequest(dataset="mine", targets=(3,))
    baseline = made.write("baseline", request, HASH, TABLE, 2.0, "CPU")
    made.publish(open_folder(baseline))
    shutil.rmtree(baseline)
    attack = put(made)
    made.publish(open_folder(attack))
    made.take_in("attack", attack, RECORD)
    made.write("batch", BatchRequest("digits", {"radius": 0.1}), HASH, TABLE, 1.0, "CPU")
    return made


def bytes_in(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def test_all_is_listed_and_parts_are_counted(store):
    library = open_library(store)
    found = {(e.experiment, e.origin) for e in library.entries}
    assert found == {
        ("attack", "local"),
        ("attack", "published"),
        ("attack", "imported"),
        ("baseline", "published"),
    }
    assert (library.parts, library.unreadable) == (1, ())
    assert library.size["local"] == bytes_in(store.local)
    assert library.size["published"] == bytes_in(store.published)
    assert library.parts_size == bytes_in(store.local / "batch")
    (imported,) = select(library.entries, origin="imported")
    assert imported.imported == RECORD
    assert imported.key == key("attack", REQUEST, HASH)
    assert imported.size == bytes_in(store.imported / "attack" / imported.key)
    assert (imported.dataset, imported.manifest.seconds) == ("digits", 1.5)


def test_data_sets_of_imported_results(store):
    assert imported_datasets(store, "attack") == ["digits"]
    assert imported_datasets(store, "sweep") == []
    assert imported_datasets(Store(store.local, store.published), "attack") == []


def test_the_latest_comes_first(store):
    for seed, when in ((1, "2031"), (2, "2033"), (3, "2032")):
        folder = store.write("attack", replace(REQUEST, seed=seed), HASH, result(), 1.0, "CPU")
        manifest = json.loads((folder / MANIFEST).read_text())
        manifest["created"] = f"{when}-01-01T00:00:00+00:00"
        (folder / MANIFEST).write_text(json.dumps(manifest))
    seeds = [entry.manifest.seed for entry in open_library(store).entries]
    assert seeds[:3] == [2, 3, 1]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"experiment": "baseline"}, 1),
        ({"dataset": "digits"}, 3),
        ({"origin": "published"}, 2),
        ({"origin": "published", "dataset": "mine"}, 1),
        ({"text": "radius=0.5"}, 3),
        ({"text": "THEIRS.zip"}, 1),
        ({"text": "loss reweighing"}, 1),
        ({"text": "reweighing radius=0.5"}, 0),
        ({"text": key("attack", REQUEST, HASH)[:9]}, 3),
        ({}, 4),
    ],
)
def test_filters(store, wanted, found):
    assert len(select(open_library(store).entries, **wanted)) == found


def test_only_what_is_not_published_can_be_deleted(store):
    held = bytes_in(store.published)
    for entry in open_library(store).entries:
        if entry.origin == "published":
            with pytest.raises(InvalidInput, match="published ones stay"):
                remove(store, entry)
        else:
            remove(store, entry)
            remove(store, entry)  # somebody else was faster
    assert bytes_in(store.published) == held
    assert not list(store.imported.rglob("*.json"))  # the record goes with it
    assert [e.origin for e in open_library(store).entries] == ["published"] * 2
    assert store.find("attack", REQUEST, HASH).published


def test_what_cannot_be_read_is_named_and_what_is_of_another_version_is_not_current(store):
    folder = store.local / "attack" / key("attack", REQUEST, HASH)
    manifest = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps({**manifest, "result_version": RESULT_VERSION - 1}))
    (old,) = select(open_library(store).entries, origin="local")
    assert not old.current
    (folder / MANIFEST).write_text(json.dumps({**manifest, "experiment": "unheard-of"}))
    assert open_library(store).unreadable == (folder,)
    (folder / MANIFEST).write_text("{")
    assert open_library(store).unreadable == (folder,)


def test_a_thousand_results_are_listed_without_opening_one(tmp_path):
    store = Store(tmp_path / "results", tmp_path / "published")
    first = put(store)
    (first / "arrays.npz").write_bytes(b"not opened")
    for number in range(999):
        folder = first.with_name(f"{number:024x}")
        folder.mkdir()
        for path in first.iterdir():
            (folder / path.name).hardlink_to(path)
    began = time.process_time()
    library = open_library(store)
    assert len(select(library.entries, text="digits radius=0.5")) == 1000
    assert time.process_time() - began < 2.0  # measured: 0.2 s


def test_keys_may_be_shortened(store):
    entries = open_library(store).entries
    whole = key("attack", REQUEST, HASH)
    assert {e.origin for e in by_key(entries, whole[:8])} == {"local", "published", "imported"}
    for text in ("", "zz"):
        with pytest.raises(InvalidInput, match="that of a stored result"):
            by_key(entries, text)
    alike = [replace(e, folder=e.folder.with_name("a" + e.key)) for e in entries]
    with pytest.raises(InvalidInput, match="longer: 2 results"):
        by_key(alike, "a")


def test_differences_of_requests():
    first, second = {"a": 1, "b": [2], "c": 3}, {"a": 1, "b": [4], "d": 5}
    assert differences([first, second]) == {"b": ([2], [4]), "c": (3, None), "d": (None, 5)}
    assert differences([first, first]) == {}


def test_the_commands(store, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("IAL_CACHE_DIR", str(tmp_path))
    attack = key("attack", REQUEST, HASH)
    out = tmp_path / "mine.zip"

    def said(*arguments: str, code: int = 0) -> str:
        assert main(["library", *arguments]) == code
        captured = capsys.readouterr()
        return captured.out + captured.err

    listed = said("list", "--dataset", "digits", "--origin", "imported")
    assert listed.splitlines()[0].startswith(f"{attack}  attack")
    assert "imported from theirs.zip" in listed
    assert "of sweeps: 1, " in listed
    assert "1 packed, " in said("export", attack, "--out", str(out))
    assert f"already here: attack/{attack}" in said("import", str(out))
    assert said("remove", attack).count("removed: ") == 2
    assert attack not in said("list")
    assert "that of a stored result" in said("remove", attack, code=2)
    assert f"taken: attack/{attack}" in said("import", str(out))
    assert "imported from mine.zip" in said("list", "--text", attack)
    assert "a bundle that is there" in said("import", str(tmp_path / "none.zip"), code=2)
    assert "in a folder that is there" in said(
        "export", attack, "--out", str(tmp_path / "none" / "a.zip"), code=2
    )
