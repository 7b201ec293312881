"""From pictures to features: right, the same bytes whatever interrupts it, in bounded memory."""

import json
import multiprocessing
import random
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from engine.data.images.backbones import BACKBONES
from engine.data.images.extraction import BATCH, ImageSet, alone, prepare_features
from engine.data.load import load_dataset
from engine.data.raw_files import hash_of_file
from engine.errors import Cancelled, DataUnavailable, InvalidDataset
from engine.progress import Progress
from tests.support.image_layouts import (
    crop,
    digit_images,
    photographs,
    prepare_digits,
    prepare_digits_and_die,
    save_weights,
    tiny_backbone,
)

SEED = 11  # of the moments of death


def files(folder: Path) -> dict[str, bytes]:
    """Everything but the weights and the locks."""
    paths = (p for p in folder.rglob("*") if p.is_file() and p.suffix != ".lock")
    return {str(p.relative_to(folder)): p.read_bytes() for p in paths if p.suffix != ".pth"}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A preparation that nothing interrupted."""
    folder = tmp_path_factory.mktemp("whole")
    prepare_digits(str(folder))
    return folder


def test_the_files_are_a_data_set(whole: Path) -> None:
    assert set(files(whole)) == {
        "mine.npz", "mine.json", "thumbnails/mine.train.npy", "thumbnails/mine.test.npy",
    }  # fmt: skip
    dataset = load_dataset("mine", whole)
    assert dataset.X_train.shape == (200, 6)
    assert len(dataset.X_test) == len(dataset.X_holdout) == 50
    with np.load(whole / "mine.npz", allow_pickle=False) as kept:
        assert kept["X_train"].dtype == np.float16
        images = digit_images()
        assert np.array_equal(kept["y_test"], images.y_test)
    pictures = np.load(whole / "thumbnails/mine.test.npy", mmap_mode="r", allow_pickle=False)
    assert pictures.shape == (100, 32, 32, 3)
    expected = images.test[99].convert("RGB").resize((32, 32), Image.Resampling.LANCZOS)
    assert np.array_equal(pictures[99], np.asarray(expected))


def test_features_are_those_of_each_picture_alone(whole: Path) -> None:
    """Against the same convolution without batches, threads or files."""
    state = torch.load(next((whole / "raw").glob("*.pth")), weights_only=True)
    found = np.load(whole / "mine.npz", allow_pickle=False)["X_train"]
    for index in (0, BATCH - 1, BATCH, 199):
        picture = (
            digit_images().train[index].convert("RGB").resize((36, 36), Image.Resampling.BILINEAR)
        )
        pixels = np.asarray(picture)[2:34, 2:34].astype(np.float32) / 255
        x = torch.tensor((pixels - 0.5) / 0.5).permute(2, 0, 1)[None]
        y = torch.conv2d(x, state["0.weight"], state["0.bias"], stride=2).relu().mean((2, 3))[0]
        np.testing.assert_allclose(found[index], y.numpy(), rtol=2e-3, atol=2e-3)  # float16


def test_the_manifest_says_what_it_was_made_of(whole: Path) -> None:
    manifest = json.loads((whole / "mine.json").read_text())
    for name, expected in manifest["files"].items():
        assert hash_of_file(whole / name) == expected
    assert len(manifest["files"]) == 3
    [weights] = (whole / "raw").glob("*.pth")
    assert manifest["backbone"]["weights_sha256"] == hash_of_file(weights)
    assert manifest["source"] == {"made_of": "digits"}
    assert manifest["versions"]["torch"] == torch.__version__.split("+")[0]


@pytest.fixture(scope="module")
def fresh() -> multiprocessing.context.ForkServerContext:
    """New processes that have torch already."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["torch", "torchvision", "tests.support.image_layouts"])
    return context


def test_killed_before_any_write_it_ends_with_the_same_bytes(
    whole: Path, tmp_path: Path, fresh: multiprocessing.context.ForkServerContext
) -> None:
    """One death after the other, each a few writes further on; the last among the renames that end
    it, which every run does from the beginning."""
    moments = random.Random(SEED)
    calls = [moments.randint(4, 10) for _ in range(5)] + [25, *moments.sample(range(1, 15), 3)]
    deaths = 0
    for call in calls:
        process = fresh.Process(target=prepare_digits_and_die, args=(str(tmp_path), call))
        process.start()
        process.join(200)
        assert process.exitcode in (0, -9), f"seed {SEED}, after {deaths} deaths"
        deaths += process.exitcode == -9
    assert deaths >= 7, f"seed {SEED}"
    prepare_digits(str(tmp_path))
    assert files(tmp_path) == files(whole), f"seed {SEED}"


def test_killed_at_any_time_it_ends_with_the_same_bytes(
    whole: Path, tmp_path: Path, fresh: multiprocessing.context.ForkServerContext
) -> None:
    moments = random.Random(SEED)
    for _ in range(4):
        process = fresh.Process(target=prepare_digits, args=(str(tmp_path),))
        process.start()
        time.sleep(moments.uniform(0.05, 0.6))
        process.kill()
        process.join(60)
    prepare_digits(str(tmp_path))
    assert files(tmp_path) == files(whole), f"seed {SEED}"


def test_cancelled_it_goes_on_where_it_was(whole: Path, tmp_path: Path) -> None:
    images, backbone = digit_images(), tiny_backbone(tmp_path)

    def stop(progress: Progress) -> None:
        if progress.done >= 2 * BATCH:
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        prepare_features("mine", images, backbone, tmp_path, "cpu", stop)
    assert not (tmp_path / "mine.npz").exists()
    heard: list[int] = []
    prepare_features("mine", images, backbone, tmp_path, "cpu", lambda p: heard.append(p.done))
    assert heard[0] == 3 * BATCH  # two batches were not computed again
    assert heard[-1] == 300
    assert files(tmp_path) == files(whole)


