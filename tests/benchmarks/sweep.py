"""A sweep: what a run takes of the memory budget, and the time of the paper's grid on digits.

50 targets x 5 restarts x 2 learning rates x 5 radii x 4 k, as `python -m engine sweep` has it by
default, without a store: nothing is found, nothing is kept.
"""

import time

import numpy as np

from engine.attacks.attack import attack_each_k
from engine.attacks.batch import bytes_per_run
from engine.attacks.options import AttackOptions
from engine.attacks.rates import highest, success_rates
from engine.attacks.sweep import sweep
from engine.data.dataset import Dataset
from engine.data.load import load_dataset
from engine.influence.linear import LinearProblem
from engine.influence.scores import influence_scores
from engine.models.fit import fit
from engine.speed.memory import forget_peak, from_status
from engine.speed.synthetic import synthetic

KS, RADII, TARGETS = (1, 3, 10, 30), (0.05, 0.1, 0.3, 0.5, 1.0), 50
STEPS, ATTACKS = 6, 2  # in which memory has long reached its peak


def memory(dataset: Dataset) -> None:
    """Peak above the features of a few steps, beside the estimate that batches are cut by."""
    model = fit(dataset, max_iterations=30)
    ranks = influence_scores(model, dataset).ranks
    targets = np.flatnonzero(ranks > dataset.n_train // 2)[:ATTACKS].tolist()
    problem = LinearProblem.build(dataset)
    before = from_status("VmRSS")
    forget_peak()
    found = attack_each_k(model, dataset, targets, KS, AttackOptions(steps=STEPS), problem=problem)
    runs = sum(len(by_k[KS[0]].runs) for by_k in found)
    estimate = runs * bytes_per_run(dataset, "float32") / 1e6
    taken = from_status("VmHWM") - before
    print(
        f"  {dataset.name}: {runs} runs take {taken:.0f} MB above the features, estimated "
        f"{estimate:.0f} MB"
    )


def main() -> None:
    digits = load_dataset("digits")
    memory(digits)
    memory(synthetic(3680, 1835, 2048, 37))
    began = time.perf_counter()
    table = sweep(digits, TARGETS, RADII, KS)
    seconds = time.perf_counter() - began
    print(f"  {len(table)} rows (an attack and k each) in {seconds / 60:.1f} minutes")
    rates = success_rates(table).query("split == 'test'")
    print(highest(rates)[["k", "regime", "form", "radius", "rate", "low", "high"]].to_string())


if __name__ == "__main__":
    main()
