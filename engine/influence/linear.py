"""Influence and its gradient for multinomial logistic regression, in closed form.

Everything is a product of one of three shapes: features times B·K columns, its transpose, and
their K×K shadow. X is (n, D) with a column of ones for the bias, θ is (B, K, D) and
P = softmax(θ Xᵀ) is (B, K, n).

    H V     = (1/n) R X,  R = P ⊙ (U − ⟨P, U⟩),  U = V Xᵀ
    g       = (P_test − Y_test) X_test / m
    s       = (H + λI)⁻¹ g
    I_i     = −⟨p_i − y_i, s x_i⟩                                      (Definition 1)
    G_c     = Σ c_i (p_i − y_i) ⊗ x_i,   s_c = (H + λI)⁻¹ G_c
    ∇Σ c I  = −H_test s_c − Σ c_i H_i s + ∇⟨s_c, H s⟩                  (Algorithm 1, in closed form)

The features are rotated once into the eigenbasis of XᵀX/n = Q diag(e) Qᵀ, and θ with them: no
score, norm or prediction changes. There H is close to S ⊗ diag(e), S = mean(diag(p) − ppᵀ), which
is the preconditioner. Adam is not blind to a rotation: in this basis it keeps more of the model's
accuracy (`encode` and `decode` change the basis).
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.checks import check_choice, check_positive
from engine.data.dataset import Dataset
from engine.devices import resolve_device, resolve_dtype
from engine.influence.estimators import Estimator, cg
from engine.influence.problem import Forward, order_sign
from engine.influence.products import (
    CLASSES,
    Labels,
    centre,
    curve,
    image,
    log_probabilities,
    of_labels,
    probabilities,
    pull_back,
    residuals,
)
from engine.influence.solve import Solution, Warm, WarmStart, dot, over
from engine.models.model import Model
from engine.rows import Factor, Halved, Packed, Rows, Streamed, packed, times
from engine.vocabulary import DAMPING

SKETCH_WIDTH = 64  # random directions: a norm over K rows of them errs by some 5%
SKETCH_PAYS = 8  # features per direction from which a sketch is much cheaper than a pull
LEAVING = 0.8  # of few features' columns: below it, copying the rest costs less than it saves
ROWS_FOR_BASIS = 8  # rows per feature that give the eigenbasis of a preconditioner
COARSE = 5e-3  # tolerances from which features in bfloat16, where there are any, will do
ROWS_PER_CHUNK = 4096  # rows rotated at a time, in float64


@dataclass(frozen=True)
class Sketch:
    """A seeded Gaussian map Ω (D, l) with ‖r Ω‖ ≈ ‖r‖, and the features under it, (n, l)."""

    omega: Tensor
    X: Tensor


@dataclass(frozen=True)
class LinearCurvature:
    """H + λI of models with probabilities P (B, K, n), or (1, K, n) shared by all columns.

    directions: (D, D), the eigenvectors of XᵀX/n as columns where X is not in their basis.
    packed: the same features as products take them; None for X itself. diagonal: (1, K, D), what
    `precondition` multiplies by; None for what it makes of P.
    """

    X: Rows
    P: Tensor
    eigenvalues: Tensor
    damping: float
    sketch: Sketch | None = None
    directions: Tensor | None = None
    packed: Packed | None = None
    diagonal: Tensor | None = None

    @property
    def factor(self) -> Factor:
        """The features as products take them."""
        return self.X if self.packed is None else self.packed

    def image(self, V: Tensor) -> Tensor:
        return image(self.factor, V)

    def curved(self, image: Tensor) -> Tensor:
        return curve(self.P, image)

    def pull(self, curved: Tensor, V: Tensor) -> Tensor:
        return pull_back(curved, self.factor, 1 / self.n_samples, V, self.damping)

    def energy(self, V: Tensor, image: Tensor, curved: Tensor) -> Tensor:
        return dot(image, curved) / len(self.X) + self.damping * dot(V, V)

    @property
    def sketches(self) -> bool:
        return self.sketch is not None

    @property
    def leaving(self) -> float:
        return 1.0 if self.sketches else LEAVING

    def sketched_norm(
        self, r: Tensor, V: Tensor, curved: Tensor, alpha: Tensor | None = None
    ) -> Tensor:
        assert self.sketch is not None
        omega = self.sketch.omega  # D, l: what has no D any more is small
        product = pull_back(curved, self.sketch.X, 1 / len(self.X), V @ omega, self.damping)
        if alpha is not None:
            product *= over(alpha, product)
        return torch.linalg.vector_norm(r @ omega - product, dim=(1, 2))

    @cached_property
    def class_curvature(self) -> Tensor:
        """S = mean(diag(p) − ppᵀ), (B, K, K)."""
        n = len(self.X)
        return torch.baddbmm(torch.diag_embed(self.P.mean(2)), self.P, self.P.mT, alpha=-1 / n)

    @cached_property
    def class_basis(self) -> tuple[Tensor, Tensor]:
        """Eigenvalues (B, K) and eigenvectors (B, K, K) of S."""
        values, vectors = torch.linalg.eigh(self.class_curvature)
        return values.clamp(min=0), vectors

    def diagonal_preconditioner(self) -> Tensor:
        """1/(diag(S) ⊗ diag(e) + λI), (B, K, D)."""
        of_classes = self.class_curvature.diagonal(dim1=1, dim2=2)
        return 1 / (of_classes.unsqueeze(-1) * self.eigenvalues + self.damping)

    def precondition(self, R: Tensor) -> Tensor:
        """(S ⊗ diag(e) + λI)⁻¹ R, or `diagonal` times R."""
        if self.diagonal is not None:
            return R * self.diagonal
        vectors, inverse = self.preconditioner
        if len(vectors) < len(R):
            vectors = vectors.expand(len(R), -1, -1)
        if self.directions is None:
            return torch.bmm(vectors, torch.bmm(vectors.mT, R).mul_(inverse))
        inside = torch.bmm(vectors.mT, R @ self.directions).mul_(inverse)
        return torch.bmm(vectors, inside) @ self.directions.T

    @cached_property
    def preconditioner(self) -> tuple[Tensor, Tensor]:
        """Eigenvectors (B, K, K) of S, and 1/(S ⊗ diag(e) + λI) in them, (B, K, D)."""
        values, vectors = self.class_basis
        return vectors, 1 / (values.unsqueeze(-1) * self.eigenvalues + self.damping)

    def select(self, columns: Tensor) -> Self:
        if len(self.P) == 1:
            return self
        part = replace(self, P=self.P.index_select(0, columns))
        if self.diagonal is None:
            part.__dict__["preconditioner"] = tuple(
                values.index_select(0, columns) for values in self.preconditioner
            )
        return part

    @property
    def models(self) -> int:
        return len(self.P)

    @property
    def n_samples(self) -> int:
        return len(self.X)

    def shares(self, model: int) -> Tensor:
        """Return the samples' weights in the mean of one model, (n,) float64."""
        return self.P.new_ones(self.n_samples, dtype=torch.float64)

    def dense(self, model: int) -> Tensor:
        """H + λI of one model, (K·D, K·D) float64, H the mean of (diag(p) − ppᵀ) ⊗ xxᵀ."""
        P = self.P[model].double()
        (K, n), D = P.shape, self.X.shape[1]
        H = P.new_zeros(K, D, K, D)
        shares = self.shares(model).split(ROWS_PER_CHUNK)
        parts = P.split(ROWS_PER_CHUNK, 1), self.X.split(ROWS_PER_CHUNK), shares
        for some, rows, share in zip(*parts, strict=True):
            X = rows.double()
            for a in range(K):
                for b in range(a, K):
                    weight = some[a] * (int(a == b) - some[b]) / n * share
                    H[a, :, b] += (X * weight.unsqueeze(1)).T @ X
        for a in range(K):
            for b in range(a):
                H[a, :, b] = H[b, :, a]
        H = H.view(K * D, K * D)
        H.diagonal().add_(self.damping)
        return H

    def rows(self, chosen: Tensor) -> "LinearCurvature":
        """H + λI with the mean over these training samples alone."""
        return LinearCurvature(self.X[chosen], self.P[..., chosen], self.eigenvalues, self.damping)


