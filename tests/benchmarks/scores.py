"""Scores alone, 50,000 x 512 features of 10 classes: features as they are against rotated ones.

Both ways solve to the same tolerance, in turn in one process; times are CPU seconds of this process
on one thread, the least of several rounds. The public call, which measures its error too, comes
last, in both ways too: rotated is how it was made at first.
"""

import sys
import time
from collections.abc import Callable
from functools import partial

import torch

import engine.influence.scores as public
from engine.data.dataset import Dataset
from engine.influence.linear import LinearProblem
from engine.influence.scores import influence_scores
from engine.models.fit import fit
from engine.models.linear import LinearModel
from engine.speed.synthetic import synthetic

N, M, D, K, ROUNDS, TOLERANCE = 50_000, 2_000, 512, 10, 3, 1e-6


def seconds(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def scores(model: LinearModel, dataset: Dataset, rotated: bool) -> torch.Tensor:
    problem = LinearProblem.build(dataset, device="cpu", rotated=rotated)
    return problem.forward(problem.encode(model), TOLERANCE).scores[0]


def main() -> None:
    torch.set_num_threads(1)
    dataset = synthetic(N, M, D, K)
    model = fit(dataset, max_iterations=15, device="cpu")
    plain, rotated = (scores(model, dataset, rotated) for rotated in (False, True))
    apart = float(torch.linalg.vector_norm(plain - rotated) / torch.linalg.vector_norm(rotated))
    best = {True: float("inf"), False: float("inf")}
    for _ in range(ROUNDS):
        for way in best:
            best[way] = min(best[way], seconds(partial(scores, model, dataset, way)))
    calls: dict[bool, list[float]] = {True: [], False: []}
    for _ in range(ROUNDS):
        for way, kept in calls.items():
            public.ROTATED_BELOW = sys.maxsize if way else 0
            kept.append(seconds(lambda: influence_scores(model, dataset, device="cpu")))
    first, call = min(calls[True]), min(calls[False])
    print(f"n={N:,} d={D} K={K}: the two ways differ by {apart:.1e}")
    print(
        f"  rotated {best[True]:.2f} s, as they are {best[False]:.2f} s: "
        f"{best[True] / best[False]:.1f} x; the public call with its error {first:.2f} and "
        f"{call:.2f} s: {first / call:.1f} x"
    )


if __name__ == "__main__":
    main()
