"""A result outside the lab: Python and a shell command that repeat it, and tables of it."""

import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, fields
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from engine.attacks.options import AttackOptions
from engine.attacks.result import AttackResult, Ranking
from engine.data.sources.fairness_sets import LOADERS as FAIRNESS_SETS
from engine.data.tables.options import HELP
from engine.experiments import (
    AttackRequest,
    ExplainRequest,
    FairnessRequest,
    LeaveOneOutRequest,
    Request,
    SensitivityRequest,
    SweepRequest,
    values_of,
)
from engine.experiments.fairness import COLUMNS
from engine.fairness.options import FairnessOptions
from engine.vocabulary import LINEAR
from pages.common.keeping import shelf
from pages.common.samples import Samples


def snippet(request: AttackRequest, data_dir: str | None = None) -> str:
    """Write Python that repeats the attack; data sets that do not come bundled need `data_dir`."""
    options = "".join(
        f"    {item.name}={getattr(request, item.name)!r},\n" for item in fields(AttackOptions)
    )
    return (
        f"{opening(request.dataset, data_dir, request.l2, request.model)}"
        "result = engine.attack(\n    model,\n    dataset,\n"
        f"    targets={list(request.targets)!r},\n{options})\n"
        "print(result.success, result.rank_test, result.rank_holdout, result.accuracy_drop)\n"
    )


@shelf.kept
def command_of(experiment: str, request: Request) -> str:
    """Return the shell command that asks for a request."""
    options = []
    for name, value in values_of(request).items():
        if name == "targets" and isinstance(value, list | tuple):
            options += [f"--target {index}" for index in value]
            continue
        flag = name.replace("_", "-")
        if value is None:
            continue
        if isinstance(value, bool):
            options.append(f"--{flag}" if value else f"--no-{flag}")
            continue
        words = map(str, value) if isinstance(value, tuple | list) else [str(value)]
        options.append(f"--{flag} {shlex.join(words)}")
    return f"python -m engine {experiment} " + " ".join(options)


def sweep_snippet(request: SweepRequest, data_dir: str | None = None) -> str:
    """Write Python that repeats a sweep and prints its rates."""
    values = values_of(request)
    dataset = values.pop("dataset")
    where = f", data_dir={data_dir!r}" if data_dir else ""
    opened = f"import engine\n\ndataset = engine.load_dataset({dataset!r}{where})\n"
    values["targets"] = values.pop("n_targets")
    options = "".join(f"    {name}={value!r},\n" for name, value in values.items())
    return (
        f"{opened}table = engine.sweep(\n    dataset,\n{options})\n"
        "print(engine.success_rates(table, tolerance=0.03))\n"
    )


def opening(dataset: str, data_dir: str | None, l2: float, kind: str = LINEAR) -> str:
    """Write Python that opens a data set and trains the honest model of a kind."""
    where = f", data_dir={data_dir!r}" if data_dir else ""
    fit = "fit(dataset, " if kind == LINEAR else f"fit_network(dataset, {kind!r}, "
    return (
        f"import engine\n\ndataset = engine.load_dataset({dataset!r}{where})\n"
        f"model = engine.{fit}l2={l2!r})\n"
    )


def sensitivity_snippet(request: SensitivityRequest, data_dir: str | None = None) -> str:
    """Write Python that repeats the gradient norms and prints the ten largest."""
    values = asdict(request)
    begin = opening(values.pop("dataset"), data_dir, values.pop("l2"))
    del values["n_exact"]  # of the check
    options = ", ".join(f"{name}={value!r}" for name, value in values.items())
    return (
        f"{begin}found = engine.sensitivity(model, dataset, {options})\n\n"
        "for sample in (-found.norms).argsort()[:10]:\n"
        "    print(sample, found.norms[sample], found.standard_errors[sample])\n"
    )


def explain_snippet(request: ExplainRequest, data_dir: str | None = None) -> str:
    """Write Python that ranks the training samples for one test sample and prints both ends."""
    some = f"[[{request.image}]]"
    return (
        f"{opening(request.dataset, data_dir, request.l2)}"
        "scores = engine.influence_matrix(\n"
        f"    model,\n    dataset,\n    dataset.X_test{some},\n    dataset.y_test{some},\n"
        f"    damping={request.damping!r},\n    tolerance=1e-06,\n    dtype={request.dtype!r},\n"
        ")[:, 0]\n"
        "order = (-scores).argsort()\n\n"
        'print("more weight raises its loss:", order[:8])\n'
        'print("more weight lowers its loss:", order[::-1][:8])\n'
    )


def leave_one_out_snippet(request: LeaveOneOutRequest, data_dir: str | None = None) -> str:
    """Write Python that retrains without the same samples and prints the rank correlation."""
    count = f"{request.n_samples}" if request.n_samples else "dataset.n_train"
    return (
        f"import numpy as np\nfrom scipy.stats import spearmanr\n\n"
        f"{opening(request.dataset, data_dir, request.l2)}"
        f"found = engine.influence_scores(\n    model, dataset, split={request.split!r}, "
        f"damping={request.damping!r}, dtype='float64'\n)\n"
        f"places = np.linspace(0, dataset.n_train - 1, {count}).round().astype(int)\n"
        "samples = found.ranks.argsort(kind='stable')[places]\n"
        f"retrained = engine.leave_one_out(dataset, samples.tolist(), l2={request.l2!r}, "
        f"split={request.split!r})\n\n"
        "print(spearmanr(-found.scores[samples], retrained.changes).statistic)\n"
    )


