"""Fairness under a scaled base model as an experiment."""

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from engine.data.fairness import FairnessDataset
from engine.data.load import load_fairness_dataset
from engine.data.raw_files import Say, is_here, silent
from engine.data.sources.fairness_sets import FILES
from engine.data.sources.features_file import changed_at
from engine.data.tables.options import TableOptions
from engine.errors import InvalidInput
from engine.experiments.base import Context, Experiment
from engine.experiments.cost import Size, fairness_seconds
from engine.experiments.files import load_fields, save_fields
from engine.fairness.options import FairnessOptions
from engine.fairness.result import FairnessResult, largest_effect
from engine.options import option, taken_from, truth
from engine.statistics import points


@dataclass(frozen=True)
class Table:
    """A table by its name or path, which of its columns mean what, and how it is read."""

    name: str
    target: str | None = None
    positive: str | None = None
    sensitive: str | None = None
    privileged: str | None = None
    merge_others: bool = False
    options: TableOptions = field(default_factory=TableOptions)

    def open(self, data_dir: Path | None, say: Say = silent) -> FairnessDataset:
        return load_fairness_dataset(
            self.name,
            data_dir,
            target=self.target,
            positive=self.positive,
            sensitive=self.sensitive,
            privileged=self.privileged,
            merge_others=self.merge_others,
            **vars(self.options),
            say=say,
        )

    def changed(self, data_dir: Path) -> float:
        return changed_at(self.name, data_dir)

    def is_here(self, data_dir: Path) -> bool:
        return all(is_here(file, data_dir) for file in FILES.get(self.name, ()))


COLUMNS = ("target", "positive", "sensitive", "privileged")  # of a table of one's own


def check_table(name: str, value: object) -> str:
    """Check for the name or path of a table. Raises InvalidInput."""
    if not isinstance(value, str) or not value:
        named = "'german', 'compas', 'adult' or a table's name or path"
        raise InvalidInput(name, value, named)
    return value


def as_text(name: str, value: object) -> str | None:
    """Return a column's name or a value as text; None where there is none."""
    return None if value is None or value == "" else str(value)


@dataclass(frozen=True)
class OnTable(TableOptions):
    """What is asked of a table, by its name or path; fields as in `load_fairness_dataset`."""

    dataset: str = option("german", check_table)
    target: str | None = option(None, as_text)
    positive: str | None = option(None, as_text)
    sensitive: str | None = option(None, as_text)
    privileged: str | None = option(None, as_text)
    merge_others: bool = option(False, truth)

    @property
    def source(self) -> Table:
        own = {name: getattr(self, name) for name in COLUMNS}
        options = taken_from(TableOptions, self)
        return Table(self.dataset, **own, merge_others=self.merge_others, options=options)


@dataclass(frozen=True)
class FairnessRequest(FairnessOptions, OnTable):
    """The scaling attack on a table."""


def run_fairness(
    request: FairnessRequest, dataset: FairnessDataset, context: Context
) -> FairnessResult:
    from engine.fairness.scaling import Pipeline, analyse

    return analyse(Pipeline(dataset, request), context.report)


SHOWN = {
    "dp": ["scale", "dp_test", "dp_test_low", "dp_test_high", "accuracy_test"],
    "eop": ["scale", "eop_test", "eop_test_low", "eop_test_high", "accuracy_test"],
}
REST = ["removed", "feasible", "spearman", "effect", "effect_low", "effect_high", "gradient_norm"]


def describe_fairness(result: FairnessResult) -> str:
    """Write the table, the largest effect, and the worst scale that the search found."""
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
            f"  largest effect within 3 points of accuracy: {points(largest['effect'])} points "
            f"of |gap| at scale {largest['scale']:g} (95% {points(largest['effect_low'])} to "
            f"{points(largest['effect_high'])}; the paper: up to 16)"
        )
    worst = result.worst
    if worst is not None:
        lines.append(
            f"  worst scale found on validation: {worst['scale']:.4g}, |gap| on test "
            f"{points(worst['effect'])} points ({points(worst['effect_low'])} to "
            f"{points(worst['effect_high'])})"
        )
    lines += [f"  {line}" for line in (result.warning, *about.notes) if line]
    return "\n".join(lines)


def fairness_cost(request: FairnessRequest, size: Size) -> float:
    return fairness_seconds(size)


FAIRNESS = Experiment(
    "fairness",
    "Break the fairness of a downstream model by scaling the base model",
    FairnessRequest,
    run_fairness,
    save_fields,
    partial(load_fields, FairnessResult),
    describe_fairness,
    cpu_only=True,
    seconds=fairness_cost,
)
