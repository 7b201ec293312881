"""Independent references in float64: autograd through an explicit inverse of an explicit
Hessian."""

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from engine.data.dataset import Dataset
from engine.models.linear import LinearModel


def with_ones(X: NDArray) -> torch.Tensor:
    wide = torch.as_tensor(np.asarray(X), dtype=torch.float64)
    return torch.cat([wide, torch.ones(len(wide), 1, dtype=torch.float64)], dim=1)


def mean_loss(theta: torch.Tensor, X: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.cross_entropy(X @ theta.view(-1, X.shape[1]).T, y)


def explicit_hessian(theta: torch.Tensor, X: torch.Tensor, n_classes: int) -> torch.Tensor:
    """Hessian of the mean cross-entropy, (P, P), sum of Kronecker products; no label enters."""
    p = torch.softmax(X @ theta.view(n_classes, -1).T, dim=1)
    curvature = torch.diag_embed(p) - p.unsqueeze(2) * p.unsqueeze(1)  # n, K, K
    size = theta.numel()
    blocks = torch.einsum(
        "nkl,ni,nj->kilj",
        curvature,
        X,
        X,
    )
    return blocks.reshape(size, size) / len(X)


def explicit_scores(
    theta: torch.Tensor, dataset: Dataset, damping: float, split: str = "test"
) -> torch.Tensor:
    """Definition 1 for every training sample, differentiable in θ: per-sample gradients by vmap."""
    X, y = with_ones(dataset.X_train), torch.as_tensor(dataset.y_train)
    features, labels = dataset.split(split)
    X_test, y_test = with_ones(features), torch.as_tensor(labels)
    H = explicit_hessian(theta, X, dataset.n_classes)
    H = H + damping * torch.eye(theta.numel(), dtype=torch.float64)
    gradient = torch.func.grad(mean_loss)
    g_test = gradient(theta, X_test, y_test)
    g = torch.func.vmap(lambda x, c: gradient(theta, x[None], c[None]))(X, y)
    return -g @ torch.linalg.solve(H, g_test)


def flat(model: LinearModel) -> torch.Tensor:
    return torch.as_tensor(model.parameters).flatten().clone()


def explicit_gradient(
    model: LinearModel, dataset: Dataset, coefficients: NDArray, damping: float
) -> NDArray:
    """∇θ Σ c_i I_i by autograd through the inverse, (K, d+1)."""
    theta = flat(model).requires_grad_()
    weighted = explicit_scores(theta, dataset, damping) @ torch.as_tensor(coefficients)
    return torch.autograd.grad(weighted, theta)[0].numpy().reshape(model.n_classes, -1)


def relative_error(found: ArrayLike | torch.Tensor, expected: ArrayLike | torch.Tensor) -> float:
    found, expected = np.asarray(found, np.float64), np.asarray(expected, np.float64)
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))
