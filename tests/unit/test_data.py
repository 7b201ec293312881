"""Data sets: sizes, halves, standardisation, one index for everything, and files that lie."""

import inspect
import io
import json
import pickle
import re
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
import scipy.linalg
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from engine.data.dataset import SPLITS, Dataset, Images
from engine.data.load import dataset_names, load_dataset
from engine.data.preparation import halve_test, prepare, standardise
from engine.data.sources.bundled import LOADERS, PARTS, SPLIT, digits, scipy_docs
from engine.errors import InvalidDataset, InvalidInput
from engine.models.fit import fit


@pytest.fixture(scope="module")
def handwritten() -> Dataset:
    return digits()


@pytest.fixture
def arrays() -> dict[str, np.ndarray]:
    """A small features file's arrays: 30 train and 12 test samples, 4 features, 3 classes."""
    rng = np.random.default_rng(7)
    return {
        "X_train": rng.normal(size=(30, 4)),
        "y_train": np.arange(30) % 3,
        "X_test": rng.normal(size=(12, 4)),
        "y_test": np.arange(12) % 3,
    }


def saved(path: Path, arrays: dict[str, Any]) -> Path:
    np.savez(path, **arrays)
    return path


# The bundled digits


def test_digits_has_the_sizes_of_the_design(handwritten: Dataset) -> None:
    assert (handwritten.n_train, handwritten.n_features, handwritten.n_classes) == (1200, 64, 10)
    assert len(handwritten.y_test) == 298
    assert len(handwritten.y_holdout) == 299  # the odd sample
    assert handwritten.class_names == tuple("0123456789")
    for split in SPLITS:
        X, y = handwritten.split(split)
        assert (X.dtype, y.dtype) == (np.float32, np.int64)


def test_the_kept_split_of_digits_is_that_of_scikit_learn() -> None:
    """It was drawn by `train_test_split` and is kept in a file."""
    original = load_digits()
    kept = json.loads(SPLIT.read_text("utf-8"))
    train, unseen = train_test_split(
        np.arange(1797), train_size=1200, stratify=original.target, random_state=0
    )
    halves = halve_test(original.target[unseen], tuple("0123456789"))
    drawn = (train, *(unseen[half] for half in halves))
    assert list(kept.values()) == [rows.tolist() for rows in drawn]
    assert list(kept) == list(SPLITS)


def test_every_digit_has_its_share_in_every_split(handwritten: Dataset) -> None:
    share = np.bincount(load_digits().target) / 1797
    for split in SPLITS:
        y = handwritten.split(split)[1]
        # Stratified: within one sample of the exact share, and one more for halving a rounded part.
        assert np.abs(np.bincount(y) - share * len(y)).max() < 2


def test_digits_is_the_same_every_time(handwritten: Dataset) -> None:
    assert digits().content_hash == handwritten.content_hash
    assert load_dataset("digits").content_hash == handwritten.content_hash


def test_one_index_addresses_features_label_and_image(handwritten: Dataset) -> None:
    """The image's pixels, standardised by hand, are the features; the original has that label."""
    assert handwritten.images is not None
    original = load_digits()
    label_of = {
        image.tobytes(): label
        for image, label in zip(original.images, original.target, strict=True)
    }
    pixels = {
        split: (1 - getattr(handwritten.images, split).astype(np.float64)) * 16 for split in SPLITS
    }
    flat = pixels["train"].reshape(-1, 64)
    mean, deviation = flat.mean(axis=0), flat.std(axis=0)
    for split in SPLITS:
        X, y = handwritten.split(split)
        expected = (pixels[split].reshape(-1, 64) - mean) / np.where(deviation > 0, deviation, 1)
        expected[:, deviation == 0] = 0
        np.testing.assert_allclose(X, expected, atol=1e-5)  # float32 of values up to about 35
        assert [label_of[image.tobytes()] for image in np.rint(pixels[split])] == y.tolist()


