"""A lesson while it goes on, as small files that several servers may share.

    <cache>/lessons/open.json                    which lesson is open; none where it is not there
                    <lesson>/lesson.json         what everybody is asked for
                    <lesson>/samples/<sample>    whose it is: the file is made by one visitor alone
                    <lesson>/hands/<visitor>.json      the sample that a visitor holds, not yet run
                    <lesson>/entries/<number>.json     a bet and the job that was asked for with it
                    <lesson>/outcomes/<number>.json    what came of it, once that is known

Every file is written all at once, and entries and outcomes never change, so that a reader looks
only at names that are new. A visitor is a hash (`pages.common.lab.browsers`), and no file says more
of one than a nickname. What is kept for good is the experiment `lesson`.
"""

import json
import random
import secrets
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from engine.errors import EngineError, InvalidInput
from engine.experiments.attack import AttackRequest
from engine.experiments.lesson import (
    MOST_ENTRIES,
    LessonRequest,
    Outcome,
    bets_moved,
    nickname,
    price_class,
    title,
)
from engine.options import taken_from
from engine.results.queue import read_json, write_json

OPEN, LESSON = "open.json", "lesson.json"
MOST_TRIES = 50  # at a sample that nobody has


class LessonClosed(EngineError):
    """The lesson is over, or another one has begun."""


@dataclass(frozen=True)
class LessonEntry:
    """A visitor's bet on a sample, and the job of its attack. number: from 1, in the order in which
    they began. at: seconds since the epoch."""

    number: int
    visitor: str
    nickname: str
    sample: int
    moves: str
    price: int
    job: str
    at: float


@dataclass(frozen=True)
class Lesson:
    """A lesson on disk: its name, folder, and the attack that all make, each on another sample."""

    name: str
    folder: Path
    attack: AttackRequest

    def request(self, sample: int) -> AttackRequest:
        """Return the attack on one sample."""
        return replace(self.attack, targets=(sample,))


def lessons_of(cache: Path) -> Path:
    """Return where a lab's lessons lie."""
    return cache / "lessons"


def begin(cache: Path, attack: AttackRequest) -> Lesson:
    """Open a lesson in which everybody makes this attack, in place of one that is open."""
    name = f"{time.strftime('%Y-%m-%d', time.gmtime())}-{secrets.token_hex(4)}"
    folder = lessons_of(cache) / name
    for part in ("samples", "hands", "entries", "outcomes"):
        (folder / part).mkdir(parents=True)
    write_json(folder / LESSON, asdict(attack), durable=True)
    write_json(lessons_of(cache) / OPEN, {"lesson": name}, durable=True)
    return Lesson(name, folder, attack)


def current(cache: Path) -> Lesson | None:
    """Return the lesson that is open; None where there is none."""
    said = read_json(lessons_of(cache) / OPEN)
    return None if said is None else lesson_named(cache, str(said.get("lesson", "")))


def lesson_named(cache: Path, name: str) -> Lesson | None:
    """Return a lesson by its name, open or not; None where there is none, or what lies there is
    none."""
    try:
        folder = lessons_of(cache) / title("lesson", name)
        values = read_json(folder / LESSON)
        known = {f.name for f in fields(AttackRequest)}
        if values is None or not set(values) <= known:
            return None
        return Lesson(name, folder, AttackRequest(**values))
    except InvalidInput:
        return None


def close(cache: Path, name: str) -> None:
    """Close a lesson: nobody joins it from now on. Nothing happens where it is not open."""
    open_now = current(cache)
    if open_now is not None and open_now.name == name:
        (lessons_of(cache) / OPEN).unlink(missing_ok=True)


# A visitor's sample.


def hand(lesson: Lesson, visitor: str) -> int | None:
    """Return the sample that a visitor holds and has not run yet."""
    held = read_json(hand_file(lesson, visitor))
    return None if held is None else int(held["sample"])


def hand_file(lesson: Lesson, visitor: str) -> Path:
    """Return the file of the sample that a visitor holds. Raises InvalidInput."""
    if not visitor.isalnum():
        raise InvalidInput("visitor", visitor, "letters and digits")
    return lesson.folder / "hands" / f"{visitor}.json"


def deal(lesson: Lesson, visitor: str, candidates: Sequence[int]) -> int:
    """Deal a visitor one of the candidates that nobody has, as long as there are any; returns it.
    The one that the visitor held goes back."""
    give_back(lesson, visitor)
    drawn = random.Random()
    for _ in range(MOST_TRIES):
        sample = drawn.choice(candidates)
        if claim(lesson, sample, visitor):
            break
    else:
        free = [s for s in candidates if not (lesson.folder / "samples" / str(s)).exists()]
        sample = next((s for s in free if claim(lesson, s, visitor)), drawn.choice(candidates))
    write_json(hand_file(lesson, visitor), {"sample": int(sample)})
    return int(sample)


