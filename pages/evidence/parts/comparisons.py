"""The paper's numbers and statements beside what is published here; pure functions from results to
comparisons.

A level compares only on the same data and features, which nothing here has: the paper's features
are those of a ResNet-50, and its two k are not in the text at hand. What compares everywhere is an
order of methods or a trend, and that is what the statements put to the test.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from engine.attacks.rates import chosen_on_test
from engine.experiments import SensitivityResult
from engine.experiments.impossible import ImpossibleResult
from engine.fairness.result import FairnessResult, largest_effect
from engine.speed.result import GradientComparison
from engine.vocabulary import ACCURACY_TOLERANCE
from pages.attack.parts import ablation, target_sets
from pages.common.asking.rate_view import RateView, share_rates, success_rates
from pages.common.frames import named_rows
from pages.common.words.wording import decimal, listed, points
from pages.evidence.parts.best_rates import (
    at_best,
    baseline_at_best,
    own,
    variants_at_best,
)
from pages.evidence.parts.speed_figures import megabytes

REPRODUCED, DIFFERS, NOT_COMPARABLE = "reproduced", "differs", "not comparable"
VERDICTS = (REPRODUCED, DIFFERS, NOT_COMPARABLE)
LARGEST_GAP = 0.16  # the paper's Fig. 5
MEMORY_AT_5K = 8 / 1.7  # of the naive form over the paper's rewriting
MORE = {"places": "more of them are in the top", "targets": "a larger share of them gets there"}
SPOILS = "the baseline spoils the model"
ORDINARY_LOSS = 0.10  # of accuracy: beyond it a model is visibly spoilt


@dataclass(frozen=True)
class Comparison:
    """A statement of the paper, what is found here and on which data, and whether they agree.

    short: the statement in a few words, as a figure names it."""

    source: str
    short: str
    claim: str
    here: str
    data: str
    verdict: str
    why: str


def judged(agrees: bool) -> str:
    return REPRODUCED if agrees else DIFFERS


def beats_baseline(data: str, attacks: pd.DataFrame, baseline: pd.DataFrame) -> Comparison:
    """Compare Table 1: the attack against loss reweighing, with accuracy kept."""
    ks = sorted(int(k) for k in attacks["k"].unique())
    kept = at_best(attacks).query("regime == 'high_accuracy'").set_index("k")
    base = baseline_at_best(baseline, ks).query("regime == 'high_accuracy'").set_index("k")
    clear = [k for k in ks if kept["low"][k] > base["high"][k]]
    return Comparison(
        "Table 1",
        "the attack beats the baseline, loss reweighing",
        "The attack beats loss reweighing at every k: 0.64 to 0.88 against 0.00 to 0.10 with "
        "accuracy kept.",
        f"success is {spread(kept['rate'])} against {spread(base['rate'])}, for "
        f"k = {listed_ks(ks)}",
        data,
        judged(clear == ks),
        "the 95% intervals are apart at every k"
        if clear == ks
        else f"the 95% intervals are apart for {len(clear)} of {len(ks)} k",
    )


def baseline_is_dear(data: str, baseline: pd.DataFrame, ks: Sequence[int]) -> Comparison:
    """Compare Table 1: loss reweighing gets into a wider top only by spoiling the model."""
    best = baseline_at_best(baseline, ks).query("regime == 'best'")
    there = best[best["successes"] > 0]
    claim = (
        "Loss reweighing never reaches the smaller k, and the larger one only by losing 87 to 94 "
        "points of accuracy."
    )
    if there.empty:
        here = f"it reaches no top at any weight, for k = {listed_ks(ks)}"
        why = "it never gets there, and a k wider than these may be the paper's larger one"
        return Comparison("Table 1", SPOILS, claim, here, data, NOT_COMPARABLE, why)
    first, lost = there.iloc[0], there["accuracy_drop"].min()
    return Comparison(
        "Table 1",
        SPOILS,
        claim,
        f"{first['rate']:.0%} reach the top {first['k']}, losing {points(lost)} on average; of "
        f"k = {listed_ks(ks)}, none is reached below",
        data,
        judged(first["k"] > min(ks) and lost > ORDINARY_LOSS),
        "it gets there only by spoiling the model"
        if lost > ORDINARY_LOSS
        else "it gets there without spoiling the model",
    )


def every_part_helps(data: str, single: pd.DataFrame, restarted: pd.DataFrame) -> Comparison:
    """Compare Table 2: the order of the four variants, with accuracy kept, at the smallest k."""
    kept, hits = ablated(single, restarted)
    taken = ablation.steps(kept, hits)
    worse = taken[taken["rate_after"] < taken["rate_before"]]
    by = kept.set_index("variant")["rate"]
    sure = [ablation.NAMES[s.step] for s in named_rows(taken) if s.p < ablation.ALPHA]
    chance = (
        f"more than chance on {len(hits)} targets: {listed(sure)}"
        if sure
        else f"no single step is more than chance on {len(hits)} targets"
    )
    order = (
        "no step does worse than the one before"
        if worse.empty
        else f"{listed([ablation.NAMES[s.step] for s in named_rows(worse)])} does worse than the "
        "step before"
    )
    return Comparison(
        "Table 2",
        "every part of the attack helps, or does no harm",
        "No part of the recipe hurts: raising the target, lowering the top k, lowering all that "
        "rank higher, restarting.",
        f"success is {listed([f'{by[v]:.2f}' for v in hits.columns])} at k = {kept['k'].iloc[0]}",
        data,
        judged(worse.empty),
        f"{order}; {chance} ({ablation.TESTS})",
    )


def ablated(single: pd.DataFrame, restarted: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the variants' rates with accuracy kept, each at its best radius and the smallest k,
    and who moves which target there."""
    table = ablation.variants(single, restarted)
    view = RateView(int(table["k"].min()), ACCURACY_TOLERANCE, "any_run", 0.0)
    best = variants_at_best(table)
    kept = best[best["regime"] == "high_accuracy"].set_index("variant", drop=False)
    radii = dict(zip(kept["variant"], kept["radius"], strict=True))
    return kept, ablation.wide(ablation.moved(table, view, radii))


