"""One attack on digits, 10 runs x 100 steps: a target that never arrives, so that no run leaves."""

import statistics
import time

import torch

from engine.attacks.attack import attack
from engine.data.load import load_dataset
from engine.devices import choose_threads
from engine.models.fit import fit


def main() -> None:
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
