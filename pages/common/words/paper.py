"""The numbers of *Influence-based Attributions can be Manipulated* (later: *Influence Attributions
can be Systematically Altered by Model Manipulation*, AISTATS 2026), to stand beside ours.

Source: its Tables 1 and 2. The values of the two k were lost from the text at hand: they are called
smaller and larger k, and a guess is called one (K_GUESS).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from pages.common.frames import row_of
from pages.common.keeping import shelf

COMPARABLE = (
    "The paper: 50 targets each, ResNet-50 features, influence by LiSSA; its two k are not in the "
    "text at hand. Levels compare only on the same data and features; the order of the methods and "
    "the trends in radius and k do everywhere."
)
K_GUESS = (
    "The authors' plotting code counts success at k = 3 and k = 10, which suggests the two k of "
    "the tables: a guess, from github.com/infinite-pursuits/"
    "influence-based-attributions-can-be-manipulated."
)
TITLES = (
    "The paper (Yadav, Wu and Chaudhuri) has two titles: *Influence-based Attributions can be "
    "Manipulated* (arXiv:2409.05208), as at the top of every page, and later *Influence "
    "Attributions can be Systematically Altered by Model Manipulation* (AISTATS 2026)."
)
CELL_NAME = "kept / best (points lost)"
CELL_MEANING = "Success with accuracy kept / at best (points of accuracy lost at best)."
DATASETS = ("CIFAR-10", "Oxford-IIIT Pet", "Caltech-101")
NOT_THEIRS = ["not in the paper"] * len(DATASETS)  # cells of a method that is not the paper's


@dataclass(frozen=True)
class Rate:
    """One cell of the tables: success with accuracy kept, at best, and what the best costs (a
    share; None where there is no success)."""

    high_accuracy: float
    best: float
    drop: float | None


TABLE_1 = {
    ("attack", "smaller k"): (
        Rate(0.64, 0.90, 0.057),
        Rate(0.88, 0.94, 0.054),
        Rate(0.74, 0.85, 0.038),
    ),
    ("attack", "larger k"): (
        Rate(0.76, 0.90, 0.057),
        Rate(0.88, 0.94, 0.054),
        Rate(0.74, 0.85, 0.038),
    ),
    ("baseline", "smaller k"): (Rate(0.0, 0.0, None), Rate(0.0, 0.0, None), Rate(0.0, 0.0, None)),
    ("baseline", "larger k"): (
        Rate(0.0, 0.0, None),
        Rate(0.10, 1.0, 0.873),
        Rate(0.08, 0.84, 0.936),
    ),
}
TABLE_2 = {
    "target": (Rate(0.44, 0.64, 0.159), Rate(0.64, 0.70, 0.152), Rate(0.52, 0.72, 0.117)),
    "top_k": (Rate(0.60, 0.72, 0.200), Rate(0.74, 0.74, 0.016), Rate(0.68, 0.68, 0.036)),
    "higher_ranked": (Rate(0.60, 0.80, 0.060), Rate(0.88, 0.88, 0.021), Rate(0.74, 0.77, 0.083)),
    "restarts": (Rate(0.64, 0.90, 0.055), Rate(0.88, 0.94, 0.053), Rate(0.74, 0.85, 0.071)),
}


def cell(rate: Rate) -> str:
    """'0.64 / 0.90 (5.7)': accuracy kept / best (points lost)."""
    lost = "–" if rate.drop is None else f"{100 * rate.drop:.1f}".replace("-0.0", "0.0")
    return f"{rate.high_accuracy:.2f} / {rate.best:.2f} ({lost})"


def of_regimes(part: pd.DataFrame) -> Rate:
    """Return our cell: one row a regime, with rate, successes and accuracy_drop."""
    by = part.set_index("regime")
    best = row_of(by, "best")
    drop = None if best["successes"] == 0 else float(best["accuracy_drop"])
    return Rate(float(by["rate"]["high_accuracy"]), float(best["rate"]), drop)


@shelf.kept
def beside_table_1(rates: pd.DataFrame) -> pd.DataFrame:
    """Put our rates (rows of method, regime, k) above the paper's: method, k, and a cell per data
    set."""
    rows = [
        ("here", method, f"k = {k}", "shown above", cell(of_regimes(part)))
        for (method, k), part in rates.groupby(["method", "k"])
    ]
    rows += [
        ("paper", method, k, name, cell(rate))
        for (method, k), cells in TABLE_1.items()
        for name, rate in zip(DATASETS, cells, strict=True)
    ]
    return pd.DataFrame(rows, columns=["source", "method", "top", "data", CELL_NAME])


@shelf.kept
def beside_table_2(best: pd.DataFrame, names: Mapping[str, str], here: str) -> pd.DataFrame:
    """Put our rates beside the paper's, in a row for each variant that we have a rate of. best: our
    rates, a row for each variant and regime. here: the name of our column."""
    rows = []
    for variant, name in names.items():
        ours = best[best["variant"] == variant]
        if ours.empty:
            continue
        cells = [cell(rate) for rate in TABLE_2[variant]] if variant in TABLE_2 else NOT_THEIRS
        theirs = {f"paper: {d}": text for d, text in zip(DATASETS, cells, strict=True)}
        rows.append({"variant": name, here: cell(of_regimes(ours))} | theirs)
    return pd.DataFrame(rows)
