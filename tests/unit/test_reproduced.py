"""The Python and the command that the pages give, both executed for every experiment whose result a
page shows: they give the numbers of the stored result.
"""

import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from engine.__main__ import main, parser
from engine.experiments import (
    EXPERIMENTS,
    AttackRequest,
    AttributionsRequest,
    AuditRequest,
    BaselineRequest,
    CandidatesRequest,
    CertificatesRequest,
    CleaningRequest,
    ConditioningRequest,
    DefenceRequest,
    DeniableRequest,
    ExplainRequest,
    FairnessRequest,
    GradientsRequest,
    HalvesRequest,
    ImpossibleRequest,
    LdsRequest,
    LeaveOneOutRequest,
    MinimalRadiusRequest,
    PairsRequest,
    PaymentsRequest,
    PlaygroundRequest,
    PolishRequest,
    RankingRequest,
    ReplayRequest,
    ScalingRequest,
    ScoreMatrixRequest,
    SelectionRequest,
    SensitivityRequest,
    SolversRequest,
    SweepRequest,
    make_request,
    open_data,
)
from engine.progress import ignore
from engine.results.compute import compute_and_keep
from engine.results.store import open_folder
from engine.settings import read_settings
from pages.attack.parts import impossible_words
from pages.common.words import reproduce
from pages.defend.parts import audit_words, other_scores_words
from pages.evidence.parts import view_of_result
from tests.support.shared import once

pytestmark = pytest.mark.long

QUICK: dict[str, Any] = {"steps": 15, "restarts": 1, "learning_rates": (0.1,)}
REQUESTS: Mapping[str, Any] = {
    "attack": AttackRequest(targets=(16,), k=3, **QUICK),
    "halves": HalvesRequest(draws=2),
    "replay": ReplayRequest(targets=(16,), k=3, **QUICK),
    "pairs": PairsRequest(targets=(16, 400), k=3, **QUICK),
    "sweep": SweepRequest(
        n_targets=2, radii=(0.3,), ks=(1, 10), steps=15, restarts=(1,), learning_rates=(0.1,)
    ),
    "baseline": BaselineRequest(targets=(16,), target_weights=(1, 1000), steps=60),
    "fairness": FairnessRequest(
        "loans", scales=(0.1, 1.0), resamples=50, target="repaid", positive="yes",
        sensitive="sex", privileged="m",
    ),
    "impossible": ImpossibleRequest(k=2, count=100, n_train=12, restarts=1, steps=10),
    "defence": DefenceRequest(
        n_targets=2, ks=(1,), radii=(0.3,), restarts=1, steps=10, scales=(0.5,),
        stealth=(0.0, 1.0), l2_values=(0.01,), repeats=1,
    ),
    "polish": PolishRequest(
        "tiny", n_targets=1, objectives=("higher_ranked",), steps=5, stealth=(1.0,),
        through_radii=(0.3,), through_steps=2, hiding_steps=2, other_l2=(0.02,), newton_steps=1,
        l2_values=(0.01,), repeats=1, n_held_back=2,
    ),
    "sensitivity": SensitivityRequest(probes=4, n_exact=2),
    "minimal-radius": MinimalRadiusRequest(
        "tiny", n_targets=1, start_radii=(0.8,), start_steps=10, hops=1, competitors=4,
        objectives=("higher_ranked",), other_restarts=1, **QUICK,
    ),
    "deniable": DeniableRequest(
        "tiny", means=("weights",), n_targets=1, n_near=1, near=10, fits=3, epsilons=(0.1,),
        draws=2, trainers=2, around=1, points=2,
    ),
    "certificates": CertificatesRequest(
        "tiny", ks=(1, 3), directions=20, n_targets=2, steps=10, n_pushed=5
    ),
    "leave-one-out": LeaveOneOutRequest(n_samples=6),
    "explain": ExplainRequest(image=43),
    "audit": AuditRequest("tiny", target=7, queries=30),
    "attributions": AttributionsRequest(
        target=7, retrained=2, n_honest=4, n_attacked=2, neighbours=3
    ),
    "gradients": GradientsRequest(n_parameters=60, repeats=1),
    "payments": PaymentsRequest(
        "tiny", count=3, k=5, learning_rates=(0.1,), steps=3, draws=2, bought=(2,), names=(2,),
        tried=(3,),
    ),
    "cleaning": CleaningRequest("tiny", draws=2, learning_rates=(0.1,), steps=3),
    "lds": LdsRequest("tiny", target=7, radius=0.5, subsets=12),
    "score-matrix": ScoreMatrixRequest(
        "tiny", n_targets=2, k=5, radius=0.8, steps=10, restarts=1
    ),
    "conditioning": ConditioningRequest("tiny", target=7, radius=0.5, dampings=(0.01, 0.25)),
    "candidates": CandidatesRequest("tiny", target=7, radius=0.5, n_checked=3),
    "playground": PlaygroundRequest(n=20, restarts=1, steps=10),
    "selection": SelectionRequest("tiny", target=7, radius=0.5, shares=(0.5, 0.9), draws=2),
}  # fmt: skip
MEASURED = (
    "seconds", "start_seconds", "seconds_min", "seconds_max", "preparation_seconds",
    "peak_mb", "preparation_mb", "prepared_mb", "memory_limit_mb",
)  # fmt: skip