def experiment_snippet(experiment: str, request: Request, data_dir: str | None = None) -> str:
    """Write Python that repeats an experiment which no single function of the engine is, and sums
    up what comes of it."""
    options = "".join(f"    {name}={value!r},\n" for name, value in values_of(request).items())
    kind = type(request).__name__
    where = f", data_dir={data_dir!r}" if data_dir else ""
    named = hasattr(request, "dataset")
    data = f"engine.load_dataset(request.dataset{where})" if named else "None"
    return (
        f"{'import engine' if named else ''}\n"
        "from engine.experiments import EXPERIMENTS, Context\n"
        f"from {type(request).__module__} import {kind}\n\n"
        f"request = {kind}(\n{options})\n"
        f"experiment = EXPERIMENTS[{experiment!r}]\n"
        f"result = experiment.run(request, {data}, Context())\n"
        "print(experiment.describe(result))\n"
    ).lstrip()


def fairness_snippet(request: FairnessRequest, data_dir: str | None = None) -> str:
    """Write Python that repeats the scaling attack and prints its table."""
    dataset = request.dataset
    if dataset in FAIRNESS_SETS:
        opened = f"engine.load_fairness_dataset({dataset!r})"
    else:
        default = FairnessRequest()
        read = [n for n in HELP if getattr(request, n) != getattr(default, n)]
        options = "".join(
            f"    {name}={getattr(request, name)!r},\n"
            for name in (*COLUMNS, "merge_others", *read)
        )
        opened = (
            f"engine.load_fairness_dataset(\n    {dataset!r},\n    data_dir={data_dir!r},\n"
            f"{options})"
        )
    values = {item.name: getattr(request, item.name) for item in fields(FairnessOptions)}
    for name in ("search", "tolerance"):  # of the search for the worst scale, which is not in it
        del values[name]
    options = "".join(f"    {n}={v!r},\n" for n, v in values.items() if v is not None)
    return (
        f"import engine\n\ndataset = {opened}\n"
        f"table = engine.fairness_scaling(\n    dataset,\n{options})\n"
        'print(table[["scale", "dp_test", "eop_test", "accuracy_test", "effect"]])\n'
    )


SNIPPETS: Mapping[str, Callable[[Any, str | None], str]] = {  # each of its own request type
    "attack": snippet,
    "explain": explain_snippet,
    "fairness": fairness_snippet,
    "leave_one_out": leave_one_out_snippet,
    "sensitivity": sensitivity_snippet,
    "sweep": sweep_snippet,
}


@shelf.kept
def snippet_of(experiment: str, request: Request, data_dir: str | None = None) -> str:
    """Write Python that repeats what a request asks for; data that does not come bundled needs
    `data_dir`."""
    written = SNIPPETS.get(experiment) or partial(experiment_snippet, experiment)
    return written(request, data_dir)


@shelf.kept
def requests_json(asked: Sequence[tuple[str, Mapping[str, object]]]) -> str:
    """Write requests, each with its experiment, as JSON: one, or a list."""
    listed = [{"experiment": name, "request": dict(values)} for name, values in asked]
    return json.dumps(listed if len(listed) > 1 else listed[0], indent=2)


def ranking_table(ranking: Ranking, labels: NDArray[np.str_]) -> pd.DataFrame:
    """Return one row per training sample: class, score and rank."""
    return pd.DataFrame(
        {
            "sample": np.arange(len(ranking.scores)),
            "class": labels,
            "score": ranking.scores,
            "rank": ranking.ranks,
        }
    )


def sample_table(result: AttackResult, samples: Samples) -> pd.DataFrame:
    """Return one row per training sample, under its own index: scores and ranks, before and
    after."""
    return pd.DataFrame(
        {
            "class": samples.labels(),
            "rank_before": result.before.ranks,
            "rank_after": result.after.ranks,
            "score_before": result.before.scores,
            "score_after": result.after.scores,
            "rank_before_holdout": result.before_holdout.ranks,
            "rank_after_holdout": result.after_holdout.ranks,
            "is_target": np.isin(np.arange(len(samples)), result.targets),
        },
        index=pd.RangeIndex(len(samples), name="sample"),
    )


@shelf.kept
def most_moved(result: AttackResult, samples: Samples, rows: int = 12) -> pd.DataFrame:
    """Return the samples whose rank changed by the largest factor; the target first."""
    factor = np.abs(np.log(result.after.ranks / result.before.ranks))
    factor[list(result.targets)] = np.inf
    chosen = np.argsort(-factor, kind="stable")[:rows]
    table = sample_table(result, samples).iloc[chosen]
    table = table[
        ["class", "rank_before", "rank_after", "score_before", "score_after"]
    ].reset_index()
    if samples.pictured:
        table.insert(0, "picture", [samples.thumbnail(int(i)) for i in chosen])
    else:
        table["features"] = [", ".join(samples.features(int(i))) for i in chosen]
    return table
