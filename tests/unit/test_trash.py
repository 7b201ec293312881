"""Deleting results, and putting them back."""

import json
import os
import time
from dataclasses import asdict

import pytest

from engine.errors import InvalidInput
from engine.results import trash
from engine.results.library import open_library
from engine.results.manifest import Imported
from engine.results.store import Store, open_entry
from tests.support.stores import HASH, REQUEST, put, result, same


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "results", tmp_path / "published", tmp_path / "imported")


def test_what_is_deleted_comes_back_byte_for_byte(store):
    folder = put(store)
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    token = trash.throw_away(store, open_library(store).entries)
    assert open_library(store).entries == ()
    assert store.find("attack", REQUEST, HASH) is None
    assert trash.put_back(store, token) == (1, 0)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == files
    assert store.find("attack", REQUEST, HASH) is not None
    with pytest.raises(InvalidInput, match="one that can still be undone"):
        trash.put_back(store, token)


def test_an_imported_result_comes_back_with_its_origin(store, tmp_path):
    made = put(store)
    store.take_in("attack", made, Imported("Ann", "2026-11-24T12:00:00+00:00"))
    before = open_library(store).entries
    assert {entry.origin for entry in before} == {"local", "imported"}
    token = trash.throw_away(store, before)
    assert open_library(store).entries == ()
    assert not list((tmp_path / "imported").rglob("*.json"))
    assert trash.put_back(store, token) == (2, 0)
    assert open_library(store).entries == before


def test_what_was_computed_again_meanwhile_stays(store):
    put(store)
    token = trash.throw_away(store, open_library(store).entries)
    folder = put(store, result(1))
    assert trash.put_back(store, token) == (0, 1)
    assert same(open_entry(folder).result, result(1))


def test_published_results_are_not_thrown_away(store):
    store.publish(open_entry(put(store)))
    published = [entry for entry in open_library(store).entries if entry.origin == "published"]
    with pytest.raises(InvalidInput, match="not published"):
        trash.throw_away(store, published)
    assert len(open_library(store).entries) == 2


def test_deletions_become_final_after_a_while(store):
    put(store)
    first = trash.throw_away(store, open_library(store).entries)
    old = time.time() - trash.KEPT_SECONDS - 60
    os.utime(trash.trash_of(store) / first, (old, old))
    put(store)
    second = trash.throw_away(store, open_library(store).entries)
    assert [path.name for path in trash.trash_of(store).iterdir()] == [second]
    with pytest.raises(InvalidInput):
        trash.put_back(store, first)


@pytest.mark.parametrize("token", ["", "..", "../results", "a/b", "unknown"])
def test_a_token_is_no_path(store, token):
    put(store)
    with pytest.raises(InvalidInput):
        trash.put_back(store, token)
    assert json.dumps(asdict(open_library(store).entries[0].manifest))
