"""Data of one's own: what it would become, and that it becomes that; nothing is ever replaced."""

import io
import itertools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from engine.commands import data
from engine.data.intake import images, labelled_table, take_in
from engine.data.intake.images import arrange, image_set
from engine.data.load import dataset_names, load_dataset
from engine.data.sources.bundled import LOADERS
from engine.data.untrusted.pictures import open_picture
from engine.errors import DataUnavailable, InvalidDataset, InvalidInput
from engine.progress import ignore
from engine.settings import read_settings
from tests.support import hostile


def corner(picture: Image.Image) -> tuple[int, ...]:
    """The channels of the first pixel."""
    channels = picture.getpixel((0, 0))
    assert isinstance(channels, tuple)
    return channels


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Ninety rows: two columns of numbers, a category of three values, one of two, and a label."""
    rng = np.random.default_rng(3)
    frame = pd.DataFrame(
        {
            "height": rng.normal(size=90).round(3),
            "fruit": rng.choice(["fig", "kiwi", "plum"], 90),
            "age": rng.integers(1, 99, 90),
            "ripe": rng.choice(["no", "yes"], 90),
            "label": np.arange(90) % 3 * 5,  # 0, 5, 10: in this order, not 0, 10, 5
        }
    )
    frame.to_csv(tmp_path / "mine.csv", index=False)
    return tmp_path / "mine.csv"


def taken(path: Path, data_dir: Path, **options: Any) -> dict[str, np.ndarray]:
    """The arrays of the features file that a file becomes."""
    name = take_in.name_for(path.name)
    take_in.accept(path, name, data_dir, **options)
    with np.load(data_dir / f"{name}.npz", allow_pickle=False) as archive:
        return dict(archive)


# Tables


def test_a_table_becomes_what_pandas_makes_of_it(table: Path, tmp_path: Path) -> None:
    arrays = taken(table, tmp_path / "data")
    frame = pd.read_csv(table)
    X = pd.get_dummies(frame.drop(columns="label"), columns=["fruit", "ripe"]).astype(float)
    X = X.drop(columns="ripe_no")  # of two values one column is enough
    X.columns = X.columns.str.replace("_", " = ")
    rows = np.concatenate([arrays["X_train"], arrays["X_test"]])
    y = np.concatenate([arrays["y_train"], arrays["y_test"]])
    names = arrays["feature_names"].tolist()
    assert sorted(names) == sorted(X.columns)
    expected = np.c_[X[names].to_numpy(), frame["label"] / 5]
    found = np.c_[rows, y]
    order = np.lexsort(found.T), np.lexsort(expected.T)
    np.testing.assert_array_equal(found[order[0]], expected[order[1]])
    assert arrays["class_names"].tolist() == ["0", "5", "10"]
    dataset = load_dataset("mine", tmp_path / "data")
    assert (dataset.n_train, dataset.n_features) == (60, 6)
    assert dataset.feature_names == tuple(names)


def test_the_same_table_as_parquet_is_the_same_data_set(table: Path, tmp_path: Path) -> None:
    pd.read_csv(table).to_parquet(tmp_path / "other.parquet")
    first, second = taken(table, tmp_path / "a"), taken(tmp_path / "other.parquet", tmp_path / "a")
    for name, array in first.items():
        np.testing.assert_array_equal(array, second[name])


def test_the_preview_says_what_is_taken(table: Path, tmp_path: Path) -> None:
    text = table.read_text().splitlines()
    text[4] = text[4].replace(text[4].split(",")[0], "tall", 1)
    text[7] = ",".join(["", *text[7].split(",")[1:]])
    table.write_text("\n".join(text))
    seen = take_in.preview(table, test_share=0.2)
    assert [(p.where, p.column, p.value) for p in seen.problems] == [
        ("row 4", "height", "tall"),
        ("row 7", "height", ""),
    ]
    assert (seen.n_problems, seen.dropped, seen.n_train + seen.n_test) == (2, 2, 88)
    arrays = taken(table, tmp_path / "data", test_share=0.2)
    assert seen.n_features == arrays["X_train"].shape[1]
    np.testing.assert_array_equal(seen.classes["train"], np.bincount(arrays["y_train"]))
    np.testing.assert_array_equal(seen.classes["test"], np.bincount(arrays["y_test"]))


def test_another_column_can_be_the_label(table: Path, tmp_path: Path) -> None:
    assert taken(table, tmp_path, label="ripe")["class_names"].tolist() == ["no", "yes"]
    with pytest.raises(InvalidInput, match=r"'mine\.csv'.*'height', 'fruit'.*Got 'colour'"):
        take_in.preview(table, label="colour")


@pytest.mark.parametrize("share", [0, 1, -0.5, 0.99, float("nan")])
def test_a_test_share_that_is_none(table: Path, share: float) -> None:
    with pytest.raises(InvalidInput, match="test share"):
        take_in.preview(table, test_share=share)


@given(
    sizes=st.lists(st.integers(3, 40), min_size=2, max_size=6),
    share=st.floats(0.05, 0.9),
    seed=st.integers(0, 99),
)
def test_every_class_is_split_as_the_whole_is(sizes: list[int], share: float, seed: int) -> None:
    y = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)), sizes))
    train, test = labelled_table.split(y, share, seed)
    assert sorted([*train, *test]) == list(range(len(y)))
    for label, size in enumerate(sizes):
        number = int((y[test] == label).sum())
        assert 2 <= number < size
        if 2.5 <= share * size <= size - 1.5:
            assert abs(number - share * size) <= 0.5
    again = labelled_table.split(y, share, seed)
    np.testing.assert_array_equal(test, again[1])


# Features


def test_features_are_kept_byte_for_byte(tmp_path: Path) -> None:
    path = tmp_path / "mine.npz"
    hostile.npz()(path)
    assert take_in.accept(path, "mine", tmp_path / "data") == "features"
    assert (tmp_path / "data" / "mine.npz").read_bytes() == path.read_bytes()
    assert dataset_names(tmp_path / "data") == [*LOADERS, "mine"]


def test_rows_without_numbers_are_left_out_of_features(tmp_path: Path) -> None:
    path = tmp_path / "mine.npz"
    hostile.with_value("X_train", 3, 1, np.nan)(path)
    seen, good = take_in.preview(path), hostile.good()
    assert (seen.dropped, seen.n_train, seen.n_test) == (1, 29, 12)
    arrays = taken(path, tmp_path / "data")
    np.testing.assert_array_equal(arrays["X_train"], np.delete(good["X_train"], 3, axis=0))
    np.testing.assert_array_equal(arrays["y_train"], np.delete(good["y_train"], 3))


def test_a_link_that_the_operator_put_into_the_data_directory_is_followed(tmp_path: Path) -> None:
    hostile.npz()(tmp_path / "elsewhere.npz")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "mine.npz").symlink_to(tmp_path / "elsewhere.npz")
    assert load_dataset("mine", tmp_path / "data").n_train == 30


# Images


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    """Twelve images of two classes, every one of its own grey."""
    grey = itertools.count(10, 10)
    members = {
        f"{c}/{i}.png": hostile.encoded(Image.new("RGB", (9, 7), (next(grey),) * 3))
        for c in ("cat", "dog")
        for i in range(6)
    }
    hostile.folder(members)(tmp_path / "pets")
    return tmp_path / "pets"


def test_images_keep_their_bytes_and_their_labels(pets: Path, tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    assert take_in.accept(pets, "pets", data_dir) == "images"
    kept = [p.read_bytes() for p in (data_dir / "raw" / "pets").rglob("*.png")]
    assert sorted(kept) == sorted(p.read_bytes() for p in pets.rglob("*.png"))
    images = image_set("pets", data_dir)
    assert images.class_names == ("cat", "dog")
    seen = []
    for part in ("train", "test"):
        pictures, labels = images.split(part)
        for i, label in enumerate(labels):
            grey = corner(pictures[i])[0]
            assert (grey > 60) == label  # cats are 10 to 60, dogs 70 to 120
            seen.append(grey)
    assert sorted(seen) == list(range(10, 130, 10))
    assert (len(images.y_train), len(images.y_test)) == (8, 4)


def test_a_zip_of_the_folder_is_the_same_images(pets: Path, tmp_path: Path) -> None:
    members = {f"x/{p.relative_to(pets).as_posix()}": p.read_bytes() for p in pets.rglob("*.png")}
    hostile.zipped(members)(tmp_path / "pets.zip")
    take_in.accept(pets, "a", tmp_path / "data")
    take_in.accept(tmp_path / "pets.zip", "b", tmp_path / "data")
    digests = {image_set(name, tmp_path / "data").source["digest"] for name in "ab"}
    assert len(digests) == 1


def test_folders_named_train_and_test_are_the_split(pets: Path, tmp_path: Path) -> None:
    (pets / "train").mkdir()
    for name in ("cat", "dog"):
        (pets / name).rename(pets / "train" / name)
        (pets / "test" / name).mkdir(parents=True)
        for number in (1, 4):
            (pets / "train" / name / f"{number}.png").rename(pets / "test" / name / f"{number}.png")
    take_in.accept(pets, "pets", tmp_path / "data")
    images = image_set("pets", tmp_path / "data")
    assert [corner(images.test[i])[0] for i in range(4)] == [20, 50, 80, 110]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["cat/1.png", "dog/2.JPG"], [("", "cat"), ("", "dog")]),
        (["a/cat/1.png", "a/dog/2.png"], [("", "cat"), ("", "dog")]),
        (["a/b/cat/1.png", "a/b/dog/2.png"], [("", "cat"), ("", "dog")]),
        (["cat/x/1.png", "dog/y/2.png"], [("", "cat"), ("", "dog")]),
        (["train/cat/1.png", "test/cat/2.png"], [("test", "cat"), ("train", "cat")]),
        (["a/Train/cat/1.png", "a/TEST/dog/2.png"], [("test", "dog"), ("train", "cat")]),
        (["train/cat/1.png", "train/dog/2.png"], [("", "cat"), ("", "dog")]),
        (["train/1.png", "plane/2.png"], [("", "plane"), ("", "train")]),
    ],
)
def test_class_folders_are_found(names: list[str], expected: list[tuple[str, str]]) -> None:
    places, problems = arrange(names)
    assert [(p.split, p.label) for p in places] == expected
    assert not problems


def test_pictures_of_every_kind_become_rgb_as_the_eye_sees_them() -> None:
    def shown(data: bytes) -> tuple[int, ...]:
        return corner(open_picture(io.BytesIO(data)))

    red_glass = Image.new("RGBA", (4, 4), (255, 0, 0, 51))  # a fifth opaque, on white
    assert shown(hostile.encoded(red_glass)) == (255, 204, 204)
    assert shown(hostile.sixteen_bits()) == (40_000 // 256,) * 3
    assert shown(hostile.encoded(Image.new("1", (4, 4), 1))) == (255,) * 3
    lying = Image.new("RGB", (6, 4))
    lying.putpixel((5, 0), (0, 255, 0))
    exif = Image.Exif()
    exif[0x0112] = 8  # turn it left: the corner on the right comes to the left
    upright = open_picture(io.BytesIO(hostile.encoded(lying, "PNG", exif=exif)))
    assert upright.size == (4, 6)
    assert upright.getpixel((0, 0)) == (0, 255, 0)


# Names, and what is there


def test_a_different_data_set_is_never_replaced(table: Path, pets: Path, tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    hostile.npz()(tmp_path / "x.npz")
    for path in (table, pets, tmp_path / "x.npz"):
        take_in.accept(path, f"from-{path.stem}", data_dir)
    before = {p: p.read_bytes() for p in data_dir.rglob("*") if p.is_file()}
    for path, other in itertools.product((table, pets, tmp_path / "x.npz"), repeat=2):
        if path == other:  # the same once more is fine
            take_in.accept(path, f"from-{path.stem}", data_dir)
        else:
            with pytest.raises(InvalidDataset, match=f"another data set 'from-{other.stem}'"):
                take_in.accept(path, f"from-{other.stem}", data_dir)
    assert {p: p.read_bytes() for p in data_dir.rglob("*") if p.is_file()} == before


def test_a_directory_that_cannot_be_written_to(table: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataUnavailable, match="IAL_DATA_DIR"):
        take_in.accept(table, "mine", tmp_path / "file")


def test_what_lies_in_the_data_directory_is_offered(table: Path, tmp_path: Path) -> None:
    for name in ("a.zip", "b.PARQUET", "c.npz", "notes.txt", ".hidden.csv"):
        (tmp_path / name).write_text("")
    for name in ("pictures", "raw", "thumbnails", ".preparing"):
        (tmp_path / name).mkdir()
    assert take_in.offered(tmp_path) == ["a.zip", "b.PARQUET", "mine.csv", "pictures"]
    assert take_in.offered(tmp_path / "nowhere") == []


# The command line


def run(capsys: pytest.CaptureFixture[str], data_dir: Path, *options: str) -> str:
    from engine.__main__ import parser

    values = vars(parser().parse_args(["data", "add", *options]))
    del values["command"]
    settings = read_settings({"IAL_DATA_DIR": str(data_dir), "IAL_DEVICE": "cpu"})
    assert data.run(values, settings, ignore) == 0
    return capsys.readouterr().out


def test_the_command_line_shows_first_and_then_takes_in(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data_dir = tmp_path / "data"
    table.write_text(table.read_text() + "1,,2,no,5\n")
    said = run(capsys, data_dir, str(table), "--preview")
    assert "mine.csv as 'mine': 90 samples: 60 to train and 30 to test, 6 features" in said
    assert "row 91, column 'fruit': is missing" in said
    assert not data_dir.exists()
    said = run(capsys, data_dir, str(table), "--name", "other", "--label", "ripe")
    assert "'other' is a data set now" in said
    assert load_dataset("other", data_dir).class_names == ("no", "yes")


def test_images_go_through_the_backbone_that_was_chosen(
    pets: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def prepare(name, images, backbone, data_dir, device, progress):
        asked.append((name, backbone.name, device, len(images.train), images.source["file"]))

    monkeypatch.setattr("engine.data.prepare.prepare_features", prepare)
    run(capsys, tmp_path / "data", str(pets), "--device", "cpu", "--test-share", "0.5")
    assert asked == [("pets", "efficientnet_lite2", "cpu", 6, "pets")]
    about = json.loads((tmp_path / "data" / "raw" / "pets" / images.ABOUT).read_text())
    assert about["class_names"] == ["cat", "dog"]


def guess(**columns: Sequence[object]) -> str | None:
    return labelled_table.guessed_label(pd.DataFrame(columns))


def test_the_label_is_guessed_from_what_the_columns_hold() -> None:
    numbers = [float(i) / 3 for i in range(30)]
    words = ["pear", "plum", "fig"] * 10
    few, each = [0, 1] * 15, list(range(30))
    assert guess(a=numbers, kind=words, b=few, id=each) == "kind"  # texts before whole numbers
    assert guess(kind=words, other=["x", "y"] * 15, a=numbers) == "other"  # the last of texts
    assert guess(a=few, b=[0, 1, 2] * 10, c=numbers) == "b"  # the last of whole numbers
    assert guess(a=numbers, id=each) is None
    assert guess(name=[f"row {i}" for i in each], same=["x"] * 30) is None
    assert guess(rare=["x"] * 28 + ["y"] * 2) is None  # a class of two cannot be split


def test_a_guess_reads_a_file_as_the_preview_does(table: Path, tmp_path: Path) -> None:
    frame = pd.read_csv(table).rename(columns={"label": "sort"})
    path = tmp_path / "unnamed.csv"
    frame.to_csv(path, index=False)
    assert labelled_table.guessed_label(path) in ("sort", "ripe", "fruit")
    assert labelled_table.usual_label(list(frame.columns)) is None
