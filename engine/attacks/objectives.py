"""Attack objectives: which weighted sum of scores an attack lowers, given the scores so far.

Algorithm 1 linearises an objective: ℓ = Σ_i c_i I_i with coefficients c frozen at the current θ.
Objectives see only scores, so that they serve every model.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from engine import vocabulary

COOLED = 0.1  # share of the softmax's first temperature that is left at the end
COLLATERAL = 0.6  # weight of the other samples' scores in `quiet`
FREE = 0.85  # rank correlation with the honest ranking above which nothing counts as lost
DRIFTED, TURNED = 0.01, 0.05  # nats of drift that weigh as much as this loss of rank correlation


@dataclass(frozen=True)
class Standing:
    """What an objective sees of B runs: scores (B, n), targets (B, t) and their ranks (B, t).

    k: the rank to reach. Objectives with an upkeep also see
    honest: the honest scores (1, n);
    pressure: the weight (B,) of moving the targets against keeping the rest;
    progress: the share of the steps that is over, in [0, 1];
    restart: the number (B,) of each run's start within its attack;
    lost: the fall (B,) of the accuracy on `test`;
    drift: the mean KL divergence (B,) of the predictions from the honest model's, in nats;
    beside: the value (B,) of the objective's `terms`.
    """

    scores: Tensor
    targets: Tensor
    ranks: Tensor
    k: int
    honest: Tensor | None = None
    pressure: Tensor | None = None
    progress: float = 0.0
    restart: Tensor | None = None
    lost: Tensor | None = None
    drift: Tensor | None = None
    beside: Tensor | None = None


@dataclass(frozen=True)
class Upkeep:
    """What an attack keeps beside moving its targets. A run goes on after it has arrived; of its
    iterates inside the top, that of the highest `quality` (B,) is returned. Only train and `test`
    enter the quality: holdout chooses nothing.

    enough: the quality at which all runs of an attack end.
    push, relax: the factors by which a step raises a run's pressure while its targets are not
        first of all, and lowers it while they are.
    loss_weight: weight of the mean training loss beside the objective. Its l2 term is left out,
        because it only holds runs back. The loss on `test` would not do: a model fitted to `test`
        looks better there than it is.
    drift_weight: weight of the predictions' drift from the honest model's on train and `test`.
    from_honest: whether the first start is θ* itself.
    anywhere: whether every iterate serves, wherever the targets rank: no run arrives, and the one
        of highest quality is returned.
    """

    quality: Callable[[Standing], Tensor]
    enough: float
    push: float
    relax: float
    loss_weight: float = 0.0
    drift_weight: float = 0.0
    from_honest: bool = False
    anywhere: bool = False


@dataclass(frozen=True)
class Objective:
    """`coefficients` maps a standing to c (B, n); `terms` adds a value (B,) and gradient (B, P).

    depends_on_k: whether what a run does or returns, and not only where it ends, depends on k
        (single targets).
    upkeep: what the attack keeps; None where a run ends when it arrives.
    """

    name: str
    summary: str
    coefficients: Callable[[Standing], Tensor]
    terms: Callable[[Tensor], tuple[Tensor, Tensor]] | None = None
    depends_on_k: bool = False
    upkeep: Upkeep | None = None


def spread(scores: Tensor) -> Tensor:
    """The standard deviation of each model's scores, (B, n) → (B, 1). torch's own takes six times
    as long."""
    centred = scores - scores.mean(1, keepdim=True)
    return torch.linalg.vector_norm(centred, dim=1, keepdim=True) / (scores.shape[1] - 1) ** 0.5


def target_ranks(scores: Tensor, targets: Tensor) -> Tensor:
    """1 + number of strictly greater scores: (B, n), (B, t) → (B, t)."""
    own = scores.gather(1, targets)
    return 1 + (scores.unsqueeze(1) > own.unsqueeze(-1)).sum(-1)


def worst_needed(target_ranks: Tensor, k: int) -> Tensor:
    """Return the worst rank among the min(k, t) best-placed targets, (R,); success when it is <=
    k."""
    needed = min(k, target_ranks.shape[1])
    if target_ranks.shape[1] == 1:
        return target_ranks[:, 0]
    return target_ranks.kthvalue(needed, dim=1).values


def pending(standing: Standing) -> Tensor:
    """1 for a target still outside the top-k, else 0: (B, t), in the scores' type (Eq. 5)."""
    return (standing.ranks > standing.k).to(standing.scores.dtype)


def raise_targets(standing: Standing, pushed_down: Tensor, many: Tensor | int = 1) -> Tensor:
    """Σ over pending targets of (`pushed_down` (B, t, n) / `many` (B, t) − one-hot of the target):
    (B, n)."""
    waits = pending(standing)
    pushed = pushed_down * (waits / many).unsqueeze(-1)
    c = pushed.squeeze(1) if pushed.shape[1] == 1 else pushed.sum(1)
    return c.scatter_add(1, standing.targets, -waits)


