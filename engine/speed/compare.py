"""Naive autograd, the paper's rewriting and the closed form on one attack step, side by side.

Each runs in a fresh process under a memory limit; one that does not fit is a row that says so. The
step is an attack's first: θ lies on the sphere of the radius around a model trained for a few
iterations, c is the paper's objective for a target in the middle of the ranking, held fixed.
"""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from engine.attacks.objectives import ATTACK_OBJECTIVES, Standing, target_ranks
from engine.checks import check_choice, check_integer, check_positive
from engine.devices import resolve_device
from engine.errors import EngineError, InvalidInput
from engine.influence.linear import LinearProblem
from engine.progress import OnProgress, Progress, ignore
from engine.speed.child import Row, run_child
from engine.speed.implementations import GradientProblem
from engine.speed.measure import GRADIENT, PROBLEM
from engine.speed.memory import available
from engine.speed.result import IMPLEMENTATIONS, OK, GradientComparison
from engine.speed.synthetic import start_of_attack, synthetic
from engine.vocabulary import DAMPING, DTYPES

REFERENCE_TOLERANCE = 1e-10
MEMORY_LIMIT_MB = 12_000.0  # the GPU on which the paper could not run the naive form
MEMORY_SHARE = 0.8  # of what the machine has free that a process may take
NUMBERS = (
    "seconds",
    "seconds_min",
    "seconds_max",
    "peak_mb",
    "preparation_seconds",
    "preparation_mb",
    "prepared_mb",
    "iterations",
    "relative_difference",
    "cosine",
)


@dataclass(frozen=True)
class Shape:
    """Sizes of a problem: samples of train and test, features, classes."""

    n: int
    m: int
    d: int
    classes: int


SHAPES = {
    5_130: Shape(5000, 1000, 512, 10),
    75_813: Shape(3680, 1835, 2048, 37),  # the paper's Pet
    206_949: Shape(6941, 868, 2048, 101),  # its Caltech-101
}
OTHER_CLASSES, OTHER_N, LARGEST = 10, 3680, 100_000  # for any other number of parameters


