"""The store: what goes in comes out, a crash leaves nothing half, damage is noticed and said."""

import dataclasses
import hashlib
import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from engine.attacks.result import Ranking
from engine.errors import DamagedResult, InvalidInput
from engine.experiments import AttackRequest, RankingRequest, RankingResult, make_request
from engine.models.linear import LinearModel
from engine.results.manifest import MANIFEST, Imported, key, read_manifest
from engine.results.store import Store, open_folder
from engine.settings import ROOT
from engine.version import VERSION, source_revision
from tests.support.stores import HASH, REQUEST, put, result, same


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "results", tmp_path / "published")


def publish(store: Store) -> Path:
    """A published result, and no local one."""
    folder = put(store)
    published = store.publish(open_folder(folder))
    shutil.rmtree(folder)
    return published


def test_an_attack_comes_out_as_it_went_in(store):
    folder = put(store)
    found = store.find("attack", REQUEST, HASH)
    assert found is not None
    assert same(found.result, result())
    assert (found.folder, found.published) == (folder, False)
    m = found.manifest
    assert (m.experiment, m.device, m.seconds, m.seed, m.data_hash) == (
        "attack",
        "CPU",
        1.5,
        0,
        HASH,
    )
    assert make_request(m.experiment, m.request) == REQUEST
    assert set(m.versions) >= {"python", "torch", "numpy"}


def test_a_manifest_says_which_lab_made_the_result(store):
    m = read_manifest(put(store))
    assert (m.lab_version, m.source_revision) == (VERSION, source_revision())
    assert m.made_with.startswith(f"lab {VERSION}, ")
    assert m.made_with.endswith(f"pandas {m.versions['pandas']}")


def test_a_manifest_from_before_it_said_so_still_opens(store):
    folder = put(store)
    values = json.loads((folder / MANIFEST).read_text())
    older = {n: v for n, v in values.items() if n not in ("lab_version", "source_revision")}
    assert len(older) == len(values) - 2
    (folder / MANIFEST).write_text(json.dumps(older))
    found = store.find("attack", REQUEST, HASH)
    assert found is not None
    assert (found.manifest.lab_version, found.manifest.source_revision) == (None, None)
    assert found.manifest.made_with.startswith("python ")


def test_a_ranking_comes_out_as_it_went_in(store):
    model = LinearModel(np.ones((2, 3)), np.zeros(2), 0.1)
    ranking = Ranking(np.arange(4.0), np.array([4, 3, 2, 1]))
    made = RankingResult(model, ranking, ranking, 0.75, 0.5)
    store.write("ranking", RankingRequest(), HASH, made, 0.1, "CPU")
    found = store.find("ranking", RankingRequest(), HASH)
    assert found is not None
    assert np.isnan(found.result.model.gradient_norm)
    np.testing.assert_array_equal(found.result.test.ranks, ranking.ranks)
    assert found.result.accuracy_holdout == 0.5


def test_equal_requests_have_one_key_and_others_another():
    assert key("attack", AttackRequest(radius=1), HASH) == key(
        "attack", AttackRequest(radius=1.0), HASH
    )
    assert make_request("attack", {"targets": [3], "radius": 0.5}) == REQUEST
    others = [AttackRequest(seed=1), AttackRequest(targets=(4,)), AttackRequest(dtype="float64")]
    keys = {key("attack", r, HASH) for r in (REQUEST, *others)} | {
        key("attack", REQUEST, "cd" * 32)
    }
    assert len(keys) == 5


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"radius": -1}, "radius must be a finite number > 0"),
        ({"objective": "x"}, "objective must be one of"),
        ({"targets": []}, "targets must be at least one"),
        ({"learning_rates": ()}, "learning_rates must be a sequence"),
        ({"learning_rates": None}, "learning_rates must be a sequence"),
        ({"learning_rates": []}, "learning_rates must be a sequence"),
        ({"colour": "red"}, "field of 'attack' must be one of .* Got 'colour'"),
        ({"dataset": ""}, "dataset must be the name"),
        ({"dtype": "float16"}, "dtype must be one of"),
    ],
)
def test_requests_are_checked(values, words):
    with pytest.raises(InvalidInput, match=words):
        make_request("attack", values)
    with pytest.raises(InvalidInput, match="experiment must be one of"):
        make_request("nothing", {})