@pytest.fixture(scope="module")
def documented() -> Dataset:
    return scipy_docs()


def test_the_documentation_is_of_the_installed_package(documented: Dataset) -> None:
    """The words of an imported function's documentation are the features of one row."""
    names = documented.feature_names or ()
    assert len(names) == len(set(names)) == documented.n_features
    text = inspect.getdoc(scipy.linalg.expm) or ""
    words = set(re.findall(r"[a-z]{3,}", text.lower()))
    present = np.array([name in words for name in names])
    signs = np.concatenate([documented.X_train, documented.X_test, documented.X_holdout]) > 0
    labels = np.concatenate([documented.y_train, documented.y_test, documented.y_holdout])
    same = (signs == present).all(axis=1)
    assert labels[same].tolist() == [PARTS.index("linalg")]


def test_the_documentation_can_be_told_by_its_words(documented: Dataset) -> None:
    model = fit(documented)
    assert model.accuracy(documented.X_holdout, documented.y_holdout) > 0.8


def test_the_splits_of_digits_share_no_sample(handwritten: Dataset) -> None:
    rows = [row.tobytes() for split in SPLITS for row in handwritten.split(split)[0]]
    assert len(set(rows)) == 1797


# Standardisation

finite = st.floats(-1e300, 1e300, allow_subnormal=True)
wide_tables = hnp.arrays(
    np.float64, st.tuples(st.integers(2, 12), st.integers(1, 4)), elements=finite
)


@given(wide_tables, st.data())
def test_standardised_columns_have_size_one_or_zero(train: np.ndarray, data: st.DataObject) -> None:
    """Whatever the magnitude; columns constant on train, four roundings aside, are 0 in every
    split."""
    shape = (data.draw(st.integers(1, 6)), train.shape[1])
    test = data.draw(hnp.arrays(np.float64, shape, elements=finite))
    new_train, new_test = standardise(train, test)
    assert new_train.dtype == new_test.dtype == np.float32
    constant = np.ptp(train, axis=0) <= 4 * np.finfo(float).eps * np.abs(train).max(axis=0)
    assert not new_train[:, constant].any()
    assert not new_test[:, constant].any()
    # Not the mean: that of a column which varies in its last bits only is rounded to such a bit.
    size = (new_train[:, ~constant].astype(np.float64) ** 2).mean(axis=0)
    np.testing.assert_allclose(size, 1, atol=1e-5)  # float32


@pytest.mark.parametrize("value", [-1e300, 3.0, 1e-300])
@pytest.mark.parametrize(("bits", "size"), [(1, 0), (2, 0), (16, 1)])
def test_a_difference_in_the_last_bits_is_none(value: float, bits: int, size: int) -> None:
    train = np.array([[value], [value + bits * np.spacing(value)]])
    new_train, new_test = standardise(train, np.ones((2, 1)))
    np.testing.assert_allclose((new_train.astype(np.float64) ** 2).mean(), size, atol=1e-5)
    assert size or not new_test.any()


@given(
    hnp.arrays(
        np.float64,
        st.tuples(st.integers(2, 30), st.integers(1, 4)),
        elements=st.floats(-100, 100).map(lambda value: round(value, 2)),
    )
)
def test_standardising_is_minus_mean_over_deviation(train: np.ndarray) -> None:
    other = train[::-1] * 2 + 1
    mean, deviation = train.mean(axis=0), train.std(axis=0)
    constant = (train == train[0]).all(axis=0)
    for got, raw in zip(standardise(train, other), (train, other), strict=True):
        expected = np.where(constant, 0, (raw - mean) / np.where(constant, 1, deviation))
        np.testing.assert_allclose(got, expected, rtol=1e-6, atol=1e-5)


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int64", "float16", "float32", ">f8"])
def test_features_of_any_number_type_are_the_same_data(arrays: dict[str, Any], dtype: str) -> None:
    for name in ("X_train", "X_test"):
        arrays[name] = (arrays[name] > 0).astype(np.float64)
    expected = prepare("plain", **arrays)
    for name in ("X_train", "X_test"):
        arrays[name] = np.asfortranarray(arrays[name].astype(dtype))
    got = prepare("typed", **arrays)
    assert got.content_hash == expected.content_hash
    assert got.X_train.flags.c_contiguous


