"""How strongly a sample's score depends on the model: ‖∇θ I_i‖ at θ (Figs. 4 and 7).

    ∇I_i = −(H_test − T)(H + λI)⁻¹ g_i − H_i s,   T v = ∇θ ⟨v, H(θ) s⟩,   s = (H + λI)⁻¹ g_test

H_test and T are symmetric, so that for any direction u one solve gives ⟨u, ∇I_i⟩ for *all* i:

    w = (H + λI)⁻¹ (H_test − T) u,   ⟨u, ∇I_i⟩ = −⟨w, g_i⟩ − Cov_{p_i}(X s, X u)_i

Over Gaussian u these have mean 0 and variance ‖∇I_i‖².
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.checks import check_integer, check_positive, check_targets
from engine.data.dataset import Dataset
from engine.influence.linear import LinearProblem, LinearState
from engine.influence.problem import Forward
from engine.influence.products import CLASSES, centre, curve, image, pull_back
from engine.influence.scores import check_converged, in_float64_if_needed
from engine.models.linear import LinearModel, as_linear
from engine.models.model import check_pair
from engine.progress import OnStep, ignore_step
from engine.vocabulary import DAMPING

PROBE_TOLERANCE = 1e-4  # of the probes' solves: their sampling error is hundreds of times larger
FLOATS_AT_ONCE = 2**25  # of the (B, K, n) arrays of B probes or samples at once
MOST_AT_ONCE = 64


@dataclass(frozen=True, eq=False)
class Sensitivity:
    """‖∇θ I_i‖₂ of every training sample, (n,), and their standard errors: norms / √(2·probes),
    that of a Gaussian's spread from so many draws. The errors of different samples are not
    independent: they share the probes."""

    norms: NDArray[np.float64]
    standard_errors: NDArray[np.float64]
    probes: int


def at_once(n: int, n_classes: int) -> int:
    """Return how many probes, samples or queries one batch holds."""
    return int(np.clip(FLOATS_AT_ONCE // (n * n_classes), 1, MOST_AT_ONCE))


def project(
    problem: LinearProblem, forward: Forward, directions: Tensor, tolerance: float
) -> Tensor:
    """Compute ⟨u, ∇θ I_i⟩ for directions u (B, K, D) and every sample i: (B, n), for one model."""
    state = forward.state
    assert isinstance(state, LinearState)
    P, X, n = state.curvature.P, problem.train.factor, problem.n_train
    on_test = curve(state.P_test, image(state.test.factor, directions))
    a = centre(P, image(X, directions))
    b = centre(P, forward.solution.image)
    right = pull_back(on_test, state.test.factor).div_(len(state.test.y))  # H_test u
    right -= pull_back(curve(P, a * b), X).div_(n)  # T u
    w = problem.solve(state.curvature, right, tolerance)
    check_converged(w, tolerance)
    return -(state.E * w.image).sum(CLASSES) - (P * a * b).sum(CLASSES)


def prepare(
    model: LinearModel, dataset: Dataset, damping: float, tolerance: float, dtype: str, device: str
) -> tuple[LinearProblem, Forward]:
    check_pair(as_linear(model), dataset)
    problem = LinearProblem.build(dataset, damping, "highest_first", dtype, device).packed()
    forward = problem.forward(problem.encode(model), tolerance)
    check_converged(forward.solution, tolerance)
    return problem, forward


@in_float64_if_needed
def sensitivity(
    model: LinearModel,
    dataset: Dataset,
    probes: int = 256,
    seed: int = 0,
    damping: float = DAMPING,
    dtype: str = "float32",
    device: str = "auto",
    on_step: OnStep = ignore_step,
) -> Sensitivity:
    """Estimate all training samples' norms at once, from `probes` Gaussian directions (Fig. 4).

    Influence on the mean loss of `test`, with damping λ. One solve per probe; the relative error is
    1 / √(2·probes), 4.4% at 256. on_step(done, total) hears of every batch of probes, and may
    raise. Raises InvalidInput, DeviceUnavailable, NotConverged.
    """
    probes = check_integer("probes", probes, 2)
    seed = check_integer("seed", seed, 0)
    problem, forward = prepare(model, dataset, damping, 1e-6, dtype, device)
    rng = np.random.default_rng(seed)
    shape = forward.solution.x.shape[1:]
    squares = np.zeros(dataset.n_train)
    for first in range(0, probes, step := at_once(dataset.n_train, dataset.n_classes)):
        drawn = rng.standard_normal((min(step, probes - first), *shape))
        directions = torch.as_tensor(drawn).to(forward.solution.x)
        found = project(problem, forward, directions, PROBE_TOLERANCE)
        squares += found.double().square().sum(0).cpu().numpy()
        on_step(min(first + step, probes), probes)
    norms = np.sqrt(squares / probes)
    return Sensitivity(norms, norms / np.sqrt(2 * probes), probes)


@in_float64_if_needed
def exact_sensitivity(
    model: LinearModel,
    dataset: Dataset,
    indices: int | Sequence[int],
    damping: float = DAMPING,
    tolerance: float = 1e-6,
    dtype: str = "float32",
    device: str = "auto",
) -> NDArray[np.float64]:
    """Compute ‖∇θ I_i‖₂ of the training samples `indices`, (len(indices),), as solved.

    One solve per sample. Raises InvalidInput, DeviceUnavailable, NotConverged.
    """
    check_pair(as_linear(model), dataset)
    chosen = check_targets(indices, dataset.n_train)
    tolerance = check_positive("tolerance", tolerance)
    problem, forward = prepare(model, dataset, damping, tolerance, dtype, device)
    norms = []
    for first in range(0, len(chosen), step := at_once(dataset.n_train, dataset.n_classes)):
        some = torch.as_tensor(chosen[first : first + step])
        one_hot = torch.zeros(len(some), dataset.n_train).scatter_(1, some[:, None], 1.0)
        gradient, solution = problem.gradient(forward, one_hot.to(forward.scores), tolerance)
        check_converged(solution, tolerance)
        norms.append(gradient.double().norm(dim=1).cpu().numpy())
    return np.concatenate(norms)
