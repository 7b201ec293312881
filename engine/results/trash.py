"""Deleted results, which can be put back for a while: they lie beside the store, not in it.

    <cache>/results.trash/<token>/<origin>/<experiment>/<key>/          what was deleted at once
                                           <experiment>/<key>.json      where it was imported from

A token stands for one deletion. What has lain there for a day goes at the next deletion.
"""

import secrets
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

from engine.errors import InvalidInput
from engine.results.library import Entry
from engine.results.manifest import record_of
from engine.results.store import Store, lock, writing

KEPT_SECONDS = 24 * 3600.0


def trash_of(store: Store) -> Path:
    """Return where a store's deleted results lie."""
    return store.local.with_name(f"{store.local.name}.trash")


def throw_away(store: Store, entries: Sequence[Entry], kept: float = KEPT_SECONDS) -> str:
    """Delete local and imported results so that they can be put back; returns the token for it.
    Earlier deletions of more than `kept` seconds ago become final.

    Raises InvalidInput for a published result, StorageUnavailable.
    """
    for entry in entries:
        if not entry.removable:
            raise InvalidInput("key", entry.key, "that of a result that is not published")
    token = secrets.token_hex(8)
    with writing(store.local):
        empty(store, kept)
        for entry in entries:
            root = store.roots()[entry.origin]
            place = trash_of(store) / token / entry.origin / entry.experiment / entry.key
            place.parent.mkdir(parents=True, exist_ok=True)
            with lock(root):
                if entry.folder.is_dir():
                    move(entry.folder, place)
    return token


def put_back(store: Store, token: str) -> tuple[int, int]:
    """Put back what one deletion took away; returns how many results it was, and how many were
    left out because an equal one is there again. Raises InvalidInput, StorageUnavailable."""
    thrown = trash_of(store) / token
    if not token.isalnum() or not thrown.is_dir():
        raise InvalidInput("deletion", token, "one that can still be undone")
    back = left = 0
    with writing(store.local):
        for origin, root in store.roots().items():
            for place in sorted(thrown.glob(f"{origin}/*/*/")):
                folder = root / place.parent.name / place.name
                folder.parent.mkdir(parents=True, exist_ok=True)
                with lock(root):
                    if folder.is_dir():
                        left += 1
                    else:
                        move(place, folder)
                        back += 1
    shutil.rmtree(thrown, ignore_errors=True)
    return back, left


def deletions(store: Store) -> list[Path]:
    """Return the deletions that can still be undone: a folder each, the earliest first."""
    return sorted(trash_of(store).glob("*/"), key=lambda thrown: thrown.stat().st_mtime)


def empty(store: Store, kept: float = KEPT_SECONDS) -> None:
    """Delete for good what was thrown away more than `kept` seconds ago."""
    before = time.time() - kept
    for thrown in deletions(store):
        if thrown.stat().st_mtime < before:
            shutil.rmtree(thrown, ignore_errors=True)


def move(folder: Path, to: Path) -> None:
    """Move a result and the record of where it was imported from; the store sees all of it or
    nothing."""
    if record_of(folder).is_file():
        record_of(folder).replace(record_of(to))
    folder.rename(to)
