"""Features as the rows of a matrix: a tensor, or a file that is read a few rows at a time.

Everything that influence needs of them is a product from either side. Of a file, only the rows
that a product is at are in memory, so that the number of samples is bounded by the disk.

Large float32 products on CPUs with AVX-512 go to oneDNN, which comes with torch: MKL, to which
torch gives them otherwise, uses AVX-512 on Intel's CPUs alone, and takes twice as long on others
(`python -m tests.benchmarks products`). The two sum in another order, so that results agree to
rounding. oneDNN first brings the features into an order of its own. Where the same features are in
many products, `Packed` keeps them in that order: the same sums, without that work.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache, cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import linear

WIDE_FROM = 1_000_000  # multiplications from which oneDNN's start is made up for
ROWS_AT_ONCE = 8192  # read from a file: long enough for a product to run at full speed


@dataclass(frozen=True, eq=False)
class Streamed:
    """[X, 1] Q: features X (n, d) on disk with a column of ones, D = d + 1, in the basis Q (D, D),
    float64. Not the rows but what they are multiplied with is brought into the basis. A product
    reads `chunk` rows at a time.
    """

    array: NDArray
    basis: Tensor
    dtype: torch.dtype
    chunk: int = ROWS_AT_ONCE

    @classmethod
    def of(cls, array: NDArray, dtype: torch.dtype, device: torch.device) -> "Streamed":
        """Make the rows in the features' own basis."""
        width = array.shape[1] + 1
        return cls(array, torch.eye(width, dtype=torch.float64, device=device), dtype)

    def __len__(self) -> int:
        return len(self.array)

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.array), self.array.shape[1] + 1

    @property
    def device(self) -> torch.device:
        return self.basis.device

    def in_basis(self, basis: Tensor) -> "Streamed":
        """Return the same rows times `basis`."""
        return replace(self, basis=self.basis @ basis)

    def __getitem__(self, chosen: Tensor) -> Tensor:
        """Return rows by their numbers, (k, D)."""
        rows = torch.as_tensor(self.array[chosen.cpu().numpy()], device=self.device)
        ones = rows.new_ones(len(rows), 1)
        return (torch.cat([rows, ones], 1).double() @ self.basis).to(self.dtype)

    def chunks(self) -> Iterator[tuple[slice, Tensor]]:
        """X (rows, d) in its own basis, without the column of ones, and which rows they are."""
        for start in range(0, len(self), self.chunk):
            some = slice(start, start + self.chunk)
            copied = torch.from_numpy(np.array(self.array[some]))
            yield some, copied.to(self.device, self.dtype)

    def split(self, rows: int) -> Iterator[Tensor]:
        """Yield the rows (at most `rows`, D), one part after the other."""
        for start in range(0, len(self), rows):
            yield self[torch.arange(start, min(start + rows, len(self)))]

    def times(self, V: Tensor) -> Tensor:
        """V Xᵀ, (c, D) → (c, n)."""
        own = (V.double() @ self.basis.T).to(self.dtype)
        weight, bias = own[:, :-1], own[:, -1:]
        out = weight.new_empty(len(weight), len(self))
        for some, X in self.chunks():
            out[:, some] = torch.addmm(bias, weight, X.T)
        return out

    def under(self, M: Tensor) -> Tensor:
        """M X, (c, n) → (c, D); summed over the parts in float64."""
        total = torch.zeros(len(M), self.shape[1], dtype=torch.float64, device=self.device)
        for some, X in self.chunks():
            total[:, :-1] += M[:, some] @ X
        total[:, -1] = M.sum(1, dtype=torch.float64)
        return (total @ self.basis).to(self.dtype)


@dataclass(frozen=True, eq=False)
class Packed:
    """The rows of X (n, D) as they are, `plain`, and its `columns` (D, n) in oneDNN's order, as
    large as X, from the first product M X on. For V Xᵀ that order gains next to nothing."""

    plain: Tensor

    @cached_property
    def columns(self) -> Tensor:
        return pack(self.plain.T)

    def __len__(self) -> int:
        return len(self.plain)

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.plain.shape)

    def times(self, V: Tensor) -> Tensor:
        """V Xᵀ, (c, D) → (c, n)."""
        return times(self.plain, V)

    def under(self, M: Tensor) -> Tensor:
        """M X, (c, n) → (c, D)."""
        return wide_product(M, self.columns) if pays(M, self.plain) else M @ self.plain


