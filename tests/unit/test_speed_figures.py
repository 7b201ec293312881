"""Measured costs as figures, words and stored results; the numbers here are made up."""

import numpy as np
import pandas as pd
import pytest

from engine.experiments import EXPERIMENTS, GradientsRequest, ScalingRequest, make_request
from engine.speed.result import (
    AXES,
    IMPLEMENTATIONS,
    GradientComparison,
    Scaling,
    growth_exponents,
)
from pages.evidence.parts import speed_figures


def comparison(n_parameters: int = 5130, naive: str = "ok") -> GradientComparison:
    """Ours takes 0.1 s and 20 MB; each step towards the naive form ten times that."""
    cost = np.array([100.0, 10.0, 1.0])
    table = pd.DataFrame(
        {
            "implementation": list(IMPLEMENTATIONS),
            "status": [naive, "ok", "ok"],
            "seconds": 0.1 * cost,
            "seconds_min": 0.09 * cost,
            "seconds_max": 0.2 * cost,
            "peak_mb": 20.0 * cost,
            "preparation_seconds": 1.0,
            "preparation_mb": 5.0,
            "prepared_mb": 4.0,
            "iterations": 12.0,
            "relative_difference": 1e-4,
            "cosine": 0.999999,
        }
    )
    if naive != "ok":
        table.loc[0, "seconds":] = np.nan
    return GradientComparison(
        n_parameters=n_parameters,
        n_train=5000,
        n_test=1000,
        n_features=512,
        n_classes=10,
        damping=0.25,
        tolerance=1e-3,
        dtype="float32",
        seed=0,
        repeats=5,
        device="cpu",
        memory_limit_mb=12_000.0,
        memory_by="resident set, VmHWM",
        reference_difference=1e-9,
        table=table,
    )


def scaling(slope: float = 1.0) -> Scaling:
    """Four sizes an axis; time grows as size**slope, memory as its root."""
    rows = [
        {
            "axis": axis,
            "value": value,
            **{"n": 100, "m": 50, "d": 10, "classes": 3, "batch": 10},
            **dict.fromkeys(("seconds", "seconds_min", "seconds_max"), 0.01 * value**slope),
            "peak_mb": 2.0 * value**0.5,
        }
        for axis in AXES
        for value in (10, 20, 40, 80)
    ]
    table = pd.DataFrame(rows)
    base = {"n": 100, "d": 10, "classes": 3, "batch": 10}
    return Scaling(base, 6, 0, 5, "cpu", "VmHWM", table, growth_exponents(table))


def test_costs_are_drawn_for_every_size_and_implementation() -> None:
    figure = speed_figures.gradient_costs([comparison(5130), comparison(75_813)])
    ours = [t for t in figure.data if t.name == "ours, closed form"]
    assert [t.y.tolist() for t in ours] == [[0.1, 0.1], [20.0, 20.0]]
    assert list(ours[0].text) == ["100 ms", "100 ms"]
    naive = next(t for t in figure.data if t.name == "naive autograd")
    assert naive.x.tolist() == [5130, 75_813]


def test_what_did_not_fit_is_left_out_of_the_lines() -> None:
    figure = speed_figures.gradient_costs([comparison(5130), comparison(75_813, "out of memory")])
    naive = next(t for t in figure.data if t.name == "naive autograd")
    assert naive.x.tolist() == [5130]


def test_growth_is_relative_to_the_smallest_fitted_size() -> None:
    figure = speed_figures.growth(scaling())
    times = [t for t in figure.data if t.name == "time"]
    assert len(times) == len(AXES)
    for trace in times:
        np.testing.assert_allclose(trace.y, [0.25, 0.5, 1, 2])  # fitted from 40
    memory = next(t for t in figure.data if t.name == "memory")
    np.testing.assert_allclose(memory.y, np.sqrt([0.25, 0.5, 1, 2]))


def test_exponents_are_read_from_the_fit() -> None:
    table = speed_figures.exponents(scaling(0.9))
    assert table["size"].tolist() == list(AXES.values())
    assert all(text.startswith("0.90 ±") for text in table["time"])
    assert all(text.startswith("0.50 ±") for text in table["memory"])


@pytest.mark.parametrize(
    ("words", "value", "said"),
    [
        (speed_figures.duration, 0.0123, "12.3 ms"),
        (speed_figures.duration, 36.0, "36 s"),
        (speed_figures.megabytes, 62.4, "62.4 MB"),
        (speed_figures.megabytes, 1234.0, "1.23 GB"),
    ],
)
def test_numbers_in_words(words, value, said) -> None:
    assert words(value) == said


@pytest.mark.parametrize(("name", "result"), [("gradients", comparison()), ("scaling", scaling())])
def test_a_measurement_is_kept_and_opened_again(name, result, tmp_path) -> None:
    experiment = EXPERIMENTS[name]
    experiment.save(result, tmp_path)
    again = experiment.load(tmp_path)
    pd.testing.assert_frame_equal(again.table, result.table)
    for field in result.__dataclass_fields__:
        if not isinstance(getattr(result, field), pd.DataFrame):
            assert getattr(again, field) == getattr(result, field)
    assert experiment.describe(again)


def test_requests_are_checked() -> None:
    assert make_request("gradients", {"tolerance": 1}) == GradientsRequest(tolerance=1.0)
    assert make_request("scaling", {}) == ScalingRequest()
    with pytest.raises(ValueError, match="repeats must be a whole number >= 1"):
        GradientsRequest(repeats=0)
    with pytest.raises(ValueError, match="iterations must be"):
        ScalingRequest(iterations=0)
