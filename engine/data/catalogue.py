"""The registry of data sets: one description each, and the only place for its title, size, licence
and citation. What of them is on this machine says `inventory`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from engine.checks import check_choice
from engine.data.images.backbones import BACKBONES, DEFAULT, Backbone

Kind = Literal["bundled", "images", "fairness"]


@dataclass(frozen=True)
class Description:
    """What a data set is. `rows` are samples by split, as they are prepared here; n_features is
    None where the backbone decides, and download_mb what is fetched once, 0 for nothing."""

    name: str
    title: str
    kind: Kind
    what: str
    rows: Mapping[str, int]
    n_classes: int
    n_features: int | None
    split: str
    licence: str
    citation: str
    url: str
    download_mb: float

    @property
    def origin(self) -> str:
        """Who made it, and what one may do with it, in a sentence."""
        return f"{self.citation}; {self.licence}."


SETS = {
    d.name: d
    for d in (
        Description(
            name="digits",
            title="Handwritten digits",
            kind="bundled",
            what="8 × 8 pixels each, which are the features.",
            rows={"train": 1200, "test": 597},
            n_classes=10,
            n_features=64,
            split="stratified, seed 0",
            licence="CC BY 4.0",
            citation="Alpaydin and Kaynak (1998), Optical Recognition of Handwritten Digits, UCI; "
            "the test part, as in scikit-learn",
            url="https://archive.ics.uci.edu/dataset/80",
            download_mb=0,
        ),
        Description(
            name="cifar10",
            title="CIFAR-10",
            kind="images",
            what="Small colour photographs, 32 × 32 pixels: vehicles and animals.",
            rows={"train": 50_000, "test": 10_000},
            n_classes=10,
            n_features=None,
            split="its own train and test files",
            licence="no licence is stated",
            citation="Krizhevsky (2009), Learning Multiple Layers of Features from Tiny Images",
            url="https://www.cs.toronto.edu/~kriz/cifar.html",
            download_mb=170,
        ),
        Description(
            name="oxford_pets",
            title="Oxford-IIIT Pet",
            kind="images",
            what="Photographs of cats and dogs by breed.",
            rows={"train": 3_680, "test": 3_669},
            n_classes=37,
            n_features=None,
            split="its own trainval and test lists",
            licence="CC BY-SA 4.0",
            citation="Parkhi, Vedaldi, Zisserman and Jawahar (2012), Cats and Dogs, CVPR",
            url="https://www.robots.ox.ac.uk/~vgg/data/pets/",
            download_mb=811,
        ),
        Description(
            name="caltech101",
            title="Caltech-101",
            kind="images",
            what="Photographs of objects in 101 categories; the background images are left out.",
            rows={"train": 6_941, "test": 1_736},
            n_classes=101,
            n_features=None,
            split="stratified by category, a fifth for test, seed 0",
            licence="CC BY 4.0",
            citation="Li, Andreeto, Ranzato and Perona (2022), Caltech 101, CaltechDATA",
            url="https://data.caltech.edu/records/20086",
            download_mb=137,
        ),
        Description(
            name="german",
            title="German credit",
            kind="fairness",
            what="Credit applicants: good or bad risk; groups by age.",
            rows={"train": 600, "validation": 200, "test": 200},
            n_classes=2,
            n_features=56,
            split="in the file's order",
            licence="CC BY 4.0",
            citation="Hofmann (1994), Statlog (German Credit Data), UCI",
            url="https://archive.ics.uci.edu/dataset/144",
            download_mb=0.1,
        ),
        Description(
            name="compas",
            title="COMPAS",
            kind="fairness",
            what="Defendants: rearrested within two years or not; groups by race.",
            rows={"train": 3_700, "validation": 1_234, "test": 1_233},
            n_classes=2,
            n_features=433,
            split="in the file's order",
            licence="no licence is stated",
            citation="Larson, Mattu, Kirchner and Angwin (2016), How We Analyzed the COMPAS "
            "Recidivism Algorithm, ProPublica",
            url="https://github.com/propublica/compas-analysis",
            download_mb=2.5,
        ),
        Description(
            name="adult",
            title="Adult",
            kind="fairness",
            what="People of the 1994 US census: income above $50K or not; groups by sex.",
            rows={"train": 22_622, "validation": 7_540, "test": 15_060},
            n_classes=2,
            n_features=102,
            split="its own test file; a quarter of the rest for validation",
            licence="CC BY 4.0",
            citation="Becker and Kohavi (1996), Adult, UCI",
            url="https://archive.ics.uci.edu/dataset/2",
            download_mb=6,
        ),
    )
}
IMAGES = tuple(d.name for d in SETS.values() if d.kind == "images")


def features_name(name: str, backbone: str) -> str:
    """What an image set is called with the features of a backbone: 'cifar10', the paper's, or
    'cifar10-efficientnet_lite2'."""
    return name if backbone == DEFAULT else f"{name}-{backbone}"


FEATURES: Mapping[str, tuple[Description, Backbone]] = {
    features_name(name, backbone): (SETS[name], entry)
    for name in IMAGES
    for backbone, entry in BACKBONES.items()
}
ORIGINAL_FOLDERS = ("cifar-10-batches-py", "oxford-iiit-pet")  # torchvision's, beside yours
NAMES = tuple(dict.fromkeys([*SETS, *FEATURES, *ORIGINAL_FOLDERS]))  # no data of your own has these


def description(name: object) -> Description:
    """The data set of that name. Raises InvalidInput."""
    return SETS[check_choice("data set", name, SETS)]
