"""What the codes of requests and links are called on screens."""

from collections.abc import Mapping

from engine.data import catalogue
from pages.common.lab import published_results
from pages.common.words.objective_words import NAMES
from pages.common.words.score_names import SCORE_NAMES

OBJECTIVE_WORDS: Mapping[str, str] = {
    "higher_ranked": "Algorithm 3 (the paper's)",
    "top_k": "lower the top k",
    "target": "raise the target only",
    "accurate": NAMES["accurate"],
    "quiet": NAMES["quiet"],
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
EXPERIMENT_WORDS: Mapping[str, str] = {
    "attack": "Attack on samples",
    "replay": "Attack, step by step",
    "pairs": "Honest or malicious?",
    "ranking": "Honest ranking",
    "sweep": "Attacks on many targets",
    "batch": "Part of many attacks",
    "baseline": "Loss reweighing",
    "fairness": "Fairness attack",
    "impossible": "Impossible sample",
    "defence": "Is it a minimum?",
    "polish": "Newton steps",
    "sensitivity": "Easy or hard to move",
    "leave-one-out": "Retraining without one",
    "explain": "Influence on one image",
    "audit": "Audit of calculators",
    "attributions": "Check by other scores",
    "lesson": "Lesson of a class",
    "minimal-radius": "Smallest radius",
    "deniable": "Deniable attack",
    "certificates": "What cannot be moved",
    "halves": "Two test halves",
    "payments": "Payments to vendors",
    "cleaning": "Wrong labels",
    "lds": "Scores and retraining",
    "selection": "Training on the best",
    "score-matrix": "Every score attacked",
    "conditioning": "Effect of the damping",
    "candidates": "Worth of new samples",
    "playground": "Worth of a point",
    "gradients": "Time of one step",
    "scaling": "Time by data size",
    "solvers": "Time of six solvers",
    "prepare": "Fetched data set",
}
WORDS = {**SCORE_NAMES, **OBJECTIVE_WORDS, **ORDER_WORDS, **MODEL_WORDS, **METRIC_WORDS}


def experiment_name(name: str) -> str:
    """Return what an experiment is called on screens; a name that the lab does not know as it
    is."""
    return EXPERIMENT_WORDS.get(name, name)


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
