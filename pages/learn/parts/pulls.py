"""Which training samples pull the loss on one test sample up, and which pull it down."""

import numpy as np
from numpy.typing import NDArray

from engine.attacks.result import Ranking
from engine.experiments import ExplainResult
from pages.common.samples import Samples

SHOWN = 8  # of the most and of the least influential samples
QUESTION = (
    "A score says how far a training sample pulls the loss on a test sample up (plus: the "
    "prediction gets worse) or down (minus)."
)


def ends(ranking: Ranking) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the samples that pull the loss up most, and those that pull it down most."""
    n = len(ranking.scores)
    top, shown = ranking.top(n), min(SHOWN, n // 2)
    return top[:shown], top[::-1][:shown]


def most_common(train: Samples, indices: NDArray[np.int64]) -> tuple[str, int]:
    """Return the class that most of the samples have, and how many of them."""
    labels, many = np.unique(train.dataset.y_train[indices], return_counts=True)
    return train.class_name(labels[many.argmax()]), int(many.max())


def answer(result: ExplainResult, train: Samples) -> str:
    """Say of which class the samples are that pull the loss up most, and down most."""
    (up, _), (down, _) = (most_common(train, indices) for indices in ends(result.ranking))
    return f"**Here samples of class “{up}” pull it up most, those of class “{down}” down.**"
