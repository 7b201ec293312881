"""What the attributions are called on screens, and a word on each."""

from collections.abc import Mapping, Sequence

from engine.experiments.lds import MATCHING
from engine.vocabulary import SCORES
from pages.common.words.wording import listed

SCORE_NAMES: Mapping[str, str] = {
    "influence": "influence",
    MATCHING: "influence, damping = L2",
    "gradient_dot": "gradient dot product",
    "cosine": "cosine of gradients",
    "relative": "relative influence",
    "self_influence": "self-influence",
    "kfac": "K-FAC influence",
    "ekfac": "EK-FAC influence",
    "trak": "TRAK",
    "tracin": "TracIn",
    "knn_shapley": "kNN-Shapley",
    "data_oob": "Data-OOB",
    "banzhaf": "Data Banzhaf",
}


def left_out(attributions: Sequence[str]) -> str:
    """Say, with a space before it, which scores were not asked for; empty where all were."""
    missing = [SCORE_NAMES[name] for name in SCORES if name not in attributions]
    if not missing:
        return ""
    return f" Left out, because of the time on data of this size: {listed(missing)}."
