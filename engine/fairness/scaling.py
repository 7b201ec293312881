"""The scaling attack on fairness (Section 5): the base model α·θ* instead of θ*.

Without an intercept a factor α > 0 changes no prediction; it changes every influence score, hence
the weights, hence the fairness of the downstream model.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from engine.data.fairness import FairnessDataset, Strength
from engine.errors import InvalidInput
from engine.fairness import gaps
from engine.fairness.gaps import count_cells, gaps_of_cells, resample_cells
from engine.fairness.options import FAIRNESS_DEFAULTS, FairnessOptions
from engine.fairness.pipeline import (
    Effects,
    choose_removal,
    loss_gradient,
    predict,
    removal_effects,
    train,
)
from engine.fairness.result import About, FairnessResult
from engine.progress import OnStep, ignore_step
from engine.statistics import percentiles, rank_correlation
from engine.vocabulary import METRICS, ROUNDING

HONEST = 1.0
SEARCH_LOW, SEARCH_HIGH, SEARCH_GRID = 1e-3, 10.0, 25
SEARCH_ROUNDS, SEARCH_BETWEEN = 2, 3  # refinements, and new scales on either side of the best

ScaleRow = dict[str, float | str]  # of one scale: numbers, the programme's name, whether feasible

# In products as small as these a second thread gains a little on a quiet machine; on a busy one the
# two wait for each other, and ten seconds become a hundred.
one_thread = threadpool_limits.wrap(limits=1)


@dataclass(frozen=True, eq=False)
class Pipeline:
    """The pipeline with everything that is the same at every scale."""

    dataset: FairnessDataset
    options: FairnessOptions = FAIRNESS_DEFAULTS

    @property
    def metric(self) -> str:
        return self.options.metric

    @cached_property
    def l2(self) -> float:
        """Return the options' l2, or the data set's."""
        return self.dataset.l2 if self.options.l2 is None else self.options.l2

    @cached_property
    def strength(self) -> Strength:
        """Return the options' β and γ, or the data set's for the metric."""
        own: Strength = getattr(self.dataset, self.metric)
        beta, gamma = self.options.beta, self.options.gamma
        return Strength(own.beta if beta is None else beta, own.gamma if gamma is None else gamma)

    @property
    def top_k(self) -> int:
        """Return the number of samples on which rankings are compared: at most all."""
        return min(self.options.top_k, self.dataset.n_train)

    @cached_property
    def theta(self) -> NDArray[np.float64]:
        """Train θ*, the honest base model (d,)."""
        X, y, _ = self.dataset.split("train")
        return train(X, y, self.l2)

    @cached_property
    def honest(self) -> "Run":
        return self.run(HONEST)

    def run(self, scale: float) -> "Run":
        """Compute influence at α·θ*, solve the programme, train downstream on its weights."""
        base = scale * self.theta
        effects = removal_effects(base, self.dataset, self.metric, self.l2)
        removal = choose_removal(effects, self.strength.beta, self.strength.gamma)
        X, y, _ = self.dataset.split("train")
        downstream = None
        if removal.shares is not None:
            downstream = train(X, y, self.l2, 1 - removal.shares, self.theta)
        gradient = (loss_gradient(base, X, y) + self.l2 * base) / len(X)
        return Run(
            scale,
            effects,
            removal.programme,
            removal.shares,
            downstream,
            float(np.linalg.norm(gradient)),
            float(gradient @ self.theta),
        )

    def before_test(self, run: "Run") -> ScaleRow:
        """Return the columns of one scale that need no test set."""
        honest = self.honest
        return {
            "scale": run.scale,
            "programme": run.programme,
            "feasible": run.removed is not None,
            "removed": np.nan if run.removed is None else float(run.removed.sum()),
            "spearman": float(rank_correlation(run.effects.on_gap, honest.effects.on_gap)),
            "topk_overlap": self.overlap(run),
            "gradient_norm": run.gradient_norm,
            "slope": run.slope,
            **self.measure(run, "val"),
        }

    def row(self, run: "Run") -> ScaleRow:
        """Return the row of `fairness_scaling` for one scale."""
        X_test, y_test, _ = self.dataset.split("test")
        base = predict(run.scale * self.theta, X_test)
        return {
            **self.before_test(run),
            "base_accuracy_test": float((base == y_test).mean()),
            "base_predictions_changed": int((base != predict(self.theta, X_test)).sum()),
            **self.measure(run, "test"),
        }

    def overlap(self, run: "Run") -> float:
        """Return the share of the honest top_k that is in the top_k at this scale, too: the samples
        whose removal lowers the gap most."""
        top, honest = (
            set(np.argsort(r.effects.on_gap, kind="stable")[: self.top_k].tolist())
            for r in (run, self.honest)
        )
        return len(top & honest) / self.top_k

    def measure(self, run: "Run", split: str) -> dict[str, float]:
        """Return gaps and accuracy of the downstream model; on test with their 95% intervals, and
        with the effect of the attack: |gap| minus |gap at α = 1|, paired over the resampled
        rows."""
        names = [*METRICS, "accuracy"]
        if run.downstream is None:
            found = {f"{name}_{split}": np.nan for name in names}
            if split == "test":
                found |= {f"{n}_test_{end}": np.nan for n in names for end in ("low", "high")}
                found |= {n: np.nan for n in ("effect", "effect_low", "effect_high")}
            return found
        X, y, group = self.dataset.split(split)
        predicted = predict(run.downstream, X)
        reference = self.honest.downstream
        # without an honest model to compare with, every effect is none
        cells = count_cells(
            group, y, predicted, predicted if reference is None else predict(reference, X)
        )
        here = gaps_of_cells(cells)
        found = {f"{name}_{split}": float(getattr(here, name)) for name in names}
        if split != "test":
            return found
        drawn = resample_cells(cells, self.options.resamples, self.options.seed)
        there = gaps_of_cells(drawn)
        for name in names:
            ends = percentiles(getattr(there, name))
            found |= {f"{name}_test_low": ends.low, f"{name}_test_high": ends.high}
        if reference is None:
            return found | {n: np.nan for n in ("effect", "effect_low", "effect_high")}
        ends = percentiles(self.effect(drawn))
        effect = float(self.effect(cells))
        return found | {"effect": effect, "effect_low": ends.low, "effect_high": ends.high}

    def effect(self, cells: NDArray) -> NDArray:
        """Return |gap| with the attack minus |gap| without."""
        here, honest = (gaps_of_cells(cells, of) for of in (gaps.PREDICTED, gaps.HONEST))
        return np.abs(getattr(here, self.metric)) - np.abs(getattr(honest, self.metric))


@dataclass(frozen=True, eq=False)
class Run:
    """The pipeline once, at one scale; `removed` and `downstream` are None where the programme has
    no solution. gradient_norm: ‖∇L(αθ*)‖ of the mean objective; slope: dL(αθ*)/dα. Both are 0 at a
    minimum, which every honestly trained model is."""

    scale: float
    effects: Effects
    programme: str
    removed: NDArray[np.float64] | None
    downstream: NDArray[np.float64] | None
    gradient_norm: float
    slope: float


def check_dataset(dataset: object) -> None:
    """Check that a data set has outcomes and groups. Raises InvalidInput."""
    if not isinstance(dataset, FairnessDataset):
        expected = "a FairnessDataset, as load_fairness_dataset(name) returns it"
        raise InvalidInput("dataset", type(dataset).__name__, expected)


def fairness_scaling(
    dataset: FairnessDataset,
    scales: Sequence[float] = FAIRNESS_DEFAULTS.scales,
    metric: str = FAIRNESS_DEFAULTS.metric,
    l2: float | None = None,
    beta: float | None = None,
    gamma: float | None = None,
    top_k: int = FAIRNESS_DEFAULTS.top_k,
    resamples: int = FAIRNESS_DEFAULTS.resamples,
    seed: int = FAIRNESS_DEFAULTS.seed,
) -> pd.DataFrame:
    """Measure the downstream model's fairness at scales α of the base model (Section 5, Fig. 5).

    `FairnessOptions` says what each option means and what it may be. One row per scale, ascending;
    α = 1, the honest one, is always there. Columns:

    scale, programme (of `engine.vocabulary.PROGRAMMES`), feasible, removed (sum over the training
    rows); dp_val, dp_test, eop_val, eop_test, accuracy_val, accuracy_test of the downstream model,
    shares in [−1, 1], NaN where the programme has no solution, those on test with _low and _high,
    95% bootstrap; effect (_low, _high), |gap on test| minus that at α = 1; base_accuracy_test and
    base_predictions_changed of the base model, which scaling does not change; spearman and
    topk_overlap of the influence ranking with the honest one; gradient_norm and slope of the base
    model's training objective (mean), which are 0 for a model that was trained.

    Raises InvalidInput, NotConverged.
    """
    options = FairnessOptions(
        scales=scales, metric=metric, l2=l2, beta=beta, gamma=gamma, search=False, top_k=top_k,
        resamples=resamples, seed=seed,
    )  # fmt: skip
    check_dataset(dataset)
    return analyse(Pipeline(dataset, options)).table


@one_thread
def analyse(pipeline: Pipeline, on_step: OnStep = ignore_step) -> FairnessResult:
    """Compute `fairness_scaling` with all that a page shows; where the options ask for it, also the
    worst scale, see `search_worst`. on_step(done, total) hears of every scale, and may raise."""
    asked = tuple(sorted({*pipeline.options.scales, HONEST}))
    search = pipeline.options.search
    total = len(asked) + (SEARCH_GRID + SEARCH_ROUNDS * 2 * SEARCH_BETWEEN if search else 0)
    rows, on_gap, removed = [], [], []
    for scale in asked:
        run = pipeline.honest if scale == HONEST else pipeline.run(scale)
        rows.append(pipeline.row(run))
        on_gap.append(run.effects.on_gap.astype(np.float32))
        missing = np.full(pipeline.dataset.n_train, np.nan)
        removed.append((missing if run.removed is None else run.removed).astype(np.float32))
        on_step(len(rows), total)
    table = pd.DataFrame(rows)
    searched = table.iloc[:0].assign(chosen=pd.Series(dtype=bool))
    if search:
        searched = search_worst(pipeline, lambda done: on_step(len(asked) + done, total))
    return FairnessResult(
        about=describe(pipeline),
        table=table,
        searched=searched,
        on_gap=np.stack(on_gap),
        removed=np.stack(removed),
    )


def search_worst(pipeline: Pipeline, on_step: Callable[[int], None]) -> pd.DataFrame:
    """Look for the scale with the largest |gap| on *validation*, among those whose downstream model
    is at most the options' `tolerance` less accurate there than at α = 1.

    A logarithmic grid over [0.001, 10], refined twice around its best. Without the condition the
    search finds nonsense: models that are wrong about everybody. The rows are those of
    `fairness_scaling`, ascending, with `chosen`; the test set is opened for the chosen one alone.
    """
    runs: dict[float, Run] = {}
    found: dict[float, ScaleRow] = {}
    honest = pipeline.measure(pipeline.honest, "val")["accuracy_val"]
    least = honest - pipeline.options.tolerance - ROUNDING

    def try_scale(scale: float) -> None:
        if scale not in found:
            runs[scale] = pipeline.run(scale)
            found[scale] = pipeline.before_test(runs[scale])
            on_step(len(found))

    def best() -> float | None:
        gap = f"{pipeline.metric}_val"
        able = {
            scale: abs(float(row[gap]))
            for scale, row in found.items()
            if row["feasible"] and float(row["accuracy_val"]) >= least
        }
        return max(able, key=lambda scale: able[scale]) if able else None

    for scale in np.geomspace(SEARCH_LOW, SEARCH_HIGH, SEARCH_GRID).tolist():
        try_scale(scale)
    for _ in range(SEARCH_ROUNDS):
        centre = best()
        if centre is None:
            break
        tried = sorted(found)
        place = tried.index(centre)
        for end in tried[max(place - 1, 0) : place + 2]:
            for scale in np.geomspace(centre, end, SEARCH_BETWEEN + 2)[1:-1].tolist():
                if end != centre:
                    try_scale(scale)
    chosen = best()
    if chosen is not None:
        found[chosen] = pipeline.row(runs[chosen])
    names = list(pipeline.row(pipeline.honest))
    table = pd.DataFrame([found[scale] for scale in sorted(found)], columns=names)
    return table.assign(chosen=table["scale"] == chosen)


def describe(pipeline: Pipeline) -> About:
    """Describe the data set and the pipeline."""
    dataset = pipeline.dataset
    X_test, y_test, group_test = dataset.split("test")
    base = predict(pipeline.theta, X_test)
    cells = count_cells(group_test, y_test, base, base)
    before = gaps_of_cells(cells)
    shown = {n: getattr(dataset, n) for n in ("name", "title", "notes", "n_train", "n_features")}
    return About(
        **shown,
        n_val=len(dataset.y_val),
        n_test=len(y_test),
        label_names=dataset.label_names,
        group_names=dataset.group_names,
        rates_test=(float(y_test[group_test == 0].mean()), float(y_test[group_test == 1].mean())),
        share_group_1=float(group_test.mean()),
        metric=pipeline.metric,
        l2=pipeline.l2,
        beta=pipeline.strength.beta,
        gamma=pipeline.strength.gamma,
        top_k=pipeline.top_k,
        gap_before=float(getattr(before, pipeline.metric)),
        accuracy_before=float(before.accuracy),
    )