def higher_ranked(standing: Standing) -> Tensor:
    """c_target = −1, and 1/|A| on A = {i : I_i > I_target}: the paper's."""
    own = standing.scores.gather(1, standing.targets).unsqueeze(-1)
    above = standing.scores.unsqueeze(1) > own  # B, t, n
    return raise_targets(standing, above, (standing.ranks - 1).clamp(min=1))


def top_k(standing: Standing) -> Tensor:
    """c_target = −1, and 1/k on the samples now in the top-k."""
    first = standing.scores.topk(standing.k, dim=1).indices
    mean = torch.zeros_like(standing.scores).scatter(1, first, 1 / standing.k)
    return raise_targets(standing, mean.unsqueeze(1))


def target(standing: Standing) -> Tensor:
    """c_target = −1 only."""
    return raise_targets(standing, torch.zeros_like(standing.scores).unsqueeze(1))


def softmax(standing: Standing, cooled_at: float) -> Tensor:
    """Return the gradient of Σ_t −τ log softmax(I/τ)_t in the scores: c = Σ_t (softmax(I/τ) − e_t).

    The softmax of a target is over it and all samples but the other targets. τ falls from std(I) to
    a tenth of it until a share `cooled_at` of the steps is over: a wide softmax pulls every score
    below the target's, a narrow one the highest alone. Once a target is above all others, its part
    vanishes.
    """
    scores = standing.scores
    own = one_hot(standing)
    theirs = own.sum(1, keepdim=True) - own > 0  # the places of the other targets
    cooled = COOLED ** min(1, standing.progress / cooled_at)
    heat = cooled * spread(scores).unsqueeze(-1)
    shares = torch.softmax((scores.unsqueeze(1) / heat).masked_fill(theirs, -torch.inf), -1)
    return (shares - own).sum(1)


def one_hot(standing: Standing) -> Tensor:
    """e_t of every target: (B, t, n)"""
    zeros = torch.zeros_like(standing.scores).unsqueeze(1)
    zeros = zeros.expand(-1, standing.targets.shape[1], -1)
    return zeros.scatter(2, standing.targets.unsqueeze(-1), 1)


def two_pulls(standing: Standing, cooled_at: float, collateral: float = 0.0) -> Tensor:
    """Return [pressure·pull + collateral·(I − I*)/(std(I*) √n)]/std(I), (B, n).

    I* are the honest scores. The second term, which pulls scores back to them, is 0 at the targets.

    The pull is `softmax` for the runs of every other start, the first among them, and the paper's
    `higher_ranked` for the rest: the two get stuck on different targets. Neither depends on k for
    single targets, so that one run serves every k.
    """
    pull = softmax(standing, cooled_at)
    if standing.restart is not None:
        papers = (standing.restart % 2 == 1).unsqueeze(1)
        very_top = replace(standing, k=min(standing.k, standing.targets.shape[1]))
        pull = torch.where(papers, higher_ranked(very_top), pull)
    if standing.pressure is not None:
        pull = pull * standing.pressure.unsqueeze(1)
    if collateral and standing.honest is not None:
        honest = standing.honest
        moved = (standing.scores - honest) / (honest.std() * honest.shape[1] ** 0.5)
        pull = pull + collateral * moved.masked_fill(one_hot(standing).sum(1) > 0, 0)
    return pull / spread(standing.scores)


def kept_accuracy(standing: Standing) -> Tensor:
    """Return minus the accuracy lost on `test`."""
    assert standing.lost is not None
    return -standing.lost


def kept_ranking(standing: Standing) -> Tensor:
    """Return minus what is lost of predictions and ranking, (B,): drift/DRIFTED + loss/TURNED.

    The loss is that of the rank correlation with the honest ranking below FREE. Drift stands for
    the predictions instead of accuracy, because the attack works on `test`: choosing an iterate by
    single predictions there would be choosing by chance.
    """
    assert standing.drift is not None and standing.honest is not None
    kept = rank_correlation(standing.scores, standing.honest)
    return -(standing.drift / DRIFTED + (FREE - kept).clamp(min=0) / TURNED)


def rank_correlation(scores: Tensor, others: Tensor) -> Tensor:
    """Return Spearman's correlation (B,) of scores (B, n) with others (1, n).

    Ties rank in the order of the samples."""
    a, b = (centred_ranks(s) for s in (scores, others))
    return (a * b).sum(1) / (torch.linalg.vector_norm(a, dim=1) * torch.linalg.vector_norm(b))


def centred_ranks(scores: Tensor) -> Tensor:
    """Return ranks (B, n) minus their mean, float64."""
    order = scores.argsort(dim=1, stable=True).argsort(dim=1)
    return order.double() - (scores.shape[1] - 1) / 2


