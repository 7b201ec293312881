"""What a linear problem keeps of the features, counted tensor by tensor."""

from torch import Tensor

from engine.influence.linear import LinearProblem


def bytes_kept(problem: LinearProblem) -> int:
    """Return the bytes of a problem's features in memory, in every order and type in which it has
    them, and of their basis."""
    kept = [problem.basis]
    for samples in (problem.train, *problem.splits.values()):
        assert isinstance(samples.X, Tensor)
        kept.append(samples.X)
        if samples.packed is not None:
            kept.append(samples.packed.columns)
        if samples.half is not None:
            kept += [samples.half.rows, samples.half.columns]
    return sum(tensor.numel() * tensor.dtype.itemsize for tensor in kept)
