"""Networks on digits: training, scores, a step of an attack, and how many targets reach rank 1.

    python -m tests.benchmarks network
    python -m tests.benchmarks.network [mlp] [cnn]

Processor time of one thread, so that a busy machine counts less. The same targets, drawn from
outside the honest top, for every objective; 4 runs each (2 starts, 2 learning rates), at most 100
steps, radius 0.3, damping 0.25. Counts are of the returned model, with 95% Wilson intervals.
"""

import sys
import time
from typing import Any

import numpy as np
import torch

from engine.attacks.attack import attack
from engine.attacks.result import AttackResult, StepInfo
from engine.data.dataset import Dataset
from engine.data.load import load_dataset
from engine.influence.scores import influence_scores
from engine.models.fit_network import fit_network
from engine.models.network import MODULES, Network
from engine.vocabulary import ACCURACY_TOLERANCE, ROUNDING
from tests.benchmarks.stronger import share

TARGETS = 20
OBJECTIVES = ("higher_ranked", "accurate")


def trained(dataset: Dataset, kind: str) -> Network:
    began = time.process_time()
    model = fit_network(dataset, kind)
    both = [model.accuracy(*dataset.split(split)) for split in ("test", "holdout")]
    print(
        f"{kind}: {model.parameters.size:,} parameters, trained in "
        f"{time.process_time() - began:.1f} s to a gradient of {model.gradient_norm:.0e}, "
        f"accuracy {both[0]:.3f} on test, {both[1]:.3f} on holdout"
    )
    return model


def timed(
    model: Network, dataset: Dataset, target: int, objective: str
) -> tuple[AttackResult, int]:
    """One attack, reported, and its steps."""
    seen: list[StepInfo] = []
    options: dict[str, Any] = {"radius": 0.3, "restarts": 2, "objective": objective}
    began = time.process_time()
    result = attack(model, dataset, target, on_step=seen.append, **options)
    seconds = time.process_time() - began
    print(
        f"    sample {target}: rank {result.before.ranks[target]} → {result.rank_test}, "
        f"{result.rank_holdout} on holdout, accuracy {-100 * result.accuracy_drop:+.1f}, Spearman "
        f"{result.rank_correlation:.2f}, {int(result.runs['reached'].sum())} of "
        f"{len(result.runs)} runs, {len(seen)} steps in {seconds:.0f} s",
        flush=True,
    )
    return result, len(seen)


def main() -> None:
    torch.set_num_threads(1)
    dataset = load_dataset("digits")
    for kind in sys.argv[1:] or list(MODULES):
        model = trained(dataset, kind)
        found = influence_scores(model, dataset)
        print(
            f"  scores: {found.seconds:.2f} s, {found.iterations} products, error {found.error:.0e}"
        )
        outside = np.flatnonzero(found.ranks > 1)
        targets = np.random.default_rng(0).permutation(outside)[:TARGETS].tolist()
        for objective in OBJECTIVES:
            print(f"  {objective}")
            began, results, steps = time.process_time(), [], 0
            for target in targets:
                result, count = timed(model, dataset, target, objective)
                results.append(result)
                steps += count
            seconds = time.process_time() - began
            kept = [r.accuracy_drop <= ACCURACY_TOLERANCE + ROUNDING for r in results]
            print(
                "  "
                + "; ".join(
                    [
                        share("rank 1", [r.success for r in results]),
                        share("in any run", [r.any_run_success for r in results]),
                        share(
                            f"and at most {100 * ACCURACY_TOLERANCE:g} points less accurate",
                            [r.success and k for r, k in zip(results, kept, strict=True)],
                        ),
                    ]
                )
                + f"; {seconds / len(targets):.0f} s a target, {seconds / steps:.2f} s a step",
                flush=True,
            )


if __name__ == "__main__":
    main()
