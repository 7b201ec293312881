"""The products that every quantity of a multinomial logistic regression is made of.

X is (n, D), θ and every direction V are (B, K, D), probabilities P are (n, B, K): B models (or
directions) at once, n rows, K classes. `engine.influence.linear` says what is built from them.
"""

from torch import Tensor

from engine.rows import Rows, times, under


def image(X: Rows, V: Tensor) -> Tensor:
    """X Vᵀ for every model: (n, D), (B, K, D) → (n, B, K)."""
    B, K, D = V.shape
    return times(X, V.reshape(B * K, D)).view(len(X), B, K)


def pull_back(M: Tensor, X: Rows) -> Tensor:
    """Mᵀ X for every model: (n, B, K), (n, D) → (B, K, D)."""
    n, B, K = M.shape
    return under(M.reshape(n, B * K), X).view(B, K, X.shape[1])


def centre(P: Tensor, U: Tensor) -> Tensor:
    """U minus its mean under p, row by row: (n, B, K)."""
    return U - (P * U).sum(-1, keepdim=True)


def curve(P: Tensor, U: Tensor) -> Tensor:
    """(diag(p) − ppᵀ) u, row by row: the Hessian in the logits times U, (n, B, K)."""
    M = P * U
    return M.addcmul_(P, M.sum(-1, keepdim=True), value=-1)


def residuals(P: Tensor, y: Tensor) -> Tensor:
    """P − Y, with p_y − 1 as minus the sum of the others: 1 − p would lose a sure sample's
    digits."""
    label = y.view(-1, 1, 1).expand(-1, P.shape[1], 1)
    E = P.scatter(-1, label, 0)
    return E.scatter_(-1, label, -E.sum(-1, keepdim=True))