@pytest.mark.parametrize("magnitude", [1e300, 1e-300])
def test_a_column_of_extreme_magnitude_keeps_its_information(
    arrays: dict[str, Any], magnitude: float
) -> None:
    plain = prepare("plain", **arrays)
    for name in ("X_train", "X_test"):
        arrays[name] = arrays[name].copy()
        arrays[name][:, 1] *= magnitude
    extreme = prepare("extreme", **arrays)
    np.testing.assert_allclose(extreme.X_train, plain.X_train, rtol=1e-6)
    np.testing.assert_allclose(extreme.X_test, plain.X_test, rtol=1e-6)


def test_a_test_value_beyond_float32_is_named(arrays: dict[str, Any]) -> None:
    arrays["X_test"][5, 2] = 1e300
    with pytest.raises(InvalidDataset, match=r"X_test holds 1e\+300 in row 5, column 2.*Correct"):
        prepare("far", **arrays)


def test_a_test_value_in_a_constant_column_never_matters(arrays: dict[str, Any]) -> None:
    arrays["X_train"][:, 2] = -1.7e308
    arrays["X_test"][5, 2] = 1.7e308
    dataset = prepare("constant", **arrays)
    assert not any(dataset.split(split)[0][:, 2].any() for split in SPLITS)


# The halves of the test data


@given(st.lists(st.integers(2, 40), min_size=2, max_size=12), st.randoms(use_true_random=False))
def test_the_halves_are_stratified(counts: list[int], random: Random) -> None:
    y = np.repeat(np.arange(len(counts)), counts)
    y = np.array(random.sample(y.tolist(), len(y)))
    test, holdout = halve_test(y, tuple(map(str, range(len(counts)))))
    assert sorted([*test, *holdout]) == list(range(len(y)))
    assert len(holdout) - len(test) == len(y) % 2
    in_test, in_holdout = (np.bincount(y[half], minlength=len(counts)) for half in (test, holdout))
    assert min(in_test.min(), in_holdout.min()) >= 1
    assert np.abs(in_test - in_holdout).max() <= 2


def test_a_class_with_one_test_sample_is_named(arrays: dict[str, Any]) -> None:
    arrays["y_test"][arrays["y_test"] == 2] = 0
    arrays["y_test"][4] = 2
    with pytest.raises(
        InvalidDataset, match=r"Class 2 \('cat'\) has a single test sample.*Add one"
    ):
        prepare("single", **arrays, class_names=("ant", "bee", "cat"))


# The content hash


def test_the_content_hash_ignores_names_and_images(handwritten: Dataset) -> None:
    renamed = replace(
        handwritten, name="other", title="Other", images=None, class_names=tuple("abcdefghij")
    )
    assert renamed.content_hash == handwritten.content_hash


@pytest.mark.parametrize("split", SPLITS)
def test_the_content_hash_sees_one_value_of_any_split(handwritten: Dataset, split: str) -> None:
    X, y = (array.copy() for array in handwritten.split(split))
    X[3, 10] = np.nextafter(X[3, 10], np.float32(9))
    y[3] = (y[3] + 1) % 10
    changes: list[dict[str, Any]] = [{f"X_{split}": X}, {f"y_{split}": y}]
    hashes = {
        handwritten.content_hash,
        *(replace(handwritten, **change).content_hash for change in changes),
    }
    assert len(hashes) == 3


def test_the_content_hash_sees_the_order_of_samples(handwritten: Dataset) -> None:
    turned = replace(
        handwritten, X_train=handwritten.X_train[::-1], y_train=handwritten.y_train[::-1]
    )
    assert turned.content_hash != handwritten.content_hash


