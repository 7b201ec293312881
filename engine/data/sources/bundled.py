"""Data sets that come with installed packages: nothing to download."""

import ast
import gzip
import importlib.util
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from engine.data.catalogue import SETS
from engine.data.dataset import Dataset
from engine.data.preparation import prepare

DIGITS = "datasets/data/digits.csv.gz"  # in the folder of the installed scikit-learn
SPLIT = Path(__file__).with_name("digits_split.json")


def digits() -> Dataset:
    """Handwritten digits: 1200 train and 597 test images of 8×8 pixels, ten classes.

    The split is that of scikit-learn's `train_test_split`, drawn once and kept in a file: to import
    scikit-learn takes longer than an attack.
    """
    with gzip.open(folder_of("sklearn") / DIGITS, "rt", encoding="utf-8") as file:
        table = np.loadtxt(file, delimiter=",")
    X, y = table[:, :-1], table[:, -1].astype(np.int64)
    pictures = (1 - X.reshape(-1, 8, 8) / 16).astype(np.float32)
    chosen = {name: np.array(rows) for name, rows in json.loads(SPLIT.read_text("utf-8")).items()}
    train, unseen = chosen["train"], np.concatenate([chosen["test"], chosen["holdout"]])
    test, holdout = np.split(np.arange(len(unseen)), [len(chosen["test"])])
    return prepare(
        "digits",
        X[train],
        y[train],
        X[unseen],
        y[unseen],
        class_names=tuple("0123456789"),
        images=(pictures[train], pictures[unseen]),
        title=SETS["digits"].title,
        halves=(test, holdout),
    )


def breast_cancer() -> Dataset:
    """Breast tumours, a table of measurements: 400 train and 169 test rows, 30 numbers each."""
    from sklearn.datasets import load_breast_cancer
    from sklearn.model_selection import train_test_split

    bunch = load_breast_cancer()
    train, test = train_test_split(
        np.arange(len(bunch.target)), train_size=400, stratify=bunch.target, random_state=0
    )
    X, y = bunch.data, bunch.target.astype(np.int64)
    return prepare(
        "breast_cancer",
        X[train],
        y[train],
        X[test],
        y[test],
        class_names=tuple(str(name) for name in bunch.target_names),
        title=SETS["breast_cancer"].title,
    )


PARTS = ("interpolate", "linalg", "optimize", "signal", "sparse", "stats")  # of SciPy: the classes
MOST_TEXTS = 250  # of a part, the first in the order of its files
LEAST_CHARACTERS = 200  # of a text
WORDS = 300  # the most common ones, whose presence are the features
TEXTS = {"train": 900, "test": 300}


def scipy_docs() -> Dataset:
    """Documentation of SciPy's functions and classes: which of six parts of the library is each
    about? 900 train and 300 test texts; a feature says whether a word occurs in the text.

    The texts are read from the installed package, no code of which is run: another version of SciPy
    is another data set, with a hash of its own.
    """
    from sklearn.model_selection import train_test_split

    root = folder_of("scipy")
    texts = [list(islice(docstrings(root / part), MOST_TEXTS)) for part in PARTS]
    y = np.repeat(np.arange(len(PARTS)), [len(some) for some in texts])
    words = [set(re.findall(r"[a-z]{3,}", text.lower())) for some in texts for text in some]
    train, test = train_test_split(
        np.arange(len(y)),
        train_size=TEXTS["train"],
        test_size=TEXTS["test"],
        stratify=y,
        random_state=0,
    )
    counted = Counter(word for i in train for word in words[i])
    common = sorted(counted, key=lambda word: (-counted[word], word))[:WORDS]
    X = np.array([[word in text for word in common] for text in words], dtype=np.float64)
    return prepare(
        "scipy_docs",
        X[train],
        y[train],
        X[test],
        y[test],
        class_names=PARTS,
        feature_names=tuple(common),
        title=SETS["scipy_docs"].title,
    )


def folder_of(package: str) -> Path:
    """Return the folder of an installed package."""
    found = importlib.util.find_spec(package)
    assert found is not None and found.origin is not None  # it is installed with the lab
    return Path(found.origin).parent


def docstrings(folder: Path) -> Iterator[str]:
    """Yield the docstrings of a package's functions and classes that are not short, file by file;
    not those of its tests."""
    for path in sorted(folder.rglob("*.py")):
        if "tests" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                text = ast.get_docstring(node) or ""
                if len(text) >= LEAST_CHARACTERS:
                    yield text


LOADERS: dict[str, Callable[[], Dataset]] = {
    "digits": digits,
    "breast_cancer": breast_cancer,
    "scipy_docs": scipy_docs,
}
