"""What every model offers, whatever it computes with: no torch is imported here.

A model is a point θ and what makes predictions of it. Influence scores and attacks know a model by
this protocol and by its problem (`engine.influence.build`), and never ask which kind it is.
"""

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Protocol, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import softmax

from engine.vocabulary import MODELS

if TYPE_CHECKING:
    from engine.data.dataset import Dataset


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
        """θ, in the shape that the model keeps it in."""
        ...

    @property
    def norm(self) -> float:
        """‖θ‖₂ of all parameters together."""
        ...

    def with_parameters(self, parameters: NDArray) -> Self:
        """The same model at another θ, not trained."""
        ...

    def check_fits(self, dataset: "Dataset") -> None:
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
        return softmax(self.logits(X), axis=1)

    def predict(self, X: ArrayLike) -> NDArray[np.int64]:
        """The most probable class of each sample."""
        return self.logits(X).argmax(axis=1)

    def accuracy(self, X: ArrayLike, y: ArrayLike) -> float:
        """Share of samples predicted right, in [0, 1]."""
        return float((self.predict(X) == np.asarray(y)).mean())


def kinds_for(dataset: "Dataset") -> list[str]:
    """The kinds of model in `engine.vocabulary` that a data set can have: networks need features
    that are in memory, 'cnn' the pixels of images of one size."""
    if dataset.on_disk:
        return ["linear"]
    return [kind for kind in MODELS if kind != "cnn" or dataset.pixel_shape is not None]
