"""Scores alone by the solvers of other libraries, written here anew and shortly, on one problem.

Each finds s = (H + λI)⁻¹ g for the test gradient g and returns Definition 1's scores −⟨∇L(z_i), s⟩.
All but the closed form know a loss and nothing of its structure: Hessian products come from
automatic differentiation, twice backward, and the scores from one derivative along s.

    conjugate_gradients   as in torch-influence: plain conjugate gradients
    preconditioned        the same products with the preconditioner of the closed form: what the
                          paper's rewriting costs with a good solver
    arnoldi               as in dattri: the Hessian within a Krylov space of a random direction
    lissa                 as in dattri and the paper (Algorithm 2): a recursion over batches
    explicit              as pyDVL's direct: all columns of the Hessian, then its Cholesky factor
    closed_form           ours

Two of them make something once per data set, `PREPARED`, which serves every later solve.
"""

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.autograd import grad

from engine.allocation import reuse_freed_memory
from engine.checks import check_choice, check_integer
from engine.data.dataset import Dataset
from engine.errors import EngineError
from engine.influence.estimators import Lissa
from engine.influence.linear import LinearProblem
from engine.models.linear import LinearModel
from engine.progress import OnProgress, Progress, ignore
from engine.speed.autograd import GradientTask, losses, mean_loss, solve
from engine.speed.child import Row, run_child
from engine.speed.memory import Meter
from engine.speed.result import SolverComparison, growth
from engine.speed.synthetic import start_of_attack, synthetic
from engine.vocabulary import DAMPING

TOLERANCE = 1e-3  # of the solves that have one
DIRECTIONS = 100  # of the Krylov space; dattri's own default is as many
MOST_COLUMNS = 2_000  # of an explicit Hessian that is made
LARGE = {"n": 5000, "d": 512, "classes": 10}  # where memory is measured too
BASE = {"n": 1000, "d": 64, "classes": 10}
SIZES: dict[str, tuple[int, ...]] = {
    "n": (500, 1000, 2000, 4000),
    "d": (32, 64, 128, 256),
    "classes": (4, 8, 16, 32),
}


@dataclass(frozen=True)
class Question:
    """Whose scores are asked for: a task, θ (K·D,), and the same as data set and model."""

    task: GradientTask
    theta: Tensor
    dataset: Dataset
    model: LinearModel


@dataclass(frozen=True)
class Answer:
    """scores (n,), and the products of H with a vector over all training samples that it took."""

    scores: Tensor
    products: float


def question(dataset: Dataset, model: LinearModel, damping: float, dtype: str) -> Question:
    kind = {"float32": torch.float32, "float64": torch.float64}[dtype]

    def with_ones(X: np.ndarray) -> Tensor:
        features = torch.as_tensor(X, dtype=kind)
        return torch.cat([features, features.new_ones(len(features), 1)], 1)

    X, X_test = with_ones(dataset.X_train), with_ones(dataset.X_test)
    y, y_test = torch.as_tensor(dataset.y_train), torch.as_tensor(dataset.y_test)
    theta = torch.as_tensor(model.parameters, dtype=kind).flatten()
    return Question(GradientTask(X, y, X_test, y_test, damping), theta, dataset, model)


def product_of(
    theta: Tensor, X: Tensor, y: Tensor, damping: float
) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
    """Return θ with a graph, and v → (H + λI) v of the mean loss, twice backward."""
    theta = theta.detach().requires_grad_()
    (gradient,) = grad(mean_loss(theta, X, y), theta, create_graph=True)

    def product(v: Tensor) -> Tensor:
        return grad(gradient, theta, v, retain_graph=True)[0] + damping * v

    return theta, product


def gradient_on_test(q: Question) -> Tensor:
    theta = q.theta.detach().requires_grad_()
    return grad(mean_loss(theta, q.task.X_test, q.task.y_test), theta)[0]


