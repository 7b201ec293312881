"""Tables as people have them, on the pages: how they are read can be chosen, and is said."""

import gzip
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Element

from engine.data.load import load_dataset
from engine.data.sources import fairness_table
from engine.experiments import FairnessRequest
from engine.results.store import Store
from engine.settings import Settings
from pages.common.lab import registry
from tests.outside.test_tables import N, formats, table
from tests.support.pages import Open, notes, words

DATA, FAIRNESS = registry.page("data"), registry.page("fairness")
ROLES = {"target": "label", "positive": "yes", "sensitive": "sex", "privileged": "m"}


@pytest.fixture(autouse=True)
def nothing_stays(settings: Settings) -> Iterator[None]:
    before = set(settings.data_dir.iterdir())
    yield
    for path in set(settings.data_dir.iterdir()) - before:
        path.unlink()


def upload(app: AppTest, name: str, content: bytes, label: str) -> AppTest:
    uploader = next(u for u in app.file_uploader if u.label == label)
    uploader.set_value((name, content, "application/octet-stream")).run()
    assert not app.exception
    return app


def bring(open_page: Open, frame: pd.DataFrame, name: str = "own.csv") -> AppTest:
    content = frame.to_csv(index=False).encode()
    if name.endswith(".gz"):
        content = gzip.compress(content)
    return upload(open_page(DATA), name, content, "A file of your own")


def control(app: AppTest, kind: str, label: str) -> Element:
    return next(w for w in app.get(kind) if isinstance(w, Element) and w.label == label)


def test_a_sparse_column_is_said_and_can_be_dropped(open_page: Open, settings: Settings) -> None:
    frame = table(cabin=[f"C{i % 4}" if i % 5 == 0 else None for i in range(N)])
    app = bring(open_page, frame, "own.csv.gz")
    assert "96 of 120 rows left out" in words(app) and "'cabin' 96" in words(app)
    assert ["cabin", "texts", 96, 0] in app.dataframe[-2].value.to_numpy().tolist()
    control(app, "multiselect", "Drop columns").set_value(["cabin"]).run()
    assert "Nothing is left out" in words(app)
    app.button(key="own_accept").click().run()
    assert not app.exception
    assert load_dataset("own", settings.data_dir).n_train == 80


def test_what_is_missing_and_what_is_text_can_be_chosen(open_page: Open) -> None:
    frame = table(
        country=["NA" if i < 34 else "DE" for i in range(N)], code=[i % 3 for i in range(N)]
    )
    app = bring(open_page, frame)
    assert "'NA' 34" in words(app)
    control(app, "text_input", "Missing values").set_value("empty").run()
    assert "Nothing is left out" in words(app)
    control(app, "multiselect", "Keep as text").set_value(["code"]).run()
    assert "10 features" in words(app)
    control(app, "text_input", "Missing values").set_value("usual").run()
    control(app, "checkbox", "Impute missing values").check().run()
    assert "Imputed" in words(app)


def test_a_file_without_a_header(open_page: Open) -> None:
    lines = "\n".join(f"{i / 10},{i % 7}.5,{'ab'[i % 2]}" for i in range(60))
    app = upload(open_page(DATA), "own.csv", lines.encode(), "A file of your own")
    header = "The first line holds the names of the columns"
    control(app, "checkbox", header).uncheck().run()
    control(app, "selectbox", "Column with the classes").set_value("c3").run()
    assert not app.exception
    assert "40 to train and 20 to test, 2 features" in words(app)


def test_fairness_says_the_rows_and_restores_the_options(
    open_page: Open, settings: Settings
) -> None:
    frame = table(hole=[None, *range(N - 1)], who=[f"n{i}" for i in range(N)])
    app = upload(
        open_page(FAIRNESS), "mine.tsv", frame.to_csv(sep="\t", index=False).encode(),
        "A table of your own",
    )  # fmt: skip
    assert (settings.data_dir / "mine.tsv").is_file()
    app = open_page(FAIRNESS, table="mine", **ROLES)
    said = words(app)
    assert "1 of 120 rows left out" in said and "'who' has 120 different texts" in said
    app = open_page(FAIRNESS, table="mine", **ROLES, drop="hole", impute="true")
    assert not app.error and not notes(app)
    assert control(app, "multiselect", "Drop columns").value == ["hole"]
    assert "left out, for values" not in words(app)
    assert app.button(key="offer-fairness")


def text_of(frame: pd.DataFrame, **options: Any) -> bytes:
    return frame.to_csv(index=False, **options).encode()


def arrays(**more: Any) -> bytes:
    """A features file of four classes' worth of arrays."""
    rng, out = np.random.default_rng(0), io.BytesIO()
    X, y = rng.normal(size=(60, 3)), np.arange(60) % 3
    np.savez(out, X_train=X, y_train=y, X_test=X, y_test=y, **more)
    return out.getvalue()


