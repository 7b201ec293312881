"""The real tables that packages ship, from the preview to fairness.

scikit-learn's and plotly's are there; the others come with the extra `benchmarks` of pyproject.toml
(palmerpenguins, lifelines, mlxtend, statsmodels, vega_datasets). Their files are read as they lie
in the packages: nothing of those is imported. Every step is what a user would type. Rows and
columns are accounted for, and a step ends in a result or in the engine's own message.
"""

import contextlib
import importlib.util
import io
import os
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
from sklearn import datasets

from engine.__main__ import main as command_line
from engine.data.intake import labelled_table
from engine.data.tables.options import TableOptions
from engine.data.tables.read import columns_of, read_table

STEPS = ("preview", "add", "ranking", "attack", "sensitivity", "fairness")


@dataclass(frozen=True)
class Real:
    """A table of a package: where it lies there, its label, and for fairness target, favourable
    value, group and its value; options: as on the command line."""

    package: str
    path: str
    label: str
    roles: tuple[str, str, str, str]
    options: tuple[str, ...] = ()

    @property
    def file(self) -> Path | None:
        """Its file; None where the package is not installed."""
        spec = importlib.util.find_spec(self.package)
        if spec is None or not spec.submodule_search_locations:
            return None
        return Path(spec.submodule_search_locations[0]) / self.path


PENGUINS, LIVES, STATS = "palmerpenguins", "lifelines", "statsmodels"
TABLES = (
    Real(PENGUINS, "data/penguins.csv", "species", ("species", "Adelie", "sex", "male")),
    Real(
        PENGUINS,
        "data/penguins-raw.csv",
        "Species",
        ("Clutch Completion", "Yes", "Sex", "MALE"),
        ("--drop", "Comments"),
    ),
    Real(LIVES, "datasets/rossi.csv", "arrest", ("arrest", "0", "race", "1")),
    Real(LIVES, "datasets/gbsg2.csv", "horTh", ("cens", "0", "menostat", "Post")),
    Real(LIVES, "datasets/lung.csv", "status", ("status", "0", "sex", "1"), ("--impute",)),
    Real(LIVES, "datasets/ACTG175.csv", "arms", ("cens", "0", "gender", "1")),
    Real(
        LIVES,
        "datasets/dd.csv",
        "regime",
        ("democracy", "Democracy", "un_continent_name", "Europe"),
    ),
    Real(
        LIVES,
        "datasets/canadian_senators.csv",
        "reason",
        ("observed", "True", "Province / Territory", "Quebec"),
        ("--impute",),
    ),
    Real(LIVES, "datasets/kidney_transplant.csv", "death", ("death", "0", "black_male", "0")),
    Real(
        STATS, "datasets/fair/fair.csv", "rate_marriage", ("rate_marriage", "5", "religious", "4")
    ),
    Real(STATS, "datasets/randhie/randhie.csv", "hlthp", ("hlthp", "0", "physlm", "0")),
    Real(STATS, "datasets/anes96/anes96.csv", "vote", ("vote", "1", "educ", "6")),
    Real(STATS, "datasets/modechoice/modechoice.csv", "choice", ("choice", "1", "psize", "1")),
    Real(LIVES, "datasets/larynx.csv", "death", ("death", "1", "Stage_II", "0")),
    Real("mlxtend", "data/data/iris.csv.gz", "c5", ("c5", "0", "c4", "0.2"), ("--no-header",)),
    Real("mlxtend", "data/data/autompg.csv.gz", "c1", ("c7", "1", "c1", "4"), ("--no-header",)),
    Real("plotly", "package_data/datasets/tips.csv.gz", "sex", ("smoker", "No", "sex", "Male")),
    Real(
        "plotly",
        "package_data/datasets/gapminder.csv.gz",
        "continent",
        ("continent", "Europe", "year", "2007"),
    ),
    Real(
        "vega_datasets", "_data/seattle-weather.csv", "weather", ("weather", "sun", "wind", "2.6")
    ),
)
SKLEARN = {  # frames, written as they are; fairness by a column that splits them
    "iris": datasets.load_iris,
    "wine": datasets.load_wine,
    "breast_cancer": datasets.load_breast_cancer,
    "digits": datasets.load_digits,
    "diabetes": datasets.load_diabetes,
}


