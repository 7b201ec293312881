"""Scores alone by six solvers in one run, and how each grows: `python -m tests.benchmarks solvers`.

The solvers are those of torch-influence, dattri and pyDVL, written anew in `tests.support.solvers`.
Last, what of the distance between LiSSA as the paper runs it and the closed form is the solver's:
the paper's rewriting with a good solver lies between the two. Processor seconds.
"""

import time

import torch

from engine.influence.estimators import Lissa
from engine.influence.linear import LinearProblem
from tests.support.solvers import (
    BASE,
    LABELS,
    SOLVERS,
    Question,
    by_lissa,
    measure_solvers,
    pose,
    scores_by,
)

ATTACK = {"n": 5000, "d": 512, "classes": 10}


def least(solver: str, q: Question, times: int = 3) -> tuple[float, float]:
    """The least processor time of a solver, and the products that it took."""
    seconds = []
    for _ in range(times):
        began = time.process_time()
        found = scores_by(solver, q)
        seconds.append(time.process_time() - began)
    return min(seconds), found.products


def main() -> None:
    torch.set_num_threads(1)
    table, exponents = measure_solvers()
    print(f"scores of all samples, one thread, float32; where one size varies, others as {BASE}")
    for solver in SOLVERS:
        own = table[table["solver"] == solver]
        print(f"\n{LABELS[solver]}: error {own['error'].min():.1e} to {own['error'].max():.1e}")
        for axis, group in own.groupby("axis", sort=False):
            grown = exponents.query("axis == @axis and solver == @solver")["exponent"].iloc[0]
            pairs = zip(group["value"].tolist(), group["seconds"].tolist(), strict=True)
            points = [f"{value}: {1e3 * seconds:.1f} ms" for value, seconds in pairs]
            print(f"  {axis:8s} {' | '.join(points)}; grows as {axis}^{grown:.2f}")
    q = pose(**ATTACK, seed=0)
    ours, good, plain = (
        least(name, q) for name in ("closed_form", "preconditioned", "conjugate_gradients")
    )
    began = time.process_time()
    found = by_lissa(q, 0.0, Lissa())
    papers = time.process_time() - began
    began = time.process_time()
    LinearProblem.build(q.dataset, q.task.damping, device="cpu", rotated=False)
    once = time.process_time() - began
    print(
        f"\nAt {ATTACK}: the paper's rewriting with LiSSA as the paper runs it {papers:.1f} s "
        f"({found.products:.0f} products of H), with plain conjugate gradients {plain[0]:.3f} s "
        f"({plain[1]:.0f}), with a good solver {good[0]:.3f} s ({good[1]:.0f}); the closed form "
        f"{ours[0]:.3f} s ({ours[1]:.0f}), of which {once:.3f} s once per data set."
    )
    print(
        f"The solver makes a factor of {papers / good[0]:.0f}, and the closed form, its data set "
        f"prepared, another of {good[0] / (ours[0] - once):.1f}."
    )


if __name__ == "__main__":
    main()
