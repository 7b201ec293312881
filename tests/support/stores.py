"""Results to put into a store."""

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd

from engine.attacks.result import AttackResult, Ranking
from engine.experiments import RESULT_VERSION, AttackRequest
from engine.models.linear import LinearModel
from engine.results.manifest import Manifest
from engine.results.store import Store, Stored

REQUEST = AttackRequest(targets=(3,), radius=0.5)


HASH = "ab" * 32


def result(seed: int = 0) -> AttackResult:
    """Made of random numbers: the store looks at none of them."""
    rng = np.random.default_rng(seed)

    def model() -> LinearModel:
        return LinearModel(rng.standard_normal((3, 4)), rng.standard_normal(3), 0.01, 1e-9, 17)

    def ranking() -> Ranking:
        return Ranking(rng.standard_normal(9).astype(np.float32), rng.permutation(9) + 1)

    runs = pd.DataFrame({"run": [0, 1], "reached": [True, False], "rank_test": [1, 4]})
    trajectory = pd.DataFrame({"run": [0, 0, 1], "step": [0, 1, 0], "loss": rng.random(3)})
    return AttackResult(
        targets=(3,),
        k=1,
        order="highest_first",
        honest=model(),
        model=model(),
        accuracy_before=0.9,
        accuracy_after=0.8,
        distance=0.5,
        rank_correlation=0.1,
        topk_kept=0.0,
        predictions_changed=2,
        runs=runs,
        trajectory=trajectory,
        before=ranking(),
        after=ranking(),
        before_holdout=ranking(),
        after_holdout=ranking(),
    )


def put(store: Store, made: AttackResult | None = None, **options) -> Path:
    return store.write("attack", REQUEST, HASH, made or result(), 1.5, "CPU", **options)


def same(a: object, b: object) -> bool:
    """Equality through frozen dataclasses, arrays and tables, dtypes included."""
    if dataclasses.is_dataclass(a):
        return type(a) is type(b) and all(
            same(getattr(a, f.name), getattr(b, f.name)) for f in dataclasses.fields(a)
        )
    if isinstance(a, np.ndarray):
        return isinstance(b, np.ndarray) and a.dtype == b.dtype and np.array_equal(a, b)
    if isinstance(a, pd.DataFrame):
        assert isinstance(b, pd.DataFrame)
        pd.testing.assert_frame_equal(a, b)
        return True
    return bool(a == b)


def published(experiment: str, result: object, **request: object) -> Stored:
    """A result as if it lay among the published ones, of 24 November 2026."""
    manifest = Manifest(
        experiment=experiment,
        request=request,
        result_version=RESULT_VERSION,
        data_hash="none",
        seed=0,
        device="CPU",
        seconds=60.0,
        created="2026-11-24T12:00:00+00:00",
        versions={"torch": "2"},
        files={},
    )
    return Stored(Path("none"), manifest, result, published=True)