# Files of one's own


def test_a_features_file_is_read_as_prepare_reads_its_arrays(
    arrays: dict[str, Any], tmp_path: Path
) -> None:
    dataset = load_dataset(saved(tmp_path / "mine.npz", arrays))
    assert (dataset.name, dataset.title, dataset.images) == ("mine", "mine", None)
    assert dataset.class_names == ("0", "1", "2")
    assert dataset.content_hash == prepare("mine", **arrays).content_hash


@pytest.mark.parametrize("key", ["class_names", "classes"])
@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (np.array(["ant", "bee", "cät"]), ("ant", "bee", "cät")),
        (np.array(["ant", "bee", "cät".encode()], dtype="S"), ("ant", "bee", "cät")),
        (np.array([10, 20, 30]), ("10", "20", "30")),
    ],
)
def test_class_names_under_either_key(
    arrays: dict[str, Any],
    tmp_path: Path,
    key: str,
    names: np.ndarray,
    expected: tuple[str, ...],
) -> None:
    assert load_dataset(saved(tmp_path / "a.npz", arrays | {key: names})).class_names == expected


def test_a_file_in_the_data_directory_is_a_data_set(arrays: dict[str, Any], tmp_path: Path) -> None:
    saved(tmp_path / "mine.npz", arrays)
    assert dataset_names(tmp_path) == [*LOADERS, "mine"]
    assert load_dataset("mine", tmp_path).name == "mine"
    assert dataset_names(tmp_path / "nowhere") == dataset_names() == [*LOADERS]


@pytest.mark.parametrize("name", ["iris", "", "../mine", 3, None])
def test_an_unknown_name_lists_the_known_ones(
    arrays: dict[str, Any], tmp_path: Path, name: Any
) -> None:
    saved(tmp_path / "mine.npz", arrays)
    with pytest.raises(InvalidInput, match=r"dataset must be .*'digits', .*'mine'.* Got"):
        load_dataset(name, tmp_path / ".")


def test_what_else_the_file_holds_is_never_read(arrays: dict[str, Any], tmp_path: Path) -> None:
    path = saved(tmp_path / "a.npz", arrays | {"notes": np.array([{"any": "object"}])})
    assert load_dataset(path).n_train == 30


class SideEffect:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self) -> tuple:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("name", ["X_train", "y_train", "X_test", "y_test", "class_names"])
def test_objects_are_never_unpickled(arrays: dict[str, Any], tmp_path: Path, name: str) -> None:
    trace = tmp_path / "was-run"
    objects = np.empty(3, dtype=object)
    objects[:] = [SideEffect(trace)] * 3
    path = saved(tmp_path / "a.npz", arrays | {name: objects})
    with pytest.raises(InvalidDataset, match=r"'a\.npz' cannot be read.*pickle.*numpy\.savez"):
        load_dataset(path)
    path.write_bytes(pickle.dumps(objects))
    with pytest.raises(InvalidDataset, match="cannot be read"):
        load_dataset(path)
    assert not trace.exists()
    pickle.loads(pickle.dumps(SideEffect(trace)))
    assert trace.exists()  # the trap does work


def zip_of(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def npy_with_header(header: str) -> bytes:
    padded = header.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(padded).to_bytes(2, "little") + padded


def one_array() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.zeros(3))
    return buffer.getvalue()