def test_nothing_stored_is_nothing_found(store):
    assert store.find("attack", REQUEST, HASH) is None
    assert store.damage("attack", REQUEST, HASH) is None


def drop(folder: Path) -> None:
    (folder / "runs.parquet").unlink()


def truncate(folder: Path) -> None:
    path = folder / "arrays.npz"
    path.write_bytes(path.read_bytes()[:-20])


def flip(folder: Path) -> None:
    path = folder / "scalars.json"
    path.write_text(path.read_text().replace("0.9", "0.8"))


def no_manifest(folder: Path) -> None:
    (folder / MANIFEST).unlink()


def half_manifest(folder: Path) -> None:
    path = folder / MANIFEST
    path.write_text(path.read_text()[:100])


def list_manifest(folder: Path) -> None:
    (folder / MANIFEST).write_text("[1, 2]")


def poor_manifest(folder: Path) -> None:
    path = folder / MANIFEST
    values = json.loads(path.read_text())
    del values["files"]
    path.write_text(json.dumps(values))


def escaping_manifest(folder: Path) -> None:
    path = folder / MANIFEST
    values = json.loads(path.read_text())
    values["files"]["../../secret"] = "00"
    path.write_text(json.dumps(values))


def empty_manifest(folder: Path) -> None:
    change_manifest(folder, files={})


def untyped_manifest(folder: Path) -> None:
    change_manifest(folder, seconds="long", created=7)


def stray_file(folder: Path) -> None:
    (folder / "more.npz").write_bytes(b"")


def change_manifest(folder: Path, **values: object) -> None:
    path = folder / MANIFEST
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