def of_sklearn(folder: Path) -> list[tuple[Path, Real]]:
    """scikit-learn's tables as files, with a group of two: above the median of a column."""
    found = []
    for name, load in SKLEARN.items():
        frame = load(as_frame=True).frame
        if name == "diabetes":  # a number to predict: above the median, or not
            frame["target"] = frame["target"] > frame["target"].median()
        first = frame.columns[2 if name == "digits" else 1]
        frame["group"] = (frame[first] > frame[first].median()).map({True: "high", False: "low"})
        path = folder / f"sklearn_{name}.parquet"
        frame.to_parquet(path)
        value = str(frame["target"].iloc[0])
        roles = ("target", value, "group", "high")
        found.append((path, Real("sklearn", name, "target", roles)))
    return found


@dataclass
class Line:
    """What became of one table."""

    name: str
    rows: int = 0
    used: int = 0
    columns: int = 0
    left_out: int = 0
    features: int = 0
    seconds: float = 0.0
    steps: dict[str, str] = field(default_factory=dict)


def say(*arguments: str) -> tuple[int, str]:
    """A command's exit code, and what it said."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        code = command_line(list(arguments))
    return code, said.getvalue()


def account(line: Line, path: Path, table: Real) -> None:
    """Rows and columns, checked against the file itself."""
    options = TableOptions(
        header="--no-header" not in table.options,
        impute="--impute" in table.options,
        drop=table.options[1:] if "--drop" in table.options else (),
    )
    preview = labelled_table.look(path, table.label, options=options).preview
    found = preview.account
    assert found is not None
    whole = read_table(path, TableOptions(header=options.header)).frame
    line.rows, line.columns = len(whole), whole.shape[1]
    line.used = preview.n_train + preview.n_test
    line.features = preview.n_features or 0
    line.left_out = len(options.drop) + sum(c.use == "left out" for c in found.columns)
    assert line.used + preview.dropped == found.rows == line.rows, table
    assert len(found.columns) + len(options.drop) == line.columns, table
    assert list(dict.fromkeys(columns_of(path, options.header))) == list(whole.columns), table


def through(path: Path, table: Real) -> Line:
    """All steps on one table."""
    line, began = Line(f"{table.package}: {Path(table.path).name}"), time.perf_counter()
    account(line, path, table)
    add = ("data", "add", str(path), "--label", table.label, "--name", "own", *table.options)
    names = ("--target", "--positive", "--sensitive", "--privileged")
    roles = [word for pair in zip(names, table.roles, strict=True) for word in pair]
    commands = {
        "preview": (*add, "--preview"),
        "add": add,
        "ranking": ("ranking", "--dataset", "own"),
        "attack": (
            "attack", "--dataset", "own", "--target", "3", "--restarts", "1", "--steps", "20",
        ),
        "sensitivity": ("sensitivity", "--dataset", "own"),
        "fairness": (
            "fairness", "--dataset", str(path), *roles, "--merge-others", "--scales", "0.1", "1",
            "--no-search", *table.options,
        ),
    }  # fmt: skip
    for step in STEPS:
        code, said = say(*commands[step])
        line.steps[step] = "" if code == 0 else said.strip().splitlines()[-1]
    line.seconds = time.perf_counter() - began
    return line


def main() -> None:
    lines, absent = [], []
    with tempfile.TemporaryDirectory() as folder:
        found = of_sklearn(Path(folder))
        for table in TABLES:
            file = table.file
            if file is None:
                absent.append(table.package)
            else:
                found.append((file, table))
        for number, (path, table) in enumerate(found):
            os.environ["IAL_CACHE_DIR"] = str(Path(folder) / str(number))
            os.environ["IAL_DEVICE"] = "cpu"
            lines.append(through(path, table))
            print(f"{number + 1} of {len(found)}", end="\r", file=sys.stderr)
    shown = [
        {
            "table": line.name,
            "rows": line.rows,
            "used": line.used,
            "columns": line.columns,
            "left out": line.left_out,
            "features": line.features,
            **{step: "refused" if line.steps[step] else "ok" for step in STEPS},
            "s": round(line.seconds, 1),
        }
        for line in lines
    ]
    print(pd.DataFrame(shown).to_string(index=False))
    for line in lines:
        for step, said in line.steps.items():
            if said:
                print(f"{line.name}, {step}: {said}")
    if absent:
        print(f"Not installed (extra `benchmarks`): {', '.join(sorted(set(absent)))}")


if __name__ == "__main__":
    main()
