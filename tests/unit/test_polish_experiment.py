"""The experiment `polish` on a small problem, end to end."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from engine.attacks.minimal import minimal_radius
from engine.attacks.options import MinimalOptions
from engine.attacks.sweep import draw_targets
from engine.errors import InvalidInput
from engine.experiments import EXPERIMENTS, Context, PolishRequest
from engine.experiments import polish as experiment
from engine.experiments.base import honest_model, values_of
from engine.vocabulary import SEARCH_TOLERANCE
from tests.support.problems import random_problem

SMALL = PolishRequest(
    "random",
    n_targets=2,
    k=10,
    radius=0.9,
    objectives=("higher_ranked", "accurate"),
    restarts=1,
    learning_rates=(0.1,),
    steps=15,
    stealth=(1.0,),
    through_radii=(0.9,),
    through_steps=6,
    hiding_steps=5,
    other_l2=(0.02, 0.2),
    newton_steps=3,
    l2_values=(0.05,),
    repeats=1,
    n_held_back=3,
    l2=0.05,
    seed=24,
)


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    dataset, _ = random_problem(0, n=60, d=4)
    found: pd.DataFrame = EXPERIMENTS["polish"].run(SMALL, dataset, Context(device="cpu"))
    return found


def test_every_kind_is_there(table):
    counts = table["kind"].value_counts()
    assert counts["honest"] == 17 and counts["held back"] == 3
    for kind in ("higher_ranked", "accurate", "stealth", "through", "other l2"):
        assert counts[kind] == 2, kind
    arrived = int(table.loc[table["kind"] == "higher_ranked", "success"].sum())
    assert arrived == 2
    assert counts["hides norm"] == counts["hides decrement"] == counts["declares"] == arrived


def test_success_is_the_target_in_the_top_k(table):
    aimed = ~table["kind"].isin(experiment.HONEST)
    assert (table["success"] == (aimed & (table["rank_0"] <= 10))).all()
    honest = table[~aimed]
    assert (honest["rank_0"] == 1).all()
    assert (honest["first_after_one"] == honest["rank_1"]).all()


def test_polishing_leads_linear_models_to_one_minimum(table):
    same = table[table["declared_l2"] == 0.05]
    assert (same["decrement_2"] < same["decrement_0"] + 1e-9).all()
    assert (same["rose"] == 0).all() and (same["shifted"] == 0).all()
    assert (same["solves"] == 3).all()
    assert same.loc[same["shortened"] == 0, "correlation_3"].min() > 0.99


def test_hiding_starts_from_what_arrived_and_looks_better(table):
    plain = table[(table["kind"] == "higher_ranked") & table["success"]].set_index("target")
    norm = table[table["kind"] == "hides norm"].set_index("target").loc[plain.index]
    assert (norm["gradient_norm"] <= plain["gradient_norm"] * (1 + 1e-6)).all()
    assert norm["success"].all()
    lies = table[table["kind"] == "declares"].set_index("target").loc[plain.index]
    assert (lies["decrement_0"] <= plain["decrement_0"] * (1 + 1e-9)).all()
    assert set(lies["declared_l2"]) <= {0.02, 0.05, 0.2}


def test_it_is_kept_and_described(table, tmp_path):
    entry = EXPERIMENTS["polish"]
    entry.save(table, tmp_path)
    pd.testing.assert_frame_equal(entry.load(tmp_path), table)
    said = entry.describe(table)
    assert "20 honest models" in said and "higher_ranked: " in said


def test_what_is_reported_is_not_what_was_tuned_on():
    assert PolishRequest().seed == experiment.REPORT_SEED != experiment.TUNING_SEED


def test_the_search_hands_in_its_model_at_its_own_radius():
    """Within the radius of the other attacks; a shorter one leaves the honest model."""
    dataset, _ = random_problem(0, n=60, d=4)
    brief = replace(
        SMALL, objectives=("higher_ranked",), through_steps=1, hiding_steps=1, minimal=True
    )
    entry, context = EXPERIMENTS["polish"], Context(device="cpu")
    rows = entry.run(brief, dataset, context).query("kind == 'minimal'")
    targets = rows["target"].tolist()
    assert len(targets) == 2 and rows["success"].all()
    trained = honest_model(dataset, brief.l2, context)
    options = MinimalOptions(k=10, seed=24, tolerance=SEARCH_TOLERANCE)
    found = minimal_radius(trained, dataset, targets, options, device="cpu")
    np.testing.assert_allclose(rows["radius"], found.radius, rtol=1e-6)
    assert rows["rank_0"].tolist() == found.rank_after.tolist()
    assert (rows["radius"] <= 0.9).all() and (rows["gradient_norm"] > 1e-3).all()
    np.testing.assert_allclose(rows["accuracy_drop_0"], found.lost_holdout, atol=1e-9)
    short = float(rows["radius"].min()) / 2
    none = entry.run(replace(brief, radius=short), dataset, context).query("kind == 'minimal'")
    assert not none["success"].any() and none["radius"].tolist() == [short, short]
    assert (none["gradient_norm"] < 1e-5).all()
    with pytest.raises(InvalidInput, match="minimal must be False for the model 'mlp'"):
        replace(SMALL, minimal=True, model="mlp")


def test_fresh_targets_were_never_tuned_on():
    """They are the others of the same draw, in its order."""
    dataset, _ = random_problem(0, n=300, d=4)
    context = Context(device="cpu")
    model = honest_model(dataset, SMALL.l2, context)
    asked = replace(SMALL, n_targets=150, untuned=True)
    found = experiment.targets_of(asked, model, dataset, context)
    outside = experiment.samples_outside(asked, model, dataset, asked.k, context)
    tuned = {
        t
        for seed in experiment.TUNED_SEEDS
        for (t,) in draw_targets(outside, experiment.TUNED_TARGETS, 1, seed)
    }
    plain = experiment.targets_of(
        replace(asked, untuned=False, n_targets=260), model, dataset, context
    )
    assert len(found) == 150 and not tuned & set(found)
    assert found == [t for t in plain if t not in tuned][:150] != plain[:150]
    with pytest.raises(InvalidInput, match="n_targets must be at most"):
        experiment.targets_of(replace(asked, n_targets=260), model, dataset, context)


def test_what_was_asked_before_keeps_its_key():
    assert not {"minimal", "untuned"} & set(values_of(SMALL))
    assert values_of(replace(SMALL, minimal=True))["minimal"] is True


def test_a_network_end_to_end():
    """A network of the lab: rankings that do not exist are counted, and steps are shifted."""
    dataset, _ = random_problem(1, n=30, d=3)
    request = PolishRequest(
        "random",
        model="mlp",
        n_targets=1,
        k=3,
        objectives=("higher_ranked",),
        restarts=1,
        learning_rates=(0.1,),
        steps=4,
        stealth=(1.0,),
        through_radii=(0.3,),
        through_steps=2,
        hiding_steps=2,
        other_l2=(0.02,),
        newton_steps=2,
        l2_values=(0.05,),
        repeats=2,
        l2=0.05,
        damping=1.0,
        train_size=20,
    )
    table = EXPERIMENTS["polish"].run(request, dataset, Context(device="cpu"))
    assert table["kind"].value_counts()[["honest", "held back"]].tolist() == [4, 4]
    assert (table["solves"] >= 2).all()
    assert table["rank_0"].max() <= 20
    assert np.isfinite(table["decrement_1"]).all()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"objectives": ("loud",)}, "objectives must be"),
        ({"newton_steps": 0}, "newton_steps must be"),
        ({"other_l2": (0.0,)}, "other_l2 must be"),
        ({"model": "forest"}, "model must be"),
    ],
)
def test_bad_input_is_named(options, words):
    with pytest.raises(InvalidInput, match=words):
        PolishRequest(**options)


def test_a_request_is_stored_with_all_that_it_says():
    assert values_of(SMALL)["through_radii"] == (0.9,)
