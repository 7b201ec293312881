"""Data sets whose features stay on disk: the same numbers as in memory, whatever the chunks."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import rows
from engine.attacks.attack import attack
from engine.data.dataset import Dataset
from engine.data.load import dataset_names, load_dataset
from engine.data.sources.bundled import LOADERS
from engine.data.sources.features_file import changed_at
from engine.data.sources.features_folder import ROWS_AT_ONCE
from engine.errors import InvalidDataset
from engine.influence.scores import influence_gradient, influence_scores
from engine.models.fit import fit
from engine.scrutiny.attributions import attribution
from engine.scrutiny.queries import influence_matrix

N, M, D, K = 90, 40, 6, 3
LONG = max(ROWS_AT_ONCE, rows.ROWS_AT_ONCE) + 300  # samples: more than one part of a file has


def arrays(seed: int = 0, n: int = N) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    X = (rng.standard_normal((n + M, D)) * rng.uniform(0.1, 50, D) + 7).astype(np.float32)
    X[:, -1] = 2.5  # constant: must become 0
    y = np.concatenate([np.arange(K), rng.integers(K, size=n + M - 2 * K), np.arange(K)])
    return {"X_train": X[:n], "y_train": y[:n], "X_test": X[n:], "y_test": np.arange(M) % K}


def write(where: Path, parts: dict[str, np.ndarray]) -> Path:
    where.mkdir(parents=True, exist_ok=True)
    for name, array in parts.items():
        np.save(where / f"{name}.npy", array)
    return where


def written(folder: Path, n: int) -> tuple[Dataset, Dataset]:
    """The same data of n training samples in memory and on disk."""
    np.savez(folder / "memory.npz", **arrays(n=n))
    write(folder / "disk", arrays(n=n))
    return load_dataset("memory", folder), load_dataset("disk", folder)


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[Dataset, Dataset]:
    """More samples than are read at a time."""
    return written(tmp_path_factory.mktemp("both"), LONG)


def test_the_standardised_features_are_the_same_and_stay_on_disk(both):
    memory, disk = both
    assert disk.on_disk and not memory.on_disk
    assert isinstance(disk.X_train, np.memmap)
    for split in ("train", "test", "holdout"):
        np.testing.assert_allclose(disk.split(split)[0], memory.split(split)[0], atol=2e-6)
        np.testing.assert_array_equal(disk.split(split)[1], memory.split(split)[1])
    assert not disk.X_train[:, -1].any()


@pytest.mark.parametrize(("dtype", "close"), [("float64", 1e-9), ("float32", 1e-5)])
@pytest.mark.parametrize("estimator", ["cg", "exact", "lissa"])
def test_scores_and_gradients_are_the_same(both, dtype, close, estimator):
    memory, disk = both
    same = Dataset(
        **{**vars(memory), "X_train": np.array(disk.X_train), "on_disk": False}
    )  # to the last bit
    model = fit(same)
    np.testing.assert_allclose(fit(disk).parameters, model.parameters, atol=1e-6)
    c = np.linspace(-1, 1, LONG)
    mine, other = (
        influence_scores(model, d, estimator=estimator, dtype=dtype) for d in (disk, same)
    )
    size = np.abs(other.scores).max()
    np.testing.assert_allclose(mine.scores, other.scores, atol=close * size)
    mine_c, other_c = (
        influence_gradient(model, d, c, estimator=estimator, dtype=dtype) for d in (disk, same)
    )
    np.testing.assert_allclose(mine_c, other_c, atol=10 * close * np.abs(other_c).max())


def test_an_attack_and_other_scores_do_not_notice(both, tmp_path):
    memory = both[0]
    model = fit(memory)
    target = int(influence_scores(model, memory).ranks.argmax())
    one, other = (
        attack(model, d, target, radius=0.3, restarts=1, steps=3, dtype="float64") for d in both
    )
    np.testing.assert_allclose(
        one.trajectory["loss"].to_numpy(), other.trajectory["loss"].to_numpy(), rtol=1e-4
    )
    assert one.rank_test == other.rank_test
    few = written(tmp_path, N)  # its scores take a solve a sample
    for name, pair in (("gradient_dot", both), ("cosine", both), ("self_influence", few)):
        a, b = (attribution(name, model, d).scores for d in pair)
        np.testing.assert_allclose(a, b, atol=1e-4 * np.abs(a).max())
    a, b = (influence_matrix(model, d, memory.X_test[:3], memory.y_test[:3]) for d in both)
    np.testing.assert_allclose(a, b, atol=1e-4 * np.abs(a).max())


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 40), st.integers(1, 9), st.integers(1, 50), st.integers(0, 99))
def test_products_are_those_of_the_matrix(n, d, at_once, seed):
    rng = np.random.default_rng(seed)
    array, basis = rng.standard_normal((n, d)), np.linalg.qr(rng.standard_normal((d + 1, d + 1)))[0]
    whole_file = rows.Streamed.of(array, torch.float64, torch.device("cpu"))
    streamed = replace(whole_file, chunk=at_once).in_basis(torch.as_tensor(basis))
    whole = np.concatenate([array, np.ones((n, 1))], axis=1) @ basis
    V, M = rng.standard_normal((4, d + 1)), rng.standard_normal((3, n))
    assert streamed.shape == whole.shape and len(streamed) == n
    np.testing.assert_allclose(rows.times(streamed, torch.as_tensor(V)), V @ whole.T, atol=1e-12)
    np.testing.assert_allclose(rows.under(torch.as_tensor(M), streamed), M @ whole, atol=1e-12)
    np.testing.assert_allclose(torch.cat(list(streamed.split(at_once))), whole, atol=1e-12)
    some = torch.as_tensor(rng.integers(n, size=5))
    np.testing.assert_allclose(streamed[some], whole[some.numpy()], atol=1e-12)


def test_what_is_made_is_made_once_and_again_when_the_features_change(tmp_path):
    write(tmp_path / "big", arrays())
    first = load_dataset("big", tmp_path)
    (made,) = (tmp_path / "big").glob("standardised-*.npy")
    before = made.stat().st_mtime_ns
    assert load_dataset("big", tmp_path).content_hash == first.content_hash
    assert made.stat().st_mtime_ns == before
    changed = changed_at("big", tmp_path, ".npz")
    write(tmp_path / "big", arrays(seed=1))
    assert load_dataset("big", tmp_path).content_hash != first.content_hash
    assert len(list((tmp_path / "big").glob("*standardised-*.npy"))) == 1
    assert changed_at("big", tmp_path, ".npz") > changed
    assert dataset_names(tmp_path) == [*LOADERS, "big"]


def test_names_of_classes_are_lines_of_a_file(tmp_path):
    write(tmp_path / "big", arrays())
    (tmp_path / "big" / "class_names.txt").write_text("one\ntwo\nthree\n")
    assert load_dataset(tmp_path / "big").class_names == ("one", "two", "three")
    (tmp_path / "big" / "class_names.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InvalidDataset, match="is not UTF-8"):
        load_dataset(tmp_path / "big")


NAN = np.where(np.arange(N * D).reshape(N, D) == 20, np.nan, 1.0)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ({"y_test": None}, "lacks y_test.npy"),
        ({"X_test": np.zeros((M, D + 1))}, "X_test has 7 features but X_train has 6"),
        ({"X_train": np.array([[object()]])}, "cannot be read as a NumPy array without pickle"),
        (
            {"X_train": np.zeros(N)},
            r"both at least 1. Got \(90,\)",
        ),
        ({"y_train": np.full(N, -1)}, "holds label -1, which is negative"),
        ({"y_train": np.linspace(0, 1, N)}, "must hold integer labels"),
        ({"y_train": np.zeros(N, int), "y_test": np.zeros(M, int)}, "at least two classes"),
        ({"X_test": np.full((M, D), np.inf)}, "X_test holds 240 values that are NaN or infinite"),
        ({"X_train": NAN}, r"'big' cannot be used: .* the first in row 3, column 2 \(nan\)"),
    ],
)
def test_what_cannot_be_used_is_said(tmp_path, fault, said):
    parts = {**arrays(), **fault}
    write(tmp_path / "big", {k: v for k, v in parts.items() if v is not None})
    with pytest.raises(InvalidDataset, match=said):
        load_dataset("big", tmp_path)
