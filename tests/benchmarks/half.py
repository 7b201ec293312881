"""Steps of Algorithm 3 in each precision against full precision, one thread, processor seconds.

    python -m tests.benchmarks half
    python -m tests.benchmarks.half [DATASET ...]

At each size the first steps of ten runs are made in turn in every precision from the same state:
median ratio of times, the least cosine of a gradient to one of solves at 1e-6 (0.999 is asked for),
residuals, and peak memory above what is there before a step, alone and with what an attack keeps of
the features: copies in another basis, order or type. At the paper's Pet size the same step is timed
with the solver that the authors use, LiSSA by automatic differentiation, for one model: some of its
recursions, times their number in the two solves of a step. At last the success of attacks on 50
targets of digits in each precision, where all but full have to be asked for by name. DATASET: a
data set or features file whose steps are compared instead.
"""

import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch

from engine.allocation import reuse_freed_memory
from engine.attacks.attack import attack_each, honest_scores, make_plan
from engine.attacks.options import AttackOptions
from engine.attacks.state import AttackState, Plan, init, step
from engine.attacks.sweep import draw_targets
from engine.data.dataset import Dataset
from engine.data.load import load_dataset
from engine.influence.estimators import Lissa
from engine.influence.linear import LinearProblem
from engine.influence.mixed import in_precision, step_tolerances
from engine.influence.scores import influence_scores
from engine.models.fit import fit
from engine.rows import has_half_product
from engine.settings import read_settings
from engine.speed.memory import MB, Meter, measure_alive
from engine.speed.solvers import product_of, question
from engine.speed.synthetic import synthetic
from engine.statistics import sign_test, wilson_interval
from tests.benchmarks.step import one
from tests.support.kept import bytes_kept

STEPS, REPEATS, RUNS = 3, 7, 10
SIZES = ((3680, 1835, 512, 37), (3680, 1835, 1280, 37), (3680, 1835, 2048, 37))  # n, m, d, K
TARGETS, TARGETS_SEED, OUTSIDE, RADIUS = 50, 2026, 30, 0.3
RECURSIONS = 20


