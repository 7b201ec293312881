"""The check for a minimum as an experiment, and its figures on made-up models."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from engine.attacks import attack as attack_module
from engine.errors import InvalidInput
from engine.experiments import EXPERIMENTS, Context, DefenceRequest
from engine.experiments import defence as experiment
from engine.experiments.base import values_of
from engine.statistics import detection
from pages.defend.parts import defence_figures as figures
from pages.defend.parts import defence_rates as rates
from tests.support.models import model
from tests.support.problems import random_problem


@pytest.fixture
def table() -> pd.DataFrame:
    """Honest up to 0.01; attacks at 0.1; who knows the check gets by for target 1 alone."""
    return pd.DataFrame(
        [
            *(model("honest", norm, trained="lbfgs, 20 steps, l2 0.01") for norm in (0.0, 1e-4)),
            *(model("honest", norm, trained="sgd, 200 steps, l2 0.01") for norm in (1e-3, 1e-2)),
            *(model("attacked", 0.1, radius=0.3, k=1, target=t, success=t == 1) for t in (1, 2)),
            *(
                model("adaptive", norm, radius=0.3, stealth=w, target=t, success=s)
                for w, t, norm, s in (
                    (0.0, 1, 0.1, True),
                    (0.0, 2, 0.1, True),
                    (1.0, 1, 2e-3, True),
                    (1.0, 2, 2e-3, False),
                )
            ),
            model("scaled", 0.2, scale=0.5),
        ]
    )


def test_every_model_is_drawn_once(table):
    figure = figures.distributions(table, 5e-3)
    drawn = np.concatenate([np.asarray(t.x) for t in figure.data if t.mode == "markers"])
    expected = np.maximum(table["gradient_norm"], figures.SMALLEST)
    np.testing.assert_allclose(np.sort(drawn), np.sort(expected))
    names = {trace.name for trace in figure.data}
    assert "malicious, top not reached" in names
    assert list(figure.layout.yaxis.ticktext) == [
        "honest, L-BFGS",
        "honest, SGD",
        "into the top 1, radius 0.3",
        "knows the check, weight 0",
        "knows the check, weight 1",
        "scaled",
    ]


def test_what_the_attacker_keeps(table):
    kept = rates.kept(table, 5e-3).set_index("weight")
    assert kept["reached"].tolist() == [2, 1]
    assert kept["unflagged"].tolist() == [0, 1]
    assert kept["low"][1.0] < 0.5 < kept["high"][1.0]


def test_success_by_threshold_takes_the_best_weight_of_each_target(table):
    thresholds = np.array([1e-3, 5e-3, 0.5])
    figure = figures.stealth_curve(table, thresholds.tolist(), 5e-3)
    by_name = {trace.name: np.asarray(trace.y) for trace in figure.data if trace.mode == "lines"}
    np.testing.assert_allclose(by_name["knows the check, tries every weight"], [0, 0.5, 1])
    np.testing.assert_allclose(by_name["does not know the check (weight 0)"], [0, 0, 1])
    np.testing.assert_allclose(by_name["honest models flagged"], [0.5, 0.25, 0])


def test_the_curve_of_the_detector(table):
    honest = table.loc[table["kind"] == "honest", "gradient_norm"]
    curve = detection(honest, [0.1, 1e-3])
    drawn = figures.roc(rates.curves_table({"attacked": curve}), 0.05).data[0]
    np.testing.assert_array_equal(drawn.x, curve.false_alarms)
    np.testing.assert_array_equal(drawn.y, curve.found)


def gentler(table: pd.DataFrame) -> pd.DataFrame:
    """Another objective's models: target 2 passes the check, and a third target is nobody else's;
    who knows the check gets by for target 2 alone."""
    own = [
        *(
            model("attacked", norm, radius=radius, k=1, target=t, success=True)
            for t, norm in ((1, 0.1), (2, 1e-3), (3, 1e-3))
            for radius in (0.3, 0.7)
        ),
        *(
            model("adaptive", norm, radius=0.3, stealth=weight, target=t, success=True)
            for weight, t, norm in ((1.0, 1, 0.1), (1.0, 2, 1e-3), (5.0, 1, 1e-3), (1.0, 3, 1e-3))
        ),
    ]
    return pd.DataFrame(own)


def test_objectives_are_compared_on_what_all_of_them_have(table):
    results = {"higher_ranked": table, "accurate": gentler(table)}
    rows = rates.by_objective(results, 5e-3)
    assert rows["objective"].tolist() == ["higher_ranked", "accurate"]
    assert set(rows["radius"]) == {0.3}, "0.7 is of one alone"
    assert rows["attacks"].tolist() == [2, 2], "target 3 is of one alone"
    assert rows["reached"].tolist() == [1, 2]
    assert rows["flagged"].tolist() == [2, 1]
    assert rows["passed"].tolist() == [0, 1]
    # against honest norms 0, 1e-4, 1e-3, 1e-2: 0.1 is above all, 1e-3 above two and level with one
    np.testing.assert_allclose(rows["auc"], [1.0, (1 + 2.5 / 4) / 2])
    assert (rows["low"] < rows["rate"]).all() and (rows["rate"] <= rows["high"]).all()
    assert rows["p"].tolist() == [1.0, 1.0], "one target tells them apart"
    assert rates.passing(results, 5e-3) == {"higher_ranked": (1, 2), "accurate": (1, 2)}
    assert rates.passing(results, 5e-4) == {"higher_ranked": (0, 2), "accurate": (0, 2)}
    drawn = figures.caught(rows)
    assert [(t.name, t.y.tolist()) for t in drawn.data] == [
        ("Algorithm 3", [1.0]),
        ("keep accuracy", [0.5]),
    ]
    assert rates.by_objective({"higher_ranked": table}, 5e-3).empty


def test_a_request_keeps_its_key_and_passes_its_objective_on(monkeypatch):
    assert "objective" not in values_of(DefenceRequest())
    assert "learning_rates" not in values_of(DefenceRequest())
    seen = []

    def spy(*args: Any, **options: Any) -> Any:
        seen.append((args[4].objective, args[4].learning_rates))
        return []

    monkeypatch.setattr(attack_module, "attack_each_k", spy)
    monkeypatch.setattr(experiment, "honest_models", lambda request, dataset: [])
    dataset, _ = random_problem(0, n=60)
    request = DefenceRequest(
        "random", n_targets=2, ks=(3,), l2=0.05, objective="accurate", learning_rates=(0.1,)
    )
    experiment.run_defence(request, dataset, Context(device="cpu"))
    assert set(seen) == {("accurate", (0.1,))}


def test_the_experiment_end_to_end(tmp_path):
    """On a small problem: every model is checked against its own loss, and the table is kept."""
    dataset, _ = random_problem(0, n=60)
    request = DefenceRequest(
        "random",
        n_targets=2,
        ks=(3, 9),
        radii=(0.5,),
        restarts=1,
        steps=5,
        scales=(0.5, 1.0),
        stealth=(0.0, 1.0),
        l2_values=(0.05,),
        repeats=2,
        l2=0.05,
    )
    entry = EXPERIMENTS["defence"]
    table = entry.run(request, dataset, Context(device="cpu"))
    assert table["kind"].value_counts().to_dict() == {
        "honest": 21,  # 7 stops of L-BFGS, 6 of Adam, 4 of SGD with two seeds
        "adaptive": 4,
        "attacked": 4,
        "scaled": 2,
    }
    norms = table.set_index("trained")["gradient_norm"]
    assert norms["lbfgs, 2000 steps, l2 0.05"] < 1e-6 < norms["adam, 100 steps, l2 0.05"]
    scaled = table[table["kind"] == "scaled"].set_index("scale")["gradient_norm"]
    assert scaled[1.0] < 1e-6 < scaled[0.5]
    attacked = table[table["kind"] == "attacked"]
    assert (attacked["success"] == (attacked["rank_after"] <= attacked["k"])).all()
    entry.save(table, tmp_path)
    pd.testing.assert_frame_equal(entry.load(tmp_path), table)
    assert "21 honest models" in entry.describe(table)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"radii": ()}, "radii must be a sequence"),
        ({"stealth": (-1.0,)}, "stealth must be"),
        ({"scales": (0.0,)}, "scales must be"),
        ({"repeats": 0}, "repeats must be"),
        ({"dataset": ""}, "dataset must be"),
        ({"objective": "loud"}, "objective must be"),
        ({"learning_rates": ()}, "learning_rates must be"),
    ],
)
def test_bad_input_is_named(options, words):
    with pytest.raises(InvalidInput, match=words):
        DefenceRequest(**options)
