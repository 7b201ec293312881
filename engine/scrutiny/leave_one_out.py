"""What an influence score estimates: the test loss of a model retrained without the sample.

Removing sample i leaves (1/n) Σ_{j≠i} L_j + l2/2·‖θ‖²; the divisor stays n, as Definition 1 has it,
so that −I_i/n with damping = l2 is the first-order estimate of the change.

All retrainings are one batch. Each is a Newton iteration with the full model's Hessian,
θ ← θ − (H + l2·I)⁻¹ ∇L_{−i}(θ): one sample in n changes the curvature little, so that every round
gains digits. Where it changes much (few samples, or one that alone holds a rare feature) the frozen
Hessian no longer contracts: such a model goes on with its own, that of the samples it keeps at its
own θ, and with half a step where a whole one goes too far.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.checks import check_choice, check_positive, check_targets
from engine.data.dataset import Dataset
from engine.errors import InvalidDataset
from engine.influence.linear import LinearProblem
from engine.influence.products import image, log_probabilities, of_labels
from engine.models.fit import fit
from engine.models.model import check_dataset
from engine.progress import OnStep, ignore_step
from engine.scrutiny.retraining import GRADIENT_TOLERANCE, ROUNDS, newton
from engine.scrutiny.sensitivity import at_once
from engine.vocabulary import L2


@dataclass(frozen=True, eq=False)
class LeaveOneOut:
    """changes: (q,), mean test loss without the sample minus that with it, of models trained to a
    minimum; gradient_norms: (q,), how far from it they ended. `loss`: with all samples."""

    indices: NDArray[np.int64]
    changes: NDArray[np.float64]
    gradient_norms: NDArray[np.float64]
    loss: float


def leave_one_out(
    dataset: Dataset,
    indices: int | Sequence[int],
    l2: float = L2,
    split: str = "test",
    device: str = "auto",
    on_step: OnStep = ignore_step,
) -> LeaveOneOut:
    """Retrain without each of the training samples `indices`, one at a time, in float64.

    l2: of the training, as in `fit`. on_step(done, total) hears of every batch, and may raise.
    Raises InvalidInput, InvalidDataset (a class would lose its only sample), NotConverged.
    """
    check_dataset(dataset)
    chosen = check_targets(indices, dataset.n_train)
    check_choice("split", split, ("test", "holdout"))
    l2 = check_positive("l2", l2)
    check_classes_stay(dataset, chosen)
    model = fit(dataset, l2=l2, device=device)
    problem = LinearProblem.build(dataset, l2, dtype="float64", device=device)
    start = problem.shape(problem.encode(model))
    everything, norms = retrain(problem, start, torch.tensor([-1], device=start.device), l2)
    loss = mean_loss(problem, everything, split)
    changes = []
    gradients: list[Tensor] = []
    for first in range(0, len(chosen), step := at_once(dataset.n_train, dataset.n_classes)):
        some = torch.as_tensor(chosen[first : first + step], device=start.device)
        theta, norms = retrain(problem, everything, some, l2)
        changes.append(mean_loss(problem, theta, split) - loss)
        gradients.append(norms)
        on_step(min(first + step, len(chosen)), len(chosen))
    return LeaveOneOut(
        np.asarray(chosen),
        torch.cat(changes).cpu().numpy(),
        torch.cat(gradients).cpu().numpy(),
        float(loss[0]),
    )


def check_classes_stay(dataset: Dataset, indices: Sequence[int]) -> None:
    """Check that no class vanishes with one sample. Raises InvalidDataset."""
    counts = np.bincount(dataset.y_train, minlength=dataset.n_classes)
    for i in indices:
        label = dataset.y_train[i]
        if counts[label] == 1:
            raise InvalidDataset(
                f"Sample {i} is the only training sample of class {label} "
                f"('{dataset.class_names[label]}'): without it the class could not be learnt. "
                "Leave it in."
            )


def retrain(
    problem: LinearProblem,
    start: Tensor,
    removed: Tensor,
    l2: float,
    tolerance: float = GRADIENT_TOLERANCE,
    rounds: int = ROUNDS,
) -> tuple[Tensor, Tensor]:
    """Train θ (B, K, D) without sample removed[b] (none where it is −1), and the gradients' norms
    (B,), at most `tolerance`. `start` (1, K, D) is near all of them.

    Raises NotConverged where `rounds` rounds do not suffice.
    """
    frozen = problem.curvature(start.flatten(1))
    keep = torch.arange(problem.n_train, device=start.device) != removed[:, None]  # B, n
    return newton(
        *(problem, start, keep.to(start.dtype), l2),
        lambda worst: f"without sample {int(removed[worst])}",
        tolerance,
        rounds,
        frozen,
    )


def mean_loss(problem: LinearProblem, theta: Tensor, split: str) -> Tensor:
    """Return the mean cross-entropy on a split, (B,)."""
    samples = problem.splits[split]
    log_p = log_probabilities(image(samples.X, theta))
    return -of_labels(log_p, samples.y).mean(1)
