"""What the audit says in words: pure functions from its result and request."""

import pandas as pd

from engine.experiments import AuditRequest, AuditResult
from engine.vocabulary import PLAYERS
from pages.common.figures.axes import number
from pages.common.keeping import shelf
from pages.common.words import reproduce
from pages.common.words.wording import count, listed

REPORTS = {
    "honest": "the honest model's influence scores",
    "liar": "honest scores, but for sample {target} numbers drawn at random",
    "careful": "honest scores, but for sample {target} *vᵀT* with a freely chosen vector *v*",
    "attacker": "honestly computed scores, of the malicious model that the attacker trained",
}
CALLED = {
    "honest": "the honest calculator",
    "liar": "the liar who invents numbers",
    "careful": "the careful liar",
    "attacker": "the attacker",
}
MISFIT = "Misfit is the part of a list that it cannot give."


def caught_and_not(result: AuditResult) -> tuple[list[str], list[str]]:
    """Return who of the three cheats is caught, and who passes with the target in the reported top
    k."""
    cheats = [player for player in PLAYERS if player != "honest"]
    caught = [p for p in cheats if len(result.caught(p))]
    return caught, [p for p in cheats if p not in caught]


@shelf.kept
def finding(result: AuditResult) -> str:
    """Say who is caught and who is not."""
    caught, passes = caught_and_not(result)
    false = len(result.caught("honest"))
    accused = f" {count(false, 'row')} of the honest calculator are accused." if false else ""
    if caught == ["liar"] and not false:
        return (
            "**One cheat of three is caught: the liar who invents numbers.** "
            f"{why_caught(result)} {MISFIT}"
        )
    who = listed([CALLED[p] for p in caught]) if caught else "nobody"
    free = f"; {listed([CALLED[p] for p in passes])} passed" if passes else ""
    return f"The audit caught {who}{free}.{accused}"


def why_caught(result: AuditResult) -> str:
    """Say why nobody can choose all true scores of one sample freely: the queries' gradients have
    a rank below their number, which is certain with more queries than parameters."""
    if result.queries > result.parameters:
        return (
            f"Each sample has {result.queries:,} scores. A model of {result.parameters:,} "
            "parameters can give only some such lists."
        )
    return (
        f"Each sample has {result.queries:,} scores. They depend on each other: a model can give "
        "only some such lists."
    )


def rings(result: AuditResult) -> str:
    """Say which sample is ringed, and why the careful liar's ring lies left, where it does."""
    careful = float(result.residuals[list(PLAYERS).index("careful"), result.target])
    left = (
        " The careful liar's ring lies left, because its false scores are made to fit exactly."
        if careful < result.residuals[0].min()
        else ""
    )
    return (
        f"Ringed: sample {result.target}, which each cheat wants at the top. Both liars lie about "
        f"it alone.{left}"
    )


def impossible(result: AuditResult) -> str:
    """Say why a row of scores may be one that the model cannot give: the rows of all its scores
    have no more directions than the queries' gradients have rank."""
    rank = int(result.gradient_ranks[0])
    return (
        f"True scores fit together: of a sample's {result.queries:,} scores, {rank:,} settle the "
        "others. Invented numbers do not fit."
    )


@shelf.kept
def same_verdict(result: AuditResult) -> str:
    """Say between which tolerances the same rows are caught; empty where no row is, or every
    one."""
    every = result.residuals.ravel()
    below, above = every[every <= result.tolerance], every[every > result.tolerance]
    if not len(below) or not len(above):
        return ""
    return (
        f"Any tolerance from {number(below.max())} to {number(above.min())} catches the same rows."
    )


@shelf.kept
def title(result: AuditResult) -> str:
    caught, passes = caught_and_not(result)
    if not caught:
        return f"{count(result.queries, 'query', 'queries')} catch nobody"
    who = listed([CALLED[p] for p in caught])
    word = "neither" if len(passes) == 2 else "not"
    free = f", {word} {' nor '.join(CALLED[p] for p in passes)}" if passes else ""
    return f"{count(result.queries, 'query', 'queries')} catch {who}{free}"


@shelf.kept
def growth_title(result: AuditResult) -> str:
    refused = result.growth[result.growth["refused"]]["queries"]
    if refused.empty:
        return "Even few queries leave the liar no room"
    return f"With {int(refused.max()):,} queries or fewer, anything passes"


@shelf.kept
def players_table(result: AuditResult) -> str:
    """Return one row for each calculator, as a Markdown table."""
    n = result.residuals.shape[1]
    lines = ["| who answers, and what | sample's rank | verdict |", "|---|---:|---|"]
    for player, name in PLAYERS.items():
        caught = result.caught(player)
        verdict = f"**caught** with {count(len(caught), 'row')}" if len(caught) else "passes"
        what = REPORTS[player].format(target=result.target)
        lines.append(f"| **{name}**: {what} | {result.rank(player):,} of {n:,} | {verdict} |")
    return "\n".join(lines)


def residual_table(result: AuditResult) -> pd.DataFrame:
    """Return one row per training sample: residual and mean score from each calculator."""
    columns = {}
    for place, player in enumerate(PLAYERS):
        columns[f"residual_{player}"] = result.residuals[place]
        columns[f"score_{player}"] = result.scores[place]
    return pd.DataFrame(columns).rename_axis("sample").reset_index()


def snippet(request: AuditRequest, data_dir: str | None = None) -> str:
    """Write Python that audits the honest calculator, both liars and the attacker."""
    sign = 1 if request.order == "highest_first" else -1
    t = request.target
    begin = reproduce.opening(request.dataset, data_dir, request.l2).replace(
        "import engine\n", "import engine\nfrom engine.scrutiny import players\n", 1
    )
    return (
        f"{begin}"
        f"attacked = engine.attack(\n    model, dataset, {t}, k={request.k}, "
        f"radius={request.radius!r},\n    damping={request.damping!r}, order={request.order!r}, "
        f"seed={request.seed}\n).model\n\n"
        f"asked = players.draw_queries(dataset, {request.queries}, seed={request.seed})\n\n\n"
        "def answers(model):\n"
        "    scores = engine.influence_matrix(\n"
        f"        model, dataset, asked.X, asked.y, damping={request.damping!r}\n    )\n"
        "    return scores, engine.query_gradients(model, asked.X, asked.y)\n\n\n"
        "scores, T = answers(model)\n"
        f"invented = players.invent(scores, {t}, asked.own, sign={sign}, seed={request.seed})\n"
        f"careful = players.lie_within(scores, T, {t}, asked.own, sign={sign})\n"
        "for reported in ((scores, T), (invented, T), (careful, T), answers(attacked)):\n"
        "    audit = engine.audit_scores(*reported)\n"
        "    print(audit.rank, audit.residuals.max(), audit.caught.sum())\n"
    )
