"""What an influence ranking is worth where training leaves choices: the admissible set.

An honest trainer may choose l2, weights of the samples and scales of the features, within limits.
Each choice gives a true minimum, and each minimum a ranking. A verifier who can train draws some of
them: the ranks of a sample over the draws are its interval, and the scores averaged over them are a
ranking that no single choice decides. Scores are divided by their standard deviation first, because
choices change their unit.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.attacks.declared import Declared, Trainer, has
from engine.data.dataset import Dataset
from engine.influence.problem import ranks
from engine.models.linear import LinearModel
from engine.progress import OnStep, ignore_step
from engine.statistics import rank_correlation


@dataclass(frozen=True, eq=False)
class Admissible:
    """Drawn choices: standardised scores (draws, n), in the order that ranks them, their ranks
    (draws, n), and each model's accuracy on holdout, (draws,)."""

    scores: NDArray[np.float64]
    ranks: NDArray[np.int64]
    accuracies: NDArray[np.float64]

    @property
    def averaged(self) -> NDArray[np.int64]:
        """Return the ranks (n,) by the scores averaged over the draws."""
        return ranks(self.scores.mean(0))

    @property
    def lowest(self) -> NDArray[np.int64]:
        """Return each sample's best rank over the draws, (n,)."""
        return self.ranks.min(0)

    @property
    def highest(self) -> NDArray[np.int64]:
        """Return each sample's worst rank over the draws, (n,)."""
        return self.ranks.max(0)

    def correlations(self, with_ranks: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the Spearman correlation of each draw's ranking with another, (draws,)."""
        return rank_correlation(self.ranks, np.broadcast_to(with_ranks, self.ranks.shape))


@dataclass(frozen=True)
class AdmissibleLimits:
    """What an honest trainer may choose: `means` of `engine.vocabulary.MEANS`, weights and scales
    within [1 − ε, 1 + ε], and with 'together' an l2 up to l2_factor times larger or smaller."""

    means: str
    epsilon: float
    l2_factor: float


def draw(limits: AdmissibleLimits, around: Declared, rng: np.random.Generator) -> Declared:
    """Draw choices uniformly within the limits, log l2 as well, and multiply them onto those of
    `around`; with the usual choices there, those of an honest trainer. Weights keep their mean."""
    n, d = len(around.weights), len(around.scales)
    shift, by_weight, by_scale = (rng.uniform(-1, 1, size) for size in (1, n, d))
    weights, scales, l2 = around.weights, around.scales, around.l2
    if has(limits.means, "weights"):
        by_weight = limits.epsilon * (by_weight - by_weight.mean())
        weights = weights * (1 + by_weight)
        weights = weights / weights.mean()
    if has(limits.means, "scales"):
        scales = scales * (1 + limits.epsilon * by_scale)
    if has(limits.means, "l2"):
        l2 = l2 * float(limits.l2_factor ** shift[0])
    return Declared(l2, weights, scales)


def admissible(
    trainer: Trainer,
    model: LinearModel,
    limits: AdmissibleLimits,
    draws: int,
    seed: int,
    around: Declared | None = None,
    on_step: OnStep = ignore_step,
) -> Admissible:
    """Train and score `draws` choices within the limits.

    model: the usual minimum, where trainings begin; its l2 is the usual one. around: choices onto
    which the drawn ones are multiplied, the usual ones where left out. on_step(done, draws) may
    raise. Raises NotConverged.
    """
    dataset: Dataset = trainer.dataset
    base = Declared.usual(dataset, model.l2) if around is None else around
    rng = np.random.default_rng(seed)
    scores, accuracies = [], []
    for done in range(1, draws + 1):
        trained = trainer.train(draw(limits, base, rng), model.parameters)
        found = trained.forward.scores[0].cpu().numpy()
        scores.append(found / found.std())
        accuracies.append(trained.accuracy("holdout"))
        on_step(done, draws)
    stacked = np.stack(scores)
    return Admissible(stacked, np.stack([ranks(row) for row in stacked]), np.array(accuracies))
