"""Is it a minimum: measured or not, the page says what there is, and its threshold can be moved."""

import numpy as np
import pandas as pd
import pytest

from engine.experiments import DefenceRequest
from pages.common.lab import registry
from tests.support.models import model
from tests.support.pages import Open, Publish, have_found, tables, unfold, words
from tests.support.stores import published

PAGE = registry.page("minimum")


def made() -> pd.DataFrame:
    """Twenty honest models, four attacks that are flagged, and one attacker who gets by."""
    honest = [model("honest", n, trained="sgd, 200 steps") for n in np.geomspace(1e-5, 1e-2, 20)]
    attacked = [model("attacked", 0.1, radius=0.3, k=1, target=t, success=True) for t in range(4)]
    adaptive = [
        model("adaptive", norm, radius=0.3, stealth=weight, target=t, success=True)
        for t, weight, norm in ((0, 0.0, 0.1), (1, 0.0, 0.1), (0, 3.0, 1e-4), (1, 3.0, 0.05))
    ]
    return pd.DataFrame([*honest, *attacked, *adaptive, model("scaled", 0.3, scale=0.5)])


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> None:
    have_found(
        monkeypatch, lambda experiment, request: published("defence", made(), dataset="digits")
    )


def test_the_finding(open_page: Open, measured: None) -> None:
    app = open_page(PAGE)
    said = words(app)
    assert not app.exception
    assert "the check flags 4 of 4 malicious models.**" in said
    assert "**Yes: with the limit at" in said
    assert "knows the check is flagged with 1 of 2 samples. False alarms: " in said
    assert "Precomputed 24 November 2026" in said
    assert not app.get("plotly_chart")  # the figure is one of the browser's
    said = words(unfold(app))
    assert "Every malicious model has a larger gradient than every honest one" in said
    assert not app.exception
    assert "With weight 3 alone 1 of 2 targets reach the top unflagged" in said
    assert "All 4 malicious models that reached the top against 20 honest ones: AUC 1.000" in said
    assert len(app.get("plotly_chart")) == 5


def test_honest_models_that_look_attacked_are_counted(
    open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of twenty honest models two have a gradient as large as the smallest of an attack."""
    table = made()
    norms = np.sort(table.loc[table["kind"] == "honest", "gradient_norm"])
    table.loc[table["kind"] == "attacked", "gradient_norm"] = norms[-2]
    have_found(
        monkeypatch, lambda experiment, request: published("defence", table, dataset="digits")
    )
    said = words(unfold(open_page(PAGE)))
    assert "10% of the honest models have a gradient as large as some malicious model's" in said


def test_the_objectives_that_keep_something_stand_beside_the_paper_s(
    open_page: Open, measured: None, publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    gentle = made()
    gentle.loc[(gentle["kind"] == "attacked") & (gentle["target"] == 0), "gradient_norm"] = 1e-4
    asked = DefenceRequest(objective="accurate", restarts=4, learning_rates=(0.1,))
    publish(("kept defence", "defence", asked))
    results: dict[object, pd.DataFrame] = {DefenceRequest(): made(), asked: gentle}
    have_found(
        monkeypatch,
        lambda experiment, request: published("defence", results[request], dataset="digits"),
    )
    app = unfold(open_page(PAGE))
    assert not app.exception
    said = words(app)
    assert "The check flags 3 of 4 attacks by “keep accuracy”, the fewest at radius 0.3" in said
    assert "4 runs of at most 100 steps for Algorithm 3 and 4 runs" in said
    read = tables(app)[2]
    assert read["attack"].tolist() == ["Algorithm 3, 0.3", "keep accuracy, 0.3"]
    assert read["knows the check and passes"].tolist() == ["1 of 2", "1 of 2"]


def test_without_them_the_page_is_about_the_paper_s_alone(
    open_page: Open, measured: None, publish: Publish
) -> None:
    publish()
    app = unfold(open_page(PAGE))
    assert not app.exception
    assert len(app.get("plotly_chart")) == 4


def test_a_threshold_in_a_link(open_page: Open, measured: None) -> None:
    low = open_page(PAGE, threshold="-7")
    honest = int((made()["kind"] == "honest").sum())
    assert f"False alarms: {honest} of {honest} honest models." in words(low)
    bad = open_page(PAGE, threshold="high")
    assert not bad.exception
    assert any("threshold" in warning.value for warning in bad.warning)


def test_nothing_measured_yet(open_page: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    have_found(monkeypatch, lambda experiment, request: None)
    app = open_page(PAGE)
    assert not app.exception
    assert "This is not computed for" in words(app)
    assert DefenceRequest().dataset == "digits"
