"""What real tables hold, read in Python and on the command line: nothing is lost without a word."""

import bz2
import gzip
import lzma
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from engine import fairness_scaling, fit, load_dataset, load_fairness_dataset
from engine.__main__ import main
from engine.data.fairness import FairnessDataset
from engine.data.intake import labelled_table, take_in
from engine.data.intake.preview import Preview
from engine.data.preparation import standardise
from engine.data.sources.fairness_table import favourable
from engine.data.tables.options import TableOptions
from engine.data.tables.read import read_table
from engine.errors import InvalidDataset, InvalidInput
from engine.experiments import FairnessRequest
from engine.experiments.fairness import describe_fairness
from engine.fairness.options import FairnessOptions
from engine.fairness.result import FairnessResult
from engine.fairness.scaling import Pipeline, analyse

N = 120
ROLES: dict[str, Any] = {
    "target": "label",
    "positive": "yes",
    "sensitive": "sex",
    "privileged": "m",
}
Command = Callable[..., str]


def table(n: int = N, seed: int = 0, **columns: Any) -> pd.DataFrame:
    """Two columns of numbers, a category, a group and a label."""
    rng = np.random.default_rng(seed)
    frame = {
        "x": rng.normal(size=n).round(3),
        "age": rng.integers(18, 80, n),
        "city": rng.choice(["Ulm", "Bonn", "Jena"], n),
        "sex": rng.choice(["m", "f"], n),
        "label": rng.choice(["yes", "no"], n),
    }
    return pd.DataFrame(frame | columns)


def written(folder: Path, frame: pd.DataFrame, name: str = "own.csv", **options: Any) -> Path:
    path = folder / name
    frame.to_csv(path, **({"index": False} | options))
    return path


