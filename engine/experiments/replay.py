"""The steps of an attack as an experiment: for results that were kept without them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engine.attacks.result import Replay
from engine.data.dataset import Dataset
from engine.experiments.attack import AttackRequest, attack_cost, find_or_attack, run_attack
from engine.experiments.base import Context, Experiment
from engine.experiments.files import read_parts, read_replay, replay_arrays, write_parts
from engine.options import taken_from

REPLAY_NAME = "replay"


@dataclass(frozen=True)
class ReplayRequest(AttackRequest):
    """The returned run of an attack, step by step: the attack's own fields."""

    @property
    def attack(self) -> AttackRequest:
        """Return the attack that is replayed."""
        return taken_from(AttackRequest, self)


def run_replay(request: ReplayRequest, dataset: Dataset, context: Context) -> Replay:
    """Return the replay that the attack's stored result has, or make the attack again for it.

    Another processor rounds otherwise, and a run may take another path there: `Replay.ends_in` says
    whether it is that of a stored result.
    """
    found = find_or_attack(request.attack, dataset, context).replay
    if found is None:
        found = run_attack(request.attack, dataset, context).replay
    assert found is not None  # every attack of its own keeps it
    return found


def save_replay(result: Replay, folder: Path) -> None:
    write_parts(folder, replay_arrays(REPLAY_NAME, result), {}, {})


def load_replay(folder: Path) -> Replay:
    return read_replay(REPLAY_NAME, read_parts(folder)[0])


def describe_replay(result: Replay) -> str:
    moved = int(np.sum(result.ranks[0] != result.ranks[-1]))
    return (
        f"{len(result.steps)} recorded steps, up to step {result.steps[-1]}; {moved:,} of "
        f"{result.ranks.shape[1]:,} samples changed their rank between the first and the last\n"
        f"  holdout accuracy {result.accuracy[0]:.1%} → {result.accuracy[-1]:.1%}, distance "
        f"{result.distance[0]:.3f} → {result.distance[-1]:.3f} · ‖θ*‖"
    )


REPLAY = Experiment(
    REPLAY_NAME,
    "Replay an attack: every sample's rank at every step of the returned run",
    ReplayRequest,
    run_replay,
    save_replay,
    load_replay,
    describe_replay,
    seconds=attack_cost,
)
