"""What the attributions are called on screens, and a word on each."""

from collections.abc import Mapping

from engine.experiments.lds import MATCHING

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