def owned(standing: Standing) -> Tensor:
    """1 for a target, 0 for the other samples: (B, n), in the scores' type."""
    return torch.zeros_like(standing.scores).scatter(1, standing.targets, 1)


def heat_of(standing: Standing) -> Tensor:
    """Return how wide a step between two ranks is drawn, (B, 1): it falls from std(I) to a tenth
    of it over the steps."""
    return spread(standing.scores) * COOLED**standing.progress


def earned(standing: Standing, rule: str) -> Tensor:
    """Return the targets' share (B,) of a budget under a rule of `engine.vocabulary.PAY_RULES` that
    pays samples; 0 where the rule pays nobody. Ties count in the order of the samples."""
    scores, own = standing.scores, owned(standing)
    if rule == "top_k":
        return own.gather(1, scores.topk(standing.k, dim=1).indices).mean(1)
    weights = scores.clamp(min=0) if rule == "positive" else scores.argsort(1).argsort(1) + 1.0
    total = weights.sum(1)
    return (own * weights).sum(1) / total.clamp(min=torch.finfo(total.dtype).tiny)


def soft_weights(standing: Standing, rule: str) -> tuple[Tensor, Tensor]:
    """Return what 'positive' and 'top_k' weigh the samples with, and its slope, (B, n) each.

    w = max(I, 0); or σ((I − h)/τ) with h, held fixed, midway between the k-th score and the next: a
    step from in to out that has a slope.
    """
    scores = standing.scores
    if rule == "positive":
        return scores.clamp(min=0), (scores > 0).to(scores.dtype)
    last = scores.topk(min(standing.k + 1, scores.shape[1]), dim=1).values[:, -2:]
    heat = heat_of(standing)
    weights = torch.sigmoid((scores - last.mean(1, keepdim=True)) / heat)
    return weights, weights * (1 - weights) / heat


def pay(standing: Standing, rule: str) -> Tensor:
    """Return c = −∂(the targets' share of the budget)/∂I, (B, n).

    With weights w and own = 1 on the targets, the share is S = Σ own·w / Σ w, and ∂S/∂Iᵢ =
    w′ᵢ (ownᵢ − S) / Σ w. By rank the share is, but for a constant, the mean over pairs of a target
    i and another sample j of [Iᵢ > Iⱼ]; with σ((Iᵢ − Iⱼ)/τ) in place of the step it has a slope.
    """
    own = owned(standing)
    if rule == "rank":
        return pay_by_rank(standing, own)
    weights, slope = soft_weights(standing, rule)
    total = weights.sum(1, keepdim=True).clamp(min=torch.finfo(weights.dtype).tiny)
    share = (own * weights).sum(1, keepdim=True) / total
    return -slope * (own - share) / total


def pay_by_rank(standing: Standing, own: Tensor) -> Tensor:
    """Return c of the objective 'pay_rank', (B, n)."""
    scores, n = standing.scores, standing.scores.shape[1]
    heat = heat_of(standing).unsqueeze(2)
    mine = scores.gather(1, standing.targets).unsqueeze(2)  # B, t, 1
    above = torch.sigmoid((mine - scores.unsqueeze(1)) / heat)  # B, t, n
    slope = above * (1 - above) / heat * (1 - own).unsqueeze(1) / (n * (n + 1) / 2)
    return slope.sum(1).scatter_add(1, standing.targets, -slope.sum(2))


def paid(rule: str) -> Upkeep:
    """Return the upkeep of an attack for pay: of all iterates, the one whose targets earn most."""
    return Upkeep(
        partial(earned, rule=rule), enough=1.0, push=1.0, relax=1.0, from_honest=True, anywhere=True
    )


COEFFICIENTS: dict[str, Callable[[Standing], Tensor]] = {
    "higher_ranked": higher_ranked,
    "top_k": top_k,
    "target": target,
    "accurate": partial(two_pulls, cooled_at=0.5),
    "quiet": partial(two_pulls, cooled_at=0.8, collateral=COLLATERAL),
    **{name: partial(pay, rule=rule) for name, rule in vocabulary.PAY.items()},
}
UPKEEPS = {
    "accurate": Upkeep(kept_accuracy, enough=-0.01, push=1.03, relax=1.2, loss_weight=4.0),
    "quiet": Upkeep(  # no run moves and drifts by nothing: all take all of their steps
        kept_ranking, enough=0.0, push=1.1, relax=1.1, drift_weight=100.0, from_honest=True
    ),
    **{name: paid(rule) for name, rule in vocabulary.PAY.items()},
}
ATTACK_OBJECTIVES = {
    name: Objective(
        name,
        summary,
        COEFFICIENTS[name],
        depends_on_k=name in ("top_k", *vocabulary.PAY),
        upkeep=UPKEEPS.get(name),
    )
    for name, summary in vocabulary.OBJECTIVES.items()
}
