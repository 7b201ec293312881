"""The samples on which two models differ: what each says, how sure it is, and where it ranks them.

No label enters but to say who is right: predictions and confidence can be compared before anybody
knows the truth.
"""

import numpy as np
import pandas as pd

from engine.attacks.result import Ranking
from engine.data.dataset import SPLITS, Dataset
from engine.errors import InvalidInput
from engine.models.model import Model, check_pair

COLUMNS = (
    *("split", "sample", "label", "said_first", "said_second"),
    *("confidence_first", "confidence_second", "divergence", "rank_first", "rank_second"),
)
NO_RANK = 0  # of samples outside training, which no ranking holds


def check_rankings(rankings: object, n: int) -> None:
    """Raise InvalidInput unless these are two rankings of n samples."""
    fits = (
        isinstance(rankings, tuple | list)
        and len(rankings) == 2
        and all(isinstance(one, Ranking) and len(one.ranks) == n for one in rankings)
    )
    if not fits:
        shown = type(rankings).__name__
        raise InvalidInput("rankings", shown, f"None or two rankings of {n} training samples")


def model_differences(
    first: Model,
    second: Model,
    dataset: Dataset,
    rankings: tuple[Ranking, Ranking] | None = None,
) -> pd.DataFrame:
    """Compare two models sample by sample: a row per sample of every split, `COLUMNS`.

    said: the predicted class. confidence: its probability. divergence: KL(p_first ‖ p_second), in
    nats. rank: of a training sample in `rankings`, those of the two models; 0 where there is none.
    Raises InvalidInput.
    """
    for model in (first, second):
        check_pair(model, dataset)
    if rankings is not None:
        check_rankings(rankings, dataset.n_train)
    parts = []
    for split in SPLITS:
        X, y = dataset.split(split)
        P, Q = (model.probabilities(np.asarray(X)) for model in (first, second))
        tiny = np.finfo(np.float64).tiny
        logs = np.log(np.maximum(P, tiny)) - np.log(np.maximum(Q, tiny))
        ranked = rankings if split == "train" else None
        ranks = [NO_RANK, NO_RANK] if ranked is None else [one.ranks for one in ranked]
        columns = {
            "split": split,
            "sample": np.arange(len(y)),
            "label": y,
            "said_first": P.argmax(1),
            "said_second": Q.argmax(1),
            "confidence_first": P.max(1),
            "confidence_second": Q.max(1),
            "divergence": (P * logs).sum(1),
            "rank_first": ranks[0],
            "rank_second": ranks[1],
        }
        parts.append(pd.DataFrame(columns))
    return pd.concat(parts, ignore_index=True)
