"""Attacks on digits: one of 10 runs x 100 steps on a target that never arrives, so that no run
leaves; then thirty targets at radius 0.3, in one process of one thread for each core: one after the
other, in full precision and with fixed iterations, target by target in turn, so that a busy moment
hits both; and three to a batch, in which torch's calls serve three attacks each."""

import os
import statistics
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from itertools import repeat

import numpy as np
import torch

from engine.attacks.attack import attack, attack_each
from engine.data.dataset import Dataset
from engine.data.load import load_dataset
from engine.devices import choose_threads
from engine.models.fit import fit
from engine.models.linear import LinearModel

THIRTY, RADIUS, SEED = 30, 0.3, 11
TOGETHER = 3  # attacks to a batch
OBJECTIVES = ("higher_ranked", "accurate")
PRECISIONS = ("full", "fixed")


@cache
def honest() -> tuple[LinearModel, Dataset]:
    """Train the honest model, once in each process of one thread."""
    torch.set_num_threads(1)
    dataset = load_dataset("digits")
    return fit(dataset, device="cpu"), dataset


def attacked(targets: list[int], objective: str, precision: str = "full") -> tuple[int, float]:
    """Return how many of the attacks on these targets succeeded, and their processor seconds."""
    model, dataset = honest()
    began = time.process_time()
    found = attack_each(
        model, dataset, targets, radius=RADIUS, objective=objective, precision=precision,
        device="cpu",
    )  # fmt: skip
    return sum(result.success for result in found), time.process_time() - began


def in_turn(target: int, objective: str) -> list[tuple[int, float]]:
    """Attack one target in each precision."""
    return [attacked([target], objective, precision) for precision in PRECISIONS]


def thirty() -> None:
    cores = os.cpu_count() or 1
    targets = np.random.default_rng(SEED).permutation(load_dataset("digits").n_train)[:THIRTY]
    with ProcessPoolExecutor(cores, initializer=honest) as pool:
        list(pool.map(attacked, [[3]] * cores, OBJECTIVES[:1] * cores))  # all have begun
        for objective in OBJECTIVES:
            each = list(pool.map(in_turn, targets.tolist(), repeat(objective)))
            for precision, found in zip(PRECISIONS, zip(*each, strict=True), strict=True):
                say(f"{objective}, {precision}", found)
            batches = [batch.tolist() for batch in np.split(targets, THIRTY // TOGETHER)]
            for precision in PRECISIONS:
                many = pool.map(attacked, batches, repeat(objective), repeat(precision))
                say(f"{objective}, {precision}, {TOGETHER} to a batch", many)


def say(what: str, found: Iterable[tuple[int, float]]) -> None:
    """Print how many of thirty attacks arrived, and their processor seconds in all."""
    arrived, seconds = zip(*found, strict=True)
    print(
        f"{THIRTY} targets, radius {RADIUS:g}, {what}: {sum(seconds):.1f} CPU s, "
        f"{sum(arrived)} arrive",
        flush=True,
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