HUGE = "{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000, 1000)}"
ALL = ("X_train", "y_train", "X_test", "y_test")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"sepal length,sepal width\n5.1,3.5\n",
        one_array(),
        b"PK\x03\x04 cut off",
        zip_of(dict.fromkeys(ALL, b"not an array")),
        zip_of({f"{name}.npy": b"not an array" for name in ALL}),
        zip_of({f"{name}.npy": npy_with_header(HUGE) for name in ALL}),
        zip_of({f"{name}.npy": npy_with_header("{'descr': (") for name in ALL}),
    ],
    ids=["empty", "text", "npy", "zip start", "members", "npy members", "huge", "header"],
)
def test_a_file_that_is_no_features_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.npz"
    path.write_bytes(content)
    with pytest.raises(InvalidDataset, match=r"'a\.npz' cannot be read as \.npz.*numpy\.savez"):
        load_dataset(path)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_a_truncated_or_altered_file_never_gives_other_data(
    arrays: dict[str, Any], tmp_path: Path, save: Callable[..., None]
) -> None:
    """Every damage is either an engine error or without effect on the data."""
    path = tmp_path / "a.npz"
    save(path, **arrays)
    good, expected = path.read_bytes(), load_dataset(path).content_hash
    rng = np.random.default_rng(11)
    cut = [good[:length] for length in rng.integers(0, len(good), 40)]
    flipped = [bytearray(good) for _ in range(150)]
    for content in flipped:
        content[rng.integers(len(good))] ^= int(rng.integers(1, 256))
    refused = 0
    damaged: list[bytes | bytearray] = [*cut, *flipped]
    for each in damaged:
        path.write_bytes(each)
        try:
            assert load_dataset(path).content_hash == expected
        except InvalidDataset:
            refused += 1
    assert refused > 100


def test_missing_arrays_are_named_beside_those_that_are_there(
    arrays: dict[str, Any], tmp_path: Path
) -> None:
    arrays["labels"] = arrays.pop("y_train")
    del arrays["y_test"]
    with pytest.raises(
        InvalidDataset, match=r"'a\.npz' lacks y_train, y_test; it holds X_train, X_test, labels\."
    ):
        load_dataset(saved(tmp_path / "a.npz", arrays))
    with pytest.raises(InvalidDataset, match="holds nothing"):
        load_dataset(saved(tmp_path / "empty.npz", {}))


def test_a_path_without_a_file(tmp_path: Path) -> None:
    (tmp_path / "folder.npz").mkdir()
    for name in ("nowhere.npz", "folder.npz"):
        with pytest.raises(
            InvalidDataset, match=rf"no features file at '.*{name}'. Check the path"
        ):
            load_dataset(tmp_path / name)


@pytest.mark.parametrize("names", [np.array([[1, 2, 3]]), np.array([0.5, 1, 2]), np.array("abc")])
def test_class_names_that_are_no_list_of_strings(
    arrays: dict[str, Any], tmp_path: Path, names: np.ndarray
) -> None:
    with pytest.raises(InvalidDataset, match=r"class_names in 'a\.npz' must be a list of strings"):
        load_dataset(saved(tmp_path / "a.npz", arrays | {"class_names": names}))


# Arrays that do not fit: each message names the array and says what to do

