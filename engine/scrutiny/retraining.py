"""Training linear models again, each on samples of its own weights, as one batch of Newton steps.

Model b minimises (1/n) Σ_i w_bi L_i + l2/2·‖θ‖². With w_bi = n/|S| for the samples of a subset S
and 0 for the others that is training on S as usual: a mean over S, and the same l2. Each step is
solved by conjugate gradients to 1e-2, and halved where it goes too far. Training ends at a gradient
of 1e-9, so that two models differ by their samples and not by where their training stopped.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.checks import array_of, check_choice, check_positive
from engine.data.dataset import Dataset
from engine.errors import InvalidDataset, InvalidInput, NotConverged
from engine.influence.linear import LinearCurvature, LinearProblem, WeightedCurvature, hits
from engine.influence.products import (
    image,
    log_probabilities,
    of_labels,
    probabilities,
)
from engine.influence.solve import dot
from engine.models.fit import fit
from engine.models.linear import LinearModel, as_linear
from engine.models.model import check_dataset, check_pair
from engine.progress import OnStep, ignore_step
from engine.scrutiny.sensitivity import at_once
from engine.vocabulary import L2

ROUNDS = 200
GRADIENT_TOLERANCE = 1e-9  # of the retrained models, in the 2-norm
STEP_TOLERANCE = 1e-2  # of each round's step
CONTRACTS = 0.5  # the gradient that a round with the frozen Hessian leaves, at most


def newton(
    problem: LinearProblem,
    start: Tensor,
    weights: Tensor,
    l2: float,
    what: Callable[[int], str],
    tolerance: float = GRADIENT_TOLERANCE,
    rounds: int = ROUNDS,
    frozen: LinearCurvature | None = None,
) -> tuple[Tensor, Tensor]:
    """Train θ (B, K, D) from `start` (1 or B, K, D) with sample weights (B, n), and return the
    gradients' norms (B,) beside it, at most `tolerance`. `problem` has damping = l2.

    frozen: a Hessian near all of theirs, with which each begins; a model for which it does not
    contract goes on with its own. what(b): says what model b is trained on, for an error.
    Raises NotConverged where `rounds` rounds do not suffice.
    """
    B = len(weights)
    theta = start.expand(B, -1, -1).clone()
    step, before = torch.zeros_like(theta), start.new_full((B,), torch.inf)
    own = torch.full((B,), frozen is None, device=start.device)  # models with their own Hessian
    for _ in range(rounds):
        P = probabilities(image(problem.train.X, theta))
        gradient = problem.training_gradient(theta, P, l2, weights)
        norms = dot(gradient, gradient).sqrt()
        going = norms > tolerance
        if not bool(going.any()):
            return theta, norms
        too_far = going & (norms >= before)
        own |= going & (norms > CONTRACTS * before)
        step[too_far] /= 2
        theta[too_far] += step[too_far]
        for renewed in (False, True):
            some = torch.nonzero(going & ~too_far & (own == renewed)).flatten()
            if len(some) == 0:
                continue
            curvature = frozen
            if renewed or curvature is None:
                curvature = WeightedCurvature(
                    *(problem.train.X, P[some], problem.eigenvalues, problem.damping),
                    weights=weights[some].unsqueeze(1),
                )
            step[some] = problem.solve(curvature, gradient[some], STEP_TOLERANCE).x
            theta[some] -= step[some]
            before[some] = norms[some]
    raise NotConverged(
        f"Retraining {what(int(norms.argmax()))} stopped at a gradient of "
        f"{float(norms.max()):.1e}. A larger l2 makes each sample weigh less."
    )


@dataclass(frozen=True, eq=False)
class Retrained:
    """Models trained on subsets of the training samples: what they are worth on 'test' and on
    'holdout'.

    losses: (q, B) a split, a row per test sample and a column per model; accuracies: (B,) a split,
    shares in [0, 1]; gradient_norms: (B,), how far from their minimum the models ended.
    """

    losses: dict[str, NDArray[np.float64]]
    accuracies: dict[str, NDArray[np.float64]]
    gradient_norms: NDArray[np.float64]

    def mean_losses(self, split: str) -> NDArray[np.float64]:
        """Return the mean loss of each model on a split, (B,). Raises InvalidInput."""
        return self.losses[check_choice("split", split, self.losses)].mean(0)


def subset_named(first: int, place: int) -> str:
    """Name a subset of a batch that begins with number `first`."""
    return f"on subset {first + place}"


def check_subsets(dataset: Dataset, subsets: NDArray[np.bool_], name: str = "subset") -> None:
    """Raise InvalidInput unless `subsets` is (B, n) of truth values, InvalidDataset where one of
    them has no sample of some class."""
    fits = subsets.ndim == 2 and subsets.shape[1] == dataset.n_train
    if subsets.dtype != bool or not fits or not len(subsets):
        shown = f"{subsets.dtype} {subsets.shape}"
        raise InvalidInput("subsets", shown, f"bool, (subsets, {dataset.n_train}), one at least")
    for b, mask in enumerate(subsets):
        lost = classes_lost(dataset, mask)
        if lost:
            label = lost[0]
            raise InvalidDataset(
                f"{name.capitalize()} {b} has {int(mask.sum())} training samples and none of class "
                f"{label} ('{dataset.class_names[label]}'): a model trained on it could not learn "
                "the class. Keep more samples, or leave the class out of the data."
            )


def classes_lost(dataset: Dataset, mask: NDArray[np.bool_]) -> list[int]:
    """List the classes of which a subset (n,) of the training samples has none."""
    counts = np.bincount(dataset.y_train[mask], minlength=dataset.n_classes)
    return [int(label) for label in np.flatnonzero(counts == 0)]


def retrain_on(
    dataset: Dataset,
    subsets: NDArray[np.bool_],
    l2: float = L2,
    device: str = "auto",
    start: LinearModel | None = None,
    on_step: OnStep = ignore_step,
) -> Retrained:
    """Train a linear model on each subset of the training samples, to its minimum, in float64.

    subsets: (B, n) truth values. l2: of the training, as in `fit`. start: where each training
    begins, the model of all samples where left out; it changes the time and not the result.
    on_step(done, total) hears of every batch, and may raise.
    Raises InvalidInput, InvalidDataset (a subset without one of the classes), NotConverged.
    """
    check_dataset(dataset)
    if start is not None:
        check_pair(as_linear(start), dataset)
    try:
        subsets = np.array(array_of(subsets), order="C")  # torch takes no other layout
    except (ValueError, TypeError, RuntimeError) as error:  # a ragged list, missing values
        raise InvalidInput("subsets", str(error), f"bool, (subsets, {dataset.n_train})") from None
    check_subsets(dataset, subsets)
    l2 = check_positive("l2", l2)
    problem = LinearProblem.build(dataset, l2, dtype="float64", device=device)
    first = fit(dataset, l2=l2, device=device) if start is None else start
    begin = problem.shape(problem.encode(first))
    losses: dict[str, list[Tensor]] = {split: [] for split in problem.splits}
    accuracies: dict[str, list[Tensor]] = {split: [] for split in problem.splits}
    gradients: list[Tensor] = []
    some = at_once(dataset.n_train, dataset.n_classes)
    for low in range(0, len(subsets), some):
        masks = torch.as_tensor(subsets[low : low + some], device=begin.device)
        weights = masks.to(begin.dtype)
        weights *= dataset.n_train / weights.sum(1, keepdim=True)
        theta, norms = newton(problem, begin, weights, l2, partial(subset_named, low))
        for split, samples in problem.splits.items():
            logits = image(samples.X, theta)
            losses[split].append(-of_labels(log_probabilities(logits), samples.y))  # B, q
            accuracies[split].append(hits(logits, samples.y))
        gradients.append(norms)
        on_step(min(low + some, len(subsets)), len(subsets))
    return Retrained(
        {split: joined(parts).T for split, parts in losses.items()},
        {split: joined(parts) for split, parts in accuracies.items()},
        joined(gradients),
    )


def joined(parts: list[Tensor]) -> NDArray[np.float64]:
    """Join the batches' parts into one array."""
    return torch.cat(parts).cpu().numpy()
