"""One step of Algorithm 3 at the size of the paper's Pet data: its products, time and memory.

n = 3680, m = 1835, d = 2048, K = 37, ten runs at once (5 starts x 2 learning rates), float32. A
product is (n x D)·(D x 10K) or its transpose; smaller ones count by their share of its
multiplications. The features are synthetic (`engine.speed.synthetic`); an argument names a features
file to measure instead.
"""

import statistics
import sys
import time

import numpy as np
import torch

import engine.influence.linear as linear
from engine.attacks.attack import starts
from engine.attacks.objectives import ATTACK_OBJECTIVES, Standing, target_ranks
from engine.attacks.state import SOLVE_TOLERANCE, AttackState, Plan, init, step
from engine.data.dataset import Dataset
from engine.data.load import load_dataset
from engine.influence.linear import LinearProblem
from engine.influence.scores import influence_scores
from engine.models.fit import fit
from engine.rows import Factor, times, under
from engine.speed.memory import forget_peak, from_status, settle
from engine.speed.synthetic import synthetic

N, M, D, K, RUNS = 3680, 1835, 2048, 37, 10
RADIUS, STEPS, REPEATS = 0.3, 12, 15


class Products:
    """Counts multiplications in the two large products, in units of (n x D)·(D x 10K)."""

    def __init__(self, unit: float) -> None:
        self.unit, self.total = unit, 0.0
        self.image, self.pull_back = linear.image, linear.pull_back
        linear.image, linear.pull_back = self.counted_image, self.counted_pull_back

    def counted_image(self, X: Factor, V: torch.Tensor) -> torch.Tensor:
        self.total += X.shape[0] * X.shape[1] * V.shape[0] * V.shape[1] / self.unit
        return self.image(X, V)

    def counted_pull_back(
        self,
        M: torch.Tensor,
        X: Factor,
        share: float = 1.0,
        V: torch.Tensor | None = None,
        damping: float = 0.0,
    ) -> torch.Tensor:
        self.total += X.shape[0] * X.shape[1] * M.shape[0] * M.shape[1] / self.unit
        return self.pull_back(M, X, share, V, damping)


def true_residual(problem: LinearProblem, theta: torch.Tensor, x, b) -> float:
    operator = problem.curvature(theta)
    r = b - operator.pull(operator.curved(operator.image(x)), x)
    return float((r.flatten(1).norm(dim=1) / b.flatten(1).norm(dim=1)).max())


def right_hand_sides(problem: LinearProblem, forward, c) -> tuple[torch.Tensor, torch.Tensor]:
    """What the two solves of a step were asked to invert: g and G_c."""
    state = forward.state
    g = linear.pull_back(linear.residuals(state.P_test, state.test.y), state.test.X)
    return g / len(state.test.y), linear.pull_back(c.unsqueeze(1) * state.E, problem.train.X)


def one(problem: LinearProblem, plan: Plan, state: AttackState):
    """The forward and backward pass of a step: what `step` does between recording and moving."""
    forward = problem.forward(state.theta, plan.tolerance, state.warm_scores)
    targets = plan.targets[state.active]
    standing = Standing(forward.scores, targets, target_ranks(forward.scores, targets), 1)
    c = plan.objective.coefficients(standing)
    return forward, c, *problem.gradient(forward, c, plan.gradient_tolerance, state.warm_gradient)


