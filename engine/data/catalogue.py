"""The registry of data sets: one description each, and the only place for its title, size, licence
and citation. What of them is on this machine says `inventory`."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from engine.checks import check_choice
from engine.data.images.backbones import BACKBONES, DEFAULT, Backbone

SetKind = Literal["bundled", "images", "fairness"]


@dataclass(frozen=True)
class Description:
    """What a data set is. `rows` are samples by split, as they are prepared here; n_features is
    None where the backbone decides, and download_mb what is fetched once, 0 for nothing."""

    name: str
    title: str
    kind: SetKind
    what: str
    rows: Mapping[str, int]
    n_classes: int
    split: str
    licence: str
    citation: str
    url: str
    download_mb: float
    n_features: int | None = None

    @property
    def origin(self) -> str:
        """Return in a sentence who made the data and under which licence they may be used."""
        return f"{self.citation}; {self.licence}."


LISTED = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
SETS = {name: Description(name=name, **about) for name, about in LISTED.items()}
IMAGES = tuple(d.name for d in SETS.values() if d.kind == "images")


def features_name(name: str, backbone: str) -> str:
    """Return what an image set is called with the features of a backbone: 'cifar10', the paper's,
    or 'cifar10-efficientnet_lite2'."""
    return name if backbone == DEFAULT else f"{name}-{backbone}"


FEATURES: Mapping[str, tuple[Description, Backbone]] = {
    features_name(name, backbone): (SETS[name], entry)
    for name in IMAGES
    for backbone, entry in BACKBONES.items()
}
ORIGINAL_FOLDERS = ("cifar-10-batches-py", "oxford-iiit-pet")  # torchvision's, beside yours
NAMES = tuple(dict.fromkeys([*SETS, *FEATURES, *ORIGINAL_FOLDERS]))  # no data of your own has these


def description(name: object) -> Description:
    """Return the data set of that name. Raises InvalidInput."""
    return SETS[check_choice("data set", name, SETS)]
