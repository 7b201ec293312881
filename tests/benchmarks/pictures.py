"""Preparing as many pictures as CIFAR-10 has: peak memory, and what a picture takes the networks.

CIFAR-10's layout with random pixels, 50,000 and 10,000. ResNet-50, with random weights, computes
the first batches at its full size, which is what its memory depends on; the others are given what
it gave last, so that this takes minutes.
"""

import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from engine.data.images.backbones import BACKBONES, Backbone, Loaded, resnet50
from engine.data.images.extraction import BATCH, ImageSet, prepare_features
from engine.speed.memory import from_status

N_TRAIN, N_TEST, FULL_BATCHES, MOST_MB = 50_000, 10_000, 3, 2048
TIMED = 16  # pictures


class Brief(nn.Module):
    """A network for the first batches, at the size of its input; then what it gave last."""

    def __init__(self, network: nn.Module, crop: int) -> None:
        super().__init__()
        self.network, self.crop, self.left = network, crop, FULL_BATCHES
        self.last = torch.empty(0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.left:
            self.left -= 1
            self.last = self.network(nn.functional.interpolate(x, size=(self.crop, self.crop)))
        return self.last[: len(x)]


@dataclass(frozen=True)
class Random(Backbone):
    """ResNet-50 with random weights; small pictures are not enlarged one by one."""

    def load(self, data_dir: Path, say: Any = print) -> Loaded:
        from torchvision.models import resnet50 as make

        network = Brief(resnet50(make().state_dict()).eval().requires_grad_(False), 224)
        return Loaded(self, network, "random")


class Pixels:
    """Random pictures, as torchvision holds CIFAR-10: one array in memory."""

    def __init__(self, n: int) -> None:
        self.data = np.random.default_rng(n).integers(0, 256, (n, 32, 32, 3), dtype=np.uint8)

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: int) -> Any:
        from PIL import Image

        return Image.fromarray(self.data[index])


def memory() -> None:
    official = BACKBONES["resnet50"]
    fields = {name: getattr(official, name) for name in official.__dataclass_fields__}
    backbone = replace(Random(**fields), resize=32, crop=32)
    images = ImageSet(
        tuple(map(str, range(10))),
        Pixels(N_TRAIN),
        np.arange(N_TRAIN) % 10,
        Pixels(N_TEST),
        np.arange(N_TEST) % 10,
    )
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        path = prepare_features("random", images, backbone, Path(folder), "cpu")
        seconds = time.perf_counter() - began
        peak = from_status("VmHWM")
        print(
            f"  {N_TRAIN + N_TEST:,} pictures, {FULL_BATCHES} batches of {BATCH} of them through "
            f"ResNet-50: peak {peak:,.0f} MB of {MOST_MB:,}; {path.stat().st_size / 1e6:.0f} MB of "
            f"features; {seconds:.0f} s without most of the network"
        )
    if peak > MOST_MB:
        raise SystemExit("MISSED: more memory than CIFAR-10 may take")


def speed() -> None:
    from torchvision.models import resnet50 as make

    lite = BACKBONES["efficientnet_lite2"]
    networks = {
        BACKBONES["resnet50"]: resnet50(make().state_dict()).eval(),
        lite: lite.load(Path(tempfile.gettempdir())).module,
    }
    for backbone, network in networks.items():
        x = torch.zeros(TIMED, 3, backbone.crop, backbone.crop)
        x = x.to(memory_format=torch.channels_last)
        network = network.to(memory_format=torch.channels_last)
        with torch.inference_mode():
            network(x)
            began = time.process_time()
            network(x)
        took = (time.process_time() - began) / TIMED
        print(f"  {backbone.title}: {took * 1e3:.0f} ms of processor time a picture on this CPU")


def main() -> None:
    memory()
    speed()


if __name__ == "__main__":
    main()
