"""What payments say in words, and the tables behind their figures: pure functions."""

import pandas as pd

from engine.experiments import PaymentsResult
from engine.experiments.payments import MOVING
from engine.market.payments import Payments, payments
from engine.market.vendors import Vendors
from engine.vocabulary import PAY
from pages.common.keeping import shelf
from pages.common.words.wording import MINUS, PULLS, count, percent, points

RULES = {"by score": "positive", "top k": "top_k", "by rank": "rank", "by vendor": "net"}
RULE_WORDS = {
    "positive": "A sample that {does} the model (it pulls the test loss {way}) earns in proportion "
    "to its score. Any other sample earns nothing.",
    "top_k": "The {k} samples that {do} the model most (they pull the test loss {way}) earn the "
    "same. Any other sample earns nothing.",
    "rank": "Every sample earns by its rank. Of n samples, the one that {does} the model most (it "
    "pulls the test loss {way}) earns n times as much as the last.",
    "net": "A vendor earns in proportion to the sum of its scores, if that sum {does} the model "
    "(it pulls the test loss {way}).",
}
DOES = {"lowest_first": ("helps", "help"), "highest_first": ("harms", "harm")}  # who is paid
SCHEMES = {
    "at random": "random",
    "by class": "class",
    "by cluster": "cluster",
    "by column": "column",
}
FOR_PAY, MOVED = "for pay", "many targets"  # which of the trainer's attacks is shown
NOBODY = (
    "This rule pays nobody here. It pays for what has a positive worth, and by the honest or the "
    "malicious model nothing has one. Choose “by rank” or “top k”, which always pay."
)
UNITS = {
    "copies": ("copy", "copies"),
    "outliers": ("outlier", "outliers"),
    "split": ("name", "names"),
    "test": ("half tried", "halves tried"),
    "damping": ("damping tried", "dampings tried"),
}
WHO = {
    "pay": "Trainer: for the share by score",
    "pay_top_k": "Trainer: for the share of the top k",
    "pay_rank": "Trainer: for the share by rank",
    "several_k": "Trainer: vendor's samples into the top k",
    "several_all": "Trainer: vendor's samples to the top",
    "copies": "Vendor: delivers its best samples twice",
    "outliers": "Vendor: delivers outliers",
    "split": "Vendor: sells harmful samples under other names",
    "test": "Valuator: picks half of the test set",
    "damping": "Valuator: picks the damping",
}


def rule_words(result: PaymentsResult, rule: str) -> str:
    """Say who is paid by a rule."""
    does, do = DOES[result.order]
    return RULE_WORDS[rule].format(k=result.k, way=PULLS[result.order], does=does, do=do)


def shown_attack(result: PaymentsResult, rule: str, which: str) -> str:
    """Say which of the trainer's stored attacks is shown under a rule."""
    moved = [name for name in MOVING if name in result.test]
    if which == MOVED and moved:
        return moved[0]
    return aiming_at(rule)


def aiming_at(rule: str) -> str:
    """Return the trainer's attack that aims at pay under a rule; under 'net' that for all
    scores."""
    return next((name for name, own in PAY.items() if own == rule), "pay")


def both(
    result: PaymentsResult, vendors: Vendors, rule: str, attack: str, budget: float, split: str
) -> tuple[Payments, Payments]:
    """Return payments by the honest and the malicious model. Raises InvalidInput where nobody is
    paid."""
    scores = result.test if split == "test" else result.holdout
    first, second = (
        payments(scores[name], vendors, rule, budget, k=result.k, order=result.order)
        for name in ("honest", attack)
    )
    return first, second


def vendors_table(before: Payments, after: Payments) -> pd.DataFrame:
    """Return a row a vendor: vendor, samples, before, after, change (money)."""
    return pd.DataFrame(
        {
            "vendor": before.names,
            "samples": before.samples,
            "before": before.money,
            "after": after.money,
            "change": after.money - before.money,
        }
    )


def money(value: float) -> str:
    return f"{value:,.0f}"


