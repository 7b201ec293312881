"""The published results that the story is told from."""

from dataclasses import dataclass
from typing import cast

import pandas as pd

from engine.attacks.result import AttackResult, Replay
from engine.data.dataset import Dataset
from engine.experiments import (
    FairnessRequest,
    ImpossibleRequest,
    LeaveOneOutResult,
    PaymentsResult,
)
from engine.experiments.impossible import ImpossibleResult
from engine.fairness.result import FairnessResult
from engine.results.store import Stored
from pages.attack.parts import replay_view
from pages.common.asking import door, links
from pages.common.lab import published_results

TABLE, METRIC = "adult", "dp"  # of the step about fairness
IMPOSSIBLE = ImpossibleRequest(k=1)


@dataclass(frozen=True, eq=False)
class Sources:
    """One result a step: the attack and its course, exact retraining without each sample, payments
    to vendors, rankings by two halves of the test data, the impossible sample, fairness, Newton
    steps. `stored`: as they are kept, for their origin."""

    dataset: Dataset
    attack: AttackResult
    replay: Replay
    removed: LeaveOneOutResult
    paid: PaymentsResult
    halves: pd.DataFrame
    impossible: ImpossibleResult
    fairness: FairnessResult
    polish: pd.DataFrame
    stored: tuple[Stored, ...]


def published(role: str) -> Stored | None:
    """Return the published result that plays a role for the example's data."""
    for name, experiment, request in published_results.with_role():
        if name == role and request.dataset == links.EXAMPLE.dataset:
            return door.find_published(experiment, request)
    return None


def collect(dataset: Dataset) -> Sources | None:
    """Return what the story needs; None where something of it is not published here."""
    attack = door.find_published("attack", links.EXAMPLE)
    found = (
        attack,
        *(published(role) for role in ("usual", "payments", "halves")),
        door.find_published("impossible", IMPOSSIBLE),
        door.find_published("fairness", FairnessRequest(TABLE, metric=METRIC)),
        published("polish"),
    )
    replay = None if attack is None else replay_view.replay_of(attack, links.EXAMPLE)
    if replay is None or any(one is None for one in found):
        return None
    stored = cast(tuple[Stored, ...], found)
    made, removed, paid, halves, impossible, fairness, polish = (one.result for one in stored)
    return Sources(
        dataset, made, replay, removed, paid, halves, impossible, fairness, polish, stored
    )
