"""What polishing undoes, in words and in tables to read: pure functions from its table."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from engine.experiments import PolishRequest
from engine.experiments.polish import DETECTORS, HONEST, KNOWING, honest_of, steps_of
from pages.common.keeping import shelf
from pages.common.words.objective_words import NAMES
from pages.common.words.wording import count, points
from pages.defend.parts import polish_rates as rates

MODELS = {"linear": "logistic regression", "mlp": "small network", "cnn": "small CNN"}
DATA = {"digits": "Digits", "breast_cancer": "Breast tumours"}
KINDS: Mapping[str, str] = {
    "higher_ranked": NAMES["higher_ranked"],
    "top_k": "lowers the top k",
    "target": "raises the target alone",
    "accurate": NAMES["accurate"],
    "quiet": NAMES["quiet"],
    "minimal": "searches for the smallest radius",
    "stealth": "lowers its gradient norm on the way",
    "through": "differentiates through the step",
    "hides norm": "arrives, then lowers its gradient norm",
    "hides decrement": "arrives, then lowers its decrement",
    "other l2": "trains at another L2 than declared",
    "declares": f"{NAMES['higher_ranked']}, declares another L2",
}


def case(request: PolishRequest) -> str:
    """Say what was attacked, as a choice: 'Digits, logistic regression'."""
    size = f", {request.train_size} samples" if request.train_size else ""
    name = DATA.get(request.dataset, request.dataset)
    return f"{name}, {MODELS[request.model]}{size}"


def shown_steps(table: pd.DataFrame) -> list[int]:
    """Return the numbers of steps that tables show."""
    most = steps_of(table)
    return sorted({0, *(j for j in (1, 2) if j <= most), most})


def unknowing(table: pd.DataFrame) -> pd.DataFrame:
    """Return the arrived models of attackers who do not know of polishing, their targets from
    outside the honest top ten."""
    found = rates.outside(table)
    return found[~found["kind"].isin(KNOWING)]


@shelf.kept
def finding(table: pd.DataFrame) -> str:
    """Say what one step undoes, in words."""
    plain, most = unknowing(table), steps_of(table)
    if plain.empty:
        return "No attack reached the top, so there is nothing to undo."
    kept, left = (int((plain[f"rank_{j}"] <= rates.TOP).sum()) for j in (1, most))
    begin = "No" if not kept else "At first" if left < kept else "Yes"
    said = (
        f"**{begin}: after 1 Newton step, {kept} of {len(plain)} targets are still in the top "
        "ten.**"
    )
    if kept:
        return f"{said} After {count(most, 'step')}, {left} are."
    return f"{said}{knowing_first(table)}"


def knowing_first(table: pd.DataFrame) -> str:
    """Say how many targets one step leaves in the top ten where the attacker knows of it, with a
    space before it; empty where none arrived."""
    knows = rates.outside(table)
    knows = knows[knows["kind"].isin(KNOWING)]
    if knows.empty:
        return ""
    kept = int((knows["rank_1"] <= rates.TOP).sum())
    return f" Where the attacker knows the check, {kept} of {len(knows)} are."


def knowing_stay(table: pd.DataFrame) -> str:
    """Say that some attackers who know the check keep their target in the top ten after a step,
    and how many steps undo all of them, with a space before it; empty where none does."""
    knows = rates.outside(table)
    knows = knows[knows["kind"].isin(KNOWING)]
    kept = [int((knows[f"rank_{j}"] <= rates.TOP).sum()) for j in range(steps_of(table) + 1)]
    if not kept[1]:
        return ""
    gone = [j for j, stay in enumerate(kept) if j and not stay]
    if not gone:
        return f" Attackers who know this check: some hold out even after {steps_of(table)} steps."
    return (
        f" Attackers who know this check hold out longer, but after {gone[0]} steps none is left."
    )


def honest_left(table: pd.DataFrame) -> str:
    """Say how many honest models have their first sample fall out of the top ten after a step,
    with a space before it."""
    lost = honest_of(table)["rank_1"] > rates.TOP
    return (
        f" False alarms: the top sample of {lost.sum()} of {count(len(lost), 'honest model')} "
        "falls out after 1 step."
    )


@shelf.kept
def knowing_kept(table: pd.DataFrame) -> str:
    """Say what attackers who know of polishing keep in the top ten; empty where none arrived."""
    knows, most = rates.outside(table), steps_of(table)
    knows = knows[knows["kind"].isin(KNOWING)]
    if knows.empty:
        return ""
    one, last = (int((knows[f"rank_{j}"] <= rates.TOP).sum()) for j in (1, most))
    return (
        f"Attackers who know of polishing keep {one} of {len(knows)} after one step and {last} "
        f"after {most}."
    )


@shelf.kept
def attacks_drawn(table: pd.DataFrame, elsewhere: int) -> str:
    """Say which attacks are drawn, and why *Is it a minimum?* counts others, with a space behind.
    elsewhere: how many malicious models reached the top there, 0 where that is not known."""
    plain = unknowing(table)
    if plain.empty:
        return ""
    said = (
        f"The {count(len(plain), 'malicious model')} are of "
        f"{count(plain['kind'].nunique(), 'kind')} of attack, on "
        f"{count(plain['target'].nunique(), 'sample')}. "
    )
    if not elsewhere:
        return said
    return (
        f"{said}*Is it a minimum?* shows {elsewhere} others: there one kind of attack tries "
        "several radii and sizes of the top. "
    )


@shelf.kept
def paths_caption(table: pd.DataFrame) -> str:
    """Say which models are drawn, and how far the whole ranking flows back."""
    plain, most = unknowing(table), steps_of(table)
    said = (
        "Honest models differ in optimiser, stopping time and L2, and some held samples back; each "
        "declares its own L2. Of malicious models those count whose target comes from outside the "
        "honest top ten."
    )
    if len(plain):
        before, after, last = (plain[f"correlation_{j}"].median() for j in (0, 1, most))
        said += (
            f" The median rank correlation of malicious models with the honest ranking is "
            f"{before:.2f} as handed in, {after:.2f} after one step and {last:.2f} after {most}."
        )
    return said


@shelf.kept
def areas_table(areas: pd.DataFrame) -> pd.DataFrame:
    """Return the areas under the curves as a table to read."""
    rows = []
    for kind, part in areas.groupby("kind", sort=False):
        found = part.set_index("detector")
        row = {"attack": KINDS[str(kind)], "reached the top": int(part["arrived"].iloc[0])}
        for column, name in DETECTORS.items():
            one = found.loc[column]
            row[f"AUC, {name}"] = f"{one['auc']:.3f} ({one['low']:.3f} to {one['high']:.3f})"
        rows.append(row)
    return pd.DataFrame(rows)


@shelf.kept
def staying_table(table: pd.DataFrame) -> pd.DataFrame:
    """Return how many targets stay in the top ten, attack by attack, as a table to read."""
    rows = []
    for row in rates.staying(table).to_dict("records"):
        read = {
            "attack": KINDS[str(row["kind"])],
            "reached the top": f"{row['arrived']} of {row['made']}",
        }
        for j in shown_steps(table)[1:]:
            when = f"after {count(j, 'step')}"
            read[f"first {when}"] = str(row[f"top_{j}"])
            read[f"top ten {when}"] = f"{row[f'ten_{j}']} of {row['outside']}"
        rows.append(read)
    return pd.DataFrame(rows)


@shelf.kept
def knowing_table(table: pd.DataFrame) -> pd.DataFrame:
    """Return the attackers who know of polishing, as a table to read: a row for each and radius."""
    rows = []
    limits = {
        "rank": (rates.RANK, rates.threshold(table, rates.RANK)),
        "decrement": (rates.DECREMENT, rates.threshold(table, rates.DECREMENT)),
    }
    knows = table[table["kind"].isin(KNOWING)]
    by = knows["kind"] + knows["radius"].map(lambda r: "" if np.isnan(r) else f" {r:g}")
    for _, part in knows.groupby(by, sort=False):
        kind, radius = str(part["kind"].iloc[0]), float(part["radius"].iloc[0])
        inside = part[part["success"]]
        read = {
            "attacker": KINDS[kind] + ("" if np.isnan(radius) else f", radius {radius:g}"),
            "reached the top": f"{len(inside)} of {len(part)}",
        }
        for j in shown_steps(table)[1:]:
            from_outside = rates.outside(part)
            kept = int((from_outside[f"rank_{j}"] <= rates.TOP).sum())
            of = f"{kept} of {len(from_outside)}" if len(from_outside) else "–"
            read[f"top ten after {count(j, 'step')}"] = of
        for name, (column, limit) in limits.items():
            flagged = str(int((inside[column] > limit).sum()))
            read[f"flagged by the {name}"] = flagged if len(inside) else "–"
        read["median accuracy lost"] = (
            points(max(inside["accuracy_drop_0"].median(), 0)) if len(inside) else "–"
        )
        rows.append(read)
    return pd.DataFrame(rows)


@shelf.kept
def knowing_meaning(table: pd.DataFrame, request: PolishRequest) -> str:
    """Say what the attackers who know of polishing do, with what means, and what becomes of honest
    models."""
    honest = honest_of(table)
    held = honest[honest["kind"] == "held back"]
    far = int((honest["first_after_one"] > rates.TOP).sum())
    said = (
        "Flagged: by a threshold that flags at most one honest model in twenty, on the rank after "
        "one step or on the decrement.\n\n"
        "**Differentiates through the step**: the target must lead before and after one step. "
        f"This attacker has one start and {request.through_steps} steps: a larger budget may reach "
        "more. "
        "**Arrives, then lowers**: goes on inside the top until the check's number is as low as "
        "it gets. **Declares another L2**: whichever of nine makes the decrement smallest. "
        "**Trains at another L2**: a true minimum of another loss, at whichever L2 ranks the "
        "target best.\n\n"
        f"One step also moves honest models that were not trained to the end: {far} of "
        f"{len(honest)} have their first sample outside the top ten after it"
    )
    if len(held):
        own = int((held["first_after_one"] > rates.TOP).sum())
        said += f", {own} of the {len(held)} that held samples back among them"
    without = int(table["kind"].isin(HONEST).sum()) - len(honest)
    if without:
        said += (
            f". {count(without, 'more honest model')} had no ranking as handed in, because the "
            "damped Hessian is not positive definite there, and are left out"
        )
    return said + "."


@shelf.kept
def cost(table: pd.DataFrame) -> str:
    """Say what polishing costs, in solves and in products with the training set, in words."""
    most = steps_of(table)
    aimed = table[~table["kind"].isin(HONEST)]
    first, all_steps = aimed["iterations_first"].median(), aimed["iterations"].median()
    training = int(table["training_iterations"].iloc[0])
    solves = aimed["solves"].median() / most
    said = (
        f"**Cost.** A step takes {solves:.3g} linear {'solve' if solves == 1 else 'solves'} (the "
        f"median over malicious models): {first:.0f} iterations of conjugate gradients for the "
        f"first step, {all_steps:.0f} for {most}. Training the honest model from zero took "
        f"{training} iterations of L-BFGS, each of which costs about as much. "
    )
    if training <= first:
        said += "Here a verifier who has the training data could as well train anew."
    else:
        share = first / training
        said += f"One step costs {share:.0%} of training anew."
    shifted, rose = int((table["shifted"] > 0).sum()), int((table["rose"] > 0).sum())
    shortened, unranked = int((table["shortened"] > 0).sum()), int((table["unranked"] > 0).sum())
    said += (
        f"\n\nOf {count(len(table), 'model')} {shortened} had a step shortened so that the loss "
        f"falls, {shifted} had a Hessian that was not positive definite and was shifted, and the "
        f"loss rose for {rose}."
    )
    if unranked:
        said += (
            f" For {count(unranked, 'model')} a ranking does not exist at some step, because the "
            "damped Hessian is not positive definite there: the sample counts as last."
        )
    return said
