"""Bringing in data of one's own on the data page, from the upload to the data set."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from engine.data.intake.images import image_set
from engine.data.load import load_dataset
from engine.data.untrusted import limits
from engine.settings import Settings
from pages.common.asking import tour
from pages.common.lab import registry
from pages.common.words.wording import plain
from pages.data.parts import own_file
from tests.support import hostile
from tests.support.pages import Open, follow, unfold, words

PAGE = registry.page("data")
ROWS = [f"{i},{'xyz'[i % 3]},{'pq'[i % 2]}" for i in range(60)]


@pytest.fixture(autouse=True)
def nothing_stays(settings: Settings) -> Iterator[None]:
    """The data directory is that of all pages' tests: what a test brings in goes again."""
    before = set(settings.data_dir.rglob("*"))
    yield
    for path in sorted(set(settings.data_dir.rglob("*")) - before, reverse=True):
        if path.is_dir():
            path.rmdir()
        else:
            path.unlink()


def upload(app: AppTest, name: str, content: bytes) -> AppTest:
    uploader = next(u for u in app.file_uploader if u.label == "A file of your own")
    uploader.set_value((name, content, "application/octet-stream")).run()
    assert not app.exception
    return app


def written(make: object, path: Path) -> bytes:
    make(path)  # type: ignore[operator]
    return path.read_bytes()


def accept(app: AppTest) -> AppTest:
    app.button(key="own_accept").click().run()
    assert not app.exception
    return app


def test_a_table_is_shown_first_and_then_taken_in(open_page: Open, settings: Settings) -> None:
    app = upload(open_page(PAGE), "my fruit.csv", hostile.csv_bytes([*ROWS, "2,,p"]))
    assert "60 samples: 40 to train and 20 to test, 4 features, 2 classes. 1 row left" in words(app)
    assert "1 problem; 1 row" in words(app)
    assert app.dataframe[-1].value.iloc[0].tolist() == ["row 61", "b", "", "is missing"]
    path = settings.data_dir / "my-fruit.npz"
    assert not path.exists()
    accept(app)
    assert "**my-fruit** is a data set now" in words(app)
    assert load_dataset("my-fruit", settings.data_dir).n_train == 40
    assert {b.key for b in app.button} >= {f"tour-{step.url}" for step in tour.STEPS}
    assert not app.file_uploader(key="own_upload-1").value  # the next file can come
    path.unlink()
    app.run()
    assert "my-fruit** is a data set now" not in words(app)


def test_what_is_taken_in_is_ranked_at_once_and_can_be_attacked(open_page: Open) -> None:
    rows = [f"{i % 7},{i % 5},{'pq'[(i % 7 + i % 5) % 2]}" for i in range(60)]
    app = accept(upload(open_page(PAGE), "at-once.csv", hostile.csv_bytes(rows)))
    follow(app, lambda: "training samples are ranked" in words(app))
    (button,) = (b for b in app.button if b.key == "own_attack")
    said = re.search(r"Sample (\d+) is the last of them", words(app))
    assert said is not None
    assert button.label == f"Attack sample {said[1]}"
    assert not app.exception


def test_label_and_name_can_be_chosen(open_page: Open, settings: Settings) -> None:
    content = hostile.csv_bytes([f"{r},{'uv'[i % 2]}" for i, r in enumerate(ROWS)], "a,b,c,d")
    app = upload(open_page(PAGE), "choices.csv", content)
    box = next(s for s in app.selectbox if s.label == "Column with the classes")
    assert box.value == "d"  # guessed: the last one of few texts
    assert "60 samples: 40 to train and 20 to test" in words(app)
    box.set_value("c").run()
    next(s for s in app.selectbox if s.label == "Column with the classes").set_value("d").run()
    name = next(t for t in app.text_input if t.label == "Name of the data set")
    name.set_value("../digits").run()
    assert "name must be letters, digits, - and _" in words(app)
    assert not [b for b in app.button if b.key == "own_accept"]
    next(t for t in app.text_input if t.label == "Name of the data set").set_value("uv").run()
    accept(app)
    assert load_dataset("uv", settings.data_dir).class_names == ("u", "v")


