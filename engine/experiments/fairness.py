"""Fairness under a scaled base model as an experiment."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from engine.checks import check_choice, check_integer, check_positive
from engine.data.fairness import FairnessDataset
from engine.data.load import load_fairness_dataset
from engine.data.raw_files import Say, is_here, silent
from engine.data.sources.fairness_sets import FILES
from engine.data.sources.features_file import changed_at
from engine.errors import InvalidInput
from engine.experiments.base import Context, Experiment, settle
from engine.experiments.files import read_parts, write_parts
from engine.fairness.result import About, FairnessResult, largest_effect
from engine.vocabulary import ACCURACY_TOLERANCE, DEFAULT_SCALES, METRICS


@dataclass(frozen=True)
class Table:
    """A table by its name or path, and which of its columns mean what."""

    name: str
    target: str | None = None
    positive: str | None = None
    sensitive: str | None = None
    privileged: str | None = None
    merge_others: bool = False

    def open(self, data_dir: Path | None, say: Say = silent) -> FairnessDataset:
        return load_fairness_dataset(
            self.name,
            data_dir,
            target=self.target,
            positive=self.positive,
            sensitive=self.sensitive,
            privileged=self.privileged,
            merge_others=self.merge_others,
            say=say,
        )

    def changed(self, data_dir: Path) -> float:
        return changed_at(self.name, data_dir, ".csv")

    def is_here(self, data_dir: Path) -> bool:
        return all(is_here(file, data_dir) for file in FILES.get(self.name, ()))


@dataclass(frozen=True)
class FairnessRequest:
    """The scaling attack; fields as in `load_fairness_dataset` and `fairness_scaling`. l2, beta and
    gamma: None takes the data set's own. search: also look for the worst scale, among those that
    cost at most `tolerance` of accuracy."""

    dataset: str = "german"
    metric: str = "dp"
    scales: tuple[float, ...] = DEFAULT_SCALES
    l2: float | None = None
    beta: float | None = None
    gamma: float | None = None
    search: bool = True
    tolerance: float = ACCURACY_TOLERANCE
    top_k: int = 100
    resamples: int = 2000
    seed: int = 0
    target: str | None = None
    positive: str | None = None
    sensitive: str | None = None
    privileged: str | None = None
    merge_others: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.dataset, str) or not self.dataset:
            raise InvalidInput(
                "dataset", self.dataset, "'german', 'compas', 'adult' or a CSV table's name or path"
            )
        if not isinstance(self.scales, list | tuple) or not self.scales:
            raise InvalidInput("scales", self.scales, "a sequence of numbers > 0")
        settle(
            self,
            metric=check_choice("metric", self.metric, METRICS),
            scales=tuple(sorted({check_positive("scale", scale) for scale in self.scales})),
            l2=None if self.l2 is None else check_positive("l2", self.l2),
            beta=None if self.beta is None else check_positive("beta", self.beta, allow_zero=True),
            gamma=(
                None if self.gamma is None else check_positive("gamma", self.gamma, allow_zero=True)
            ),
            search=bool(self.search),
            tolerance=check_positive("tolerance", self.tolerance, allow_zero=True),
            top_k=check_integer("top_k", self.top_k, 1),
            resamples=check_integer("resamples", self.resamples, 1),
            seed=check_integer("seed", self.seed, 0),
            merge_others=bool(self.merge_others),
            **{name: given(getattr(self, name)) for name in COLUMNS},
        )

    @property
    def source(self) -> Table:
        own = {name: getattr(self, name) for name in COLUMNS}
        return Table(self.dataset, **own, merge_others=self.merge_others)


def given(value: object) -> str | None:
    """A column's name or a value as text; None where there is none."""
    return None if value is None or value == "" else str(value)


COLUMNS = ("target", "positive", "sensitive", "privileged")  # of a table of one's own


def run_fairness(
    request: FairnessRequest, dataset: FairnessDataset, context: Context
) -> FairnessResult:
    from engine.fairness.scaling import Pipeline, analyse

    options = asdict(request)
    of_run = {name: options.pop(name) for name in ("scales", "search", "tolerance")}
    for name in ("dataset", "merge_others", *COLUMNS):
        del options[name]

    return analyse(Pipeline.of(dataset, **options), **of_run, on_step=context.report)


ARRAYS = ("on_gap", "removed")
TABLES = ("table", "searched")
PAIRS = ("notes", "label_names", "group_names", "rates_test")  # tuples, which JSON does not know


def save_fairness(result: FairnessResult, folder: Path) -> None:
    write_parts(
        folder,
        {name: getattr(result, name) for name in ARRAYS},
        asdict(result.about),
        {name: getattr(result, name) for name in TABLES},
    )


def load_fairness(folder: Path) -> FairnessResult:
    arrays, about = read_parts(folder)
    about |= {name: tuple(about[name]) for name in PAIRS}
    tables: dict[str, Any] = {n: pd.read_parquet(folder / f"{n}.parquet") for n in TABLES}
    return FairnessResult(About(**about), **tables, **{name: arrays[name] for name in ARRAYS})


SHOWN = {
    "dp": ["scale", "dp_test", "dp_test_low", "dp_test_high", "accuracy_test"],
    "eop": ["scale", "eop_test", "eop_test_low", "eop_test_high", "accuracy_test"],
}
REST = ["removed", "feasible", "spearman", "effect", "effect_low", "effect_high", "gradient_norm"]


def describe_fairness(result: FairnessResult) -> str:
    """The table, the largest effect, and the worst scale that the search found."""
    about = result.about
    lines = [
        f"{about.title}: {about.metric} gap of the downstream model on test against the scale of "
        f"the base model ({about.group_names[1]} minus {about.group_names[0]}); before any "
        f"reweighing {about.gap_before:+.3f}, accuracy {about.accuracy_before:.3f}",
        result.table[[*SHOWN[about.metric], *REST]].to_string(
            index=False, float_format=lambda value: f"{value:.3f}"
        ),
    ]
    largest = largest_effect(result.table)
    if largest is None:
        lines.append("  no scale within 3 points of accuracy has a solution to compare")
    else:
        lines.append(
            f"  largest effect within 3 points of accuracy: {100 * largest['effect']:+.1f} points "
            f"of |gap| at scale {largest['scale']:g} (95% {100 * largest['effect_low']:+.1f} to "
            f"{100 * largest['effect_high']:+.1f}; the paper: up to 16)"
        )
    worst = result.worst
    if worst is not None:
        lines.append(
            f"  worst scale found on validation: {worst['scale']:.4g}, |gap| on test "
            f"{100 * worst['effect']:+.1f} points ({100 * worst['effect_low']:+.1f} to "
            f"{100 * worst['effect_high']:+.1f})"
        )
    return "\n".join(lines)


FAIRNESS = Experiment(
    "fairness",
    "Break the fairness of a downstream model by scaling the base model",
    FairnessRequest,
    run_fairness,
    save_fairness,
    load_fairness,
    describe_fairness,
    cpu_only=True,
)
