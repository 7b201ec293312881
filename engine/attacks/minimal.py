"""The smallest radius at which targets reach the top k, as one call: rounds of starts from
Algorithm 3, a search from each (`engine.attacks.radius_search`), more from the nearest arrival,
moved at random, the refinement of the nearest, and the exact scores by which its end counts."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from torch import Tensor

from engine.attacks.attack import attack_each_k, check_outside, honest_scores
from engine.attacks.options import MINIMAL_DEFAULTS, AttackOptions, MinimalOptions
from engine.attacks.radius_search import (
    GAIN,
    Look,
    Search,
    Trail,
    distinct,
    hop,
    keeps,
    refine,
    shrink,
    smallest,
    suffices,
)
from engine.attacks.result import MinimalRadii
from engine.checks import check_targets
from engine.data.dataset import Dataset
from engine.errors import InvalidInput
from engine.influence.linear import LinearProblem
from engine.influence.problem import ranks
from engine.influence.scores import check_converged
from engine.models.linear import LinearModel, as_linear
from engine.models.model import Model, check_pair
from engine.options import taken_from
from engine.progress import OnProgress, Progress, ignore

EXACT_TOLERANCE = 1e-9  # of the float64 scores by which a returned model counts


@dataclass(frozen=True)
class Start:
    """Where a search begins: the model (1, P) of an attack at that radius, whether it has arrived,
    and the processor seconds that it took. kind: "attack"; "hop" for a model of an earlier search
    that was moved at random; "refined" for one that is refined."""

    theta: Tensor
    radius: float
    arrived: bool
    seconds: float
    kind: str = "attack"


@dataclass(frozen=True)
class Tried:
    """A search from a start, and the processor seconds that it took."""

    start: Start
    trail: Trail
    seconds: float

    def nearest(self, options: MinimalOptions) -> Look | None:
        """Return the nearest arrival that keeps its accuracy; None where there is none."""
        return smallest([seen for seen in self.trail.arrived if keeps(options, seen.lost)])


def minimal_radius(
    model: Model,
    dataset: Dataset,
    targets: int | Sequence[int],
    options: MinimalOptions = MINIMAL_DEFAULTS,
    *,
    device: str = "auto",
    on_target: OnProgress = ignore,
) -> MinimalRadii:
    """Find, for each target (a training index), the smallest radius at which a model has it in the
    top k: the model, and what was tried.

    The radius is an upper bound of the least one. Of all models that the searches looked at, the
    nearest to θ* is returned whose exact float64 scores have the target in the top k, with at most
    `options.tolerance` of accuracy lost on `test`. Holdout chooses nothing.
    on_target is called after each target and may raise to stop.
    Raises InvalidInput (also for a target that is in the honest top k, and for a network),
    DeviceUnavailable, NotConverged.
    """
    check_pair(model, dataset)
    if not isinstance(options, MinimalOptions):
        raise InvalidInput("options", type(options).__name__, "MinimalOptions(…)")
    honest = as_linear(model)
    wanted = check_targets(targets, dataset.n_train)
    asked = attack_of(options, options.start_radii[0])
    problem, before = honest_scores(asked, honest, dataset, device, None)
    assert isinstance(problem, LinearProblem)
    check_outside(before.scores, [(target,) for target in wanted], options.k)
    begun = starts_of(options, problem, honest, dataset, wanted, device)
    theta = problem.encode(honest)
    search = Search(
        problem,
        theta,
        honest.norm,
        honest_accuracy=float(before.accuracy),
        honest_loss=float(problem.training_loss(theta, 0.0)[0]),
        target=wanted[0],
        options=options,
        trail=Trail(options.steps),
    )
    judge = Judge.of(honest, dataset, options, device)
    found = []
    for done, target in enumerate(wanted):

        def starts(number: int, target: int = target) -> list[Start]:
            if number == 0:
                return begun[target]
            again = replace(options, seed=options.seed + number)
            return starts_of(again, problem, honest, dataset, (target,), device)[target]

        here = replace(search, target=target)
        tried = all_searches(here, starts)
        tried += refined(here, tried)
        found.append(judge.conclude(problem, target, tried))
        on_target(Progress(done + 1, len(wanted)))
    return gathered(options, wanted, judge.before, found)


def attack_of(options: MinimalOptions, radius: float) -> AttackOptions:
    """Return the options of the attack that searches start from."""
    return taken_from(AttackOptions, options, radius=radius, steps=options.start_steps)


def starts_of(
    options: MinimalOptions,
    problem: LinearProblem,
    model: LinearModel,
    dataset: Dataset,
    targets: Sequence[int],
    device: str,
) -> dict[int, list[Start]]:
    """Attack all targets at each of the start radii as one batch (Algorithm 3)."""
    starts: dict[int, list[Start]] = {target: [] for target in targets}
    for radius in options.start_radii:
        asked, begun = attack_of(options, radius), time.process_time()
        found = attack_each_k(
            model, dataset, targets, (options.k,), asked, device=device, problem=problem
        )
        seconds = (time.process_time() - begun) / len(targets)
        for target, by_k in zip(targets, found, strict=True):
            result = by_k[options.k]
            theta = problem.encode(result.model)
            starts[target].append(Start(theta, radius, result.success, seconds))
    return starts


def all_searches(search: Search, starts: Callable[[int], Sequence[Start]]) -> list[Tried]:
    """Search from each of the starts of a round, given its number, in at most `options.rounds`
    rounds: no other follows one that gained less than a hundredth of a radius. Then search from the
    nearest arrival so far, moved at random, until `options.hops` such searches in a row have
    gained less. All ends with an arrival that is near enough."""
    tried: list[Tried] = []
    best: Look | None = None

    def search_on(start: Start) -> Look | None:
        from_here = replace(search, best=np.inf if best is None else best.radius)
        tried.append(search_from(from_here, start))
        found = [best, tried[-1].nearest(search.options)]
        return smallest([seen for seen in found if seen is not None])

    for number in range(search.options.rounds):
        earlier = best
        for start in starts(number):
            best = search_on(start)
            if suffices(search.options, best):
                return tried
        if best is not None and earlier is not None and not gains(best, earlier):
            break
    number = idle = 0
    while best is not None and idle < search.options.hops and not suffices(search.options, best):
        earlier = best
        theta, radius = hop(search, best, number)
        best = search_on(Start(theta, radius, False, 0.0, "hop"))
        assert best is not None  # it was before
        number, idle = number + 1, 0 if gains(best, earlier) else idle + 1
    return tried


def refined(search: Search, tried: Sequence[Tried]) -> list[Tried]:
    """Refine the nearest arrivals of searches, at most `options.refined` of them; none where one is
    near enough."""
    options = search.options
    arrivals = [seen for one in tried if (seen := one.nearest(options)) is not None]
    if suffices(options, smallest(arrivals)):
        return []
    found = []
    for seen in distinct(search, arrivals)[: options.refined]:
        begun, here = time.process_time(), replace(search, trail=Trail(options.steps))
        refine(here, seen.theta)
        start = Start(seen.theta, seen.radius, True, 0.0, "refined")
        found.append(Tried(start, here.trail, time.process_time() - begun))
    return found


def gains(seen: Look, earlier: Look) -> bool:
    """Return whether a model is nearer to θ* than an earlier one by more than a hundredth."""
    return seen.radius < (1 - GAIN) * earlier.radius


def search_from(search: Search, start: Start) -> Tried:
    """Search from one start, and measure the processor time."""
    begun = time.process_time()
    search = replace(search, trail=Trail(search.options.steps))
    shrink(search, start.theta, start.radius)
    return Tried(start, search.trail, time.process_time() - begun)


@dataclass(frozen=True)
class Found:
    """What became of one target: its model, and that model's rank of it by exact scores."""

    model: LinearModel
    arrived: bool
    radius: float
    rank: int
    lost_test: float
    lost_holdout: float
    starts: pd.DataFrame
    path: pd.DataFrame


