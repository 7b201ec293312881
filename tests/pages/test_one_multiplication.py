"""The fairness page: published results without their data, links, and a table of one's own."""

import shlex
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

import engine
from engine.__main__ import parser
from engine.data import raw_files
from engine.data.intake.names import safe_name
from engine.data.sources.fairness_sets import LOADERS
from engine.errors import DataUnavailable, InvalidDataset
from engine.experiments import FairnessRequest
from engine.fairness.result import FairnessResult, largest_effect
from engine.results.jobs import Jobs
from engine.results.store import Store
from engine.settings import Settings
from pages.common.lab import registry
from pages.common.words import reproduce
from pages.fairness.parts import fairness_words as said_of
from pages.fairness.parts import own_tables
from tests.support.pages import Open, check_note, follow, notes, unfold, words

PAGE = registry.page("fairness")
CHARTS = 2  # of one scale; the others are made when they are unfolded
COMPUTED = "This result is shown on this page"
LOANS = {"table": "loans", "target": "repaid", "positive": "yes", "sensitive": "sex"}


def published(settings: Settings, table: str, metric: str = "dp") -> FairnessResult:
    stored = Store.of(settings).find_published("fairness", FairnessRequest(table, metric=metric))
    assert stored is not None
    return stored.result


def loans(rows: int = 200) -> str:
    """A table as text: whether a loan is repaid, by income and sex; three regions."""
    rng = np.random.default_rng(7)
    sex, income = rng.integers(2, size=rows), rng.normal(size=rows)
    repaid = income + 0.8 * sex + rng.logistic(size=rows) > 0
    table = {
        "income": income.round(3),
        "sex": np.where(sex == 1, "m", "f"),
        "region": rng.choice(["north", "south", "east"], size=rows),
        "repaid": np.where(repaid, "yes", "no"),
    }
    return pd.DataFrame(table).to_csv(index=False)


@pytest.fixture
def loans_file(settings: Settings) -> Iterator[Path]:
    path = settings.data_dir / "loans.csv"
    path.write_text(loans(), encoding="utf-8")
    yield path
    path.unlink()


@pytest.mark.parametrize("table", ["adult", "german", "compas"])
@pytest.mark.parametrize("metric", ["dp", "eop"])
def test_a_published_result_opens_before_any_click_and_without_its_data(
    table: str,
    metric: str,
    open_page: Open,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("data was fetched")

    monkeypatch.setattr(raw_files, "fetch_verified", refuse)
    app = open_page(PAGE, table=table, metric=metric)
    assert not app.exception
    assert not app.error
    result = published(settings, table, metric)
    # The published pipeline has no intercept: on German credit always saying "good" is right more
    # often, and the page says so.
    assert bool(result.warning) == (table == "german")
    assert [warning.value for warning in app.warning] == [result.warning] * bool(result.warning)
    assert said_of.finding(result) in words(app)
    unfold(app)
    assert len(app.get("plotly_chart")) == CHARTS + 4
    assert ("The interval contains 0" in words(app)) == (
        float(largest_effect(result.table)["effect_low"]) <= 0  # type: ignore[index]  # there is one
    )
    assert "Precomputed" in words(app)
    assert COMPUTED in words(app)


def test_the_page_opens_with_the_clearest_finding(open_page: Open, settings: Settings) -> None:
    app = open_page(PAGE)
    assert app.selectbox(key="table").value == "adult"
    assert said_of.finding(published(settings, "adult")) in words(app)
    assert "The multiplication changes no prediction, only the scores." in words(app)
    assert "Statistically clear on COMPAS and Adult; not on German credit" in words(unfold(app))


def test_a_link_restores_data_gap_and_scale(open_page: Open, settings: Settings) -> None:
    app = open_page(PAGE, table="compas", metric="eop", scale="0.3")
    assert not notes(app)
    assert app.selectbox(key="scale").value == "0.3"
    row = published(settings, "compas", "eop").row(0.3)
    assert said_of.reshuffled(row, 100) in words(app)
    app.selectbox(key="scale").set_value("1").run()
    assert not app.exception
    assert "α = 1 changes nothing. The figures show α = " in words(app)


@pytest.mark.parametrize(
    ("name", "value"),
    [("table", "zzz`"), ("metric", "fairness"), ("scale", "-1"), ("beta", "abc"), ("l2", "-3")],
)
def test_nonsense_in_a_link_gives_a_note(name: str, value: str, open_page: Open) -> None:
    app = open_page(PAGE, **{name: value})
    if name in ("beta", "l2"):
        assert not app.exception
        assert "uses its default instead" in notes(app)[0]
    else:
        check_note(app, name, value)
    assert len(app.get("plotly_chart")) == CHARTS
    app.selectbox(key="scale").set_value("0.3").run()
    assert not notes(app)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("scales", "0.1, much", "must be numbers with commas"),
        ("scales", "-1", "scales must be a finite number > 0"),
        ("scales", ",", "scales must be"),
        ("l2", "0", "l2 must be"),
    ],
)
def test_nonsense_in_a_run_of_ones_own_is_said_beside_it(
    name: str, value: str, said: str, open_page: Open
) -> None:
    app = open_page(PAGE, **{name: value})
    assert not app.exception
    assert said in app.error[0].value
    assert len(app.get("plotly_chart")) == CHARTS


