"""One index addresses a sample's thumbnail, its label and its row of features."""

import base64
import io

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from engine.data.bundled import digits
from engine.data.dataset import SPLITS, Dataset, Split
from pages.common.thumbnails import Samples, data_uri


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
