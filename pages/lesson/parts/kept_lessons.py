"""Closed lessons: `keep` stores one as a result, `find` opens it by its name."""

from collections.abc import Iterator, Sequence

import pandas as pd

from engine.errors import DamagedResult
from engine.experiments import RESULT_VERSION, LessonRequest, make_request
from engine.results import lessons
from engine.results.lessons import Lesson, LessonEntry
from engine.results.library import results_in
from engine.results.manifest import Manifest, read_manifest
from engine.results.store import Stored, open_entry, say_damaged
from pages.common.asking import door
from pages.common.lab.shared import lab

EXPERIMENT = "lesson"


def keep(lesson: Lesson, done: Sequence[LessonEntry], table: pd.DataFrame) -> None:
    """Keep a lesson: the result that its request has, without computing again what lies in the
    store. Its time and device are those of the attacks."""
    request = lessons.kept_request(lesson, done)
    attacks = [door.find("attack", lesson.request(entry.sample)) for entry in done]
    found = [one.manifest for one in attacks if one is not None]
    content = door.content_of(request)
    if content is None or not found:
        raise DamagedResult(f"{lesson.name}: its data set or its attacks are gone.")
    lab().store.write(
        EXPERIMENT,
        request,
        content,
        table,
        sum(manifest.seconds for manifest in found),
        found[0].device,
    )


def all_kept() -> Iterator[tuple[Manifest, str, str]]:
    """Yield manifest, key and origin of every lesson that is kept here and can be shown."""
    for origin, root in lab().store.roots().items():
        for folder in results_in(root, (EXPERIMENT,)):
            try:
                manifest = read_manifest(folder)
            except DamagedResult as error:
                say_damaged(error)
                continue
            if manifest.result_version == RESULT_VERSION:
                yield manifest, folder.name, origin


def names() -> list[str]:
    """Return the names of the lessons that are kept here, the latest first."""
    found = sorted(((m.created, str(m.request["lesson"])) for m, *_ in all_kept()), reverse=True)
    return list(dict.fromkeys(name for _, name in found))


def find(name: str) -> Stored | None:
    """Return the result of a lesson by its name; None where there is none that can be opened."""
    for manifest, key, origin in all_kept():
        if manifest.request["lesson"] == name:
            try:
                return open_entry(lab().store.roots()[origin] / EXPERIMENT / key, origin)
            except DamagedResult as error:
                say_damaged(error)
    return None


def request_of(stored: Stored) -> LessonRequest:
    """Return what a kept lesson was asked for."""
    made = make_request(EXPERIMENT, stored.manifest.request)
    assert isinstance(made, LessonRequest)
    return made
