"""The refinement of nearest models against more searches in the same processor time.

    python -m tests.benchmarks.refined [TARGETS]

On targets that the search was tuned on. Both begin from the five searches of one round. Then three
of their nearest models are refined; or searches from other random starts go on until they have had
that time.
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
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 14
    options = MinimalOptions(tolerance=SEARCH_TOLERANCE, refined=3)
    tuning, radii = Tuning.of(options), options.start_radii
    wins = [0, 0]
    for target in tuning.targets[:count]:
        search = tuning.search(target)
        first = searched(search, tuning.starts(target, 0, radii))
        begun = nearest(first, options)
        start = time.process_time()
        fine = min(begun, nearest(refined(search, first), options))
        budget = time.process_time() - start
        start, more, number = time.process_time(), begun, 0
        while time.process_time() - start < budget:
            radius, seed = radii[number % len(radii)], 1 + number // len(radii)
            again = searched(replace(search, best=more), tuning.starts(target, seed, (radius,)))
            more, number = min(more, nearest(again, options)), number + 1
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
