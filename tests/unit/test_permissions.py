"""Who may do what, for every action, role and mode, as the issue states it."""

from itertools import product

import pytest

from pages.common.lab import permissions
from pages.common.lab.permissions import Action, Mode, NotAllowed, Role, Verdict

# What a student may do; whatever is added to the actions must be entered here or is refused.
STUDENT_MAY = {Action.COMPUTE, Action.CANCEL_OWN}
ASKED_IN_LAB = {Action.CANCEL_OTHERS, Action.DELETE, Action.REMOVE_DATA}
ASKED_TEACHER = {Action.DELETE, Action.REMOVE_DATA}


@pytest.mark.parametrize(
    ("action", "role", "mode", "frozen"), [*product(Action, Role, Mode, (False, True))]
)
def test_every_action_for_every_role_in_every_mode(
    action: Action, role: Role, mode: Mode, frozen: bool
) -> None:
    if mode is Mode.LAB:
        expected = Verdict.ASK if action in ASKED_IN_LAB else Verdict.YES
    elif role is Role.TEACHER:
        expected = Verdict.ASK if action in ASKED_TEACHER else Verdict.YES
    else:
        may = action in STUDENT_MAY and not (frozen and action is Action.COMPUTE)
        expected = Verdict.YES if may else Verdict.NO
    assert permissions.verdict(action, role, mode, frozen) is expected
    why = permissions.refusal(action, role, mode, frozen)
    assert bool(why) == (expected is Verdict.NO)
    if expected is Verdict.NO:
        with pytest.raises(NotAllowed) as error:
            permissions.check(action, role, mode, frozen)
        assert str(error.value) == why
    else:
        permissions.check(action, role, mode, frozen)


def test_refusals_say_who_may_and_that_it_is_paused() -> None:
    student = (Role.STUDENT, Mode.CLASS)
    said = permissions.refusal(Action.DELETE, *student)
    assert said == "In class mode only the teacher can delete results."
    assert "paused" in permissions.refusal(Action.COMPUTE, *student, frozen=True)
    assert "only the teacher" in permissions.refusal(Action.COMPUTE_LONG, *student, frozen=True)


@pytest.mark.parametrize(
    ("experiment", "quick", "action"),
    [
        ("attack", True, Action.COMPUTE),
        ("attack", False, Action.COMPUTE_LONG),
        ("ranking", True, Action.COMPUTE),
        ("sweep", False, Action.COMPUTE_LONG),
        ("prepare", True, Action.PREPARE),
    ],
)
def test_what_a_computation_counts_as(experiment: str, quick: bool, action: Action) -> None:
    assert permissions.action_of(experiment, quick) is action
