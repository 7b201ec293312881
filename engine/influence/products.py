"""The products that every quantity of a multinomial logistic regression is made of.

X is (n, D), θ and every direction V are (B, K, D), probabilities P are (B, K, n): B models (or
directions) at once, K classes, n rows. The samples come last: what is elementwise then runs along
whole vectors of samples, where a softmax over few classes as the last axis takes many times as long
(`python -m tests.benchmarks layout`). `engine.influence.linear` says what is built from them.
"""

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from engine.rows import Factor, Packed, pays, times, under

CLASSES = 1  # the axis over which probabilities add up to 1


def image(X: Factor, V: Tensor) -> Tensor:
    """V Xᵀ for every model: (n, D), (B, K, D) → (B, K, n)."""
    B, K, D = V.shape
    return times(X, V.reshape(B * K, D)).view(B, K, len(X))


def pull_back(
    M: Tensor,
    X: Factor,
    share: float = 1.0,
    V: Tensor | None = None,
    damping: float = 0.0,
) -> Tensor:
    """share·M X + damping·V for every model: (B, K, n), (n, D), V (B, K, D) → (B, K, D)."""
    B, K, n = M.shape
    flat, D = M.reshape(B * K, n), X.shape[1]
    plain = X.plain if isinstance(X, Packed) else X
    if isinstance(plain, Tensor) and V is not None and not pays(flat, plain):  # one pass
        added = torch.addmm(V.reshape(B * K, D), flat, plain, beta=damping, alpha=share)
        return added.view(B, K, D)
    if isinstance(plain, Tensor) and share != 1 and not pays(flat, plain):
        nothing = flat.new_empty(1).expand(B * K, D)  # times 0, unread
        return torch.addmm(nothing, flat, plain, beta=0, alpha=share).view(B, K, D)
    pulled = under(flat, X).view(B, K, D)
    if share != 1:
        pulled *= share
    return pulled if V is None else pulled.add_(V, alpha=damping)


def probabilities(logits: Tensor) -> Tensor:
    """softmax over the classes, (B, K, n)."""
    return torch.softmax(logits, CLASSES)


def log_probabilities(logits: Tensor) -> Tensor:
    """log softmax over the classes, (B, K, n)."""
    return torch.log_softmax(logits, CLASSES)


def centre(P: Tensor, U: Tensor) -> Tensor:
    """U minus its mean under p, sample by sample: (B, K, n)."""
    return U - (P * U).sum(CLASSES, keepdim=True)


def curve(P: Tensor, U: Tensor) -> Tensor:
    """(diag(p) − ppᵀ) u = p ⊙ (u − ⟨p, u⟩), sample by sample: the Hessian in the logits times U,
    (B, K, n). That is how a softmax passes derivatives back: torch does it in one pass."""
    if P.shape == U.shape:
        return torch._softmax_backward_data(U, P, CLASSES, P.dtype)
    M = P * U
    return M.addcmul_(P, M.sum(CLASSES, keepdim=True), value=-1)


def of_labels(values: Tensor, y: Tensor) -> Tensor:
    """Return what each sample has at its own label: (B, K, n), (n,) → (B, n)."""
    label = y.view(1, 1, -1).expand(len(values), 1, -1)
    return values.gather(CLASSES, label).squeeze(CLASSES)


@dataclass(frozen=True)
class Labels:
    """Where the labels of n samples are among K classes: `own` (1, K, n) is 1 at each sample's
    label and 0 elsewhere, `other` is 1 − own. Made once for samples whose residuals are taken
    often: to look labels up takes twice as long as two passes with these."""

    own: Tensor
    other: Tensor

    @classmethod
    def of(cls, y: Tensor, n_classes: int, kind: torch.dtype) -> Self:
        """y: (n,), class numbers."""
        own = torch.zeros(1, n_classes, len(y), dtype=kind, device=y.device)
        own.scatter_(CLASSES, y.view(1, 1, -1), 1)
        return cls(own, 1 - own)


def residuals(P: Tensor, labels: Tensor | Labels) -> Tensor:
    """P − Y, with p_y − 1 as minus the sum of the others: 1 − p would lose a sure sample's
    digits. labels: (n,) numbers, or what `Labels` makes of them."""
    if isinstance(labels, Labels):
        E = P * labels.other
        return E.addcmul_(labels.own, E.sum(CLASSES, keepdim=True), value=-1)
    label = labels.view(1, 1, -1).expand(len(P), 1, -1)
    E = P.scatter(CLASSES, label, 0)
    return E.scatter_(CLASSES, label, -E.sum(CLASSES, keepdim=True))
