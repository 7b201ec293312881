"""What the library says of stored results and of jobs: rows, summaries, and two side by side."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, fields, is_dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from engine.attacks.rates import highest, reweighing_rates, success_rates
from engine.attacks.result import AttackResult
from engine.data.untrusted.limits import size
from engine.experiments import (
    EXPERIMENTS,
    AttributionsResult,
    AuditResult,
    ExplainResult,
    ImpossibleResult,
    LeaveOneOutResult,
    RankingResult,
    SensitivityResult,
)
from engine.fairness.result import FairnessResult
from engine.results.budget import Usage
from engine.results.bundle import Report
from engine.results.jobs import Job, JobState
from engine.results.library import Entry, Library
from engine.results.store import IMPORTED, LOCAL, PUBLISHED
from engine.results.watchdog import Limits, duration
from engine.speed.result import GradientComparison, Scaling
from engine.vocabulary import ATTRIBUTIONS, PLAYERS
from pages.common.words.wording import MINUS, count, listed, plain, stamp

ORIGINS = {LOCAL: "computed here", PUBLISHED: "published", IMPORTED: "imported"}
TELLING = {  # fields that are said of every request of an experiment; of others what is unusual
    "attack": ("targets", "k", "radius"),
    "sweep": ("n_targets", "radii", "ks"),
    "baseline": ("targets", "n_targets"),
    "fairness": ("metric",),
    "impossible": ("k",),
    "sensitivity": ("probes",),
    "leave-one-out": ("l2", "damping", "n_samples"),
    "explain": ("image",),
    "audit": ("target", "k", "radius", "queries"),
    "attributions": ("target", "k", "radius"),
    "gradients": ("n_parameters",),
}
KS = (1, 3, 10, 30)


def shown(value: Any) -> str:
    """A field's value in a few characters."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {shown(part)}" for name, part in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(shown, value)) or "none"
    return f"{value:g}" if isinstance(value, float) else "–" if value is None else str(value)


def asked(experiment: str, request: Mapping[str, Any]) -> str:
    """A request in short: what tells it from others, 'targets 16, k 1, radius 0.35'."""
    telling = TELLING.get(experiment, ())
    try:
        usual = asdict(EXPERIMENTS[experiment].request())
    except (KeyError, TypeError):  # of a part, or of an experiment that has no defaults
        usual = {}
    said = [
        f"{name} {shown(value)}"
        for name, value in request.items()
        if name != "dataset" and (name in telling or shown(value) != shown(usual.get(name)))
    ]
    return ", ".join(said) or "as by default"


def finding(library: Library) -> str:
    """How many results there are, from where, and what they take."""
    of = {origin: sum(e.origin == origin for e in library.entries) for origin in ORIGINS}
    parts = [f"{of[o]:,} {name}" for o, name in ORIGINS.items() if of[o]] or ["none yet"]
    held = f"{size(sum(library.size.values()))} on disk"
    extra = (
        f", of it {size(library.parts_size)} for {count(library.parts, 'batch', 'batches')} of "
        "sweeps, kept so that an interrupted one goes on"
        if library.parts
        else ""
    )
    verb = "is" if len(library.entries) == 1 else "are"
    return (
        f"**{count(len(library.entries), 'result')}** {verb} kept on this machine: "
        f"{listed(parts)}; {held}{extra}."
    )


def rows(entries: Iterable[Entry]) -> pd.DataFrame:
    """The library as a table."""
    return pd.DataFrame(
        [
            {
                "experiment": e.experiment,
                "data set": e.dataset or "its own",
                "asked for": asked(e.experiment, e.manifest.request),
                "from": origin(e),
                "made": datetime.fromisoformat(e.manifest.created),
                "seconds": e.manifest.seconds,
                "KB": e.size / 1024,
                "device": e.manifest.device,
                "key": e.key,
            }
            for e in entries
        ]
    )


def origin(entry: Entry) -> str:
    """Where a result comes from."""
    name = ORIGINS[entry.origin]
    return name if entry.imported is None else f"{name} from {entry.imported.source}"


def label(entry: Entry) -> str:
    """A result beside another one of its experiment."""
    return f"{origin(entry)}, {stamp(entry.manifest.created)}"


def request_table(request: Mapping[str, Any]) -> pd.DataFrame:
    return pd.DataFrame({"field": list(request), "value": list(map(shown, request.values()))})


def said_of(report: Report) -> list[tuple[str, str]]:
    """What became of a bundle, as pairs of a message's kind ('success', 'info', 'error') and
    text."""
    said = []
    if report.taken:
        said.append(
            ("success", f"{count(len(report.taken), 'result')} taken in: {listed(report.taken)}.")
        )
    if report.already:
        said.append(("info", f"Already here: {listed(report.already)}."))
    said += [("error", f"{name} was refused. {plain(why)}") for name, why in report.refused.items()]
    return said


def job_title(job: Job) -> str:
    """What a job computes."""
    data = job.request.get("dataset")
    where = f" on {data}" if data else ""
    return f"{job.experiment}{where}: {asked(job.experiment, job.request)}"


