"""The engine's own exceptions. Every message says which input, its value, and what to do."""


class EngineError(Exception):
    """Base of every error that the engine raises on purpose; its text is meant for the user."""


class InvalidInput(EngineError, ValueError):
    """An input that cannot be used: `name` must be <expected>; got `value` instead."""

    def __init__(self, name: str, value: object, expected: str):
        self.name, self.value, self.expected = name, value, expected
        super().__init__(f"{name} must be {expected}. Got {shorten(value)} instead.")

    def __reduce__(self) -> tuple:
        return type(self), (self.name, self.value, self.expected)


class InvalidDataset(EngineError, ValueError):
    """Data that cannot be used, with the place of the fault."""


class DataUnavailable(EngineError, RuntimeError):
    """A file from the web that cannot be fetched, or is not the one that it should be."""


class DeviceUnavailable(EngineError, RuntimeError):
    """A device was asked for that this machine does not have."""


class NotConverged(EngineError, ArithmeticError):
    """A linear solve did not reach its tolerance."""


class NotPositiveDefinite(NotConverged):
    """A linear solve met a direction along which H + λI has no positive curvature."""


class DamagedResult(EngineError):
    """A stored result whose files do not match its manifest."""


class StorageUnavailable(EngineError, OSError):
    """A folder that cannot be written to: read-only, full, or of somebody else."""


class InvalidBundle(EngineError, ValueError):
    """A bundle of results that cannot be taken in, or one that cannot be made."""


class TooMany(EngineError):
    """A visitor who shares the queue with others has asked for as much as one may."""


class Cancelled(EngineError):
    """The caller asked a running computation to stop."""


class WorkerDied(EngineError, RuntimeError):
    """A process of a parallel computation ended under its work, every time."""


class ClusterUnavailable(EngineError, ConnectionError):
    """A cluster was asked for that does not answer, or has no workers."""


def shorten(value: object, limit: int = 80) -> str:
    text = repr(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"
