"""Plain values as people type them, at every parameter of every public function, class and method:
taken, or refused by an error of the engine's own."""

import inspect
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import engine
from engine.errors import EngineError
from engine.fairness.options import FairnessOptions
from engine.fairness.scaling import Pipeline, analyse
from tests.support.public_calls import (
    DATASET,
    ENORMOUS,
    LOANS,
    MEASURING,
    MODEL,
    QUICK,
    RESULTS,
    SCORES,
    SMALL,
    VALUES,
    VENDORS,
    WORK,
    call,
    parameters,
)

PLACES = [(name, parameter) for name in QUICK for parameter in parameters(name)]


def values_at(parameter: str) -> list[Any]:
    return VALUES if parameter in WORK else VALUES + ENORMOUS


def test_every_public_name_is_tried() -> None:
    called = {name for name in dir(engine) if callable(getattr(engine, name))}
    assert called == set(SMALL) | RESULTS
    assert not set(SMALL) & RESULTS


@pytest.mark.parametrize("name", QUICK)
def test_the_least_arguments_are_enough(name: str) -> None:
    assert call(name, {}) is not None


@settings(max_examples=250)
@given(st.data())
@pytest.mark.filterwarnings("ignore")
def test_whatever_plain_value_is_given_only_the_engines_own_errors_come(
    data: st.DataObject,
) -> None:
    name, parameter = data.draw(st.sampled_from(PLACES))
    value = data.draw(st.sampled_from(values_at(parameter)))
    with suppress(EngineError):  # anything else fails the test
        call(name, {parameter: value})


@pytest.mark.parametrize("name", MEASURING)
def test_what_is_measured_in_processes_is_refused_before_they_start(name: str) -> None:
    for parameter in parameters(name):
        for value in ("x", -1, float("nan"), 1e39, 1j, object()):
            with pytest.raises(EngineError, match=parameter):
                call(name, {parameter: value})


def results() -> dict[str, object]:
    """One object of each public class that has methods with arguments."""
    attacked = call("attack", {})
    reweighed = call("loss_reweighing", {})
    assert isinstance(attacked, engine.AttackResult)
    steps = np.array([0])
    ranks = attacked.after.ranks[None].astype(np.uint8)
    replay = engine.Replay(steps, ranks, np.zeros(1), np.zeros(1))
    return {
        "AttackResult": attacked,
        "Certificate": call("certify", {}),
        "Dataset": DATASET,
        "FairnessDataset": LOANS,
        "FairnessResult": analyse(Pipeline(LOANS, FairnessOptions(scales=(1.0,), search=False))),
        "LinearModel": MODEL,
        "Network": call("fit_network", {}),
        "Ranking": attacked.after,
        "Replay": replay,
        "Retrained": call("retrain_on", {}),
        "ReweighingResult": reweighed,
        "Spectrum": call("spectrum", {}),
        "Vendors": VENDORS,
    }


MADE = results()
X, y, THETA = DATASET.X_test, DATASET.y_test, MODEL.parameters
# What each method is called with.
METHODS: dict[str, Mapping[str, Any]] = {
    "AttackResult.kept": {"k": 3},
    "Certificate.share": {"gradient_norm": 1e-6},
    "Dataset.split": {"name": "test"},
    "FairnessDataset.split": {"name": "test"},
    "FairnessResult.place": {"scale": 1.0},
    "FairnessResult.row": {"scale": 1.0},
    "LinearModel.accuracy": {"X": X, "y": y},
    "LinearModel.check_fits": {"dataset": DATASET},
    "LinearModel.from_parameters": {"parameters": THETA, "l2": 0.01},
    "LinearModel.logits": {"X": X},
    "LinearModel.predict": {"X": X},
    "LinearModel.probabilities": {"X": X},
    "LinearModel.with_parameters": {"parameters": THETA},
    "Network.accuracy": {"X": X, "y": y},
    "Network.check_fits": {"dataset": DATASET},
    "Network.logits": {"X": X},
    "Network.predict": {"X": X},
    "Network.probabilities": {"X": X},
    "Network.with_parameters": {"parameters": getattr(MADE["Network"], "parameters", None)},
    "Ranking.top": {"k": 3},
    "Replay.ends_in": {"result": MADE["AttackResult"]},
    "Retrained.mean_losses": {"split": "test"},
    "ReweighingResult.success": {"k": 3, "tolerance": 0.1},
    "Spectrum.below": {"damping": 0.25},
    "Spectrum.condition": {"damping": 0.25},
    "Spectrum.effective_dimension": {"damping": 0.25},
    "Spectrum.scores": {"damping": 0.25},
    "Spectrum.slopes": {"damping": 0.25},
    "Vendors.samples": {"vendor": 0},
    "Vendors.split": {"vendor": 0, "parts": [VENDORS.samples(0)[:1]]},
    "Vendors.totals": {"values": SCORES},
    "Vendors.with_samples": {"vendor": 0, "count": 1},
}
# Arrays of wrong shapes and kinds, which most methods take.
ARRAYS: list[Any] = [
    X, X[0], X[:, :1], X[:0], X.astype(complex), X * np.nan, pd.DataFrame(X), X.tolist(), [["a"]],
    pd.DataFrame(X).convert_dtypes(), X[::-1, ::-1], X.astype(">f8"), y, y[:, None], THETA, SCORES,
]  # fmt: skip


def takes_arguments(method: Any) -> bool:
    if not callable(method):
        return False
    return len(inspect.signature(method).parameters) > (0 if inspect.ismethod(method) else 1)


def test_every_public_method_is_tried() -> None:
    found = {
        f"{name}.{method}"
        for name in {*SMALL, *RESULTS}
        if inspect.isclass(kind := getattr(engine, name)) and not issubclass(kind, Exception)
        for method in vars(kind) | vars(kind.__mro__[1])
        if method[0] != "_"
        and method != "loss"  # a field, whose default is a function
        and takes_arguments(getattr(kind, method))
    }
    assert found == set(METHODS)


@pytest.mark.parametrize("name", list(METHODS))
@pytest.mark.filterwarnings("ignore")
def test_whatever_a_method_is_given_only_the_engines_own_errors_come(name: str) -> None:
    kind, _, method = name.partition(".")
    asked, called = METHODS[name], getattr(MADE[kind], method)
    called(**asked)
    for parameter in asked:
        for value in (*VALUES, *ENORMOUS, *ARRAYS):
            with suppress(EngineError):  # anything else fails the test
                called(**{**asked, parameter: value})