@dataclass(frozen=True)
class Judge:
    """Decide by exact float64 scores; `before` are the honest ranks (n,)."""

    exact: LinearProblem
    honest: LinearModel
    dataset: Dataset
    options: MinimalOptions
    before: NDArray[np.int64]

    @classmethod
    def of(
        cls, honest: LinearModel, dataset: Dataset, options: MinimalOptions, device: str
    ) -> "Judge":
        exact = LinearProblem.build(dataset, options.damping, options.order, "float64", device)
        return cls(exact, honest, dataset, options, exact_ranks(exact, honest))

    def lost(self, model: LinearModel, split: str) -> float:
        """Return the accuracy lost on `split`, a share."""
        X, y = self.dataset.split(split)
        return self.honest.accuracy(X, y) - model.accuracy(X, y)

    def conclude(self, problem: LinearProblem, target: int, tried: Sequence[Tried]) -> Found:
        """Return the nearest arrival of all searches that the exact scores confirm; the honest
        model where there is none."""
        starts, paths = [], []
        for number, one in enumerate(tried):
            nearest = one.nearest(self.options)
            starts.append(
                {
                    "target": target,
                    "start": number,
                    "kind": one.start.kind,
                    "start_radius": one.start.radius,
                    "start_arrived": one.start.arrived,
                    "start_seconds": one.start.seconds,
                    "radius": np.nan if nearest is None else nearest.radius,
                    "looks": len(one.trail.rows),
                    "gradients": one.trail.gradients,
                    "seconds": one.seconds,
                }
            )
            path = pd.DataFrame(one.trail.rows)
            path.insert(0, "target", target)
            path.insert(1, "start", number)
            path.insert(2, "look", np.arange(len(path)))
            paths.append(path)
        model = self.confirmed(problem, target, tried)
        chosen = self.honest if model is None else model
        distance = float(np.linalg.norm(chosen.parameters - self.honest.parameters))
        return Found(
            chosen,
            model is not None,
            distance / self.honest.norm if model is not None else np.nan,
            int(self.before[target] if model is None else exact_ranks(self.exact, chosen)[target]),
            self.lost(chosen, "test"),
            self.lost(chosen, "holdout"),
            pd.DataFrame(starts),
            pd.concat(paths, ignore_index=True),
        )

    def confirmed(
        self, problem: LinearProblem, target: int, tried: Sequence[Tried]
    ) -> LinearModel | None:
        """Return the nearest model that has the target in the top k by its exact scores and keeps
        its accuracy on `test`; None where there is none."""
        arrivals = [seen for one in tried for seen in one.trail.arrived]
        for seen in sorted(arrivals, key=lambda seen: seen.radius):
            model = self.honest.with_parameters(problem.decode(seen.theta[0]))
            kept = keeps(self.options, self.lost(model, "test"))
            if kept and exact_ranks(self.exact, model)[target] <= self.options.k:
                return model
        return None


