"""What the codes of requests and links are called on screens."""

from collections.abc import Mapping

from engine.data import catalogue
from pages.common.lab import published_results
from pages.common.words.score_names import SCORE_NAMES

OBJECTIVE_WORDS: Mapping[str, str] = {
    "higher_ranked": "Algorithm 3 (the paper's)",
    "top_k": "lower the top k",
    "target": "raise the target only",
    "accurate": "accurate",
    "quiet": "quiet",
    "pay": "pay by score",
    "pay_top_k": "pay by top k",
    "pay_rank": "pay by rank",
}
ORDER_WORDS: Mapping[str, str] = {
    "highest_first": "highest score first",
    "lowest_first": "lowest score first",
}
MODEL_WORDS: Mapping[str, str] = {
    "linear": "linear",
    "mlp": "network (MLP)",
    "cnn": "network (CNN)",
}
PROSE = {"digits": "digits", "breast_cancer": "breast tumours"}  # titles in lower case
METRIC_WORDS: Mapping[str, str] = {"dp": "demographic parity", "eop": "equal opportunity"}
WORDS = {**SCORE_NAMES, **OBJECTIVE_WORDS, **ORDER_WORDS, **MODEL_WORDS, **METRIC_WORDS}


def data_name(name: str) -> str:
    """Return a data set's title; of the lab's own features files which set they stand in for; a
    name that a visitor gave as it is."""
    standing = {here: whose for whose, here in published_results.stand_ins().items()}
    if name in standing:
        return f"{standing[name]} stand-in"
    if name in catalogue.SETS:
        return catalogue.SETS[name].title
    if name in catalogue.FEATURES:
        about, backbone = catalogue.FEATURES[name]
        return f"{about.title}, {backbone.title}"
    return name


def in_prose(name: str) -> str:
    """Return a data set within a sentence: 'digits', 'the CIFAR-10 stand-in'."""
    said = PROSE.get(name, data_name(name))
    return f"the {said}" if said.endswith(" stand-in") else said


def in_words(value: object) -> str:
    """Return a value of a request, its code in words."""
    return WORDS.get(str(value), str(value))


def field_name(name: str) -> str:
    """Return a request's field in words: 'learning rates'."""
    return name.removeprefix("n_").replace("_", " ")
