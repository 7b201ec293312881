"""The linear datamodelling score: do sums of scores predict models that are trained on subsets?

Draw subsets S of the training samples, train a model on each, and compare its test loss f(S) with
the sum of the scores of the samples in S. Spearman's correlation over the subsets is the linear
datamodelling score, LDS (Park et al. 2023; the model f(S) ≈ Σ τ_i is that of Ilyas et al. 2022). It
is positive for good scores with Definition 1's sign: samples that raise the loss score above 0.

Subsets come in pairs, a half of the samples and its complement S′. That gives the noise ceiling
without another training. Sums of scores are odd in a pair, Σ_S + Σ_S′ being the same for all pairs,
so that they are uncorrelated with the even part (f(S) + f(S′))/2 of the losses. No scores can
correlate more (by Pearson) with f than its odd part (f(S) − f(S′))/2 does. The ceiling is that
correlation, by Spearman as the score itself: the limit of additivity. Training adds no noise of its
own: it is convex and ends at the minimum, and a second run gives the same losses.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.checks import check_array, check_choice, check_integer
from engine.data.dataset import Dataset
from engine.errors import InvalidInput
from engine.models.model import check_dataset
from engine.progress import OnStep, ignore_step
from engine.scrutiny.retraining import retrain_on
from engine.statistics import Interval, percentiles, rank_correlation, resampled
from engine.vocabulary import L2

FEWEST = 4  # subsets: of fewer, a correlation says nothing


@dataclass(frozen=True, eq=False)
class DatamodellingScore:
    """LDS of one attribution.

    per_query: (q,), Spearman's correlation of each query's losses with the sums of its scores;
    ceilings: (q,), the most that additive scores can reach. score, ceiling: their means. interval:
    95%, by bootstrap over the pairs of subsets.
    """

    per_query: NDArray[np.float64]
    ceilings: NDArray[np.float64]
    interval: Interval

    @property
    def score(self) -> float:
        return float(np.nanmean(self.per_query))

    @property
    def ceiling(self) -> float:
        return float(np.nanmean(self.ceilings))


def draw_halves(n: int, subsets: int, seed: int = 0) -> NDArray[np.bool_]:
    """Draw halves of n samples, (subsets, n): rows 2j and 2j + 1 are a half and its complement.

    Where n is odd, one sample, the same for all, is in neither. Raises InvalidInput for n < 2, or
    fewer than 4 subsets, or an odd number of them.
    """
    n, subsets = check_integer("n", n, 2), check_integer("subsets", subsets, FEWEST)
    if subsets % 2:
        raise InvalidInput("subsets", subsets, "an even number: halves come with their complements")
    rng = np.random.default_rng(check_integer("seed", seed, 0))
    taking_part = rng.permutation(n)[: n - n % 2]
    halves = np.zeros((subsets, n), dtype=bool)
    for first in range(0, subsets, 2):
        order = rng.permutation(taking_part)
        halves[first, order[: len(order) // 2]] = True
        halves[first + 1, order[len(order) // 2 :]] = True
    return halves


def odd_part(outcomes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (f(S) − f(S′))/2 for outcomes (…, subsets) whose pairs are neighbours."""
    pairs = outcomes.reshape(*outcomes.shape[:-1], -1, 2)
    return ((pairs - pairs[..., ::-1]) / 2).reshape(outcomes.shape)


def compare(
    scores: ArrayLike, halves: NDArray[np.bool_], outcomes: ArrayLike
) -> DatamodellingScore:
    """Compare scores with models that were trained on halves.

    scores: (n,) of one query, or (n, q) with a column a query; outcomes: (subsets,) or (q,
    subsets), the losses of the models. Raises InvalidInput.
    """
    values, f = check_array("scores", scores), np.atleast_2d(check_array("outcomes", outcomes))
    values = values[:, None] if values.ndim == 1 else values
    subsets, n = halves.shape
    if values.shape != (n, len(f)) or f.shape[1] != subsets:
        raise InvalidInput(
            "scores, outcomes",
            (values.shape, f.shape),
            f"of shapes ({n}, q) and (q, {subsets}) for {subsets} subsets of {n} samples",
        )
    sums = values.T @ halves.T.astype(np.float64)  # q, subsets
    pairs = resampled(subsets // 2, 1000, 0)
    drawn = np.stack([2 * pairs, 2 * pairs + 1], -1).reshape(len(pairs), -1)
    again = [rank_correlation(a[drawn], b[drawn]) for a, b in zip(sums, f, strict=True)]
    return DatamodellingScore(
        per_query=rank_correlation(sums, f),
        ceilings=rank_correlation(odd_part(f), f),
        interval=percentiles(np.nanmean(again, 0)),
    )


def linear_datamodelling_score(
    scores: ArrayLike,
    dataset: Dataset,
    subsets: int = 100,
    l2: float = L2,
    seed: int = 0,
    split: str = "test",
    device: str = "auto",
    on_step: OnStep = ignore_step,
) -> DatamodellingScore:
    """Measure how well scores predict the test loss of models trained on halves of the samples.

    scores: (n,), of the mean loss on `split`, or (n, q) with a column for each of its q samples;
    positive where more weight on the sample raises the loss. subsets: how many, drawn by the seed,
    in pairs. l2: of their training, as in `fit`; on_step(done, total) hears of every batch.
    Raises InvalidInput, InvalidDataset (a half without one of the classes), NotConverged.
    """
    check_dataset(dataset)
    check_choice("split", split, ("test", "holdout"))
    values = check_array("scores", scores)
    halves = draw_halves(dataset.n_train, subsets, seed)
    retrained = retrain_on(dataset, halves, l2, device, on_step=on_step)
    found = retrained.mean_losses(split) if values.ndim == 1 else retrained.losses[split]
    return compare(values, halves, found)
