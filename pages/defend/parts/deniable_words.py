"""The deniable attack in words and tables to read: pure functions of the stored result."""

import pandas as pd

from engine.experiments import DeniableResult
from engine.experiments.deniable import NEWTON_STEPS
from engine.scrutiny.audit import CAUGHT_ABOVE
from engine.statistics import detection
from engine.vocabulary import ACCURACY_TOLERANCE
from pages.common.figures.axes import MINUS, number
from pages.common.frames import named_rows
from pages.common.keeping import shelf
from pages.common.words.wording import count, decimal, points
from pages.defend.parts.deniable_figures import MEANS

SHOWN = 0.2  # an ε that stands as an example
UNBROKEN = "\u00a0"  # a space at which no line ends


def moved(result: DeniableResult, means: str, crowd: str, epsilon: float) -> int:
    """Return how many targets of a crowd reach the top within ε."""
    return int((result.needed(means, crowd) <= epsilon + 1e-9).sum())


def every_means(result: DeniableResult) -> str:
    """Return the name of all means together, the last that was tried."""
    return str(result.table["means"].iloc[-1])


@shelf.kept
def finding(result: DeniableResult) -> str:
    """Say how many random targets the attack moves, and why it can be denied."""
    rows = result.rows(every_means(result), "random")
    there = rows[rows["arrived"]]
    if there.empty:
        return f"No: of {len(rows)} random samples none reaches {place(result)}."
    begin = "Yes" if 2 * len(there) > len(rows) else "Sometimes"
    return (
        f"**{begin}: {len(there)} of {len(rows)} random samples reach {place(result)}.** "
        "Honest trainers may choose the same, so the attack can be denied."
    )


@shelf.kept
def nearest(result: DeniableResult, usual_l2: float) -> str:
    """Say what the model chose that gives least weight to the choice; empty where none arrived."""
    rows = result.rows(every_means(result), "random")
    there = rows[rows["arrived"]]
    if there.empty:
        return ""
    least = there.sort_values("epsilon").iloc[0]
    return (
        f"For sample {least['target']:.0f} it is enough that samples and "
        f"features count {span(least['epsilon'], 2)} times and L2 is {least['l2']:.2g}, not "
        f"{usual_l2:g}."
    )


def place(result: DeniableResult) -> str:
    """'rank 1', or 'the top 10'."""
    return "rank 1" if result.k == 1 else f"the top {result.k}"


@shelf.kept
def averaging(result: DeniableResult) -> str:
    """Say what averaging over honest choices leaves of the attacks that arrived."""
    stay = int((result.arrived["averaged"] <= result.k).sum())
    return f"Averaging over honest choices leaves {stay} of {len(result.arrived)}."


@shelf.kept
def at(result: DeniableResult, epsilon: float) -> str:
    """Say for one ε how many random targets are moved by the last of the means."""
    means = every_means(result)
    return (
        f"Up to ±{epsilon:.0%}: {moved(result, means, 'random', epsilon)} of "
        f"{len(result.rows(means, 'random'))} samples reach {place(result).replace(' ', UNBROKEN)}"
    )


@shelf.kept
def meaning(result: DeniableResult, tolerance: float | None) -> str:
    """Say what a percentage means, what else the trainer chooses, and which moves count; tolerance:
    the accuracy that a model may lose."""
    limit = (
        ""
        if tolerance is None
        else f" A move counts only if accuracy falls by at most {100 * tolerance:g} points."
    )
    also = " The trainer also chooses the L2 penalty." if every_means(result) == "together" else ""
    return (
        f"±{SHOWN:.0%} means that a sample counts as {span(SHOWN)} samples, and a feature is "
        f"scaled by as much.{also} Each model is trained to the end.{limit}"
    )


def margin(tolerance: float | None) -> str:
    """Say why the limit of accuracy is another than on other pages, with a space before it; empty
    where there is none."""
    if tolerance is None:
        return ""
    return (
        f" A model may lose {100 * tolerance:g} points of accuracy on the test set, less than the "
        f"{100 * ACCURACY_TOLERANCE:g} of other pages, which measure on unseen data: the search "
        "looks at the test set alone, and keeps a margin."
    )