@dataclass(frozen=True, eq=False)
class Halved:
    """The rows of X (n, D) in bfloat16, as `rows` (n, D) and as `columns` (D, n), both in oneDNN's
    order where the CPU multiplies bfloat16 by its own instructions. Products round what they
    multiply to 8 bits and add up in float32."""

    rows: Tensor
    columns: Tensor

    @classmethod
    def of(cls, X: Tensor) -> "Halved":
        rows, columns = X.bfloat16(), X.T.contiguous().bfloat16()
        if X.device.type == "cpu" and has_half_product():
            return cls(pack(rows), pack(columns))
        return cls(rows, columns)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.rows), len(self.columns)

    def times(self, V: Tensor) -> Tensor:
        """V Xᵀ, (c, D) → (c, n), in V's own type."""
        return half_product(V.bfloat16(), self.rows).to(V.dtype)

    def under(self, M: Tensor) -> Tensor:
        """M X, (c, n) → (c, D), float32."""
        return half_product(M.bfloat16(), self.columns).float()


Rows = Tensor | Streamed
Factor = Rows | Packed | Halved  # what features are in a product


def times(X: Factor, V: Tensor) -> Tensor:
    """V Xᵀ, (n, D), (c, D) → (c, n)."""
    if not isinstance(X, Tensor):
        return X.times(V)
    return wide_product(V, X) if pays(V, X) else V @ X.T


def under(M: Tensor, X: Factor) -> Tensor:
    """M X, (c, n), (n, D) → (c, D)."""
    if not isinstance(X, Tensor):
        return X.under(M)
    return wide_product(M, X.T) if pays(M, X) else M @ X


@cache
def has_half_product() -> bool:
    """Return whether this CPU has instructions that multiply bfloat16, twice as many numbers a
    second as in float32, and this build of torch has oneDNN, which uses them."""
    cpu = torch.cpu
    own = cpu._is_avx512_bf16_supported() or cpu._is_amx_tile_supported()
    return bool(own) and torch.backends.mkldnn.is_available()


@cache
def has_wide_product() -> bool:
    """Return whether this CPU and this build of torch have oneDNN's products with AVX-512."""
    wide = torch.backends.cpu.get_cpu_capability() == "AVX512"
    return wide and torch.backends.mkldnn.is_available() and hasattr(torch.ops, "mkldnn")


def pays(A: Tensor, X: Tensor) -> bool:
    """Return whether oneDNN is faster at a product of A and X: for smaller ones, its start is
    not."""
    large = A.shape[0] * X.shape[0] * X.shape[1] >= WIDE_FROM
    return large and A.dtype is torch.float32 and A.device.type == "cpu" and has_wide_product()


def wide_product(A: Tensor, B: Tensor) -> Tensor:
    """Compute A Bᵀ by oneDNN, (c, p), (r, p) → (c, r), in their own type. It has no derivative."""
    return torch.ops.mkldnn._linear_pointwise(A, B, None, "none", [], "")


def half_product(A: Tensor, B: Tensor) -> Tensor:
    """Compute A Bᵀ in bfloat16, (c, p), (r, p) → (c, r); B may be in oneDNN's order."""
    return wide_product(A, B) if B.is_mkldnn else linear(A, B)


def pack(X: Tensor) -> Tensor:
    """Return X (r, p) in the order in which oneDNN reads the second factor of A Xᵀ."""
    return torch.ops.mkldnn._reorder_linear_weight(X.contiguous())


def packed(X: Rows) -> Packed | None:
    """Return X in oneDNN's order beside itself; None where torch multiplies X by other means."""
    if not isinstance(X, Tensor) or X.dtype is not torch.float32 or X.device.type != "cpu":
        return None
    return Packed(X) if has_wide_product() else None
