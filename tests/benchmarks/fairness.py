"""The fairness pipeline on Adult: 18 scales, time and peak memory; German, as the page runs it.

The ratio beside the published code: its Hessian is a sum of n outer products, held as one n×d×d
array; ours is a matrix product. Both are made here, on as many rows as fit.
"""

import time

import numpy as np

from engine.data.load import load_fairness_dataset
from engine.fairness.scaling import Pipeline, analyse, fairness_scaling
from engine.speed.memory import forget_peak, from_status
from engine.vocabulary import DEFAULT_SCALES

SCALES = (*DEFAULT_SCALES, 1.25, 1.5, 1.75, 2.0)
ROWS = 4000  # of the outer products: all of Adult's would take 1.9 GB


def main() -> None:
    adult = load_fairness_dataset("adult", say=print)
    before = from_status("VmRSS")
    forget_peak()
    began = time.perf_counter()
    fairness_scaling(adult, SCALES)
    seconds, taken = time.perf_counter() - began, from_status("VmHWM")
    print(
        f"  Adult, {len(SCALES)} scales: {seconds:.1f} s, peak {taken:.0f} MB in all, "
        f"{taken - before:.0f} MB above the data"
    )
    X = adult.X_train[:ROWS]
    w = np.full(ROWS, 0.25)
    began = time.perf_counter()
    product = (X * w[:, None]).T @ X
    ours = time.perf_counter() - began
    began = time.perf_counter()
    outer = (w[:, None, None] * X[:, :, None] * X[:, None, :]).sum(axis=0)
    theirs = time.perf_counter() - began
    assert np.allclose(product, outer)
    print(f"  Hessian of {ROWS} rows: outer products take {theirs / ours:.0f} times as long")
    german = load_fairness_dataset("german", say=print)
    began = time.perf_counter()
    analyse(Pipeline(german))
    print(f"  German with the search: {time.perf_counter() - began:.2f} s")


if __name__ == "__main__":
    main()
