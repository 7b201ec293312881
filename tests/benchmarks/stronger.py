"""Objectives that keep something against Algorithm 3, at equal time, on the same targets at k = 1.

    python -m tests.benchmarks stronger
    python -m tests.benchmarks.stronger [DATASET] [TARGETS] [RADIUS ...]

Targets are those that `sweep` draws. Time is that of the processor, so that other work on the
machine does not count; Algorithm 3 gets restarts until it has taken as long as the slower of the
two others.
"""

import sys
import time
from collections.abc import Sequence

import numpy as np

from engine.attacks.attack import attack_each
from engine.attacks.result import AttackResult
from engine.attacks.sweep import draw_targets
from engine.data.dataset import Dataset
from engine.data.load import load_dataset
from engine.devices import choose_threads
from engine.influence.scores import influence_scores
from engine.models.fit import fit
from engine.models.linear import LinearModel
from engine.settings import read_settings
from engine.statistics import wilson_interval
from engine.vocabulary import ACCURACY_TOLERANCE, QUIET_CORRELATION, QUIET_TOLERANCE, ROUNDING

OUTSIDE = 30  # the honest top from which no target is drawn, as in the published sweeps
AT_ONCE = 5
KEEPING = {  # as published; Algorithm 3 begins with its own 5 starts at 2 rates
    "accurate": {"restarts": 4, "learning_rates": (0.1,)},
    "quiet": {"restarts": 10, "learning_rates": (0.1,), "steps": 200},
}


def timed(
    model: LinearModel, dataset: Dataset, targets: Sequence[int], **options
) -> tuple[list[AttackResult], float]:
    """The attacks, some at once, and the processor's seconds."""
    began, found = time.process_time(), []
    for first in range(0, len(targets), AT_ONCE):
        found += attack_each(model, dataset, targets[first : first + AT_ONCE], **options)
    return found, time.process_time() - began


def share(name: str, hits: list[bool]) -> str:
    low, high = wilson_interval(sum(hits), len(hits))
    return f"{name} {sum(hits)} of {len(hits)} ({low:.0%} to {high:.0%})"


def report(name: str, results: list[AttackResult], seconds: float) -> None:
    lost = [r.accuracy_before - r.runs["accuracy_holdout"] for r in results]
    near = [
        bool((r.runs["reached"] & (drop <= ACCURACY_TOLERANCE + ROUNDING)).any())
        for r, drop in zip(results, lost, strict=True)
    ]
    kept = [r.success and r.accuracy_drop <= ACCURACY_TOLERANCE + ROUNDING for r in results]
    tight = [r.success and r.accuracy_drop <= QUIET_TOLERANCE + ROUNDING for r in results]
    ordered = [r.success and r.rank_correlation >= QUIET_CORRELATION for r in results]
    both = [a and b for a, b in zip(tight, ordered, strict=True)]
    print(f"  {name}: {seconds:.0f} s of the processor")
    print("    high-accuracy: " + "; ".join([share("any_run", near), share("returned", kept)]))
    print(
        "    returned: "
        + "; ".join(
            [
                share("success", [r.success for r in results]),
                share(f"drop <= {100 * QUIET_TOLERANCE:g} point", tight),
                share(f"Spearman >= {QUIET_CORRELATION:g}", ordered),
                share("all three", both),
            ]
        )
    )
    correlation = np.median([r.rank_correlation for r in results])
    drop = 100 * np.median([r.accuracy_drop for r in results])
    print(f"    medians: Spearman {correlation:.2f}, drop {drop:.1f} points", flush=True)


def main() -> None:
    name = sys.argv[1] if len(sys.argv) > 1 else "digits"
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 50
    radii = [float(text) for text in sys.argv[3:]] or [0.5]
    dataset = load_dataset(name, read_settings().data_dir)
    choose_threads(dataset.size)
    model = fit(dataset)
    ranks = influence_scores(model, dataset).ranks
    sets = draw_targets(np.flatnonzero(ranks > OUTSIDE), count, 1, 0)
    targets = [t for (t,) in sets]
    for radius in radii:
        print(f"  {name}, {count} targets, radius {radius:g}")
        slowest = 0.0
        for objective, runs in KEEPING.items():
            options = {"radius": radius, "objective": objective, **runs}
            found, seconds = timed(model, dataset, targets, **options)
            report(objective, found, seconds)
            slowest = max(slowest, seconds)
        restarts, seconds = 5, 0.0
        while seconds < slowest:  # restarts double until they take as long
            found, seconds = timed(model, dataset, targets, radius=radius, restarts=restarts)
            report(f"Algorithm 3, {restarts} restarts at 2 rates", found, seconds)
            restarts *= 2


if __name__ == "__main__":
    main()
