"""What the smallest radii say in words and tables: pure functions of the stored result."""

import numpy as np
import pandas as pd

from engine.experiments import MinimalRadiusResult
from engine.statistics import rank_correlation
from engine.vocabulary import ACCURACY_TOLERANCE
from pages.common.keeping import shelf
from pages.common.words.objective_words import NAMES, quoted
from pages.common.words.wording import count, decimal, listed, points, seconds


def at_one_radius(result: MinimalRadiusResult) -> float:
    """Return the radius at which the sentences compare: 0.2 where it was attacked, else the
    middle of those that were."""
    radii = sorted(set(result.others["radius"]))
    return 0.2 if 0.2 in radii else float(radii[len(radii) // 2])


@shelf.kept
def finding(result: MinimalRadiusResult) -> str:
    """Say in one line how far the model must go."""
    total, radius = len(result.targets), at_one_radius(result)
    moved = int(result.moved(radius, ACCURACY_TOLERANCE).sum())
    middle = median(result)
    lead = (
        f"**Half of the {total} targets can be moved by changing the weights by at most "
        f"{100 * middle:.0f}% of their length.**"
        if np.isfinite(middle)
        else f"**The search moved {int(result.arrived.sum())} of {count(total, 'target')}.**"
    )
    return (
        f"{lead} Within radius {radius:g}, with at most {100 * ACCURACY_TOLERANCE:g} points of "
        f"accuracy lost, the search moves {moved} of {total}."
    )


def median(result: MinimalRadiusResult) -> float:
    """Return the median of the radii, those that never arrived being infinite."""
    return float(np.median(np.where(result.arrived, result.radius, np.inf)))


def rivals(result: MinimalRadiusResult, radius: float) -> str:
    """Say how many the other attacks move at that radius."""
    return listed(
        [
            f"{quoted(name)} moves {int(result.moved_by(name, radius, ACCURACY_TOLERANCE).sum())}"
            for name in dict.fromkeys(result.others["objective"])
        ]
    )


@shelf.kept
def comparison(result: MinimalRadiusResult) -> pd.DataFrame:
    """Write the paired comparison with every attack as a table to be read."""
    table = result.compared(ACCURACY_TOLERANCE)
    return pd.DataFrame(
        {
            "radius": [f"{r:g}" for r in table["radius"]],
            "compared with": [NAMES[name] for name in table["objective"]],
            "search moves": table["minimal"],
            "it moves": table["other"],
            "only the search": table["only_minimal"],
            "only it": table["only_other"],
            "p, corrected": [decimal_p(p) for p in table["p_holm"]],
            "its processor time": [seconds(s) for s in table["seconds"]],
        }
    )


def decimal_p(p: float) -> str:
    return "below 0.001" if p < 0.001 else f"{p:.3f}"


def comparison_caption(result: MinimalRadiusResult, equal_time: bool = False) -> str:
    """Say what is counted, and what the search cost. equal_time: whether the attacks had its
    time."""
    said = (
        f"Targets in the top {result.k} of the returned model, which may lose at most "
        f"{points(ACCURACY_TOLERANCE)} of accuracy on data that chose nothing. Each target is "
        "tried by both: p is McNemar's exact test on the targets that only one of them moves, "
        "corrected by Holm for the number of rows. The search took "
        f"{seconds(result.seconds)} of one processor for all targets, and answers every radius."
    )
    if not equal_time:
        return said
    return (
        f"{said} At each radius an attack had as long: it began again from other random starts, "
        "until every target had arrived or that time was spent. A round that had begun was "
        "finished."
    )


def curve_title(result: MinimalRadiusResult) -> str:
    found = np.sort(result.radius[result.arrived])
    if not len(found):
        return f"No target reached the top {result.k}"
    return (
        f"{len(found)} of {count(len(result.targets), 'target')} can be moved, each from a radius "
        "of its own"
    )


def ends(result: MinimalRadiusResult) -> str:
    """Say where the staircase begins and ends, with a space after; empty without a step."""
    found = np.sort(result.radius[result.arrived])
    if not len(found):
        return ""
    return f"The nearest moves at radius {found[0]:.3f}, the farthest at {found[-1]:.3f}. "


@shelf.kept
def end_correlation(result: MinimalRadiusResult) -> float:
    """Return Spearman's correlation of the radius with the places between the honest rank and the
    nearer end of the ranking, over those that arrived; NaN for fewer than three."""
    inside = result.arrived
    if inside.sum() < 3:
        return float("nan")
    ranks = result.rank_before[inside]
    places = np.minimum(ranks - 1, len(result.honest_ranks) - ranks)
    return float(rank_correlation(places, result.radius[inside]))


def scatter_title(result: MinimalRadiusResult) -> str:
    """Say whether samples near an end of the honest ranking are the easier ones."""
    value = end_correlation(result)
    if not np.isfinite(value):
        return "Too few targets arrived to compare their ranks"
    if abs(value) < 0.3:
        return f"Being near an end hardly tells how far: Spearman {decimal(value)}"
    size = "smaller" if value > 0 else "larger"
    return f"The nearer to an end, the {size} the radius: Spearman {decimal(value)}"


def targets_table(result: MinimalRadiusResult) -> pd.DataFrame:
    """Write one row per target, the nearest first."""
    table = pd.DataFrame(
        {
            "target": result.targets,
            "radius": result.radius,
            "arrived": result.arrived,
            "rank_before": result.rank_before,
            "rank_after": result.rank_after,
            "lost_test": result.lost_test,
            "lost_holdout": result.lost_holdout,
        }
    )
    return table.sort_values("radius", ignore_index=True)
