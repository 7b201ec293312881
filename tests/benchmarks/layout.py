"""Why samples come last: what is elementwise in a step of Algorithm 3, in both layouts.

Probabilities are (B, K, n) in `engine.influence.products`; here they are also (n, B, K), classes
last, with the same formulas. Both are timed in turn on one thread, the least of several rounds
counts, and the last column is how many times as long classes last take. B is 10 runs.
"""

import time
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from engine.influence.products import curve, probabilities, residuals

RUNS, ROUNDS = 10, 15
SIZES = ((1200, 2), (1200, 10), (5000, 10), (3680, 37), (2000, 101), (1000, 200))


def curve_last(P: Tensor, U: Tensor) -> Tensor:
    M = P * U
    return M.addcmul_(P, M.sum(-1, keepdim=True), value=-1)


def residuals_last(P: Tensor, y: Tensor) -> Tensor:
    label = y.view(-1, 1, 1).expand(-1, P.shape[1], 1)
    E = P.scatter(-1, label, 0)
    return E.scatter_(-1, label, -E.sum(-1, keepdim=True))


def seconds(pair: tuple[Callable[[], Tensor], Callable[[], Tensor]]) -> tuple[float, float]:
    """The least time of each, taken in turn."""
    best = [float("inf"), float("inf")]
    for _ in range(ROUNDS):
        for i, run in enumerate(pair):
            start = time.perf_counter()
            run()
            best[i] = min(best[i], time.perf_counter() - start)
    return best[0], best[1]


def main() -> None:
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    print(f"{'n':>6} {'K':>4}  {'what':10} {'samples last':>13} {'classes last':>13} {'times':>6}")
    for n, K in SIZES:
        Z, U = (torch.randn(RUNS, K, n, generator=generator) for _ in range(2))
        y = torch.randint(K, (n,), generator=generator)
        Z_last, U_last = (x.permute(2, 0, 1).contiguous() for x in (Z, U))
        P, P_last = probabilities(Z), torch.softmax(Z_last, -1)
        assert torch.allclose(P.permute(2, 0, 1), P_last, atol=1e-6)
        assert torch.allclose(curve(P, U).permute(2, 0, 1), curve_last(P_last, U_last), atol=1e-5)
        pairs: dict[str, tuple[Callable[[], Tensor], Callable[[], Tensor]]] = {
            "softmax": (partial(probabilities, Z), partial(torch.softmax, Z_last, -1)),
            "curve": (partial(curve, P, U), partial(curve_last, P_last, U_last)),
            "residuals": (partial(residuals, P, y), partial(residuals_last, P_last, y)),
        }
        for what, pair in pairs.items():
            ours, theirs = seconds(pair)
            print(
                f"{n:6} {K:4}  {what:10} {1e3 * ours:10.2f} ms {1e3 * theirs:10.2f} ms "
                f"{theirs / ours:6.1f}"
            )


if __name__ == "__main__":
    main()