@pytest.mark.parametrize(
    "case",
    [
        c
        for c in hostile.CASES
        if c.file in ("bomb.npz", "latin1.csv", "slip.zip", "text.parquet") and not c.taken
    ],
    ids=lambda case: case.file,
)
def test_what_is_refused_leaves_the_page_usable(
    open_page: Open, settings: Settings, tmp_path: Path, case: hostile.Case
) -> None:
    before = {p.name for p in settings.data_dir.iterdir()}
    app = upload(open_page(PAGE), case.file, written(case.make, tmp_path / case.file))
    said = " ".join(e.value for e in app.error)
    assert case.file in said and case.remedy in said
    assert {p.name for p in settings.data_dir.iterdir()} == before
    upload(app, "good.csv", hostile.csv_bytes(ROWS))
    assert "60 samples" in words(app)


def test_another_data_set_is_not_replaced_and_nothing_is_lost(
    open_page: Open, settings: Settings
) -> None:
    content = (settings.data_dir / "small.npz").read_bytes()
    app = upload(open_page(PAGE), "small.csv", hostile.csv_bytes(ROWS))
    accept(app)
    assert "small.csv was not taken in. There is another data set 'small'" in words(app)
    assert (settings.data_dir / "small.npz").read_bytes() == content
    assert "60 samples" in words(app)  # the file is still chosen, under another name it goes in
    next(t for t in app.text_input if t.label == "Name of the data set").set_value("small-2").run()
    accept(app)
    assert load_dataset("small-2", settings.data_dir).n_train == 40


def test_images_are_kept_and_their_features_are_a_job(
    open_page: Open, settings: Settings, tmp_path: Path
) -> None:
    """The job is cancelled: what it computes is tested with the backbones."""
    content = written(hostile.with_images(broken__png=b"no"), tmp_path / "a.zip")
    app = upload(open_page(PAGE), "a.zip", content)
    assert "8 samples: 6 to train and 2 to test, 2 classes. 1 file" in words(app) or (
        "8 samples: 4 to train and 4 to test, 2 classes. 1 file" in words(app)
    )
    assert "cat/broken.png" in app.dataframe[-1].value["Where"].tolist()
    accept(app)
    assert len(image_set("a", settings.data_dir).y_train) == 4
    assert "Features of **a** are being computed." in words(app)
    next(b for b in app.button if b.label == "Cancel").click().run()
    follow(app, lambda: "Start again" in [b.label for b in app.button])
    assert "was cancelled" in words(app)


def test_a_file_in_the_data_directory_is_offered(open_page: Open, settings: Settings) -> None:
    path = settings.data_dir / "lies-there.csv"
    path.write_bytes(hostile.csv_bytes(ROWS))
    app = open_page(PAGE)
    app.selectbox(key="own_offered").set_value("lies-there.csv").run()
    assert "60 samples" in words(app)
    accept(app)
    assert load_dataset("lies-there", settings.data_dir).n_train == 40
    path.unlink()


def test_the_limits_are_stated(open_page: Open) -> None:
    said = words(unfold(open_page(PAGE)))
    for line in limits.stated():
        assert line in said
    assert f"{limits.PIXELS // 10**6} million pixels" in said


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("a.csv", "a.csv"),
        ("../../a.csv", "a.csv"),
        ("..\\a.csv", "a.csv"),
        ("C:\\x\\a.csv", "a.csv"),
        ("a\0b\n.csv", "ab.csv"),
        (".csv", "csv"),
        ("", "upload"),
        ("x" * 300 + ".csv", "x" * 96 + ".csv"),
    ],
)
def test_an_uploaded_name_becomes_a_plain_one(given: str, kept: str) -> None:
    assert own_file.plain_name(given) == kept


def test_a_text_from_a_file_is_shown_as_it_is() -> None:
    assert plain("[x](y) $a$ <b>") == r"\[x\]\(y\) \$a\$ \<b\>"
