"""Who may do what: a pure table of actions, roles and modes. Pages ask `pages.common.lab.visitors`,
which knows the visitor; buttons are greyed out by the same table.
"""

from enum import Enum

from engine.errors import EngineError


class Mode(Enum):
    """How the lab is run (IAL_MODE)."""

    LAB = "lab"
    CLASS = "class"


class Role(Enum):
    """Who a visitor is. Outside class mode everybody has the rights of a teacher."""

    STUDENT = "student"
    TEACHER = "teacher"


class Action(Enum):
    """What can be done beside opening pages; the value is what a refusal calls it."""

    COMPUTE = "start short computations"
    COMPUTE_LONG = "start computations that take minutes"
    CANCEL_OWN = "cancel computations of one's own"
    CANCEL_OTHERS = "cancel what others have asked for"
    DELETE = "delete results"
    IMPORT = "import results"
    PREPARE = "prepare data sets"
    CHECK_DATA = "have all files checked"
    UPLOAD = "bring in data"
    REMOVE_DATA = "remove data sets"
    FREEZE = "pause the class"
    LESSON = "open and close a lesson"


class Verdict(Enum):
    """ASK: allowed once the visitor has confirmed it."""

    YES = "yes"
    ASK = "ask"
    NO = "no"


class NotAllowed(EngineError):
    """The visitor may not do this; the message says who may."""


ASKED_FIRST = frozenset({Action.CANCEL_OTHERS, Action.DELETE, Action.REMOVE_DATA})
STUDENTS = frozenset({Action.COMPUTE, Action.CANCEL_OWN})
PAUSED = frozenset({Action.COMPUTE})  # what students cannot do while the teacher has paused


def verdict(action: Action, role: Role, mode: Mode, frozen: bool = False) -> Verdict:
    """Return whether somebody may do something; frozen: the teacher has paused the class."""
    if mode is Mode.CLASS and role is Role.STUDENT:
        allowed = action in STUDENTS and not (frozen and action in PAUSED)
        return Verdict.YES if allowed else Verdict.NO
    if action is Action.CANCEL_OTHERS and mode is Mode.CLASS:
        return Verdict.YES  # the teacher owns the queue
    return Verdict.ASK if action in ASKED_FIRST else Verdict.YES


def refusal(action: Action, role: Role, mode: Mode, frozen: bool = False) -> str:
    """Say why somebody may not do something, as a sentence; empty where they may."""
    if verdict(action, role, mode, frozen) is not Verdict.NO:
        return ""
    if frozen and action in PAUSED:
        return "The teacher has paused new computations. What is computed already opens as before."
    return f"In class mode only the teacher can {action.value}."


def check(action: Action, role: Role, mode: Mode, frozen: bool = False) -> None:
    """Raise NotAllowed where somebody may not do something."""
    why = refusal(action, role, mode, frozen)
    if why:
        raise NotAllowed(why)


def action_of(experiment: str, quick: bool) -> Action:
    """Return what asking for a computation counts as; quick: whether it takes seconds."""
    if experiment == "prepare":
        return Action.PREPARE
    return Action.COMPUTE if quick else Action.COMPUTE_LONG
