"""The baseline that knows no influence function: train with a high weight on the target's loss.

    θ′ = argmin Σ_{i ≠ target} ℓ(z_i; θ) + ω ℓ(z_target; θ)

Such a weight in the loss makes training unstable, so that, as in the paper, it enters through the
*sampling*: minibatches are drawn with replacement, the target with probability ω/(ω + n − 1) and
every other sample with 1/(ω + n − 1). Each step of Adam descends the mean cross-entropy of its
minibatch + l2/2·‖θ‖², from zero weights, in the features' own basis.

All weights, and all targets, are one batch of models θ (B, K, D) with gradients in closed form:

    ∇ = (P − Y)ᵀ X_batch / b + l2 θ,   P = softmax(X_batch θᵀ)
"""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import scipy  # which loads `scipy.stats` when it is first used: a second
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.attacks.options import REWEIGHING_DEFAULTS, ReweighingOptions
from engine.attacks.result import ReweighingResult
from engine.attacks.state import BETA_1, BETA_2, CONFIRM_TOLERANCE, EPSILON
from engine.checks import check_integer, check_positive, check_targets, check_weights
from engine.data.dataset import Dataset
from engine.influence.linear import LinearProblem
from engine.influence.problem import order_sign, ranks
from engine.influence.products import image, probabilities, pull_back, residuals
from engine.influence.scores import check_converged, in_float64_if_needed
from engine.models.linear import LinearModel, as_linear
from engine.models.model import check_dataset, check_pair
from engine.vocabulary import TARGET_WEIGHTS

NUMBERS_AT_ONCE = 2**23  # that models trained together hold: past the caches, more gains nothing
DRAWN_AT_ONCE = 64  # steps whose minibatches are drawn together; bounds memory, changes no draw
RANKED_AT_ONCE = 32  # models whose scores are solved together; bounds memory, changes no number


def generator(seed: int, target: int, weight: float) -> np.random.Generator:
    """Return the generator of one model's draws, independent of the other models of the batch."""
    return np.random.default_rng([seed, target, int(np.float64(weight).view(np.uint64))])


def draw(
    generators: Sequence[np.random.Generator],
    targets: NDArray[np.int64],
    weights: NDArray[np.float64],
    n: int,
    steps: int,
    batch_size: int,
) -> NDArray[np.int64]:
    """Draw the next minibatches of B models as training indices, (steps, B, b).

    One uniform number on [0, ω + n − 1) decides each draw: below n − 1 its whole part numbers the
    samples other than the target, and all above is the target's.
    """
    uniform = np.stack([g.random((steps, batch_size)) for g in generators], axis=1)
    place = np.minimum(uniform * (weights + (n - 1))[:, None], n - 1).astype(np.int64)
    target = targets[:, None]
    return np.where(place == n - 1, target, place + (place >= target))


def minibatch_gradient(theta: Tensor, X: Tensor, y: Tensor, index: Tensor, l2: float) -> Tensor:
    """Return ∇ (B, K, D) of the minibatches' mean cross-entropy + l2/2·‖θ‖² at θ (B, K, D).

    Each model has a minibatch of its own, index (B, b), among the samples X (n, D), y (n,).
    """
    B, b = index.shape
    rows = X.index_select(0, index.flatten()).view(B, b, -1)  # B, b, D
    E = probabilities(theta @ rows.mT)  # B, K, b
    E.scatter_add_(1, y[index].unsqueeze(1), E.new_full((B, 1, b), -1))  # P − Y
    return torch.baddbmm(theta, E, rows, beta=l2, alpha=1 / b)


def adam(
    theta: Tensor, first: Tensor, second: Tensor, gradient: Tensor, count: int, rate: float
) -> None:
    """Make step number `count` (from 1) of Adam; θ and its two moments change in place."""
    first.lerp_(gradient, 1 - BETA_1)
    second.mul_(BETA_2).addcmul_(gradient, gradient, value=1 - BETA_2)
    spread = (second / (1 - BETA_2**count)).sqrt_().add_(EPSILON)
    theta.addcdiv_(first, spread, value=-rate / (1 - BETA_1**count))


