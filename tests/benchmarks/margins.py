"""Accuracy kept by the margins of `test` against a bound on the training loss, in the search for
the smallest radius.

    python -m tests.benchmarks.margins [TARGETS] [FIRST]

On targets that the search was tuned on, from the FIRST-th of them. Both search from the same five
starts of one round, and refine five of the nearest models. A model counts where it loses no more
accuracy on `test` than a search may; holdout is not looked at.
"""

import sys
import time
from dataclasses import replace

import torch

from engine.attacks.minimal import refined
from engine.attacks.options import MinimalOptions
from engine.statistics import sign_test
from engine.vocabulary import SEARCH_TOLERANCE
from tests.benchmarks.tuning import SAME, Tuning, nearest, searched


def main() -> None:
    torch.set_num_threads(1)
    given = [int(text) for text in sys.argv[1:]]
    count, first = [*given, *(12, 0)[len(given) :]]
    loss = MinimalOptions(tolerance=SEARCH_TOLERANCE, refined=5)
    tuning, wins = Tuning.of(loss), [0, 0]
    for target in tuning.targets[first : first + count]:
        starts, radii, seconds = tuning.starts(target, 0, loss.start_radii), [], []
        for options in (loss, replace(loss, margins=True)):
            begun, search = time.process_time(), tuning.search(target, options)
            tried = searched(search, starts)
            radii.append(nearest([*tried, *refined(search, tried)], options))
            seconds.append(time.process_time() - begun)
        wins[0] += radii[1] < (1 - SAME) * radii[0]
        wins[1] += radii[0] < (1 - SAME) * radii[1]
        print(
            f"  {target}: loss {radii[0]:.4f} in {seconds[0]:.1f} s; margins {radii[1]:.4f} in "
            f"{seconds[1]:.1f} s",
            flush=True,
        )
    print(f"  margins nearer {wins[0]}, loss nearer {wins[1]}, p {sign_test(*wins):.3f}")


if __name__ == "__main__":
    main()
