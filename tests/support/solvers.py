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
    closed_form           ours, with all that it makes once per data set
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.autograd import grad

from engine.checks import check_choice
from engine.data.dataset import Dataset
from engine.influence.estimators import Lissa
from engine.influence.linear import LinearProblem
from engine.models.linear import LinearModel
from engine.speed.autograd import GradientTask, losses, mean_loss, solve
from engine.speed.compare import start_of_attack
from engine.speed.result import growth
from engine.speed.synthetic import synthetic
from engine.vocabulary import DAMPING

TOLERANCE = 1e-3  # of the solves that have one
DIRECTIONS = 100  # of the Krylov space; dattri's own default is as many
SAMPLES, SCALE = 100_000, 25.0  # of LiSSA: a tenth of the paper's draws
MOST_COLUMNS = 2_000  # of an explicit Hessian that is made
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


def by_preconditioned(q: Question, tolerance: float) -> Answer:
    """Conjugate gradients whose products are automatic, with the closed form's preconditioner."""
    task, g = q.task, gradient_on_test(q)
    _, product = product_of(q.theta, task.X, task.y, task.damping)
    K, D = len(q.model.parameters), task.X.shape[1]
    values, Q = torch.linalg.eigh(task.X.T @ task.X / len(task.X))
    P = torch.softmax(task.X @ q.theta.view(K, D).T, 1)
    share, C = torch.linalg.eigh(torch.diag(P.mean(0)) - P.T @ P / len(P))
    inverse = 1 / (share.clamp(min=0).unsqueeze(1) * values.clamp(min=0) + task.damping)

    def precondition(r: Tensor) -> Tensor:
        return (C @ ((C.T @ r.view(K, D) @ Q) * inverse) @ Q.T).flatten()

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
    o = options or Lissa(scale=SCALE, samples=SAMPLES)
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


def by_closed_form(q: Question, tolerance: float) -> Answer:
    dtype = str(q.theta.dtype).removeprefix("torch.")
    problem = LinearProblem.build(
        q.dataset, q.task.damping, dtype=dtype, device="cpu", rotated=False
    )
    forward = problem.forward(problem.encode(q.model), tolerance)
    return Answer(forward.scores[0], float(forward.solution.iterations[0]))


SOLVERS: dict[str, Callable[[Question, float], Answer]] = {
    "closed_form": by_closed_form,
    "preconditioned": by_preconditioned,
    "conjugate_gradients": by_conjugate_gradients,
    "arnoldi": by_arnoldi,
    "lissa": by_lissa,
    "explicit": by_explicit,
}
LABELS = {
    "closed_form": "closed form, ours",
    "preconditioned": "the paper's rewriting with a good solver",
    "conjugate_gradients": "conjugate gradients, as in torch-influence",
    "arnoldi": "Arnoldi, as in dattri",
    "lissa": "LiSSA, as in dattri and the paper",
    "explicit": "explicit Hessian, as pyDVL's direct",
}


def scores_by(solver: str, q: Question, tolerance: float = TOLERANCE) -> Answer:
    """The scores of all training samples by one of SOLVERS. Raises InvalidInput."""
    return SOLVERS[check_choice("solver", solver, SOLVERS)](q, tolerance)


def pose(n: int, d: int, classes: int, seed: int, damping: float = DAMPING) -> Question:
    """A problem on synthetic features, at the first point of an attack."""
    dataset = synthetic(n, n // 2, d, classes, seed)
    return question(dataset, start_of_attack(dataset, 0, seed, "cpu"), damping, "float32")


def measure_solvers(
    sizes: dict[str, Sequence[int]] | None = None,
    base: dict[str, int] | None = None,
    seed: int = 0,
    repeats: int = 3,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Measure all solvers at every size of `sizes`, one axis at a time, on the same problems.

    Returns a table: axis, value, solver, seconds (the least processor time of `repeats`), products,
    error (relative, to exact scores in float64); and exponents: axis, solver, exponent of seconds
    over the larger half of the sizes. An explicit Hessian of more than MOST_COLUMNS is left out.
    """
    rows = []
    for axis, values in (sizes or SIZES).items():
        for value in values:
            q = pose(**{**(base or BASE), axis: value}, seed=seed)
            exact = question(q.dataset, q.model, q.task.damping, "float64")
            reference = scores_by("closed_form", exact, 1e-10).scores
            for solver in SOLVERS:
                if solver == "explicit" and len(q.theta) > MOST_COLUMNS:
                    continue
                seconds = []
                for _ in range(1 if solver in ("lissa", "explicit") else repeats):
                    began = time.process_time()
                    found = scores_by(solver, q)
                    seconds.append(time.process_time() - began)
                apart = torch.linalg.vector_norm(found.scores.double() - reference)
                error = float(apart / torch.linalg.vector_norm(reference))
                rows.append((axis, value, solver, min(seconds), found.products, error))
    table = pd.DataFrame(rows, columns=["axis", "value", "solver", "seconds", "products", "error"])
    fitted = []
    for pair, group in table.groupby(["axis", "solver"], sort=False):
        larger = group.sort_values("value").iloc[len(group) // 2 :]
        exponent, _ = growth(larger["value"].tolist(), larger["seconds"].tolist())
        fitted.append((*pair, exponent))
    return table, pd.DataFrame(fitted, columns=["axis", "solver", "exponent"])