@dataclass(frozen=True)
class Posed:
    """An attack of ten runs on the sample in the middle of the ranking, in each precision."""

    full: LinearProblem
    fixed: LinearProblem
    mixed: LinearProblem
    plan: Plan
    auto: str

    @classmethod
    def of(cls, dataset: Dataset) -> "Posed":
        model = fit(dataset, max_iterations=200)
        ranks = influence_scores(model, dataset).ranks
        target = int(np.flatnonzero(ranks == len(ranks) // 2)[0])
        options = AttackOptions(restarts=RUNS // 2, radius=RADIUS)
        full, before = honest_scores(options, model, dataset, "cpu", None)
        plan = make_plan(options, full, model, before=before, sets=[(target,)], ks=(1,))
        fixed, mixed = (in_precision(full, name)[0] for name in ("fixed", "mixed"))
        assert isinstance(full, LinearProblem) and isinstance(fixed, LinearProblem)
        assert isinstance(mixed, LinearProblem)
        return cls(full, fixed, mixed, plan, in_precision(full, "auto")[1])

    def each(self) -> dict[str, tuple[LinearProblem, Plan]]:
        full = self.full
        problems = {"full": full, "coarse": full, "fixed": self.fixed, "mixed": self.mixed}
        made = {}
        for name, problem in problems.items():
            scores, gradients = step_tolerances(problem, name, self.plan.tolerance)
            plan = replace(self.plan, tolerance=scores, gradient_tolerance=gradients)
            made[name] = problem, plan
        return made


def seconds(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def cosine(posed: Posed, state: AttackState, problem: LinearProblem, plan: Plan) -> float:
    """The least cosine over the runs to the gradient of solves at 1e-6 with the same c."""
    forward, c, gradient, _ = one(problem, plan, state)
    exact = posed.full.forward(state.theta, 1e-6, forward.solution.warm)
    reference, _ = posed.full.gradient(exact, c, 1e-6)
    moving = (c != 0).any(1)  # of a target at the top the gradient is 0
    return float(torch.cosine_similarity(reference, gradient, dim=1)[moving].min())


def moves(posed: Posed, state: AttackState) -> bool:
    """Return whether all runs are at work and one has not arrived: then a step has a gradient."""
    if len(state.active) < RUNS:
        return False
    return bool((one(posed.full, posed.plan, state)[1] != 0).any())


def compare(name: str, dataset: Dataset) -> Posed:
    """Print how steps in all precisions compare."""
    posed = Posed.of(dataset)
    width, classes = dataset.n_features + 1, dataset.n_classes
    print(f"{name}: n={dataset.n_train} D={width} K={classes}, {RUNS} runs; auto is {posed.auto}")
    state = init(posed.plan)
    while state.step < STEPS and moves(posed, state):
        took: dict[str, list[float]] = {name: [] for name in posed.each()}
        for _ in range(REPEATS):
            for which, (problem, plan) in posed.each().items():
                took[which].append(seconds(partial(one, problem, plan, state)))
        words = []
        for which, (problem, plan) in posed.each().items():
            forward, _, _, solution = one(problem, plan, state)
            ratio = statistics.median(a / b for a, b in zip(took["full"], took[which], strict=True))
            words.append(
                f"{which} {1e3 * statistics.median(took[which]):.1f} ms, iterations "
                f"{forward.solution.iterations.mean():.1f} + {solution.iterations.mean():.1f}, "
                f"residual {max(forward.solution.residual.max(), solution.residual.max()):.1e}, "
                f"cosine {cosine(posed, state, problem, plan):.6f}, {ratio:.2f} times as fast"
            )
        print(f"  step {state.step}: {'; '.join(words)}")
        state, _ = step(posed.full, posed.plan, state)
    measure_alive()
    for which, (problem, plan) in posed.each().items():
        meter = Meter(torch.device("cpu"))
        _, peak = meter.measure(partial(one, problem, plan, init(plan)))
        print(
            f"  peak memory of a step in {which} precision: {peak:.0f} MB, "
            f"with the features' copies {peak + bytes_kept(problem) / MB:.0f} MB"
        )
    reuse_freed_memory()
    return posed


def against_lissa(dataset: Dataset, posed: Posed) -> None:
    """Print how many times as long LiSSA takes for the two solves of one attack's first step."""
    model = fit(dataset, max_iterations=20)
    asked, options = question(dataset, model, 0.25, "float32"), Lissa()
    draws, v = np.random.default_rng(0), torch.randn_like(asked.theta)

    def recursions() -> None:
        for _ in range(RECURSIONS):
            chosen = torch.as_tensor(draws.integers(dataset.n_train, size=options.batch_size))
            X, y = asked.task.X[chosen], asked.task.y[chosen]
            product_of(asked.theta, X, y, asked.task.damping)[1](v)

    recursions()
    theirs = []
    times: dict[str, list[float]] = {name: [] for name in posed.each()}
    for _ in range(REPEATS):  # in turn, so that a busy moment hits all
        theirs.append(2 * options.recursions * seconds(recursions) / RECURSIONS)
        for which, (problem, plan) in posed.each().items():
            own = seconds(partial(one, problem, plan, init(plan)))
            times[which].append(theirs[-1] * RUNS / own)
    print(
        f"  LiSSA as the authors run it, two solves of {options.recursions} recursions: "
        f"{statistics.median(theirs):.1f} s"
    )
    for which, ratios in times.items():
        print(f"    {statistics.median(ratios):.0f} times an attack's step in {which} precision")


def success() -> None:
    """Print the success of each precision on the same targets of digits."""
    dataset = load_dataset("digits")
    model = fit(dataset)
    outside = np.flatnonzero(influence_scores(model, dataset).ranks > OUTSIDE)
    targets = [t for (t,) in draw_targets(outside, TARGETS, 1, TARGETS_SEED)]
    moved = {}
    for precision in ("full", "fixed", "mixed"):  # digits are too small for coarse gradients
        began = time.process_time()
        found = []
        for some in range(0, TARGETS, 5):
            part = targets[some : some + 5]
            found += attack_each(model, dataset, part, radius=RADIUS, precision=precision)
        moved[precision] = np.array([r.success for r in found])
        low, high = wilson_interval(int(moved[precision].sum()), TARGETS)
        drop = 100 * np.mean([r.accuracy_drop for r in found])
        print(
            f"  digits, radius {RADIUS:g}, {precision}: {moved[precision].sum()} of {TARGETS} "
            f"({low:.0%} to {high:.0%}), {sum(r.runs['reached'].sum() for r in found)} runs, "
            f"mean drop {drop:.2f} points, {time.process_time() - began:.0f} s"
        )
        only = int((moved["full"] & ~moved[precision]).sum())
        others = int((moved[precision] & ~moved["full"]).sum())
        print(
            f"    against full: {only} moved by full alone, {others} by {precision} alone, "
            f"p {sign_test(only, others):.2f} of the exact sign test"
        )


def main() -> None:
    torch.set_num_threads(1)
    print(f"this CPU multiplies bfloat16 by its own instructions: {has_half_product()}")
    names = sys.argv[1:]
    for name in names:
        compare(name, load_dataset(name, read_settings().data_dir))
    if names:
        return
    compare("digits", load_dataset("digits"))
    for n, m, d, K in SIZES:
        posed = compare("synthetic", synthetic(n, m, d, K))
    against_lissa(synthetic(*SIZES[-1]), posed)
    success()


if __name__ == "__main__":
    main()