def choose(lesson: Lesson, visitor: str, sample: int) -> None:
    """Give a visitor the sample that they have chosen, whoever has it too."""
    give_back(lesson, visitor)
    claim(lesson, sample, visitor)
    write_json(hand_file(lesson, visitor), {"sample": int(sample)})


def claim(lesson: Lesson, sample: int, visitor: str) -> bool:
    """Make a sample a visitor's, unless it is somebody's already; returns whether it is theirs."""
    try:
        with (lesson.folder / "samples" / str(int(sample))).open("x", encoding="utf-8") as file:
            file.write(visitor)
    except FileExistsError:
        return False
    return True


def give_back(lesson: Lesson, visitor: str) -> None:
    """Let go of the sample that a visitor holds and has not run."""
    held = hand(lesson, visitor)
    if held is not None:
        hand_file(lesson, visitor).unlink(missing_ok=True)
        mark = lesson.folder / "samples" / str(held)
        if mark.is_file() and mark.read_text(encoding="utf-8") == visitor:
            mark.unlink(missing_ok=True)


# Bets and what came of them.


def enter(
    lesson: Lesson, cache: Path, visitor: str, name: str, moves: str, price: int, job: str
) -> LessonEntry:
    """Enter a visitor's bet on the sample that they hold, whose attack is `job`. Raises
    LessonClosed, and InvalidInput for a bet that cannot be, and where the visitor holds none."""
    open_now, sample = current(cache), hand(lesson, visitor)
    if open_now is None or open_now.name != lesson.name:
        raise LessonClosed("This lesson is over. Look at the wall, or wait for the next one.")
    if sample is None:
        raise InvalidInput("sample", sample, "one that was dealt")
    (move,) = bets_moved("bet", [moves])
    bet = (nickname("nickname", name), sample, move, price_class("price", price), job)
    for number in range(len(entry_names(lesson)) + 1, MOST_ENTRIES + 1):
        entry = LessonEntry(number, visitor, *bet, time.time())
        try:
            write_once(lesson.folder / "entries" / f"{number}.json", asdict(entry))
        except FileExistsError:  # another visitor was faster: the next number
            continue
        hand_file(lesson, visitor).unlink(missing_ok=True)
        return entry
    raise InvalidInput("entries", MOST_ENTRIES, "fewer: this lesson is full")


def write_once(path: Path, values: dict[str, object]) -> None:
    """Write a file all at once, unless it is there. Raises FileExistsError."""
    making = path.with_name(f".{path.stem}-{secrets.token_hex(4)}")
    making.write_text(json.dumps(values), encoding="utf-8")
    try:
        path.hardlink_to(making)  # fails where the name is taken, unlike a rename
    finally:
        making.unlink(missing_ok=True)


def entry_names(lesson: Lesson) -> list[int]:
    """Return the numbers of all entries, ascending."""
    names = (path.stem for path in (lesson.folder / "entries").glob("*.json"))
    return sorted(int(name) for name in names if name.isdigit())


def read_entry(lesson: Lesson, number: int) -> LessonEntry | None:
    """Read an entry; None where there is none that can be read."""
    try:
        return LessonEntry(**(read_json(lesson.folder / "entries" / f"{number}.json") or {}))
    except TypeError:
        return None


def read_outcome(lesson: Lesson, number: int) -> Outcome | None:
    """Read the outcome of an entry; None while it is not known."""
    try:
        return Outcome(**(read_json(lesson.folder / "outcomes" / f"{number}.json") or {}))
    except TypeError:
        return None


def write_outcome(lesson: Lesson, number: int, outcome: Outcome) -> None:
    """Write down what came of an entry, once and for every server."""
    write_json(lesson.folder / "outcomes" / f"{number}.json", asdict(outcome))


def kept_request(lesson: Lesson, done: Sequence[LessonEntry]) -> LessonRequest:
    """Return the request under which the lesson is kept: these entries, whose attacks are done.
    Raises InvalidInput where there are none."""
    if not done:
        raise InvalidInput("lesson", lesson.name, "one with at least one finished attack")
    return taken_from(
        LessonRequest,
        lesson.attack,
        lesson=lesson.name,
        targets=tuple(entry.sample for entry in done),
        nicknames=tuple(entry.nickname for entry in done),
        bets_moved=tuple(entry.moves for entry in done),
        bets_price=tuple(entry.price for entry in done),
    )
