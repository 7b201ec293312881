"""The two large products of an attack by MKL, as torch multiplies, and by oneDNN, one thread.

V Xᵀ and M X in float32 at the sizes of digits, of 5,000 x 512 features and of the paper's Pet:
GFLOP per second of one thread, the least time of several rounds taken in turn, for oneDNN also with
features that are in its own order already; then how far the results are apart. `engine.rows` says
when the lab uses which.
"""

import time
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from engine.rows import has_wide_product, pack, wide_product

ROUNDS = 20
SIZES = ((1200, 65, 10), (1200, 65, 100), (5000, 513, 100), (3680, 2049, 370))  # n, D, columns


def seconds(ways: tuple[Callable[[], Tensor], ...]) -> list[float]:
    """The least processor time of each, taken in turn."""
    best = [float("inf")] * len(ways)
    for _ in range(ROUNDS):
        for i, way in enumerate(ways):
            began = time.process_time()
            way()
            best[i] = min(best[i], time.process_time() - began)
    return best


def main() -> None:
    torch.set_num_threads(1)
    if not has_wide_product():
        print("This CPU has no AVX-512, or this torch no oneDNN: MKL computes everything.")
        return
    generator = torch.Generator().manual_seed(0)
    for n, D, columns in SIZES:
        X, V, M = (
            torch.randn(shape, generator=generator)
            for shape in ((n, D), (columns, D), (columns, n))
        )
        pairs = {
            "V Xᵀ": (lambda V=V, X=X: V @ X.T, V, X),
            "M X": (lambda M=M, X=X: M @ X, M, X.T),
        }
        for name, (mkl, left, right) in pairs.items():
            onednn = partial(wide_product, left, right)
            packed = partial(wide_product, left, pack(right))
            first, second, third = seconds((mkl, onednn, packed))
            work, usual = 2e-9 * n * D * columns, mkl()
            apart = float((onednn() - usual).norm() / usual.norm())
            print(
                f"n={n:5} D={D:5} columns={columns:4}  {name:5} MKL {work / first:5.0f} GFLOP/s, "
                f"oneDNN {work / second:5.0f}: {first / second:.2f} times, apart {apart:.1e}; "
                f"packed {work / third:5.0f}, apart {float((onednn() - packed()).norm()):.0e}"
            )


if __name__ == "__main__":
    main()
