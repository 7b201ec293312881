"""What cannot be moved, in words: pure functions from results to sentences and tables."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from engine.experiments import CertificatesResult
from pages.common.keeping import shelf
from pages.common.words.wording import count, percent

STATED = 1e-4  # the gradient norm at which the finding is stated
NORMS = tuple(10.0**power for power in range(-6, -1))
KINDS = {
    "random": "random directions",
    "worst": "each sample's worst direction",
    "attack": "directions of attacks",
}


def size(value: float) -> str:
    """Return a gradient norm or radius in words: 10⁻⁴ as 0.0001."""
    return (
        f"{value:.2g}" if value >= 1e-4 else f"{value:.1e}".replace("e-0", "e−").replace("e-", "e−")
    )


@shelf.kept
def finding(result: CertificatesResult) -> str:
    """Return the answer in two sentences."""
    k = int(result.samples["k"].min())
    place = "rank 1" if k == 1 else f"the top {k}"
    share = percent(result.share(k, STATED))
    return (
        f"**Yes, if training is nearly finished: then {share} of samples cannot reach {place}.** "
        "Nearly finished means that the slope of the training loss, which is zero at the end, is "
        f"{size(STATED)} or less."
    )


@shelf.kept
def succeeded_from(attacked: float | None) -> str:
    """Say which slope the attacks leave that succeed, with a space before it; empty where none
    is known."""
    if attacked is None:
        return ""
    return (
        f" The attacks of *Is it a minimum?* that succeed leave a slope of {attacked:.3g} or more."
    )


@shelf.kept
def shares_table(result: CertificatesResult) -> pd.DataFrame:
    """Return the share certified at round gradient norms, a column per k."""
    shown = {"gradient norm": [size(norm) for norm in NORMS]}
    for k in result.samples["k"].unique():
        shares = [percent(result.share(k, norm)) for norm in NORMS]
        shown[f"certified out of the top {k}"] = shares
    return pd.DataFrame(shown)


def ratio(table: pd.DataFrame) -> float:
    """Return the median of found / certified, over the samples that have both; NaN for none."""
    both = table[(table["certified"] > 0) & table["found"].notna()]
    return float((both["found"] / both["certified"]).median()) if len(both) else float("nan")


def sandwich_title(table: pd.DataFrame, what: str) -> str:
    between = ratio(table)
    if np.isnan(between):
        return f"No attack got in: only the certified {what} is known"
    return f"The attacks need {between:,.0f} times the certified {what}, in the median"


@shelf.kept
def tried_table(result: CertificatesResult) -> pd.DataFrame:
    """Return what the models that were tried did: one row per kind and k."""
    rows = []
    for row in result.tried.to_dict("records"):
        used = result.of(int(row["k"]))[f"used_{row['kind']}"].dropna()
        rows.append(
            {
                "models": KINDS[row["kind"]],
                "k": int(row["k"]),
                "tried": f"{row['models']:,}",
                "violations": row["violations"],
                "of the lead, median": f"{used.median():.1%}" if len(used) else "–",
                "of the lead, most": f"{used.max():.1%}" if len(used) else "–",
            }
        )
    return pd.DataFrame(rows)


def tried_title(result: CertificatesResult) -> str:
    models = int(result.tried["models"].sum())
    if result.violations:
        return f"{count(result.violations, 'violation')} by {models:,} models: the proof is broken"
    return f"No violation by {models:,} models on the edge of what is certified"


def by_norm_table(result: CertificatesResult, k: int, least: Mapping[int, float]) -> pd.DataFrame:
    """Return the certified gradient norm of each sample beside the smallest at which it was in the
    top k of some model: one that was pushed, or of an attack, whose smallest are `least`."""
    some = result.of(k).rename(columns={"gradient_norm": "certified"})
    attacked = some["sample"].map(least).astype(float)
    return some[["sample", "rank", "certified"]].assign(found=np.fmin(some["pushed"], attacked))


def pushed_said(result: CertificatesResult, k: int) -> str:
    """Say what a straight push needs, against the certified gradient norm."""
    some = result.of(k)
    some = some[some["was_pushed"]]
    arrived = some[some["pushed"].notna()]
    if arrived.empty:
        return f"Of {count(len(some), 'sample')} pushed straight on, none got into the top {k}."
    slack = (arrived["pushed"] / arrived["gradient_norm"]).median()
    return (
        f"Of {count(len(some), 'sample')} pushed straight on in their worst direction, "
        f"{len(arrived)} got into the top {k}, in the median at {slack:,.0f} times their certified "
        "gradient norm."
    )


def depth_title(depths: pd.DataFrame, n: int) -> str:
    """Say what polishing certifies, after the first step that certifies most."""
    deepest = int(depths["depth"].max())
    first = min(depths["step"][depths["depth"] == deepest])
    steps = count(first, "Newton step")
    if not deepest:
        return "These steps do not come close enough to the minimum to certify an order"
    if deepest == n:
        return f"After {steps} the whole ranking is certified to be the honest one"
    return f"After {steps} the first {deepest:,} are certified to stand in the honest order"


def depth_said(depths: pd.DataFrame) -> str:
    last = depths.iloc[-1]
    return (
        "A verifier who has the training data polishes whatever model is handed out with Newton "
        "steps on the declared loss. The figure starts from malicious models and takes the largest "
        f"gradient norm that any of them has left; after {count(int(last['step']), 'step')} it is "
        f"{size(float(last['gradient_norm']))}. Every model with so small a gradient has the same "
        f"first {last['depth']:,.0f} samples in the same order as the honest one."
    )
