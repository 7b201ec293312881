"""Selection by scores: what a model is worth that is trained on part of the samples.

Taking away the first q of a ranking and keeping its last 1 − q is the same selection, so that one
table holds removal curves and addition curves. They are the field's usual test of a valuation
(Ghorbani and Zou 2019): taking away what is said to raise the test loss should lower it, and sooner
than taking away at random.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from engine.checks import check_array, check_choice, check_positive
from engine.data.dataset import Dataset
from engine.errors import InvalidInput
from engine.models.model import check_dataset
from engine.options import entries
from engine.progress import OnStep, ignore_step
from engine.scrutiny.retraining import retrain_on
from engine.vocabulary import L2

ENDS = ("first", "last")  # of the ranking: what is kept


def kept(ranks: ArrayLike, share: float, end: str) -> NDArray[np.bool_]:
    """Return which samples are kept, (n,): the share that a ranking puts first, or last.

    Samples of equal rank are kept in the order of their numbers. Raises InvalidInput.
    """
    places = check_array("ranks", ranks)
    check_choice("end", end, ENDS)
    share = check_positive("share", share)
    if places.ndim != 1:
        raise InvalidInput("ranks", places.shape, "one rank for each sample")
    n = len(places)
    count = round(share * n)
    if share > 1 or count < 1:
        raise InvalidInput("share", share, f"in (0, 1], at least one of {n} samples")
    order = np.argsort(places, kind="stable")
    mask = np.zeros(n, dtype=bool)
    mask[order[:count] if end == "first" else order[n - count :]] = True
    return mask


def selection_curve(
    ranks: ArrayLike,
    dataset: Dataset,
    shares: Sequence[float] = (0.5, 0.75, 0.9),
    end: str = "first",
    l2: float = L2,
    device: str = "auto",
    on_step: OnStep = ignore_step,
) -> pd.DataFrame:
    """Train on the share of the samples that a ranking puts first, or last, for each of `shares`.

    ranks: (n,), 1 first. Returns a row per share: share, samples, loss_test, accuracy_test,
    loss_holdout, accuracy_holdout; losses are means, accuracies shares in [0, 1].
    Raises InvalidInput, InvalidDataset (a selection without one of the classes), NotConverged.
    """
    check_dataset(dataset)
    asked = [check_positive("share", share) for share in entries("shares", shares)]
    masks = np.stack([kept(ranks, share, end) for share in asked])
    found = retrain_on(dataset, masks, l2, device, on_step=on_step)
    columns: dict[str, object] = {"share": asked, "samples": masks.sum(1)}
    for split in ("test", "holdout"):
        columns[f"loss_{split}"] = found.mean_losses(split)
        columns[f"accuracy_{split}"] = found.accuracies[split]
    return pd.DataFrame(columns)
