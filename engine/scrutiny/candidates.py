"""What a new sample would be worth: scores of samples that are not in training, without retraining.

Training on (1/n) Σ L_i + ε L(z) moves the loss of a split by −gᵀ(H + λI)⁻¹∇L(z) per ε: Definition 1
asks nothing of z but its features and label. With s = (H + λI)⁻¹ g, K rows of d + 1 numbers,

    I(z) = −Σ_c (p_c(x) − [c = y]) ⟨s_c, (x, 1)⟩

Where λ is the training's l2, that is the derivative of the retrained model's loss, which
`added_effects` measures.
"""

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from engine.checks import check_choice, check_positive
from engine.data.dataset import Dataset
from engine.errors import InvalidInput
from engine.influence.linear import LinearProblem
from engine.influence.scores import check_converged
from engine.models.linear import LinearModel, as_linear
from engine.models.model import check_pair
from engine.scrutiny.direction import scores_by_label
from engine.scrutiny.queries import check_queries
from engine.scrutiny.retraining import newton
from engine.vocabulary import DAMPING

SOLVE_TOLERANCE = 1e-10  # relative residual of the solve for s
WEIGHT = 1e-7  # ε of a measured effect: small for candidates with extreme features too
TRAINED = 1e-12  # gradient at which training with a candidate ends: ε is small


def query_direction(
    model: LinearModel,
    dataset: Dataset,
    split: str = "test",
    damping: float = DAMPING,
    device: str = "auto",
) -> NDArray[np.float64]:
    """Return s = (H + λI)⁻¹ g, (K, d+1) with the bias last, g of the mean loss of `split`; float64.

    Raises InvalidInput, DeviceUnavailable, NotConverged.
    """
    check_choice("split", split, ("test", "holdout"))
    check_pair(as_linear(model), dataset)
    problem = LinearProblem.build(
        dataset, check_positive("damping", damping), dtype="float64", device=device
    )
    forward = problem.forward(problem.encode(model), SOLVE_TOLERANCE, split=split)
    check_converged(forward.solution, SOLVE_TOLERANCE)
    return problem.decode(forward.solution.x[0].flatten())


def candidate_scores(
    model: LinearModel,
    dataset: Dataset,
    X: ArrayLike,
    y: ArrayLike,
    split: str = "test",
    damping: float = DAMPING,
    device: str = "auto",
) -> NDArray[np.float64]:
    """Score samples that are not in training, (c,): what a little weight on each would change.

    X: (c, d), standardised as the data set's own features; y: (c,) labels. Positive where weight on
    the sample raises the mean loss of `split`. A sample that is in training gets the score that it
    has there. Raises InvalidInput, InvalidDataset, DeviceUnavailable, NotConverged.
    """
    X, y = check_queries(model, X, y)
    direction = query_direction(model, dataset, split, damping, device)
    return scores_by_label(model, direction, X)[np.arange(len(y)), y]


def added_effects(
    model: LinearModel,
    dataset: Dataset,
    X: ArrayLike,
    y: ArrayLike,
    split: str = "test",
    weight: float = WEIGHT,
    device: str = "auto",
) -> NDArray[np.float64]:
    """Measure what `candidate_scores` predicts, (c,), by training with each candidate twice.

    The training loss gets weight·L(z), then 2·weight·L(z); the result is the derivative of the mean
    loss of `split` at weight 0 from these and from no weight, off by the square of the weight. A
    negative weight would serve as well, but can leave the loss without a minimum where the features
    are extreme. l2 is the model's own.
    Raises InvalidInput, InvalidDataset, DeviceUnavailable, NotConverged.
    """
    X, y = check_queries(model, X, y)
    check_choice("split", split, ("test", "holdout"))
    check_pair(as_linear(model), dataset)
    weight = check_positive("weight", weight)
    if weight >= 1:
        raise InvalidInput("weight", weight, "below 1: all samples together weigh 1")
    n, count = dataset.n_train, len(y)
    wide = replace(
        dataset,
        X_train=np.concatenate([dataset.X_train, X]),
        y_train=np.concatenate([dataset.y_train, y]),
        images=None,
        on_disk=False,
    )
    problem = LinearProblem.build(wide, model.l2, dtype="float64", device=device)
    start = problem.shape(problem.encode(model))
    own = np.zeros((1 + 2 * count, n + count))
    own[:, :n] = (n + count) / n  # the divisor is the number of rows, candidates included
    for place in range(count):
        own[[1 + 2 * place, 2 + 2 * place], n + place] = (n + count) * weight * np.array([1, 2])
    weights = torch.as_tensor(own, device=start.device)
    theta, _ = newton(problem, start, weights, model.l2, named_model, TRAINED)
    features, labels = dataset.split(split)
    losses = [
        mean_loss(LinearModel.from_parameters(problem.decode(one), model.l2), features, labels)
        for one in theta.flatten(1)
    ]
    none, (once, twice) = losses[0], np.array(losses[1:]).reshape(count, 2).T
    return (4 * once - twice - 3 * none) / (2 * weight)


def named_model(b: int) -> str:
    """Name a model of `added_effects` by its place in the batch."""
    return f"with candidate {(b - 1) // 2}" if b else "without a candidate"


def mean_loss(model: LinearModel, X: NDArray, y: NDArray[np.int64]) -> float:
    """Return the mean cross-entropy of a model."""
    logits = model.logits(X)
    top = logits.max(1)
    total = top + np.log(np.exp(logits - top[:, None]).sum(1))
    return float((total - logits[np.arange(len(y)), y]).mean())
