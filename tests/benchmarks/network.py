"""Networks on digits: training, scores, a step of an attack, and how many targets reach rank 1.

Processor time of one thread, so that a busy machine counts less. Targets are drawn from outside the
honest top; 4 runs each (2 starts, 2 learning rates), 100 steps, radius 0.3, damping 0.25.
"""

import sys
import time

import numpy as np
import torch

from engine.attacks.attack import attack
from engine.attacks.result import StepInfo
from engine.data.dataset import load_dataset
from engine.influence.scores import influence_scores
from engine.models.fit_network import fit_network
from engine.models.network import MODULES

TARGETS = {"mlp": 20, "cnn": 3}


def main() -> None:
    torch.set_num_threads(1)
    dataset = load_dataset("digits")
    for kind in sys.argv[1:] or list(MODULES):
        began = time.process_time()
        model = fit_network(dataset, kind)
        print(
            f"{kind}: {model.parameters.size:,} parameters, trained in "
            f"{time.process_time() - began:.1f} s to a gradient of {model.gradient_norm:.0e}, "
            f"holdout accuracy {model.accuracy(*dataset.split('holdout')):.3f}"
        )
        found = influence_scores(model, dataset)
        print(
            f"  scores: {found.seconds:.2f} s, {found.iterations} products, error {found.error:.0e}"
        )
        outside = np.flatnonzero(found.ranks > 1)
        targets = np.random.default_rng(0).permutation(outside)[: TARGETS[kind]]
        reached = accurate = any_run = 0
        steps: list[float] = []
        for target in targets.tolist():
            seen: list[StepInfo] = []
            began = time.process_time()
            result = attack(model, dataset, target, radius=0.3, restarts=2, on_step=seen.append)
            steps.append((time.process_time() - began) / len(seen))
            reached += result.success
            any_run += result.any_run_success
            accurate += result.success and result.accuracy_drop <= 0.03
            print(
                f"  sample {target}: rank {result.before.ranks[target]} → {result.rank_test}, "
                f"{result.rank_holdout} on holdout, accuracy {-100 * result.accuracy_drop:+.1f}, "
                f"Spearman {result.rank_correlation:.2f}, {int(result.runs['reached'].sum())} of "
                f"{len(result.runs)} runs, {len(seen)} steps, {steps[-1]:.2f} s a step",
                flush=True,
            )
        print(
            f"  {reached} of {len(targets)} reached rank 1 ({any_run} in any run), {accurate} of "
            f"them at most 3 points less accurate; {np.median(steps):.2f} s a step (median)"
        )


if __name__ == "__main__":
    main()
