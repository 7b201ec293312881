"""The implementations that are compared, made ready for one and the same attack step."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.checks import check_choice
from engine.data.dataset import Dataset
from engine.devices import resolve_device, resolve_dtype
from engine.influence.linear import LinearProblem
from engine.models.linear import LinearModel
from engine.speed.autograd import GradientTask, StepGradient, naive_gradient, rewritten_gradient
from engine.speed.result import IMPLEMENTATIONS

AUTOGRAD: dict[str, Callable[[GradientTask, Tensor, Tensor, float], StepGradient]] = {
    "naive": naive_gradient,
    "rewritten": rewritten_gradient,
}
ARRAYS = ("X_train", "y_train", "X_test", "y_test", "parameters", "coefficients")


@dataclass(frozen=True, eq=False)
class GradientProblem:
    """∇θ Σ c_i I_i at θ = parameters (K, d+1), bias last, for coefficients c (n,), both float64."""

    X_train: NDArray[np.float32]
    y_train: NDArray[np.int64]
    X_test: NDArray[np.float32]
    y_test: NDArray[np.int64]
    parameters: NDArray[np.float64]
    coefficients: NDArray[np.float64]
    damping: float

    def save(self, path: Path) -> None:
        arrays: dict[str, NDArray] = {name: getattr(self, name) for name in ARRAYS}
        np.savez(path, allow_pickle=False, damping=self.damping, **arrays)

    @classmethod
    def load(cls, path: Path) -> "GradientProblem":
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in ARRAYS}
            return cls(**arrays, damping=float(archive["damping"]))


@dataclass(frozen=True)
class PreparedGradient:
    """`step` is what is measured: one forward and backward pass → gradient and iterations.
    `decode` brings the gradient into the features' own basis, (K·(d+1),) float64."""

    step: Callable[[], tuple[Tensor, int]]
    decode: Callable[[Tensor], NDArray[np.float64]]


def prepare(
    name: str, problem: GradientProblem, tolerance: float, dtype: str, device: str
) -> PreparedGradient:
    """Do what implementation `name` does once per data set. Raises InvalidInput for others."""
    if check_choice("implementation", name, IMPLEMENTATIONS) == "closed_form":
        return prepare_closed_form(problem, tolerance, dtype, device)
    return prepare_autograd(AUTOGRAD[name], problem, tolerance, dtype, device)


def prepare_autograd(
    function: Callable[[GradientTask, Tensor, Tensor, float], StepGradient],
    problem: GradientProblem,
    tolerance: float,
    dtype: str,
    device: str,
) -> PreparedGradient:
    kind, where = resolve_dtype(dtype), resolve_device(device)

    def tensor(array: NDArray) -> Tensor:
        return torch.as_tensor(array, dtype=kind, device=where)

    def with_ones(array: NDArray) -> Tensor:
        X = tensor(array)
        return torch.cat([X, X.new_ones(len(X), 1)], dim=1)

    task = GradientTask(
        X=with_ones(problem.X_train),
        y=torch.as_tensor(problem.y_train, device=where),
        X_test=with_ones(problem.X_test),
        y_test=torch.as_tensor(problem.y_test, device=where),
        damping=problem.damping,
    )
    theta, c = tensor(problem.parameters).flatten(), tensor(problem.coefficients)

    def step() -> tuple[Tensor, int]:
        found = function(task, theta, c, tolerance)
        return found.gradient, found.iterations

    return PreparedGradient(step, lambda gradient: gradient.double().cpu().numpy())


def prepare_closed_form(
    problem: GradientProblem, tolerance: float, dtype: str, device: str
) -> PreparedGradient:
    dataset = Dataset(
        "synthetic",
        problem.X_train,
        problem.y_train,
        problem.X_test,
        problem.y_test,
        problem.X_test[:1],  # no step looks at holdout
        problem.y_test[:1],
        tuple(str(c) for c in range(len(problem.parameters))),
    )
    linear = LinearProblem.build(dataset, problem.damping, dtype=dtype, device=device)
    theta = linear.encode(LinearModel.from_parameters(problem.parameters, l2=0.0))
    c = torch.as_tensor(problem.coefficients, dtype=theta.dtype, device=theta.device)[None]

    def step() -> tuple[Tensor, int]:
        forward = linear.forward(theta, tolerance)
        gradient, solution = linear.gradient(forward, c, tolerance)
        iterations = forward.solution.iterations.max() + solution.iterations.max()
        return gradient[0], int(iterations)

    return PreparedGradient(step, lambda gradient: linear.decode(gradient).ravel())
