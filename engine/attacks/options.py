"""What an attack, a sweep of attacks and loss reweighing can be told, with the paper's values as
defaults: no torch, so that requests and the command line know them."""

from collections.abc import Sequence
from dataclasses import dataclass

from engine.checks import check_positive
from engine.errors import InvalidInput
from engine.options import (
    OneOf,
    Options,
    ascending,
    at_least,
    distinct,
    not_negative,
    one_or_each,
    option,
    optional,
    truth,
)
from engine.vocabulary import DAMPING, DTYPES, L2, MEANS, OBJECTIVES, ORDERS, PRECISIONS


@dataclass(frozen=True, kw_only=True)
class AttackOptions(Options):
    """One attack (Algorithm 3). Raises InvalidInput for a value that no attack can have.

    k: the rank to reach; the attack succeeds where the target's rank is <= k.
    radius: of the ball that the attack stays in, relative: ‖θ′ − θ*‖₂ <= radius·‖θ*‖₂.
    objective: what is minimised, a name in `engine.vocabulary.OBJECTIVES`.
    restarts: random starts on the sphere of that radius; 0 starts once, at θ*.
    learning_rates: of Adam; every start runs with each. They fall to a tenth after half the steps.
    steps: of every run, at most.
    damping: λ of the influence that is attacked.
    order: which end of the ranking is rank 1, a name in `engine.vocabulary.ORDERS`.
    seed: of the random starts.
    dtype: of the computation.
    stealth: weight of the training gradient's norm beside the objective, for an attacker who knows
        that a model is checked for being a minimum; the loss that is reported leaves it out.
    precision: of the products inside the steps' solves, a name in `engine.vocabulary.PRECISIONS`.
        'mixed' solves to a relative residual of 1e-2 instead of 1e-3, on large data to 2e-2 for
        gradients; 'coarse' to 1e-2 for gradients on large data alone. 'fixed' does four iterations
        a solve, and goes on where the residual is then above 1e-2 (on a GPU it does not). Arrivals
        and all that is returned are solved as in 'full'. With dtype 'float64' it is 'full'.
    gauge_free: leave the gauge (the same vector added to every class, which changes no score) out
        of starts and moves, so that none of the ball is spent on it; linear models only.
    """

    k: int = option(1, at_least(1))
    radius: float = option(0.3, check_positive)
    objective: str = option("higher_ranked", OneOf(OBJECTIVES))
    restarts: int = option(5, at_least(0))
    learning_rates: Sequence[float] = option((0.01, 0.1), one_or_each(check_positive))
    steps: int = option(100, at_least(1))
    damping: float = option(DAMPING, check_positive)
    order: str = option("highest_first", OneOf(ORDERS))
    seed: int = option(0, at_least(0))
    dtype: str = option("float32", OneOf(DTYPES))
    stealth: float = option(0.0, not_negative, added=True)
    precision: str = option("full", OneOf(PRECISIONS), added=True)
    gauge_free: bool = option(False, truth, added=True)

    @property
    def runs(self) -> int:
        """Return how many runs the attack has: every start with every learning rate."""
        return max(self.restarts, 1) * len(self.learning_rates)


ATTACK_DEFAULTS = AttackOptions()  # the defaults of every attack


@dataclass(frozen=True, kw_only=True)
class SweepOptions(Options):
    """A grid of attacks: radii × ks × objectives × restarts × set_sizes × train_sizes × seeds.

    set_sizes: how many targets an attack moves at once. train_sizes: training samples, drawn by
    the seed, nested and balanced; 0 stands for all. l2: of the honest models' training.
    memory_gb: budget of a process beside the features; what does not fit is cut into batches.
    All other fields as in `AttackOptions`.
    """

    radii: Sequence[float] = option((ATTACK_DEFAULTS.radius,), distinct(check_positive))
    ks: Sequence[int] = option((ATTACK_DEFAULTS.k,), ascending(at_least(1)))
    objectives: Sequence[str] = option((ATTACK_DEFAULTS.objective,), distinct(OneOf(OBJECTIVES)))
    restarts: Sequence[int] = option((ATTACK_DEFAULTS.restarts,), distinct(at_least(0)))
    set_sizes: Sequence[int] = option((1,), distinct(at_least(1)))
    train_sizes: Sequence[int] = option((0,), distinct(at_least(0)))
    seeds: Sequence[int] = option((ATTACK_DEFAULTS.seed,), distinct(at_least(0)))
    learning_rates: Sequence[float] = option(
        ATTACK_DEFAULTS.learning_rates, one_or_each(check_positive)
    )
    steps: int = option(ATTACK_DEFAULTS.steps, at_least(1))
    damping: float = option(DAMPING, check_positive)
    l2: float = option(L2, check_positive)
    order: str = option(ATTACK_DEFAULTS.order, OneOf(ORDERS))
    dtype: str = option(ATTACK_DEFAULTS.dtype, OneOf(DTYPES))
    memory_gb: float = option(2.0, check_positive)
    precision: str = option(ATTACK_DEFAULTS.precision, OneOf(PRECISIONS), added=True)
    gauge_free: bool = option(ATTACK_DEFAULTS.gauge_free, truth, added=True)


