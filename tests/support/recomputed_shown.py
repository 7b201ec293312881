"""The same recomputed numbers, as single sentences of the pages state them."""

import math
import re

import numpy as np

from tests.support import recomputed as r
from tests.support import recomputed_more as more
from tests.support.recomputed import Numbers


def strongest(_: str) -> Numbers:
    return [1, more.few_matter("")[-1]]


def baseline_rank(_: str) -> Numbers:
    return more.baseline_one("")[:1]


def helps_most(dataset: str) -> Numbers:
    """The most that arrive, of how many, at rank 1, and what the step before brings there."""
    hit, of, before = r.largest_step(dataset)
    return [hit, of, 1, before]


def moved_by_all(dataset: str) -> Numbers:
    return more.under_every(dataset)[:2]


def moved_by_few(dataset: str) -> Numbers:
    return more.under_every(dataset)[2:]


def too_far(dataset: str) -> Numbers:
    return r.cost_headline(dataset)[:1:-1]


def smallest_training(dataset: str) -> Numbers:
    return r.by_training_size(dataset)[:2]


def first_kept(_: str) -> Numbers:
    return r.example_turnover("")[:2]


def rankings_agree(_: str) -> Numbers:
    return [r.example_turnover("")[2], 1]


def search_moves(dataset: str) -> Numbers:
    return r.within_radius(dataset)[:4]


def others_move(dataset: str) -> Numbers:
    return r.within_radius(dataset)[4:]


def nearest_and_farthest(dataset: str) -> Numbers:
    return [100 * radius for radius in r.can_be_moved(dataset)[2:]]


def moved_within_slider(dataset: str) -> Numbers:
    """As the page opens: where the search ended early, at the radius that was enough; else at the
    least step of its slider that is enough for half of the targets, or where none is, for all that
    arrive. The slider ends above 1.08 times the largest radius, and its
    steps are half a percent, or a tenth where it ends at 10% or less."""
    request, result = r.results("minimal", dataset)[0]
    farthest = np.nanmax(result.radius)
    step = 0.5 if 108 * max(farthest, result.others["radius"].max()) > 10 else 0.1
    middle = request.enough or np.median(np.where(result.arrived, result.radius, np.inf))
    within = step * math.ceil(100 * (middle if np.isfinite(middle) else farthest) / step)
    moved = (100 * result.radius[result.arrived] <= within).sum()
    return [within, moved, len(result.radius)]


def tried(_: str) -> Numbers:
    models, top, k, runs, reached = r.impossible("")
    return [top, models, k, reached, runs]


def check_finds(dataset: str) -> Numbers:
    wrong, (before, after) = r.looked_at(dataset)[0], r.found_of_wrong(dataset)
    return [wrong, before, wrong, after]


def gap_repaired(dataset: str) -> Numbers:
    """The sizes of the gap before the repair and after it, each after a group that is ahead or
    behind, whose name may hold an age; and whether the repair turns the gap."""
    before, honest = 100 * r.fairness(dataset).about.gap_before, r.fairness_gap(dataset)[0]
    turned = "less" if before * honest < 0 else "more"
    first, second = ages(dataset, before), ages(dataset, -before)
    return [*first, abs(before), *second, abs(honest), f"points {turned} often."]


def ages(dataset: str, gap: float) -> list[float]:
    """The numbers in the name of the group that a gap of this sign puts ahead."""
    name = r.fairness(dataset).about.group_names[int(gap > 0)]
    return [float(age) for age in re.findall(r"\d+", name)]


def gap_spoiled(dataset: str) -> Numbers:
    """The scale of the largest effect, and the size of the gap that it leaves."""
    scale, gap = r.fairness_gap(dataset)[:1:-1]
    return [scale, *ages(dataset, gap), abs(gap)]


def gap_sizes(dataset: str) -> Numbers:
    return r.fairness_headline(dataset)[2:4]


def effect(dataset: str) -> Numbers:
    return r.fairness_headline(dataset)[4:]


def gap_at(dataset: str) -> Numbers:
    return r.fairness_gap(dataset)[2:]


def leads(_: str) -> Numbers:
    """How many times the second score the first is: of the honest model of the game's first round,
    which is its model A, and of its malicious one."""
    pairs = r.only("pairs", "digits")
    dealt = int(np.random.default_rng(1).integers(len(pairs.targets)))
    both = [
        sorted(scores.tolist(), reverse=True)[:2]
        for scores in (pairs.honest_scores, pairs.scores[dealt])
    ]
    return [first / second for first, second in both]