@dataclass(frozen=True)
class Case:
    """A request, its stored result, and the folder that its data is in."""

    request: Any
    result: Any
    data_dir: Path


def cache(folder: Path) -> dict[str, str]:
    return {"IAL_CACHE_DIR": str(folder), "IAL_DEVICE": "cpu", "IAL_JOBS": "1"}


def write_loans(data_dir: Path) -> None:
    data_dir.mkdir(exist_ok=True)
    rng = np.random.default_rng(2)
    income, sex = rng.normal(size=120), rng.choice(["m", "f"], 120)
    repaid = np.where(income + (sex == "m") + rng.logistic(size=120) > 0.5, "yes", "no")
    table = pd.DataFrame({"income": income, "sex": sex, "repaid": repaid})
    table.to_csv(data_dir / "loans.csv", index=False)


def write_data(data_dir: Path) -> None:
    write_loans(data_dir)
    write_tiny(data_dir)


def write_tiny(data_dir: Path) -> None:
    """Few enough parameters for few queries of the audit."""
    rng = np.random.default_rng(5)
    y = np.arange(84) % 3
    X = rng.normal(size=(84, 4)) + 1.5 * np.eye(4)[y]
    np.savez(data_dir / "tiny.npz", X_train=X[:60], y_train=y[:60], X_test=X[60:], y_test=y[60:])


class Cases(dict[str, Case]):
    """Each experiment computed as the job runner does, and kept, once it is asked for."""

    def __init__(self, factory: pytest.TempPathFactory) -> None:
        super().__init__()
        self.factory = factory
        self.data_dir = once(factory, "reproduced-data", write_data)

    def __missing__(self, name: str) -> Case:
        request = REQUESTS[name]

        def compute(folder: Path) -> None:
            settings = replace(read_settings(cache(folder)), data_dir=self.data_dir)
            data = open_data(request, self.data_dir)
            compute_and_keep(name, request, data, settings, ignore)

        results = once(self.factory, f"reproduced-{name}", compute) / "results" / name
        (folder,) = results.iterdir()
        self[name] = Case(request, open_folder(folder).result, self.data_dir)
        return self[name]


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Cases:
    return Cases(tmp_path_factory)


def same(one: Any, other: Any, at: str = "result") -> None:
    """Equal up to the rounding of float32 solves, all the way down; time and memory aside."""
    if is_dataclass(one) and not isinstance(one, type):
        assert type(one) is type(other), at
        for item in fields(one):
            if item.name not in MEASURED:
                same(getattr(one, item.name), getattr(other, item.name), f"{at}.{item.name}")
    elif isinstance(one, pd.DataFrame):
        kept = [column for column in one.columns if column not in MEASURED]
        pd.testing.assert_frame_equal(one[kept], other[kept], rtol=1e-5, atol=1e-7, obj=at)
    elif isinstance(one, np.ndarray):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-7, err_msg=at)
    elif isinstance(one, Mapping):
        assert set(one) == set(other), at
        for name in one:
            same(one[name], other[name], f"{at}[{name}]")
    elif isinstance(one, Sequence) and not isinstance(one, str):
        assert len(one) == len(other), at
        for place, (a, b) in enumerate(zip(one, other, strict=True)):
            same(a, b, f"{at}[{place}]")
    elif isinstance(one, float):
        assert math.isclose(one, other, rel_tol=1e-5, abs_tol=1e-7) or (one != one != other), at
    else:
        assert one == other, at


def test_every_experiment_that_a_page_shows_is_tried() -> None:
    # `scaling` and `solvers` measure times and memory, for minutes: their commands are read below.
    # What a class has done cannot be done again.
    view_of = view_of_result.view_of
    shown = {
        name
        for name, experiment in EXPERIMENTS.items()
        if view_of.dispatch(experiment.request) is not view_of.dispatch(object)
    }
    assert set(REQUESTS) == shown - {"scaling", "solvers", "lesson"}


