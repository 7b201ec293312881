"""What the story says, step by step: pure functions from its results."""

from dataclasses import dataclass

from engine.experiments.polish import KNOWING
from engine.statistics import percentiles
from pages.common.words import wording
from pages.common.words.wording import count, decimal, percent, points
from pages.defend.parts import polish_rates, polish_words
from pages.fairness.parts import fairness_words
from pages.learn.parts.story_sources import Sources

BUDGET = 10_000.0  # money that the buyer shares out; the page about money opens with as much
PAID_RULE, COLLUDES = "top_k", "pay_top_k"  # of payments: who is paid, and the attack on that


@dataclass(frozen=True)
class Told:
    """A step in words. name: in the row of steps. sentence: what it is about. action: what to do.
    notice: what to see once it is done. question: to think or to talk about; in the
    first step, what the order means. page: the one that shows more."""

    name: str
    sentence: str
    action: str
    notice: str
    question: str
    page: str


def story(found: Sources) -> list[Told]:
    """Return the steps in their order."""
    return [
        score(found),
        attack(found),
        price(found),
        money(found),
        halves(found),
        impossible(found),
        fairness(found),
        undo(found),
    ]


def score(found: Sources) -> Told:
    up = int((found.attack.before.scores > 0).sum())
    down = int((found.attack.before.scores < 0).sum())
    return Told(
        "A score",
        "A score estimates how one training digit moves the test loss. Rank 1 raises the loss "
        "most.",
        "Drag to take another digit away.",
        f"Notice that {down:,} digits pull the test loss down (green) and {up:,} pull it up "
        "(yellow).",
        "In the paper, rank 1 is paid most, whether it helps or harms. Can whoever trains the "
        "model choose it?",
        "influence",
    )


def attack(found: Sources) -> Told:
    result, target = found.attack, found.attack.targets[0]
    return Told(
        "The attack",
        "You train the model. Choose one near the honest one, and your digit climbs.",
        "Play the attack, or drag it step by step.",
        f"Notice that nobody touched the data: only the weights moved, by "
        f"{result.distance:.0%} of their length. Your digit went from rank "
        f"{int(result.before.ranks[target]):,} to {result.rank_test:,}.",
        "Who else moved, and does anybody ask them?",
        "move-one-sample",
    )


def price(found: Sources) -> Told:
    result, unseen = found.attack, len(found.dataset.y_holdout)
    return Told(
        "The price",
        f"Of {unseen:,} digits that neither model has seen, {result.predictions_changed} are now "
        "read differently.",
        "Vote: would you have noticed?",
        vote(found),
        "What would you have to see to be sure?",
        "cost",
    )


def vote(found: Sources) -> str:
    """Return the answer to the vote, from the accuracies' intervals and the rankings."""
    result = found.attack
    honest, malicious = wording.intervals(result, len(found.dataset.y_holdout))
    chance = (
        "Hardly: the 95% intervals of both accuracies overlap, so the difference may be chance."
        if honest.overlaps(malicious)
        else "A careful buyer could: the 95% intervals of both accuracies are apart."
    )
    return (
        f"{chance} Accuracy {percent(result.accuracy_before)} → {percent(result.accuracy_after)}. "
        f"{wording.turnover(result)}, but the buyer sees one ranking only."
    )


def money(found: Sources) -> Told:
    paid = found.paid
    name = paid.vendors.names[paid.vendor]
    before, after = (earned(found, model) for model in ("honest", COLLUDES))
    drop = paid.accuracy["honest"] - paid.accuracy[COLLUDES]
    table = paid.summary(PAID_RULE)
    row = table[table["attack"] == COLLUDES].iloc[0]
    return Told(
        "The money",
        f"This buyer pays {BUDGET:,.0f} for the {paid.k} digits that help most, at the green end.",
        f"Collude with vendor {name}.",
        f"Notice that vendor {name} earns {before:,.0f} by the honest model and {after:,.0f} by "
        f"the malicious one. Accuracy falls by {points(drop)}. Over "
        f"{count(int(row['draws']), 'draw')} of vendors the mean gain is "
        f"{BUDGET * row['gain']:,.0f} "
        f"(95% interval {BUDGET * row['low']:,.0f} to {BUDGET * row['high']:,.0f}).",
        "Who in this trade could check what the trainer did?",
        "who-gets-the-money",
    )


def earned(found: Sources, model: str) -> float:
    """Return what the favoured vendor earns by a model."""
    return float(found.paid.paid(model, PAID_RULE, BUDGET).money[found.paid.vendor])


def halves(found: Sources) -> Told:
    result, table = found.attack, found.halves
    own, drawn = table.iloc[0], table.iloc[1:]
    honest = int(result.before_holdout.ranks[result.targets[0]])
    low, high = percentiles(drawn["spearman"].to_numpy())
    return Told(
        "Other test data",
        "Scores ask one half of the test digits. Ask the other half: same model, same data.",
        "Switch the test half, and the model.",
        f"Notice that two honest rankings correlate at {decimal(own['spearman'])} (Spearman; "
        f"{decimal(low)} to {decimal(high)} in 95% of {len(drawn)} other ways to halve). Your "
        f"digit, rank {result.rank_test:,} after the attack, is at rank "
        f"{result.rank_holdout:,} by the other half; it was at {honest:,}.",
        "What does rank 1 mean if the ranking depends on who is asked?",
        "move-one-sample",
    )


def impossible(found: Sources) -> Told:
    random, runs = found.impossible.random, found.impossible.attack.runs
    return Told(
        "The impossible",
        "This sample has a copy with the other label. Turn the model: can the sample come first?",
        "Drag the model in the figure.",
        f"Notice that the copy always stands before it. {random.beaten} of {len(random.table):,} "
        f"random models and {int(runs['reached'].sum())} of {count(len(runs), 'attack run')} put "
        "it first.",
        "Why can no model do it?",
        "impossible",
    )


def fairness(found: Sources) -> Told:
    result = found.fairness
    about, honest, worst = result.about, result.row(1), result.table.iloc[0]
    column = f"{about.metric}_test"
    changed = fairness_words.changed(int(worst["base_predictions_changed"]), about.n_test)
    favoured = fairness_words.people(about.group_names[int(about.gap_before > 0)]).capitalize()
    return Told(
        "Fairness",
        f"{favoured} get the good prediction {fairness_words.size(about.gap_before)} points more "
        "often. Influence scores repair that.",
        f"Multiply all weights of the model ({about.title} data).",
        f"Notice that {changed} change. With the factor 1 the repaired gap is "
        f"{fairness_words.signed(honest[column])} points, with {worst['scale']:g} it is "
        f"{fairness_words.signed(worst[column])}: the attack switches the repair off.",
        "If no prediction changes, what would an auditor have to look at?",
        "fairness",
    )


def undo(found: Sources) -> Told:
    plain = polish_words.unknowing(found.polish)
    kept = int((plain["rank_1"] <= polish_rates.TOP).sum())
    knows = polish_rates.outside(found.polish)
    knows = knows[knows["kind"].isin(KNOWING)]
    stay = int((knows["rank_1"] <= polish_rates.TOP).sum())
    return Told(
        "Undo it",
        "Whoever has the training data can train one step on. What becomes of "
        f"{count(len(plain), 'attack')}?",
        "Train one step on (a Newton step).",
        f"Notice that after one step {kept} of {len(plain)} are still among the first "
        f"{polish_rates.TOP}. Of {count(len(knows), 'attack')} by an attacker who knows of this, "
        f"{stay} are.",
        "Who could demand this step before money changes hands?",
        "undo-it",
    )
