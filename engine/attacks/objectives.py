"""Attack objectives: which weighted sum of scores an attack lowers, given where the scores stand.

Algorithm 1 linearises an objective: ℓ = Σ_i c_i I_i with coefficients c frozen at the current θ.
Objectives see only scores, so that they serve every model.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from engine import vocabulary


@dataclass(frozen=True)
class Standing:
    """Where B runs stand: scores (B, n), targets (B, t), ranks of the targets (B, t), and k."""

    scores: Tensor
    targets: Tensor
    ranks: Tensor
    k: int


@dataclass(frozen=True)
class Objective:
    """`coefficients` maps a standing to c (B, n); `terms` adds a value (B,) and gradient (B, P).

    depends_on_k: whether runs of a single target differ with k, other than in where they stop.
    """

    name: str
    summary: str
    coefficients: Callable[[Standing], Tensor]
    terms: Callable[[Tensor], tuple[Tensor, Tensor]] | None = None
    depends_on_k: bool = False


def target_ranks(scores: Tensor, targets: Tensor) -> Tensor:
    """1 + number of strictly greater scores: (B, n), (B, t) → (B, t)."""
    own = scores.gather(1, targets)
    return 1 + (scores.unsqueeze(1) > own.unsqueeze(-1)).sum(-1)


def worst_needed(target_ranks: Tensor, k: int) -> Tensor:
    """The worst rank among the min(k, t) best-placed targets, (R,); success when it is <= k."""
    needed = min(k, target_ranks.shape[1])
    return target_ranks.kthvalue(needed, dim=1).values


def pending(standing: Standing) -> Tensor:
    """1 for a target still outside the top-k, else 0: (B, t), in the scores' type (Eq. 5)."""
    return (standing.ranks > standing.k).to(standing.scores.dtype)


def raise_targets(standing: Standing, pushed_down: Tensor) -> Tensor:
    """Σ over pending targets of (`pushed_down` (B, t, n) − one-hot of the target): (B, n)."""
    waits = pending(standing)
    c = (waits.unsqueeze(-1) * pushed_down).sum(1)
    return c.scatter_add(1, standing.targets, -waits)


def higher_ranked(standing: Standing) -> Tensor:
    """c_target = −1, and 1/|A| on A = {i : I_i > I_target}: the paper's."""
    own = standing.scores.gather(1, standing.targets).unsqueeze(-1)
    above = (standing.scores.unsqueeze(1) > own).to(standing.scores.dtype)  # B, t, n
    return raise_targets(standing, above / above.sum(-1, keepdim=True).clamp(min=1))


def top_k(standing: Standing) -> Tensor:
    """c_target = −1, and 1/k on the samples now in the top-k."""
    first = standing.scores.topk(standing.k, dim=1).indices
    mean = torch.zeros_like(standing.scores).scatter(1, first, 1 / standing.k)
    return raise_targets(standing, mean.unsqueeze(1))


def target(standing: Standing) -> Tensor:
    """c_target = −1 only."""
    return raise_targets(standing, torch.zeros_like(standing.scores).unsqueeze(1))


COEFFICIENTS = {"higher_ranked": higher_ranked, "top_k": top_k, "target": target}
OBJECTIVES = {
    name: Objective(name, summary, COEFFICIENTS[name], depends_on_k=name == "top_k")
    for name, summary in vocabulary.OBJECTIVES.items()
}
