"""Scores made from a linear model's gradients, as functions of θ that autograd can differentiate.

With g the gradient of the mean loss of a split and g_i = e_i ⊗ x_i that of training sample i,
e_i = p_i − y_i, all of these are −gᵀ M g_i with an M of their own (or that divided by a norm):

    gradient_dot  M = I (a checkpoint of TracIn; Pruthi et al. 2020)
    cosine        the same over ‖g‖ ‖g_i‖
    kfac          M = (S ⊗ A + λI)⁻¹, S = mean(diag(p) − ppᵀ), A = XᵀX/n (Martens and Grosse 2015;
                  for influence Grosse et al. 2023). For this model the Gauss-Newton matrix is H
    ekfac         M = (U diag(Λ) Uᵀ + λI)⁻¹ with U the eigenvectors of S ⊗ A and Λ the diagonal of
                  UᵀHU, which is nearest to H among matrices with these (George et al. 2018)
    trak          M = Ω (ΦᵀΦ/n + λI)⁻¹ Ωᵀ, the mean over projections Ω (P, k) with Gaussian entries;
                  φ_i = Ωᵀ g_i/(1 − p_iy), the gradient of the margin log p/(1 − p) (Park et al.
                  2023). Theirs averages over models that the valuator trains; here one is handed in
    tracin        the mean of gradient_dot over checkpoints of an honest training by Adam, whose
                  rate is constant, with the model that is handed in as the last of them
    self_influence, relative: as `engine.scrutiny.attributions` says, by the dense matrix H + λI

Features are in the eigenbasis of A = diag(e), as `LinearProblem` holds them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from engine.checks import check_choice
from engine.data.dataset import Dataset
from engine.influence.linear import LinearProblem
from engine.influence.products import image, probabilities, pull_back, residuals
from engine.models.fit import fit
from engine.rows import Rows

PROJECTIONS, WIDTH = 5, 256  # of TRAK: how many Ω, and of how many columns each
CHECKPOINTS = (10, 30, 100, 300)  # of TracIn: iterations of Adam
ROWS, FEW_ROWS = 4096, 512  # looked at together; few where each takes K·D numbers
TINY = 1e-30  # below which a norm is taken for it


@dataclass(frozen=True)
class Evaluated:
    """A model θ (K, D) on the training samples and a split: probabilities P and errors E = P − Y of
    the samples, (K, n), the logits, and the gradient g (K, D) of the split's mean loss."""

    split: str
    X: Rows
    y: Tensor
    logits: Tensor
    P: Tensor
    E: Tensor
    g: Tensor

    @property
    def n(self) -> int:
        return len(self.y)

    def along(self, V: Tensor) -> Tensor:
        """Return −⟨V, g_i⟩ for every training sample, (n,); V (K, D)."""
        return -(self.E * image(self.X, V[None])[0]).sum(0)


def evaluate(problem: LinearProblem, theta: Tensor, split: str = "test") -> Evaluated:
    """Evaluate θ (K, D) in the problem's basis; gradients flow through all that is returned."""
    train, test = problem.train, problem.splits[split]
    logits = image(train.X, theta[None])
    P = probabilities(logits)
    P_test = probabilities(image(test.X, theta[None]))
    g = pull_back(residuals(P_test, test.y), test.X)[0] / len(test.y)
    E = residuals(P, train.y)[0]
    return Evaluated(split, train.X, train.y, logits[0], P[0], E, g)


def gradient_dot(problem: LinearProblem, at: Evaluated) -> Tensor:
    return at.along(at.g)


def cosine(problem: LinearProblem, at: Evaluated) -> Tensor:
    lengths = torch.cat([rows.norm(dim=1) for rows in at.X.split(ROWS)])
    return at.along(at.g) / (at.E.norm(dim=0) * lengths * at.g.norm()).clamp(min=TINY)


def class_moment(at: Evaluated) -> Tensor:
    """S = mean(diag(p) − ppᵀ), (K, K)."""
    return torch.diag(at.P.mean(1)) - at.P @ at.P.T / at.n


def kfac(problem: LinearProblem, at: Evaluated) -> Tensor:
    K = len(at.P)
    own = torch.eye(K, dtype=at.P.dtype, device=at.P.device) * problem.damping
    systems = problem.eigenvalues[:, None, None] * class_moment(at) + own  # one per feature
    return at.along(torch.linalg.solve(systems, at.g.T.unsqueeze(2))[:, :, 0].T)


def ekfac(problem: LinearProblem, at: Evaluated) -> Tensor:
    _, U = torch.linalg.eigh(class_moment(at))
    spread = at.P.T @ U.square() - (at.P.T @ U).square()  # (Uᵀ(diag(p) − ppᵀ)U)_kk, (n, K)
    squares = (rows.square() for rows in at.X.split(ROWS))
    parts = zip(spread.split(ROWS), squares, strict=True)
    corrected = sum((part.T @ rows for part, rows in parts), torch.zeros_like(at.g)) / at.n
    return at.along(U @ ((U.T @ at.g) / (corrected + problem.damping)))


