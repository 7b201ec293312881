"""The refinement of nearest models against more searches in the same processor time.

    python -m tests.benchmarks.refined [TARGETS]

On targets of digits that the search was tuned on (`TUNING_SEEDS`), never on those that are
reported. Both begin from the five searches of one round. Then three of their nearest models are
refined; or searches from other random starts go on until they have had that time.
"""

import sys
import time
from dataclasses import replace

import numpy as np
import torch

from engine.attacks.attack import honest_scores
from engine.attacks.minimal import (
    Tried,
    attack_of,
    honest_ranks,
    refined,
    search_from,
    starts_of,
)
from engine.attacks.options import MinimalOptions
from engine.attacks.radius_search import Search, Trail
from engine.attacks.sweep import draw_targets
from engine.data.load import load_dataset
from engine.experiments.minimal_radius import TUNING_SEEDS, TUNING_TARGETS
from engine.influence.linear import LinearProblem
from engine.models.fit import fit
from engine.models.linear import as_linear
from engine.statistics import sign_test
from engine.vocabulary import SEARCH_TOLERANCE

SAME = 1e-3  # of the radius: what does not count as a difference


def nearest(tried: list[Tried], options: MinimalOptions) -> float:
    return min((seen.radius for one in tried if (seen := one.nearest(options))), default=np.inf)


def main() -> None:
    torch.set_num_threads(1)
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 14
    options = MinimalOptions(tolerance=SEARCH_TOLERANCE, refined=3)
    dataset = load_dataset("digits")
    model = as_linear(fit(dataset))
    asked = attack_of(options, options.start_radii[0])
    problem, before = honest_scores(asked, model, dataset, "cpu", None)
    assert isinstance(problem, LinearProblem)
    theta = problem.encode(model)
    loss = float(problem.training_loss(theta, 0.0)[0])
    outside = np.flatnonzero(honest_ranks(model, dataset, options) > options.k)
    drawn = draw_targets(outside, TUNING_TARGETS, 1, TUNING_SEEDS[0])

    def round_of(search: Search, number: int, radii: tuple[float, ...]) -> list[Tried]:
        again = replace(options, seed=number, start_radii=radii)
        target, tried = search.target, list[Tried]()
        for start in starts_of(again, problem, model, dataset, (target,), "cpu")[target]:
            best = min(search.best, nearest(tried, options))
            tried.append(search_from(replace(search, best=best), start))
        return tried

    wins = [0, 0]
    for (target,) in drawn[:count]:
        search = Search(
            problem, theta, model.norm, float(before.accuracy), loss, target, options,
            Trail(options.steps),
        )  # fmt: skip
        first = round_of(search, 0, tuple(options.start_radii))
        begun = nearest(first, options)
        start = time.process_time()
        fine = min(begun, nearest(refined(search, first), options))
        budget = time.process_time() - start
        start, more, number = time.process_time(), begun, 0
        while time.process_time() - start < budget:
            radius = options.start_radii[number % len(options.start_radii)]
            seed = 1 + number // len(options.start_radii)
            found = round_of(replace(search, best=more), seed, (radius,))
            more, number = min(more, nearest(found, options)), number + 1
        wins[0] += fine < (1 - SAME) * more
        wins[1] += more < (1 - SAME) * fine
        print(
            f"  {target}: {begun:.4f}; refined {fine:.4f} in {budget:.1f} s; {number} more "
            f"searches {more:.4f} in {time.process_time() - start:.1f} s",
            flush=True,
        )
    print(f"  refined nearer {wins[0]}, more searches nearer {wins[1]}, p {sign_test(*wins):.3f}")


if __name__ == "__main__":
    main()