@shelf.kept
def has_arrived(result: DeniableResult) -> bool:
    """Return whether any attack reached the top."""
    return not result.arrived.empty


@shelf.kept
def arrived_by(result: DeniableResult) -> str:
    """Say by which means the attacks arrived, with a space behind; nothing where one was tried."""
    means = list(result.arrived["means"])
    every = every_means(result)
    others = [name for name in dict.fromkeys(means) if name != every]
    if others != ["weights"]:
        return ""
    return (
        f"{len(means)} attacks arrived: {means.count(every)} with every choice open, "
        f"{means.count('weights')} by the samples' weights alone. "
    )


def span(epsilon: float, digits: int | None = None) -> str:
    """'0.8 to 1.2': how often a sample may count within ε, with so many digits, or as many as
    there are."""
    written = "g" if digits is None else f".{digits}f"
    return f"{1 - epsilon:{written}} to {1 + epsilon:{written}}"


@shelf.kept
def checks(result: DeniableResult) -> pd.DataFrame:
    """Return the checks as a table: what each looks at, how many attacks pass, and its number."""
    found, k = result.arrived, result.k
    n = len(found)

    def passing(name: str) -> str:
        return f"{int((found[name] <= k).sum())} of {n}"

    audited = int((found["audit"] <= CAUGHT_ABOVE).sum())
    area = detection(result.trainers["averaged"], found["averaged"])
    rows = [
        (
            "audit of the reported scores",
            f"{audited} of {n}",
            f"largest residual {number(found['audit'].max())}",
        ),
        (
            "gradient norm of the declared loss",
            f"{int((found['gradient_norm'] < 1e-6).sum())} of {n}",
            f"largest {number(found['gradient_norm'].max())}",
        ),
        (
            f"{NEWTON_STEPS} Newton steps on the declared loss",
            passing("declared_after"),
            f"worst rank {int(found['declared_after'].max()):,}",
        ),
        (
            "scores with the declared loss's Hessian",
            passing("rank_declared_hessian"),
            f"median rank {found['rank_declared_hessian'].median():,.0f}",
        ),
        (
            "gradient norm of the usual loss",
            f"{int((found['usual_norm'] < 1e-6).sum())} of {n}",
            f"smallest {number(found['usual_norm'].min())}",
        ),
        (
            f"{NEWTON_STEPS} Newton steps on the usual loss",
            passing("usual_after"),
            f"median rank {found['usual_after'].median():,.0f}",
        ),
        (
            "scores averaged over honest draws",
            passing("averaged"),
            f"median rank {found['averaged'].median():,.0f}; AUC {area.auc:.3f}",
        ),
        (
            "scores averaged around what was declared",
            passing("around"),
            f"median rank {found['around'].median():,.0f}",
        ),
    ]
    return pd.DataFrame(rows, columns=["check", "attacks that pass", "seen"])


STOPPED = "attacks stopped"  # a column, of HTML
OWN, FIXED, MANY = "the declared loss", "a loss that the verifier fixes", "many losses, averaged"
LOOKED_AT = {  # of each row of `checks`, in its order: at which loss it looks, and how
    f"{OWN}: are its scores honest?": OWN,
    f"{OWN}: is it a minimum?": OWN,
    f"{OWN}: train further": OWN,
    f"{OWN}: use its Hessian": OWN,
    f"{FIXED}: is it a minimum?": FIXED,
    f"{FIXED}: train further": FIXED,
    f"{MANY} over honest choices": MANY,
    f"{MANY} around what was declared": MANY,
}


@shelf.kept
def stopped(result: DeniableResult) -> pd.DataFrame:
    """Return how many attacks each check stops: a row per check, with a mark of the verdict."""
    n = len(result.arrived)
    rows = []
    for check, passed in zip(LOOKED_AT, checks(result)["attacks that pass"], strict=True):
        caught = n - int(passed.split(" of ")[0])
        look = "caught" if caught == n else "missed" if caught == 0 else "partly"
        said = f'<span class="ial-race {look}">{caught} of {n}</span>'
        rows.append({"what is checked": check, STOPPED: said})
    return pd.DataFrame(rows)


