"""Certificates put to the test: models on the edge of what is certified, by chance and by intent.

Scores come from the lab's own solver in float64, which shares nothing with the certificates but the
definition. A model is put at a given norm of the training gradient along a direction d from θ*.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.data.dataset import Dataset
from engine.influence.linear import LinearProblem
from engine.models.linear import LinearModel
from engine.progress import OnProgress, Progress, ignore
from engine.scrutiny.certificates import Certificate, certified_depth
from engine.scrutiny.expansion import TINY, Array, Expansion
from engine.scrutiny.polish import polish

SOLVE_TOLERANCE = 1e-10  # relative residual of the solves behind the scores that are judged
AT_ONCE = 250  # models
APPROACHES = 8  # of a direction's length to a gradient norm: each is nearly exact, as F is smooth
PUSHES = 4.0 ** np.arange(
    1, 5
)  # times the certified norm: how far a sample is pushed until it is in
QUANTILES = 20  # of the certified norms, at which each attacked model's direction is tried
HALVINGS = 3  # of the interval in which it got in, on a log scale


class TriedModels(NamedTuple):
    """Directions (m, P), in the features' own basis, and gradient norms (m,) to go to."""

    directions: Array
    norms: Array


@dataclass(frozen=True, eq=False)
class Judged:
    """used (n,): the largest share of a sample's certified lead that a model within its certified
    gradient norm took away, NaN where none was; violations: samples certified out of the top k of a
    model and yet in it, of all models; models: how many were judged."""

    used: Array
    violations: int
    models: int

    def and_also(self, other: "Judged") -> "Judged":
        """Join two sets of models."""
        return Judged(
            np.fmax(self.used, other.used),
            self.violations + other.violations,
            self.models + other.models,
        )


@dataclass(frozen=True, eq=False)
class Edge:
    """The models around θ*, by the gradient norm of the training loss with l2."""

    problem: LinearProblem
    honest: Tensor  # 1, P
    l2: float

    @classmethod
    def of(cls, model: LinearModel, dataset: Dataset, certificate: Certificate, order: str) -> Self:
        problem = LinearProblem.build(dataset, certificate.damping, order, "float64", "cpu")
        return cls(problem, problem.encode(model), certificate.l2)

    def models(self, batch: TriedModels) -> tuple[Tensor, Array]:
        """Return the models (m, P) in these directions whose gradient norm is close to the one
        asked for, and that norm as it is, (m,)."""
        d = torch.as_tensor(batch.directions).view(len(batch.norms), self.problem.n_classes, -1)
        d = (d @ self.problem.basis).flatten(1)
        d /= torch.linalg.vector_norm(d, dim=1, keepdim=True).clamp(min=TINY)
        wanted = torch.as_tensor(batch.norms)
        length = wanted.clone()
        for _ in range(APPROACHES):
            norms = self.norms(self.honest + length.unsqueeze(1) * d)
            length *= wanted / norms.clamp(min=TINY)
        theta = self.honest + length.unsqueeze(1) * d
        return theta, self.norms(theta).numpy()

    def norms(self, theta: Tensor) -> Tensor:
        """Return ‖∇F(θ)‖₂, (m,)."""
        return torch.linalg.vector_norm(self.problem.training_loss(theta, self.l2)[1], dim=1)

    def scores(self, theta: Tensor) -> Array:
        """Return the scores of all training samples, (m, n)."""
        found: Array = self.problem.forward(theta, SOLVE_TOLERANCE).scores.numpy()
        return found


def judge(
    edge: Edge, certificates: Mapping[int, Certificate], batches: Iterable[TriedModels]
) -> dict[int, Judged]:
    """Return for each k what the models of all batches did to its certificates."""
    n = edge.problem.n_train
    found = {k: Judged(np.full(n, np.nan), 0, 0) for k in certificates}
    for batch in batches:
        theta, norms = edge.models(batch)
        scores = edge.scores(theta)
        for k, certificate in certificates.items():
            found[k] = found[k].and_also(judged(scores, norms, certificate))
    return found