@dataclass(frozen=True)
class WeightedCurvature(LinearCurvature):
    """H + λI with H = (1/n) Σ w_i (diag(p_i) − p_ip_iᵀ) ⊗ x_ix_iᵀ; weights: (B, 1, n)."""

    weights: Tensor | None = None

    def curved(self, image: Tensor) -> Tensor:
        assert self.weights is not None
        return curve(self.P, image).mul_(self.weights)

    def shares(self, model: int) -> Tensor:
        assert self.weights is not None
        return self.weights[model, 0].double()

    def select(self, columns: Tensor) -> Self:
        assert self.weights is not None
        if len(self.P) == 1:
            return self
        P, weights = (values.index_select(0, columns) for values in (self.P, self.weights))
        part = replace(self, P=P, weights=weights)
        if self.diagonal is None:
            values, vectors = self.class_basis
            part.__dict__["class_basis"] = (values[columns], vectors[columns])
        return part


@dataclass(frozen=True)
class Samples:
    """A split: features with the column of ones, in the eigenbasis, and labels. packed: the same
    features in the order that products read them in. half: in bfloat16, with which gradients of
    coarse solves are made. None for X itself."""

    X: Rows
    y: Tensor
    n_classes: int
    packed: Packed | None = None
    half: Halved | None = None

    @property
    def factor(self) -> Factor:
        """The features as products take them."""
        return self.X if self.packed is None else self.packed

    def factor_for(self, tolerance: float) -> Factor:
        """Return the features that a gradient is made with whose solve is to that tolerance."""
        return self.factor if self.half is None or tolerance < COARSE else self.half

    def in_order(self) -> "Samples":
        """Return the same samples with their features for many products, where packing pays."""
        return replace(self, packed=packed(self.X))

    def halved(self) -> "Samples":
        """Return the same samples with their features in bfloat16 too."""
        assert isinstance(self.X, Tensor)
        return replace(self, half=Halved.of(self.X))

    @cached_property
    def labels(self) -> Tensor | Labels:
        """What residuals are taken with: of rows on disk the numbers alone, which take no memory
        worth saving."""
        if isinstance(self.X, Streamed):
            return self.y
        return Labels.of(self.y, self.n_classes, self.X.dtype)