def radius_trades(data: str, attacks: pd.DataFrame) -> Comparison:
    """Fig. 2: what a larger radius gives and takes, at the smallest k."""
    k = int(attacks["k"].min())
    rates = own(success_rates(attacks, ACCURACY_TOLERANCE)).query("k == @k and regime == 'best'")
    rates = rates.sort_values("radius")
    part = attacks[attacks["k"] == k]
    lost = (part["accuracy_before"] - part["accuracy_after"]).groupby(part["radius"]).median()
    first, last = rates.iloc[0], rates.iloc[-1]
    more, dearer = last["rate"] > first["rate"], bool(lost.iloc[-1] > lost.iloc[0])
    return Comparison(
        "Fig. 2",
        "a model that moves farther brings more to the top, and costs more",
        "A larger radius moves more samples and costs more accuracy.",
        f"success at any accuracy is {first['rate']:.0%} at radius {first['radius']:g} and "
        f"{last['rate']:.0%} at {last['radius']:g}; the median loss is {points(lost.iloc[0])} and "
        f"{points(lost.iloc[-1])}",
        data,
        judged(more and dearer),
        f"success {grows(bool(more))}, the loss {grows(dearer)}",
    )


def grows(does: bool) -> str:
    return "grows" if does else "does not grow"


def transfers(data: str, attacks: pd.DataFrame, honest: pd.DataFrame | None = None) -> Comparison:
    """Fig. 2: success of the returned models on a test set that the attacker never saw, against k,
    each at the radius that its success on the attacker's own test set chooses. honest: how far two
    honest rankings agree, the table of `halves`."""
    ks = (int(attacks["k"].min()), int(attacks["k"].max()))
    rates = success_rates(attacks, ACCURACY_TOLERANCE).query(
        "form == 'returned' and regime == 'best'"
    )
    first, last = (chosen_on_test(rates[rates["k"] == k]) for k in ks)
    near, far = first["rate"]["holdout"], last["rate"]["holdout"]
    here = (
        f"success is {near:.0%} at k = {ks[0]} (radius {first['radius']['test']:g}) and "
        f"{far:.0%} at k = {ks[1]} (radius {last['radius']['test']:g}), where the "
        f"attacker's own test set gives {first['rate']['test']:.0%} and {last['rate']['test']:.0%}"
    )
    claim = "On an unknown test set the attack does better as k grows, and worse than on its own."
    agrees = bool(far > near and first["rate"]["test"] > near)
    why = (
        f"success on unseen data {grows(bool(far > near))} with k; counted are the models handed "
        "out, whatever accuracy they lose, at the radius that is best on the attacker's own test "
        "set"
    )
    if honest is not None:
        why += (
            ". Two honest rankings, by these two test sets, correlate at "
            f"{decimal(honest['spearman'].iloc[0])}"
        )
    short = "on unseen test data, a wider top is easier"
    return Comparison("Fig. 2", short, claim, here, data, judged(agrees), why)


def fewer_competitors(data: str, trained: pd.DataFrame) -> Comparison:
    """Fig. 2 and Table 1: smaller training sets, at the smallest k and accuracy kept."""
    k = int(trained["k"].min())
    rates = own(success_rates(trained, ACCURACY_TOLERANCE)).query(
        "k == @k and regime == 'high_accuracy'"
    )
    rates = rates.sort_values("train_size")
    first, last = rates.iloc[0], rates.iloc[-1]
    falls = bool((np.diff(rates["rate"]) <= 0).all() and first["rate"] > last["rate"])
    apart = first["low"] > last["rate"] and last["high"] < first["rate"]
    return Comparison(
        "Section 4",
        "smaller training sets are easier to attack",
        "Smaller training sets are easier to attack: fewer samples compete for the top.",
        f"success is {listed([f'{r.rate:.0%} with {r.train_size:,}' for r in rates.itertuples()])} "
        f"training samples, at k = {k}",
        data,
        judged(falls),
        "success falls with every step in size"
        + ("" if apart else ", though the 95% intervals of the ends overlap")
        if falls
        else "success does not fall with size",
    )


