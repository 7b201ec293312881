"""The one registry of experiments: a name, what can be asked, how it is computed, kept and opened.

The command line, the job runner, the store and the pages all read it: a new experiment is a module
here with a request, a function and an `Experiment`, and its place in EXPERIMENTS. `register` adds
one from outside the lab. Nothing here imports torch; the functions that compute do.
"""

import re
from collections.abc import Mapping

from engine.checks import check_choice
from engine.errors import InvalidInput
from engine.experiments.attack import ATTACK, AttackRequest
from engine.experiments.attributions import (
    ATTRIBUTIONS_OF,
    AttributionsRequest,
    AttributionsResult,
)
from engine.experiments.audit import AUDIT, AuditRequest, AuditResult
from engine.experiments.base import (
    NO_DATA,
    RESULT_VERSION,
    AnyExperiment,
    Context,
    Data,
    Experiment,
    Request,
    Source,
    hash_of,
    open_data,
    source_of,
    values_of,
)
from engine.experiments.baseline import BASELINE, BaselineRequest
from engine.experiments.candidates import CANDIDATES, CandidatesRequest, CandidatesResult
from engine.experiments.certificates import (
    CERTIFICATES,
    CertificatesRequest,
    CertificatesResult,
)
from engine.experiments.cleaning import CLEANING, CleaningRequest, CleaningResult
from engine.experiments.conditioning import (
    CONDITIONING,
    ConditioningRequest,
    ConditioningResult,
)
from engine.experiments.defence import DEFENCE, DefenceRequest
from engine.experiments.deniable import DENIABLE, DeniableRequest, DeniableResult
from engine.experiments.explain import EXPLAIN, ExplainRequest, ExplainResult
from engine.experiments.fairness import FAIRNESS, FairnessRequest
from engine.experiments.halves import HALVES, HalvesRequest
from engine.experiments.impossible import IMPOSSIBLE, ImpossibleRequest, ImpossibleResult
from engine.experiments.lds import LDS, LdsRequest, LdsResult
from engine.experiments.leave_one_out import (
    LEAVE_ONE_OUT,
    LeaveOneOutRequest,
    LeaveOneOutResult,
)
from engine.experiments.lesson import LESSON, LessonRequest
from engine.experiments.minimal_radius import (
    MINIMAL_RADIUS,
    MinimalRadiusRequest,
    MinimalRadiusResult,
)
from engine.experiments.pairs import PAIRS, PairsRequest, PairsResult
from engine.experiments.payments import PAYMENTS, PaymentsRequest, PaymentsResult
from engine.experiments.playground import PLAYGROUND, PlaygroundRequest, PlaygroundResult
from engine.experiments.polish import POLISH, PolishRequest
from engine.experiments.prepare import PREPARE, PrepareRequest
from engine.experiments.ranking import RANKING, RankingRequest, RankingResult
from engine.experiments.replay import REPLAY, ReplayRequest
from engine.experiments.score_matrix import (
    SCORE_MATRIX,
    ScoreMatrixRequest,
    ScoreMatrixResult,
)
from engine.experiments.selection import SELECTION, SelectionRequest, SelectionResult
from engine.experiments.sensitivity import (
    SENSITIVITY,
    SensitivityRequest,
    SensitivityResult,
)
from engine.experiments.speed import (
    GRADIENTS,
    SCALING,
    SOLVERS,
    GradientsRequest,
    ScalingRequest,
    SolversRequest,
)
from engine.experiments.sweep import BATCH, SWEEP, SweepRequest

__all__ = [
    "EXPERIMENTS",
    "NO_DATA",
    "RESULT_VERSION",
    "AnyExperiment",
    "AttackRequest",
    "AttributionsRequest",
    "AttributionsResult",
    "AuditRequest",
    "AuditResult",
    "BaselineRequest",
    "CandidatesRequest",
    "CandidatesResult",
    "CertificatesRequest",
    "CertificatesResult",
    "CleaningRequest",
    "CleaningResult",
    "ConditioningRequest",
    "ConditioningResult",
    "Context",
    "Data",
    "DefenceRequest",
    "DeniableRequest",
    "DeniableResult",
    "Experiment",
    "ExplainRequest",
    "ExplainResult",
    "FairnessRequest",
    "GradientsRequest",
    "HalvesRequest",
    "ImpossibleRequest",
    "ImpossibleResult",
    "LdsRequest",
    "LdsResult",
    "LeaveOneOutRequest",
    "LeaveOneOutResult",
    "LessonRequest",
    "MinimalRadiusRequest",
    "MinimalRadiusResult",
    "PairsRequest",
    "PairsResult",
    "PaymentsRequest",
    "PaymentsResult",
    "PlaygroundRequest",
    "PlaygroundResult",
    "PolishRequest",
    "PrepareRequest",
    "RankingRequest",
    "RankingResult",
    "ReplayRequest",
    "Request",
    "ScalingRequest",
    "ScoreMatrixRequest",
    "ScoreMatrixResult",
    "SelectionRequest",
    "SelectionResult",
    "SensitivityRequest",
    "SensitivityResult",
    "SolversRequest",
    "Source",
    "SweepRequest",
    "experiment",
    "hash_of",
    "make_request",
    "open_data",
    "register",
    "source_of",
    "values_of",
]

EXPERIMENTS: dict[str, AnyExperiment] = {
    e.name: e
    for e in (
        *(ATTACK, REPLAY, PAIRS, RANKING, SWEEP, BATCH, BASELINE, FAIRNESS, IMPOSSIBLE, DEFENCE),
        POLISH,
        *(SENSITIVITY, LEAVE_ONE_OUT, EXPLAIN, AUDIT, ATTRIBUTIONS_OF, LESSON),
        MINIMAL_RADIUS,
        DENIABLE,
        CERTIFICATES,
        HALVES,
        *(PAYMENTS, CLEANING),
        *(LDS, SELECTION, SCORE_MATRIX),
        *(CONDITIONING, CANDIDATES, PLAYGROUND),
        *(GRADIENTS, SCALING, SOLVERS, PREPARE),
    )
}


def register(entry: AnyExperiment) -> None:
    """Add an experiment for as long as this process runs: its command line, store, library and
    links know it then. A job's worker is another process: it knows the list above alone.

    Raises InvalidInput for a name that is taken, or is not of lower-case letters and hyphens.
    """
    if not re.fullmatch(r"[a-z]+(-[a-z]+)*", entry.name):
        raise InvalidInput("experiment", entry.name, "lower-case letters, with hyphens between")
    if entry.name in EXPERIMENTS:
        raise InvalidInput("experiment", entry.name, "a name that no other experiment has")
    EXPERIMENTS[entry.name] = entry


def experiment(name: str) -> AnyExperiment:
    """Return the experiment of that name. Raises InvalidInput for others."""
    return EXPERIMENTS[check_choice("experiment", name, EXPERIMENTS)]


def make_request(name: str, values: Mapping[str, object]) -> Request:
    """Make the request of experiment `name` with these fields, as `Experiment.make`."""
    made: Request = experiment(name).make(values)
    return made
