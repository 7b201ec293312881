"""The smallest radius at which a model brings a target into the top k.

Algorithm 3 answers for one radius. Here the ball around θ* shrinks for as long as the target stays
in the top. With the gaps φ_j and the largest of them, but for the k − 1 that may stay above,

    φ_j(θ) = (I_j − I_t)/std(I),   φ(θ) = the k-th largest φ_j,   rank ≤ k  ⟸  φ < 0

three moves follow each other (their steps are solved in `engine.attacks.steps`):

1. start: any model with φ < 0 in a wide ball, from Algorithm 3.
2. shrink: multiply the ball by 0.9, project, and lower φ there by trust-region steps that minimise
   the largest of the linearised φ_j, until φ < 0 again.
3. tighten, where 2 is stuck: steps that minimise ‖θ + d − θ*‖² with every linearised φ_j below 0,
   by sequential quadratic programming.

2 and 3 take turns until neither gains a hundredth. They end in one of many local minima, so
the search is repeated from other starts, and from its best model moved at random (`hop`). A search
that is stuck far outside what an earlier one found gives up before 3.

φ_j bends so strongly that a step of 1% of the radius leaves φ < 0, and 3 stops some percent above a
minimum. So the nearest models of all searches are refined (`refine`): each step is solved again
with the φ_j seen at its end (a second-order correction), the Lagrangian's curvature is learned from
the gradients (BFGS), and φ > 0 costs little more than it must.

The gradients of the competitors are exact, that of std(I) included, and come from one batched
solve:

    ∇φ_j = ∇ Σ_i c_i I_i,   c = (e_j − e_t)/std(I) − φ_j (I − mean(I))/((n − 1) std(I)²)

θ + 1 vᵀ has the scores and predictions of θ for every v, so moves leave that direction out.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.attacks.accuracy_limits import Limit, LossBound, Margins, Seen
from engine.attacks.options import MinimalOptions
from engine.attacks.state import without_gauge
from engine.attacks.steps import Pair, Vector, lower_largest, multipliers, nearest
from engine.influence.linear import LinearProblem
from engine.influence.problem import Forward
from engine.vocabulary import ROUNDING

SCORE_TOLERANCE, GRADIENT_TOLERANCE = 1e-6, 1e-3  # of the solves along the way
SAFE = 1e-4  # φ must be this far below 0: float32 scores are right to some 1e-6 of their spread
SHRINK = 0.9  # of the ball, after each arrival; faster, searches end at larger radii
ROOM = 1.1  # of the ball in which accuracy is regained
GAIN = 0.01  # of the radius, or of φ: what moves must gain to go on
WIDER, NARROWER = 1.5, 2.5  # of the trust region, after a step that helps and one that does not
FIRST_REACH, LEAST_REACH = 0.1, 1e-3  # of the trust region, relative to ‖θ*‖ and to the radius
LOOK_BACK = 6  # accepted steps within which φ must fall by 5%
FALL = 0.05
PRICE = 1.0  # of φ > 0 beside half of the squared radius; more than any multiplier that was seen
CORRECTIONS = 3  # of a step that refines, at most
FAIR, LEAST_PRICE = 2.0, 1e-4  # of φ > 0 there, in sums of the multipliers; and at least
NEAR = 0.03  # of the largest φ_j: those that may hold the radius up
AIM = 2e-4  # below 0: where corrected steps aim, so that what is left of a bend does not matter
FINE = 2e-3  # of the penalty: the least gain that a corrected step must promise
MEMORY = 5  # earlier steps from which curvature is learned
HOLDS = 3  # bounds on the training loss, each lower, that a model is refined with
DISTINCT = 0.05  # of the radius: models nearer to each other are refined once
TIGHTER = 0.8  # of the training loss's rise, where a model has lost too much accuracy
FAR = 1.12  # of the nearest arrival of earlier searches: stuck beyond it, a search gives up
HOPS = (0.5, 0.8, 1.2)  # lengths of the random moves in turn, of the distance from θ*
HOP_ROOM = 1.25  # of that distance: the ball in which the target is brought back to the top


@dataclass(frozen=True)
class Look:
    """One model that was looked at: θ (1, P), the gaps φ_j (n,), −∞ at the target, φ, the radius
    ‖θ − θ*‖/‖θ*‖, accuracy lost on `test`, and how it meets the accuracy limit (None without one).
    `merit` is the larger of φ and that limit's excess."""

    theta: Tensor
    forward: Forward
    gaps: Tensor
    phi: float
    radius: float
    lost: float
    kept: Seen | None = None

    @property
    def merit(self) -> float:
        return self.phi if self.kept is None else max(self.phi, self.kept.excess)