@dataclass(frozen=True)
class LinearState:
    """What `gradient` takes up from `forward`. corrected: as in `Solution`."""

    curvature: LinearCurvature
    E: Tensor  # P − Y on train
    P_test: Tensor
    test: Samples
    corrected: bool


@dataclass(frozen=True)
class LinearProblem:
    """Influence of the training samples under linear models θ, rows of (B, K·D) in the eigenbasis.

    eigenvalues: (D,); basis: (D, D) float64, its columns the eigenvectors. estimator: what solves
    with H + λI; tolerance and warm starts are handed to it. weights: (n,) of the training
    samples in the mean training loss and in its Hessian H, None for 1 each. gradient_estimator:
    what solves for a gradient where the solve for the scores was not corrected; None for
    `estimator`. diagonal: of every θ's curvature, as there; None for each θ's own preconditioner.
    """

    train: Samples
    splits: dict[str, Samples]
    eigenvalues: Tensor
    basis: Tensor
    n_classes: int
    damping: float
    sign: int
    sketch: Sketch | None
    estimator: Estimator = cg
    directions: Tensor | None = None
    weights: Tensor | None = None
    gradient_estimator: Estimator | None = None
    diagonal: Tensor | None = None

    @classmethod
    def build(
        cls,
        dataset: Dataset,
        damping: float = DAMPING,
        order: str = "highest_first",
        dtype: str = "float32",
        device: str = "auto",
        estimator: Estimator = cg,
        rotated: bool = True,
    ) -> Self:
        """Make the problem of a data set.

        rotated: bring the features into the eigenbasis, which pays for many solves. For one or two
        they stay as they are, `basis` is the identity, and the eigenbasis of some of the rows
        serves the preconditioner alone: scores are the same to rounding.
        Raises InvalidInput for damping <= 0 or an unknown order or dtype, DeviceUnavailable.
        """
        damping, sign = check_positive("damping", damping), order_sign(order)
        kind, where = resolve_dtype(dtype), resolve_device(device)

        def features(split: str) -> Rows:
            X = dataset.split(split)[0]
            if dataset.on_disk and split == "train":
                return Streamed.of(X, kind, where)
            wide = np.ones((len(X), X.shape[1] + 1), dtype)  # a process's features may be read-only
            wide[:, :-1] = X
            return torch.from_numpy(wide).to(where)

        X = features("train")
        eigenvalues, basis = eigenbasis(X if rotated else some_rows(X))
        directions = None if rotated else basis.to(kind)
        if not rotated:
            basis = torch.eye(len(basis), dtype=basis.dtype, device=where)

        def samples(split: str, X: Rows) -> Samples:
            y = torch.as_tensor(dataset.split(split)[1], device=where)
            if not rotated:
                return Samples(X, y, dataset.n_classes)
            rotated_X = X.in_basis(basis) if isinstance(X, Streamed) else rotate(X, basis)
            return Samples(rotated_X, y, dataset.n_classes)

        train = samples("train", X)
        return cls(
            train=train,
            splits={s: samples(s, features(s)) for s in ("test", "holdout")},
            eigenvalues=eigenvalues.to(kind),
            basis=basis,
            n_classes=dataset.n_classes,
            damping=damping,
            sign=sign,
            sketch=sketch(train.X) if rotated else None,
            estimator=estimator,
            directions=directions,
        )

    @property
    def n_train(self) -> int:
        return len(self.train.y)

    def encode(self, model: Model) -> Tensor:
        """θ of a model, (1, K·D)."""
        parameters = torch.as_tensor(model.parameters, device=self.basis.device)
        return (parameters @ self.basis).to(self.train.X.dtype).reshape(1, -1)

    def decode(self, theta: Tensor) -> NDArray[np.float64]:
        """θ (P,), or a gradient, in the features' own basis: (K, d+1), the bias last."""
        return (theta.double().view(self.n_classes, -1) @ self.basis.T).cpu().numpy()

    def shape(self, theta: Tensor) -> Tensor:
        """(B, P) → (B, K, D)."""
        return theta.view(len(theta), self.n_classes, -1)

    def probabilities(self, theta: Tensor, X: Factor) -> Tensor:
        """(B, K, n)"""
        return probabilities(image(X, self.shape(theta)))

    def curvature(self, theta: Tensor) -> LinearCurvature:
        """Return the Hessian's operator at θ."""
        parts = (
            *(self.train.X, self.probabilities(theta, self.train.factor), self.eigenvalues),
            *(self.damping, self.sketch, self.directions, self.train.packed, self.diagonal),
        )
        if self.weights is not None:
            return WeightedCurvature(*parts, self.weights.expand(len(theta), 1, -1))
        return LinearCurvature(*parts)

    def training_gradient(
        self, theta: Tensor, P: Tensor, l2: float, keep: Tensor | None = None
    ) -> Tensor:
        """∇ of the mean training loss + l2/2·‖θ‖² at θ (B, K, D) with probabilities P; `keep`
        (B, n) weighs the samples, all of which stay in the divisor."""
        errors = residuals(P, self.train.labels)
        if keep is not None:
            errors *= keep.unsqueeze(1)
        return pull_back(errors, self.train.factor).div_(self.n_train).add_(theta, alpha=l2)

    def training_loss(self, theta: Tensor, l2: float) -> tuple[Tensor, Tensor]:
        """Mean cross-entropy + l2/2·‖θ‖², (B,), and its gradient, (B, P)."""
        shaped = self.shape(theta)
        logits = image(self.train.factor, shaped)
        losses = -of_labels(log_probabilities(logits), self.train.y)  # B, n
        losses, kept = self.weighed(losses), self.weights
        value = losses.mean(1) + l2 / 2 * theta.square().sum(1)
        gradient = self.training_gradient(
            shaped, probabilities(logits), l2, None if kept is None else kept.expand(len(theta), -1)
        )
        return value, gradient.flatten(1)

    def drift(self, theta: Tensor, honest: Tensor) -> tuple[Tensor, Tensor]:
        """Mean of KL(p_θ* ‖ p_θ) over the inputs of train and test, (B,), and its gradient,
        (B, P)."""
        inputs = (self.train.factor, self.splits["test"].factor)
        n = self.n_train + len(self.splits["test"].y)
        shaped, before = self.shape(theta), self.shape(honest)
        value, gradient = theta.new_zeros(len(theta)), torch.zeros_like(shaped)
        for X in inputs:
            log_p = log_probabilities(image(X, shaped))  # B, K, m
            log_q = log_probabilities(image(X, before))
            q = log_q.exp()
            value += (q * (log_q - log_p)).sum((1, 2)) / n
            gradient += pull_back(log_p.exp() - q, X).div_(n)
        return value, gradient.flatten(1)

    def hessian_product(self, theta: Tensor, V: Tensor) -> Tensor:
        """H V of the mean training loss, (B, P)."""
        X = self.train.factor
        P = self.probabilities(theta, X)
        curved = self.weighed(curve(P, image(X, self.shape(V))))
        return pull_back(curved, X).div_(self.n_train).flatten(1)

    def weighed(self, values: Tensor) -> Tensor:
        """Return values (…, n) times the samples' weights."""
        return values if self.weights is None else values * self.weights

    def weighted(self, weights: NDArray[np.float64]) -> Self:
        """Return the same problem with weights (n,) of the training samples in the mean training
        loss and its Hessian."""
        kind, device = self.train.X.dtype, self.basis.device
        return replace(self, weights=torch.as_tensor(weights, dtype=kind, device=device))

    def packed(self) -> Self:
        """Return the same problem for many products: the training features take twice the memory,
        and every number is the same (`engine.rows.Packed`)."""
        return replace(self, train=self.train.in_order())

    def damped(self, damping: float) -> Self:
        """Return the same problem with another damping."""
        return replace(self, damping=damping)

    def inverse_product(self, theta: Tensor, b: Tensor, tolerance: float) -> Solution:
        """(H + λI)⁻¹ b for b (B, P): x is (B, K, D)."""
        return self.solve(self.curvature(theta), self.shape(b), tolerance)

    def curvature_slope(self, theta: Tensor, V: Tensor, W: Tensor) -> Tensor:
        """∇θ ⟨V, H(θ) W⟩ = ∇ mean Cov_p(a, b), (B, P)."""
        X = self.train.factor
        P = self.probabilities(theta, X)
        a, b = (centre(P, image(X, self.shape(U))) for U in (V, W))
        return pull_back(self.weighed(curve(P, a * b)), X).div_(self.n_train).flatten(1)

    def accuracy(self, theta: Tensor, split: str) -> Tensor:
        """Share of `split` that each model predicts right, (B,)."""
        samples = self.splits[check_choice("split", split, self.splits)]
        return hits(image(samples.factor, self.shape(theta)), samples.y)

    def solve(
        self, curvature: LinearCurvature, b: Tensor, tolerance: float, warm: WarmStart | None = None
    ) -> Solution:
        """(H + λI)⁻¹ b and its image, b (B, K, D)."""
        return self.estimator(curvature, b, self.no_image(b), tolerance, warm)

    def no_image(self, b: Tensor) -> Tensor:
        """Return a tensor of the shape that the image of b (B, K, D) has, whose values nobody
        reads."""
        return b.new_empty(1).expand(*b.shape[:2], self.n_train)

    def forward(
        self, theta: Tensor, tolerance: float, warm: WarmStart | None = None, split: str = "test"
    ) -> Forward:
        """Scores of every training sample on the mean loss of `split` (Definition 1, Eq. 3)."""
        test = self.splits[check_choice("split", split, self.splits)]
        curvature = self.curvature(theta)
        E = residuals(curvature.P, self.train.labels)
        P_test = self.probabilities(theta, test.factor)
        X_test = test.factor_for(tolerance)
        g = pull_back(residuals(P_test, test.labels), X_test, 1 / len(test.y))
        s = self.solve(curvature, g, tolerance, warm)
        scores = (E * s.image).sum(CLASSES) * -self.sign  # Def. 1, (B, n)
        state = LinearState(curvature, E, P_test, test, s.corrected)
        return Forward(scores, hits(P_test, test.y), s, state)

    def gradient(
        self, forward: Forward, c: Tensor, tolerance: float, warm: Warm = None, weight: float = 0.0
    ) -> tuple[Tensor, Solution]:
        """∇θ (Σ_i c_i I_i + weight · mean training loss), (B, K·D), with c (B, n) frozen; one
        more solve (Algorithm 1). The loss costs no product of its own."""
        state = forward.state
        assert isinstance(state, LinearState)
        P, X, n = state.curvature.P, self.train.factor_for(tolerance), self.n_train
        c = (c if self.sign == 1 else -c).unsqueeze(1)  # B, 1, n
        G = pull_back(c * state.E, X)
        solve = self.estimator if state.corrected else self.gradient_estimator or self.estimator
        s_c = solve(state.curvature, G, self.no_image(G), tolerance, warm)
        # H_test s_c: the test gradient's own dependence on θ
        X_test = state.test.factor_for(tolerance)
        gradient = pull_back(curve(state.P_test, image(X_test, s_c.x)), X_test)
        # Σ c_i H_i s and ∇⟨s_c, H s⟩ = ∇ mean Cov_p(a, b) share one product with X: with b centred,
        # p ⊙ (a − mean of a) ⊙ b − p Cov_p(a, b) − n c ⊙ p ⊙ b. The covariance is the sum of the
        # other terms, because that of p ⊙ b is 0.
        a, M = s_c.image, curve(P, forward.solution.image)  # p ⊙ b
        if self.weights is None:
            M = M * (a - torch.add((P * a).sum(CLASSES, keepdim=True), c, alpha=n))
        else:
            M = M * (self.weighed(centre(P, a)) - n * c)
        M.addcmul_(P, M.sum(CLASSES, keepdim=True), value=-1)
        if weight:
            M.add_(self.weighed(state.E), alpha=weight)
        gradient = pull_back(M, X, 1 / n, gradient, -1 / len(state.test.y))
        return gradient.flatten(1), s_c