def judged(scores: Array, norms: Array, certificate: Certificate) -> Judged:
    """Compare models with these scores (m, n) and gradient norms (m,) with a certificate."""
    outside = certificate.ranks > certificate.k
    held = outside & (norms[:, None] <= certificate.gradient_norms)
    kth = -np.sort(-scores, axis=1)[:, certificate.k - 1, None]
    rivals = np.where(outside, certificate.rivals, 0)
    lead = scores[:, rivals] - scores
    before = certificate.scores[rivals] - certificate.scores
    used = np.where(held, 1 - lead / np.where(outside, before, 1.0), -np.inf).max(axis=0)
    used[np.isinf(used)] = np.nan
    return Judged(used, int((held & (scores >= kth)).sum()), len(norms))


def random_batches(
    at: Expansion, norms: Array, count: int, seed: int, report: OnProgress = ignore
) -> Iterator[TriedModels]:
    """Yield `count` random directions, half with a Gaussian gradient, half Gaussian themselves,
    each at one of `norms`, drawn at random."""
    rng = np.random.default_rng(seed)
    for start in range(0, count, AT_ONCE):
        report(Progress(start, count))
        size = min(AT_ONCE, count - start)
        d = rng.standard_normal((size, len(at.H)))
        d[: size // 2] = d[: size // 2] @ at.solve
        yield TriedModels(d, rng.choice(norms, size))


def worst_directions(at: Expansion, certificate: Certificate, samples: NDArray[np.int64]) -> Array:
    """Return the direction in which each sample gains most on its rival for its gradient norm, to
    first order, (m, P)."""
    gained = at.gradients[samples] - at.gradients[certificate.rivals[samples]]
    return gained @ at.solve @ at.solve


def worst_batches(at: Expansion, certificate: Certificate) -> Iterator[TriedModels]:
    """Yield every sample's worst direction, at its certified gradient norm."""
    outside = np.flatnonzero(certificate.gradient_norms > 0)
    for start in range(0, len(outside), AT_ONCE):
        some = outside[start : start + AT_ONCE]
        yield TriedModels(worst_directions(at, certificate, some), certificate.gradient_norms[some])


def pushed(
    edge: Edge, at: Expansion, certificate: Certificate, samples: NDArray[np.int64]
) -> Array:
    """Return the smallest gradient norm found at which a straight push along its worst direction
    has each sample in the top k, (len(samples),); NaN where none of `PUSHES` does."""
    d = worst_directions(at, certificate, samples)
    start = certificate.gradient_norms[samples]
    low, high = start.copy(), np.full(len(samples), np.nan)

    def arrived(some: NDArray[np.int64], norms: Array) -> tuple[NDArray[np.bool_], Array]:
        theta, reached = edge.models(TriedModels(d[some], norms))
        scores = edge.scores(theta)
        own = scores[np.arange(len(some)), samples[some]]
        return (scores > own[:, None]).sum(axis=1) < certificate.k, reached

    for times in PUSHES:
        some = np.flatnonzero(np.isnan(high))
        if len(some):
            inside, reached = arrived(some, start[some] * times)
            high[some[inside]] = reached[inside]
            low[some[~inside]] = reached[~inside]
    for _ in range(HALVINGS):
        some = np.flatnonzero(~np.isnan(high))
        if len(some):
            inside, reached = arrived(some, np.sqrt(low[some] * high[some]))
            high[some[inside]] = reached[inside]
            low[some[~inside]] = reached[~inside]
    return high


def batches_towards(
    models: Sequence[LinearModel], honest: LinearModel, norms: Array
) -> Iterator[TriedModels]:
    """Yield the directions from θ* to each of `models`, at quantiles of `norms`."""
    quantiles = np.quantile(norms, np.linspace(0, 1, QUANTILES))
    for model in models:
        d = (model.parameters - honest.parameters).reshape(1, -1)
        yield TriedModels(np.repeat(d, QUANTILES, axis=0), quantiles)


def depths(
    honest: LinearModel,
    dataset: Dataset,
    models: Sequence[LinearModel],
    steps: int,
    l2: float,
    damping: float,
    order: str,
) -> list[tuple[int, float, int]]:
    """Return for 0 … `steps` steps of `polish`: the steps, the largest gradient norm that any of
    `models` has left, and how many samples are then certified to stand first in the honest order,
    whichever model it is."""
    minimum = polish(honest, dataset, l2, steps).model  # the order is certified around it
    left = np.max([polish(model, dataset, l2, steps).gradient_norms for model in models], axis=0)
    return [
        (step, norm, certified_depth(minimum, dataset, norm, l2, damping, order))
        for step, norm in enumerate(left.tolist())
    ]