@dataclass
class Trail:
    """What a search from one start has tried: a row per look, and the arrivals."""

    limit: int
    rows: list[dict[str, float]] = field(default_factory=list)
    arrived: list[Look] = field(default_factory=list)
    gradients: int = 0

    @property
    def over(self) -> bool:
        return len(self.rows) >= self.limit


@dataclass(frozen=True)
class Linear:
    """The surroundings of a model that was seen: the samples `chosen` (c,); their values (c,), as
    `limits_of` gives them, and gradients (c, P) along the offset (θ − θ*)/‖θ*‖ (P,). More rows for
    the accuracy limit where there is one, with their names `held` there."""

    seen: Look
    chosen: Tensor
    held: list[int]
    values: Vector
    gradients: Vector
    offset: Vector

    @cached_property
    def multipliers(self) -> Vector:
        """The μ_j >= 0 (c,) that come nearest to offset + Σ μ_j ∇φ_j = 0, over the largest."""
        found = np.zeros(len(self.values))
        near = self.values > self.values.max() - NEAR
        found[near] = multipliers(self.gradients[near], self.offset)
        return found

    def after(self, earlier: "Linear | None") -> list[Pair]:
        """Return the step from an earlier model and what it did to the slope offset + Σ μ_j ∇φ_j,
        with the multipliers of there; nothing where one of its samples is not among these."""
        if earlier is None:
            return []
        held = np.flatnonzero(earlier.multipliers)
        now = {number: row for row, number in enumerate(self.names)}
        if any(earlier.names[row] not in now for row in held):
            return []
        rows = [now[earlier.names[row]] for row in held]
        step = self.offset - earlier.offset
        turned = self.gradients[rows] - earlier.gradients[held]
        return [(step, step + earlier.multipliers[held] @ turned)]

    @property
    def names(self) -> list[int]:
        """The samples of the rows, and the names of the accuracy limit's, which are below 0."""
        return [*self.chosen.tolist(), *self.held]


@dataclass(frozen=True)
class Search:
    """The problem of one target: models near θ* (1, P), whose length is `norm` and whose mean
    training loss is `honest_loss`. limit: what keeps accuracy; None while it is free. best: the
    radius that earlier searches found."""

    problem: LinearProblem
    honest: Tensor
    norm: float
    honest_accuracy: float
    honest_loss: float
    target: int
    options: MinimalOptions
    trail: Trail
    limit: Limit | None = None
    best: float = np.inf

    def look(self, theta: Tensor, ball: float) -> Look:
        """Evaluate θ, and keep it where its merit is below 0: it has arrived."""
        forward = self.problem.forward(theta, SCORE_TOLERANCE)
        gaps = gaps_of(forward.scores[0], self.target)
        seen = Look(
            theta,
            forward,
            gaps,
            phi=float(gaps.kthvalue(len(gaps) - self.options.k + 1).values) + SAFE,
            radius=float(torch.linalg.vector_norm(theta - self.honest)) / self.norm,
            lost=self.honest_accuracy - float(forward.accuracy),
            kept=None if self.limit is None else self.limit.at(theta),
        )
        here = {"ball": ball, "radius": seen.radius, "phi": seen.phi, "lost": seen.lost}
        self.trail.rows.append(here)
        if seen.merit < 0:
            self.trail.arrived.append(seen)
        return seen

    def within(self, theta: Tensor, radius: float) -> Tensor:
        """Return the nearest point to θ with ‖θ − θ*‖ <= radius·‖θ*‖, without its gauge part."""
        offset = without_gauge(theta - self.honest, self.problem.n_classes)
        length = float(torch.linalg.vector_norm(offset)) / self.norm
        return self.honest + offset * min(1.0, radius / max(length, 1e-12))

    def offset(self, seen: Look) -> NDArray[np.float64]:
        """Return (θ − θ*)/‖θ*‖, (P,)."""
        return (seen.theta - self.honest)[0].double().cpu().numpy() / self.norm

    def moved(self, seen: Look, step: NDArray[np.float64]) -> Tensor:
        """Return θ after a step (P,) of (θ − θ*)/‖θ*‖."""
        return seen.theta + seen.theta.new_tensor(step * self.norm)

    def linearised(self, seen: Look) -> "Linear":
        """Linearise the largest φ_j but for the k − 1 that may stay above, and as many numbers of
        the accuracy limit where there is one."""
        k, count = self.options.k, self.options.competitors
        chosen = seen.gaps.topk(min(k - 1 + count, len(seen.gaps) - 1)).indices[k - 1 :]
        c = gap_coefficients(seen.forward.scores[0], seen.gaps, chosen, self.target)
        gradients, _ = self.problem.gradient(seen.forward, c, GRADIENT_TOLERANCE)
        self.trail.gradients += 1
        held = [] if seen.kept is None else seen.kept.names(count)
        if seen.kept is not None:
            gradients = torch.cat([gradients, seen.kept.gradients(held)])
        gradients = without_gauge(gradients, self.problem.n_classes) * self.norm
        values = limits_of(seen, chosen, held)
        return Linear(seen, chosen, held, values, numbers(gradients), self.offset(seen))

    @property
    def margins(self) -> Margins | None:
        """Return the limit on the margins of `test`; None where none is asked for."""
        if not self.options.margins or self.options.tolerance is None:
            return None
        return Margins.of(self.problem.splits["test"], self.honest, self.options.tolerance)

    def held(self, seen: Look) -> "Search":
        """Return the search with a limit that a model which has lost too much accuracy does not
        meet: the margins of `test`, or a bound on the training loss below that model's."""
        if (margins := self.margins) is not None:
            return replace(self, limit=margins)
        loss = float(self.problem.training_loss(seen.theta, 0.0)[0])
        bound = self.honest_loss + TIGHTER * (loss - self.honest_loss)
        if isinstance(self.limit, LossBound):
            bound = min(bound, self.limit.bound)
        return replace(self, limit=LossBound(self.problem, self.honest_loss, bound))