DAMAGES = [
    empty_manifest,
    untyped_manifest,
    stray_file,
    drop,
    truncate,
    flip,
    no_manifest,
    half_manifest,
    list_manifest,
    poor_manifest,
    escaping_manifest,
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_noticed_said_and_recomputed(store, damage, caplog):
    folder = put(store)
    damage(folder)
    with pytest.raises(DamagedResult):
        open_folder(folder)
    assert store.find("attack", REQUEST, HASH) is None
    assert "damaged" in caplog.text
    assert not folder.exists()
    reason = store.damage("attack", REQUEST, HASH)
    assert reason is not None
    assert folder.name in reason
    put(store)
    assert store.find("attack", REQUEST, HASH) is not None


def test_a_damaged_published_result_is_left_alone(store, caplog):
    folder = publish(store)
    found = store.find("attack", REQUEST, HASH)
    assert found is not None
    assert found.published
    flip(folder)
    assert store.find("attack", REQUEST, HASH) is None
    assert "damaged" in caplog.text
    assert folder.exists()


def test_a_published_result_is_the_local_one_byte_for_byte(store):
    local = put(store)
    for _ in range(2):  # the second takes the place of the first
        published = store.publish(open_folder(local))
        assert published.is_relative_to(store.published)
        assert {p.name: p.read_bytes() for p in published.iterdir()} == {
            p.name: p.read_bytes() for p in local.iterdir()
        }
    assert [p.name for p in published.parent.iterdir()] == [published.name]


def test_a_published_result_opens_where_its_data_is_not(store):
    assert store.find_published("attack", REQUEST) is None
    folder = publish(store)
    found = store.find_published("attack", REQUEST)
    assert found is not None
    assert found.published
    assert found.folder == folder
    assert store.find_published("attack", dataclasses.replace(REQUEST, seed=1)) is None
    flip(folder)
    assert store.find_published("attack", REQUEST) is None


def test_a_result_in_the_place_of_another_is_damage(store):
    folder = put(store)
    change_manifest(folder, request=dataclasses.asdict(dataclasses.replace(REQUEST, seed=1)))
    assert store.find("attack", REQUEST, HASH) is None
    assert "another request" in store.damage("attack", REQUEST, HASH)


def test_writing_over_damage_mends_it(store):
    """Nobody has looked at it since: the writer must not take the damaged one for an equal one."""
    truncate(put(store))
    assert same(open_folder(put(store)).result, result())


@pytest.mark.parametrize("name", ["arrays.npz", "runs.parquet", "scalars.json"])
@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no archive", b"nonsense"])
def test_wrong_files_with_right_checksums_are_damage(store, name, content):
    folder = put(store)
    (folder / name).write_bytes(content)
    files = json.loads((folder / MANIFEST).read_text())["files"]
    change_manifest(folder, files=files | {name: hashlib.sha256(content).hexdigest()})
    assert store.find("attack", REQUEST, HASH) is None


def test_many_may_notice_the_same_damage_at_once(store):
    for _ in range(5):
        truncate(put(store))
        with ThreadPoolExecutor(30) as readers:
            looks = [readers.submit(store.find, "attack", REQUEST, HASH) for _ in range(30)]
        assert [look.result() for look in looks] == [None] * 30


def test_readers_never_meet_a_result_that_is_being_replaced(store, tmp_path):
    put(store)
    writers = [write_in_a_process(tmp_path, "again and again") for _ in range(2)]
    while any(writer.poll() is None for writer in writers):
        store.find("attack", REQUEST, HASH)
    assert [writer.returncode for writer in writers] == [0, 0]
    assert store.damage("attack", REQUEST, HASH) is None
    assert store.find("attack", REQUEST, HASH) is not None


def test_a_local_result_comes_before_a_published_one(store):
    publish(store)
    put(store)
    found = store.find("attack", REQUEST, HASH)
    assert found is not None
    assert not found.published


class Trap:
    def __reduce__(self):
        return (os.system, ("touch trapped",))


def test_nothing_is_ever_unpickled(store, tmp_path, monkeypatch):
    """Even a manifest that vouches for a pickle gets no further."""
    monkeypatch.chdir(tmp_path)
    folder = put(store)
    np.savez(folder / "arrays.npz", before_scores=np.array([Trap()], dtype=object))
    from engine.results.manifest import checksum

    values = json.loads((folder / MANIFEST).read_text())
    values["files"]["arrays.npz"] = checksum(folder / "arrays.npz")
    (folder / MANIFEST).write_text(json.dumps(values))
    assert store.find("attack", REQUEST, HASH) is None
    assert not (tmp_path / "trapped").exists()
    pickle.loads(pickle.dumps(Trap()))  # the trap itself does work
    assert (tmp_path / "trapped").exists()


def test_an_equal_result_that_came_first_is_kept(store):
    first = put(store, result(0))
    second = put(store, result(1))
    assert first == second
    found = store.find("attack", REQUEST, HASH)
    assert found is not None
    assert same(found.result, result(0))
    put(store, result(1), replace_old=True)
    found = store.find("attack", REQUEST, HASH)
    assert found is not None
    assert same(found.result, result(1))


WRITER = """
import os, signal, sys
from pathlib import Path
import engine.experiments.files as files
import engine.results.store as store_module
from engine.results.store import Store
from tests.support.stores import HASH, REQUEST, result

stop = sys.argv[2]
if stop == "tables":
    real = files.pd.DataFrame.to_parquet
    def die(self, path, **options):
        if "trajectory" in str(path):
            os.kill(os.getpid(), signal.SIGKILL)
        real(self, path, **options)
    files.pd.DataFrame.to_parquet = die
elif stop == "rename":
    store_module.Path.rename = lambda self, to: os.kill(os.getpid(), signal.SIGKILL)
root = Path(sys.argv[1])
store = Store(root / "results", root / "published")
again = stop == "again and again"
for _ in range(20 if again else 1):
    store.write("attack", REQUEST, HASH, result(), 1.0, "CPU", replace_old=again)
"""


def write_in_a_process(root: Path, stop: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(WRITER), str(root), stop], cwd=ROOT
    )


@pytest.mark.parametrize("stop", ["tables", "rename"])
def test_a_crash_in_the_middle_of_a_write_leaves_no_result(store, tmp_path, stop):
    writer = write_in_a_process(tmp_path, stop)
    assert writer.wait(timeout=60) == -signal.SIGKILL
    assert list((tmp_path / "results" / "attack").glob(".making-*"))
    assert store.find("attack", REQUEST, HASH) is None
    put(store)
    assert store.find("attack", REQUEST, HASH) is not None
    assert not list((tmp_path / "results" / "attack").glob(".making-*"))  # swept