# What public files hold, by the numbers of tests/outside/test_tables.py, and what the page says.
SAID: dict[str, tuple[str, bytes, str]] = {
    "8 an index column": (
        "own.csv", table().to_csv(index=True).encode(), "has no name",
    ),
    "8 an empty column": ("own.csv", text_of(table(nothing=None)), "'nothing' is empty"),
    "8 an ending in capitals": ("OWN.CSV", text_of(table()), "Nothing is left out"),
    "9 numbers as text": (
        "own.csv",
        text_of(table(price=[f"{1000 + i:,}" for i in range(N)])),
        "'price' holds numbers written as text, read ",
    ),
    "9 dates": (
        "own.csv",
        text_of(table(day=pd.date_range("2020-01-01", periods=N, freq="11D").strftime("%d.%m.%Y"))),
        "'day' holds dates, read as days since 1970",
    ),
    "10 a text a row": (
        "own.csv", text_of(table(who=[f"n{i}" for i in range(N)])), "'who' has 120 different texts",
    ),
    "11 no header": (
        "own.csv",
        text_of(table()[["x", "age", "label"]], header=False),
        "is it a row and no header",
    ),
    "13 feature names": (
        "own.npz", arrays(feature_names=np.array(["a", "b"])), "feature_names has 2 names",
    ),
    "14 no complete row": (
        "own.csv",
        text_of(table(a=[1.0, None] * (N // 2), b=[None, 1.0] * (N // 2))),
        "0 of 120 rows are complete",
    ),
    "14 columns twice": (
        "own.csv", text_of(table().assign(again=table()["x"])), "'again' is 'x'",
    ),
    "15 separators": (
        "own.csv",
        text_of(table().rename(columns={"x": "weight, in kg"}), sep=";"),
        "separated by semicolons",
    ),
    "15 blanks": ("own.csv", table().to_string(index=False).encode(), "separated by blanks"),
    "15 a web page": ("own.csv", b"\n<!DOCTYPE html>\n<html></html>", "web page"),
    "15 Git LFS": (
        "own.csv", b"version https://git-lfs.github.com/spec/v1\nsize 2", "pointer of Git LFS",
    ),
    "15 no letters": ("日本.csv", text_of(table()), "has no letter from A to Z"),
}  # fmt: skip


@pytest.mark.parametrize("line", list(SAID))
def test_what_public_files_hold_is_said(open_page: Open, line: str) -> None:
    name, content, said = SAID[line]
    app = upload(open_page(DATA), name, content, "A file of your own")
    if line.startswith("11"):
        first = str(content.splitlines()[0].split(b",")[-1].decode())
        control(app, "selectbox", "Column with the classes").set_value(first).run()
        assert not app.exception
    assert said in words(app)


def test_two_classes_of_one_name(open_page: Open) -> None:
    content = arrays(class_names=np.array(["cat", "cat", "dog"]))
    app = upload(open_page(DATA), "own.npz", content, "A file of your own")
    assert app.dataframe[-1].value["Class"].tolist() == ["cat (0)", "cat (1)", "dog"]


@pytest.mark.parametrize("name", list(formats()))
def test_every_format_on_both_pages(open_page: Open, tmp_path: Path, name: str) -> None:
    frame = table()
    frame.loc[3, "x"] = np.nan
    formats()[name](frame, tmp_path / name)
    content = (tmp_path / name).read_bytes()
    app = upload(open_page(DATA), name, content, "A file of your own")
    assert "1 of 120 rows left out" in words(app) and "'x' 1" in words(app)
    upload(open_page(FAIRNESS), name, content, "A table of your own")
    app = open_page(FAIRNESS, table="own", **ROLES)
    assert not app.error and "1 of 120 rows left out" in words(app)


def test_no_outcome_is_favourable_for_its_letter_alone(open_page: Open, settings: Settings) -> None:
    """Of 'approved' and 'denied' the first, of 'no' and 'yes' the second: by what they say."""
    for values in (["approved", "denied"], ["no", "yes"], ["bad", "good"]):
        good = next(v for v in values if v in fairness_table.FAVOURABLE)
        frame = table().assign(label=[values[i % 2] for i in range(N)])
        frame.to_csv(settings.data_dir / "own.csv", index=False)
        app = open_page(FAIRNESS, table="own", target="label")
        assert not app.exception
        assert control(app, "selectbox", "Favourable value").value == good


def test_a_model_worse_than_the_majority_is_said(open_page: Open, settings: Settings) -> None:
    """As the published one on German credit is."""
    stored = Store.of(settings).find_published("fairness", FairnessRequest("german"))
    assert stored is not None
    assert "Worse than always predicting" in stored.result.warning
    assert stored.result.warning in words(open_page(FAIRNESS, table="german"))
