"""What keeps accuracy while the search for the smallest radius moves, as numbers that must be below
0, each with its gradient.

    LossBound  one number, (L(θ) − bound)/L(θ*) with the mean training loss L: smooth, but accuracy
               follows it only roughly, so the bound is lowered until accuracy is kept.
    Margins    one number a sample of `test`, (max_{c ≠ y} z_c − z_y)/SCALE + CLEAR, with its logits
               z and label y: below 0 where the sample is predicted right. As many as the tolerance
               allows, the largest, may be above 0. Logits are linear in θ, so the limit is exact
               for as long as the strongest other class stays the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import torch
from torch import Tensor

from engine.influence.linear import LinearProblem, Samples
from engine.influence.products import image

LOSS = -1  # the name of the training loss among the numbers; test sample i is FIRST_MARGIN − i
FIRST_MARGIN = -2
SCALE = 10.0  # logits for each spread of the scores, in which the gaps are measured
CLEAR = 1e-5  # float32 logits are right to some 1e-6
ROOM = 1e-9  # of a sample: what a product with a share may be too small by


class Seen(Protocol):
    """An accuracy limit as one model θ (1, P) meets it."""

    @property
    def excess(self) -> float:
        """Return what must be below 0."""
        ...

    def names(self, count: int) -> list[int]:
        """Return the names of at most `count` numbers that decide it, all below 0."""
        ...

    def values(self, names: Sequence[int]) -> Tensor:
        """Return the numbers of these names, (r,)."""
        ...

    def gradients(self, names: Sequence[int]) -> Tensor:
        """Return their gradients, (r, P)."""
        ...


class Limit(Protocol):
    """An accuracy limit."""

    def at(self, theta: Tensor) -> Seen: ...


@dataclass(frozen=True)
class LossSeen:
    """The training loss's excess over its bound, and the excess's gradient (1, P)."""

    excess: float
    gradient: Tensor

    def names(self, count: int) -> list[int]:
        return [LOSS]

    def values(self, names: Sequence[int]) -> Tensor:
        return self.gradient.new_full((len(names),), self.excess)

    def gradients(self, names: Sequence[int]) -> Tensor:
        return self.gradient.expand(len(names), -1)


@dataclass(frozen=True)
class LossBound:
    """A bound on the mean training loss, whose value at θ* is `honest_loss`."""

    problem: LinearProblem
    honest_loss: float
    bound: float

    def at(self, theta: Tensor) -> LossSeen:
        loss, gradient = self.problem.training_loss(theta, 0.0)
        return LossSeen(
            (float(loss[0]) - self.bound) / self.honest_loss, gradient / self.honest_loss
        )


@dataclass(frozen=True)
class MarginsSeen:
    """The shortfalls (m,) of the samples, of which the `allowed` largest may be above 0, and the
    strongest other class of each, rivals (m,)."""

    samples: Samples
    allowed: int
    shortfalls: Tensor
    rivals: Tensor

    @cached_property
    def excess(self) -> float:
        place = len(self.shortfalls) - self.allowed
        return float(self.shortfalls.kthvalue(place).values) if place > 0 else -torch.inf

    def names(self, count: int) -> list[int]:
        some = min(self.allowed + count, len(self.shortfalls))
        chosen = self.shortfalls.topk(some).indices[self.allowed :]
        return [FIRST_MARGIN - int(i) for i in chosen]

    def values(self, names: Sequence[int]) -> Tensor:
        return self.shortfalls[self.chosen(names)]

    def gradients(self, names: Sequence[int]) -> Tensor:
        chosen = self.chosen(names)
        X, K = self.samples.X[chosen], self.samples.n_classes
        rows, found = torch.arange(len(chosen), device=X.device), X.new_zeros(len(X), K, X.shape[1])
        found[rows, self.rivals[chosen]] += X / SCALE
        found[rows, self.samples.y[chosen]] -= X / SCALE
        return found.flatten(1)

    def chosen(self, names: Sequence[int]) -> Tensor:
        """Return the numbers of the samples of these names."""
        chosen = torch.as_tensor(names, dtype=torch.int64, device=self.shortfalls.device)
        return FIRST_MARGIN - chosen


@dataclass(frozen=True)
class Margins:
    """The predictions of `samples`, of which so many may be wrong."""

    samples: Samples
    allowed: int

    @classmethod
    def of(cls, samples: Samples, honest: Tensor, tolerance: float) -> "Margins":
        """Allow as many as θ* (1, P) has wrong, and a share `tolerance` of the samples more."""
        wrong = int((logits_of(samples, honest).argmax(0) != samples.y).sum())
        return cls(samples, wrong + int(tolerance * len(samples.y) + ROOM))

    def at(self, theta: Tensor) -> MarginsSeen:
        logits, y = logits_of(self.samples, theta), self.samples.y.unsqueeze(0)
        own = logits.gather(0, y)[0]
        strongest = logits.scatter(0, y, -torch.inf).max(0)
        shortfalls = (strongest.values - own) / SCALE + CLEAR
        return MarginsSeen(self.samples, self.allowed, shortfalls, strongest.indices)


def logits_of(samples: Samples, theta: Tensor) -> Tensor:
    """Return the logits (K, m) under θ (1, P)."""
    return image(samples.factor, theta.view(1, samples.n_classes, -1))[0]
