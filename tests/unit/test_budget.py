"""The disk budget: who goes first, who never goes, and that it can be read what went."""

import logging
import os
import time
from dataclasses import asdict, replace
from pathlib import Path

import joblib
import pandas as pd
import pytest

from engine.__main__ import main
from engine.experiments import ImpossibleRequest
from engine.experiments.sweep import BatchRequest
from engine.progress import ignore
from engine.results import budget, trash
from engine.results.budget import GB, IN_USE_SECONDS, evictable, keep_within, usage
from engine.results.compute import compute_and_keep
from engine.results.library import open_library, size_of
from engine.results.manifest import Imported
from engine.results.queue import JOB, Job, write_json
from engine.results.store import Store, open_folder
from engine.settings import Settings, read_settings
from pages.evidence.parts import library_words
from tests.support.stores import HASH, REQUEST, put, result

TABLE = pd.DataFrame({"target": [3], "rank_before": [9]})
IMPOSSIBLE = ImpossibleRequest(count=10, restarts=1, steps=2)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    made = read_settings({"IAL_CACHE_DIR": str(tmp_path / "cache"), "IAL_DEVICE": "cpu"})
    return replace(made, published=tmp_path / "published")


def store_of(settings: Settings) -> Store:
    return Store.of(settings)


def keep(settings: Settings, seed: int, hours_ago: float) -> Path:
    """A local result that was last used then."""
    folder = store_of(settings).write(
        "attack", replace(REQUEST, seed=seed), HASH, result(), 1.0, "CPU"
    )
    return used(folder, hours_ago)


def used(folder: Path, hours_ago: float) -> Path:
    then = time.time() - 3600 * hours_ago
    os.utime(folder, (then, then))
    return folder


def allow(settings: Settings, size: float) -> Settings:
    return replace(settings, disk_gb=size / GB)


def test_what_was_deleted_counts_and_goes_first(settings):
    """Also what was deleted just now: it lies there only to be put back."""
    first, second, left = (
        keep(settings, seed, hours) for seed, hours in ((1, 20), (2, 40), (3, 9))
    )
    store, held = store_of(settings), usage(settings).held
    one = size_of(left)
    for folder in (first, second):
        entry = next(e for e in open_library(store).entries if e.key == folder.name)
        trash.throw_away(store, [entry])
    os.utime(trash.deletions(store)[0], (1e9, 1e9))  # the earlier one is told by its time
    assert usage(settings).held == held
    keep_within(allow(settings, held))
    assert len(trash.deletions(store)) == 2
    keep_within(allow(settings, held - 1))
    assert len(trash.deletions(store)) == 1
    assert left.is_dir()
    keep_within(allow(settings, one))
    assert trash.deletions(store) == []
    assert left.is_dir()
    assert usage(settings).held == one


def test_the_least_recently_used_go_until_the_rest_fits(settings, caplog):
    folders = [keep(settings, seed, hours) for seed, hours in ((1, 20), (2, 40), (3, 30), (4, 10))]
    one = size_of(folders[0])
    held = usage(settings).held
    assert held == sum(map(size_of, folders))
    keep_within(allow(settings, held))
    assert all(f.is_dir() for f in folders)
    with caplog.at_level(logging.INFO):
        keep_within(allow(settings, held - one - 1))
    assert [f.is_dir() for f in folders] == [True, False, False, True]
    left = usage(settings)
    assert left.held == size_of(folders[0]) + size_of(folders[3])
    # it can be read, in the log and beside the store, which went, the last one last
    said = [r.message for r in caplog.records if r.message.startswith("Evicted: ")]
    lines = budget.evictions(settings).read_text().splitlines()
    assert [message.removeprefix("Evicted: ") for message in said] == lines
    assert [f.name in line for f, line in zip((folders[1], folders[2]), lines, strict=True)] == [
        True,
        True,
    ]
    assert left.evicted == lines[-1]
    assert "attack" in lines[-1]
    assert "last used" in lines[-1]


def test_opening_a_result_is_using_it(settings):
    first, second = keep(settings, 1, 30), keep(settings, 2, 20)
    assert [folder for _, folder in evictable(settings)] == [first, second]
    store_of(settings).find("attack", replace(REQUEST, seed=1), HASH)
    assert [folder for _, folder in evictable(settings)] == [second]  # used just now
    used(first, IN_USE_SECONDS / 3600 + 1)
    assert [folder for _, folder in evictable(settings)] == [second, first]


def test_published_imported_and_fresh_ones_stay_whatever_the_budget(settings):
    store = store_of(settings)
    old = keep(settings, 1, 30)
    store.publish(open_folder(old))
    store.take_in("attack", old, Imported("theirs.zip", "2026-11-26T12:00:00+00:00"))
    fresh = put(store)
    for folder in (settings.published, settings.cache_dir / "imported"):
        used(folder / "attack" / old.name, 1000)
    keep_within(allow(settings, 1))
    assert not old.exists()
    assert fresh.is_dir()
    assert (settings.published / "attack" / old.name).is_dir()
    assert (settings.cache_dir / "imported" / "attack" / old.name).is_dir()


def test_parts_that_a_waiting_job_goes_on_from_stay(settings):
    store = store_of(settings)
    asked = BatchRequest("digits", {"radius": 0.1})
    needed = used(store.write("batch", asked, HASH, TABLE, 1.0, "CPU"), 50)
    other = used(store.write("batch", asked, "other", TABLE, 1.0, "CPU"), 40)
    folder = settings.cache_dir / "jobs" / "waits"
    folder.mkdir(parents=True)
    write_json(folder / JOB, asdict(Job("waits", "sweep", {}, HASH, 1)))
    keep_within(allow(settings, 1))
    assert needed.is_dir()
    assert not other.exists()
    (folder / "cancel").touch()
    keep_within(allow(settings, 1))
    assert not needed.exists()


def test_intermediates_count_and_keep_to_their_share(settings):
    memory = joblib.Memory(budget.intermediates(settings), verbose=0)
    remembered = memory.cache(pd.DataFrame)
    for size in range(1000, 1010):
        remembered({"a": range(size)})
    held = usage(settings).held
    assert held > 10 * 8000
    keep_within(allow(settings, held))
    assert usage(settings).held == held
    keep_within(allow(settings, held / 2))
    assert 0 < usage(settings).held < 0.2 * held


def test_a_computation_makes_room_for_its_result(settings):
    old = keep(settings, 1, 30)
    made = compute_and_keep("impossible", IMPOSSIBLE, None, allow(settings, size_of(old)), ignore)
    assert made.is_dir()
    assert not old.exists()


def test_the_command_line_says_what_is_used_and_what_went(settings, monkeypatch, capsys):
    monkeypatch.setenv("IAL_CACHE_DIR", str(settings.cache_dir))
    monkeypatch.setenv("IAL_DISK_GB", "2")
    folder = keep(settings, 1, 30)
    assert main(["library", "list"]) == 0
    assert " of 2.0 GB (IAL_DISK_GB)\n" in capsys.readouterr().out
    keep_within(allow(settings, 1))
    assert main(["library", "list"]) == 0
    said = capsys.readouterr().out
    assert "computed here, with intermediates: 0 bytes of 2.0 GB" in said
    assert f"the last one that went: {usage(settings).evicted}" in said
    assert folder.name in said
    page = library_words.disk_said(usage(replace(settings, disk_gb=2)))
    assert page.startswith("Results computed here and their intermediates take 0 bytes of 2.0 GB")
    assert folder.name in page