def test_data_that_must_be_fetched_is_announced_and_a_failure_said(
    open_page: Open, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("IAL_DATA_DIR", str(tmp_path))  # other tests have fetched it

    def fail(self: Jobs, experiment: str, request: object, owner: str, most: int) -> str:
        raise DataUnavailable("german.data could not be fetched.")

    monkeypatch.setattr(Jobs, "submit", fail)
    app = open_page(PAGE, table="german", beta="0.4")
    assert "they are fetched first, once" in words(app)
    assert "The figures show the result that this page opens with" in words(app)
    app.button(key="offer-fairness").click().run()
    assert not app.exception
    assert "german.data could not be fetched." in words(app)
    assert len(app.get("plotly_chart")) == CHARTS


def test_a_table_of_ones_own_from_click_to_figures(open_page: Open, loans_file: Path) -> None:
    app = open_page(PAGE, **LOANS, scales="0.1", privileged="m")
    assert not app.exception
    assert not app.error
    assert not notes(app)
    assert "This is not computed for" in words(app)
    assert "The first 5 of 200 rows" in words(app)
    app.button(key="offer-fairness").click().run()
    follow(app, lambda: COMPUTED in words(app))
    assert "Multiply the model's parameters by" in words(app)
    assert "Computed here · your table" in words(app)
    assert "sex = m (s = 1" in words(unfold(app))
    assert len(app.get("plotly_chart")) == CHARTS + 4


def test_columns_follow_the_table(open_page: Open, loans_file: Path) -> None:
    app = open_page(PAGE, table="loans")
    assert app.selectbox(key="target").value == "repaid"
    assert app.selectbox(key="sensitive").value == "sex"
    app.selectbox(key="sensitive").set_value("region").run()
    assert app.selectbox(key="privileged").value in ("north", "south", "east")
    assert "3 values" in app.error[0].value
    assert not [b for b in app.button if b.key == "offer-fairness"]
    app.checkbox(key="merge_others").check().run()
    assert not app.error
    assert app.button(key="offer-fairness")
    app.selectbox(key="table").set_value("german").run()
    assert not app.exception
    assert len(app.get("plotly_chart")) == CHARTS


def test_a_column_that_is_not_there_gives_a_note(open_page: Open, loans_file: Path) -> None:
    app = open_page(PAGE, table="loans", target="age", positive="yes")
    check_note(app, "target", "age")


def test_a_column_is_no_target_of_an_attack(open_page: Open, loans_file: Path) -> None:
    attack = registry.page("move-one-sample")
    app = open_page(attack, target=20)
    goto(app, PAGE)
    app.selectbox(key="table").set_value("loans").run()
    app.selectbox(key="target").set_value("region").run()
    assert not app.exception
    assert app.selectbox(key="target").value == "region"
    goto(app, attack)
    assert app.number_input(key="target").value == 20
    goto(app, PAGE)
    assert app.selectbox(key="table").value == "loans"


def goto(app: AppTest, page: registry.PageEntry) -> None:
    """By the menu: the link's parameters stay behind."""
    app.query_params.clear()
    app.switch_page(page.file).run()
    assert not app.exception


def test_an_uploaded_table_becomes_a_data_set(open_page: Open, settings: Settings) -> None:
    app = open_page(PAGE)
    name = "../My löans (1).csv"
    app.file_uploader(key="upload").set_value((name, loans().encode(), "text/csv")).run()
    assert not app.exception
    kept = app.selectbox(key="table").value
    path = settings.data_dir / f"{kept}.csv"
    assert path.read_text(encoding="utf-8") == loans()
    assert path.parent == settings.data_dir
    assert app.selectbox(key="target").value == "repaid"
    path.unlink()


def test_what_is_no_table_is_refused_as_it_is(open_page: Open, settings: Settings) -> None:
    app = open_page(PAGE)
    app.file_uploader(key="upload").set_value(("notes.csv", b"a,b\n1,2\n", "text/csv")).run()
    assert not app.exception
    assert "notes.csv was not taken." in words(app)
    assert "at least 50 rows" in words(app)
    assert app.selectbox(key="table").value == "adult"
    assert not (settings.data_dir / "notes.csv").exists()


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("a b.csv", "a-b"),
        ("../../etc/passwd.csv", "passwd"),
        ("Überblick 2.csv", "Uberblick-2"),
        ("x" * 200 + ".csv", "x" * 60),
    ],
)
def test_names_are_made_safe(given: str, name: str) -> None:
    assert safe_name(given) == name


