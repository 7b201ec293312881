"""What is said about the impossible sample: the finding, the proof, the same as code."""

from scipy.special import expit

from engine.experiments import ImpossibleRequest, ImpossibleResult
from engine.scrutiny.impossibility import ExactScores
from pages.common.figures.axes import number
from pages.common.keeping import shelf
from pages.common.widgets import blocks, unfold
from pages.common.words.wording import count


@shelf.kept
def headline(result: ImpossibleResult) -> str:
    """Return the finding."""
    k = result.random.k
    copies = "a copy of it" if k == 1 else f"{k} copies of it"
    return (
        "Can every sample be pushed to the top? **No linear model puts this sample into the top "
        f"{k}**: {copies} with the other label, planted in the training data, always "
        f"{'ranks' if k == 1 else 'rank'} higher."
    )


@shelf.kept
def tried(result: ImpossibleResult) -> str:
    """Say how many models were tried, and how many of them succeeded."""
    random, runs = len(result.random.table), result.attack.runs
    return (
        f"Of **{random:,} random models, {result.random.beaten}** put it there, and of **"
        f"{count(len(runs), 'run')} of the attack, {int(runs['reached'].sum())}**."
    )


@shelf.kept
def reached_title(result: ImpossibleResult) -> str:
    """Say how close any model came."""
    k, best = result.random.k, result.best_rank
    if best == k + 1:
        behind = "its copy" if k == 1 else f"its {k} copies"
        return f"Past everything else, never past {behind}: the best rank is {best}"
    return f"The best rank is {best}, {count(best - k, 'place')} short of the top {k}"


def probability(exact: ExactScores) -> str:
    """p of one model: '0.896', or '1 − 3e−7' where three digits would say 1."""
    p, rest = float(exact.p[0]), float(expit(-exact.log_odds[0]))
    return number(p) if p < 0.9995 else f"1 − {number(float(f'{rest:.1g}'))}"


def snippet(request: ImpossibleRequest, theta: list[list[float]]) -> str:
    """Write Python that repeats the attempt, and the scores of one model."""
    r = request
    return (
        "import engine\n\n"
        f"instance = engine.impossible_instance(k={r.k}, n_train={r.n_train}, "
        f"n_features={r.n_features}, seed={r.seed})\n"
        f"found = engine.try_random_models(instance, count={r.count}, seed={r.seed}, "
        f"damping={r.damping})\n"
        "print(found.beaten, found.best_rank)\n\n"
        f"model = engine.fit(instance.dataset, l2={r.l2})\n"
        "result = engine.attack(\n    model,\n    instance.dataset,\n    instance.target,\n"
        + "".join(
            f"    {name}={getattr(r, name)!r},\n"
            for name in ("k", "radius", "restarts", "steps", "damping", "seed")
        )
        + '    dtype="float64",\n)\n'
        "print(result.any_run_success, result.rank_test)\n\n"
        f"exact = engine.impossible_scores(instance, {theta}, damping={r.damping})\n"
        "print(exact.target, exact.copy, exact.log_gap, exact.ranks)\n"
    )


def proof() -> None:
    """Show Theorem 1 and its proof, a line at a time."""
    blocks.prose("attack/texts/theorem-1.md")


def remarks() -> None:
    """Show the paper's special case, and what the construction must not be."""
    special_case()
    no_duplicate()
    in_practice()


@unfold.section("The paper's special case, in which q is a plain number", "special-case")
def special_case() -> None:
    blocks.prose("attack/texts/theorem-1-special-case.md")


@unfold.section("Why not a duplicate, and why not merely orthogonal samples?", "no-duplicate")
def no_duplicate() -> None:
    blocks.prose("attack/texts/theorem-1-no-duplicate.md")


@unfold.section("What a computer makes of it, and what the theorem does not say", "in-practice")
def in_practice() -> None:
    blocks.prose("attack/texts/theorem-1-in-practice.md")
