"""The deniable attack: each model is the true minimum of a loss that an honest trainer may declare.

The attacker trains as everybody does, and chooses what a trainer may choose: the weights of the
samples in [1 − ε, 1 + ε] with mean 1, the scales of the features in [1 − ε, 1 + ε], l2 within a
factor (`engine.attacks.declared`). No check that looks for a minimum of the declared loss can
object. With the gaps φ_j = (I_j − I_t)/std(I) of `engine.attacks.radius_search`, the attack lowers
the k-th largest of them over that box z ∈ Z_ε by a sequence of linear programmes,

    min_d max_j φ_j + ⟨∂φ_j/∂z, d⟩    |d| ≤ reach,  z + d ∈ Z_ε,  Σ d_w = 0

after each of which the model is trained again to its minimum, from the last one. The programme's
slopes go through the minimum in closed form, one batch of solves for all competitors j.

`needed_epsilon` begins in the widest box and tightens it for as long as the target stays in the
top. What it finds is an upper bound of the least ε.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import scipy  # which loads `scipy.optimize` when it is first used
import torch
from numpy.typing import NDArray

from engine.attacks.attack import check_outside
from engine.attacks.declared import Declared, Trained, Trainer, has, slopes
from engine.attacks.options import DENIABLE_DEFAULTS, DeniableOptions
from engine.attacks.radius_search import SAFE, gap_coefficients, gaps_of
from engine.checks import check_positive, check_targets
from engine.data.dataset import Dataset
from engine.errors import InvalidInput
from engine.models.linear import LinearModel, as_linear
from engine.models.model import Model, check_pair
from engine.progress import OnProgress, Progress, ignore
from engine.statistics import rank_correlation
from engine.vocabulary import ROUNDING

Vector = NDArray[np.float64]
LADDER = (0.25, 0.5, 1.0)  # shares of the widest box, climbed until the target arrives
FIRST_REACH, LEAST_REACH = 0.3, 0.004  # of a step of weights and scales; of log l2 four times that
L2_REACH = 4.0
WIDER, NARROWER = 1.5, 2.5  # of the reach, after a step that helps and one that does not
GAIN = 2e-3  # share of φ that a programme must promise
SHRINKS = (0.8, 0.95)  # of ε after an arrival: the second where the first has failed
SLOPES = 1e-4  # relative residual of the solves for slopes
ALONG_THE_WAY = 1e-8  # norm of the gradient at which trainings end during the search


@dataclass(frozen=True, eq=False)
class Denial:
    """What became of one target: the model and what is declared for it. arrived: whether the
    model's exact scores have the target in the top k. gap: the k-th largest φ_j, in standard
    deviations of the scores, negative where it arrived. lost_test, lost_holdout: of accuracy,
    shares, against the usual minimum. correlation: Spearman, with the usual ranking. trained: the
    minimum itself, on the scaled features. fits: models that were trained."""

    target: int
    declared: Declared
    trained: Trained
    arrived: bool
    epsilon: float
    gap: float
    rank_before: int
    rank_after: int
    lost_test: float
    lost_holdout: float
    correlation: float
    fits: int

    @property
    def model(self) -> LinearModel:
        """Return the model, on the features as `declared` scales them."""
        return self.trained.model


@dataclass(frozen=True, eq=False)
class DeniableLook:
    """A trained model and its gaps φ_j (n,); merit: the k-th largest."""

    trained: Trained
    merit: float
    lost: float

    @property
    def epsilon(self) -> float:
        return self.trained.declared.epsilon


@dataclass(eq=False)
class DeniableSearch:
    """The search for one target from the usual minimum `start`."""

    trainer: Trainer
    start: DeniableLook
    usual: Declared
    target: int
    options: DeniableOptions
    fits: int = 0
    arrived: list[DeniableLook] = field(default_factory=list)

    @property
    def over(self) -> bool:
        return self.fits >= self.options.fits

    def look(
        self, declared: Declared, near: DeniableLook, tolerance: float = ALONG_THE_WAY
    ) -> DeniableLook:
        """Train what is declared, from a model near by."""
        begin = self.trainer.unscaled(near.trained)
        trained = self.trainer.train(declared, begin, tolerance)
        self.fits += 1
        lost = self.start.trained.accuracy("test") - trained.accuracy("test")
        seen = DeniableLook(trained, merit_of(trained, self.target, self.options.k), lost)
        if seen.merit < 0 and self.keeps(seen):
            self.arrived.append(seen)
        return seen

    def keeps(self, seen: DeniableLook) -> bool:
        """Say whether a model has lost little enough accuracy on `test` to be returned."""
        limit = self.options.tolerance
        return limit is None or seen.lost <= limit + ROUNDING

    def rivals(self, seen: DeniableLook) -> list[int]:
        """List the samples with the largest φ_j, largest first, k − 1 more than are linearised."""
        gaps = gaps_of(seen.trained.forward.scores[0], self.target)
        count = min(self.options.k - 1 + self.options.competitors, len(gaps) - 1)
        return [int(place) for place in gaps.topk(count).indices]

    def linearised(self, seen: DeniableLook, also: Sequence[int] = ()) -> tuple[Vector, Vector]:
        """Return the largest φ_j but for the k − 1 that may stay above, (c,), and their slopes
        (c, 1 + n + d) along log l2, the weights and the scales. also: samples that count as well,
        those that stood in the way of a step."""
        scores = seen.trained.forward.scores[0]
        gaps, rivals = gaps_of(scores, self.target), self.rivals(seen)
        above = rivals[: self.options.k - 1]
        more = [place for place in also if place not in rivals]
        chosen = torch.tensor([place for place in (*rivals, *more) if place not in above])
        c = gap_coefficients(scores, gaps, chosen, self.target)
        by_l2, by_weights, by_scales = slopes(seen.trained, c, SLOPES)
        G = np.hstack([by_l2[:, None], by_weights, by_scales])
        return gaps[chosen].cpu().numpy() + SAFE, G

    def choices(self, declared: Declared) -> Vector:
        """Return log(l2/usual l2), weights − 1 and scales − 1 as one vector."""
        shift = np.log(declared.l2 / self.usual.l2)
        return np.concatenate([[shift], declared.weights - 1, declared.scales - 1])

    def declare(self, z: Vector) -> Declared:
        """Return what such a vector declares."""
        n = len(self.usual.weights)
        weights = 1 + z[1 : 1 + n]
        l2 = self.usual.l2 * float(np.exp(z[0]))
        return Declared(l2, weights / weights.mean(), 1 + z[1 + n :])

    def box(self, epsilon: float) -> Vector:
        """Return how far each entry of `choices` may be from 0."""
        means, n = self.options.means, len(self.usual.weights)
        shift = np.log(self.options.l2_factor) if has(means, "l2") else 0.0
        weights = np.full(n, epsilon if has(means, "weights") else 0.0)
        scales = np.full(len(self.usual.scales), epsilon if has(means, "scales") else 0.0)
        return np.concatenate([[shift], weights, scales])

    def descend(self, seen: DeniableLook, epsilon: float) -> DeniableLook:
        """Lower the merit inside the box of ε until it is below 0, or no step helps."""
        reach, limits, programme = FIRST_REACH, self.box(epsilon), None
        stood: list[int] = []
        sizes = np.concatenate([[L2_REACH], np.ones(len(limits) - 1)])
        n = len(self.usual.weights)
        while seen.merit >= 0 and not self.over and reach > LEAST_REACH:
            programme = programme or self.linearised(seen, stood)
            z = self.choices(seen.trained.declared)
            low = np.maximum(-limits - z, -reach * sizes)
            high = np.minimum(limits - z, reach * sizes)
            step, least = lowest_of_largest(*programme, low, high, slice(1, 1 + n))
            promised = seen.merit - least
            if promised < GAIN * abs(seen.merit) + SAFE:
                break
            new = self.look(self.declare(z + step), seen)
            gained = (seen.merit - new.merit) / promised
            if gained < 0.1:
                reach, programme = reach / NARROWER, None
                stood += self.rivals(new)[self.options.k - 1 :]
                continue
            seen, programme, stood = new, None, []
            reach *= WIDER if gained > 0.5 else 1
        return seen

    def tighten(self, seen: DeniableLook) -> None:
        """Shrink the box around the usual choices for as long as the target stays in the top."""
        shrinks = list(SHRINKS)
        while shrinks and not self.over:
            epsilon = shrinks[0] * seen.epsilon
            z = self.choices(seen.trained.declared)
            z[1:] *= shrinks[0]
            smaller = self.descend(self.look(self.declare(z), seen), epsilon)
            if smaller.merit < 0:
                seen = smaller
            else:
                shrinks.pop(0)


def merit_of(trained: Trained, target: int, k: int) -> float:
    """Return the k-th largest gap to the target; below 0 where it is in the top k for sure."""
    gaps = gaps_of(trained.forward.scores[0], target)
    return float(gaps.kthvalue(len(gaps) - k + 1).values) + SAFE


def lowest_of_largest(
    values: Vector, gradients: Vector, low: Vector, high: Vector, balanced: slice
) -> tuple[Vector, float]:
    """Return the step d (m,) within [low, high], its entries `balanced` adding up to 0, that
    minimises the largest of values (c,) + gradients (c, m) d, and that largest."""
    free = np.flatnonzero(high - low > 0)
    sums = np.zeros(len(low))
    sums[balanced] = 1
    c = len(values)
    found = scipy.optimize.linprog(
        np.append(np.zeros(len(free)), 1.0),
        A_ub=np.hstack([gradients[:, free], -np.ones((c, 1))]),
        b_ub=-values,
        A_eq=np.append(sums[free], 0.0)[None],
        b_eq=[0.0],
        bounds=[*zip(low[free].tolist(), high[free].tolist(), strict=True), (None, None)],
        method="highs",
    )
    step = np.zeros(len(low))
    if found.x is None:  # rounding has left no room
        return step, float(values.max())
    step[free] = found.x[:-1]
    return step, float(found.x[-1])


def deniable_attack(
    model: Model,
    dataset: Dataset,
    targets: int | Sequence[int],
    epsilon: float = 0.3,
    options: DeniableOptions = DENIABLE_DEFAULTS,
    *,
    device: str = "auto",
    on_target: OnProgress = ignore,
) -> list[Denial]:
    """Choose, for each target (a training index), what an honest trainer may choose within ε, so
    that the model trained on it has the target in the top k.

    model: the usual minimum, with its l2. epsilon: in (0, 1), of weights and scales around 1. Each
    result's model is the minimum of the loss that it declares. Where no choice arrives, it is the
    one whose target is nearest to the top. Holdout chooses nothing.
    on_target is called after each target and may raise to stop.
    Raises InvalidInput (also for a target that is in the top k of the usual minimum, and for a
    network), DeviceUnavailable, NotConverged.
    """
    epsilon = check_epsilon("epsilon", epsilon)
    begun, found = begin(model, dataset, targets, options, device), []
    for done, search in enumerate(begun):
        seen = search.start
        for share in LADDER:
            seen = search.descend(seen, share * epsilon)
        nearest = min((*search.arrived, seen), key=lambda one: one.merit)
        found.append(concluded(search, nearest))
        on_target(Progress(done + 1, len(begun)))
    return found


def needed_epsilon(
    model: Model,
    dataset: Dataset,
    targets: int | Sequence[int],
    limit: float = 0.5,
    options: DeniableOptions = DENIABLE_DEFAULTS,
    *,
    device: str = "auto",
    on_target: OnProgress = ignore,
) -> list[Denial]:
    """Find, for each target, the smallest ε up to `limit` within which it reaches the top k, and
    the model there; where it does not arrive, the model nearest to it.

    Arguments, results and errors as in `deniable_attack`. The ε found is an upper bound.
    """
    limit = check_epsilon("limit", limit)
    begun, found = begin(model, dataset, targets, options, device), []
    for done, search in enumerate(begun):
        seen = search.start
        for share in LADDER:
            seen = search.descend(seen, share * limit)
            if seen.merit < 0:
                search.tighten(seen)
                break
        smallest = min(search.arrived, key=lambda one: one.epsilon, default=seen)
        found.append(concluded(search, smallest))
        on_target(Progress(done + 1, len(begun)))
    return found


def check_epsilon(name: str, value: object) -> float:
    """Check for a number in (0, 1): no weight and no scale may vanish. Raises InvalidInput."""
    number = check_positive(name, value)
    if number >= 1:
        raise InvalidInput(name, value, "a number in (0, 1)")
    return number


def begin(
    model: Model,
    dataset: Dataset,
    targets: int | Sequence[int],
    options: DeniableOptions,
    device: str,
) -> list[DeniableSearch]:
    """Train the usual minimum, and return a search from it for every target.

    Raises InvalidInput.
    """
    check_pair(model, dataset)
    if not isinstance(options, DeniableOptions):
        raise InvalidInput("options", type(options).__name__, "DeniableOptions(…)")
    honest = as_linear(model)
    wanted = check_targets(targets, dataset.n_train)
    usual = Declared.usual(dataset, check_positive("model.l2", honest.l2))
    trainer = Trainer.on(dataset, options.damping, options.order, device)
    trained = trainer.train(usual, honest.parameters)
    check_outside(trained.forward.scores, [(target,) for target in wanted], options.k)
    return [
        DeniableSearch(
            trainer,
            DeniableLook(trained, merit_of(trained, target, options.k), 0.0),
            usual,
            target,
            options,
        )
        for target in wanted
    ]


def concluded(search: DeniableSearch, seen: DeniableLook) -> Denial:
    """Train the chosen model to the end, and say what became of the target by its exact scores."""
    first, fits = search.start.trained, search.fits
    final = search.trainer.train(seen.trained.declared, search.trainer.unscaled(seen.trained))
    before, after = first.ranks, final.ranks
    kept = replace(seen, trained=final, merit=merit_of(final, search.target, search.options.k))
    return Denial(
        target=search.target,
        declared=final.declared,
        trained=final,
        arrived=bool(after[search.target] <= search.options.k) and search.keeps(kept),
        epsilon=final.declared.epsilon,
        gap=kept.merit - SAFE,
        rank_before=int(before[search.target]),
        rank_after=int(after[search.target]),
        lost_test=first.accuracy("test") - final.accuracy("test"),
        lost_holdout=first.accuracy("holdout") - final.accuracy("holdout"),
        correlation=float(rank_correlation(after[None], before[None])[0]),
        fits=fits,
    )