def suffices(options: MinimalOptions, seen: Look | None) -> bool:
    """Return whether an arrival ends the search: it is within `options.enough` and may be
    returned."""
    return seen is not None and seen.radius <= options.enough and keeps(options, seen.lost)


def keeps(options: MinimalOptions, lost: float) -> bool:
    """Return whether a model that has lost so much accuracy on `test` may be returned."""
    return options.tolerance is None or lost <= options.tolerance + ROUNDING


def gaps_of(scores: Tensor, target: int) -> Tensor:
    """Return φ_j = (I_j − I_t)/std(I), (n,), −∞ at the target itself."""
    gaps = (scores - scores[target]) / scores.std()
    gaps[target] = -torch.inf
    return gaps


def limits_of(seen: Look, chosen: Tensor, held: Sequence[int]) -> Vector:
    """Return what must be below 0: φ_j of the samples `chosen`, and the numbers of the accuracy
    limit whose names are `held`."""
    values = seen.gaps[chosen] + SAFE
    if seen.kept is not None:
        values = torch.cat([values, seen.kept.values(held)])
    return numbers(values)


def numbers(values: Tensor) -> Vector:
    return np.asarray(values.double().cpu().numpy())


def gap_coefficients(scores: Tensor, gaps: Tensor, chosen: Tensor, target: int) -> Tensor:
    """Return the coefficients (c, n) of which ∇ Σ_i c_i I_i is ∇φ_j, for the samples `chosen`."""
    spread, own = scores.std(), torch.arange(len(chosen), device=scores.device)
    c = -gaps[chosen].unsqueeze(1) * (scores - scores.mean()) / ((len(scores) - 1) * spread**2)
    c[own, chosen] += 1 / spread
    c[:, target] -= 1 / spread
    return c


def descend(search: Search, seen: Look, ball: float) -> Look | None:
    """Lower the merit inside a ball by trust-region steps until it is below 0. Return the first
    model there, or None where the steps are stuck or used up."""
    reach, merits = FIRST_REACH, [seen.merit]
    here: Linear | None = None
    while seen.merit >= 0:
        if search.trail.over or reach < LEAST_REACH * ball:
            return None
        if here is None:
            here = search.linearised(seen)
        step = lower_largest(here.values, here.gradients, here.offset, reach, ball)
        new = search.look(search.within(search.moved(seen, step), ball), ball)
        if new.merit >= seen.merit:
            reach = min(reach, float(np.linalg.norm(step))) / NARROWER
            continue
        seen, reach, here = new, reach * WIDER, None
        merits.append(seen.merit)
        if len(merits) > LOOK_BACK and seen.merit > (1 - FALL) * merits[-1 - LOOK_BACK]:
            return None
    return seen


def tighten(search: Search, seen: Look, corrections: int = 0) -> Look:
    """Lower the radius along merit = 0 by steps of sequential quadratic programming with the exact
    penalty radius²/2 + price·max(0, merit). Return the last model, arrived or not. corrections: of
    a step, at most; with any, curvature and price follow the gradients."""
    reach, price, fine = FIRST_REACH * seen.radius, PRICE, corrections > 0
    here: Linear | None = None
    pairs: list[Pair] = []
    while not search.trail.over and reach > LEAST_REACH * seen.radius:
        if here is None or here.seen is not seen:
            earlier, here = here, search.linearised(seen)
            if fine:
                pairs = [*pairs, *here.after(earlier)][-MEMORY:]
                floor = LEAST_PRICE if earlier is None else max(price / 2, LEAST_PRICE)
                price = max(FAIR * float(here.multipliers.sum()), floor)
        programme = Programme(here, reach, price, pairs)
        step, least = programme.solve(here.values + (AIM if fine else 0.0))
        promised = cost(seen, price) - least
        if promised < (FINE if fine else GAIN / 2) * cost(seen, price):
            break
        new = corrected(search, programme, step, corrections)
        gained = (cost(seen, price) - cost(new, price)) / promised
        if gained < 0.1:
            reach = min(reach, float(np.linalg.norm(step))) / NARROWER
            continue
        seen = new
        reach *= WIDER if gained > 0.5 else 1
    return seen