@pytest.fixture
def command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """The command line on a lab of its own; what it says, of errors too."""
    monkeypatch.setenv("IAL_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("IAL_DEVICE", "cpu")

    def run(*arguments: object, code: int = 0) -> str:
        assert main([str(argument) for argument in arguments]) == code
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        return said.out + said.err

    return run


def seen(source: Path | pd.DataFrame, **options: Any) -> Preview:
    return labelled_table.look(source, options=TableOptions(**options)).preview


def analysed(data: FairnessDataset) -> FairnessResult:
    """The pipeline on the honest model alone."""
    return analyse(Pipeline(data, FairnessOptions(scales=(1.0,), search=False)))


def both_say(
    command: Command, path: Path, words: str, *arguments: object, **options: Any
) -> Preview:
    """The same sentence in Python and on the command line, of `data add` and of `fairness`."""
    preview = seen(path, **options)
    assert words in " ".join(preview.notes)
    assert words in command("data", "add", path, "--preview", *arguments)
    data = load_fairness_dataset(path, **ROLES, **options)
    assert words in " ".join(data.notes)
    return preview


# 7. An intercept, and a warning


@pytest.mark.parametrize("share", [0.9, 0.06])
def test_a_rare_outcome_is_predicted_rarely(tmp_path: Path, share: float) -> None:
    """Without an intercept half of the rows would be predicted favourable."""
    rng = np.random.default_rng(1)
    frame = table(2000, label=np.where(rng.random(2000) < share, "yes", "no"))
    result = analysed(load_fairness_dataset(frame, **ROLES))
    assert result.about.accuracy_before >= result.about.majority - 0.02
    assert result.about.majority == pytest.approx(max(share, 1 - share), abs=0.05)


def test_a_model_worse_than_the_majority_is_said(command: Command, tmp_path: Path) -> None:
    frame = table(300, label=np.where(np.arange(300) % 10 == 0, "no", "yes"))
    data = load_fairness_dataset(frame, **ROLES)
    result = analysed(data)
    assert result.warning == ""
    without = [column != "(intercept)" for column in data.feature_names]
    parts = {f"X_{split}": data.split(split)[0][:, without] for split in ("train", "val", "test")}
    bare = type(data)(**{**vars(data), **parts, "feature_names": data.feature_names[:-1]})
    worse = analysed(bare)
    assert "Worse than always predicting the more frequent label" in worse.warning
    assert worse.warning in describe_fairness(worse)


def test_scaling_changes_no_prediction_with_the_intercept() -> None:
    found = fairness_scaling(load_fairness_dataset(table(300), **ROLES), (0.05, 0.5))
    assert (found["base_predictions_changed"] == 0).all()


# 8. One way to read


def test_rows_and_columns_are_the_same_for_both(command: Command, tmp_path: Path) -> None:
    """A table like that of the Titanic: a cabin that most lack, names, an index."""
    n = 891
    cabins = [f"C{i % 7}" if i % 5 == 0 else None for i in range(n)]
    frame = table(n, Name=[f"Passenger {i}" for i in range(n)], Cabin=cabins)
    path = written(tmp_path, frame, index=True)
    preview = both_say(command, path, "712 of 891 rows left out")
    data = load_fairness_dataset(path, **ROLES)
    assert preview.n_train + preview.n_test == 179 == sum(len(data.split(s)[1]) for s in SPLITS)
    for notes in (preview.notes, data.notes):
        said = " ".join(notes)
        assert "'Cabin' 712" in said and "'Name' has 891 different texts" in said
        assert "'Unnamed: 0' has no name" in said
    assert not [name for name in data.feature_names if name.startswith(("Name", "Unnamed"))]
    kept = both_say(command, path, "'Name' has", "--drop", "Cabin", drop=["Cabin"])
    assert kept.dropped == 0


SPLITS = ("train", "val", "test")


def test_the_command_says_what_became_of_the_rows(command: Command, tmp_path: Path) -> None:
    path = written(tmp_path, table(hole=[None, *range(N - 1)]))
    roles = [word for name, value in ROLES.items() for word in (f"--{name}", value)]
    said = command("fairness", "--dataset", path, *roles, "--scales", 1, "--no-search")
    assert "1 of 120 rows left out" in said and "'hole' 1" in said
    said = command(
        "fairness", "--dataset", path, *roles, "--scales", 1, "--no-search", "--drop", "hole"
    )
    assert "left out" not in said


def test_texts_are_counted_once_rows_are_gone() -> None:
    """57 names on the 57 complete rows name them, though each is there five times in all."""
    n = 57 * 5
    names = [f"n{i % 57}" for i in range(n)]
    frame = table(n, who=names, hole=[1.0 if i < 57 else None for i in range(n)])
    notes = " ".join(seen(frame).notes)
    assert "'who' has 57 different texts in 57 rows" in notes


def test_an_empty_column_costs_no_row(tmp_path: Path) -> None:
    frame = table(nothing=None)
    for source in (frame, written(tmp_path, frame)):
        assert seen(source).dropped == 0
        data = load_fairness_dataset(source, **ROLES)
        assert "'nothing' is empty" in " ".join(data.notes)


@pytest.mark.parametrize("name", ["OWN.CSV", "own.Parquet", "own.tsv"])
def test_endings_in_any_letters(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name.endswith("Parquet"):
        table().to_parquet(path)
    else:
        table().to_csv(path, index=False, sep="\t" if name.endswith("tsv") else ",")
    assert load_dataset(path, label="label").n_train == 80
    assert load_fairness_dataset(path, **ROLES).n_train == 72
    assert load_fairness_dataset(path.stem, tmp_path, **ROLES).n_train == 72


# 9. Numbers and dates as texts


@pytest.mark.parametrize(
    ("written_as", "number"),
    [
        (lambda i: f"{1000 + i:,}", lambda i: 1000 + i),
        (lambda i: f"${i}.50", lambda i: i + 0.5),
        (lambda i: f"-€ {i},25", lambda i: -i - 0.25),
        (lambda i: f"{i},{i % 10}4", lambda i: i + (i % 10) / 10 + 0.04),
        (lambda i: f"{1000 + i:,},5".replace(",", ".", 1), lambda i: 1000.5 + i),
        (lambda i: f"{i} %", lambda i: i),
        (lambda i: f"{1000 + i:,}".replace(",", "\u202f"), lambda i: 1000 + i),
    ],
)
def test_numbers_written_as_text(
    command: Command,
    tmp_path: Path,
    written_as: Callable[[int], str],
    number: Callable[[int], float],
) -> None:
    path = written(tmp_path, table(price=[written_as(i) for i in range(N)]))
    both_say(command, path, "'price' holds numbers written as text, read ")
    dataset = load_dataset(path)
    assert dataset.feature_names is not None
    place = dataset.feature_names.index("price")
    rows = np.concatenate([dataset.X_train, dataset.X_test, dataset.X_holdout])[:, place]
    expected = np.array([number(i) for i in range(N)], dtype=float)
    np.testing.assert_allclose(  # up to the standardisation: the same differences
        np.sort(rows), np.sort((expected - expected.mean()) / expected.std()), atol=0.35
    )
    assert np.corrcoef(np.sort(rows), np.sort(expected))[0, 1] == pytest.approx(1, abs=1e-6)


def test_a_column_can_stay_text(command: Command, tmp_path: Path) -> None:
    path = written(tmp_path, table(code=[f"{1000 + i % 4:,}" for i in range(N)]))
    dataset = load_dataset(path, text=["code"])
    assert dataset.feature_names is not None
    assert "code = 1,001" in dataset.feature_names
    assert "written as text" not in command("data", "add", path, "--preview", "--text", "code")
    with pytest.raises(InvalidInput, match=r"text must be one of the columns.*'kode'"):
        load_dataset(path, text="kode")


def test_codes_keep_their_zeros_where_they_are_text(tmp_path: Path) -> None:
    path = written(tmp_path, table(plz=[f"0{i % 3}" for i in range(N)]))
    names = load_dataset(path, text=["plz"]).feature_names
    assert names is not None and "plz = 01" in names


@pytest.mark.parametrize(
    "form", ["%Y-%m-%d", "%d.%m.%Y", "%m/%d/%Y", "%Y-%m-%dT%H:%M:%S", "%d %b %Y"]
)
def test_dates_are_days(command: Command, tmp_path: Path, form: str) -> None:
    days = pd.date_range("2020-01-01", periods=N, freq="11D")
    path = written(tmp_path, table(day=days.strftime(form)))
    both_say(command, path, "'day' holds dates, read as days since 1970")
    assert read_table(path).frame["day"].nunique() == N
    assert seen(table(day=days)).notes == seen(path).notes


def test_dates_that_could_be_either_stay_text() -> None:
    twelve = pd.date_range("2020-01-01", periods=12, freq="32D").strftime("%m/%d/%Y").tolist()
    either = [text for text in twelve if int(text[3:5]) <= 12]
    frame = table(day=[either[i % len(either)] for i in range(N)])
    assert "holds dates" not in " ".join(seen(frame).notes)


# 10. Texts that name the rows


def test_nearly_unique_texts_are_left_out_and_named(command: Command, tmp_path: Path) -> None:
    frame = table(57, who=[f"n{i}" for i in range(57)])
    path = written(tmp_path, frame)
    preview = both_say(command, path, "'who' has 57 different texts in 57 rows")
    assert preview.n_features == seen(frame.drop(columns="who")).n_features
    chosen = seen(path, text=["who"])
    assert chosen.n_features is not None and preview.n_features is not None
    assert chosen.n_features > preview.n_features + 30


# 11. No header


def test_a_file_without_a_header(command: Command, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(5, 1, (90, 3)).round(1)).assign(y=["a", "b", "c"] * 30)
    path = written(tmp_path, frame, header=False)
    label = str(path.read_text().splitlines()[0].split(",")[-1])
    suspected = "is it a row and no header"
    assert suspected in command("data", "add", path, "--preview", "--label", label)
    said = command("data", "add", path, "--no-header", "--label", "c4")
    assert suspected not in said and "60 to train and 30 to test, 3 features" in said
    dataset = load_dataset(path, label="c4", header=False)
    assert dataset.feature_names == ("c1", "c2", "c3")
    assert dataset.n_train + len(dataset.y_test) + len(dataset.y_holdout) == 90


# 12. Missing values


@pytest.mark.parametrize("spelling", ["NA", "NULL", "n/a", "-", "#N/A", "?", "null"])
def test_one_rule_for_every_format(command: Command, tmp_path: Path, spelling: str) -> None:
    country = [spelling if i < 34 else ["DE", "FR", "IT"][i % 3] for i in range(N)]
    frame = table(country=country)
    csv, parquet = written(tmp_path, frame), tmp_path / "own.parquet"
    frame.to_parquet(parquet)
    for source in (csv, parquet):
        preview = both_say(command, source, f"missing in column 'country': '{spelling}' 34")
        assert preview.dropped == 34 and preview.n_features is not None
        kept = seen(source, missing=["empty"])
        assert kept.dropped == 0 and kept.n_features == preview.n_features + 1
    assert seen(frame).notes == seen(csv).notes == seen(parquet).notes
    said = command("data", "add", csv, "--preview", "--missing", "empty")
    assert "Nothing is left out" in said


def test_spellings_of_ones_own(tmp_path: Path) -> None:
    path = written(tmp_path, table(age=[-99 if i < 9 else i for i in range(N)]))
    assert seen(path).dropped == 0
    preview = seen(path, missing=["usual", "-99"])
    assert preview.dropped == 9 and "'-99' 9" in " ".join(preview.notes)


def test_minus_beside_plus_is_a_value() -> None:
    assert seen(table(label=["+", "-"] * (N // 2))).dropped == 0


# 13. Files of arrays


def folder_of(path: Path, X: np.ndarray) -> Path:
    path.mkdir(exist_ok=True)
    y = np.arange(len(X)) % 2
    for name, array in {"X_train": X, "y_train": y, "X_test": X[:20], "y_test": y[:20]}.items():
        np.save(path / f"{name}.npy", array)
    return path


def test_content_decides_and_no_time_stamp(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(2, 60, 3))
    path = folder_of(tmp_path / "big", first)
    stamp = (path / "X_train.npy").stat()
    before = np.array(load_dataset(path).X_train)
    folder_of(path, second)
    os.utime(path / "X_train.npy", ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    after = np.array(load_dataset(path).X_train)
    assert not np.allclose(before, after)
    np.testing.assert_allclose(after, standardise(second)[0], atol=1e-6)


def test_arrays_are_the_same_on_the_command_line(command: Command, tmp_path: Path) -> None:
    """A folder as a file, values near 1e200 as others; a replaced folder as what it holds now."""
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(2, 60, 3))
    path, y = tmp_path / "big", np.arange(60) % 2
    said = []
    for X in (first, second):
        stamp = (path / "X_train.npy").stat() if path.exists() else None
        folder_of(path, X * 1e200)
        if stamp is not None:
            os.utime(path / "X_train.npy", ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
        alone = tmp_path / "alone.npz"
        np.savez(alone, X_train=X, y_train=y, X_test=X[:20], y_test=y[:20])
        said.append(command("ranking", "--dataset", path).splitlines()[0])
        assert said[-1] == command("ranking", "--dataset", alone).splitlines()[0]
    assert said[0] != said[1]


@pytest.mark.parametrize("size", [1e200, 1e-200, 1.0])
def test_large_and_small_values_are_the_same_in_both(tmp_path: Path, size: float) -> None:
    X = np.random.default_rng(0).normal(size=(60, 3)) * size
    found = np.array(load_dataset(folder_of(tmp_path / "big", X)).X_train)
    np.testing.assert_allclose(found, standardise(X)[0], atol=1e-6)
    assert found.std() == pytest.approx(1, abs=1e-3)


def test_a_column_constant_but_for_rounding_is_constant(tmp_path: Path) -> None:
    X = np.random.default_rng(0).normal(size=(60, 3))
    X[:, 1] = np.where(np.arange(60) % 2, 0.3, 0.1 + 0.2)
    assert np.ptp(X[:, 1]) > 0
    for found in (standardise(X)[0], np.array(load_dataset(folder_of(tmp_path / "b", X)).X_train)):
        assert not found[:, 1].any()
        assert found[:, 0].std() == pytest.approx(1, abs=1e-3)


def test_too_few_feature_names_are_refused_at_once(command: Command, tmp_path: Path) -> None:
    X, y = np.random.default_rng(0).normal(size=(40, 3)), np.arange(40) % 2
    path = tmp_path / "own.npz"
    np.savez(path, X_train=X, y_train=y, X_test=X, y_test=y, feature_names=np.array(["a", "b"]))
    with pytest.raises(InvalidDataset, match="feature_names has 2 names"):
        take_in.preview(path)
    assert "feature_names has 2 names" in command("data", "add", path, "--preview", code=2)


# 14. Sparse columns


def test_a_sparse_column_is_named_and_can_go(command: Command, tmp_path: Path) -> None:
    frame = table(6896, rare=[1.5 if i < 38 else None for i in range(6896)])
    path = written(tmp_path, frame)
    assert "6,858 of 6,896 rows left out" in " ".join(seen(path).notes)
    assert "'rare' 6,858" in command("data", "add", path, "--preview")
    with pytest.raises(InvalidDataset, match=r"which leaves 38.*'rare' 6,858"):
        load_fairness_dataset(path, **ROLES)
    assert seen(path, drop="rare").dropped == 0
    imputed = both_say(command, path, "Imputed", "--impute", impute=True)
    assert imputed.dropped == 0 and imputed.n_train + imputed.n_test == 6896


def test_what_imputing_fills_in() -> None:
    frame = table(hole=[None if i < 20 else i % 5 for i in range(N)])
    frame.loc[30:40, "city"] = None
    dataset = load_dataset(frame, impute=True)
    assert dataset.n_train + len(dataset.y_test) + len(dataset.y_holdout) == N
    assert dataset.feature_names is not None
    assert not [name for name in dataset.feature_names if "None" in name]


def test_no_complete_row_names_the_columns(command: Command, tmp_path: Path) -> None:
    path = written(tmp_path, table(a=[1.0, None] * (N // 2), b=[None, 1.0] * (N // 2)))
    for words in ("0 of 120 rows are complete", "'a' 60", "'b' 60"):
        assert words in command("data", "add", path, code=2)
        with pytest.raises(InvalidDataset, match=words):
            load_dataset(path)
    with pytest.raises(InvalidDataset, match="'a' 60, 'b' 60"):
        load_fairness_dataset(path, **ROLES)


def test_columns_that_are_there_twice(command: Command, tmp_path: Path) -> None:
    path = written(tmp_path, table(again=lambda: None).assign(again=table()["x"]))
    both_say(command, path, "Columns that hold the same values twice: 'again' is 'x'")
    path.write_text(path.read_text().replace("again", "x", 1))
    with pytest.raises(InvalidDataset, match=r"several columns named 'x'.*or drop them"):
        load_dataset(path)
    assert "x" not in (load_dataset(path, drop="x").feature_names or ())
    with pytest.raises(InvalidInput, match=r"drop must be one of the columns.*'z'"):
        load_dataset(path, drop="z")
    assert "5 features" in command("data", "add", path, "--preview", "--drop", "x")


# 15. Unclear files


def test_a_header_with_a_comma_between_semicolons(command: Command, tmp_path: Path) -> None:
    frame = table().rename(columns={"x": "weight, in kg"})
    path = written(tmp_path, frame, sep=";", decimal=",", quoting=0)
    both_say(command, path, "separated by semicolons")
    assert "weight, in kg" in (load_dataset(path).feature_names or ())


def test_columns_separated_by_blanks(command: Command, tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text(table().to_string(index=False))
    preview = both_say(command, path, "separated by blanks")
    assert preview.n_train + preview.n_test == N


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\n<!DOCTYPE html>\n<html><body>Not found</body></html>", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 2", "pointer of Git LFS"),
    ],
)
@pytest.mark.parametrize("name", ["own.csv", "own.parquet", "own.xlsx", "own.jsonl", "own.npz"])
def test_what_is_downloaded_in_place_of_a_file(
    command: Command, tmp_path: Path, content: bytes, words: str, name: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    assert words in command("data", "add", path, code=2)
    with pytest.raises(InvalidDataset, match=words):
        load_dataset(path)


def test_two_classes_of_one_name_are_told_apart(command: Command, tmp_path: Path) -> None:
    X, y = np.random.default_rng(0).normal(size=(60, 3)), np.arange(60) % 3
    path = tmp_path / "own.npz"
    np.savez(path, X_train=X, y_train=y, X_test=X, y_test=y, class_names=["cat", "cat", "dog"])
    assert load_dataset(path).class_names == ("cat (0)", "cat (1)", "dog")
    assert take_in.preview(path).classes["class"].tolist() == ["cat (0)", "cat (1)", "dog"]
    said = command("explain", "--dataset", path)
    assert f"of class '{load_dataset(path).class_names[load_dataset(path).y_test[0]]}'" in said


def test_a_name_without_letters(command: Command, tmp_path: Path) -> None:
    path = written(tmp_path, table(), "日本.csv")
    assert "--name" in command("data", "add", path, code=2)
    assert "'japan' is a data set now" in command("data", "add", path, "--name", "japan")
    assert load_dataset(path).name == "日本"
    assert load_fairness_dataset(path, **ROLES).name == "日本"


def test_no_minus_zero_points() -> None:
    from engine.statistics import points

    assert [points(v) for v in (-0.0001, 0.0, 0.012, -0.25)] == ["0.0", "0.0", "+1.2", "-25.0"]


def test_classes_are_said_by_name_and_the_audit_asks_what_there_is(
    command: Command, tmp_path: Path
) -> None:
    path = written(tmp_path, table(60)[["x", "age", "label"]])
    command("data", "add", path)
    assert "of class '" in command("explain", "--dataset", "own")
    said = command("audit", "--dataset", "own", "--target", 0)
    assert f"{2 * len(load_dataset(path).y_test)} queries" in said


SMALL_WORK = {  # commands whose defaults are made for larger data, with little to compute
    "score-matrix": ("--steps", 2),
    "payments": ("--draws", 1, "--steps", 2, "--tried", 2),
    "sweep": ("--steps", 2, "--restarts", 1, "--radii", 0.3, "--jobs", 1),
    "baseline": ("--steps", 2),
    "audit": ("--target", 0),
    "cleaning": ("--draws", 1, "--steps", 2),
    "certificates": ("--directions", 20, "--steps", 2, "--restarts", 1),
    "halves": ("--draws", 2),
}
TOO_MANY = {"score-matrix": "--n-targets", "sweep": "--n-targets", "payments": "--k"}


@pytest.mark.parametrize("name", list(SMALL_WORK))
def test_defaults_fit_a_small_table(command: Command, tmp_path: Path, name: str) -> None:
    """Counts that nobody chose are cut to what 40 training rows allow; chosen ones are refused."""
    path = written(tmp_path, table(60)[["x", "age", "label"]])
    asked = (name, "--dataset", path, *SMALL_WORK[name])
    assert "computed now" in command(*asked)
    if name == "certificates":
        assert "choose a smaller k" in command(*asked, "--ks", 40, code=2)
    if name in TOO_MANY:
        assert "Got 45" in command(*asked, TOO_MANY[name], 45, code=2)


@pytest.mark.parametrize(
    ("values", "good"),
    [
        (["approved", "denied"], "approved"),
        (["denied", "granted"], "granted"),
        (["no", "yes"], "yes"),
        (["False", "True"], "True"),
        (["0", "1"], "1"),
    ],
)
def test_the_favourable_value_is_guessed_by_its_meaning(values: list[str], good: str) -> None:
    assert favourable(values) == good
    with pytest.raises(InvalidInput, match="positive"):  # in Python somebody has to say it
        load_fairness_dataset(table(), target="label", sensitive="sex", privileged="m")


# 16. Beside CSV


def arff(frame: pd.DataFrame) -> str:
    kinds = {"x": "numeric", "age": "integer", "city": "{Ulm, Bonn, 'Jena'}", "sex": "{m,f}"}
    header = [f"@attribute {n} {kinds.get(n, '{yes,no}')}" for n in frame.columns]
    rows = frame.to_csv(index=False, header=False)
    return "\n".join(["% a comment", "@relation r", "", *header, "@DATA", "% another", rows])


def formats() -> dict[str, Callable[[pd.DataFrame, Path], object]]:
    def text(frame: pd.DataFrame) -> bytes:
        return frame.to_csv(index=False).encode()

    def zipped(frame: pd.DataFrame, path: Path) -> None:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("inner/rows.csv", text(frame))
            archive.writestr("__MACOSX/._rows.csv", b"x")

    return {
        "own.csv.gz": lambda f, p: p.write_bytes(gzip.compress(text(f))),
        "own.csv.bz2": lambda f, p: p.write_bytes(bz2.compress(text(f))),
        "own.CSV.xz": lambda f, p: p.write_bytes(lzma.compress(text(f))),
        "own.zip": zipped,
        "own.tsv": lambda f, p: f.to_csv(p, sep="\t", index=False),
        "own.xlsx": lambda f, p: f.to_excel(p, index=False),
        "own.parquet": lambda f, p: f.to_parquet(p),
        "own.feather": lambda f, p: f.to_feather(p),
        "own.arff": lambda f, p: p.write_text(arff(f)),
        "own.jsonl": lambda f, p: f.to_json(p, orient="records", lines=True),
        "own.jsonl.gz": lambda f, p: f.to_json(p, orient="records", lines=True),
    }


@pytest.mark.parametrize("name", list(formats()))
def test_every_format_gives_the_same_data_set(command: Command, tmp_path: Path, name: str) -> None:
    frame = table()
    frame.loc[3, "x"] = np.nan
    expected, fair = load_dataset(frame), load_fairness_dataset(frame, **ROLES)
    path = tmp_path / name
    formats()[name](frame, path)
    assert load_dataset(path).content_hash == expected.content_hash
    assert load_fairness_dataset(path, **ROLES).content_hash == fair.content_hash
    assert "'own' is a data set now" in command("data", "add", path)
    taken = load_dataset("own", tmp_path / "cache" / "data")
    assert taken.content_hash == expected.content_hash
    assert fit(taken).accuracy(*taken.split("test")) > 0.3


def test_sheets_that_are_not_read_are_named(tmp_path: Path) -> None:
    path = tmp_path / "own.xlsx"
    with pd.ExcelWriter(path) as book:
        table().to_excel(book, sheet_name="2026", index=False)
        table().to_excel(book, sheet_name="notes", index=False)
    assert "Read is the sheet '2026'; not read: 'notes'." in seen(path).notes


@pytest.mark.parametrize(
    "kind",
    ["category", "string", "Int64", "Float64", "boolean", "datetime64[ns, UTC]", "Sparse[float64]"],
)
def test_frames_of_every_type(kind: str) -> None:
    values = pd.Series(np.arange(N) % 4 if kind != "boolean" else np.arange(N) % 2 == 0)
    frame = table(more=values.astype(pd.api.types.pandas_dtype(kind)))
    preview = seen(frame)
    assert preview.n_train + preview.n_test == N
    assert load_fairness_dataset(frame, **ROLES).n_train == 72


def test_cells_that_are_no_values_are_named() -> None:
    with pytest.raises(InvalidDataset, match="'more' holds \\[1\\], of type list"):
        load_dataset(table(more=[[1]] * N))


def test_options_are_part_of_a_request() -> None:
    """Published keys stay: at their defaults the options are not there."""
    from engine.experiments.base import values_of

    plain = FairnessRequest("own", **ROLES)
    assert not {"drop", "text", "missing", "impute", "header"} & values_of(plain).keys()
    other = FairnessRequest("own", **ROLES, drop=["x"], missing="empty", header=False)
    assert values_of(other)["drop"] == ("x",) and other.source != plain.source


@pytest.mark.parametrize("gap", [False, True])
def test_flags_are_named_alike_in_every_format(tmp_path: Path, gap: bool) -> None:
    flags: list[bool | None] = [i % 3 == 0 for i in range(N)]
    flags[0] = None if gap else True
    frame = table(label=flags)
    frame.to_parquet(tmp_path / "own.parquet")
    frame.to_excel(tmp_path / "own.xlsx", index=False)
    sources = (frame, written(tmp_path, frame), tmp_path / "own.parquet", tmp_path / "own.xlsx")
    for source in sources:
        dataset = load_dataset(source)
        assert dataset.class_names == ("False", "True")
        assert dataset.n_train + len(dataset.y_test) + len(dataset.y_holdout) == N - gap
