"""Tables as people have them, on the pages: how they are read can be chosen, and is said."""

import gzip
from collections.abc import Iterator

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Element

from engine.data.load import load_dataset
from engine.settings import Settings
from pages.common.lab import registry
from tests.outside.test_tables import N, table
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
