"""A GPU against the processor beside it: scores and the steps of an attack (10 runs at once) at
four sizes, features synthetic but for digits. Without a GPU there is nothing to compare.
"""

import statistics
import time
from collections.abc import Callable

import torch

from engine import attack, fit, influence_scores, load_dataset
from engine.data.dataset import Dataset
from engine.devices import choose_threads
from engine.speed.synthetic import synthetic

SIZES = {  # n_train, n_test, n_features, n_classes
    "CIFAR-10 subset": (5000, 1000, 1280, 10),
    "Oxford-IIIT Pet": (3680, 1835, 2048, 37),
    "Caltech-101": (6941, 868, 1280, 101),
}
RADIUS = 0.02  # so small that no run arrives and leaves
STEPS = {"cuda": 20, "cpu": 3}
REPEATS = {"cuda": 3, "cpu": 1}


def seconds(work: Callable[[], object], repeats: int) -> float:
    """The median time of some work, on whatever device."""
    taken = []
    for _ in range(repeats):
        torch.cuda.synchronize()
        began = time.perf_counter()
        work()
        torch.cuda.synchronize()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def measure(name: str, dataset: Dataset) -> None:
    choose_threads(dataset.size)
    model = fit(dataset, max_iterations=200 if name in SIZES else 2000)
    scores, steps = {}, {}
    for device, count in STEPS.items():

        def ranked(device: str = device) -> object:
            return influence_scores(model, dataset, device=device)

        def attacked(device: str = device, count: int = count) -> object:
            return attack(model, dataset, 919, radius=RADIUS, steps=count, device=device)

        ranked()
        if device == "cuda":
            attacked()  # its kernels are loaded
            torch.cuda.reset_peak_memory_stats()
        scores[device] = seconds(ranked, REPEATS[device])
        steps[device] = seconds(attacked, REPEATS[device]) / count
    print(
        f"{name} {dataset.X_train.shape}, {dataset.n_classes} classes: scores "
        f"{1e3 * scores['cuda']:.0f} ms against {1e3 * scores['cpu']:.0f} ms; a step "
        f"{1e3 * steps['cuda']:.0f} ms against {1e3 * steps['cpu']:.0f} ms "
        f"({steps['cpu'] / steps['cuda']:.1f} x), {torch.cuda.max_memory_allocated() / 1e6:.0f} MB",
        flush=True,
    )


def main() -> None:
    if not torch.cuda.is_available():
        print("PyTorch sees no GPU on this machine: nothing to compare")
        return
    print(f"{torch.cuda.get_device_name(0)}, PyTorch {torch.__version__}")
    measure("digits", load_dataset("digits"))
    for name, size in SIZES.items():
        measure(name, synthetic(*size))


if __name__ == "__main__":
    main()
