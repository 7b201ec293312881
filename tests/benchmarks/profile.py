"""What takes the time: processor seconds of five computations on digits and of fairness on Adult.

    python -m tests.benchmarks profile

One thread. Before and after: with what glibc does by itself with freed memory, and with
`reuse_freed_memory`, which attacks and jobs call first. Products: their share of the time after,
all matrix products that torch makes. At last the functions of most time beside them.
"""

import cProfile
import pstats
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from engine.allocation import reuse_freed_memory
from engine.attacks.attack import honest_scores, make_plan
from engine.attacks.minimal import minimal_radius
from engine.attacks.options import AttackOptions, MinimalOptions
from engine.attacks.state import AttackState, Plan, init, step
from engine.data.load import load_dataset, load_fairness_dataset
from engine.fairness.scaling import fairness_scaling
from engine.influence.problem import InfluenceProblem
from engine.models.fit import fit
from engine.scrutiny.leave_one_out import leave_one_out
from engine.scrutiny.sensitivity import sensitivity

TARGETS, STEPS, RADIUS = (917, 918, 919), 20, 0.05  # that never arrive: no run leaves
LEFT_OUT, PROBES, SEARCHED = 200, 256, 500
SHOWN = 3  # functions beside the products
PRODUCTS = ("aten.mm", "aten.addmm", "aten.bmm", "aten.baddbmm", "mkldnn._linear_pointwise")


class Products(TorchDispatchMode):
    """Adds up the processor seconds of torch's matrix products."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds = 0.0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> object:
        if str(func.overloadpacket) not in PRODUCTS:
            return func(*args, **(kwargs or {}))
        began = time.thread_time()
        found = func(*args, **(kwargs or {}))
        self.seconds += time.thread_time() - began
        return found


def seconds(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def several_steps(problem: InfluenceProblem, plan: Plan, state: AttackState) -> None:
    for _ in range(STEPS):
        state, _ = step(problem, plan, state)


def attack_steps(objective: str) -> Callable[[], object]:
    """Return some steps of three attacks in one batch, from where they have warm starts."""
    dataset = load_dataset("digits")
    model, options = fit(dataset, device="cpu"), AttackOptions(radius=RADIUS, objective=objective)
    problem, before = honest_scores(options, model, dataset, "cpu", None)
    sets = [(target,) for target in TARGETS]
    plan = make_plan(options, problem, model, before=before, sets=sets, ks=(1,))
    state = init(plan)
    for _ in range(2):
        state, _ = step(problem, plan, state)
    return partial(several_steps, problem, plan, state)


def works() -> dict[str, tuple[Callable[[], object], int]]:
    """Return each computation, and how often it is repeated: the least time counts."""
    digits = load_dataset("digits")
    model = fit(digits, device="cpu")
    left_out = list(range(LEFT_OUT))
    probes = partial(sensitivity, model, digits, PROBES, device="cpu")
    search = partial(
        minimal_radius, model, digits, [SEARCHED], MinimalOptions(hops=0), device="cpu"
    )
    return {
        f"attack, {len(TARGETS)} at once, {STEPS} steps": (attack_steps("higher_ranked"), 5),
        f"keep accuracy, {len(TARGETS)} at once, {STEPS} steps": (attack_steps("accurate"), 5),
        f"sensitivity, {PROBES} probes": (probes, 5),
        f"leave-one-out, {LEFT_OUT} samples": (partial(leave_one_out, digits, left_out), 2),
        "smallest radius, one target, no hops": (search, 1),
    }


def longest(work: Callable[[], object]) -> str:
    """Name the functions beside the products that take longest, with their share of the time."""
    profile = cProfile.Profile(time.process_time)
    profile.runcall(work)
    stats = pstats.Stats(profile).get_stats_profile()
    found = [
        (entry.tottime / stats.total_tt, name)
        for name, entry in stats.func_profiles.items()
        if not any(product.split(".")[1] in name for product in PRODUCTS)
    ]
    return ", ".join(f"{name} {share:.0%}" for share, name in sorted(found, reverse=True)[:SHOWN])


def main() -> None:
    torch.set_num_threads(1)
    asked = works()
    # The search begins with an attack, which reuses memory: it has no time before, and is the last.
    before = {
        name: min(seconds(work) for _ in range(n)) for name, (work, n) in asked.items() if n > 1
    }
    reuse_freed_memory()
    for name, (work, n) in asked.items():
        after = min(seconds(work) for _ in range(n))
        with Products() as products:
            work()
        gain = f"{before[name]:.2f} s before, " if name in before else ""
        print(
            f"  {name}: {gain}{after:.2f} s after, products {products.seconds / after:.0%}; "
            f"{longest(work)}",
            flush=True,
        )
    adult = partial(fairness_scaling, load_fairness_dataset("adult", say=print))
    print(f"  fairness, Adult, 14 scales: {seconds(adult):.2f} s; {longest(adult)}")


if __name__ == "__main__":
    main()
