"""What is said about the impossible sample: the finding, the proof, the same as code."""

from scipy.special import expit

from engine.experiments import ImpossibleRequest, ImpossibleResult
from engine.scrutiny.impossibility import ExactScores
from pages.common.figures.axes import number
from pages.common.keeping import shelf
from pages.common.widgets import blocks, charts, unfold
from pages.common.words.wording import count

REMARKS = {  # heading: the name of its text
    "What does it not say?": "in-practice",
    "Why copies with the other label?": "no-duplicate",
    "How does the paper put it?": "special-case",
}


@shelf.kept
def headline(result: ImpossibleResult) -> str:
    """Ask, and answer by whether any model that was tried beats the theorem."""
    k = result.random.k
    asked = "Can every sample be pushed to the top?"
    if result.beaten:
        return (
            f"{asked} **Perhaps: {count(result.beaten, 'model')} of {result.tried:,} that were "
            f"tried brought this sample {there(k)}.**"
        )
    copies = "A copy of it" if k == 1 else f"{k} copies of it"
    return (
        f"{asked} **No: no linear model brings this sample {there(k)}.** "
        f"{copies} with the other label, planted in the training data, always "
        f"{'ranks' if k == 1 else 'rank'} higher."
    )


def there(k: int) -> str:
    return "to rank 1" if k == 1 else f"into the top {k}"


@shelf.kept
def tried(result: ImpossibleResult) -> str:
    """Say how many models were tried, and how many of them succeeded."""
    random, runs = len(result.random.table), result.attack.runs
    return (
        f"**{result.random.beaten} of {random:,} random models** bring it "
        f"{there(result.random.k)}, and **{int(runs['reached'].sum())} of "
        f"{count(len(runs), 'run')} of the attack**."
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


@unfold.section("What the proof does not say, and how the paper puts it", "remarks")
def remarks() -> None:
    """Show what the construction must not be, and the paper's special case."""
    for heading, name in REMARKS.items():
        charts.heading(heading)
        blocks.prose(f"attack/texts/theorem-1-{name}.md")