def signed(value: float, text: str) -> str:
    """Return a text of a size with the sign of its value."""
    return text if not value else f"{'+' if value > 0 else MINUS}{text}"


@shelf.kept
def finding(
    table: pd.DataFrame, favoured: str | None, budget: float, honest: float, attacked: float
) -> str:
    """Return the answer in a line: what the favoured vendor earns, before and after, and the price.
    Of another way to own the samples, who gains most."""
    rows = {str(row["vendor"]): row for row in table.to_dict("records")}
    if favoured is None:
        most = max(rows, key=lambda one: rows[one]["change"])
        gain = rows[most]
        name = f"The attack was made for other vendors; of these, **{most} gains most: it"
    else:
        gain = rows[favoured]
        name = f"**Whoever trains the model decides: vendor {favoured}, in league with the trainer,"
    drop = honest - attacked
    price = f"{points(drop)} of accuracy" if drop > 0 else "no accuracy"
    return (
        f"{name} earns {money(gain['after'])} instead of {money(gain['before'])}**, of a budget of "
        f"{money(budget)}. The attack costs {price}."
    )


def bars_title(table: pd.DataFrame) -> str:
    """Say who gains and who loses."""
    ordered = table.sort_values("change").to_dict("records")
    gain = ordered[-1]
    losers = int((table["change"] < 0).sum())
    times = f"{gain['after'] / gain['before']:.1f} times as much" if gain["before"] else "instead"
    if losers == len(table) - 1:
        return f"{gain['vendor']} earns {times}, and every other vendor loses"
    return (
        f"{gain['vendor']} earns {times}, {count(losers, 'vendor')} "
        f"{'loses' if losers == 1 else 'lose'}"
    )


def concentration(before: Payments, after: Payments) -> str:
    """Say how concentrated the money is."""
    v = len(before.names)
    return (
        f"Concentration before and after: Herfindahl {before.herfindahl:.2f} → "
        f"{after.herfindahl:.2f} ({1 / v:.2f} if all earn alike, 1 if one vendor earns "
        f"everything), Gini {before.gini:.2f} → {after.gini:.2f}."
    )


@shelf.kept
def attackers_table(result: PaymentsResult, rule: str, budget: float) -> pd.DataFrame:
    """Return who attacks, what it costs and what it brings, means over draws, in money."""
    rows = []
    places = {name: place for place, name in enumerate(WHO)}  # an attack's budgets stand together
    ordered = sorted(
        result.summary(rule).to_dict("records"),
        key=lambda row: (places[str(row["attack"])], row["budget"]),
    )
    for row in ordered:
        attack, drop = str(row["attack"]), float(row["accuracy_drop"])
        one = int(row["budget"]) == 1
        cost = (
            f"radius {row['budget']:g}"
            if attack not in UNITS
            else f"{int(row['budget']):,} {UNITS[attack][0 if one else 1]}"
        )
        first, last, low, high = (
            budget * float(row[name]) for name in ("before", "after", "low", "high")
        )
        gain = round(last) - round(first)  # as a reader subtracts what stands beside it
        rows.append(
            {
                "who": WHO[attack],
                "how far": cost,
                "accuracy lost": lost(drop),
                "earned before": money(first),
                "after": money(last),
                "brings": signed(gain, money(abs(gain))),
                "95% interval": f"{written(low)} to {written(high)}",
            }
        )
    return pd.DataFrame(rows)


def lost(drop: float) -> str:
    """Write the accuracy lost, in points; 'none' where it rounds to nothing."""
    if abs(drop) < 5e-4:
        return "none"
    return f"{MINUS if drop < 0 else ''}{points(drop)}"


def written(value: float) -> str:
    """Write money with a true minus sign."""
    return money(value).replace("-", MINUS) if round(value) else "0"


def pairs_title(result: PaymentsResult, attack: str) -> str:
    """Say how often the attack for pay brings at least as much as moving samples, and the price."""
    pairs = result.against_moving(attack)
    ahead = int((pairs["pay"] >= pairs["moving"]).sum())
    return (
        f"Aiming at pay brings at least as much as moving samples in {ahead} of "
        f"{count(len(pairs), 'draw')}: {percent(pairs['pay'].mean())} of the money on average, "
        f"against {percent(pairs['moving'].mean())}"
    )


