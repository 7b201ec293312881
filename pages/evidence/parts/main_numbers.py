"""The main numbers of results by experiment and by what they are, and two results side by side."""

from collections.abc import Callable, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
import pandas as pd

from engine.attacks.rates import highest, reweighing_rates, success_rates
from engine.attacks.result import AttackResult, Replay
from engine.experiments import (
    AttributionsResult,
    AuditResult,
    CandidatesResult,
    CertificatesResult,
    CleaningResult,
    ConditioningResult,
    DeniableResult,
    ExplainResult,
    ImpossibleResult,
    LdsResult,
    LeaveOneOutResult,
    MinimalRadiusResult,
    PairsResult,
    PaymentsResult,
    RankingResult,
    ScoreMatrixResult,
    SelectionResult,
    SensitivityResult,
)
from engine.fairness.result import FairnessResult
from engine.speed.result import GradientComparison, Scaling, SolverComparison
from engine.vocabulary import PLAYERS, SCORES
from pages.common.words.wording import MINUS, count
from pages.evidence.parts.library_words import shown

KS = (1, 3, 10, 30)
Numbers = dict[str, float]


def of_attack(result: AttackResult) -> Numbers:
    found: Numbers = {}
    for place, target in enumerate(result.targets):
        whose = f" of sample {target}" if len(result.targets) > 1 else ""
        found |= {
            f"rank{whose} before": int(result.before.ranks[target]),
            f"rank{whose} after": int(result.ranks_test[place]),
            f"rank{whose} on unseen data": int(result.after_holdout.ranks[target]),
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


def of_replay(result: Replay) -> Numbers:
    return {
        "recorded steps": len(result.steps),
        "last step": int(result.steps[-1]),
        "accuracy at the first step": float(result.accuracy[0]),
        "accuracy at the last step": float(result.accuracy[-1]),
        "distance / ‖θ*‖ at the last step": float(result.distance[-1]),
    }


def of_payments(result: PaymentsResult) -> Numbers:
    names = ["attack", "score", "rule"]
    median = result.table.groupby(names)[["before", "after"]].median().reset_index()
    return by_row(median, names, ["before", "after"])


def of_pairs(result: PairsResult) -> Numbers:
    own = result.ranks[np.arange(len(result.targets)), result.targets]
    return {
        "pairs": len(result.targets),
        "targets at rank 1": int((own == 1).sum()),
        "predictions changed in a pair, mean": float(
            (result.predictions != result.honest_predictions).sum(1).mean()
        ),
    }


def of_ranking(result: RankingResult) -> Numbers:
    first = {f"sample at rank {i + 1}": int(s) for i, s in enumerate(result.test.top(5))}
    accuracy = {n: getattr(result, n) for n in ("accuracy_test", "accuracy_holdout")}
    return {n.replace("_", " on "): v for n, v in accuracy.items()} | first


def of_lesson(result: pd.DataFrame) -> Numbers:
    points = result["points"].dropna()
    return {
        "attacks": len(result),
        "moved into the top k": int(result["moved"].sum()),
        "share that moved": float(result["moved"].mean()),
        "accuracy lost on average": float(result["accuracy_drop"].mean()),
        "points of bets": int(points.sum()),
        "points of bets at most": 2 * len(points),
    }


def by_row(table: pd.DataFrame, names: Sequence[str], values: Sequence[str]) -> Numbers:
    """Return the values of a table's rows, each called by the columns `names`."""
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
    for name, part in result.groupby("kind"):
        kind = str(name)
        found[f"{kind}: models"] = len(part)
        found[f"{kind}: median gradient norm"] = float(part["gradient_norm"].median())
        if kind in ("attacked", "adaptive"):
            found[f"{kind}: share that succeeded"] = float(part["success"].mean())
    return found


def of_polish(result: pd.DataFrame) -> Numbers:
    """Return for each kind of model how many there are, how many arrived, and what one step does to
    them."""
    found: Numbers = {}
    for name, part in result.groupby("kind", sort=False):
        found[f"{name}: models"] = len(part)
        found[f"{name}: arrived"] = int(part["success"].sum())
        found[f"{name}: median decrement"] = float(part["decrement_0"].median())
        found[f"{name}: median rank after one step"] = float(part["rank_1"].median())
    return found


def of_halves(result: pd.DataFrame) -> Numbers:
    """Return the lab's own halves, draw 0, and the medians over all draws."""
    names = {"spearman": "Spearman", "shared_first": "shared among the first"}
    own = {f"{said}, own halves": float(result[name].iloc[0]) for name, said in names.items()}
    return own | {f"{said}, median": float(result[name].median()) for name, said in names.items()}


def of_lds(result: LdsResult) -> Numbers:
    return {"ceiling": result.ceiling} | by_row(result.table, ["attribution", "model"], ["lds"])


def of_selection(result: SelectionResult) -> Numbers:
    whole = result.everything
    chance = result.by_chance()["accuracy_holdout", "mean"]
    return {"accuracy, all samples": float(whole["accuracy_holdout"])} | {
        f"accuracy, {share:.0%} kept at random": float(value) for share, value in chance.items()
    }


def of_score_matrix(result: ScoreMatrixResult) -> Numbers:
    return {f"{name}: arrived": result.arrived(name, name)[0] for name in result.attacked}


def of_certificates(result: CertificatesResult) -> Numbers:
    medians = result.samples.groupby("k")["gradient_norm"].median()
    named = {f"k {k}: median certified gradient norm": float(v) for k, v in medians.items()}
    return named | {"violations": result.violations}


def of_conditioning(result: ConditioningResult) -> Numbers:
    return by_row(result.by_damping, ["model", "damping"], ["correlation", "dimension"])


def of_candidates(result: CandidatesResult) -> Numbers:
    help_ = {m: int((result.own(m) < 0).sum()) for m in ("honest", "attacked")}
    named = {f"{model}: candidates that would help": n for model, n in help_.items()}
    return named | {"Spearman": result.correlation, "error of the check": result.error}


def of_deniable(result: DeniableResult) -> Numbers:
    asked = result.table[["means", "crowd"]].drop_duplicates().itertuples(index=False)
    named: Numbers = {}
    for means, crowd in asked:
        needed = result.needed(means, crowd)
        named[f"{means}, {crowd}: arrived"] = int(np.isfinite(needed).sum())
    return named | {"arrived that pass averaging": int((result.arrived["averaged"] <= 1).sum())}


def of_cleaning(result: CleaningResult) -> Numbers:
    return by_row(result.summary(), ["model", "detector"], ["average_precision"])


def of_minimal_radius(result: MinimalRadiusResult) -> Numbers:
    radius = result.radius[result.arrived]
    return {
        "targets": len(result.targets),
        "arrived": len(radius),
        "median radius of those": float(np.median(radius)) if len(radius) else np.nan,
    }


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
            found[f"{SCORES[name]}: rank {when}"] = int(ranking.ranks[result.target])
    return found | by_row(result.alarms, ["kind", "score"], ["auc"] * (len(result.alarms) > 0))


def of_gradients(result: GradientComparison) -> Numbers:
    columns = ["seconds", "peak_mb", "relative_difference"]
    return by_row(result.table, ["implementation"], columns)


def of_scaling(result: Scaling) -> Numbers:
    names = [c for c in ("size", "axis", "varied", "quantity") if c in result.exponents]
    return by_row(result.exponents, names, ["exponent"])


def of_solvers(result: SolverComparison) -> Numbers:
    return by_row(
        result.at_large, ["solver"], ["seconds", "preparation_seconds", "peak_mb", "error"]
    )


# Each function takes the results of its own experiment: one type would fit none of them.
NUMBERS: dict[str, Callable[[Any], Numbers]] = {
    "attack": of_attack, "candidates": of_candidates, "certificates": of_certificates,
    "deniable": of_deniable, "cleaning": of_cleaning, "conditioning": of_conditioning,
    "halves": of_halves, "minimal-radius": of_minimal_radius, "lds": of_lds,
    "score-matrix": of_score_matrix, "selection": of_selection, "pairs": of_pairs,
    "payments": of_payments, "ranking": of_ranking, "replay": of_replay, "sweep": of_sweep,
    "lesson": of_lesson, "baseline": of_baseline, "fairness": of_fairness,
    "impossible": of_impossible, "defence": of_defence, "polish": of_polish,
    "sensitivity": of_sensitivity, "leave-one-out": of_leave_one_out, "explain": of_explain,
    "audit": of_audit, "attributions": of_attributions, "gradients": of_gradients,
    "scaling": of_scaling, "solvers": of_solvers,
}  # fmt: skip


def numbers_of(result: object) -> Numbers:
    """Return the number fields of a result that is a dataclass, by their names; none of another."""
    named = fields(result) if is_dataclass(result) else ()
    found = {f.name.replace("_", " "): getattr(result, f.name) for f in named}
    return {name: value for name, value in found.items() if type(value) in (int, float)}


def main_of(experiment: str, result: object) -> Numbers:
    """Return the main numbers of a result, by what they are."""
    return NUMBERS.get(experiment, numbers_of)(result)


def side_by_side(experiment: str, first: object, second: object) -> pd.DataFrame:
    """Return the main numbers of two results, A and B, and B − A; NaN where one has none."""
    a, b = (main_of(experiment, one) for one in (first, second))
    names = [*a, *(name for name in b if name not in a)]
    left, right = ([float(of_one.get(name, np.nan)) for name in names] for of_one in (a, b))
    found = pd.DataFrame({"number": names, "A": left, "B": right})
    return found.assign(**{"B − A": found["B"] - found["A"]})


def figure(value: float) -> str:
    """Return a number for a table: '1,126', '0.9498', '–' where there is none."""
    if np.isnan(value):
        return "–"
    return (f"{int(value):,}" if float(value).is_integer() else f"{value:.4g}").replace("-", MINUS)


def sameness(table: pd.DataFrame) -> str:
    """Say how much two results agree, in a sentence."""
    shared = table.dropna(subset=["A", "B"])
    equal = int(np.isclose(shared["A"], shared["B"], rtol=1e-9, atol=0).sum())
    if shared.empty:
        return "The two have no main number in common"
    if equal == len(shared):
        return f"Nothing differs among {count(equal, 'main number')}"
    return f"{len(shared) - equal} of {count(len(shared), 'main number')} differ"