def scores_along(q: Question, s: Tensor) -> Tensor:
    """−⟨∇L(z_i), s⟩ for all i at once: how the losses change along s, (n,)."""
    task = q.task
    return -torch.func.jvp(lambda t: losses(t, task.X, task.y), (q.theta,), (s,))[1]


def by_conjugate_gradients(q: Question, tolerance: float) -> Answer:
    _, product = product_of(q.theta, q.task.X, q.task.y, q.task.damping)
    s, iterations = solve(product, gradient_on_test(q), tolerance)
    return Answer(scores_along(q, s), iterations)


@dataclass(frozen=True)
class Eigenbasis:
    """Eigenvalues (D,) and eigenvectors (D, D) of XᵀX/n, the latter as columns."""

    values: Tensor
    vectors: Tensor

    @classmethod
    def of(cls, q: Question) -> Self:
        X = q.task.X
        values, vectors = torch.linalg.eigh(X.T @ X / len(X))
        return cls(values.clamp(min=0), vectors)


def by_preconditioned(q: Question, tolerance: float, basis: Eigenbasis | None = None) -> Answer:
    """Conjugate gradients whose products are automatic, with the closed form's preconditioner."""
    basis = basis or Eigenbasis.of(q)
    task, g = q.task, gradient_on_test(q)
    _, product = product_of(q.theta, task.X, task.y, task.damping)
    K, D = len(q.model.parameters), task.X.shape[1]
    P = torch.softmax(task.X @ q.theta.view(K, D).T, 1)
    share, C = torch.linalg.eigh(torch.diag(P.mean(0)) - P.T @ P / len(P))
    inverse = 1 / (share.clamp(min=0).unsqueeze(1) * basis.values + task.damping)

    def precondition(r: Tensor) -> Tensor:
        inside = (C.T @ r.view(K, D) @ basis.vectors) * inverse
        return (C @ inside @ basis.vectors.T).flatten()

    s, r = torch.zeros_like(g), g
    z = precondition(r)
    d, rz, done = z, r @ z, 0
    while bool(torch.linalg.vector_norm(r) > tolerance * torch.linalg.vector_norm(g)):
        Ad = product(d)
        alpha = rz / (d @ Ad)
        s, r = s + alpha * d, r - alpha * Ad
        z = precondition(r)
        rz, before = r @ z, rz
        d, done = z + rz / before * d, done + 1
    return Answer(scores_along(q, s), done)


def by_arnoldi(q: Question, tolerance: float, directions: int = DIRECTIONS) -> Answer:
    """H within the span of v, Hv, H²v, … of a random v, orthonormalised: V T Vᵀ, and s is
    V (T + λI)⁻¹ Vᵀ g. What g has outside that space is lost; there is no tolerance."""
    _, product = product_of(q.theta, q.task.X, q.task.y, 0.0)
    g = gradient_on_test(q)
    generator = torch.Generator().manual_seed(0)
    v = torch.randn(len(g), generator=generator).to(g.dtype)
    basis, images = [v / torch.linalg.vector_norm(v)], []
    for _ in range(min(directions, len(g))):
        images.append(product(basis[-1]))
        rest = images[-1]
        for _ in range(2):  # once more, against rounding
            V = torch.stack(basis, 1)
            rest = rest - V @ (V.T @ rest)
        length = torch.linalg.vector_norm(rest)
        if bool(length <= 1e-6 * torch.linalg.vector_norm(images[-1])) or len(basis) == len(g):
            break
        basis.append(rest / length)
    V, HV = torch.stack(basis[: len(images)], 1), torch.stack(images, 1)
    T = V.T @ HV
    values, vectors = torch.linalg.eigh((T + T.T) / 2)
    inside = vectors.T @ (V.T @ g)
    s = V @ (vectors @ (inside / (values + q.task.damping)))
    return Answer(scores_along(q, s), len(images))