def progress_of(state: JobState) -> tuple[float, str]:
    """How far a running job is (0 where it has not said so), in words and as a share."""
    for progress in reversed(state.progress):
        if progress.total:
            return progress.share, f"{progress.done:,} of {progress.total:,} done"
        if progress.steps:
            return progress.share, f"step {progress.step:,} of {progress.steps:,}"
    return 0.0, "begun"


def limits_said(limits: Limits, at_once: int) -> str:
    """What the job runner allows, and the settings that say so."""
    several = f"{count(at_once, 'computation')} {'runs' if at_once == 1 else 'run'} at a time"
    return (
        f"{several} (IAL_JOBS_AT_ONCE), each for at most {duration(limits.seconds)} "
        f"(IAL_JOB_HOURS) and with at most {size(limits.memory)} of memory "
        "(IAL_JOB_MEMORY_GB)."
    )


def disk_said(usage: Usage) -> str:
    """What results take of the disk budget, and what was evicted last."""
    last = f" The last one that went: {plain(usage.evicted)}." if usage.evicted else ""
    return (
        f"Results computed here and their intermediates take {size(usage.held)} of "
        f"{size(usage.budget)} (IAL_DISK_GB). Beyond that the least recently used go; published "
        f"and imported ones stay.{last}"
    )


def resumed(state: JobState) -> str:
    """' · resumed 2 times': how often a job's worker ended under it; empty where none did."""
    if not state.resumed:
        return ""
    return " · resumed" + ("" if state.resumed == 1 else f" {state.resumed} times")


def queue_title(found: Sequence[tuple[Job, JobState]]) -> str:
    """What is being computed, in a sentence."""
    running = sum(state.status == "running" for _, state in found)
    waiting = sum(state.status == "queued" for _, state in found)
    if not running and not waiting:
        return "Nothing is being computed"
    runs = f"{count(running, 'computation')} {'runs' if running == 1 else 'run'}"
    if not running:
        return f"{count(waiting, 'computation')} {'waits' if waiting == 1 else 'wait'}"
    return f"{runs}, {waiting} {'waits' if waiting == 1 else 'wait'}" if waiting else runs


def ended_rows(found: Iterable[tuple[Job, JobState]]) -> pd.DataFrame:
    """Jobs that are over, and how they ended."""
    return pd.DataFrame(
        [
            {
                "ended": state.status if state.status != "unknown" else "result removed",
                "computation": job_title(job),
                "seconds": state.seconds,
                "message": state.message,
            }
            for job, state in found
        ]
    )


# Two results side by side: the main numbers of each experiment, by what they are.
Numbers = dict[str, float]


def of_attack(result: AttackResult) -> Numbers:
    found: Numbers = {}
    for place, target in enumerate(result.targets):
        who = f"sample {target}" if len(result.targets) > 1 else "the target"
        found |= {
            f"rank of {who} before": int(result.before.ranks[target]),
            f"rank of {who} after": int(result.ranks_test[place]),
            f"rank of {who} on unknown data": int(result.after_holdout.ranks[target]),
        }
    return found | {
        "accuracy before": result.accuracy_before,
        "accuracy after": result.accuracy_after,
        "distance / ‖θ*‖": result.distance,
        "Spearman with the honest ranking": result.rank_correlation,
        f"share of the top {result.k} kept": result.topk_kept,
        "predictions changed": result.predictions_changed,
        "runs that arrived": int(result.runs["reached"].sum()),
        "runs": len(result.runs),
    }


def of_ranking(result: RankingResult) -> Numbers:
    first = {f"sample at rank {i + 1}": int(s) for i, s in enumerate(result.test.top(5))}
    accuracy = {n: getattr(result, n) for n in ("accuracy_test", "accuracy_holdout")}
    return {n.replace("_", " on "): v for n, v in accuracy.items()} | first


def by_row(table: pd.DataFrame, names: Sequence[str], values: Sequence[str]) -> Numbers:
    """The values of a table's rows, each called by the columns `names`."""
    return {
        ", ".join([value, *(f"{n} {shown(row[n])}" for n in names)]): float(row[value])
        for row in table.to_dict("records")
        for value in values
    }


def of_sweep(result: pd.DataFrame) -> Numbers:
    rates = success_rates(result).query("form == 'any_run' and split == 'test'")
    cell = [c for c in rates.columns if c in ("radius", "k", "regime")]
    cell += [c for c in ("objective", "restarts", "set_size", "train_size") if varies(rates, c)]
    return by_row(rates.rename(columns={"rate": "success"}), cell, ["success"])


def varies(table: pd.DataFrame, column: str) -> bool:
    return column in table and len(table[column].unique()) > 1


def of_baseline(result: pd.DataFrame) -> Numbers:
    ks = [k for k in KS if (result["rank_before"] > k).any()]
    if not ks:
        return {}
    rates = highest(reweighing_rates(result, ks), over="target_weight").query("split == 'test'")
    return by_row(rates.rename(columns={"rate": "success"}), ["k", "regime"], ["success"])


