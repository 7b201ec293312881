"""The score of any sample from a model θ and s = (H + λI)⁻¹ g, in NumPy alone: no torch."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.checks import check_array

if TYPE_CHECKING:
    from engine.models.linear import LinearModel


def scores_by_label(
    model: "LinearModel", direction: NDArray[np.float64], X: ArrayLike
) -> NDArray[np.float64]:
    """Score features (c, d) with every label, (c, K), given s (K, d+1), the bias last.

    −Σ_c (p_c − [c = label]) ⟨s_c, (x, 1)⟩, for each label. Raises InvalidInput.
    """
    features = check_array("X", X)
    P = model.probabilities(features)
    along = features @ direction[:, :-1].T + direction[:, -1]  # ⟨s_c, (x, 1)⟩, c × K
    return along - (P * along).sum(1, keepdims=True)