@shelf.kept
def checks_title(result: DeniableResult) -> str:
    """Say which checks stop all of the attacks."""
    n = len(result.arrived)
    passed = dict(zip(LOOKED_AT, checks(result)["attacks that pass"], strict=True))
    all_stopped = {kind for kind in (FIXED, MANY) if all(
        passed[check] == f"0 of {n}" for check, of in LOOKED_AT.items() if of == kind)}  # fmt: skip
    if all_stopped == {FIXED, MANY}:
        return "Only checks on a loss that the trainer did not choose stop it"
    return "Which checks stop it?"


@shelf.kept
def price(result: DeniableResult) -> str:
    """Say what the attacks that arrived cost."""
    found = result.arrived
    return (
        f"In the median they lose {points(found['lost_holdout'].median())} of accuracy on holdout, "
        f"and their ranking has Spearman {found['correlation'].median():.2f} with the usual one. "
        f"Honest draws within the same limits have "
        f"{result.trainers['correlation'].median():.2f}."
    )


@shelf.kept
def honest_choices(result: DeniableResult) -> pd.DataFrame:
    """Return how far honest choices move the ranking, a row per ε."""
    rows = []
    samples = result.samples
    for epsilon, part in result.drawn.groupby("epsilon"):
        low, high = (samples[f"{end}_{epsilon:g}"] for end in ("lowest", "highest"))
        rows.append(
            {
                "ε": f"{epsilon:g}",
                "draws": len(part),
                "width of a sample's ranks, median": f"{(high - low).median():,.0f}",
                "samples that are first in some draw": int((low == 1).sum()),
                "Spearman with the usual ranking": f"{part['correlation'].min():.2f} to "
                f"{part['correlation'].max():.2f}",
                "accuracy": f"{100 * part['accuracy'].min():.1f} to "
                f"{100 * part['accuracy'].max():.1f}%",
            }
        )
    return pd.DataFrame(rows)


@shelf.kept
def l2_alone(result: DeniableResult) -> str:
    """Say what the choice of l2 alone does to the ranking."""
    line, samples = result.line, result.samples
    first = int((samples["best_by_l2"] <= 1).sum())
    ten = int((samples["best_by_l2"] <= 10).sum())
    return (
        f"**l2 alone.** Between {line['l2'].min():g} and {line['l2'].max():g}, "
        f"{count(first, 'sample')} of {len(samples):,} are first for some value and {ten} are "
        f"among the first 10. The ranking's Spearman correlation with the usual one falls to "
        f"{line['correlation'].min():.2f}. Accuracy lies between "
        f"{100 * line['accuracy'].min():.1f} and {100 * line['accuracy'].max():.1f}%."
    )


def failed(rank: int, k: int) -> str:
    """Say why a target does not count."""
    return "not moved" if rank > k else "costs too much"


@shelf.kept
def targets(result: DeniableResult) -> pd.DataFrame:
    """Return every target as a row to be read."""
    table = result.table
    return pd.DataFrame(
        {
            "by": table["means"].map(MEANS),
            "target": table["target"],
            "usual rank": table["rank_before"].map("{:,}".format),
            "least ε": [
                f"{row.epsilon:.3f}" if row.arrived else failed(row.rank_after, result.k)
                for row in named_rows(table)
            ],
            "rank": table["rank_after"].map("{:,}".format),
            "accuracy lost, points": [
                f"{100 * v:.1f}".replace("-", MINUS) for v in table["lost_holdout"]
            ],
            "Spearman": [decimal(v) for v in table["correlation"]],
            "rank by averaged scores": [
                "–" if pd.isna(v) else f"{v:,.0f}" for v in table["averaged"]
            ],
        }
    )


def intervals_table(result: DeniableResult, epsilon: float) -> pd.DataFrame:
    """Return one row per sample: its usual rank, its best and worst rank over honest draws within
    epsilon, and its rank by scores averaged over them."""
    names = {
        "rank": "usual rank",
        f"lowest_{epsilon:g}": "best rank",
        f"highest_{epsilon:g}": "worst rank",
        f"averaged_{epsilon:g}": "rank by averaged scores",
    }
    shown = result.samples.sort_values("rank")[[*names]].rename(columns=names)
    return shown.rename_axis("sample").reset_index()
