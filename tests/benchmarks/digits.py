"""Attacks on digits: one of 10 runs x 100 steps on a target that never arrives, so that no run
leaves; then thirty targets at radius 0.3, in one process of one thread for each core."""

import os
import statistics
import time
from concurrent.futures import ProcessPoolExecutor
from functools import cache

import numpy as np
import torch

from engine.attacks.attack import attack
from engine.data.dataset import Dataset
from engine.data.load import load_dataset
from engine.devices import choose_threads
from engine.models.fit import fit
from engine.models.linear import LinearModel

THIRTY, RADIUS, SEED = 30, 0.3, 11
OBJECTIVES = ("higher_ranked", "accurate")


@cache
def honest() -> tuple[LinearModel, Dataset]:
    """Train the honest model, once in each process of one thread."""
    torch.set_num_threads(1)
    dataset = load_dataset("digits")
    return fit(dataset, device="cpu"), dataset


def attacked(target: int, objective: str) -> tuple[bool, float]:
    """Return whether the attack succeeded, and its processor seconds."""
    model, dataset = honest()
    began = time.process_time()
    result = attack(model, dataset, target, radius=RADIUS, objective=objective, device="cpu")
    return result.success, time.process_time() - began


def thirty() -> None:
    cores = os.cpu_count() or 1
    targets = np.random.default_rng(SEED).permutation(load_dataset("digits").n_train)[:THIRTY]
    with ProcessPoolExecutor(cores, initializer=honest) as pool:
        list(pool.map(attacked, [3] * cores, OBJECTIVES[:1] * cores))  # all have begun
        for objective in OBJECTIVES:
            began = time.perf_counter()
            found = list(pool.map(attacked, targets.tolist(), [objective] * THIRTY))
            wall, work = time.perf_counter() - began, sum(seconds for _, seconds in found)
            print(
                f"{THIRTY} targets, radius {RADIUS:g}, {objective}: {wall:.1f} s on {cores} "
                f"processes of one thread ({work:.1f} CPU s), {sum(s for s, _ in found)} arrive"
            )


def main() -> None:
    thirty()  # first: its processes are forked before this one has threads of its own
    dataset = load_dataset("digits")
    choose_threads(dataset.size)
    model = fit(dataset)
    seconds = []
    for _ in range(6):
        began = time.perf_counter()
        result = attack(model, dataset, 919, radius=0.05)
        seconds.append(time.perf_counter() - began)
    steps = len(result.trajectory)
    median = statistics.median(seconds[1:])
    print(
        f"one target, {len(result.runs)} runs, {steps} iterates: {median:.2f} s "
        f"(median of 5, {torch.get_num_threads()} thread)"
    )


if __name__ == "__main__":
    main()
