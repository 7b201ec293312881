"""Multinomial logistic regression on frozen features, as NumPy arrays (no torch is imported)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.checks import check_array
from engine.errors import InvalidInput
from engine.models.model import Classifier, check_dataset, check_model

if TYPE_CHECKING:
    from engine.data.dataset import Dataset
    from engine.models.model import Model


@dataclass(frozen=True, eq=False)
class LinearModel(Classifier):
    """logits = X weightᵀ + bias; `weight` is (K, d) and `bias` (K,), float64.

    Both may be given as any arrays of real numbers: LinearModel(lr.coef_, lr.intercept_, l2). A
    binary classifier of scikit-learn has a single row w, b: its two are (−w/2, w/2), (−b/2, b/2).
    `l2`, `gradient_norm` (of the training loss, l2 included) and `iterations` say how it was
    trained; they are NaN and 0 where a model was not trained but made by an attack.
    """

    weight: NDArray[np.float64]
    bias: NDArray[np.float64]
    l2: float
    gradient_norm: float = float("nan")
    iterations: int = 0

    def __post_init__(self) -> None:
        for name in ("weight", "bias"):
            object.__setattr__(self, name, check_array(name, getattr(self, name)))
        if self.weight.ndim != 2 or self.bias.shape != (len(self.weight),):
            raise InvalidInput(
                "weight, bias", (self.weight.shape, self.bias.shape), "of shapes (K, d) and (K,)"
            )

    @property
    def n_classes(self) -> int:
        return self.weight.shape[0]

    @property
    def n_features(self) -> int:
        return self.weight.shape[1]

    @property
    def parameters(self) -> NDArray[np.float64]:
        """Return θ (K, d+1), the bias last."""
        return np.concatenate([self.weight, self.bias[:, None]], axis=1)

    @property
    def norm(self) -> float:
        """Return ‖θ‖₂, weights and bias together."""
        return float(np.linalg.norm(self.parameters))

    @classmethod
    def from_parameters(cls, parameters: NDArray, l2: float) -> "LinearModel":
        """Make the model with θ = `parameters`, (K, d+1), the bias last. Raises InvalidInput."""
        wide = check_array("parameters", parameters)
        if wide.ndim != 2 or wide.shape[1] < 1:
            raise InvalidInput("parameters", wide.shape, "of shape (K, d+1), the bias last")
        return cls(weight=wide[:, :-1].copy(), bias=wide[:, -1].copy(), l2=l2)

    def with_parameters(self, parameters: NDArray) -> "LinearModel":
        """Return the model at another θ, (K, d+1) with the bias last, not trained."""
        return LinearModel.from_parameters(parameters, self.l2)

    def check_fits(self, dataset: "Dataset") -> None:
        """Raise InvalidInput unless the model's shape is the data set's, and θ is finite."""
        check_dataset(dataset)
        expected = (dataset.n_classes, dataset.n_features)
        if self.weight.shape != expected:
            raise InvalidInput(
                "model.weight",
                self.weight.shape,
                f"of shape {expected} for data set '{dataset.name}'",
            )
        if not np.isfinite(self.parameters).all():
            raise InvalidInput("model.weight", "NaN or infinity", "finite")

    def logits(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the logits (samples, K). Raises InvalidInput."""
        X = check_array("X", X)
        if X.ndim != 2 or X.shape[1] != self.n_features:
            raise InvalidInput("X", X.shape, f"of shape (samples, {self.n_features})")
        return X @ self.weight.T + self.bias


def as_linear(model: "Model") -> LinearModel:
    """Return the model where it is linear. Raises InvalidInput for any other."""
    check_model(model)
    if not isinstance(model, LinearModel):
        raise InvalidInput("model", type(model).__name__, "a linear model (linear models only)")
    return model
