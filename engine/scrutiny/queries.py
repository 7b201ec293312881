"""What an auditor asks: influence of every training sample on single test points (A.0.1)."""

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from engine.checks import check_array, check_positive
from engine.data.dataset import Dataset, check_samples
from engine.errors import InvalidInput
from engine.influence.linear import LinearProblem, rotate
from engine.influence.products import CLASSES, residuals
from engine.influence.scores import check_converged, in_float64_if_needed
from engine.models.linear import LinearModel, as_linear
from engine.models.model import check_pair
from engine.scrutiny.sensitivity import at_once
from engine.vocabulary import DAMPING

Labelled = tuple[NDArray[np.floating], NDArray[np.int64]]


def check_queries(model: LinearModel, X: ArrayLike, y: ArrayLike) -> Labelled:
    """Check features (q, d) and labels (q,) of query points against the model.

    Raises InvalidInput.
    """
    as_linear(model)
    check_samples("query", X, y, n_classes=model.n_classes)
    X, y = check_array("X", X), check_array("y", y)
    if X.shape[1] != model.n_features:
        raise InvalidInput("X", X.shape, f"of shape (queries, {model.n_features})")
    return X, y.astype(np.int64)


def query_gradients(model: LinearModel, X: ArrayLike, y: ArrayLike) -> NDArray[np.float64]:
    """Compute the gradient of each query's loss, one per column: (P, q), P = K·(d + 1), class by
    class, the bias last in each. Raises InvalidInput, InvalidDataset."""
    X, y = check_queries(model, X, y)
    E = model.probabilities(X)
    E[np.arange(len(y)), y] -= 1
    wide = np.concatenate([X, np.ones((len(X), 1))], axis=1).astype(np.float64)
    return (E[:, :, None] * wide[:, None, :]).reshape(len(X), -1).T


@in_float64_if_needed
def influence_matrix(
    model: LinearModel,
    dataset: Dataset,
    X: ArrayLike,
    y: ArrayLike,
    damping: float = DAMPING,
    tolerance: float = 1e-10,
    dtype: str = "float64",
    device: str = "auto",
) -> NDArray[np.floating]:
    """Compute Definition 1 for single test points: I(z_i, query_j) in row i, column j, (n, q).

    tolerance: relative residual of each query's solve; an audit needs it tight.
    Raises InvalidInput, InvalidDataset, DeviceUnavailable, NotConverged.
    """
    X, y = check_queries(model, X, y)
    tolerance = check_positive("tolerance", tolerance)
    check_pair(model, dataset)
    problem = LinearProblem.build(dataset, damping, "highest_first", dtype, device)
    theta = problem.encode(model)
    curvature = problem.curvature(theta)
    E, X_train = residuals(curvature.P, problem.train.y), problem.train.X
    wide = torch.as_tensor(np.concatenate([X, np.ones((len(X), 1))], axis=1))
    asked = rotate(wide.to(X_train.device, X_train.dtype), problem.basis)
    P = problem.probabilities(theta, asked)
    errors = residuals(P, torch.as_tensor(y, device=asked.device))[0].T  # (q, K)
    columns = []
    for first in range(0, len(y), step := at_once(dataset.n_train, dataset.n_classes)):
        some = slice(first, first + step)
        g = errors[some].unsqueeze(2) * asked[some].unsqueeze(1)  # (B, K, D), a gradient a query
        solution = problem.solve(curvature, g, tolerance)
        check_converged(solution, tolerance)
        columns.append(-(E * solution.image).sum(CLASSES))
    return torch.cat(columns).T.cpu().numpy()