def exact_ranks(exact: LinearProblem, model: LinearModel) -> NDArray[np.int64]:
    """Rank the training samples by a model's scores on `test`, solved tightly in float64."""
    forward = exact.forward(exact.encode(model), EXACT_TOLERANCE)
    check_converged(forward.solution, EXACT_TOLERANCE)
    return ranks(forward.scores[0].cpu().numpy())


def honest_ranks(
    model: LinearModel, dataset: Dataset, options: MinimalOptions, device: str = "auto"
) -> NDArray[np.int64]:
    """Rank the training samples (n,) under a model by exact float64 scores on `test`."""
    return Judge.of(model, dataset, options, device).before


def gathered(
    options: MinimalOptions,
    targets: tuple[int, ...],
    before: NDArray[np.int64],
    found: Sequence[Found],
) -> MinimalRadii:
    """Put the targets' results side by side."""
    return MinimalRadii(
        targets=np.array(targets),
        k=options.k,
        order=options.order,
        radius=np.array([one.radius for one in found]),
        arrived=np.array([one.arrived for one in found]),
        rank_before=before[list(targets)],
        rank_after=np.array([one.rank for one in found]),
        lost_test=np.array([one.lost_test for one in found]),
        lost_holdout=np.array([one.lost_holdout for one in found]),
        models=tuple(one.model for one in found),
        starts=pd.concat([one.starts for one in found], ignore_index=True),
        path=pd.concat([one.path for one in found], ignore_index=True),
    )
