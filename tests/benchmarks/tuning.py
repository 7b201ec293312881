"""The search for the smallest radius on targets of digits that it was tuned on (`TUNING_SEEDS`),
never on those that are reported: what benchmarks of it share."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from torch import Tensor

from engine.attacks.attack import honest_scores
from engine.attacks.minimal import (
    Start,
    Tried,
    attack_of,
    honest_ranks,
    search_from,
    starts_of,
)
from engine.attacks.options import MinimalOptions
from engine.attacks.radius_search import Search, Trail
from engine.attacks.sweep import draw_targets
from engine.data.dataset import Dataset
from engine.data.load import load_dataset
from engine.experiments.minimal_radius import TUNING_SEEDS, TUNING_TARGETS
from engine.influence.linear import LinearProblem
from engine.models.fit import fit
from engine.models.linear import LinearModel, as_linear

SAME = 1e-3  # of the radius: what does not count as a difference


@dataclass(frozen=True)
class Tuning:
    """Digits, its honest model, and the problem in which searches for `options` run."""

    options: MinimalOptions
    dataset: Dataset
    model: LinearModel
    problem: LinearProblem
    accuracy: float

    @classmethod
    def of(cls, options: MinimalOptions) -> "Tuning":
        dataset = load_dataset("digits")
        model = as_linear(fit(dataset))
        asked = attack_of(options, options.start_radii[0])
        problem, before = honest_scores(asked, model, dataset, "cpu", None)
        assert isinstance(problem, LinearProblem)
        return cls(options, dataset, model, problem, float(before.accuracy))

    @cached_property
    def theta(self) -> Tensor:
        return self.problem.encode(self.model)

    @cached_property
    def targets(self) -> list[int]:
        """The targets of the first tuning seed."""
        ranks = honest_ranks(self.model, self.dataset, self.options)
        outside = np.flatnonzero(ranks > self.options.k)
        return [target for (target,) in draw_targets(outside, TUNING_TARGETS, 1, TUNING_SEEDS[0])]

    def search(self, target: int, options: MinimalOptions | None = None) -> Search:
        asked = options or self.options
        return Search(
            self.problem,
            self.theta,
            self.model.norm,
            self.accuracy,
            float(self.problem.training_loss(self.theta, 0.0)[0]),
            target,
            asked,
            Trail(asked.steps),
        )

    def starts(self, target: int, seed: int, radii: Sequence[float]) -> list[Start]:
        """Return the models of attacks at these radii."""
        again = replace(self.options, seed=seed, start_radii=tuple(radii))
        return starts_of(again, self.problem, self.model, self.dataset, (target,), "cpu")[target]


def searched(search: Search, starts: Sequence[Start]) -> list[Tried]:
    """Search from each start, and tell each search how near the earlier ones came."""
    tried: list[Tried] = []
    for start in starts:
        best = min(search.best, nearest(tried, search.options))
        tried.append(search_from(replace(search, best=best), start))
    return tried


def nearest(tried: Sequence[Tried], options: MinimalOptions) -> float:
    """Return the least radius of arrivals that keep their accuracy; infinity without one."""
    return min((seen.radius for one in tried if (seen := one.nearest(options))), default=np.inf)
