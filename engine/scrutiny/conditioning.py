"""How well the data determine scores: the spectrum of H, and what the damping makes of it.

With H = V diag(e) Vᵀ at a model, the scores at every damping λ > 0 follow from one decomposition:

    I_i(λ) = −Σ_j a_ij / (e_j + λ),   a_ij = (v_jᵀg_i)(v_jᵀg)
    ∂I_i / ∂ ln λ = λ Σ_j a_ij / (e_j + λ)²

Where e_j is below λ, the damping and not the data decides what direction j adds. H itself is made
in closed form, the mean of (diag(p) − ppᵀ) ⊗ xxᵀ.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from engine.checks import check_choice, check_positive
from engine.data.dataset import Dataset
from engine.errors import InvalidInput
from engine.influence.linear import LinearProblem
from engine.models.linear import LinearModel, as_linear
from engine.models.model import check_pair
from engine.scrutiny.queries import query_gradients

MOST_PARAMETERS = 2500  # of a full decomposition: half a minute on one core
FLAT = 1e-12  # of the largest eigenvalue: smaller ones are rounding


@dataclass(frozen=True, eq=False)
class Spectrum:
    """eigenvalues: (P,) of H, the largest first, without damping and never negative.
    contributions: (n, P), a_ij of training sample i along eigenvector j."""

    eigenvalues: NDArray[np.float64]
    contributions: NDArray[np.float64]

    @property
    def stable_rank(self) -> float:
        """Return ‖H‖_F² / ‖H‖₂² (Rudelson and Vershynin 2007): at least 1, at most the rank."""
        squares = np.square(self.eigenvalues)
        return float(squares.sum() / squares[0])

    @property
    def flat(self) -> int:
        """Count the directions without curvature, such as the same vector added to every class."""
        return int((self.eigenvalues <= FLAT * self.eigenvalues[0]).sum())

    def effective_dimension(self, damping: float) -> float:
        """Return Σ e_j / (e_j + λ), how many directions the data determine rather than the damping
        (MacKay 1992)."""
        damping = check_positive("damping", damping)
        return float((self.eigenvalues / (self.eigenvalues + damping)).sum())

    def condition(self, damping: float) -> float:
        """Return the condition number of H + λI."""
        damped = self.eigenvalues + check_positive("damping", damping)
        return float(damped[0] / damped[-1])

    def scores(self, damping: float) -> NDArray[np.float64]:
        """Return the scores (n,) at a damping, as `influence_scores` has them."""
        return -self.contributions @ (1 / (self.eigenvalues + check_positive("damping", damping)))

    def slopes(self, damping: float) -> NDArray[np.float64]:
        """Return ∂I_i / ∂ ln λ, (n,): the change of each score for a damping e times as large, to
        first order."""
        damping = check_positive("damping", damping)
        return self.contributions @ (damping / np.square(self.eigenvalues + damping))

    def below(self, damping: float) -> NDArray[np.float64]:
        """Return by sample (n,) the share of Σ_j |a_ij| / (e_j + λ) from directions with e_j < λ.

        Absolute values, because the signed parts cancel; 0 for a sample whose score is 0 in every
        direction.
        """
        damping = check_positive("damping", damping)
        sizes = np.abs(self.contributions) / (self.eigenvalues + damping)
        total = sizes.sum(1)
        part = sizes[:, self.eigenvalues < damping].sum(1)
        return np.divide(part, total, out=np.zeros_like(total), where=total > 0)


def check_decomposable(parameters: int) -> None:
    """Raise InvalidInput where a model has too many parameters for a full decomposition of H."""
    if parameters > MOST_PARAMETERS:
        raise InvalidInput(
            "K·D", parameters, f"at most {MOST_PARAMETERS} parameters for the spectrum of H"
        )


def spectrum(
    model: LinearModel, dataset: Dataset, split: str = "test", device: str = "auto"
) -> Spectrum:
    """Decompose H at a model, and each score on the mean loss of `split` along its eigenvectors.

    float64. Raises InvalidInput (also above `MOST_PARAMETERS` parameters), DeviceUnavailable.
    """
    check_choice("split", split, ("test", "holdout"))
    check_pair(as_linear(model), dataset)
    check_decomposable(model.parameters.size)
    problem = LinearProblem.build(dataset, 1.0, dtype="float64", device=device, rotated=False)
    damped = problem.curvature(problem.encode(model)).dense(0)
    damped.diagonal().sub_(problem.damping)
    values, vectors = (part.cpu().numpy() for part in torch.linalg.eigh(damped))
    values, vectors = values[::-1].clip(min=0), vectors[:, ::-1]
    g = query_gradients(model, *dataset.split(split)).mean(1)
    own = query_gradients(model, *dataset.split("train")).T @ vectors  # n, P
    return Spectrum(values, own * (g @ vectors))