def by_lissa(q: Question, tolerance: float, options: Lissa | None = None) -> Answer:
    """h ← g + h − (H_batch + λI) h/scale, s = h/scale; it ends with its samples, at no
    tolerance."""
    o = options or Lissa()
    draws, g, task = np.random.default_rng(o.seed), gradient_on_test(q), q.task
    h = g
    for _ in range(o.recursions):
        chosen = torch.as_tensor(draws.integers(len(task.y), size=o.batch_size))
        _, product = product_of(q.theta, task.X[chosen], task.y[chosen], task.damping)
        h = g + h - product(h) / o.scale
    return Answer(scores_along(q, h / o.scale), o.recursions * o.batch_size / len(task.y))


def by_explicit(q: Question, tolerance: float) -> Answer:
    """Every column of H + λI by a product, then Cholesky; there is no tolerance."""
    _, product = product_of(q.theta, q.task.X, q.task.y, q.task.damping)
    eye, g = torch.eye(len(q.theta), dtype=q.theta.dtype), gradient_on_test(q)
    H = torch.stack([product(column) for column in eye])
    s = torch.cholesky_solve(g.unsqueeze(1), torch.linalg.cholesky(H)).flatten()
    return Answer(scores_along(q, s), len(g))


def problem_of(q: Question) -> LinearProblem:
    dtype = str(q.theta.dtype).removeprefix("torch.")
    return LinearProblem.build(q.dataset, q.task.damping, dtype=dtype, device="cpu", rotated=False)


def by_closed_form(q: Question, tolerance: float, problem: LinearProblem | None = None) -> Answer:
    problem = problem or problem_of(q)
    forward = problem.forward(problem.encode(q.model), tolerance)
    return Answer(forward.scores[0], float(forward.solution.iterations[0]))


ANSWERS: dict[str, Callable[..., Answer]] = {
    "closed_form": by_closed_form,
    "preconditioned": by_preconditioned,
    "conjugate_gradients": by_conjugate_gradients,
    "arnoldi": by_arnoldi,
    "lissa": by_lissa,
    "explicit": by_explicit,
}
PREPARED: dict[str, Callable[[Question], object]] = {
    "closed_form": problem_of,
    "preconditioned": Eigenbasis.of,
}


def scores_by(solver: str, q: Question, tolerance: float = TOLERANCE) -> Answer:
    """The scores of all training samples by one of SOLVERS. Raises InvalidInput."""
    return ready(solver, q)(tolerance)


def ready(solver: str, q: Question) -> Callable[[float], Answer]:
    """Return a solver of tolerances that has prepared what it prepares once per data set. Raises
    InvalidInput."""
    answer = ANSWERS[check_choice("solver", solver, ANSWERS)]
    if solver not in PREPARED:
        return partial(answer, q)
    prepared = PREPARED[solver](q)
    return lambda tolerance: answer(q, tolerance, prepared)


