"""Features as the rows of a matrix: a tensor, or a file that is read a few rows at a time.

Everything that influence needs of them is a product from either side. Of a file, only the rows
that a product is at are in memory, so that the number of samples is bounded by the disk.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

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
        """In the features' own basis."""
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
        """The same rows times `basis`."""
        return replace(self, basis=self.basis @ basis)

    def __getitem__(self, chosen: Tensor) -> Tensor:
        """Some rows, by number, (k, D)."""
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
        """The rows (at most `rows`, D), one part after the other."""
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


Rows = Tensor | Streamed


def times(X: Rows, V: Tensor) -> Tensor:
    """V Xᵀ, (n, D), (c, D) → (c, n)."""
    return X.times(V) if isinstance(X, Streamed) else V @ X.T


def under(M: Tensor, X: Rows) -> Tensor:
    """M X, (c, n), (n, D) → (c, D)."""
    return X.under(M) if isinstance(X, Streamed) else M @ X