def of_fairness(result: FairnessResult) -> Numbers:
    gap = f"{result.about.metric}_test"
    renamed = {gap: "gap", "accuracy_test": "accuracy", "scale": "α"}
    return by_row(result.table.rename(columns=renamed), ["α"], ["gap", "accuracy"])


def of_impossible(result: ImpossibleResult) -> Numbers:
    return {
        "models tried": result.tried,
        "models that beat it": result.beaten,
        "its best rank": result.best_rank,
    }


def of_defence(result: pd.DataFrame) -> Numbers:
    found: Numbers = {}
    for kind, part in result.groupby("kind"):
        found[f"{kind}: models"] = len(part)
        found[f"{kind}: median gradient norm"] = float(part["gradient_norm"].median())
        if kind in ("attacked", "adaptive"):
            found[f"{kind}: share that succeeded"] = float(part["success"].mean())
    return found


def of_sensitivity(result: SensitivityResult) -> Numbers:
    first, middle, last = result.at_ends
    return {
        "median norm, first twentieth": first,
        "median norm, middle": middle,
        "median norm, last twentieth": last,
        "RMS error of the estimate": result.error,
    }


def of_leave_one_out(result: LeaveOneOutResult) -> Numbers:
    (pearson, spearman), matched = result.agreement(), result.agreement("matching")
    return {
        "models retrained": len(result.table),
        "Pearson": pearson,
        "Spearman": spearman,
        "Spearman with damping = l2": matched[1],
        "test loss": result.loss,
    }


def of_explain(result: ExplainResult) -> Numbers:
    top = result.ranking.top(len(result.ranking.ranks))
    return {
        "class": result.label,
        "predicted": result.predicted,
        "loss": result.loss,
        "sample at rank 1": int(top[0]),
        "sample at the last rank": int(top[-1]),
    }


def of_audit(result: AuditResult) -> Numbers:
    found: Numbers = {}
    for place, (player, name) in enumerate(PLAYERS.items()):
        found[f"{name}: rows caught"] = len(result.caught(player))
        found[f"{name}: largest residual"] = float(result.residuals[place].max())
        found[f"{name}: rank of sample {result.target}"] = result.rank(player)
    return found


def of_attributions(result: AttributionsResult) -> Numbers:
    found: Numbers = {}
    for name in result.names:
        for when, ranking in (("before", result.before[name]), ("after", result.after[name])):
            found[f"{ATTRIBUTIONS[name]}: rank {when}"] = int(ranking.ranks[result.target])
    return found | by_row(result.alarms, ["kind", "score"], ["auc"] * (len(result.alarms) > 0))


def of_gradients(result: GradientComparison) -> Numbers:
    columns = ["seconds", "peak_mb", "relative_difference"]
    return by_row(result.table, ["implementation"], columns)


def of_scaling(result: Scaling) -> Numbers:
    names = [c for c in ("size", "axis", "varied", "quantity") if c in result.exponents]
    return by_row(result.exponents, names, ["exponent"])


NUMBERS: dict[str, Callable[[Any], Numbers]] = {
    "attack": of_attack,
    "ranking": of_ranking,
    "sweep": of_sweep,
    "baseline": of_baseline,
    "fairness": of_fairness,
    "impossible": of_impossible,
    "defence": of_defence,
    "sensitivity": of_sensitivity,
    "leave-one-out": of_leave_one_out,
    "explain": of_explain,
    "audit": of_audit,
    "attributions": of_attributions,
    "gradients": of_gradients,
    "scaling": of_scaling,
}


def numbers_of(result: Any) -> Numbers:
    """The number fields of a result that is a dataclass, by their names; none of another."""
    named = fields(result) if is_dataclass(result) else ()
    found = {f.name.replace("_", " "): getattr(result, f.name) for f in named}
    return {name: value for name, value in found.items() if type(value) in (int, float)}


def side_by_side(experiment: str, first: Any, second: Any) -> pd.DataFrame:
    """The main numbers of two results of one experiment: A, B and B − A, NaN where one has none."""
    of = NUMBERS.get(experiment, numbers_of)
    a, b = of(first), of(second)
    names = list(dict.fromkeys([*a, *b]))
    left, right = ([float(of_one.get(name, np.nan)) for name in names] for of_one in (a, b))
    found = pd.DataFrame({"number": names, "A": left, "B": right})
    return found.assign(**{"B − A": found["B"] - found["A"]})


def figure(value: float) -> str:
    """A number for a table: '1,126', '0.9498', '–' where there is none."""
    if np.isnan(value):
        return "–"
    said = f"{int(value):,}" if float(value).is_integer() else f"{value:.4g}"
    return said.replace("-", MINUS)


def sameness(table: pd.DataFrame) -> str:
    """How much two results agree, in a sentence."""
    shared = table.dropna(subset=["A", "B"])
    equal = int(np.isclose(shared["A"], shared["B"], rtol=1e-9, atol=0).sum())
    if shared.empty:
        return "The two have no main number in common"
    if equal == len(shared):
        return f"Nothing differs among {count(equal, 'main number')}"
    return f"{len(shared) - equal} of {count(len(shared), 'main number')} differ"
