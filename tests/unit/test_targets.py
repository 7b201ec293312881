"""Choosing a target by a click or at random."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from engine.attacks.result import Ranking
from pages.common.asking import refusals, targets

BEFORE = Ranking(np.array([5.0, 9.0, 1.0, 7.0]), np.array([3, 1, 4, 2]))


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    state: dict[str, Any] = {"target": 2}
    monkeypatch.setattr(targets.st, "session_state", state)
    return state


def click(session: dict[str, Any], *indices: int) -> None:
    points = [{"customdata": [index, "label", "0.1", 1]} for index in indices]
    session["chart"] = SimpleNamespace(selection=SimpleNamespace(points=points))
    targets.pick("chart", BEFORE, k=2)


def test_a_click_sets_the_target(session: dict[str, Any]) -> None:
    click(session, 0)
    assert session["target"] == 0
    assert refusals.REFUSAL not in session


@pytest.mark.parametrize("index", [1, 3])
def test_a_click_inside_the_top_k_is_refused_in_words(session: dict[str, Any], index: int) -> None:
    click(session, index)
    assert session["target"] == 2
    said = session[refusals.REFUSAL]
    assert f"Sample {index} is at rank {BEFORE.ranks[index]}" in said
    assert "top 2" in said


def test_a_click_beside_every_point_changes_nothing(session: dict[str, Any]) -> None:
    click(session)
    assert session["target"] == 2


def test_random_targets_are_outside_the_top_k(session: dict[str, Any]) -> None:
    seen = set()
    for _ in range(60):
        targets.random_target(BEFORE, k=2)
        seen.add(session["target"])
    assert seen == {0, 2}
