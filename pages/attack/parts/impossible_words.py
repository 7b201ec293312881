"""What is said about the impossible sample: the finding, the proof, the same as code."""

import streamlit as st
from scipy.special import expit

from engine.experiments import ImpossibleRequest, ImpossibleResult
from engine.scrutiny.impossibility import ExactScores
from pages.common.figures.axes import number
from pages.common.widgets import unfold
from pages.common.words.wording import count


def headline(result: ImpossibleResult) -> str:
    """The finding, with its numbers."""
    k, runs = result.random.k, result.attack.runs
    random, reached = len(result.random.table), int(runs["reached"].sum())
    copies = "its one copy" if k == 1 else f"its {k} copies"
    return (
        f"There are samples that no attack can move to the top. Of **{random:,} random models, "
        f"{result.random.beaten}** put this one into the top {k}, and of **{len(runs)} runs of "
        f"the attack, {reached}**: {copies} with the other label always "
        f"{'ranks' if k == 1 else 'rank'} higher. No linear model can change that (Theorem 1)."
    )


def reached_title(result: ImpossibleResult) -> str:
    """How close any model came."""
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
    """Python that repeats the attempt, and the scores of one model."""
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
    """Theorem 1 and its proof, a line at a time."""
    st.markdown(
        "**Given.** Two classes. The test set is one point $(x, y)$. The training set holds the "
        "*target* $(x, y)$, $k$ *copies* of $x$ with the other label, and anything else. $p$ is "
        "the probability that the model gives to $y$ at $x$."
    )
    st.markdown("**Gradients.** With $u=(1,-1)$, the class $y$ first, softmax gives")
    st.latex(
        r"\begin{aligned}\nabla L_{\text{target}}&=-(1-p)\;u\otimes x\\"
        r"\nabla L_{\text{copy}}&=p\;u\otimes x\end{aligned}"
    )
    st.markdown(
        "and the test point's gradient is the target's. All three point along one line, the "
        "copies' the other way."
    )
    st.markdown("**One number** is positive, as $H$ has no negative eigenvalue and $\\lambda>0$:")
    st.latex(r"q=(u\otimes x)^{\top}(H+\lambda I)^{-1}(u\otimes x)")
    st.markdown("**Scores** (Definition 1):")
    st.latex(
        r"\begin{aligned}I_{\text{target}}&=-(1-p)^2\,q<0\\I_{\text{copy}}&=p\,(1-p)\,q>0"
        r"\end{aligned}"
    )
    st.markdown("**The gap**")
    st.latex(r"I_{\text{copy}}-I_{\text{target}}=(1-p)\,q>0")
    st.markdown(
        "is positive whatever $\\theta$, $\\lambda$ and the other samples are: $k$ samples stand "
        "strictly above the target, and its rank is above $k$. $\\blacksquare$"
    )


def remarks() -> None:
    """The paper's special case, and what the construction must not be."""
    special_case()
    no_duplicate()
    in_practice()


@unfold.section("The paper's special case, in which q is a plain number", "special-case")
def special_case() -> None:
    st.markdown(
        "There $x=e_1$, every sample lies on a basis vector, and there is no bias. Then "
        "$H\\,(u\\otimes e_1)=2a\\;u\\otimes e_1$ with $a=p(1-p)\\,n_1/n$, where $n_1$ of the "
        "$n$ samples lie on $e_1$. $u\\otimes e_1$ is an eigenvector, $\\lVert u\\otimes "
        "e_1\\rVert^2=2$, and"
    )
    st.latex(r"q=\frac{2}{\lambda+2\,p(1-p)\,n_1/n}")
    st.markdown(
        "Samples on the other basis vectors have the score 0 there, which is above the "
        "target's, too."
    )


@unfold.section("Why not a duplicate, and why not merely orthogonal samples?", "no-duplicate")
def no_duplicate() -> None:
    st.markdown(
        "**A duplicate of the target**, the same $x$ with the same label, has the same "
        "gradient and so the same score. It ties with the target, and a tie does not push it "
        "down: the rank is 1 plus the number of *strictly greater* scores. Both can be first."
    )
    st.markdown(
        "**Samples orthogonal to $x$** hold the target down only where the model has no bias: "
        "their score is then 0. With a bias every sample has a further feature that is 1, so "
        "that"
    )
    st.latex(r"\langle(e_1,1),(e_j,1)\rangle=1\neq0.")
    st.markdown(
        "Their scores take either sign, and some models put them below the target. Copies at "
        "$x$ itself need no such care."
    )


@unfold.section("What a computer makes of it, and what the theorem does not say", "in-practice")
def in_practice() -> None:
    st.markdown(
        "All scores share the factor $1-p$. A model that is sure enough of $y$ (log-odds "
        "above 745) makes it 0 in double precision, and all scores with it: equal, by "
        "rounding alone. Ranks on this page are therefore counted before that factor is "
        "multiplied in, and the gap is kept as its logarithm. The attack computes in double "
        "precision, within a radius in which this does not happen."
    )
    st.markdown(
        "The theorem says that such samples exist, not that a given one is such. Where nothing "
        "contradicts a sample at its own place, the attack may move it."
    )
