"""One index addresses a sample's thumbnail, its label and its row of features."""

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from engine.data.dataset import SPLITS, Dataset, Picked, Split
from engine.data.load import load_dataset
from engine.data.sources.bundled import digits
from engine.data.sources.features_file import changed_at
from engine.data.sources.thumbnails import thumbnail_paths
from engine.errors import InvalidDataset
from pages.common.samples import Samples, data_uri
from pages.common.widgets.blocks import portrait


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return digits()


def decoded(uri: str) -> np.ndarray:
    head, body = uri.split(",")
    assert head == "data:image/png;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(body)))) / 255


@pytest.mark.parametrize("split", SPLITS)
def test_thumbnail_label_and_row_are_of_one_sample(dataset: Dataset, split: Split) -> None:
    samples = Samples(dataset, split)
    assert dataset.images is not None
    X, y = dataset.split(split)
    # Every feature is one pixel, standardised: the row must be the thumbnail's picture.
    original = load_digits()
    scale = original.data.std(axis=0)
    pixel = int(scale.argmax())
    pictures = getattr(dataset.images, split).reshape(len(X), -1)
    slope = np.corrcoef(X[:, pixel], pictures[:, pixel])[0, 1]
    assert slope == pytest.approx(-1, abs=1e-5)  # black ink is 1 in the features, 0 in the picture
    known = {image.tobytes(): label for image, label in zip(
        (1 - original.images / 16).astype(np.float32), original.target, strict=True
    )}  # fmt: skip
    for index in np.random.default_rng(0).choice(len(X), 40, replace=False):
        picture = getattr(dataset.images, split)[index]
        assert samples.label(index) == str(y[index]) == str(known[picture.tobytes()])
        uri = samples.thumbnail(index)
        assert uri is not None
        small = Image.fromarray((decoded(uri) * 255).astype(np.uint8)).resize((8, 8))
        agreement = np.corrcoef(np.asarray(small).ravel(), picture.ravel())[0, 1]
        assert agreement > 0.95, f"sample {index} of {split}"  # resampling blurs a little
    assert samples.labels().tolist() == [samples.label(i) for i in range(len(samples))]


def test_a_picture_keeps_its_proportions_and_colours() -> None:
    red = np.zeros((10, 20, 3))
    red[..., 0] = 1
    shown = decoded(data_uri(red, pixels=40))
    assert shown.shape == (20, 40, 3)
    assert shown.mean(axis=(0, 1)) == pytest.approx([1, 0, 0])


def test_features_alone_have_no_thumbnail(dataset: Dataset) -> None:
    bare = Dataset(**{
        name: getattr(dataset, name)
        for name in Dataset.__dataclass_fields__ if name != "images"
    })  # fmt: skip
    assert Samples(bare).thumbnail(3) is None
    assert not Samples(bare).pictured


# Thumbnails beside a features file


def features_file(folder: Path, n_train: int = 12, n_test: int = 8) -> Path:
    """A features file of two classes whose only feature is the sample's number in the file."""
    path = folder / "photos.npz"
    np.savez(
        path,
        X_train=np.arange(n_train, dtype=float)[:, None],
        y_train=np.arange(n_train) % 2,
        X_test=np.arange(n_test, dtype=float)[:, None],
        y_test=np.arange(n_test) % 2,
    )
    return path


def write_thumbnails(features: Path, train: np.ndarray, test: np.ndarray) -> None:
    for path, pictures in zip(thumbnail_paths(features), (train, test), strict=True):
        path.parent.mkdir(exist_ok=True)
        np.save(path, pictures)


def painted(n: int, first: int = 0) -> np.ndarray:
    """Sample i is all of the colour (i + first, 2 i, 3 i)."""
    i = np.arange(n)
    colours = np.stack([i + first, 2 * i, 3 * i], axis=1).astype(np.uint8)
    return np.broadcast_to(colours[:, None, None], (n, 32, 32, 3))


def test_thumbnails_follow_their_samples_through_the_splits_and_stay_on_disk(
    tmp_path: Path,
) -> None:
    path = features_file(tmp_path)
    write_thumbnails(path, painted(12), painted(8, first=100))
    dataset = load_dataset(path)
    assert dataset.images is not None
    assert isinstance(dataset.images.train, np.memmap)
    scale, raw = np.arange(12.0).std(), np.arange(12.0).mean()
    for split, first in zip(SPLITS, (0, 100, 100), strict=True):
        samples, X = Samples(dataset, split), dataset.split(split)[0]
        assert samples.pictured
        for index in range(len(X)):
            number = round(float(X[index, 0]) * scale + raw)  # in the file
            uri = samples.thumbnail(index)
            assert uri is not None
            colour = np.rint(decoded(uri)[0, 0] * 255).astype(int).tolist()
            assert colour == [number + first, 2 * number, 3 * number], (split, index)
    for split in ("test", "holdout"):
        pictures = getattr(dataset.images, split)
        assert isinstance(pictures, Picked) and isinstance(pictures.whole, np.memmap)


