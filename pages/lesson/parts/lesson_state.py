"""The lesson as the pages see it: what this server has read of it so far, and what is new."""

from dataclasses import dataclass, field

import pandas as pd
import streamlit as st

from engine.errors import EngineError
from engine.experiments import AttackRequest
from engine.experiments.lesson import Outcome, lesson_table
from engine.results import lessons
from engine.results.lessons import Lesson, LessonEntry
from pages.common.asking import door
from pages.common.asking.links import EXAMPLE
from pages.common.lab import visitors
from pages.common.lab.permissions import Action
from pages.common.lab.shared import lab, shown
from pages.lesson.parts import kept_lessons

DATASET, K, RADIUS = EXAMPLE.dataset, 10, 0.3  # how a lesson begins unless told otherwise
MOST_TRIES = 5  # samples that one student may attack in a lesson
CLOSED = "lesson"  # session-state key and name in links: the closed lesson that the wall shows


@dataclass
class Seen:
    """What is known of a lesson; it only grows. Both by the numbers of the entries."""

    entries: dict[int, LessonEntry] = field(default_factory=dict)
    outcomes: dict[int, Outcome] = field(default_factory=dict)

    @property
    def waiting(self) -> list[LessonEntry]:
        """Return the entries whose outcome is not known yet."""
        return [entry for number, entry in self.entries.items() if number not in self.outcomes]

    def of(self, visitor: str) -> list[LessonEntry]:
        """Return a visitor's entries, the first one first."""
        return [e for _, e in sorted(self.entries.items()) if e.visitor == visitor]

    @property
    def done(self) -> list[LessonEntry]:
        """Return the entries whose outcome is known, the first one first."""
        return [self.entries[number] for number in sorted(self.outcomes)]

    def table(self, k: int) -> pd.DataFrame:
        """Return the table of the lesson so far."""
        found = self.done
        return lesson_table(
            k,
            [entry.nickname for entry in found],
            [entry.moves for entry in found],
            [entry.price for entry in found],
            [self.outcomes[entry.number] for entry in found],
        )


@st.cache_resource(max_entries=8, show_spinner=False)
def seen(folder: str) -> Seen:
    """Return what this server has read of the lesson in a folder, for all its sessions."""
    return Seen()


def current() -> Lesson | None:
    """Return the lesson that is open; None where there is none."""
    return lessons.current(lab().settings.cache_dir)


def look(lesson: Lesson) -> Seen:
    """Read what is new: entries, outcomes, and results that have come into the store."""
    known = seen(str(lesson.folder))
    for number in lessons.entry_names(lesson):
        if number not in known.entries:
            entry = lessons.read_entry(lesson, number)
            if entry is not None:
                known.entries[number] = entry
    for entry in known.waiting:
        outcome = lessons.read_outcome(lesson, entry.number) or settle(lesson, entry)
        if outcome is not None:
            known.outcomes[entry.number] = outcome
    return known


def running(known: Seen) -> int:
    """Return how many attacks wait or run; those that were cancelled or failed do not count."""
    return sum(door.state_of(entry.job).status in (*door.ACTIVE, "done") for entry in known.waiting)


def settle(lesson: Lesson, entry: LessonEntry) -> Outcome | None:
    """Return what came of an entry, from the result of its attack, written down for everybody; None
    while there is none."""
    if not door.is_stored("attack", entry.job):
        return None
    try:
        stored = door.find("attack", lesson.request(entry.sample))
    except EngineError:  # the data set has gone meanwhile
        return None
    if stored is None:
        return None
    outcome = Outcome.of(stored.result)
    lessons.write_outcome(lesson, entry.number, outcome)
    return outcome


def begin(attack: AttackRequest) -> None:
    """Open a lesson, as a button's callback."""
    try:
        visitors.check(Action.LESSON)
        lessons.begin(lab().settings.cache_dir, attack)
        look_at(None)
    except (EngineError, OSError) as error:
        door.refuse(f"The lesson was not begun. {shown(error)}")


def look_at(name: str | None) -> None:
    """Choose the lesson that the wall shows, as a button's callback. name: a closed lesson's; None
    for the open lesson."""
    st.session_state[CLOSED] = name


def close(lesson: Lesson) -> None:
    """Close a lesson, keep it as a result and show that on the wall, as a button's callback. A
    lesson without a finished attack leaves nothing."""
    try:
        visitors.check(Action.LESSON)
        known = look(lesson)
        if known.outcomes:  # kept first: a wall looks for a closed lesson among those kept
            kept_lessons.keep(lesson, known.done, known.table(lesson.attack.k))
            look_at(lesson.name)
        lessons.close(lab().settings.cache_dir, lesson.name)
    except (EngineError, OSError) as error:
        door.refuse(f"The lesson was not kept. {shown(error)}")
