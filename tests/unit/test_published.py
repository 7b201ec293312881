"""Published results, computed again: a random few of those whose data is here; the others are
named."""

import random
import warnings
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from engine.attacks.result import AttackResult
from engine.data.load import load_dataset
from engine.data.sources.bundled import LOADERS
from engine.experiments import Context, experiment, make_request, open_data
from engine.influence.scores import influence_scores
from engine.results.manifest import MANIFEST
from engine.results.store import Stored, open_folder
from engine.settings import PUBLISHED

FEW = 3
SECONDS = 6.0  # when they were made; longer ones are named, not computed
CLOSE = 1e-3  # of the largest value: another processor rounds otherwise


@cache
def published() -> tuple[Stored, ...]:
    return tuple(open_folder(p.parent, True) for p in sorted(PUBLISHED.glob(f"*/*/{MANIFEST}")))


def named(stored: Stored) -> str:
    asked = stored.manifest.request
    shown = {k: asked[k] for k in ("dataset", "targets", "k", "image", "metric") if k in asked}
    return f"{stored.manifest.experiment} {shown} ({stored.manifest.seconds:.0f} s)"


def reason_against(stored: Stored) -> str | None:
    """Why it is not computed again; None where it can be."""
    if stored.manifest.request.get("dataset", "digits") not in LOADERS:
        return "its data does not come with the lab"
    if stored.manifest.seconds > SECONDS:
        return "it takes long"
    if stored.manifest.experiment in ("gradients", "scaling", "solvers", "baseline"):
        return "it measures this machine, or is drawn at random step by step"
    return None


def check_alike(path: str, one: Any, other: Any) -> None:
    """The same structure with the same names, and numbers that differ by rounding alone. Results
    that were published before they held the names of classes have none."""
    if path.endswith(".class_names") and one == ():
        return
    assert type(one) is type(other), path
    if is_dataclass(one):
        for field in fields(one):
            check_alike(
                f"{path}.{field.name}", getattr(one, field.name), getattr(other, field.name)
            )
    elif isinstance(one, pd.DataFrame):
        assert list(one) == list(other), path
        for column in one:
            check_alike(f"{path}.{column}", one[column].to_numpy(), other[column].to_numpy())
    elif isinstance(one, np.ndarray) and one.dtype.kind == "f":
        size = np.abs(one[np.isfinite(one)]).max(initial=1e-12)
        np.testing.assert_allclose(other, one, rtol=CLOSE, atol=CLOSE * size, err_msg=path)
    elif isinstance(one, np.ndarray) and one.dtype.kind in "iu" and path.endswith("ranks"):
        assert np.mean(one != other) < 0.02, path  # of scores that all but tie
    elif isinstance(one, float):
        assert np.isclose(one, other, rtol=CLOSE, atol=1e-9, equal_nan=True), (path, one, other)
    else:
        np.testing.assert_array_equal(other, one, err_msg=path)


def check_attack(stored: Stored, again: AttackResult) -> None:
    """What an attack starts from, and whether it succeeds, computed again. A hundred steps magnify
    rounding; so the published model's own numbers are checked on that model."""
    then: AttackResult = stored.result
    check_alike("before", then.before, again.before)
    check_alike("before_holdout", then.before_holdout, again.before_holdout)
    assert (then.success, then.accuracy_before) == (again.success, again.accuracy_before)
    asked: Mapping[str, Any] = stored.manifest.request
    dataset = load_dataset(asked["dataset"])
    for split, after in (("test", then.after), ("holdout", then.after_holdout)):
        found = influence_scores(then.model, dataset, split=split, damping=asked["damping"])
        check_alike(split, after.scores.astype(np.float64), found.scores.astype(np.float64))
        assert after.ranks[then.targets[0]] == found.ranks[then.targets[0]]
    assert then.accuracy_after == then.model.accuracy(dataset.X_holdout, dataset.y_holdout)


# Of results that also keep what follows from an attack: their honest parts, by name. A hundred
# steps magnify rounding, so that the attacked model is another one on another processor.
HONEST_PARTS: Mapping[str, Callable[[Any], Mapping[str, Any]]] = {
    "candidates": lambda r: {
        "honest": r.honest,
        "labels": r.labels,
        "train_honest": r.train_honest,
        "predicted": r.check[["candidate", "label", "predicted", "usual"]],
    },
    "conditioning": lambda r: {
        "eigenvalues": r.eigenvalues[0],
        "stable": float(r.stable[0]),
        "scores": r.scores[0],
        "by_damping": r.by_damping.query("model == 'honest'"),
    },
    "replay": lambda r: {"first": r.steps[0], "most": r.ranks.shape[1]},
}


def test_a_random_few_are_computed_again():
    able = [stored for stored in published() if reason_against(stored) is None]
    chosen = random.SystemRandom().sample(able, FEW)
    for stored in chosen:
        name = stored.manifest.experiment
        request = make_request(name, stored.manifest.request)
        again = experiment(name).run(request, open_data(request, None), Context())
        if name == "attack":
            check_attack(stored, again)
        elif name == "impossible":
            check_alike("random", stored.result.random, again.random)
            assert stored.result.beaten == again.beaten == 0
        elif name in HONEST_PARTS:
            then, now = HONEST_PARTS[name](stored.result), HONEST_PARTS[name](again)
            for part, value in then.items():
                check_alike(f"{named(stored)}.{part}", value, now[part])
        else:
            check_alike(named(stored), stored.result, again)
    rest = [
        f"{named(s)}: {reason_against(s) or 'not drawn this time'}"
        for s in published()
        if s not in chosen
    ]
    warnings.warn("Published, and not computed again: " + "; ".join(rest), stacklevel=1)
