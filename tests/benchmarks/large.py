"""Larger than memory: scores and one attack step on features that stay on disk.

A folder of arrays is made for each of three sizes, up to 500,000 samples of 256 features in ten
classes, and opened in a fresh process, whose largest resident set is read at the end (the mapped
file's pages in memory are among it). The cost per row is the slope of a line through the three.
"""

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from engine.attacks.objectives import ATTACK_OBJECTIVES, Standing, target_ranks
from engine.data.load import load_dataset
from engine.influence.linear import LinearProblem
from engine.models.fit import fit
from engine.speed.memory import from_status, largest_ever

SIZES = (125_000, 250_000, 500_000)
N_TEST, N_FEATURES, N_CLASSES = 10_000, 256, 10
ROWS = 25_000  # made at a time


def write(folder: Path, n: int, seed: int = 0) -> None:
    """Overlapping classes, float16 on disk."""
    folder.mkdir()
    rng = np.random.default_rng(seed)
    centres = 0.25 * rng.standard_normal((N_CLASSES, N_FEATURES))
    for split, count in (("train", n), ("test", N_TEST)):
        y = np.arange(count) % N_CLASSES
        X = np.lib.format.open_memmap(
            folder / f"X_{split}.npy", mode="w+", dtype=np.float16, shape=(count, N_FEATURES)
        )
        for start in range(0, count, ROWS):
            some = y[start : start + ROWS]
            X[start : start + ROWS] = centres[some] + rng.standard_normal((len(some), N_FEATURES))
        X.flush()
        np.save(folder / f"y_{split}.npy", y)


def timed(act: Callable[[], Any]) -> tuple[Any, float]:
    began = time.perf_counter()
    result = act()
    return result, time.perf_counter() - began


def measure(folder: Path) -> None:
    """In a process of its own: seconds of each part, and the largest memory."""
    base = from_status("VmRSS")
    dataset, opening = timed(lambda: load_dataset(folder))
    model, fitting = timed(lambda: fit(dataset, max_iterations=50))
    problem, building = timed(lambda: LinearProblem.build(dataset))
    forward, scoring = timed(lambda: problem.forward(problem.encode(model), 1e-6))
    target = torch.tensor([[int(forward.scores[0].argsort()[dataset.n_train // 2])]])
    standing = Standing(forward.scores, target, target_ranks(forward.scores, target), 1)

    def step() -> None:
        found = problem.forward(problem.encode(model), 1e-3)
        problem.gradient(found, ATTACK_OBJECTIVES["higher_ranked"].coefficients(standing), 1e-3)

    _, stepping = timed(step)
    parts = {"open": opening, "fit": fitting, "eigenbasis": building, "scores": scoring}
    print(json.dumps({**parts, "step": stepping, "peak_mb": largest_ever(), "base_mb": base}))


def main() -> None:
    found = {}
    for n in SIZES:
        place = Path(tempfile.mkdtemp(prefix="large-"))
        write(place / "large", n)
        child = [sys.executable, "-m", "tests.benchmarks.large", str(place / "large")]
        done = subprocess.run(child, check=True, capture_output=True, text=True)
        shutil.rmtree(place)
        found[n] = json.loads(done.stdout)
        said = ", ".join(f"{k} {v:.1f} s" for k, v in found[n].items() if not k.endswith("_mb"))
        print(
            f"{n:,} × {N_FEATURES} × {N_CLASSES} classes ({n * N_FEATURES * 4 / 2**20:,.0f} MB as "
            f"float32): {said}; at most {found[n]['peak_mb']:,.0f} MB, "
            f"{found[n]['base_mb']:,.0f} MB of them before the data",
            flush=True,
        )
    for name, unit, factor in (("scores", "µs", 1e6), ("step", "µs", 1e6), ("peak_mb", "B", 2**20)):
        slope = np.polyfit(SIZES, [found[n][name] for n in SIZES], 1)[0]
        print(f"{name.removesuffix('_mb')}: {slope * factor:.3g} {unit} a row")


if __name__ == "__main__":
    measure(Path(sys.argv[1])) if len(sys.argv) > 1 else main()