def hits(logits: Tensor, y: Tensor) -> Tensor:
    """Share of rows whose largest entry is the label's: (B, K, m) → (B,), float64."""
    found = logits.max(CLASSES).indices  # argmax over a middle axis takes six times as long
    return (found == y).mean(1, dtype=torch.float64)


def eigenbasis(X: Rows) -> tuple[Tensor, Tensor]:
    """Eigenvalues (D,) and eigenvectors (D, D), float64, of XᵀX/n: rotate once, solve often."""
    D = X.shape[1]
    second_moment = torch.zeros(D, D, dtype=torch.float64, device=X.device)
    for rows in X.split(ROWS_PER_CHUNK):
        second_moment += rows.double().T @ rows.double()
    values, vectors = torch.linalg.eigh(second_moment / len(X))
    return values.clamp(min=0), vectors


def some_rows(X: Rows) -> Tensor:
    """At most `ROWS_FOR_BASIS` rows per column of X, spread evenly: enough for a preconditioner."""
    stride = max(1, len(X) // (ROWS_FOR_BASIS * X.shape[1]))
    return X[torch.arange(0, len(X), stride, device=X.device)]


def sketch(X: Rows) -> Sketch | None:
    """Return a sketch of the features, or None where D is so small that it would save nothing."""
    D = X.shape[1]
    if D < SKETCH_WIDTH * SKETCH_PAYS:
        return None
    omega = np.random.default_rng(0).standard_normal((D, SKETCH_WIDTH)) / SKETCH_WIDTH**0.5
    on_device = torch.as_tensor(omega, dtype=X.dtype, device=X.device)
    return Sketch(on_device, times(X, on_device.T).T.contiguous())


def rotate(X: Tensor, basis: Tensor) -> Tensor:
    """X basis in X's own type, computed in float64 a few rows at a time."""
    return torch.cat([(rows.double() @ basis).to(X.dtype) for rows in X.split(ROWS_PER_CHUNK)])