def train(
    X: Tensor,
    y: Tensor,
    n_classes: int,
    targets: NDArray[np.int64],
    weights: NDArray[np.float64],
    *,
    options: ReweighingOptions,
    l2: float,
    after_step: Callable[[], None] = lambda: None,
) -> Tensor:
    """θ (B, K, D) of the models for B pairs of target and weight, on features X (n, D), the column
    of ones among them, and labels y (n,)."""
    theta = X.new_zeros(len(targets), n_classes, X.shape[1])
    first, second = torch.zeros_like(theta), torch.zeros_like(theta)
    steps, seed = options.steps, options.seed
    generators = [generator(seed, int(t), float(w)) for t, w in zip(targets, weights, strict=True)]
    for start in range(0, steps, DRAWN_AT_ONCE):
        ahead = min(DRAWN_AT_ONCE, steps - start)
        drawn = draw(
            generators, targets, weights, n=len(y), steps=ahead, batch_size=options.batch_size
        )
        for i, index in enumerate(torch.as_tensor(drawn, device=X.device)):
            gradient = minibatch_gradient(theta, X, y, index, l2)
            adam(theta, first, second, gradient, count=start + i + 1, rate=options.learning_rate)
            after_step()
    return theta


def scores(problem: LinearProblem, theta: Tensor, split: str) -> NDArray[np.floating]:
    """Compute the ranked scores of each model θ (B, P) on `split`, solved tightly: (B, n)."""
    parts = []
    for some in theta.split(RANKED_AT_ONCE):
        forward = problem.forward(some, CONFIRM_TOLERANCE, split=split)
        check_converged(forward.solution, CONFIRM_TOLERANCE)
        parts.append(forward.scores)
    return torch.cat(parts).cpu().numpy()


def gradient_norms(problem: LinearProblem, theta: Tensor, l2: float) -> NDArray[np.floating]:
    """Return ‖∇ of the honest training loss‖₂ at each model θ (B, P), l2 included: (B,)."""
    X, y = problem.train.X, problem.train.y
    norms = []
    for some in theta.split(RANKED_AT_ONCE):
        V = problem.shape(some)
        E = residuals(probabilities(image(X, V)), y)
        gradient = pull_back(E, X) / len(y) + l2 * V
        norms.append(torch.linalg.vector_norm(gradient.flatten(1), dim=1))
    return torch.cat(norms).double().cpu().numpy()