def test_thumbnails_change_no_content_hash_but_the_time_of_change(tmp_path: Path) -> None:
    path = features_file(tmp_path)
    bare, before = load_dataset(path), changed_at("photos", tmp_path, ".npz")
    write_thumbnails(path, painted(12), painted(8))
    assert load_dataset(path).content_hash == bare.content_hash
    assert changed_at("photos", tmp_path, ".npz") > before
    assert bare.images is None


@pytest.mark.parametrize(
    ("train", "words"),
    [
        (painted(11), r"are 11, but the features have 12 samples"),
        (painted(12).astype(np.float32), r"must be uint8 .* Got float32"),
        (painted(12)[..., :2], r"must be uint8 .* shape \(12, 32, 32, 2\)"),
        (painted(12)[:, :, 0, 0], r"must be uint8 .* shape \(12, 32\)"),
        (np.zeros((12, 0, 32), np.uint8), r"shape \(12, 0, 32\)"),
        (np.zeros((12, 1025, 2), np.uint8), r"at most 1024 pixels"),
        (np.array([{}] * 12, dtype=object), r"cannot be read as \.npy without pickle"),
    ],
)
def test_thumbnails_that_do_not_fit_are_refused(
    tmp_path: Path, train: np.ndarray, words: str
) -> None:
    path = features_file(tmp_path)
    write_thumbnails(path, train, painted(8))
    with pytest.raises(InvalidDataset, match=words) as caught:
        load_dataset(path)
    assert "delete 'thumbnails/photos.train.npy'" in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"no array", "cut", "archive"])
def test_damaged_thumbnails_are_refused(tmp_path: Path, content: bytes | str) -> None:
    path = features_file(tmp_path)
    write_thumbnails(path, painted(12), painted(8))
    train, _ = thumbnail_paths(path)
    if content == "cut":
        train.write_bytes(train.read_bytes()[:500])
    elif content == "archive":
        train.write_bytes(path.read_bytes())
    else:
        train.write_bytes(content)  # type: ignore[arg-type]
    with pytest.raises(InvalidDataset, match=r"The thumbnails 'photos\.train\.npy'"):
        load_dataset(path)


def test_one_half_of_the_thumbnails_is_refused(tmp_path: Path) -> None:
    path = features_file(tmp_path)
    write_thumbnails(path, painted(12), painted(8))
    thumbnail_paths(path)[1].unlink()
    with pytest.raises(InvalidDataset, match=r"but not 'photos\.test\.npy'"):
        load_dataset(path)


# What stands in place of a picture


def named_features(folder: Path, names: list[str] | None) -> Path:
    """Two features, of which the second is far from its mean in sample 3 alone."""
    path = folder / "table.npz"
    X = np.column_stack([np.arange(40) % 5, np.zeros(40)]).astype(float)
    X[3, 1] = 1
    arrays: dict[str, Any] = {"X_train": X, "y_train": np.arange(40) % 2, "X_test": X[:8]}
    extra: dict[str, Any] = {} if names is None else {"feature_names": np.array(names)}
    np.savez(path, **arrays, y_test=np.arange(8) % 2, **extra)
    return path


def test_a_sample_without_a_picture_is_shown_by_its_most_unusual_features(tmp_path: Path) -> None:
    samples = Samples(load_dataset(named_features(tmp_path, ["age", "in <debt>"])))
    # A single 1 among 40: (1 − 1/40) / sqrt(1/40 · 39/40) = sqrt(39) = 6.24; 3 of 0…4: 1 / sqrt(2).
    assert samples.features(3) == ["in <debt> +6.2 σ", "age +0.7 σ"]
    assert samples.features(0) == ["age −1.4 σ", "in <debt> −0.2 σ"]
    assert samples.features(3, most=1) == ["in <debt> +6.2 σ"]
    shown = portrait(samples, 3)
    assert "in &lt;debt&gt; +6.2&nbsp;σ" in shown and "<img" not in shown
    numbered = Samples(load_dataset(named_features(tmp_path, None)))
    assert numbered.features(3) == ["feature 1 +6.2 σ", "feature 0 +0.7 σ"]


def test_a_portrait_is_the_picture_where_there_is_one(dataset: Dataset) -> None:
    samples = Samples(dataset, "holdout")
    shown = portrait(samples, 5)
    assert f'src="{samples.thumbnail(5)}"' in shown
    assert f"unseen sample 5 (class “{samples.label(5)}”)" in shown
    assert "σ" not in shown


def test_feature_names_are_as_many_as_features(tmp_path: Path) -> None:
    with pytest.raises(InvalidDataset, match="feature_names has 3 names, but there are 2 features"):
        load_dataset(named_features(tmp_path, ["a", "b", "c"]))
