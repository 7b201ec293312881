"""What every model offers, whatever it computes with: no torch is imported here.

A model is a point θ and what makes predictions of it. Influence scores and attacks know a model by
this protocol and by its problem (`engine.influence.build`), and never ask which kind it is.
"""

from abc import ABC, abstractmethod
from typing import Protocol, Self

import numpy as np
import scipy  # which loads `scipy.special` when it is first used: a third of a second
from numpy.typing import ArrayLike, NDArray

from engine.checks import check_array
from engine.data.dataset import Dataset
from engine.errors import InvalidInput
from engine.vocabulary import MODELS


class Model(Protocol):
    """A trained or attacked model. `l2`, `gradient_norm` (of the training loss, l2 included) and
    `iterations` say how it was trained; NaN and 0 where an attack made it."""

    @property
    def l2(self) -> float: ...

    @property
    def gradient_norm(self) -> float: ...

    @property
    def iterations(self) -> int: ...

    @property
    def parameters(self) -> NDArray[np.float64]:
        """Return θ, in the shape that the model keeps it in."""
        ...

    @property
    def norm(self) -> float:
        """Return ‖θ‖₂ of all parameters together."""
        ...

    def with_parameters(self, parameters: NDArray) -> Self:
        """Return the same model at another θ, not trained."""
        ...

    def check_fits(self, dataset: Dataset) -> None:
        """Raise InvalidInput unless the model takes the data set's features and knows its
        classes, and θ is finite."""
        ...

    def probabilities(self, X: ArrayLike) -> NDArray[np.float64]: ...

    def predict(self, X: ArrayLike) -> NDArray[np.int64]: ...

    def accuracy(self, X: ArrayLike, y: ArrayLike) -> float: ...


class Classifier(ABC):
    """What follows from a model's `logits`, the same for every kind."""

    @abstractmethod
    def logits(self, X: ArrayLike) -> NDArray[np.float64]:
        """(samples, K)."""

    def probabilities(self, X: ArrayLike) -> NDArray[np.float64]:
        """(samples, K), rows summing to 1."""
        return scipy.special.softmax(self.logits(X), axis=1)

    def predict(self, X: ArrayLike) -> NDArray[np.int64]:
        """Return the most probable class of each sample."""
        return self.logits(X).argmax(axis=1)

    def accuracy(self, X: ArrayLike, y: ArrayLike) -> float:
        """Return the share of samples predicted right, in [0, 1]; y (samples,) are labels 0…K−1.
        Raises InvalidInput."""
        predicted, labels = self.predict(X), check_array("y", y)
        if labels.shape != predicted.shape or not len(labels):
            raise InvalidInput(
                "y", labels.shape, f"of shape {predicted.shape}, one label a sample, one at least"
            )
        return float((predicted == labels).mean())


def check_model(model: object) -> None:
    """Raise InvalidInput for anything but a model of this engine."""
    if not isinstance(model, Classifier):
        raise InvalidInput(
            "model",
            type(model).__name__,
            "what fit(dataset) or fit_network(dataset, module) returns, or a LinearModel(weight, "
            "bias, l2), for example of scikit-learn's coef_ and intercept_",
        )


def check_dataset(dataset: object) -> None:
    """Raise InvalidInput for anything but a `Dataset`."""
    if not isinstance(dataset, Dataset):
        shown = dataset if isinstance(dataset, str) else type(dataset).__name__
        raise InvalidInput(
            "dataset", shown, "a Dataset, as load_dataset(name) returns or Dataset(…) makes it"
        )


def check_pair(model: object, dataset: object) -> None:
    """Raise InvalidInput unless these are a model and a data set that it fits."""
    check_model(model)
    check_dataset(dataset)
    model.check_fits(dataset)  # type: ignore[attr-defined]  # what check_model made sure of


def kinds_for(dataset: Dataset) -> list[str]:
    """List the kinds of model in `engine.vocabulary` that a data set can have: networks need
    features that are in memory, 'cnn' the pixels of images of one size."""
    if dataset.on_disk:
        return ["linear"]
    return [kind for kind in MODELS if kind != "cnn" or dataset.pixel_shape is not None]
