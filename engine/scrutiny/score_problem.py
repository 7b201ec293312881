"""Any differentiable score behind the protocol that attacks know, for linear models.

An attack sees scores at θ and the gradient of a weighted sum of them. `LinearProblem` has both in
closed form for influence; here they come from a function of `engine.scrutiny.gradient_scores` and
autograd, one model at a time.
"""

from dataclasses import dataclass, fields
from typing import Self

import torch
from torch import Tensor

from engine.data.dataset import Dataset
from engine.influence.linear import LinearProblem
from engine.influence.problem import Forward
from engine.influence.solve import Solution, Warm, WarmStart
from engine.scrutiny.gradient_scores import Score, evaluate, gradient_dot, score_function
from engine.vocabulary import DAMPING


@dataclass(frozen=True)
class ScoreState:
    """What `gradient` takes up from `forward`: the models (B, P) and the split."""

    theta: Tensor
    split: str


@dataclass(frozen=True)
class ScoreProblem(LinearProblem):
    """A score of the training samples under linear models θ, rows of (B, K·D) in the eigenbasis."""

    score: Score = gradient_dot

    @classmethod
    def of(
        cls,
        name: str,
        dataset: Dataset,
        l2: float,
        damping: float = DAMPING,
        order: str = "highest_first",
        dtype: str = "float32",
        device: str = "auto",
        seed: int = 0,
    ) -> Self:
        """Make the problem of the score `name`; l2 and seed as in `score_function`. Raises
        InvalidInput, DeviceUnavailable."""
        linear = LinearProblem.build(dataset, damping, order, dtype, device)
        parts = {item.name: getattr(linear, item.name) for item in fields(linear)}
        return cls(**parts, score=score_function(name, linear, dataset, l2, seed))

    def scores(self, theta: Tensor, split: str) -> Tensor:
        """Return the scores (n,) that are ranked, of one model θ (P,)."""
        at = evaluate(self, theta.view(self.n_classes, -1), split)
        return self.sign * self.score(self, at)

    def forward(
        self, theta: Tensor, tolerance: float, warm: WarmStart | None = None, split: str = "test"
    ) -> Forward:
        scores = torch.stack([self.scores(one, split) for one in theta])
        none = theta.new_zeros(len(theta))  # nothing is solved for to a tolerance
        nowhere = torch.full_like(none, torch.inf)
        flat = none.view(-1, 1)
        solution = Solution(flat, flat, none, none, none, nowhere)
        return Forward(scores, self.accuracy(theta, split), solution, ScoreState(theta, split))

    def gradient(
        self, forward: Forward, c: Tensor, tolerance: float, warm: Warm = None, weight: float = 0.0
    ) -> tuple[Tensor, Solution]:
        state = forward.state
        assert isinstance(state, ScoreState)
        found = []
        for one, weights in zip(state.theta, c, strict=True):
            theta = one.detach().clone().requires_grad_()
            (gradient,) = torch.autograd.grad(
                (weights * self.scores(theta, state.split)).sum(), theta
            )
            found.append(gradient)
        gradient = torch.stack(found)
        if weight:
            gradient += weight * self.training_loss(state.theta, 0.0)[1]
        return gradient, forward.solution
