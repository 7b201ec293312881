"""Arrays as people have them, at every public function: converted, or refused by the engine."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import fields
from operator import methodcaller
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import engine
from engine.__main__ import main
from engine.data.dataset import Dataset
from engine.errors import EngineError, InvalidDataset, InvalidInput
from tests.support.problems import random_problem

DATASET, MODEL = random_problem(5, n=40, d=4)
ARRAYS = [f.name for f in fields(Dataset) if f.name[:2] in ("X_", "y_")]


def made(**changed: object) -> Dataset:
    given_ = {name: getattr(DATASET, name) for name in ARRAYS}
    return Dataset(name="own", class_names=DATASET.class_names, **{**given_, **changed})


def reversed_view(values: np.ndarray) -> np.ndarray:
    return values[::-1].copy()[::-1]


def unaligned(values: np.ndarray) -> np.ndarray:
    packed = np.zeros(values.shape, dtype=[("flag", "i1"), ("value", values.dtype)])
    packed["value"] = values
    return packed["value"]


FEATURES: dict[str, Callable[[Any], Any]] = {
    "list": lambda X: X.tolist(),
    "frame": pd.DataFrame,
    "frame of floats and booleans": lambda X: pd.DataFrame(X).assign(extra=X[:, 0] > 0),
    "nullable frame": lambda X: pd.DataFrame(X).convert_dtypes(),
    "tensor": torch.tensor,
    "float16": lambda X: X.astype(np.float16),
    "float64": lambda X: X.astype(np.float64),
    "long double": lambda X: X.astype(np.longdouble),
    "big-endian": lambda X: X.astype(">f4"),
    "int8": lambda X: X.astype(np.int8),
    "booleans": lambda X: X > 0,
    "reversed": reversed_view,
    "reversed columns": lambda X: X[:, ::-1].copy()[:, ::-1],
    "Fortran order": np.asfortranarray,
    "read-only": lambda X: np.broadcast_to(X, X.shape),
    "unaligned": unaligned,
    "every second column": lambda X: np.repeat(X, 2, axis=1)[:, ::2],
}
LABELS: dict[str, Callable[[Any], Any]] = {
    "list": lambda y: y.tolist(),
    "series": pd.Series,
    "tensor": torch.tensor,
    **{name: methodcaller("astype", name) for name in ("i4", "u1", "i2", "u8", ">i4")},
    "reversed": reversed_view,
}


@pytest.mark.filterwarnings("ignore:The given NumPy array is not writable")  # torch's
@pytest.mark.parametrize("kind", list(FEATURES))
def test_features_of_any_kind_are_float32_in_a_data_set(kind):
    X = {name: FEATURES[kind](getattr(DATASET, name)) for name in ARRAYS if name[0] == "X"}
    dataset = made(**X)
    for name, asked in X.items():
        found = getattr(dataset, name)
        assert (found.dtype, type(found)) == (np.float32, np.ndarray)
        expected = asked.to_numpy(float) if isinstance(asked, pd.DataFrame) else np.asarray(asked)
        np.testing.assert_array_equal(found, expected.astype(np.float32))
    assert len(dataset.content_hash) == 64
    model = engine.fit(dataset, device="cpu")
    assert np.isfinite(engine.influence_scores(model, dataset, device="cpu").scores).all()


@pytest.mark.parametrize("kind", list(LABELS))
def test_labels_of_any_kind_are_int64_and_change_no_key(kind):
    dataset = made(
        **{name: LABELS[kind](getattr(DATASET, name)) for name in ARRAYS if name[0] == "y"}
    )
    assert dataset.y_train.dtype == np.int64
    assert dataset.content_hash == made().content_hash


def test_booleans_are_labels():
    y = {name: getattr(DATASET, name) > 0 for name in ARRAYS if name[0] == "y"}
    X = {name: getattr(DATASET, name) for name in ARRAYS if name[0] == "X"}
    dataset = Dataset(name="own", class_names=("no", "yes"), **X, **y)
    model = engine.fit(dataset, device="cpu")
    share = (model.predict(dataset.X_test) == y["y_test"]).mean()
    assert model.accuracy(dataset.X_test, y["y_test"]) == share


def test_a_data_set_keeps_the_arrays_that_need_no_conversion():
    assert made().X_train is DATASET.X_train


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"X_train": np.full((40, 4), 1e39)}, r"the first in row 0, column 0 \(1e\+39\)"),
        ({"X_train": [[1.0, 2.0], [1.0]]}, "X_train cannot be made an array of numbers"),
        ({"X_train": torch.ones(40, 4, requires_grad=True)}, "X_train cannot be made an array"),
        ({"X_train": DATASET.X_train.astype(complex)}, "Got dtype complex128"),
        ({"X_train": DATASET.X_train.astype(str)}, "must hold real numbers. Got dtype <U"),
        ({"y_train": DATASET.y_train[:, None]}, r"shape \(40,\). Got \(40, 1\)"),
        ({"y_train": np.full(40, 2**63, np.uint64)}, "holds label 9223372036854775808"),
        ({"y_train": DATASET.y_train / 2}, "must hold integer labels. Got dtype float64"),
    ],
)  # fmt: skip
def test_what_is_no_data_set_is_refused_with_the_value(changed, words):
    with pytest.raises(InvalidDataset, match=words):
        made(**changed)


@pytest.fixture
def own_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Writes a features file into the data directory of a lab of its own."""
    monkeypatch.setenv("IAL_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("IAL_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("IAL_DEVICE", "cpu")

    def write(**changed: object) -> Path:
        parts = {n: getattr(DATASET, n) for n in ARRAYS if not n.endswith("holdout")}
        path = tmp_path / "own.npz"
        np.savez(path, **{**parts, **changed})
        return path

    return write


@pytest.mark.parametrize("kind", ["i4", "u1", "i2", "u8", ">i4", "f2", "f8", ">f8", "F"])
def test_a_file_of_any_kind_of_numbers_on_the_command_line(kind, own_file, capsys):
    """Ranked from the data directory, and taken in as another data set, with equal ranks."""
    prefix = "y_" if kind.strip("<>")[0] in "iu" else "X_"
    convert = np.asfortranarray if kind == "F" else methodcaller("astype", kind)
    path = own_file(**{n: convert(getattr(DATASET, n)) for n in ARRAYS[:4] if n[:2] == prefix})
    assert main(["data", "add", str(path), "--name", "again"]) == 0
    said = []
    for name in ("own", "again"):
        capsys.readouterr()
        assert main(["ranking", "--dataset", name]) == 0
        said.append(capsys.readouterr().out.splitlines()[0])
    assert said[0] == said[1]
    assert said[0].startswith("The ten first in the honest ranking of 40: ")


def test_a_value_that_float32_cannot_hold_on_the_command_line(own_file, capsys):
    X = DATASET.X_train.astype(np.float64)
    X[3, 1] = 1e300
    path = own_file(X_train=X, X_test=np.full_like(DATASET.X_test, -1e300, dtype=np.float64))
    for asked in (["ranking", "--dataset", "own"], ["data", "add", str(path), "--name", "again"]):
        assert main(asked) == 2
        said = capsys.readouterr().err
        assert "error: 'own.npz' cannot be used: X_test holds -1e+300 in row 0, column 0" in said


@pytest.mark.parametrize("kind", ["list", "float16", "float32", ">f8", "Fortran order", "tensor"])
def test_a_linear_model_of_any_arrays(kind):
    make = FEATURES.get(kind, lambda X: X.astype(kind))
    weight, bias = make(MODEL.weight), make(MODEL.bias)
    model = engine.LinearModel(weight=weight, bias=bias, l2=0.01)
    assert model.weight.dtype == np.float64
    np.testing.assert_array_equal(model.weight, np.asarray(weight, dtype=np.float64))
    assert np.isfinite(engine.influence_scores(model, DATASET, device="cpu").scores).all()


def test_a_model_of_scikit_learns_coefficients_predicts_as_it_does():
    from sklearn.linear_model import LogisticRegression

    X = DATASET.X_train.astype(np.float32)
    theirs = LogisticRegression().fit(X, DATASET.y_train)
    ours = engine.LinearModel(theirs.coef_, theirs.intercept_, 0.01)
    np.testing.assert_array_equal(ours.predict(DATASET.X_test), theirs.predict(DATASET.X_test))
    np.testing.assert_allclose(
        ours.probabilities(DATASET.X_test), theirs.predict_proba(DATASET.X_test), rtol=1e-5
    )


def test_accuracy_broadcasts_nothing_and_compares_no_texts():
    X, y = DATASET.X_test, DATASET.y_test
    share = float((MODEL.predict(X) == y).mean())
    assert MODEL.accuracy(X, y) == MODEL.accuracy(X.tolist(), y.astype(np.uint8)) == share
    for wrong in (y[:, None], y[:3], y[:, None].T, 0):
        with pytest.raises(InvalidInput, match=r"y must be of shape \(20,\)"):
            MODEL.accuracy(X, wrong)
    with pytest.raises(InvalidInput, match=r"y must be an array of real numbers\. Got 'dtype <U1'"):
        MODEL.accuracy(X, np.array(list("abc"))[y])


def test_a_single_learning_rate_is_one():
    how: dict[str, Any] = {"restarts": 1, "steps": 2, "device": "cpu"}
    ranks = engine.influence_scores(MODEL, DATASET, device="cpu").ranks
    target = int(ranks.argmax())
    rates: list[Any] = [0.1, np.float32(0.5), np.array([0.1]), [0.1]]
    for rate in rates:
        found = engine.attack(MODEL, DATASET, target, learning_rates=rate, **how)
        assert len(found.runs) == 1
    table = engine.sweep(
        DATASET, targets=[[target]], ks=(1,), learning_rates=rates[0], radii=(0.3,), restarts=(1,),
        steps=2, jobs=1, device="cpu",
    )  # fmt: skip
    assert len(table) == 1


NO_MODELS = {
    "none": None,
    "module": torch.nn.Linear(4, 3),
    "array": MODEL.weight,
    "class": engine.LinearModel,
}
CALLS = {
    "influence_scores": lambda model, data: engine.influence_scores(model, data),
    "influence_gradient": lambda model, data: engine.influence_gradient(model, data, np.ones(40)),
    "attack": lambda model, data: engine.attack(model, data, 1, steps=1),
    "attack_each": lambda model, data: engine.attack_each(model, data, [1], steps=1),
    "sensitivity": lambda model, data: engine.sensitivity(model, data, probes=2),
    "exact_sensitivity": lambda model, data: engine.exact_sensitivity(model, data, [0]),
    "attribution": lambda model, data: engine.attribution("influence", model, data),
    "optimality": lambda model, data: engine.optimality(model, data),
    "loss_reweighing": lambda model, data: engine.loss_reweighing(model, data, 0, steps=1),
    "influence_matrix": lambda model, data: engine.influence_matrix(
        model, data, DATASET.X_test[:1], DATASET.y_test[:1]
    ),
    "query_gradients": lambda model, data: engine.query_gradients(
        model, DATASET.X_test[:1], DATASET.y_test[:1]
    ),
}


@pytest.mark.parametrize("call", list(CALLS))
@pytest.mark.parametrize("kind", list(NO_MODELS))
def test_what_is_no_model_is_named(call, kind):
    with pytest.raises(InvalidInput, match="model must be what fit"):
        CALLS[call](NO_MODELS[kind], DATASET)


@pytest.mark.parametrize("call", [name for name in CALLS if name != "query_gradients"])
@pytest.mark.parametrize("dataset", [None, "digits", (DATASET.X_train, DATASET.y_train)])
def test_what_is_no_data_set_is_named(call, dataset):
    with pytest.raises(InvalidInput, match="dataset must be a Dataset, as load_dataset"):
        CALLS[call](MODEL, dataset)


# Anything that somebody may hand over as an array: kinds, sizes, shapes, layouts, values.
KINDS = ["f2", "f4", "f8", ">f8", "i1", "u2", "i8", "u8", "bool", "complex128", "O", "U3", "M8[s]"]
VALUES = [0.0, 1.0, -1.0, 0.5, 1e-30, 6e4, 1e38, 1e39, 1e300, float("nan"), float("inf")]
LAYOUTS = [
    lambda a: a,
    lambda a: a[::-1] if a.ndim else a,
    lambda a: a[..., ::-1] if a.ndim else a,
    np.asfortranarray,
    lambda a: a.tolist(),
    lambda a: np.ma.masked_array(a),
    lambda a: pd.DataFrame(a) if a.ndim == 2 else pd.Series(a) if a.ndim == 1 else a,
]


@st.composite
def anything(draw, n: int, d: int | None):
    shapes = [(n, d), (n,), (d, n), (n, d + 1), (0, d), (), (n, d, 1)] if d else [(n,), (n, 1), ()]
    shape = draw(st.sampled_from([shapes[0]] * 4 + shapes))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    array = rng.integers(0, 3, shape).astype(float)
    if draw(st.booleans()) and array.size:
        array.flat[rng.integers(array.size)] = draw(st.sampled_from(VALUES))
    kind = draw(st.sampled_from(KINDS))
    with np.errstate(all="ignore"):
        array = np.nan_to_num(array).astype(kind) if kind == "M8[s]" else array.astype(kind)
    return draw(st.sampled_from(LAYOUTS))(array)


@settings(max_examples=150)
@given(st.data())
@pytest.mark.filterwarnings("ignore")
def test_whatever_arrays_are_given_only_the_engines_own_errors_come(data):
    X = anything(40, 4)
    y = anything(40, None)
    tries = [
        lambda: made(X_train=data.draw(X)),
        lambda: made(y_train=data.draw(y)),
        lambda: engine.LinearModel(data.draw(anything(3, 4)), data.draw(anything(3, None)), 0.01),
        lambda: MODEL.accuracy(data.draw(X), data.draw(y)),
        lambda: engine.influence_gradient(MODEL, DATASET, data.draw(y), device="cpu"),
        lambda: engine.query_gradients(MODEL, data.draw(X), data.draw(y)),
        lambda: engine.influence_matrix(MODEL, DATASET, data.draw(X), data.draw(y), device="cpu"),
        lambda: engine.audit_scores(data.draw(X), data.draw(X)),
        lambda: engine.attack(MODEL, DATASET, data.draw(y), steps=1, restarts=1, device="cpu"),
        lambda: engine.attack(
            MODEL, DATASET, 30, learning_rates=data.draw(anything(2, None)), steps=1, restarts=1,
            device="cpu",
        ),
        lambda: engine.exact_sensitivity(MODEL, DATASET, data.draw(y), device="cpu"),
        lambda: engine.leave_one_out(DATASET, data.draw(y), device="cpu"),
        lambda: engine.loss_reweighing(
            MODEL, DATASET, 0, target_weight=data.draw(anything(2, None)), steps=1, device="cpu"
        ),
    ]  # fmt: skip
    with suppress(EngineError):  # anything else fails the test
        tries[data.draw(st.integers(0, len(tries) - 1))]()
