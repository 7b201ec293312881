"""How one attack step grows with the samples, the features, the classes and the runs at once.

A step is the forward pass, the objective and the gradient, as in an attack's loop; one size is
varied at a time. Its data are there before (synthetic, rotated into their eigenbasis).
"""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from engine.checks import check_choice, check_integer
from engine.devices import resolve_device
from engine.errors import EngineError, InvalidInput
from engine.progress import OnProgress, Progress, ignore
from engine.speed.child import Row, run_child
from engine.speed.result import AXES, Scaling, growth_exponents

BASE = {"n": 2000, "d": 256, "classes": 10, "batch": 10}
SIZES: dict[str, tuple[int, ...]] = {
    "n": (500, 1000, 2000, 4000, 8000, 16_000, 32_000),
    "d": (32, 64, 128, 256, 512, 1024, 2048),
    "classes": (2, 4, 8, 16, 32, 64, 128),
    "batch": (1, 2, 5, 10, 20, 40, 80),
}
ITERATIONS = 6  # of each solve; to an attack's 1e-3 they need 4 to 6
SMALLEST = {"n": 4, "d": 1, "classes": 2, "batch": 1}
COLUMNS = ["axis", "value", "n", "m", "d", "classes", "batch"]
MEASURED = ["seconds", "seconds_min", "seconds_max", "peak_mb"]


def check_base(base: object) -> dict[str, int]:
    """Check the sizes, and return one for each axis; axes that are not given are as in BASE. Raises
    InvalidInput."""
    if not isinstance(base, Mapping):
        raise InvalidInput("base", base, "a mapping from an axis to its size")
    for name in base:
        check_choice("axis", name, AXES)
    return {a: check_integer(f"base['{a}']", base.get(a, BASE[a]), SMALLEST[a]) for a in AXES}


def points_of(sizes: object, base: Mapping[str, int]) -> list[dict[str, int | str]]:
    """Make one point per axis and value, the other sizes at `base`, with n/2 test samples.

    Raises InvalidInput.
    """
    if not isinstance(sizes, Mapping):
        raise InvalidInput("sizes", sizes, "a mapping from an axis to a sequence of sizes")
    points: list[dict[str, int | str]] = []
    for axis, values in sizes.items():
        check_choice("axis", axis, AXES)
        if not isinstance(values, Sequence):
            raise InvalidInput(f"sizes['{axis}']", values, "a sequence of sizes")
        for value in values:
            size = {**base, axis: check_integer(f"sizes['{axis}']", value, SMALLEST[axis])}
            if size["n"] < 2 * size["classes"]:
                at_least = f"at least two for each of the {size['classes']} classes"
                raise InvalidInput("n", size["n"], at_least)
            points.append({"axis": axis, "value": value, "m": size["n"] // 2, **size})
    if not points:
        raise InvalidInput("sizes", sizes, "at least one axis with at least one size")
    return points


def measure(
    what: str,
    request: Row,
    known: Sequence[Row] | None,
    tell: OnProgress,
) -> list[Row]:
    """Measure a row per point, each with its sizes and what is `known` of it. Points count as done
    where something is. Raises EngineError."""
    points = request["points"]
    rows: list[Row] = []

    def beat() -> None:
        tell(Progress(len(rows) if known else 0, len(points)))

    def keep(row: Row) -> None:
        rows.append(points[len(rows)] | (known[len(rows)] if known else {}) | row)
        beat()

    with tempfile.TemporaryDirectory(prefix="speed-") as folder:
        failure = run_child(Path(folder), {"what": what, **request}, keep, beat)
    if failure is not None:
        at = f"{points[len(rows)]['axis']} = {points[len(rows)]['value']}"
        raise EngineError(f"The measurement ended at {at}: {failure}. Ask for smaller sizes.")
    return rows


def measure_scaling(
    sizes: Mapping[str, Sequence[int]] = SIZES,
    base: Mapping[str, int] = BASE,
    iterations: int = ITERATIONS,
    repeats: int = 5,
    seed: int = 0,
    device: str = "auto",
    on_progress: OnProgress = ignore,
) -> Scaling:
    """Measure time and memory of one attack step along each axis of `sizes`, and fit exponents.

    sizes: axis → values to try, axes as in `result.AXES`; base: where the other sizes stay.
    iterations: of conjugate gradients in each solve, fixed, so that the exponents measure cost per
    size and not the conditioning of the data. Memory is measured first, at all points, in a fresh
    process; then time, in another.
    on_progress hears of the points of which both are known, after each and every two seconds; it
    may raise, which stops the process at work.
    Raises InvalidInput, DeviceUnavailable, EngineError.
    """
    base = check_base(base)
    points = points_of(sizes, base)
    iterations = check_integer("iterations", iterations, 1)
    repeats = check_integer("repeats", repeats, 1)
    seed = check_integer("seed", seed, 0)
    resolve_device(device)
    request = {
        "points": points,
        "iterations": iterations,
        "repeats": repeats,
        "seed": seed,
        "device": device,
    }
    memory = measure("memory", request, None, on_progress)
    rows = measure("seconds", request, memory, on_progress)
    table = pd.DataFrame(rows)
    return Scaling(
        base=base,
        iterations=iterations,
        seed=seed,
        repeats=repeats,
        device=rows[0]["device"],
        memory_by=rows[0]["memory_by"],
        table=table[COLUMNS + MEASURED],
        exponents=growth_exponents(table),
    )
