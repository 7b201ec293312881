"""A features file of one's own, before it is taken in: rows that hold no number are left out."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.data.intake.preview import LISTED, Preview, Problem, count_classes
from engine.data.preparation import numbered_classes, prepare
from engine.data.sources.features_file import FEATURE_NAMES, REQUIRED, read_checked, read_names
from engine.errors import InvalidDataset

SPLITS = ("train", "test")


@dataclass(frozen=True, eq=False)
class Candidate:
    """A data set's arrays, as they would be kept, beside its preview. unchanged: the file itself
    can be kept."""

    preview: Preview
    arrays: dict[str, NDArray]
    unchanged: bool = False


def look(path: Path) -> Candidate:
    """Raises InvalidDataset where the file cannot be used at all."""
    arrays, class_names = read_checked(path)
    problems: list[Problem] = []
    n_problems = dropped = 0
    for split in SPLITS:
        X, y = arrays[f"X_{split}"], arrays[f"y_{split}"]
        if X.ndim != 2 or X.dtype.kind != "f" or len(y) != len(X):
            continue  # `prepare` says what is wrong
        bad = ~np.isfinite(X)
        n_problems += int(bad.sum())
        problems += [
            Problem(
                f"X_{split}, row {row}", "is no finite number", str(column), str(X[row, column])
            )
            for row, column in np.argwhere(bad)[: LISTED - len(problems)]
        ]
        keep = ~bad.any(axis=1)
        dropped += int((~keep).sum())
        arrays |= {f"X_{split}": X[keep], f"y_{split}": y[keep]}
    try:
        X_train, y_train, X_test, y_test = (arrays[name] for name in REQUIRED)
        feature_names = read_names(path, arrays, FEATURE_NAMES, "feature")
        prepare(
            path.stem, X_train, y_train, X_test, y_test, class_names, feature_names=feature_names
        )
    except InvalidDataset as error:
        rest = f" ({dropped:,} rows with NaN or infinite values are left out.)" if dropped else ""
        first = f" The first: {problems[0]}." if problems else ""
        raise InvalidDataset(f"'{path.name}' cannot be used: {error}{rest}{first}") from error
    names = class_names or numbered_classes(y_train, y_test)
    preview = Preview(
        file=path.name,
        kind="features",
        classes=count_classes(names, y_train, y_test),
        n_features=arrays["X_train"].shape[1],
        problems=tuple(problems),
        n_problems=n_problems,
        dropped=dropped,
    )
    return Candidate(preview, arrays, unchanged=not dropped)
