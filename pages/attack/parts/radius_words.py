"""What the smallest radii say in words and tables: pure functions of the stored result."""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from engine.experiments import MinimalRadiusRequest, MinimalRadiusResult
from engine.statistics import rank_correlation
from engine.vocabulary import ACCURACY_TOLERANCE
from pages.common.keeping import shelf
from pages.common.words.objective_words import NAMES, quoted
from pages.common.words.rate_words import top
from pages.common.words.wording import count, decimal, listed, points, seconds

LEVEL = 0.05  # of a corrected p, below which a difference is not put down to chance


def at_one_radius(result: MinimalRadiusResult) -> float:
    """Return the radius at which the sentences compare: 0.2 where it was attacked, else the
    middle of those that were."""
    radii = compared_radii(result)
    return 0.2 if 0.2 in radii else radii[len(radii) // 2]


def compared_radii(result: MinimalRadiusResult) -> list[float]:
    """Return the radii that attacks were given, the smallest first."""
    return sorted(float(radius) for radius in set(result.others["radius"]))


@shelf.kept
def finding(result: MinimalRadiusResult, enough: float = 0.0) -> str:
    """Ask how far the model must go, and answer with one number. enough: the radius within which
    each search ended, 0 where it went on."""
    total, middle = len(result.targets), median(result)
    asked = f"How far must the model move to bring a sample to {top(result.k)} of the ranking? "
    if enough:
        within = int(result.moved(enough).sum())
        return (
            f"{asked}**Moving it by {100 * enough:g}% was enough for {within} of the {total} "
            "samples tried.**"
        )
    if not np.isfinite(middle):
        return (
            f"{asked}**No move was enough for half of them:** the search moved "
            f"{int(result.arrived.sum())} of {count(total, 'sample')}."
        )
    start, _ = opening(result)
    return (
        f"{asked}**Moving it by {start:g}% is enough for "
        f"{int(result.moved(start / 100).sum())} of the {total} samples tried.**"
    )


def edge(result: MinimalRadiusResult) -> float:
    """Return the largest radius that is drawn, a whole percent."""
    farthest = float(max(result.radius[result.arrived], default=0.0))
    return math.ceil(108 * max(farthest, float(result.others["radius"].max()))) / 100


def opening(result: MinimalRadiusResult, enough: float = 0.0) -> tuple[float, float]:
    """Return the percent at which the page opens, and the step of its slider: `enough`, where a
    search ended there; else the least of these steps that is enough for half of the targets; where
    none is, for all that arrive."""
    step = 0.5 if round(100 * edge(result)) > 10 else 0.1
    middle = enough or median(result)
    if not math.isfinite(middle):
        middle = float(max(result.radius[result.arrived], default=0.0))
    return round(step * math.ceil(100 * middle / step), 1), step


def percent(radius: float, digits: int = 1) -> str:
    """'14.5%': a radius as a share of the weights' size."""
    return f"{100 * radius:.{digits}f}%"


def against_others(result: MinimalRadiusResult) -> str:
    """Say how many the search and the attacks that are given a radius move within the same one."""
    radius = at_one_radius(result)
    there = result.on(radius)
    total, moved = len(there.targets), int(there.moved(radius, ACCURACY_TOLERANCE).sum())
    return (
        f"Within radius {radius:g}, with at most {100 * ACCURACY_TOLERANCE:g} points of "
        f"accuracy lost, the search moves {moved} of {total}. Given the same radius, "
        f"{rivals(there, radius)}."
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
def comparison(result: MinimalRadiusResult, looks: int = 1) -> pd.DataFrame:
    """Write the paired comparison with every attack as a table to be read. looks: as in
    `MinimalRadiusResult.compared`."""
    table = result.compared(ACCURACY_TOLERANCE, looks)
    return pd.DataFrame(
        {
            "radius": [f"{r:g}" for r in table["radius"]],
            "compared with": [NAMES[name] for name in table["objective"]],
            "targets": table["targets"],
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


def verdict(result: MinimalRadiusResult, looks: int = 1) -> str:
    """Say how many targets the search and each attack move in the same time, and whether that may
    be chance. looks: as in `MinimalRadiusResult.compared`."""
    said: list[str] = []
    table = result.compared(ACCURACY_TOLERANCE, looks)
    for radius, part in table.groupby("radius"):
        told = [
            f"{quoted(name)} moves {other} (corrected p {decimal_p(p)})"
            for name, other, p in zip(part["objective"], part["other"], part["p_holm"], strict=True)
        ]
        total = count(int(part["targets"].iloc[0]), "target")
        begin = f"Within radius {radius:g} the" if said else "With the same processor time, the"
        end = "" if said else f" within radius {radius:g}"
        moves = f"{begin} search moves {part['minimal'].iloc[0]} of {total}{end}:"
        said.append(f"**{moves}** {listed(told)}.")
    surely = (table["p_holm"] < LEVEL) & (table["only_minimal"] > table["only_other"])
    if surely.all():
        end = "Chance alone would hardly give differences like these."
    elif surely.any():
        end = f"{'One' if (~surely).sum() == 1 else 'Some'} of the differences may be chance."
    else:
        end = "The differences may be chance."
    return " ".join([*said, end])


def looks_caption(
    lots: Sequence[MinimalRadiusResult], first: MinimalRadiusRequest, last: MinimalRadiusRequest
) -> str:
    """Say how many lots of targets there are, what was decided before the last one was tried, how
    its request `last` differs from that of the first, and what it gives alone."""
    looks = len(lots)
    table = lots[-1].compared(ACCURACY_TOLERANCE)
    table = table[table["radius"] == at_one_radius(lots[-1])]
    alone = [
        f"{quoted(name)} {other} (corrected p {decimal_p(p)})"
        for name, other, p in zip(table["objective"], table["other"], table["p_holm"], strict=True)
    ]
    other = ""
    if last.enough and not first.enough:
        other += f"There the search ended once it was within radius {last.enough:g}, and an attack "
        other += "had that shorter time. "
    if last.radii != first.radii:
        other += f"There attacks were given {'radius' if len(last.radii) == 1 else 'the radii'} "
        other += f"{listed([f'{radius:g}' for radius in last.radii])} alone. "
    if last.margins and not first.margins:
        other += "There the search kept accuracy by the predictions of single test samples, before "
        other += "by a bound on the training loss. "
    return (
        f"The targets came in {looks} lots: {listed([str(len(lot.targets)) for lot in lots])}. "
        "Number, seed, settings and test of the last lot were fixed before any of it was tried, "
        "and after the lot before it had been looked at. So p is multiplied by "
        f"{looks}, the number of looks, before Holm's correction. {other}The last lot alone: the "
        f"search moves {table['minimal'].iloc[0]}, {listed(alone)}."
    )


def comparison_caption(
    result: MinimalRadiusResult, request: MinimalRadiusRequest, looks: int = 1
) -> str:
    """Say what is counted, and what the search cost, as its request asks. looks: as in
    `MinimalRadiusResult.compared`."""
    every = ", and answers every radius" if looks == 1 and not request.enough else ""
    said = (
        f"Targets in the top {result.k} of the returned model, which may lose at most "
        f"{points(ACCURACY_TOLERANCE)} of accuracy on data that chose nothing. Each target is "
        "tried by both: p is McNemar's exact test on the targets that only one of them moves, "
        "corrected by Holm for the number of rows. The search took "
        f"{seconds(result.seconds)} of one processor for all targets{every}."
    )
    if request.enough:
        said += f" It ended once it was within radius {request.enough:g}."
    if not request.equal_time:
        return said
    whom = "the target" if request.one_by_one else "every target"
    return (
        f"{said} At each radius an attack had as long{' for each target' * request.one_by_one}: it "
        f"began again from other random starts, until {whom} had arrived or that time was spent. "
        "A round that had begun was finished."
    )


def seen_before(earlier: int) -> str:
    """Say, with a space before, how many earlier versions of the search were run on the same
    samples; nothing where none was."""
    if not earlier:
        return ""
    versions = count(earlier, "earlier version")
    return (
        f" The search was tuned on other samples, but {versions} of it had been run on these too."
    )


def seen_elsewhere(earlier: int, targets: int) -> str:
    """Say beside other targets, with a space before, that earlier versions of the search were run
    on the `targets` of *How far must the model go?*; nothing where none was."""
    if not earlier:
        return ""
    return (
        f" Earlier versions of the search had been run on the {targets} targets of *How far must "
        "the model go?*, and on none of these."
    )


def planned_caption(planned: int, computed: int, lot: str = "", ended: bool = False) -> str:
    """Say that fewer targets were computed than planned, and what decided when to end. lot: words
    for which targets, with a space before. ended: whether one more was ended while it ran."""
    last = " The next one was running and was ended, which may favour the search." if ended else ""
    return (
        f"{planned} targets were planned{lot}, in the order of a draw. The first {computed} of "
        "them were finished when the time set for it was over. No result decided when to end."
        + last
    )


def curve_title(result: MinimalRadiusResult, within: float) -> str:
    """Say how many samples arrive within a radius."""
    total = len(result.targets)
    if not result.arrived.any():
        return f"No sample reached {top(result.k)}"
    found = int(result.moved(within).sum())
    return (
        f"Moving the model by {100 * within:g}% brings {found} of {count(total, 'sample')} to "
        f"{top(result.k)}"
    )


def rivals_title(result: MinimalRadiusResult) -> str:
    """Say whether the search moves more samples than every attack that is given the radius."""
    found: dict[str, list[str]] = {}
    for radius in compared_radii(result):
        there = result.on(radius)
        ours = int(there.moved(radius, ACCURACY_TOLERANCE).sum())
        best = max(
            int(there.moved_by(name, radius, ACCURACY_TOLERANCE).sum())
            for name in set(result.others["objective"])
        )
        how = "as many" if ours == best else "fewer" if best < ours else "more"
        found.setdefault(how, []).append(f"{radius:g}")
    if [*found] == ["as many"]:
        return "The search moves as many as the best attack that is given a radius"
    if len(found) == 1:
        return f"Attacks that are given a radius move {next(iter(found))}"
    told = [f"{how} within radius {listed(radii)}" for how, radii in found.items()]
    return f"Attacks that are given a radius move {listed(told)}"


def ends(result: MinimalRadiusResult, enough: float = 0.0) -> str:
    """Say where the staircase begins and ends; empty without a step. With `enough`: say within
    which radius each search ended. A space comes last."""
    found = np.sort(result.radius[result.arrived])
    if enough:
        return (
            f"Each search ended once it was within {100 * enough:g}%, so less may be enough than "
            "is drawn. "
        )
    if not len(found):
        return ""
    return (
        f"The easiest needs {percent(found[0])}, the hardest of those that arrived "
        f"{percent(found[-1])}. "
    )


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
