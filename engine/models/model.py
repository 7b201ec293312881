"""What every model offers, whatever it computes with: no torch is imported here.

A model is a point θ and what makes predictions of it. Influence scores and attacks know a model by
this protocol and by its problem (`engine.influence.build`), and never ask which kind it is.
"""

from typing import TYPE_CHECKING, Protocol, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

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


def kinds_for(dataset: "Dataset") -> list[str]:
    """The kinds of model in `engine.vocabulary` that a data set can have: networks need features
    that are in memory, 'cnn' the pixels of images of one size."""
    if dataset.on_disk:
        return ["linear"]
    return [kind for kind in MODELS if kind != "cnn" or dataset.pixel_shape is not None]