SWEEP_DEFAULTS = SweepOptions()  # the defaults of every sweep


@dataclass(frozen=True, kw_only=True)
class MinimalOptions(Options):
    """The search for the smallest radius (`engine.attacks.radius_search`).

    start_radii: of the attacks (Algorithm 3) whose models the searches start from, one search each.
    restarts, learning_rates, start_steps: of those attacks.
    rounds: of such attacks with other random starts, at most: after a round that gains less than a
        hundredth of the radius no other follows.
    hops: further searches, each from the nearest arrival so far, moved at random: they end after so
        many in a row that gain less than a hundredth of the radius; 0 for none.
    steps: models that a search may look at.
    refined: nearest arrivals, at most, that are refined at the end, until they are almost local
        minima; 0 for none.
    competitors: samples that are linearised, the highest scored.
    tolerance: accuracy on `test` that the returned model may lose, a share; None for any.
    margins: where a search has lost more, hold it by the margins of the samples of `test` instead
        of by a bound on the training loss.
    enough: the radius at which the search for a target ends, whatever is nearer; 0: it goes on.
    All other fields as in `AttackOptions`.
    """

    k: int = option(1, at_least(1))
    start_radii: Sequence[float] = option((0.4, 0.6, 0.8, 1.0, 1.1), distinct(check_positive))
    restarts: int = option(3, at_least(0))
    learning_rates: Sequence[float] = option((0.1,), one_or_each(check_positive))
    start_steps: int = option(100, at_least(1))
    rounds: int = option(1, at_least(1), added=True)
    hops: int = option(5, at_least(0))
    steps: int = option(120, at_least(1))
    enough: float = option(0.0, not_negative, added=True)
    refined: int = option(0, at_least(0), added=True)
    competitors: int = option(24, at_least(1))
    tolerance: float | None = option(None, optional(not_negative))
    margins: bool = option(False, truth, added=True)
    damping: float = option(DAMPING, check_positive)
    order: str = option("highest_first", OneOf(ORDERS))
    seed: int = option(0, at_least(0))
    dtype: str = option("float32", OneOf(DTYPES))


MINIMAL_DEFAULTS = MinimalOptions()  # the defaults of the search for the smallest radius


def factor(name: str, value: object) -> float:
    """Check for a finite number >= 1. Raises InvalidInput."""
    number = check_positive(name, value)
    if number < 1:
        raise InvalidInput(name, value, "a finite number >= 1")
    return number


@dataclass(frozen=True, kw_only=True)
class DeniableOptions(Options):
    """The search for choices of an honest trainer that bring a target into the top k
    (`engine.attacks.deniable`).

    means: what is chosen. l2_factor: with 'together', l2 may be so many times larger or smaller.
    fits: models that are trained for a target, at most. competitors: samples that are linearised,
    the highest scored. tolerance: accuracy on `test` that the returned model may lose, a share;
    None for any. damping, order: of the verifier's scores.
    """

    means: str = option("weights", OneOf(MEANS))
    k: int = option(1, at_least(1))
    l2_factor: float = option(10.0, factor)
    fits: int = option(50, at_least(1))
    competitors: int = option(16, at_least(1))
    tolerance: float | None = option(None, optional(not_negative))
    damping: float = option(DAMPING, check_positive)
    order: str = option("highest_first", OneOf(ORDERS))


DENIABLE_DEFAULTS = DeniableOptions()  # the defaults of the deniable attack


@dataclass(frozen=True, kw_only=True)
class ReweighingOptions(Options):
    """Training with a high weight on the target (the baseline): minibatch Adam from zero.

    steps and batch_size are ours, the paper's having been lost from its text; learning_rate is
    Adam's, constant. damping, order and dtype as in `AttackOptions`; seed: of the batches.
    """

    steps: int = option(2000, at_least(1))
    batch_size: int = option(256, at_least(1))
    learning_rate: float = option(0.001, check_positive)
    damping: float = option(DAMPING, check_positive)
    order: str = option("highest_first", OneOf(ORDERS))
    seed: int = option(0, at_least(0))
    dtype: str = option("float32", OneOf(DTYPES))


REWEIGHING_DEFAULTS = ReweighingOptions()  # the defaults of loss reweighing