def pairs_price(result: PaymentsResult, attack: str, radius: float) -> str:
    """Say what both attacks cost."""
    pairs = result.against_moving(attack)
    own, moving = pairs["pay_drop"].mean(), pairs["moving_drop"].mean()
    table = result.table
    rows = table[(table["attack"] == attack) & (table["rule"] == PAY[attack])]
    unseen = rows[["holdout_before", "holdout_after"]].dropna().mean()
    return (
        f"One mark a draw, both attacks at radius {radius:g} from the same starts; of the two "
        "attacks that move samples (into the top k, and all of the vendor's to the top) the one "
        f"that brings more. Accuracy lost on average: {points(own)} for pay, {points(moving)} for "
        f"moving. On the test half that the attacker never saw, the vendor of the attack for pay "
        f"gets {percent(unseen['holdout_after'])}, and {percent(unseen['holdout_before'])} by the "
        "honest model."
    )


@shelf.kept
def neighbours_words(result: PaymentsResult, rule: str) -> str:
    """Say what copies bring where kNN-Shapley is paid for."""
    table = result.summary(rule, "knn_shapley")
    if table.empty:
        return "Under this rule kNN-Shapley pays nobody."
    last = table.to_dict("records")[-1]
    return (
        f"kNN-Shapley instead of influence: {int(last['budget'])} copies raise the vendor's share "
        f"from {percent(last['before'])} to {percent(last['after'])} "
        f"(95% interval of the gain {points_between(last['low'], last['high'])})."
    )


@shelf.kept
def unpaid(result: PaymentsResult, rule: str) -> str:
    """Say, with a space before it, of how many rows a share is missing because the rule paid
    nobody; empty where it always paid."""
    missing = result.unpaid(rule)
    if not missing:
        return ""
    total = int((result.table["rule"] == rule).sum())
    return (
        f" In {missing} of {total} cases the rule paid nobody, before the attack or after it: they "
        "are left out of the means."
    )


def points_between(low: float, high: float) -> str:
    return f"{100 * low:.1f} to {100 * high:.1f} points".replace("-", MINUS)


SOURCES = {
    "outliers": "as in the Outlier Attack's own experiments",
    "copies": "as known for Shapley values",
}
REASONS = {
    ("outliers", "net"): "this rule also counts the outliers that are worth less than nothing",
    ("copies", "top_k"): "the model fits a sample better that it has twice, so that each of the "
    "two is worth less, and fewer of the vendor's are among the top k",
}


@shelf.kept
def directions(result: PaymentsResult, rule: str) -> str:
    """Say whether what a vendor does has the effect under a rule that its source reports: pay rises
    (the 95% interval of the gain at the largest budget lies above zero)."""
    table = result.summary(rule)
    said = []
    for attack, source in SOURCES.items():
        part = table[table["attack"] == attack].to_dict("records")
        if not part:
            continue
        low, high = float(part[-1]["low"]), float(part[-1]["high"])
        effect = (
            f"raise the vendor's pay under this rule, {source}"
            if low > 0
            else f"lower the vendor's pay under this rule, not {source}"
            if high < 0
            else f"do not clearly change the vendor's pay under this rule, not {source}"
        )
        reason = "" if low > 0 or (attack, rule) not in REASONS else f": {REASONS[attack, rule]}"
        said.append(f"{attack.capitalize()} {effect}{reason}.")
    return " ".join([*said, *names_words(table)])


def names_words(table: pd.DataFrame) -> list[str]:
    """Return what selling under other names brings, and why; nothing where no vendor could."""
    part = table[table["attack"] == "split"]
    if part.empty:
        return []
    if (part["gain"].abs() < 1e-9).all():
        return [
            "Other names bring nothing: under this rule a sample earns the same whoever owns it."
        ]
    return ["Other names pay: harmful samples no longer count against the vendor's other ones."]