thirty = np.arange(30)
WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "features of one dimension": ({"X_train": np.zeros(30)}, r"X_train must have shape .*\(30,\)"),
    "features of three dimensions": ({"X_test": np.zeros((12, 2, 2))}, r"X_test must have shape"),
    "no features": ({"X_train": np.zeros((30, 0))}, r"X_train must have shape .*at least 1"),
    "no samples": ({"X_test": np.zeros((0, 4)), "y_test": np.zeros(0, int)}, r"X_test .*\(0, 4\)"),
    "other width": ({"X_test": np.zeros((12, 3))}, r"X_test has 3 features .*4.*same feature"),
    "labels too few": ({"y_train": np.zeros(29, int)}, r"y_train must have one label .*\(29,\)"),
    "labels as a column": ({"y_test": np.zeros((12, 1), int)}, r"y_test .*\(12,\).*\(12, 1\)"),
    "labels one-hot": ({"y_train": np.eye(3, dtype=int)[thirty % 3]}, r"y_train .*\(30, 3\)"),
    "NaN": ({"X_train": np.full((30, 4), np.nan)}, r"X_train holds 120 .*row 0.*Remove"),
    "infinite": ({"X_test": np.full((12, 4), -np.inf)}, r"X_test holds 48 .*\(-inf\)"),
    "complex features": ({"X_train": np.ones((30, 4), complex)}, r"X_train must hold real numbers"),
    "durations": ({"X_train": np.ones((30, 4), "m8[s]")}, r"X_train must hold real .*timedelta"),
    "strings as features": ({"X_test": np.full((12, 4), "1")}, r"X_test must hold real numbers"),
    "objects": ({"X_train": np.full((30, 4), 1, object)}, r"train split .*objects.*asarray"),
    "object labels": ({"y_test": np.full(12, "a", object)}, r"test split holds Python objects"),
    "string labels": ({"y_train": np.array(list("abc") * 10)}, r"y_train .*integer.*<U1.*unique"),
    "fractional labels": ({"y_train": thirty / 2}, r"y_train must hold integer .*float64"),
    "boolean labels of three classes": ({"y_train": thirty > 9}, r"No training sample has class 2"),
    "minus one and one": ({"y_train": thirty % 2 * 2 - 1}, r"y_train holds label -1.*number them"),
    "only negative labels": ({"y_test": np.full(12, -3)}, r"y_test holds label -3.*number them"),
    "one class": ({"y_train": thirty * 0, "y_test": thirty[:12] * 0}, r"at least two.*Got 1.*Add"),
    "labels from 1": ({"y_train": thirty % 3 + 1}, r"No training sample has class 0 .*number them"),
    "a gap": ({"y_train": thirty % 3 * 2}, r"has class 1 \('1'\), 3"),
    "class only in test": ({"y_test": thirty[:12] % 4}, r"No training sample has class 3 .*Drop"),
    "a huge label": ({"y_test": np.full(12, 10**15)}, r"up to 1000000000000000 .*30 training"),
    "an unsigned label": ({"y_train": np.full(30, 2**64 - 1, np.uint64)}, r"up to 184467440737095"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_arrays_that_do_not_fit(arrays: dict[str, Any], case: str) -> None:
    change, message = WRONG[case]
    with pytest.raises(InvalidDataset, match=message):
        prepare("wrong", **(arrays | change))


@pytest.mark.parametrize(
    ("class_names", "message"),
    [
        ((), "at least two classes. Got 0"),
        (("ant",), "at least two classes. Got 1"),
        (("ant", "bee"), r"y_train holds label 2, but class_names has 2 names.*Add the missing"),
        (("ant", "bee", "cat", "dog"), r"No training sample has class 3 \('dog'\).*Drop"),
    ],
)
def test_class_names_that_do_not_fit_the_labels(
    arrays: dict[str, Any], class_names: tuple[str, ...], message: str
) -> None:
    with pytest.raises(InvalidDataset, match=message):
        prepare("wrong", **arrays, class_names=class_names)


def test_a_dataset_made_by_hand_is_checked_too(handwritten: Dataset) -> None:
    holed = handwritten.X_holdout.copy()
    holed[2, 3] = np.nan
    with pytest.raises(InvalidDataset, match=r"X_holdout holds 1 .*row 2, column 3"):
        replace(handwritten, X_holdout=holed)
    with pytest.raises(InvalidDataset, match=r"X_test has 63 features but X_train has 64"):
        replace(handwritten, X_test=handwritten.X_test[:, 1:])
    images = handwritten.images
    assert images is not None
    rest = [images.test[i] for i in range(1, len(images.test))]
    with pytest.raises(InvalidDataset, match=r"images\.test and X_test differ in length"):
        replace(handwritten, images=Images(images.train, rest, images.holdout))


def test_an_unknown_split(handwritten: Dataset) -> None:
    with pytest.raises(InvalidInput, match="split must be one of 'train', 'test', 'holdout'"):
        handwritten.split("validation")