def draw_projections(
    problem: LinearProblem, count: int = PROJECTIONS, width: int = WIDTH, seed: int = 0
) -> list[Tensor]:
    """Draw TRAK's projections Ω, (K, D, width) each, with entries of variance 1/width."""
    shape = (problem.n_classes, len(problem.eigenvalues), width)
    like = problem.eigenvalues
    return [
        torch.as_tensor(
            np.random.default_rng([seed, number]).standard_normal(shape) / width**0.5,
            dtype=like.dtype,
            device=like.device,
        )
        for number in range(count)
    ]


def projected(errors: Tensor, X: Rows, omega: Tensor) -> Tensor:
    """Return Ωᵀ(e_i ⊗ x_i) of every sample, (n, k), errors (K, n)."""

    flat = omega.flatten(0, 1)  # K·D, k
    pairs = zip(errors.T.split(FEW_ROWS), X.split(FEW_ROWS), strict=True)
    return torch.cat([torch.einsum("nk,nd->nkd", e, x).flatten(1) @ flat for e, x in pairs])


def trak(problem: LinearProblem, at: Evaluated, projections: list[Tensor]) -> Tensor:
    label = at.y.view(1, -1)
    others = torch.softmax(at.logits.scatter(0, label, -torch.inf), 0)
    margins = others.scatter(0, label, -1.0)  # (p − y)/(1 − p_y): no digit of 1 − p_y is lost
    rest = at.E.gather(0, label)[0].neg()  # 1 − p_y
    scores = []
    for omega in projections:
        phi = projected(margins, at.X, omega)
        own = torch.eye(phi.shape[1], dtype=phi.dtype, device=phi.device) * problem.damping
        g = torch.einsum("kd,kdw->w", at.g, omega)
        solved = torch.linalg.solve(phi.T @ phi / at.n + own, g)
        scores.append(-(phi @ solved) * rest)
    return torch.stack(scores).mean(0)


def tracin(problem: LinearProblem, at: Evaluated, before: dict[str, Tensor]) -> Tensor:
    """`before`: by split, the scores (c, n) at the checkpoints before this model."""
    return torch.cat([before[at.split], gradient_dot(problem, at)[None]]).mean(0)


def checkpoint_scores(problem: LinearProblem, dataset: Dataset, l2: float) -> dict[str, Tensor]:
    """Train honestly by Adam, and return `gradient_dot` (c, n) at `CHECKPOINTS`, by split."""
    models = [fit(dataset, l2, "adam", stop, device="cpu") for stop in CHECKPOINTS]
    found = {}
    for split in problem.splits:
        evaluated = [
            evaluate(problem, problem.shape(problem.encode(model))[0], split) for model in models
        ]
        found[split] = torch.stack([gradient_dot(problem, at) for at in evaluated])
    return found


def solved_gradients(problem: LinearProblem, at: Evaluated) -> tuple[Tensor, Tensor]:
    """Return the gradients g_i and (H + λI)⁻¹g_i of every training sample, (n, K·D) each."""
    X, n = at.X[torch.arange(at.n)], at.n
    G = torch.einsum("kn,nd->nkd", at.E, X).flatten(1)
    K, D = at.g.shape
    weighted = torch.einsum("an,nd->nad", at.P, X).flatten(1)  # Σ p pᵀ ⊗ xxᵀ
    blocks = torch.einsum("an,nd,ne->ade", at.P, X, X)  # Σ diag(p) ⊗ xxᵀ
    H = torch.block_diag(*blocks) - weighted.T @ weighted
    H = H / n + problem.damping * torch.eye(K * D, dtype=X.dtype, device=X.device)
    return G, torch.cholesky_solve(G.T, torch.linalg.cholesky(H)).T


def self_influence(problem: LinearProblem, at: Evaluated) -> Tensor:
    G, solved = solved_gradients(problem, at)
    return (G * solved).sum(1)


def relative(problem: LinearProblem, at: Evaluated) -> Tensor:
    _, solved = solved_gradients(problem, at)
    return -(solved @ at.g.flatten()) / solved.norm(dim=1).clamp(min=TINY)


Score = Callable[[LinearProblem, Evaluated], Tensor]
PLAIN: dict[str, Score] = {
    "gradient_dot": gradient_dot,
    "cosine": cosine,
    "relative": relative,
    "self_influence": self_influence,
    "kfac": kfac,
    "ekfac": ekfac,
}
NAMES = (*PLAIN, "trak", "tracin")


def score_function(
    name: str, problem: LinearProblem, dataset: Dataset, l2: float, seed: int = 0
) -> Score:
    """Return the function of `name`; TRAK's with its projections, which the seed draws, TracIn's
    with the checkpoints of an honest training with `l2`. Raises InvalidInput."""
    check_choice("name", name, NAMES)
    if name == "trak":
        return partial(trak, projections=draw_projections(problem, seed=seed))
    if name == "tracin":
        return partial(tracin, before=checkpoint_scores(problem, dataset, l2))
    return PLAIN[name]
