"""Pairs of models: each is what the attack on its target makes."""

from pathlib import Path
from typing import Any

import numpy as np

from engine.attacks.attack import attack_each
from engine.experiments import Context, experiment, make_request
from engine.influence.scores import influence_scores
from engine.models.fit import fit
from tests.support.problems import random_problem
from tests.support.stores import same


def test_pairs_hold_what_the_attacks_make(tmp_path: Path) -> None:
    dataset, _ = random_problem(21, n=40, d=4)
    model = fit(dataset)
    ranked = influence_scores(model, dataset).ranks
    targets = np.argsort(-ranked)[:3].tolist()
    options: dict[str, Any] = {
        "k": 2,
        "radius": 0.6,
        "restarts": 1,
        "steps": 8,
        "learning_rates": (0.1,),
    }
    request = make_request("pairs", {"dataset": "small", "targets": targets} | options)
    entry = experiment("pairs")
    made = entry.run(request, dataset, Context())
    for pair, one in enumerate(attack_each(model, dataset, targets, **options)):
        np.testing.assert_array_equal(made.ranks[pair], one.after.ranks)
        np.testing.assert_array_equal(made.after(pair).scores, one.after.scores)
        said = one.model.predict(dataset.X_holdout)
        np.testing.assert_array_equal(made.predictions[pair], said)
    np.testing.assert_array_equal(made.before.ranks, ranked)
    np.testing.assert_array_equal(made.honest_predictions, model.predict(dataset.X_holdout))
    entry.save(made, tmp_path)
    assert same(entry.load(tmp_path), made)
    reached = int((made.ranks[np.arange(3), made.targets] == 1).sum())
    assert entry.describe(made).startswith(f"3 pairs of models; in {reached} of them")