@pytest.mark.parametrize("name", REQUESTS)
def test_the_command_gives_the_stored_numbers(
    name: str,
    cases: Cases,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    case = cases[name]
    place = cache(tmp_path / "cache") | {"IAL_DATA_DIR": str(case.data_dir)}
    for variable, value in place.items():
        monkeypatch.setenv(variable, value)
    _, _, module, *arguments = shlex.split(reproduce.command_of(name, case.request))
    assert module == "engine"
    assert main([*arguments, "--fresh", "--out", str(tmp_path / "out")]) == 0
    outcome = open_folder(tmp_path / "out")
    assert make_request(name, outcome.manifest.request) == case.request
    same(case.result, outcome.result)
    said = EXPERIMENTS[name].describe(case.result)
    assert name == "gradients" or said in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "request_"),
    [
        ("scaling", ScalingRequest()),
        ("solvers", SolversRequest()),
        ("ranking", RankingRequest()),
    ],
)
def test_other_commands_ask_for_the_same(name: str, request_: Any) -> None:
    given = vars(parser().parse_args(shlex.split(reproduce.command_of(name, request_))[3:]))
    asked = {item.name: given[item.name] for item in fields(request_)}
    assert make_request(name, asked) == request_


def run(code: str) -> dict[str, Any]:
    """The names that a snippet leaves behind."""
    names: dict[str, Any] = {}
    exec(compile(code, "snippet", "exec"), names)
    return names


def test_python_of_an_attack(cases: Cases) -> None:
    case = cases["attack"]
    same(case.result, run(reproduce.snippet(case.request))["result"])


def test_python_of_a_sweep(cases: Cases) -> None:
    case = cases["sweep"]
    same(case.result, run(reproduce.sweep_snippet(case.request))["table"])


@pytest.mark.parametrize("name", ["baseline", "defence", "gradients"])
def test_python_of_what_is_no_function_of_the_engine(
    name: str, cases: Cases, capsys: pytest.CaptureFixture[str]
) -> None:
    case = cases[name]
    same(case.result, run(reproduce.experiment_snippet(name, case.request))["result"])
    assert capsys.readouterr().out


def test_python_of_a_scaling_attack(cases: Cases) -> None:
    case = cases["fairness"]
    table = run(reproduce.fairness_snippet(case.request, str(case.data_dir)))["table"]
    same(case.result.table[list(table.columns)], table)


def test_python_of_the_impossible(cases: Cases) -> None:
    case = cases["impossible"]
    theta = [[0.5, -0.5, 0.0], [-0.5, 0.5, 0.0]]
    names = run(impossible_words.snippet(case.request, theta))
    same(case.result.random, names["found"])
    same(case.result.attack, names["result"])


def test_python_of_gradient_norms(cases: Cases) -> None:
    case = cases["sensitivity"]
    found = run(reproduce.sensitivity_snippet(case.request))["found"]
    same(case.result.norms, found.norms)
    same(case.result.standard_errors, found.standard_errors)


def test_python_of_retraining(cases: Cases, capsys: pytest.CaptureFixture[str]) -> None:
    case = cases["leave-one-out"]
    names = run(reproduce.leave_one_out_snippet(case.request))
    table = case.result.table.set_index("sample").loc[names["samples"]]
    same(table["change"].to_numpy(), names["retrained"].changes)
    agreement = spearmanr(table["estimate"], table["change"]).statistic
    assert float(capsys.readouterr().out) == pytest.approx(agreement)


def test_python_of_one_test_sample(cases: Cases) -> None:
    case = cases["explain"]
    names = run(reproduce.explain_snippet(case.request))
    same(case.result.ranking.scores, names["scores"])


def test_python_of_an_audit(cases: Cases, capsys: pytest.CaptureFixture[str]) -> None:
    case = cases["audit"]
    run(audit_words.snippet(case.request, str(case.data_dir)))
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [int(rank) for rank, _, _ in lines] == case.result.gradient_ranks.tolist()
    largest = case.result.residuals.max(axis=1)
    np.testing.assert_allclose([float(r) for _, r, _ in lines], largest, rtol=1e-4, atol=1e-9)


def test_python_of_other_scores(cases: Cases, capsys: pytest.CaptureFixture[str]) -> None:
    case = cases["attributions"]
    run(other_scores_words.snippet(case.request))
    for line in capsys.readouterr().out.splitlines():
        name, before, after = line.split()
        t = case.request.target
        assert int(before) == case.result.before[name].ranks[t]
        assert int(after) == case.result.after[name].ranks[t]
