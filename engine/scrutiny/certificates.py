"""Which samples cannot be moved: a gradient norm, and a radius, below which no model can do it.

θ* is the given model and F the declared training loss, mean cross-entropy + l2/2·‖θ‖². A sample is
*certified* out of the top k at a gradient norm where no θ with ‖∇F(θ)‖₂ at most this has it there,
whoever chose θ and however. The bound is a first-order expansion with a proven remainder, and
`docs/certificates.md` has the proof. With d = θ − θ*, A = H + λI and f = I_j − I_i:

    f(θ) >= f − sup ∇f·d − remainder,    and i stays out where k samples j keep f > 0

The models (`Reach`). With B = (H + l2·I)⁻¹ a displacement is d = Bγ + Cη, ‖γ‖ <= the gradient norm,
where Cη, C = (H + l2·I)⁻¹ H_φ^½ and ‖η‖ <= E, is what the Hessian's change on the way adds. For a
radius instead of a gradient norm B = I and E = 0.

The remainder (`Level`) adds up, t = A⁻¹(G_j − G_i) and s = A⁻¹g being those of θ*:

    (a) t·(what the test gradient g changes beyond first order)
    (b) s·(what the samples' gradients G_i, G_j change beyond first order)
    (c) t·(what the Hessian changes beyond first order) s
    (d) the product of what t and s change, in A(θ)

Everything is dense and in float64. Rounding is not tracked operation by operation: `ROUNDING`
leaves room for it.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.checks import check_integer, check_positive
from engine.data.dataset import Dataset
from engine.errors import InvalidInput
from engine.influence.problem import ranks
from engine.models.linear import as_linear
from engine.models.model import Model, check_pair
from engine.progress import OnProgress, Progress, ignore
from engine.scrutiny.expansion import (
    TINY,
    Array,
    Expansion,
    ExpansionPart,
    excess,
    factor,
    kept,
    largest,
    phi,
    slope,
)
from engine.vocabulary import DAMPING, L2

MOST_PARAMETERS = 2500  # a level solves some 15 dense eigenvalue problems of this size
RIVALS = 10  # samples below the k-th that may keep a sample out as well: any k of them will do
STEP = 10**0.25  # between the sizes at which the remainder is computed; it is scaled in between
GAIN = 1.05  # a smaller size is tried as long as it raises some sample's certificate by so much
MOST_RANGE = 20.0  # of a change of logits: e^20 makes every bound void
ROUNDING = 1e-12  # relative to the largest score
CANCELLED = 1e-14  # relative to ‖v_i‖² + ‖v_j‖²: of ‖v_i − v_j‖², which is rounded up by it
ROUNDS = 12  # of the search for the ranges r that hold themselves up
ROOM = 1.05  # between r and what it must hold, so that the search ends
SMALLEST = 1e-5  # of the largest size: where nothing is bounded down to this, nothing is certified
TYPICAL_LEVELS = 14  # of both regions together, for the progress that is reported
PAIRS_AT_ONCE = 1_000_000


@dataclass(frozen=True, eq=False)
class Certificate:
    """What is certified of every training sample, (n,) each; 0 for the top k, and where nothing is.

    gradient_norms: no model θ with ‖∇F(θ)‖₂ at most this has the sample in its top k.
    radii: no model with ‖θ − θ*‖₂ at most this has; absolute, `relative_radii` divides by ‖θ*‖₂.
    rivals: the sample that is certified to stay above it, and with it k − 1 others; −1 for the top
        k.
    scores, ranks: those of the given model θ* in float64; scores as `order` ranks them.
    own_gradient_norm: ‖∇F(θ*)‖₂, already subtracted from `gradient_norms`.
    """

    k: int
    l2: float
    damping: float
    scores: Array
    ranks: NDArray[np.int64]
    gradient_norms: Array
    radii: Array
    rivals: NDArray[np.int64]
    own_gradient_norm: float
    model_norm: float

    @property
    def relative_radii(self) -> Array:
        """Return the certified ‖θ − θ*‖₂ / ‖θ*‖₂, (n,)."""
        return self.radii / self.model_norm

    def share(self, gradient_norm: float) -> float:
        """Return the share of all training samples that is certified out of the top k at a
        gradient norm > 0."""
        return float(np.mean(self.gradient_norms >= check_positive("norm", gradient_norm)))


class Reach(NamedTuple):
    """How far the models of a region are from θ*: d = Bγ + Cη, ‖γ‖ <= size, ‖η‖ <= E, and, where
    `inner` is given, also ‖d‖ <= 1 in inner⁻². B None is the identity, C None: no η."""

    size: float
    B: Array | None = None
    E: float = 0.0
    C: Array | None = None
    inner: Array | None = None

    def ranges(self, part: ExpansionPart) -> Array:
        """Return the most by which two logits of each sample move against each other, (n,)."""
        most = self.size * spans(part, self.B)
        if self.C is not None:
            most += self.E * spans(part, self.C)
        return most if self.inner is None else np.minimum(most, spans(part, self.inner))

    def form(self, Q: Array) -> float:
        """Return sup ‖d‖_Q for a positive semidefinite Q (P, P)."""
        most = self.size * largest(Q if self.B is None else self.B @ Q @ self.B) ** 0.5
        if self.C is not None:
            most += self.E * largest(self.C.T @ Q @ self.C) ** 0.5
        return (
            most if self.inner is None else min(most, largest(self.inner.T @ Q @ self.inner) ** 0.5)
        )


def spans(part: ExpansionPart, M: Array | None) -> Array:
    """Return max over classes a, b of ‖Mᵀ((e_a − e_b) ⊗ x)‖ for each sample x, (n,); M None is the
    identity."""
    if M is None:
        return np.sqrt(2) * np.linalg.norm(part.X, axis=1)
    K, D = part.P.shape[1], part.X.shape[1]
    Q = (M @ M.T).reshape(K, D, K, D)
    found = np.zeros(len(part.X))
    for a in range(K):
        for b in range(a):
            of_pair = Q[a, :, a] - Q[a, :, b] - Q[b, :, a] + Q[b, :, b]
            np.maximum(found, ((part.X @ of_pair) * part.X).sum(axis=1), out=found)
    return np.sqrt(found)


def differences(V: Array, i: NDArray, j: NDArray) -> Array:
    """Return ‖v_i − v_j‖, (len(i), len(j)), for rows of V (n, P), rounded up."""
    squares = (V * V).sum(axis=1)
    both = squares[i, None] + squares[None, j]
    return np.sqrt((both - 2 * V[i] @ V[j].T).clip(0) + CANCELLED * both)


class Region(NamedTuple):
    """All models of a kind: those with ‖∇F(θ) − ∇F(θ*)‖ <= size where B = (H + l2·I)⁻¹ is given,
    those with ‖θ − θ*‖ <= size where it is None."""

    B: Array | None

    def reach(self, at: Expansion, size: float) -> Reach | None:
        """Return how far the models of this size are from θ*; None where nothing bounds that.

        For gradients, r (n,) are such that the bounds which follow from them do not exceed them:
        along the models whose gradient goes straight from ∇F(θ*) to ∇F(θ), the logits' differences
        are continuous, start at 0 and never get past r.
        """
        if self.B is None:
            return Reach(size)
        r = ROOM * size * spans(at.train, self.B)
        for _ in range(ROUNDS):
            if r.max() > MOST_RANGE:
                return None
            changed = at.train.hessian(phi(r))  # on the way to θ the Hessian changes d by this most
            C = self.B @ factor(changed)
            # The mean Hessian on the way is at least this, so that ‖d‖ in it is <= size/√l2.
            least = at.train.hessian(kept(r)) + at.l2 * np.eye(len(C))
            inner = size / at.l2**0.5 * np.linalg.inv(factor(least)).T
            E, tail = largest(inner.T @ changed @ inner) ** 0.5, largest(C.T @ changed @ C) ** 0.5
            if tail < 1:
                E = min(E, size * largest(self.B @ changed @ self.B) ** 0.5 / (1 - tail))
            found = Reach(size, self.B, E, C, inner)
            enough = found.ranges(at.train)
            if (enough <= r).all():
                return found
            r = np.maximum(r, ROOM * enough)
        return None


class Level(NamedTuple):
    """What no model of a region of this size exceeds: the factors of the remainder's terms.

    A(θ) ⪰ (1 − lost) A. own: (b) of each sample, (n,). In (a) and (c) the difference of two rows of
    `by_test`, `by_change` has the length that multiplies `test` and `change`. In (d) `solve`
    multiplies what t changes: `moved` of each sample, (n,), and the difference of two rows of
    `by_moved`.
    """

    reach: Reach
    lost: float
    by_test: Array
    test: float
    own: Array
    by_change: Array
    change: float
    moved: Array
    by_moved: Array
    solve: float


def level(at: Expansion, region: Region, size: float) -> Level | None:
    """Bound everything that a model of the region of this size can change, or return None."""
    reach = region.reach(at, size)
    if reach is None:
        return None
    r, r_test = reach.ranges(at.train), reach.ranges(at.test)
    if max(r.max(), r_test.max()) > MOST_RANGE:
        return None
    lost = largest(at.A_root @ at.train.hessian(-np.expm1(-r)) @ at.A_root)
    if lost >= 1:
        return None
    of_s = at.train.variances(at.s)
    varied = at.spread * r  # ‖d x_i‖_S
    on_test = at.test.hessian(phi(r_test))
    solve = (  # ‖g(θ) − g − (A(θ) − A)s‖ in A⁻¹: to first order, then g's and A's remainders
        reach.form(at.curl.T @ at.curl)
        + at.steepness * reach.form(at.test.hessian(phi(r_test) ** 2))
        + float(np.mean(excess(r) ** 2 * of_s)) ** 0.5
    )
    return Level(
        reach=reach,
        lost=lost,
        by_test=at.T @ factor(on_test),
        test=reach.form(on_test),
        own=phi(r) * np.sqrt(of_s) * varied,
        by_change=at.T @ factor(at.train.hessian(excess(r))),
        change=float(np.mean(excess(r) * of_s)) ** 0.5,
        moved=slope(r) * varied * at.own_reach,
        by_moved=at.T @ factor(at.train.hessian(np.expm1(r) ** 2)),
        solve=solve / (1 - lost),
    )


def sizes_of_pairs(at: Expansion, found: Level, i: NDArray, j: NDArray) -> Array:
    """Return up to which size no model brings sample i to sample j or above it, (len(i), len(j)):
    at most this level's size, 0 where j is not above i at θ*.

    At a fraction τ of the size the first-order term is τ times as large and every other at most τ²
    times: the answer is the root of a quadratic.
    """
    gap = at.scores[None, j] - at.scores[i, None] - ROUNDING * np.abs(at.scores).max()
    rest = found.test * differences(found.by_test, i, j)
    rest += found.own[i, None] + found.own[None, j]
    rest += found.change * differences(found.by_change, i, j)
    moved = found.moved[i, None] + found.moved[None, j]
    rest += found.solve * (moved + differences(found.by_moved, i, j))

    reach, V = found.reach, at.gradients
    first = reach.size * differences(V if reach.B is None else V @ reach.B, i, j)
    if reach.C is None:
        share = largest_share(gap, first, rest)
    else:
        share = largest_share(gap, first, rest + reach.E * differences(V @ reach.C, i, j))
    if reach.inner is not None:
        within = differences(V @ reach.inner, i, j)
        share = np.maximum(share, largest_share(gap, within, rest))
    return reach.size * share


def largest_share(gap: Array, first: Array, rest: Array) -> Array:
    """Return the largest τ in [0, 1] with τ·first + τ²·rest < gap; 0 where the gap is not > 0."""
    rooted = first + np.sqrt(first**2 + 4 * rest * gap.clip(0))
    share = 2 * gap.clip(0) / np.maximum(rooted, TINY)
    return np.minimum(share * (1 - ROUNDING), 1.0)


def levels(at: Expansion, region: Region, largest_size: float) -> Iterator[Level]:
    """Yield the levels of a region, from the largest size at which anything is bounded down."""
    size, smallest = largest_size, largest_size * SMALLEST
    while size > smallest:
        found = level(at, region, size)
        if found is not None:
            yield found
        size /= STEP


def certified(
    at: Expansion, region: Region, ks: Sequence[int], report: Callable[[], None]
) -> dict[int, tuple[Array, NDArray[np.int64]]]:
    """Return for each k the certified size of every sample, (n,), and its k-th rival, (n,)."""
    n = len(at.scores)
    order = np.argsort(-at.scores, kind="stable")
    j, everyone = order[: min(n, max(ks) + RIVALS)], np.arange(n)
    # No sample is certified beyond the size at which the first-order term alone uses up its gap.
    slopes = differences(at.gradients if region.B is None else at.gradients @ region.B, everyone, j)
    gaps = (at.scores[j][None] - at.scores[:, None]).clip(0)
    start = min(
        float((gaps / np.maximum(slopes, TINY)).max()),
        MOST_RANGE / float(spans(at.train, region.B).max()),
    )
    best = np.zeros((n, len(j)))
    for found in levels(at, region, start):
        report()
        sizes = sizes_of_pairs(at, found, everyone, j)
        before = [kth(best, k) for k in ks]
        best = np.maximum(best, sizes)
        if not any((kth(best, k) > GAIN * old).any() for k, old in zip(ks, before, strict=True)):
            break
    place = np.argsort(-best, axis=1, kind="stable")
    return {k: (kth(best, k), j[place[:, k - 1]]) for k in ks}


def kth(sizes: Array, k: int) -> Array:
    """Return the k-th largest of each row."""
    return -np.sort(-sizes, axis=1)[:, k - 1]


def certify_each_k(
    model: Model,
    dataset: Dataset,
    ks: Sequence[int],
    l2: float = L2,
    damping: float = DAMPING,
    order: str = "highest_first",
    on_step: OnProgress = ignore,
) -> dict[int, Certificate]:
    """Certify as `certify`, for several k at once, at the cost of one."""
    at = expand(model, dataset, l2, damping, order)
    ks = [check_integer("k", k, 1, len(at.scores)) for k in ks]
    parameters = as_linear(model).norm
    done = 0

    def report() -> None:
        nonlocal done
        done += 1
        on_step(Progress(done, TYPICAL_LEVELS))

    by_norm = certified(at, Region(at.solve), ks, report)
    by_radius = certified(at, Region(None), ks, report)
    place = ranks(at.scores)
    found = {}
    for k in ks:
        (norms, rivals), (radii, _) = by_norm[k], by_radius[k]
        outside = place > k
        found[k] = Certificate(
            k=k,
            l2=at.l2,
            damping=damping,
            scores=at.scores,
            ranks=place,
            gradient_norms=np.where(outside, (norms - at.own_gradient).clip(0), 0.0),
            radii=np.where(outside, radii, 0.0),
            rivals=np.where(outside, rivals, -1),
            own_gradient_norm=at.own_gradient,
            model_norm=parameters,
        )
    return found


def certify(
    model: Model,
    dataset: Dataset,
    l2: float = L2,
    damping: float = DAMPING,
    k: int = 1,
    order: str = "highest_first",
) -> Certificate:
    """Certify for every training sample a gradient norm and a radius below which no model has it
    in its top k.

    model: the honest minimum of the training loss with `l2`; any other model is allowed, and its
        own gradient norm is then subtracted from what is certified. l2: of the declared loss.
    Raises InvalidInput, also for models of more than `MOST_PARAMETERS` parameters.
    """
    k = check_integer("k", k, 1)
    return certify_each_k(model, dataset, [k], l2, damping, order)[k]


def certified_depth(
    model: Model,
    dataset: Dataset,
    gradient_norm: float,
    l2: float = L2,
    damping: float = DAMPING,
    order: str = "highest_first",
) -> int:
    """Return the largest k for which every model θ with ‖∇F(θ)‖₂ <= gradient_norm has the same k
    first samples as `model`, in the same order; n where the whole ranking is certified.

    Raises InvalidInput.
    """
    gradient_norm = check_positive("gradient_norm", gradient_norm, allow_zero=True)
    at = expand(model, dataset, l2, damping, order)
    size = max(gradient_norm + at.own_gradient, TINY)
    found = level(at, Region(at.solve), size)
    if found is None:
        return 0
    n = len(at.scores)
    in_order = np.argsort(-at.scores, kind="stable")
    at_once = max(PAIRS_AT_ONCE // n, 1)
    for start in range(0, n - 1, at_once):
        above = in_order[start : start + at_once]
        held = sizes_of_pairs(at, found, in_order[start + 1 :], above) >= size
        for place in range(len(above)):  # whoever is below must be certified below
            if not held[place:, place].all():
                return start + place
    return n


def expand(model: Model, dataset: Dataset, l2: float, damping: float, order: str) -> Expansion:
    """Check what is certified, and expand the scores at the model. Raises InvalidInput."""
    linear = as_linear(model)
    check_pair(linear, dataset)
    if linear.parameters.size > MOST_PARAMETERS:
        raise InvalidInput(
            "model", f"{linear.parameters.size:,} parameters", f"at most {MOST_PARAMETERS:,}"
        )
    l2, damping = check_positive("l2", l2), check_positive("damping", damping)
    found = Expansion.of(linear, dataset, l2, damping, order)
    if not np.isfinite(found.solve).all():
        raise InvalidInput("l2", l2, "large enough that H + l2·I has an inverse in float64")
    return found
