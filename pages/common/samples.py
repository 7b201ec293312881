"""What a page shows of a sample. One index addresses its picture, label and row."""

import base64
import io
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from engine.data.dataset import Dataset, Split

NOUNS: dict[Split, str] = {
    "train": "sample",
    "test": "test sample",
    "holdout": "unseen sample",
}
PIXELS = 56  # enough for a sharp 28 px picture on a screen with two pixels per point


def data_uri(image: NDArray, pixels: int = PIXELS) -> str:
    """Return an (h, w[, 3]) picture, uint8 or floats in [0, 1] (1 is white), as a PNG in a data URI
    `pixels` wide."""
    values = np.asarray(image)
    if values.dtype != np.uint8:
        values = np.rint(np.clip(values.astype(np.float64), 0, 1) * 255).astype(np.uint8)
    return _encoded(values.tobytes(), values.shape, pixels)


# Kept by content: what is kept by its data set would keep the data set in memory.
@lru_cache(maxsize=4096)
def _encoded(values: bytes, shape: tuple[int, ...], pixels: int) -> str:
    size = (pixels, max(1, round(pixels * shape[0] / shape[1])))
    picture = Image.fromarray(np.frombuffer(values, np.uint8).reshape(shape))
    buffer = io.BytesIO()
    picture.resize(size, Image.Resampling.BICUBIC).save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def shortened(name: str, most: int = 28) -> str:
    return name if len(name) <= most else f"{name[: most - 1]}…"


def deviation(value: float) -> str:
    """'+3.1 σ', with a true minus sign."""
    return f"{value:+.1f} σ".replace("-", "−")


@dataclass(frozen=True, eq=False)
class Samples:
    """The samples of one split, as they are shown."""

    dataset: Dataset
    split: Split = "train"

    def __len__(self) -> int:
        return len(self.dataset.split(self.split)[1])

    @property
    def pictured(self) -> bool:
        """Return whether the samples have pictures; features alone have none."""
        return self.dataset.images is not None

    def class_name(self, label: int) -> str:
        return self.dataset.class_names[int(label)]

    def label(self, index: int) -> str:
        """Return the name of the sample's class."""
        return self.class_name(self.dataset.split(self.split)[1][index])

    def labels(self) -> NDArray[np.str_]:
        """Return the names of all samples' classes, (samples,)."""
        return np.asarray(self.dataset.class_names)[self.dataset.split(self.split)[1]]

    def thumbnail(self, index: int) -> str | None:
        """Return the sample's picture as a data URI; None where the data set has no pictures."""
        if self.dataset.images is None:
            return None
        return data_uri(getattr(self.dataset.images, self.split)[int(index)])

    def features(self, index: int, most: int = 3) -> list[str]:
        """Return the features in which the sample is farthest from the training data's mean, in
        standard deviations, the farthest first: what is shown of it where there are no pictures."""
        row = self.dataset.split(self.split)[0][index]
        names = self.dataset.feature_names
        chosen = np.argsort(-np.abs(row), kind="stable")[:most]
        return [
            f"{f'feature {i}' if names is None else shortened(names[i])} {deviation(row[i])}"
            for i in chosen
        ]

    def describe(self, index: int) -> str:
        """'sample 16 (class “2”)', 'unseen sample 5 (class “1”)'"""
        return f"{NOUNS[self.split]} {index} (class “{self.label(index)}”)"


def hover_names(samples: Samples | None, n: int) -> list[str]:
    """Return what hovers call the samples: with their class, where the data is on this machine."""
    if samples is None:
        return [f"<b>sample {i}</b>" for i in range(n)]
    return [f"<b>sample {i}</b>, class “{label}”" for i, label in enumerate(samples.labels())]
