"""How far estimated scores are from exact ones, whatever estimated them.

The residual of an estimate s is formed in float64 from the data as they are (unrotated, unrounded),
and conjugate gradients solve for what s lacks:

    r = g − (H + λI) s,    (H + λI) δ = r,    I_i = −⟨∇ℓ_i, s + δ⟩

So the error counts the rounding of float32 scores with that of the solve. It is known to about the
tolerance of δ. Its floor is float64's own rounding: 1e-16 times the condition number of H + λI.
"""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from engine.data.dataset import Dataset
from engine.influence.estimators import cg
from engine.influence.linear import ROWS_PER_CHUNK, LinearProblem, LinearState
from engine.influence.problem import SIGNS, Forward, InfluenceProblem
from engine.influence.products import CLASSES, curve, image, probabilities, pull_back, residuals
from engine.models.model import Model

ERROR_TOLERANCE = 1e-3  # of the solve for δ: an error known to its third digit is known well enough


def score_error(
    problem: InfluenceProblem, forward: Forward, model: Model, dataset: Dataset, split: str
) -> float:
    """Return ‖I' − I‖/‖I‖ for the scores I' of one model on `split`, I being the exact ones.

    `forward` is that of `problem` at `model` on `split`.
    """
    exact = exact_linear if isinstance(problem, LinearProblem) else exact_network
    scores = exact(problem, forward, model, dataset, split)
    size = torch.linalg.vector_norm(scores).clamp(min=torch.finfo(scores.dtype).tiny)
    return float(torch.linalg.vector_norm(forward.scores - scores) / size)


def exact_linear(
    problem: InfluenceProblem, forward: Forward, model: Model, dataset: Dataset, split: str
) -> Tensor:
    """Return exact scores of a linear model, (1, n) float64, in the order of `problem`."""
    assert isinstance(problem, LinearProblem)
    assert isinstance(forward.state, LinearState)
    device, n, m = problem.basis.device, problem.n_train, len(forward.state.test.y)
    theta = torch.as_tensor(model.parameters, device=device).unsqueeze(0)
    s = torch.as_tensor(problem.decode(forward.solution.x[0]), device=device).unsqueeze(0)
    r = -problem.damping * s
    for X, y in chunks(dataset, split, device):
        r += pull_back(residuals(probabilities(image(X, theta)), y), X) / m
    errors, images = [], []
    for X, y in chunks(dataset, "train", device):
        P, u = probabilities(image(X, theta)), image(X, s)
        r -= pull_back(curve(P, u), X) / n
        errors.append(residuals(P, y))
        images.append(u)
    # Scaled to length 1 before it is rounded: the squares of a tiny residual would underflow.
    length = torch.linalg.vector_norm(r).clamp(min=torch.finfo(r.dtype).tiny)
    unit = (r / length @ problem.basis).to(forward.solution.x.dtype)
    zeros = torch.zeros_like(forward.solution.image)
    delta = cg(forward.state.curvature, unit, zeros, ERROR_TOLERANCE, None)
    s_image = torch.cat(images, -1) + length * delta.image
    return (torch.cat(errors, -1) * s_image).sum(CLASSES) * -problem.sign


def exact_network(
    problem: InfluenceProblem, forward: Forward, model: Model, dataset: Dataset, split: str
) -> Tensor:
    """Return exact scores of a network, (1, n) float64, in the order of `problem`."""
    from engine.influence.network import NetworkProblem  # here: it takes its time to import
    from engine.models.network import Network

    assert isinstance(problem, NetworkProblem)
    assert isinstance(model, Network)
    order = next(name for name, sign in SIGNS.items() if sign == problem.sign)
    device = str(problem.train.X.device)
    exact = NetworkProblem.build(dataset, model, problem.damping, order, "float64", device)
    theta, s = exact.encode(model), forward.solution.x.double()
    curvature = exact.curvature(theta)
    r = exact.splits[split].gradient(theta) - curvature.pull(curvature.curved(s), s)
    delta = exact.solve(curvature, r, ERROR_TOLERANCE)
    return exact.train.along(theta, s + delta.x) * -exact.sign


def chunks(dataset: Dataset, split: str, device: torch.device) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield features with the column of ones (rows, D), float64, and labels, a few rows at a
    time."""
    features, labels = dataset.split(split)
    for start in range(0, len(labels), ROWS_PER_CHUNK):
        some = slice(start, start + ROWS_PER_CHUNK)
        X = torch.as_tensor(np.array(features[some], dtype=np.float64), device=device)
        yield torch.cat([X, X.new_ones(len(X), 1)], 1), torch.as_tensor(labels[some], device=device)