@in_float64_if_needed
def reweigh(
    options: ReweighingOptions,
    model: LinearModel,
    dataset: Dataset,
    targets: Sequence[int],
    target_weight: float | Sequence[float] = TARGET_WEIGHTS,
    *,
    l2: float | None = None,
    device: str = "auto",
    on_step: Callable[[int, int], None] | None = None,
    numbers_at_once: int = NUMBERS_AT_ONCE,
) -> list[ReweighingResult]:
    """Do the same as `loss_reweighing_each`, with the options as one object. numbers_at_once bounds
    how many models are trained together; it changes no model."""
    check_pair(as_linear(model), dataset)
    wanted = check_targets(targets, dataset.n_train)
    grid = check_weights(target_weight)
    l2 = check_positive("l2", model.l2 if l2 is None else l2, allow_zero=True)
    problem = LinearProblem.build(
        dataset, options.damping, options.order, options.dtype, device=device
    )
    who, weights = np.repeat(wanted, len(grid)), np.tile(grid, len(wanted))
    # the features' own basis: there, and not in the problem's, is where one trains a model
    X = torch.as_tensor(dataset.X_train, dtype=problem.train.X.dtype, device=problem.train.X.device)
    X = torch.cat([X, X.new_ones(len(X), 1)], dim=1)  # n, D
    # θ, its moments and ∇; the rows of a minibatch
    per_model = X.shape[1] * (4 * dataset.n_classes + options.batch_size)
    at_once = max(1, numbers_at_once // per_model)
    chunks = [slice(i, i + at_once) for i in range(0, len(who), at_once)]
    done = 0

    def after_step() -> None:
        nonlocal done
        done += 1
        if on_step is not None:
            on_step(done, options.steps * len(chunks))

    models = []
    for rows in chunks:
        theta = train(
            X,
            problem.train.y,
            dataset.n_classes,
            who[rows],
            weights[rows],
            options=options,
            l2=l2,
            after_step=after_step,
        )
        models += [LinearModel.from_parameters(t, l2) for t in theta.double().cpu().numpy()]
    del X
    return summarise(
        problem, model, dataset, models, targets=wanted, grid=grid, order=options.order
    )


def summarise(
    problem: LinearProblem,
    honest: LinearModel,
    dataset: Dataset,
    models: Sequence[LinearModel],
    *,
    targets: Sequence[int],
    grid: Sequence[float],
    order: str,
) -> list[ReweighingResult]:
    """Make one result per target from the models, target by target and weight by weight."""
    theta = torch.cat([problem.encode(m) for m in models])
    before, before_holdout = (
        scores(problem, problem.encode(honest), split)[0] for split in ("test", "holdout")
    )
    after, after_holdout = (scores(problem, theta, split) for split in ("test", "holdout"))
    who, sign = np.repeat(targets, len(grid)), order_sign(order)
    own = np.arange(len(models)), who
    accuracy_before = honest.accuracy(*dataset.split("holdout"))
    accuracy = np.array([m.accuracy(*dataset.split("holdout")) for m in models])
    table = pd.DataFrame(
        {
            "target_weight": np.tile(grid, len(targets)),
            "rank_test": np.stack([ranks(s) for s in after])[own],
            "rank_holdout": np.stack([ranks(s) for s in after_holdout])[own],
            "score_test": after[own].astype(np.float64) * sign,
            "accuracy_test": [m.accuracy(*dataset.split("test")) for m in models],
            "accuracy_holdout": accuracy,
            "accuracy_drop": accuracy_before - accuracy,
            "rank_correlation": [float(scipy.stats.spearmanr(before, s).statistic) for s in after],
            "distance": [
                np.linalg.norm(m.parameters - honest.parameters) / honest.norm for m in models
            ],
            "gradient_norm": gradient_norms(problem, theta, honest.l2),
        }
    )
    return [
        ReweighingResult(
            target=target,
            order=order,
            honest=honest,
            rank_before=int(ranks(before)[target]),
            rank_before_holdout=int(ranks(before_holdout)[target]),
            accuracy_before=accuracy_before,
            table=table.iloc[rows].reset_index(drop=True),
            models=tuple(models[rows]),
        )
        for target, rows in zip(
            targets,
            (slice(i, i + len(grid)) for i in range(0, len(models), len(grid))),
            strict=True,
        )
    ]


def loss_reweighing_each(
    model: LinearModel,
    dataset: Dataset,
    targets: Sequence[int],
    target_weight: float | Sequence[float] = TARGET_WEIGHTS,
    steps: int = REWEIGHING_DEFAULTS.steps,
    batch_size: int = REWEIGHING_DEFAULTS.batch_size,
    learning_rate: float = REWEIGHING_DEFAULTS.learning_rate,
    l2: float | None = None,
    damping: float = REWEIGHING_DEFAULTS.damping,
    order: str = REWEIGHING_DEFAULTS.order,
    seed: int = REWEIGHING_DEFAULTS.seed,
    dtype: str = REWEIGHING_DEFAULTS.dtype,
    device: str = "auto",
    on_step: Callable[[int, int], None] | None = None,
) -> list[ReweighingResult]:
    """Run the baseline on each of `targets` (distinct training indices), trained as one batch.

    Options as in `loss_reweighing`; a target's models do not depend on the others.
    Raises InvalidInput, DeviceUnavailable, NotConverged.
    """
    options = ReweighingOptions(
        steps=steps, batch_size=batch_size, learning_rate=learning_rate, damping=damping,
        order=order, seed=seed, dtype=dtype,
    )  # fmt: skip
    return reweigh(
        options, model, dataset, targets, target_weight, l2=l2, device=device, on_step=on_step
    )


def loss_reweighing(
    model: LinearModel,
    dataset: Dataset,
    target: int,
    target_weight: float | Sequence[float] = TARGET_WEIGHTS,
    steps: int = REWEIGHING_DEFAULTS.steps,
    batch_size: int = REWEIGHING_DEFAULTS.batch_size,
    learning_rate: float = REWEIGHING_DEFAULTS.learning_rate,
    l2: float | None = None,
    damping: float = REWEIGHING_DEFAULTS.damping,
    order: str = REWEIGHING_DEFAULTS.order,
    seed: int = REWEIGHING_DEFAULTS.seed,
    dtype: str = REWEIGHING_DEFAULTS.dtype,
    device: str = "auto",
    on_step: Callable[[int, int], None] | None = None,
) -> ReweighingResult:
    """Train models with weight ω on `target` (a training index), and rank it under each.

    model: the honest one, for comparison only: training starts from zero. target_weight: ω, or
    several, each >= 1; the default is the paper's grid. l2: of the training loss; None for the
    honest model's own. `ReweighingOptions` says what the other options mean. With the defaults
    ω = 1 gives about the honest model again: on digits its accuracy within a point and its ranking
    at a Spearman correlation of 0.98, on 1,280 image features of CIFAR-10 and Caltech-101 within a
    point and 0.94 and 0.92. on_step is called with the steps done and their total after every step,
    and may raise to stop.
    Raises InvalidInput, DeviceUnavailable, NotConverged.
    """
    check_dataset(dataset)
    check_integer("target", target, 0, dataset.n_train - 1)
    options = ReweighingOptions(
        steps=steps, batch_size=batch_size, learning_rate=learning_rate, damping=damping,
        order=order, seed=seed, dtype=dtype,
    )  # fmt: skip
    [result] = reweigh(
        options, model, dataset, [target], target_weight, l2=l2, device=device, on_step=on_step
    )
    return result