def sets(data: str, table: pd.DataFrame) -> Iterable[Comparison]:
    """Fig. 3: set size and k, in both readings of success."""
    shares = share_rates(table, ACCURACY_TOLERANCE).query(
        "form == 'any_run' and regime == 'high_accuracy' and split == 'test'"
    )
    for reading in target_sets.READINGS.values():
        trends = target_sets.Trends.of(shares, reading)
        yield Comparison(
            "Fig. 3",
            f"with more targets, {MORE[reading.name]}",
            f"Success falls as k grows, and larger target sets do better; read as {reading.text}.",
            target_sets.evidence(trends),
            data,
            judged(all(trends.verdicts())),
            target_sets.verdict(trends)
            + ("" if reading.name == "places" else "; the text defines success so"),
        )


def ends_are_sensitive(data: str, found: SensitivityResult) -> Comparison:
    """Figs. 4 and 7: gradient norms at the ends of the honest ranking."""
    first, middle, last = found.at_ends
    return Comparison(
        "Figs. 4 and 7",
        "the ends of the ranking depend most on the model",
        "The scores of samples that rank very high or very low depend most on the model.",
        f"the median gradient norm is {first / middle:.1f} times the middle's in the first "
        f"twentieth of the ranking, {last / middle:.1f} times in the last",
        data,
        judged(min(first, last) > middle),
        f"norms estimated to {found.error:.1%} (root mean square)",
    )


def some_are_impossible(found: Sequence[ImpossibleResult]) -> Comparison:
    """Compare Theorem 1 with random models and the attack."""
    tried, beaten = sum(f.tried for f in found), sum(f.beaten for f in found)
    ks = [f.random.k for f in found]
    return Comparison(
        "Theorem 1",
        "some samples cannot be moved",
        "There are samples that no model whatever moves into the top k.",
        f"the target rises with {beaten} of {tried:,} models, random ones and those of the "
        f"attack, for k = {listed_ks(ks)}",
        "constructed data",
        judged(beaten == 0),
        "the counter can only refute; the proof is on the page",
    )


def fairness_breaks(found: Mapping[str, FairnessResult]) -> Comparison:
    """Fig. 5: the largest change of the demographic-parity gap that goes unnoticed."""
    effects = {name: largest_effect(result.table) for name, result in found.items()}
    known = {name: row for name, row in effects.items() if row is not None}
    top = max(known.values(), key=lambda row: row["effect"])
    said = [
        f"{name} {100 * row['effect']:+.1f} ({100 * row['effect_low']:+.1f} to "
        f"{100 * row['effect_high']:+.1f})"
        for name, row in known.items()
    ]
    inside = bool(top["effect_low"] <= LARGEST_GAP <= top["effect_high"])
    return Comparison(
        "Fig. 5",
        "one multiplication breaks fairness",
        "One multiplication raises the demographic-parity gap by up to 16 points, at similar "
        "accuracy.",
        f"the gap changes by {', '.join(said)} points, accuracy within 3".replace("-", "−"),
        f"{listed(list(known))} together",
        judged(inside),
        f"16 lies {'inside' if inside else 'outside'} the 95% interval of the largest",
    )


def memory_saved(found: Sequence[GradientComparison]) -> Iterable[Comparison]:
    """Compare Section 3: the memory of a forward and backward pass, with and without the
    rewriting."""
    for one in sorted(found, key=lambda g: g.n_parameters):
        peak = one.table.set_index("implementation")["peak_mb"]
        small = one is min(found, key=lambda g: g.n_parameters)
        naive, rewritten, ours = (peak[n] for n in ("naive", "rewritten", "closed_form"))
        claim = (
            "At 5K parameters the rewriting takes 1.7 GB instead of 8: 4.7 times less."
            if small
            else "At 206K parameters the naive form does not fit into 12 GB; the rewriting takes 7."
        )
        fits = bool(np.isfinite(naive))
        ratio = naive / rewritten if fits else np.inf
        here = (
            f"at {one.n_parameters:,} parameters {megabytes(naive)} against "
            f"{megabytes(rewritten)} ({ratio:.1f} times less); in closed form {megabytes(ours)}"
            if fits
            else f"at {one.n_parameters:,} parameters the naive form does not fit into "
            f"{megabytes(one.memory_limit_mb)}; rewritten {megabytes(rewritten)}, in closed form "
            f"{megabytes(ours)}"
        )
        yield Comparison(
            "Section 3",
            f"a rewritten gradient saves memory, {'small' if small else 'large'} model",
            claim,
            here,
            "synthetic data",
            judged(ratio >= MEMORY_AT_5K) if small or not fits else NOT_COMPARABLE,
            "ratios compare; megabytes do not: the paper's include what PyTorch itself holds on "
            "a GPU"
            if small
            else "another size, and on the CPU: only that the rewriting saves memory is checked, "
            f"here {ratio:.1f} times",
        )


def spread(rates: pd.Series) -> str:
    low, high = rates.min(), rates.max()
    return f"{low:.2f}" if low == high else f"{low:.2f} to {high:.2f}"


def listed_ks(ks: Sequence[int]) -> str:
    return listed([str(k) for k in ks])
