"""Arrays as people have them, at every public function: converted, or refused by the engine."""

import inspect
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import fields, is_dataclass
from operator import methodcaller
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

import engine
from engine.__main__ import main
from engine.data.dataset import Dataset
from engine.errors import EngineError, InvalidDataset, InvalidInput
from tests.support.problems import random_problem
from tests.support.public_calls import QUICK, SMALL, call, parameters

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


def test_booleans_are_labels_on_the_command_line(own_file, capsys):
    """As the numbers 0 and 1 are."""
    said = []
    for kind in (bool, "i8"):
        own_file(**{n: (getattr(DATASET, n) > 0).astype(kind) for n in ("y_train", "y_test")})
        assert main(["ranking", "--dataset", "own"]) == 0
        said.append(capsys.readouterr().out.splitlines()[:2])
    assert said[0] == said[1]


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
    "scikit-learn": LogisticRegression().fit(DATASET.X_train, DATASET.y_train),
}


def taking(parameter: str) -> list[str]:
    """The public functions with a parameter of that name that may not be left out."""
    return [name for name in SMALL if parameter in SMALL[name] and parameter in parameters(name)]


def test_what_takes_a_model_is_found() -> None:
    assert {"attack", "polish", "certify", "minimal_radius", "check_claims"} <= {*taking("model")}
    assert {"payments", "vendors_by_column"}.isdisjoint(taking("dataset"))
    assert {"linear_datamodelling_score", "selection_curve"} <= {*taking("dataset")}


@pytest.mark.parametrize("kind", list(NO_MODELS))
@pytest.mark.parametrize("name", taking("model"))
def test_what_is_no_model_is_named(name: str, kind: str) -> None:
    with pytest.raises(InvalidInput, match="model must be what fit"):
        call(name, {"model": NO_MODELS[kind]})


@pytest.mark.parametrize("name", taking("dataset"))
@pytest.mark.parametrize("dataset", [None, "digits", (DATASET.X_train, DATASET.y_train)])
def test_what_is_no_data_set_is_named(name: str, dataset: object) -> None:
    with pytest.raises(InvalidInput, match="dataset must be a "):
        call(name, {"dataset": dataset})


KINDS = ["f2", "f4", "f8", ">f8", "i1", "u2", "i8", "u8", "bool", "complex128", "O", "U3", "M8[s]"]
CELLS = [0.0, 1.0, -1.0, 0.5, 1e-30, 6e4, 1e38, 1e39, 1e300, float("nan"), float("inf")]
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
        array.flat[rng.integers(array.size)] = draw(st.sampled_from(CELLS))
    kind = draw(st.sampled_from(KINDS))
    with np.errstate(all="ignore"):
        array = np.nan_to_num(array).astype(kind) if kind == "M8[s]" else array.astype(kind)
    return draw(st.sampled_from(LAYOUTS))(array)


# Where public functions take arrays, or sequences of numbers or names: what they are called with.
PLACES = {
    (name, parameter): np.asarray(value)
    for name in QUICK
    for parameter, value in SMALL[name].items()
    if isinstance(value, np.ndarray | list | tuple)
    and parameter in parameters(name)
    and np.asarray(value).dtype.kind in "fiubU"
}
ARRAY_KINDS = ("ndarray", "ArrayLike", "_SupportsArray")  # in a parameter's annotation


def test_every_array_of_a_public_function_is_thrown_at() -> None:
    """A new public function with an array must give one in `tests.support.public_calls.SMALL`."""
    taken = {
        (name, parameter)
        for name in QUICK
        for parameter, given_ in inspect.signature(getattr(engine, name)).parameters.items()
        if any(kind in str(given_.annotation) for kind in ARRAY_KINDS)
        and "Callable" not in str(given_.annotation)
    }
    assert taken <= set(PLACES)
    assert {("payments", "scores"), ("retrain_on", "subsets"), ("Vendors", "owner")} <= taken


def numbers_in(found: object) -> list[np.ndarray]:
    """All numbers of a result, but for times."""
    if isinstance(found, np.ndarray | float | int | np.generic):
        array = np.asarray(found)
        return [array.astype(float)] if array.dtype.kind in "fiub" else []
    if isinstance(found, pd.DataFrame):
        timed = [column for column in found.columns if "seconds" in column]
        return [found.drop(columns=timed).select_dtypes("number").to_numpy(float)]
    if is_dataclass(found) and not isinstance(found, type):
        return [n for item in fields(found) for n in numbers_in(getattr(found, item.name))]
    parts: Iterable[object] = ()
    if isinstance(found, list | tuple):
        parts = found
    elif isinstance(found, dict):
        parts = found.values()
    return [n for part in parts for n in numbers_in(part)]


def framed(values: np.ndarray) -> pd.DataFrame | pd.Series:
    """With an index that is not 0, 1, 2 …"""
    index = range(5, 5 + len(values))
    return pd.DataFrame(values, index) if values.ndim == 2 else pd.Series(values, index)


SAME: dict[str, Callable[[Any], Any]] = {
    "list": lambda a: a.tolist(),
    "tuple": lambda a: tuple(a.tolist()),
    "frame": framed,
    "nullable": lambda a: framed(a).convert_dtypes(),
    "reversed": reversed_view,
    "Fortran order": np.asfortranarray,
    "read-only": lambda a: np.broadcast_to(a, a.shape),
    "unaligned": unaligned,
    "masked": np.ma.masked_array,
    "objects": lambda a: a.astype(object),
}
OF_NUMBERS = {"tensor": torch.tensor, "big-endian": lambda a: a.astype(a.dtype.newbyteorder(">"))}
OF_INTEGERS = {kind: methodcaller("astype", kind) for kind in ("i4", "u1", "i2", "u8", "f4", "f8")}
# Refused in words, or taken: Python objects as numbers, and floats as labels and indices.
OPEN = {"objects", "f4", "f8"}


@pytest.mark.parametrize(("name", "parameter"), list(PLACES))
@pytest.mark.filterwarnings("ignore")
def test_the_same_numbers_in_any_form_give_the_same_result(name: str, parameter: str) -> None:
    array = PLACES[name, parameter]
    forms = SAME | (OF_NUMBERS if array.dtype.kind in "fiub" else {})
    forms |= OF_INTEGERS if array.dtype.kind in "iu" else {}
    expected = numbers_in(call(name, {}))
    for form, make in forms.items():
        try:
            found = numbers_in(call(name, {parameter: make(array)}))
        except EngineError as error:
            if form not in OPEN:
                pytest.fail(f"{form}: {error}")
            continue
        assert len(found) == len(expected), form
        for ours, theirs in zip(found, expected, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5, err_msg=form)


@settings(max_examples=200)
@given(st.data())
@pytest.mark.filterwarnings("ignore")
def test_whatever_arrays_are_given_only_the_engines_own_errors_come(data: st.DataObject) -> None:
    name, parameter = data.draw(st.sampled_from(list(PLACES)))
    shape = PLACES[name, parameter].shape
    thrown = data.draw(anything(shape[0], shape[1] if len(shape) > 1 else None))
    with suppress(EngineError):  # anything else fails the test
        call(name, {parameter: thrown})