@pytest.mark.parametrize("given", ["...", "日本.csv", "german.csv", "-.csv"])
def test_names_that_cannot_be_used(given: str) -> None:
    with pytest.raises(InvalidDataset, match="Rename"):
        safe_name(given, LOADERS)


def test_a_different_table_is_never_replaced(tmp_path: Path) -> None:
    content = loans().encode()
    assert own_tables.keep("a.csv", content, tmp_path) == "a"
    assert own_tables.keep("a.csv", content, tmp_path) == "a"
    with pytest.raises(InvalidDataset, match="There is another data set"):
        own_tables.keep("a.csv", loans(300).encode(), tmp_path)
    assert (tmp_path / "a.csv").read_bytes() == content


def test_a_table_that_is_too_large_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidDataset, match="larger than 50 MB"):
        own_tables.keep("a.csv", bytes(50 * 2**20 + 1), tmp_path)
    assert not list(tmp_path.iterdir())


def own_request() -> FairnessRequest:
    return FairnessRequest(
        "loans",
        scales=(0.1, 1.0),
        target="repaid",
        positive="yes",
        sensitive="sex",
        privileged="m",
    )


def test_the_snippet_runs(loans_file: Path, settings: Settings) -> None:
    names: dict[str, object] = {}
    exec(reproduce.fairness_snippet(own_request(), str(settings.data_dir)), names)
    table = names["table"]
    assert isinstance(table, pd.DataFrame)
    dataset = engine.load_fairness_dataset(
        "loans", settings.data_dir, target="repaid", positive="yes", sensitive="sex", privileged="m"
    )
    pd.testing.assert_frame_equal(table, engine.fairness_scaling(dataset, (0.1, 1.0)))


@pytest.mark.parametrize(
    "request_",
    [
        FairnessRequest("adult", metric="eop", beta=0.5),
        own_request(),
        FairnessRequest("a b", target="x"),
    ],
)
def test_the_command_asks_for_the_same(request_: FairnessRequest) -> None:
    _, _, _, *arguments = shlex.split(reproduce.command_of("fairness", request_))
    asked = vars(parser().parse_args(arguments))
    fields = FairnessRequest.__dataclass_fields__
    assert FairnessRequest(**{name: asked[name] for name in fields}) == request_
