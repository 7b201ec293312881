"""What cannot be moved: a certified gradient norm for every sample, put to the test."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

from engine.attacks.options import AttackOptions
from engine.attacks.result import Ranking
from engine.checks import check_positive
from engine.data.dataset import Dataset
from engine.experiments.base import Context, Experiment, OnDataset, draw_outside, honest_model
from engine.experiments.files import load_fields, save_fields
from engine.experiments.sensitivity import spread
from engine.models.linear import as_linear
from engine.options import OneOf, ascending, at_least, option, taken_from
from engine.progress import Progress
from engine.vocabulary import DAMPING, DTYPES, L2, ORDERS

NORMS = tuple(float(10.0**power) for power in range(-6, -1))  # at which shares are stated
PARTS = 4  # of the computation, as progress is reported
NEWTON_STEPS = 9


@dataclass(frozen=True)
class CertificatesRequest(OnDataset):
    """A certificate for each of `ks`. It is tried with `directions` random models, with the worst
    direction of every sample, and with the directions of attacks on n_targets targets, drawn by the
    seed, at `radius`; n_pushed samples, spread over the ranking, are pushed until they are in. All
    other fields as in `attack`."""

    ks: tuple[int, ...] = option((1, 10), ascending(at_least(1)))
    directions: int = option(10_000, at_least(1))
    n_targets: int = option(12, at_least(1))
    radius: float = option(0.3, check_positive)
    restarts: int = option(1, at_least(0))
    steps: int = option(100, at_least(1))
    n_pushed: int = option(120, at_least(1))
    damping: float = option(DAMPING, check_positive)
    l2: float = option(L2, check_positive)
    order: str = option("highest_first", OneOf(ORDERS))
    seed: int = option(0, at_least(0))
    dtype: str = option("float32", OneOf(DTYPES))


@dataclass(frozen=True, eq=False)
class CertificatesResult:
    """samples: one row per k and training sample: k, sample, rank, gradient_norm and radius (below
    which no model has it in the top k; the radius relative to ‖θ*‖₂; 0 for the top k), used_random,
    used_worst, used_attack (the largest share of its certified lead that such a model within its
    certified gradient norm took away; NaN where none was within), pushed (the smallest gradient
    norm at which the push had it in; NaN where it was not tried or did not get in), was_pushed.

    tried: one row per k and kind of models ('random', 'worst', 'attack'): models, violations.
    depths: one row per Newton step (`polish`) from the attacked models: step, gradient_norm (the
    largest of them), depth (the first samples whose order is certified at that norm).
    """

    own_gradient_norm: float
    model_norm: float
    samples: pd.DataFrame
    tried: pd.DataFrame
    depths: pd.DataFrame

    def of(self, k: int) -> pd.DataFrame:
        """Return the rows of the samples for one k."""
        return self.samples[self.samples["k"] == k].reset_index(drop=True)

    def share(self, k: int, gradient_norm: float) -> float:
        """Return the share of all samples certified out of the top k at a gradient norm > 0."""
        return float((self.of(k)["gradient_norm"] >= gradient_norm).mean())

    @property
    def violations(self) -> int:
        """Return how often a sample was in the top k of a model that it was certified out of."""
        return int(self.tried["violations"].sum())


KINDS = ("random", "worst", "attack")


def run_certificates(
    request: CertificatesRequest, dataset: Dataset, context: Context
) -> CertificatesResult:
    from engine.attacks.attack import attack_each_k
    from engine.scrutiny import challenge
    from engine.scrutiny.certificates import certify_each_k, expand

    def report(part: int, within: Progress) -> None:
        share = min(within.done / max(within.total, 1), 1)
        context.report(round(100 * (part + share)), 100 * PARTS)

    honest = honest_model(dataset, request.l2, context)
    asked = request.l2, request.damping, request.order
    certified = certify_each_k(honest, dataset, request.ks, *asked, lambda p: report(0, p))
    targets = draw_outside(request, honest, dataset, max(request.ks), context)
    attacked = attack_each_k(
        honest,
        dataset,
        targets,
        request.ks[:1],
        taken_from(AttackOptions, request),
        device="cpu",
        on_step=lambda _: report(1, Progress(0, 1)),
    )
    models = [as_linear(result.model) for by_k in attacked for result in by_k.values()]
    reached = challenge.depths(honest, dataset, models, NEWTON_STEPS, *asked)

    at = expand(honest, dataset, *asked)
    edge = challenge.Edge.of(honest, dataset, next(iter(certified.values())), request.order)
    norms = np.concatenate([each.gradient_norms for each in certified.values()])
    norms = norms[norms > 0]
    batches = {
        "random": challenge.random_batches(
            at, norms, request.directions, request.seed, lambda p: report(2, p)
        ),
        "attack": challenge.batches_towards(models, honest, norms),
    }
    judged = {kind: challenge.judge(edge, certified, each) for kind, each in batches.items()}
    judged["worst"], tables = {}, []
    for part, (k, certificate) in enumerate(certified.items()):
        report(3, Progress(part, len(certified)))
        worst = challenge.worst_batches(at, certificate)
        judged["worst"] |= challenge.judge(edge, {k: certificate}, worst)
        some = spread(Ranking(certificate.scores, certificate.ranks), request.n_pushed)
        some = some[certificate.gradient_norms[some] > 0]
        table = pd.DataFrame({"k": k, "sample": np.arange(dataset.n_train)})
        table["rank"] = certificate.ranks
        table["gradient_norm"] = certificate.gradient_norms
        table["radius"] = certificate.relative_radii
        for kind in KINDS:
            table[f"used_{kind}"] = judged[kind][k].used
        table["pushed"], table["was_pushed"] = np.nan, False
        table.loc[some, "pushed"] = challenge.pushed(edge, at, certificate, some)
        table.loc[some, "was_pushed"] = True
        tables.append(table)
    return CertificatesResult(
        own_gradient_norm=certificate.own_gradient_norm,
        model_norm=certificate.model_norm,
        samples=pd.concat(tables, ignore_index=True),
        tried=pd.DataFrame(
            [
                {"k": k, "kind": kind, "models": each.models, "violations": each.violations}
                for kind in KINDS
                for k, each in judged[kind].items()
            ]
        ),
        depths=pd.DataFrame(reached, columns=["step", "gradient_norm", "depth"]),
    )


def describe_certificates(result: CertificatesResult) -> str:
    """Say what share is certified at which norm, and what the models that were tried took away."""
    lines = []
    for k in result.samples["k"].unique():
        of_k = result.of(k)
        shares = ", ".join(f"{result.share(k, g):.1%} at {g:.0e}" for g in NORMS)
        lines.append(f"top {k}: certified {shares}")
        used = ", ".join(f"{kind} {of_k[f'used_{kind}'].median():.2%}" for kind in KINDS)
        lines.append(f"  share of the certified lead that models take, median: {used}")
        slack = (of_k["pushed"] / of_k["gradient_norm"]).dropna()
        lines.append(
            f"  a push gets in {len(slack)} at {slack.median():.0f} times the norm, median"
        )
    models = int(result.tried["models"].sum())
    last = result.depths.iloc[-1]
    return "\n".join(
        [
            f"{result.violations} violations by {models:,} models",
            *lines,
            f"after {last['step']:.0f} Newton steps, gradient norm {last['gradient_norm']:.0e}: "
            f"the first {last['depth']:.0f} are certified in their order",
        ]
    )


CERTIFICATES = Experiment(
    "certificates",
    "What cannot be moved: a gradient norm below which no model has a sample in its top k",
    CertificatesRequest,
    run_certificates,
    save_fields,
    partial(load_fields, CertificatesResult),
    describe_certificates,
    cpu_only=True,
)
