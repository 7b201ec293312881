"""A measurement in a process of its own: `python -m engine.speed.measure FOLDER`.

FOLDER holds request.json, whose 'what' names the measurement, and what that needs; every row found
is one line of JSON in answers.jsonl. A fresh process has no memory to reuse and no cache filled by
the implementation before it.
"""

import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from engine.allocation import reuse_freed_memory
from engine.attacks.objectives import ATTACK_OBJECTIVES, Standing, target_ranks
from engine.attacks.state import SOLVE_TOLERANCE
from engine.devices import resolve_device
from engine.influence.estimators import cg_iterations
from engine.influence.linear import LinearProblem
from engine.rows import has_wide_product, wide_product
from engine.speed.child import ANSWERS, REQUEST, Row
from engine.speed.implementations import GradientProblem, prepare
from engine.speed.memory import (
    Meter,
    limit_memory,
    measure_alive,
    out_of_memory,
    timed,
)
from engine.speed.result import OK
from engine.speed.solvers import BASE, SIZES, fitting, measured_at, pose, scores_by
from engine.speed.synthetic import synthetic

PROBLEM, GRADIENT = "problem.npz", "gradient.npz"
Tell = Callable[[Row], None]


def describe(device: torch.device) -> str:
    """Name the device: 'cpu (2 threads)', or the GPU's name."""
    if device.type == "cuda":
        return f"{device} ({torch.cuda.get_device_name(device)})"
    threads = torch.get_num_threads()
    return f"cpu ({threads} thread{'' if threads == 1 else 's'})"


def seconds_of(work: Callable[[], None], repeats: int) -> dict[str, float]:
    """Measure median, fastest and slowest of `repeats` runs, in seconds."""
    took = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        took.append(time.perf_counter() - began)
    return {
        "seconds": statistics.median(took),
        "seconds_min": min(took),
        "seconds_max": max(took),
    }


def warm_up(name: str, dtype: str, device: str) -> None:
    """Run on a tiny problem first, so that no measure includes loading and starting threads."""
    d = synthetic(20, 10, 4, 2)
    tiny = GradientProblem(
        d.X_train, d.y_train, d.X_test, d.y_test, np.zeros((2, 5)), np.ones(20), 0.25
    )
    prepare(name, tiny, 1e-3, dtype, device).step()
    if has_wide_product():  # which so small a problem does not take
        rows = torch.zeros(64, 64)
        wide_product(wide_product(rows, rows), rows.T)


def measure_gradient(folder: Path, request: Row, say: Tell) -> None:
    """Measure one row of `compare_gradients`, and save the gradient beside it."""
    name, dtype = request["implementation"], request["dtype"]
    device = resolve_device(request["device"])
    measure_alive()
    warm_up(name, dtype, request["device"])
    problem = GradientProblem.load(folder / PROBLEM)
    meter = Meter(device)
    row: Row = {"device": describe(device), "memory_by": meter.by}
    if request["memory_limit_mb"] is not None:
        limit_memory(device, request["memory_limit_mb"])
    try:
        began = time.perf_counter()
        prepared, row["preparation_mb"] = meter.measure(
            lambda: prepare(name, problem, request["tolerance"], dtype, request["device"])
        )
        row["preparation_seconds"] = time.perf_counter() - began
        row["prepared_mb"] = meter.kept()
        (gradient, row["iterations"]), row["peak_mb"] = meter.measure(prepared.step)
        reuse_freed_memory()
        row |= seconds_of(timed(prepared.step, device), request["repeats"])
    except (MemoryError, RuntimeError) as error:
        if not out_of_memory(error):
            raise
        limit = request["memory_limit_mb"]
        words = f"out of memory budget: needs more than {limit:,.0f} MB above the data"
        say(row | {"status": words})
        return
    np.savez(folder / GRADIENT, gradient=prepared.decode(gradient))
    say(row | {"status": OK})


def measure_memory(folder: Path, request: Row, say: Tell) -> None:
    """Measure peak memory, in MB, at every point of `measure_scaling`."""
    device = resolve_device(request["device"])
    measure_alive()
    warm_up("closed_form", "float32", request["device"])
    meter = Meter(device)
    for point in request["points"]:
        _, peak = meter.measure(attack_step(point, request))
        say({"peak_mb": peak, "memory_by": meter.by})


def measure_seconds(folder: Path, request: Row, say: Tell) -> None:
    """Measure time, in seconds, at every point of `measure_scaling`."""
    device = resolve_device(request["device"])
    reuse_freed_memory()
    for point in request["points"]:
        work = timed(attack_step(point, request), device)
        work()
        say({**seconds_of(work, request["repeats"]), "device": describe(device)})


def attack_step(point: Row, request: Row) -> Callable[[], object]:
    """Return a step on ready data: forward pass, objective and gradient of `batch` random θ.

    Both solves do a fixed number of iterations: how many a tolerance needs depends on how
    well-conditioned the data are, not on their size alone.
    """
    n, batch, solver = point["n"], point["batch"], cg_iterations(request["iterations"])
    dataset = synthetic(n, point["m"], point["d"], point["classes"], request["seed"])
    device = request["device"]
    problem = LinearProblem.build(dataset, dtype="float32", device=device, estimator=solver)
    width = point["d"] + 1
    generator = np.random.default_rng(request["seed"])
    random = generator.standard_normal((batch, point["classes"] * width)) / width**0.5
    theta = torch.as_tensor(random, dtype=torch.float32, device=problem.train.X.device)
    targets = torch.full((batch, 1), n // 2, device=theta.device)

    def step() -> object:
        forward = problem.forward(theta, SOLVE_TOLERANCE)
        standing = Standing(forward.scores, targets, target_ranks(forward.scores, targets), 1)
        c = ATTACK_OBJECTIVES["higher_ranked"].coefficients(standing)
        return problem.gradient(forward, c, SOLVE_TOLERANCE)

    return step


def measure_solvers(folder: Path, request: Row, say: Tell) -> None:
    """Measure a row of `compare_solvers` for each solver at each point, memory at the first."""
    torch.set_num_threads(1)
    device = torch.device("cpu")
    measure_alive()
    smallest = BASE | {axis: values[0] for axis, values in SIZES.items()}
    tiny = pose(**smallest, seed=request["seed"])
    for solver in fitting(smallest):  # nothing is loaded within a measurement
        scores_by(solver, tiny)
    meter = Meter(device)
    said = {"device": describe(device), "memory_by": meter.by}
    for place, point in enumerate(request["points"]):
        at_first = meter if place == 0 else None
        for row in measured_at(point, request["seed"], request["repeats"], at_first):
            say(row | said)


MEASUREMENTS = {
    "gradient": measure_gradient,
    "memory": measure_memory,
    "seconds": measure_seconds,
    "solvers": measure_solvers,
}


def main() -> None:
    folder = Path(sys.argv[1])
    request = json.loads((folder / REQUEST).read_text(encoding="utf-8"))
    with (folder / ANSWERS).open("a", encoding="utf-8") as lines:

        def say(row: Row) -> None:
            lines.write(json.dumps(row) + "\n")
            lines.flush()

        MEASUREMENTS[request["what"]](folder, request, say)


if __name__ == "__main__":
    main()