def test_another_source_or_backbone_begins_anew(tmp_path: Path) -> None:
    backbone = tiny_backbone(tmp_path)

    def first(progress: Progress) -> None:
        raise Cancelled(f"at {progress.done}")

    for changed in (
        (digit_images(), replace(backbone, crop=30)),
        (replace(digit_images(), source={"made_of": "others"}), backbone),
        (replace(digit_images(), y_train=digit_images().y_train[::-1].copy()), backbone),
    ):
        with pytest.raises(Cancelled):
            prepare_features("mine", digit_images(), backbone, tmp_path, "cpu", first)
        with pytest.raises(Cancelled, match=f"at {BATCH}"):
            prepare_features("mine", *changed, tmp_path, "cpu", first)


def test_two_processes_do_not_prepare_the_same(tmp_path: Path) -> None:
    with alone("mine", tmp_path), pytest.raises(DataUnavailable, match="by another process"):
        prepare_digits(str(tmp_path))


class Damaged:
    def __len__(self) -> int:
        return 200

    def __getitem__(self, index: int) -> Image.Image:
        if index == 70:
            raise OSError("image file is truncated")
        return photographs()[0]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"train": Damaged()}, "Picture 70 of train cannot be read .image file is truncated"),
        ({"y_train": np.full(200, 10)}, "y_train holds label 10, but class_names has 10"),
    ],
)
def test_what_cannot_be_used_is_named(tmp_path: Path, change: dict, words: str) -> None:
    images = replace(digit_images(), **change)
    with pytest.raises(InvalidDataset, match=words):
        prepare_features("mine", images, tiny_backbone(tmp_path), tmp_path, "cpu")


def test_other_weights_are_refused(tmp_path: Path) -> None:
    backbone = tiny_backbone(tmp_path)
    (tmp_path / "raw" / backbone.weights).write_bytes(b"others")
    with pytest.raises(DataUnavailable, match="are not those of Tiny"):
        backbone.load(tmp_path)
    weights = save_weights({"wrong": torch.zeros(1)}, "tiny", tmp_path / "raw")
    with pytest.raises(DataUnavailable, match="does not hold the weights of Tiny"):
        replace(backbone, weights=weights).load(tmp_path)


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataUnavailable, match="cannot be prepared"):
        prepare_features("mine", digit_images(), tiny_backbone(tmp_path), tmp_path / "file", "cpu")


def test_a_disk_that_is_too_full_is_said_before_it_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=1_000_000))
    with pytest.raises(DataUnavailable, match=r"2 MB are needed, 1 MB are free.*Make room"):
        prepare_digits(str(tmp_path))


def test_resnet50_is_torchvisions_with_its_preprocessing(tmp_path: Path) -> None:
    """Seeded random weights from a local file; against a hook on torchvision's own network."""
    from torchvision.models import ResNet50_Weights, resnet50

    torch.manual_seed(0)
    network = resnet50().eval()
    official = BACKBONES["resnet50"]
    assert ResNet50_Weights.IMAGENET1K_V1.url.endswith(official.weights)
    weights = save_weights(network.state_dict(), "resnet50", tmp_path / "raw")
    backbone = replace(official, weights=weights)
    pictures = [crop(i, i) for i in range(4)] + [crop(0, 9).convert("L")]
    y = np.array([0, 1, 0, 1, 0])
    images = ImageSet(("palace", "flower"), pictures, y, pictures[:2], y[:2])
    path = prepare_features("mine", images, backbone, tmp_path, "cpu")
    found = np.load(path, allow_pickle=False)["X_train"]
    assert found.shape == (5, 2048)
    kept: list[torch.Tensor] = []
    network.avgpool.register_forward_hook(lambda m, i, output: kept.append(output.flatten(1)))
    preset = ResNet50_Weights.IMAGENET1K_V1.transforms()
    with torch.inference_mode():
        network(torch.stack([preset(picture.convert("RGB")) for picture in pictures]))
    expected = kept[0].numpy()
    assert np.abs(found - expected).max() < 2e-3 * np.abs(expected).max()  # float16


def test_efficientnet_lite2_knows_a_palace_and_tells_photographs_apart(tmp_path: Path) -> None:
    """The weights of the package: with the head that belongs to them the palace is one (ImageNet's
    class 698), and parts of one photograph are nearer to each other than to the other's."""
    backbone = BACKBONES["efficientnet_lite2"]
    loaded = backbone.load(tmp_path)
    preprocess = backbone.preprocess()
    pictures = [*photographs(), *(crop(i % 2, i) for i in range(6))]
    with torch.inference_mode():
        features = loaded.module(torch.stack([preprocess(p) for p in pictures]))
    assert features.shape == (8, backbone.n_features)
    state = torch.load(backbone.locate(backbone, tmp_path, print), weights_only=True)
    logits = features[0] @ state["_fc.weight"].T + state["_fc.bias"]
    assert int(logits.argmax()) == 698
    unit = torch.nn.functional.normalize(features[2:], dim=1)
    similar = (unit @ unit.T).numpy()
    same = np.equal.outer(np.arange(6) % 2, np.arange(6) % 2)
    others = same & ~np.eye(6, dtype=bool)
    assert similar[others].min() > similar[~same].max()