def cost(seen: Look, price: float) -> float:
    """Return the exact penalty of `tighten`."""
    return seen.radius**2 / 2 + price * max(0.0, seen.merit)


@dataclass(frozen=True)
class Programme:
    """The quadratic programme of one step of `tighten`."""

    here: Linear
    reach: float
    price: float
    pairs: Sequence[Pair]

    def solve(self, values: Vector) -> tuple[Vector, float]:
        """Return the step (P,) for limits of these values, and its cost."""
        here = self.here
        return nearest(values, here.gradients, here.offset, self.reach, self.price, self.pairs)


def corrected(search: Search, programme: Programme, step: Vector, corrections: int) -> Look:
    """Take a step; while it ends outside, solve it again with the limits seen at its end, for as
    long as that helps and `corrections` allow. Return the best model."""
    here, price = programme.here, programme.price
    new = search.look(search.moved(here.seen, step), np.nan)
    for _ in range(corrections):
        if new.merit < 0 or search.trail.over:
            break
        bent = limits_of(new, here.chosen, here.held) - here.gradients @ step + AIM
        step, _ = programme.solve(bent)
        again = search.look(search.moved(here.seen, step), np.nan)
        if cost(again, price) >= cost(new, price):
            break
        new = again
    return new


def lower(search: Search, start: Tensor, radius: float) -> Look | None:
    """Follow the three moves from a start within `radius`; return the smallest arrival, or None
    where nothing arrives."""
    trail, first = search.trail, len(search.trail.arrived)
    seen = descend(search, search.look(search.within(start, radius), radius), radius)
    while seen is not None and not trail.over and not suffices(search.options, seen):
        ball = SHRINK * seen.radius
        smaller = descend(search, search.look(search.within(seen.theta, ball), ball), ball)
        if smaller is not None:
            seen = smaller
            continue
        if seen.radius > FAR * search.best:
            break
        tighten(search, seen)
        nearest = smallest(trail.arrived[first:])
        assert nearest is not None  # `seen` is one
        seen = nearest if nearest.radius < (1 - GAIN) * seen.radius else None
    return smallest(trail.arrived[first:])


def shrink(search: Search, start: Tensor, radius: float) -> None:
    """Search from a start within `radius`. Where the nearest arrival has lost too much accuracy,
    go on from it within an accuracy limit, in a slightly larger ball."""
    found = lower(search, start, radius)
    while found is not None and not keeps(search.options, found.lost) and not search.trail.over:
        if found.radius > FAR * search.best:
            break
        search = search.held(found)
        found = lower(search, found.theta, ROOM * found.radius)


def refine(search: Search, theta: Tensor) -> None:
    """Follow merit = 0 from an arrival to almost a local minimum of the radius, within margins from
    the start. Where the nearest arrival has lost too much accuracy all the same, begin again with a
    bound on the training loss, for as long as the first model is within it."""
    search = replace(search, limit=search.margins)
    for _ in range(HOLDS + 1):
        seen = search.look(theta, np.nan)
        if seen.merit >= 0:
            return
        tighten(search, seen, CORRECTIONS)
        found = smallest(search.trail.arrived)
        if found is None or keeps(search.options, found.lost) or search.trail.over:
            return
        search = search.held(found)


def distinct(search: Search, seen: Sequence[Look]) -> list[Look]:
    """List models, the nearest to θ* first, without those that hardly differ from a nearer one."""
    chosen: list[Look] = []
    for one in sorted(seen, key=lambda look: look.radius):
        least = DISTINCT * one.radius * search.norm
        if all(torch.linalg.vector_norm(one.theta - other.theta) > least for other in chosen):
            chosen.append(one)
    return chosen


def hop(search: Search, seen: Look, number: int) -> tuple[Tensor, float]:
    """Move a model at random, by the number-th of the lengths in turn. Return θ (1, P) and the
    radius of the ball to search it in. The move depends on the seed, the target and the number."""
    rng = np.random.default_rng([search.options.seed, search.target, number])
    way = seen.theta.new_tensor(rng.standard_normal(seen.theta.shape))
    length = HOPS[number % len(HOPS)] * seen.radius * search.norm
    return seen.theta + way * (length / torch.linalg.vector_norm(way)), HOP_ROOM * seen.radius


def smallest(arrived: Sequence[Look]) -> Look | None:
    return min(arrived, key=lambda seen: seen.radius, default=None)