def shape_of(n_parameters: object, n_train: object = None) -> Shape:
    """Return the sizes with K·(d+1) = n_parameters; given n_train, half as many test samples.

    Raises InvalidInput.
    """
    K = OTHER_CLASSES
    possible = (
        f"{', '.join(str(p) for p in SHAPES)}, or a multiple of {K} in [{3 * K}, {LARGEST}], which "
        f"is {K} classes on that many features and a bias"
    )
    try:
        number = check_integer("n_parameters", n_parameters, 1)
    except InvalidInput:
        raise InvalidInput("n_parameters", n_parameters, possible) from None
    shape = SHAPES.get(number)
    if shape is None:
        if number % K or not 3 * K <= number <= LARGEST:
            raise InvalidInput("n_parameters", n_parameters, possible)
        shape = Shape(OTHER_N, OTHER_N // 2, number // K - 1, K)
    if n_train is None:
        return shape
    n = check_integer("n_train", n_train, 2 * shape.classes)
    return Shape(n, n // 2, shape.d, shape.classes)


def pose(
    shape: Shape, damping: float, seed: int, device: str
) -> tuple[GradientProblem, NDArray[np.float64]]:
    """Make the step to measure, and its gradient by the closed form in float64."""
    dataset = synthetic(shape.n, shape.m, shape.d, shape.classes, seed)
    model = start_of_attack(dataset, 0, seed, device)
    linear = LinearProblem.build(dataset, damping, dtype="float64", device=device)
    forward = linear.forward(linear.encode(model), REFERENCE_TOLERANCE)
    target = forward.scores.argsort(dim=1, descending=True)[:, shape.n // 2 : shape.n // 2 + 1]
    standing = Standing(forward.scores, target, target_ranks(forward.scores, target), 1)
    c = ATTACK_OBJECTIVES["higher_ranked"].coefficients(standing)
    gradient, _ = linear.gradient(forward, c, REFERENCE_TOLERANCE)
    problem = GradientProblem(
        X_train=dataset.X_train,
        y_train=dataset.y_train,
        X_test=dataset.X_test,
        y_test=dataset.y_test,
        parameters=model.parameters,
        coefficients=c[0].cpu().numpy(),
        damping=damping,
    )
    return problem, linear.decode(gradient[0]).ravel()


def run_implementation(
    folder: Path, request: Row, beat: Callable[[], None]
) -> tuple[Row, NDArray[np.float64] | None]:
    """Return the row that one process measured, and its gradient (K·(d+1),) or None."""
    rows: list[Row] = []
    (folder / GRADIENT).unlink(missing_ok=True)
    failure = run_child(folder, {"what": "gradient", **request}, rows.append, beat)
    if failure is not None or not rows:
        return {"status": f"ended without a result: {failure}"}, None
    if rows[0]["status"] != OK:
        return rows[0], None
    with np.load(folder / GRADIENT, allow_pickle=False) as archive:
        return rows[0], archive["gradient"]


def differ(found: NDArray[np.float64], reference: NDArray[np.float64]) -> dict[str, float]:
    """Return the relative difference and the cosine of two gradients."""
    norm = np.linalg.norm(reference)
    return {
        "relative_difference": float(np.linalg.norm(found - reference) / norm),
        "cosine": float(found @ reference / (np.linalg.norm(found) * norm)),
    }


def measure_all(
    problem: GradientProblem, request: Row, tell: OnProgress
) -> tuple[Row, NDArray[np.float64], pd.DataFrame]:
    """Measure every implementation in a process of its own, after one that computes the reference
    in float64: the reference's row and gradient (K·(d+1),), and a row an implementation.

    Raises EngineError where the reference fails.
    """
    table: list[Row] = []

    def beat() -> None:
        tell(Progress(len(table), len(IMPLEMENTATIONS)))

    with tempfile.TemporaryDirectory(prefix="speed-") as name:
        folder = Path(name)
        problem.save(folder / PROBLEM)
        exact = {"implementation": "rewritten", "tolerance": REFERENCE_TOLERANCE}
        once = {"dtype": "float64", "repeats": 1, "memory_limit_mb": None}
        facts, reference = run_implementation(folder, request | exact | once, beat)
        if reference is None:
            raise EngineError(f"The float64 reference failed: {facts['status']}")
        for implementation in IMPLEMENTATIONS:
            asked = {**request, "implementation": implementation}
            row, gradient = run_implementation(folder, asked, beat)
            found = row if gradient is None else row | differ(gradient, reference)
            numbers = {name: found.get(name) for name in NUMBERS}
            table.append({"implementation": implementation, "status": row["status"], **numbers})
            beat()
    measured = pd.DataFrame(table).astype(dict.fromkeys(NUMBERS, np.float64))
    return facts, reference, measured


def compare_gradients(
    n_parameters: int = 5_130,
    n_train: int | None = None,
    seed: int = 0,
    damping: float = DAMPING,
    tolerance: float = 1e-6,
    repeats: int = 5,
    memory_limit_mb: float = MEMORY_LIMIT_MB,
    dtype: str = "float32",
    device: str = "auto",
    on_progress: OnProgress = ignore,
) -> GradientComparison:
    """Measure time, peak memory and gradient of one attack step by each of three implementations.

    n_parameters: a key of SHAPES, or a multiple of 10; n_train replaces that shape's own. All
    implementations solve to the same tolerance ‖residual‖ <= tolerance·‖right-hand side‖ (an
    attack's steps use 1e-3). memory_limit_mb: what each process may take above its loaded data, at
    most 80% of what the machine has free; one that needs more is a row whose status says so.
    on_progress hears of the finished implementations, after each, every two seconds while a process
    is at work, and before the data are made; it may raise, which stops the process.
    Raises InvalidInput, DeviceUnavailable, EngineError.
    """
    shape = shape_of(n_parameters, n_train)
    seed = check_integer("seed", seed, 0)
    damping = check_positive("damping", damping)
    tolerance = check_positive("tolerance", tolerance)
    repeats = check_integer("repeats", repeats, 1)
    limit = check_positive("memory_limit_mb", memory_limit_mb)
    check_choice("dtype", dtype, DTYPES)
    resolve_device(device)
    on_progress(Progress(0, len(IMPLEMENTATIONS)))
    problem, closed_form = pose(shape, damping, seed, device)
    limit = min(limit, MEMORY_SHARE * free_memory(device))
    request = {
        "tolerance": tolerance,
        "dtype": dtype,
        "device": device,
        "repeats": repeats,
        "memory_limit_mb": limit,
    }
    facts, reference, table = measure_all(problem, request, on_progress)
    return GradientComparison(
        n_parameters=problem.parameters.size,
        n_train=shape.n,
        n_test=shape.m,
        n_features=shape.d,
        n_classes=shape.classes,
        damping=damping,
        tolerance=tolerance,
        dtype=dtype,
        seed=seed,
        repeats=repeats,
        device=facts["device"],
        memory_limit_mb=limit,
        memory_by=facts["memory_by"],
        reference_difference=differ(closed_form, reference)["relative_difference"],
        table=table,
    )


def free_memory(device: str) -> float:
    """Return how many MB the device has free."""
    where = resolve_device(device)
    return torch.cuda.mem_get_info(where)[0] / 2**20 if where.type == "cuda" else available()
