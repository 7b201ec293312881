"""Attacks that leave the gauge out against those that do not, on the same targets of digits.

    python -m tests.benchmarks gauge

Targets are drawn outside the honest top 30 by a seed that no published result uses. Success and
accuracy are those of the returned model, p is the exact sign test on the targets that one of the
two alone has moved; at last all four comparisons together, target by target.
"""

import time
from typing import Any

import numpy as np
import torch

from engine.attacks.attack import attack_each
from engine.attacks.sweep import draw_targets
from engine.data.load import load_dataset
from engine.influence.scores import influence_scores
from engine.models.fit import fit
from engine.statistics import sign_test, wilson_interval

TARGETS, SEED, OUTSIDE, AT_ONCE, RADII = 250, 20_261_130, 30, 5, (0.2, 0.3)
OBJECTIVES: dict[str, dict[str, Any]] = {
    "higher_ranked": {},
    "accurate": {"restarts": 4, "learning_rates": (0.1,)},
}


def main() -> None:
    torch.set_num_threads(1)
    dataset = load_dataset("digits")
    model = fit(dataset)
    outside = np.flatnonzero(influence_scores(model, dataset).ranks > OUTSIDE)
    targets = [t for (t,) in draw_targets(outside, TARGETS, 1, SEED)]
    gained = np.zeros(TARGETS, dtype=np.int64)
    for radius in RADII:
        for objective, options in OBJECTIVES.items():
            moved = []
            for free in (False, True):
                began, found = time.process_time(), []
                for first in range(0, TARGETS, AT_ONCE):
                    some = targets[first : first + AT_ONCE]
                    asked = options | {"radius": radius, "objective": objective}
                    found += attack_each(model, dataset, some, **asked, gauge_free=free)
                moved.append(np.array([r.success for r in found]))
                hits = int(moved[-1].sum())
                low, high = wilson_interval(hits, TARGETS)
                drop = 100 * np.mean([r.accuracy_drop for r in found if r.success])
                print(
                    f"  radius {radius:g}, {objective}, {'without' if free else 'with'} gauge: "
                    f"{hits} of {TARGETS} ({low:.0%} to {high:.0%}), mean drop {drop:.2f} points, "
                    f"{time.process_time() - began:.0f} s of the processor",
                    flush=True,
                )
            only = int((moved[0] & ~moved[1]).sum()), int((moved[1] & ~moved[0]).sum())
            print(f"    only with {only[0]}, only without {only[1]}, p {sign_test(*only):.3f}")
            gained += moved[1].astype(int) - moved[0]
    fewer, more = int((gained < 0).sum()), int((gained > 0).sum())
    print(f"  all: {more} targets moved more often, {fewer} less, p {sign_test(fewer, more):.1e}")


if __name__ == "__main__":
    main()