def test_writers_at_the_same_moment_leave_one_sound_result(store, tmp_path):
    writers = [write_in_a_process(tmp_path, "never") for _ in range(3)]
    assert [w.wait(timeout=100) for w in writers] == [0, 0, 0]
    found = store.find("attack", REQUEST, HASH)
    assert found is not None
    assert same(found.result, result())
    assert [p.name for p in (tmp_path / "results" / "attack").iterdir()] == [found.folder.name]


@pytest.mark.parametrize("long_ago", [False, True], ids=["just changed", "changed long ago"])
def test_a_published_result_is_found_by_its_request_as_results_come_and_go(
    store: Store, long_ago: bool
) -> None:
    """The index of requests is kept once the folder's time is some time ago; each change of the
    folder is noticed."""
    assert store.find_published("attack", REQUEST) is None
    first = publish(store)

    def settle() -> None:
        if long_ago:
            os.utime(first.parent, (1e9, 1e9))

    settle()
    assert store.find_published("attack", dataclasses.replace(REQUEST, seed=5)) is None
    found = store.find_published("attack", REQUEST)
    assert found is not None and found.folder == first
    aside = first.parent.with_name("aside")
    first.rename(aside)
    assert store.find_published("attack", REQUEST) is None
    aside.rename(first)
    settle()
    assert store.find_published("attack", REQUEST) is not None
    (first / "runs.parquet").write_bytes(b"damaged")
    assert store.find_published("attack", REQUEST) is None


def test_equal_results_of_equal_data_are_told_apart_by_their_folder(store: Store) -> None:
    """Published and local copies are one object each, and say where they lie."""
    publish(store)
    put(store)
    here, there = store.find("attack", REQUEST, HASH), store.find_published("attack", REQUEST)
    assert here is not None and there is not None
    assert (here.published, there.published) == (False, True)
    assert store.find_published("attack", REQUEST) is there  # the same object: nothing is copied


def test_all_that_is_stored_on_some_data(store: Store) -> None:
    """Published and local; damaged ones, other data and networks are left out."""
    assert store.on_data("attack", HASH) == []
    published = publish(store)
    other = dataclasses.replace(REQUEST, seed=5)
    local = store.write("attack", other, HASH, result(), 1.0, "CPU")
    store.write("attack", other, "0" * 64, result(), 1.0, "CPU")
    store.write("attack", dataclasses.replace(REQUEST, model="mlp"), HASH, result(), 1.0, "CPU")
    found = store.on_data("attack", HASH)
    assert {one.folder for one in found} == {published, local}
    assert len(store.on_data("attack", HASH, most=1)) == 1
    (local / "runs.parquet").write_bytes(b"damaged")
    assert [one.folder for one in store.on_data("attack", HASH)] == [published]


def imported(store: Store, seed: int = 1) -> Path:
    """A result of REQUEST that somebody else has computed, and none of one's own."""
    store.imported = store.local.with_name("imported")
    elsewhere = put(Store(store.local.with_name("elsewhere"), store.published), result(seed))
    return store.take_in("attack", elsewhere, Imported("theirs.zip", "2026-11-26T12:00:00+00:00"))


def test_an_imported_result_is_found_last_and_says_so(store):
    imported(store)
    found = store.find("attack", REQUEST, HASH)
    assert found.imported == Imported("theirs.zip", "2026-11-26T12:00:00+00:00")
    assert not found.published
    assert same(found.result, result(1))
    assert store.has("attack", key("attack", REQUEST, HASH))
    publish(store)
    assert store.find("attack", REQUEST, HASH).published
    put(store, result(2))
    assert same(store.find("attack", REQUEST, HASH).result, result(2))


def test_what_is_computed_here_uses_no_imported_result(store):
    imported(store)
    assert store.find("attack", REQUEST, HASH, with_imported=False) is None
    assert store.on_data("attack", HASH) == []


def test_an_imported_result_opens_without_its_data(store):
    imported(store)
    assert store.find_published("attack", REQUEST) is None
    assert store.find_without_data("attack", REQUEST).imported is not None
    publish(store)
    assert store.find_without_data("attack", REQUEST).published


def test_a_damaged_imported_result_is_set_aside(store):
    folder = imported(store)
    (folder / "arrays.npz").write_bytes(b"")
    assert store.find("attack", REQUEST, HASH) is None
    assert not folder.exists()
    assert "arrays.npz" in store.damage("attack", REQUEST, HASH)