def follow(problem: LinearProblem, dataset: Dataset, plan: Plan, products: Products) -> float:
    """Count and check the first steps of an attack, as long as all of its runs are at work.

    Returns the products of the very first step.
    """
    double = LinearProblem.build(dataset, dtype="float64")
    state = init(plan)
    counts, residuals, cosines = [], [], []
    while state.step < STEPS and len(state.active) == RUNS:
        products.total = 0
        forward, c, gradient, solution = one(problem, plan, state)
        counts.append(products.total)
        g, G = right_hand_sides(problem, forward, c)
        residuals += [
            true_residual(problem, state.theta, forward.solution.x, g),
            true_residual(problem, state.theta, solution.x, G),
        ]
        if state.step in (0, 3):
            exact = double.forward(state.theta[:2].double(), 1e-9)
            reference, _ = double.gradient(exact, c[:2].double(), 1e-9)
            cosine = torch.cosine_similarity(reference, gradient[:2].double(), dim=1)
            cosines.append(float(cosine.min()))
        state, _ = step(problem, plan, state)
    print(
        f"  products a step: {counts[0]:.1f} at the start, mean {statistics.mean(counts):.1f} over "
        f"the {len(counts)} steps before a run arrives ({min(counts):.1f} to {max(counts):.1f})"
    )
    print(f"  largest true residual of a solve {max(residuals):.1e} (asked {SOLVE_TOLERANCE:g})")
    print(f"  gradient's cosine to float64 at 1e-9: at least {min(cosines):.7f}")
    assert max(residuals) <= SOLVE_TOLERANCE
    assert min(cosines) >= 0.9999
    return counts[0]


def main() -> None:
    name = sys.argv[1] if len(sys.argv) > 1 else None
    dataset = synthetic(N, M, D, K) if name is None else load_dataset(name)
    n, width, classes = dataset.n_train, dataset.n_features + 1, dataset.n_classes
    print(f"{dataset.name}: n={n} m={len(dataset.y_test)} D={width} K={classes}, {RUNS} runs")
    model = fit(dataset, max_iterations=200)
    accuracy = model.accuracy(dataset.X_holdout, dataset.y_holdout)
    print(f"  honest model: holdout accuracy {accuracy:.1%}, |gradient| {model.gradient_norm:.1e}")
    ranks = influence_scores(model, dataset).ranks
    target = int(np.flatnonzero(ranks == n // 2)[0])
    settle()
    before = from_status("VmRSS")
    problem = LinearProblem.build(dataset).packed()
    honest = problem.encode(model)
    ball = RADIUS * model.norm
    points = starts(honest[0].double().numpy(), ball, RUNS // 2, 0, [target])
    plan = Plan(
        theta=torch.as_tensor(np.repeat(points, 2, axis=0), dtype=honest.dtype),
        honest=honest,
        targets=torch.full((RUNS, 1), target),
        learning_rates=torch.tensor([0.01, 0.1] * (RUNS // 2)),
        ball=ball,
        k=1,
        steps=100,
        objective=ATTACK_OBJECTIVES["higher_ranked"],
    )
    products = Products(n * width * RUNS * classes)
    first = init(plan)
    count = follow(problem, dataset, plan, products)

    X, V = problem.train.X, torch.randn(RUNS * classes, width)
    rows = torch.randn(RUNS * classes, n)
    assert isinstance(X, torch.Tensor)
    ratios: list[float] = []
    to_torchs: list[float] = []
    seconds: list[float] = []
    for _ in range(REPEATS):  # alternating, so that a busy moment hits both
        began, worked = time.perf_counter(), time.process_time()
        one(problem, plan, first)
        worked = time.process_time() - worked
        seconds.append(time.perf_counter() - began)
        for kept, pair in (
            (ratios, lambda: (times(X, V), under(rows, X))),
            (to_torchs, lambda: (V @ X.T, rows @ X)),
        ):
            began = time.process_time()
            for _ in range(5):
                pair()
            kept.append(worked / (count * (time.process_time() - began) / 10))
    print(
        f"  time of the first step {statistics.median(seconds):.2f} s "
        f"({statistics.median(seconds) / RUNS:.3f} s an attack), "
        f"{statistics.median(ratios):.2f} x its products alone, "
        f"{statistics.median(to_torchs):.2f} x the same by torch's own (median of {REPEATS}, "
        "processor seconds)"
    )
    settle()  # what earlier work has freed is no memory of a step
    forget_peak()
    one(problem, plan, first)
    peak = from_status("VmHWM") - before
    print(f"  peak memory above the features, the problem's own copies included: {peak:.0f} MB")


if __name__ == "__main__":
    main()
