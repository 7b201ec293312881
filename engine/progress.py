"""How far a computation is: what it tells while it runs, as whoever waits for it reads it."""

import json
from collections.abc import Callable
from dataclasses import dataclass, fields


@dataclass(frozen=True)
class Runs:
    """Where the active runs of an attack stand after a step, one entry a run: the run's number, the
    target's rank on the attacker's test set, the objective's loss, and the accuracies on both
    halves of the test set, in [0, 1]."""

    run: tuple[int, ...]
    rank: tuple[int, ...]
    loss: tuple[float, ...]
    accuracy_test: tuple[float, ...]
    accuracy_holdout: tuple[float, ...]


@dataclass(frozen=True)
class Progress:
    """One report of a running computation. A field at its default says nothing.

    done, total: finished parts, of how many. step, steps: of the attack, or of the batch of
    attacks, that runs now. runs: that attack's runs. notice: a message for whoever waits.
    last: the part that has just been finished. found: parts that were stored already.
    tried, beaten: random models that were tried, and those that put the target into the top.
    """

    done: int = 0
    total: int = 0
    step: int = 0
    steps: int = 0
    runs: Runs | None = None
    notice: str = ""
    last: str = ""
    found: int = 0
    tried: int = 0
    beaten: int = 0

    @property
    def share(self) -> float:
        """Return the finished share in [0, 1], by parts or else by steps; 0 where neither is
        known."""
        done, total = (self.done, self.total) if self.total else (self.step, self.steps)
        return min(done / total, 1.0) if total else 0.0

    def to_json(self) -> str:
        """Write this report as one line, without empty fields."""
        told = {name: value for name, value in vars(self).items() if value}
        if self.runs is not None:
            told["runs"] = vars(self.runs)
        return json.dumps(told)

    @classmethod
    def from_json(cls, line: str) -> "Progress":
        """Read the report in a line of `to_json`. Fields of another version of the lab are left
        out."""
        told = json.loads(line)
        known = {field.name: told[field.name] for field in fields(cls) if field.name in told}
        if "runs" in known:
            known["runs"] = Runs(**{name: tuple(values) for name, values in told["runs"].items()})
        return cls(**known)


OnProgress = Callable[[Progress], None]  # may raise, which stops the computation


OnStep = Callable[[int, int], None]  # hears done and total; may raise, which stops the computation


def ignore(progress: Progress) -> None:
    """Ignore a report: the default where no caller listens."""


def ignore_step(done: int, total: int) -> None:
    """Ignore a finished step: the default where no caller listens."""