def pose(n: int, d: int, classes: int, seed: int, damping: float = DAMPING) -> Question:
    """A problem on synthetic features, at the first point of an attack."""
    dataset = synthetic(n, n // 2, d, classes, seed)
    return question(dataset, start_of_attack(dataset, 0, seed, "cpu"), damping, "float32")


def fitting(point: Mapping[str, int]) -> list[str]:
    """Return the solvers that are measured at these sizes: an explicit Hessian only while it has no
    more than MOST_COLUMNS."""
    columns = point["classes"] * (point["d"] + 1)
    return [name for name in ANSWERS if name != "explicit" or columns <= MOST_COLUMNS]


def measured(solver: str, q: Question, repeats: int) -> tuple[Row, Answer]:
    """Return the processor time of what a solver prepares, the least of `repeats` solves, of one
    for the slow ones, and the answer."""
    began = time.process_time()
    solve_to = ready(solver, q)
    prepared = time.process_time() - began if solver in PREPARED else 0.0
    seconds = []
    for _ in range(1 if solver in ("lissa", "explicit") else repeats):
        began = time.process_time()
        found = solve_to(TOLERANCE)
        seconds.append(time.process_time() - began)
    return {"seconds": min(seconds), "preparation_seconds": prepared}, found


def measured_at(
    point: Mapping[str, int], seed: int, repeats: int, meter: Meter | None = None
) -> Iterator[Row]:
    """Yield a row for each solver on one problem: solver, seconds, preparation_seconds, products,
    error (relative, to exact scores in float64) and peak_mb, NaN without a meter."""
    q = pose(**point, seed=seed)
    peaks = {}
    if meter is not None:
        for name in fitting(point):
            peaks[name] = meter.measure(partial(ready(name, q), TOLERANCE))[1]
        reuse_freed_memory()
    exact = question(q.dataset, q.model, q.task.damping, "float64")
    reference = scores_by("closed_form", exact, 1e-10).scores
    for solver in fitting(point):
        seconds, found = measured(solver, q, repeats)
        apart = torch.linalg.vector_norm(found.scores.double() - reference)
        yield {
            "solver": solver,
            **seconds,
            "peak_mb": peaks.get(solver, float("nan")),
            "products": found.products,
            "error": float(apart / torch.linalg.vector_norm(reference)),
        }


def exponents_of(table: pd.DataFrame) -> pd.DataFrame:
    """Return axis, solver and the exponent of seconds over the larger half of each axis's sizes."""
    fitted = []
    for (axis, solver), group in table.groupby(["axis", "solver"], sort=False):
        larger = group.sort_values("value").iloc[len(group) // 2 :]
        exponent, _ = growth(larger["value"].tolist(), larger["seconds"].tolist())
        fitted.append((axis, solver, exponent))
    return pd.DataFrame(fitted, columns=["axis", "solver", "exponent"])


def compare_solvers(
    repeats: int = 3,
    seed: int = 0,
    sizes: Mapping[str, Sequence[int]] = SIZES,
    base: Mapping[str, int] = BASE,
    large: Mapping[str, int] = LARGE,
    on_progress: OnProgress = ignore,
) -> SolverComparison:
    """Measure all solvers on one thread in a fresh process: at `large`, and at every size of
    `sizes`, one axis at a time, the others at `base`, all on the same problems.

    on_progress hears of the rows that are done, and may raise, which stops the process.
    Raises InvalidInput, EngineError.
    """
    repeats, seed = check_integer("repeats", repeats, 1), check_integer("seed", seed, 0)
    placed: list[tuple[str, int, dict[str, int]]] = [("", 0, dict(large))]
    placed += [(a, v, {**base, a: v}) for a, values in sizes.items() for v in values]
    names = [place for place in placed for _ in fitting(place[2])]
    rows: list[Row] = []

    def beat() -> None:
        on_progress(Progress(len(rows), len(names)))

    def keep(row: Row) -> None:
        axis, value, _ = names[len(rows)]
        rows.append({"axis": axis, "value": value, **row})
        beat()

    request = {"what": "solvers", "seed": seed, "repeats": repeats}
    request["points"] = [point for *_, point in placed]
    with tempfile.TemporaryDirectory(prefix="speed-") as folder:
        failure = run_child(Path(folder), request, keep, beat)
    if failure is not None:
        raise EngineError(f"The measurement ended at row {len(rows) + 1}: {failure}.")
    table = pd.DataFrame(rows)
    at_large = table["axis"] == ""
    table = table.drop(columns=["device", "memory_by"])
    grown = table[~at_large].drop(columns="peak_mb").reset_index(drop=True)
    return SolverComparison(
        base=dict(base),
        large=dict(large),
        tolerance=TOLERANCE,
        damping=DAMPING,
        seed=seed,
        repeats=repeats,
        device=rows[0]["device"],
        memory_by=rows[0]["memory_by"],
        at_large=table[at_large].drop(columns=["axis", "value"]),
        table=grown,
        exponents=exponents_of(grown),
    )
