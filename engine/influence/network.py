"""Influence and its gradient for any `torch.nn.Module` and loss, matrix-free (Algorithm 1).

θ is (B, P), ℓ_i(θ) the loss of sample i, L its mean over train, L_test over the test half, and H
the Hessian of L. Everything is a derivative of scalars along given directions, by `torch.func`:

    H v     = d/dε ∇L(θ + εv) = ∇⟨∇L, v⟩                       two derivatives, no matrix
    s       = (H + λI)⁻¹ ∇L_test                               conjugate gradients
    I_i     = −⟨∇ℓ_i, s⟩ = −d/dε ℓ_i(θ + εs)                   forward mode: all samples at once
    G_c     = ∇ Σ c_i ℓ_i,   s_c = (H + λI)⁻¹ G_c
    ∇Σ c I  = ∇[ −⟨∇L_test, s_c⟩ − Σ c_i ⟨∇ℓ_i, s⟩ + ⟨s_c, H s⟩ ],   s and s_c held fixed

So a step is two solves and one reverse pass, as for the closed form; no per-sample gradient and no
matrix is made. Sums over samples are taken a chunk of rows at a time.

H is that of the loss itself, not a Gauss-Newton approximation, and need not be positive definite:
at a minimum of L + l2/2·‖θ‖² it is so with any λ > l2, but an attack leaves the minimum. Where a
solve meets a direction of no positive curvature its column stops there (`Solution.lowest`).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.func import grad, jvp, vjp

from engine.checks import check_choice, check_positive
from engine.data.dataset import Dataset
from engine.devices import resolve_device, resolve_dtype
from engine.influence.estimators import Estimator, cg
from engine.influence.problem import Forward, order_sign
from engine.influence.solve import Solution, Warm, WarmStart, dot, weigh
from engine.models.model import Model
from engine.models.network import Loss, Network, logits_each, loss_on, losses_each, template
from engine.vocabulary import DAMPING

ROWS_PER_CHUNK = 2048  # whose activations are alive at once, for every model of a batch
COLUMNS_AT_ONCE = 64  # of a dense Hessian


@dataclass(frozen=True, eq=False)
class Part:
    """Samples as a function of θ: features (n, d), labels (n,), and the module and loss. `chunk`
    rows are taken at a time, which bounds memory and changes no number."""

    module: nn.Module
    loss: Loss
    X: Tensor
    y: Tensor
    chunk: int = ROWS_PER_CHUNK

    def __len__(self) -> int:
        return len(self.y)

    def losses(self, theta: Tensor) -> Tensor:
        """(B, P) → (B, n)"""
        return losses_each(self.module, self.loss, theta, self.X, self.y)

    def total(self, theta: Tensor) -> Tensor:
        """Return the sum of all losses of all models: its gradient in a model is that model's
        own."""
        return self.losses(theta).sum()

    def chunks(self) -> Iterator[tuple[slice, "Part"]]:
        for first in range(0, len(self), self.chunk):
            rows = slice(first, first + self.chunk)
            yield rows, replace(self, X=self.X[rows], y=self.y[rows])

    def gradient(self, theta: Tensor, weights: Tensor | None = None) -> Tensor:
        """∇ of Σ w_i ℓ_i, of the mean where no weights (B, n) are given: (B, P)."""
        total = torch.zeros_like(theta)
        for rows, part in self.chunks():
            w = 1 / len(self) if weights is None else weights[:, rows]
            total += grad(lambda t, part=part, w=w: (w * part.losses(t)).sum())(theta)
        return total

    def hessian(self, theta: Tensor, V: Tensor) -> Tensor:
        """H V of the mean loss, column by column: (B, P)."""
        total = torch.zeros_like(V)
        for _, part in self.chunks():
            total += jvp(grad(part.total), (theta,), (V,))[1]
        return total / len(self)

    def along(self, theta: Tensor, V: Tensor) -> Tensor:
        """⟨∇ℓ_i, V⟩ for every sample: (B, n)."""
        found = [jvp(part.losses, (theta,), (V,))[1] for _, part in self.chunks()]
        return torch.cat(found, 1)

    def divergence(self, theta: Tensor, honest: Tensor) -> Tensor:
        """Σ KL(p_θ* ‖ p_θ) over the samples, for θ* (1, P): (B,)."""
        log_p = torch.log_softmax(logits_each(self.module, theta, self.X), -1)
        log_q = torch.log_softmax(logits_each(self.module, honest, self.X), -1)
        return (log_q.exp() * (log_q - log_p)).sum((1, 2))

    def hits(self, theta: Tensor) -> Tensor:
        """Share that each model predicts right, (B,), float64."""
        right = torch.zeros(len(theta), dtype=torch.float64, device=theta.device)
        for _, part in self.chunks():
            said = logits_each(self.module, theta, part.X).argmax(-1)
            right += (said == part.y).double().sum(1)
        return right / len(self)


@dataclass(frozen=True, eq=False)
class NetworkCurvature:
    """H + λI at θ (B, P), or (1, P) shared by all columns. Its product has no halves that differ
    in cost as a linear model's have: the image of V is V itself, and all work is in its curving.

    wide, places: the operator of more columns that this one is a part of, and which of them.
    """

    part: Part
    theta: Tensor
    damping: float
    wide: "NetworkCurvature | None" = None
    places: Tensor | None = None

    def image(self, V: Tensor) -> Tensor:
        return V

    def curved(self, image: Tensor) -> Tensor:
        return self.hessian(image)

    def hessian(self, V: Tensor) -> Tensor:
        """H V, (B, P)."""
        if self.wide is not None and self.places is not None:
            padded = V.new_zeros(self.wide.theta.shape)
            return self.wide.hessian(padded.index_copy(0, self.places, V))[self.places]
        if len(self.theta) != len(V) or len(self.part) > self.part.chunk:
            return self.part.hessian(self.theta.expand_as(V).contiguous(), V)
        return self.kept(V)[0] / len(self.part)

    @cached_property
    def kept(self) -> Callable[[Tensor], tuple[Tensor, ...]]:
        """Return a function that multiplies n·H with a vector by reverse mode through the gradient.

        H is symmetric, so this equals forward over reverse, but the gradient's graph is made once
        for all products. Use it only where the samples are one chunk, which bounds its memory."""
        found = vjp(grad(self.part.total), self.theta)
        return found[1]

    def pull(self, curved: Tensor, V: Tensor) -> Tensor:
        return curved + self.damping * V

    def energy(self, V: Tensor, image: Tensor, curved: Tensor) -> Tensor:
        return dot(V, self.pull(curved, V))

    @property
    def sketches(self) -> bool:
        return False

    @property
    def leaving(self) -> float:
        return 1.0

    def sketched_norm(
        self, r: Tensor, V: Tensor, curved: Tensor, alpha: Tensor | None = None
    ) -> Tensor:
        product = self.pull(curved, V)  # exact, for a pull's cost
        if alpha is not None:
            product = weigh(alpha, product)
        return torch.linalg.vector_norm(r - product, dim=1)

    def precondition(self, R: Tensor) -> Tensor:
        return R

    def select(self, columns: Tensor) -> "NetworkCurvature":
        """Return the operator of these columns.

        While they are more than half of the kept ones, it uses what was kept for all of them, which
        is cheaper than a new pass."""
        if len(self.theta) == 1 and self.wide is None:
            return self
        wide, places = self, columns
        if self.wide is not None and self.places is not None:
            wide, places = self.wide, self.places[columns]
        theta = self.theta[columns]
        if 2 * len(columns) > len(wide.theta):
            return replace(self, theta=theta, wide=wide, places=places)
        return NetworkCurvature(self.part, theta, self.damping)

    @property
    def n_samples(self) -> int:
        return len(self.part)

    @property
    def models(self) -> int:
        return len(self.theta)

    def dense(self, model: int) -> Tensor:
        """H + λI of one model, (P, P) float64."""
        theta = self.theta[model : model + 1]
        unit = torch.eye(theta.shape[1], dtype=theta.dtype, device=theta.device)
        one = NetworkCurvature(self.part, theta, self.damping)
        H = torch.cat([one.hessian(V) for V in unit.split(COLUMNS_AT_ONCE)]).double()
        H = (H + H.T) / 2
        H.diagonal().add_(self.damping)
        return H

    def rows(self, chosen: Tensor) -> "NetworkCurvature":
        """H + λI with the mean over these training samples alone."""
        part = replace(self.part, X=self.part.X[chosen], y=self.part.y[chosen])
        return NetworkCurvature(part, self.theta, self.damping)


@dataclass(frozen=True)
class NetworkState:
    """What `gradient` takes up from `forward`."""

    curvature: NetworkCurvature
    test: Part


@dataclass(frozen=True, eq=False)
class NetworkProblem:
    """Influence of the training samples under networks θ, rows of (B, P); as `LinearProblem`."""

    train: Part
    splits: dict[str, Part]
    damping: float
    sign: int
    estimator: Estimator = cg

    @classmethod
    def build(
        cls,
        dataset: Dataset,
        model: Network,
        damping: float = DAMPING,
        order: str = "highest_first",
        dtype: str = "float32",
        device: str = "auto",
        estimator: Estimator = cg,
    ) -> Self:
        """Take the model's module and loss, not its θ. Raises InvalidInput for damping <= 0 or an
        unknown order or dtype, DeviceUnavailable."""
        damping, sign = check_positive("damping", damping), order_sign(order)
        kind, where = resolve_dtype(dtype), resolve_device(device)
        called = template(model.module, dtype=kind, device=where)
        loss = loss_on(model.loss, dtype=kind, device=where)

        def part(split: str) -> Part:
            X, y = dataset.split(split)
            return Part(
                called,
                loss,
                torch.tensor(X, dtype=kind, device=where),
                torch.tensor(y, device=where),
            )

        splits = {split: part(split) for split in ("test", "holdout")}
        return cls(part("train"), splits, damping, sign, estimator)

    @property
    def n_train(self) -> int:
        return len(self.train)

    def encode(self, model: Model) -> Tensor:
        """θ of a model, (1, P)."""
        X = self.train.X
        return torch.tensor(model.parameters, dtype=X.dtype, device=X.device).reshape(1, -1)

    def decode(self, theta: Tensor) -> NDArray[np.float64]:
        """θ (P,), or a gradient, as a model keeps it."""
        return theta.double().cpu().numpy()

    def curvature(self, theta: Tensor) -> NetworkCurvature:
        """Return the Hessian's operator at θ."""
        return NetworkCurvature(self.train, theta, self.damping)

    def training_loss(self, theta: Tensor, l2: float) -> tuple[Tensor, Tensor]:
        """Mean loss + l2/2·‖θ‖², (B,), and its gradient, (B, P)."""
        value = torch.cat([part.losses(theta) for _, part in self.train.chunks()], 1).mean(1)
        gradient = self.train.gradient(theta)
        return value + l2 / 2 * theta.square().sum(1), gradient + l2 * theta

    def drift(self, theta: Tensor, honest: Tensor) -> tuple[Tensor, Tensor]:
        """Mean of KL(p_θ* ‖ p_θ) over the inputs of train and test, (B,), and its gradient,
        (B, P)."""
        value, gradient = theta.new_zeros(len(theta)), torch.zeros_like(theta)
        parts = (self.train, self.splits["test"])
        n = sum(len(part) for part in parts)
        for part in (rows for whole in parts for _, rows in whole.chunks()):

            def total(t: Tensor, part: Part = part) -> tuple[Tensor, Tensor]:
                each = part.divergence(t, honest)
                return each.sum(), each

            slope, each = grad(total, has_aux=True)(theta)
            value += each / n
            gradient += slope / n
        return value, gradient

    def hessian_product(self, theta: Tensor, V: Tensor) -> Tensor:
        """H V of the mean training loss, (B, P)."""
        return self.train.hessian(theta, V)

    def damped(self, damping: float) -> Self:
        """Return the same problem with another damping."""
        return replace(self, damping=damping)

    def inverse_product(self, theta: Tensor, b: Tensor, tolerance: float) -> Solution:
        """(H + λI)⁻¹ b for b (B, P)."""
        return self.solve(self.curvature(theta), b, tolerance)

    def curvature_slope(self, theta: Tensor, V: Tensor, W: Tensor) -> Tensor:
        """∇θ ⟨V, H(θ) W⟩, (B, P)."""
        total = torch.zeros_like(theta)
        for _, part in self.train.chunks():

            def twice(t: Tensor, part: Part = part) -> Tensor:
                return jvp(lambda t: jvp(part.losses, (t,), (W,))[1], (t,), (V,))[1].sum()

            total += grad(twice)(theta)
        return total / self.n_train

    def accuracy(self, theta: Tensor, split: str) -> Tensor:
        """Share of `split` that each model predicts right, (B,)."""
        return self.splits[check_choice("split", split, self.splits)].hits(theta)

    def solve(self, curvature: NetworkCurvature, b: Tensor, tolerance: float) -> Solution:
        """Return (H + λI)⁻¹ b, b (B, P), solved from zero: combining earlier solutions would cost a
        product each, as many as it saves."""
        return self.estimator(curvature, b, torch.zeros_like(b), tolerance, None)

    def forward(
        self, theta: Tensor, tolerance: float, warm: WarmStart | None = None, split: str = "test"
    ) -> Forward:
        """Scores of every training sample on the mean loss of `split` (Definition 1, Eq. 3)."""
        test = self.splits[check_choice("split", split, self.splits)]
        curvature = self.curvature(theta)
        s = self.solve(curvature, test.gradient(theta), tolerance)
        scores = self.train.along(theta, s.x) * -self.sign  # Def. 1, (B, n)
        return Forward(scores, test.hits(theta), s, NetworkState(curvature, test))

    def gradient(
        self, forward: Forward, c: Tensor, tolerance: float, warm: Warm = None, weight: float = 0.0
    ) -> tuple[Tensor, Solution]:
        """∇θ (Σ_i c_i I_i + weight · mean training loss), (B, P), with c (B, n) frozen; one
        more solve (Algorithm 1)."""
        state = forward.state
        assert isinstance(state, NetworkState)
        theta, s = state.curvature.theta, forward.solution.x
        c = c * self.sign
        s_c = self.solve(state.curvature, self.train.gradient(theta, c), tolerance)
        gradient = -state.test.hessian(theta, s_c.x)  # the test gradient's own dependence on θ
        for rows, part in self.train.chunks():
            # −Σ c_i ⟨∇ℓ_i, s⟩ + ⟨s_c, H s⟩ of these samples
            def rest(t: Tensor, part: Part = part, c: Tensor = c[:, rows]) -> Tensor:
                def along_s(t: Tensor) -> Tensor:
                    return jvp(part.losses, (t,), (s,))[1]  # B, n

                along = jvp(along_s, (t,), (s_c.x,))  # itself, and its own derivative along s_c
                return (along[1] / self.n_train - c * along[0]).sum()

            gradient += grad(rest)(theta)
        if weight:
            gradient += weight * self.train.gradient(theta)
        return gradient, s_c
