"""Measured costs as figures, words and stored results; the numbers here are made up."""

import numpy as np
import pandas as pd
import pytest

from engine.experiments import EXPERIMENTS, GradientsRequest, ScalingRequest, make_request
from engine.speed.result import AXES, SOLVERS
from pages.evidence.parts import speed_figures
from tests.support.speed import comparison, scaling, solvers


def test_costs_are_drawn_for_every_size_and_implementation() -> None:
    figure = speed_figures.gradient_costs(
        speed_figures.measured([comparison(5130), comparison(75_813)])
    )
    ours = [t for t in figure.data if t.name == "this lab's formula"]
    assert [t.y.tolist() for t in ours] == [[0.1, 0.1], [20.0, 20.0]]
    assert list(ours[0].text) == ["100 ms", "100 ms"]
    naive = next(t for t in figure.data if t.name == "automatic differentiation")
    assert naive.x.tolist() == [5130, 75_813]


def test_what_did_not_fit_is_left_out_of_the_lines() -> None:
    figure = speed_figures.gradient_costs(
        speed_figures.measured([comparison(5130), comparison(75_813, "out of memory")])
    )
    naive = next(t for t in figure.data if t.name == "automatic differentiation")
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
        (speed_figures.measured_time, 0.0123, "12.3 ms"),
        (speed_figures.measured_time, 36.0, "36 s"),
        (speed_figures.megabytes, 62.4, "62.4 MB"),
        (speed_figures.megabytes, 1234.0, "1.23 GB"),
    ],
)
def test_numbers_in_words(words, value, said) -> None:
    assert words(value) == said


@pytest.mark.parametrize(
    ("name", "result"),
    [("gradients", comparison()), ("scaling", scaling()), ("solvers", solvers())],
)
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


def test_the_bars_are_the_measurements_and_say_what_did_not_fit():
    figure = speed_figures.cost_bars(comparison(75_813).table)
    time, memory = figure.data
    assert list(time.x) == pytest.approx([10.0, 1.0, 0.1])
    assert list(memory.text) == ["2,000 MB", "200 MB", "20 MB"]
    spoilt = speed_figures.cost_bars(comparison(75_813, "out of memory").table)
    assert [bar.text[0] for bar in spoilt.data] == ["did not fit", "did not fit"]
    assert [bar.x[0] for bar in spoilt.data] == [0.0, 0.0]


def test_every_solver_is_drawn_along_every_size():
    found = solvers()
    figure = speed_figures.solver_growth(found)
    assert len(figure.data) == 3 * len(SOLVERS)
    ours = [trace for trace in figure.data if trace.name == "ours"]
    assert [list(trace.y) for trace in ours] == [pytest.approx([0.1, 0.2, 0.4, 0.8])] * 3
    assert [trace.showlegend for trace in ours] == [True, False, False]


def test_a_solver_that_is_not_run_at_the_large_sizes_has_no_number_there():
    table = speed_figures.solver_table(solvers()).set_index("solver")
    ours = table.loc[SOLVERS["closed_form"], ["time", "once per data set", "memory", "error"]]
    assert list(ours) == ["10\xa0ms", "100\xa0ms", "5\xa0MB", "0.01%"]
    assert set(table.loc[SOLVERS["explicit"], ["time", "memory", "error"]]) == {"–"}
    assert (table["grows with features"] == "1.00").all()
