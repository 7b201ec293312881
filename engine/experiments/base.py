"""What every experiment is made of: its description, what its computation is given, its checks."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import Field, asdict, dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import joblib
import numpy as np
from numpy.typing import NDArray

from engine.checks import check_choice
from engine.data.dataset import Dataset
from engine.data.load import dataset_names, load_dataset
from engine.data.raw_files import Say, silent
from engine.data.sources.features_file import changed_at
from engine.errors import InvalidInput
from engine.experiments.cost import Size
from engine.models.linear import LinearModel
from engine.models.model import Model
from engine.options import ADDED, Options, option
from engine.progress import OnProgress, Progress, ignore
from engine.vocabulary import LINEAR

RESULT_VERSION = 3  # raised when equal requests would give other numbers or other files
ANY_INDEX = 2**31  # requests are checked before the data set is opened; the engine checks again
NO_DATA = "none"  # in place of a content hash, for experiments that make their own data


class Request(Hashable, Protocol):
    """What can be asked of an experiment: a frozen dataclass of plain values, so that equal
    requests have one key. Every dataclass fits; `values_of` is what is stored of it."""

    __dataclass_fields__: ClassVar[dict[str, Field[object]]]  # as in typeshed


def find_nothing(name: str, request: Request) -> None:
    """Find nothing, where nothing is stored."""


def keep_nothing(name: str, request: Request, result: object, seconds: float) -> None:
    """Store nothing."""


@dataclass(frozen=True)
class Context:
    """What a computation is given beside its request. `progress` may raise Cancelled to stop it.

    find and keep: the store's stock of parts, results of other experiments on the same data set, so
    that an interrupted computation goes on where it stopped. jobs: processes at once, 0 to choose;
    cluster: the address of a dask scheduler to compute on instead, and whether to compute here
    where it does not answer.
    """

    data_dir: Path | None = None
    device: str = "auto"
    memory: joblib.Memory = field(default_factory=lambda: joblib.Memory(None))
    progress: OnProgress = ignore
    # Any: the experiment's name, not the type, says which result is found.
    find: Callable[[str, Request], Any | None] = find_nothing
    keep: Callable[[str, Request, object, float], None] = keep_nothing
    jobs: int = 0
    cluster: str | None = None
    cluster_fallback: bool = False

    def report(self, done: int, total: int) -> None:
        """Report that `done` of `total` parts are finished."""
        self.progress(Progress(done, total))

    def counter(self, total: int) -> Callable[[int], None]:
        """Report that none of `total` parts is finished; return a function that reports so many
        more. Where more than `total` are counted, all are finished."""
        done = 0

        def more(parts: int) -> None:
            nonlocal done
            done += parts
            self.report(min(done, total), total)

        more(0)
        return more


RequestT = TypeVar("RequestT", bound=Request)
DataT = TypeVar("DataT")
ResultT = TypeVar("ResultT")


@dataclass(frozen=True)
class Experiment(Generic[RequestT, DataT, ResultT]):
    """`run` computes a request on a data set (None where it makes its own data), `save` writes its
    result into a folder, `load` reads it again, `describe` sums it up in words. A part is computed
    within another experiment, which keeps it; nobody asks for it alone. A parallel one computes in
    several processes, or on a cluster; one that is cpu_only never uses a GPU. Where a result only
    records what was made in the data directory, `lasts` says whether that is still there: if not,
    it is made again. `seconds` estimates from above how long a request takes on data of that size,
    as `engine.experiments.cost` counts them; None for what always takes minutes: the queue lets
    what takes seconds pass it by.
    """

    name: str
    title: str
    request: type[RequestT]
    run: Callable[[RequestT, DataT, Context], ResultT]
    save: Callable[[ResultT, Path], None]
    load: Callable[[Path], ResultT]
    describe: Callable[[ResultT], str]
    part: bool = False
    parallel: bool = False
    cpu_only: bool = False
    lasts: Callable[[ResultT, Path], bool] | None = None
    seconds: Callable[[RequestT, Size], float] | None = None

    def make(self, values: Mapping[str, object]) -> RequestT:
        """Make the request with these fields; raises InvalidInput for any other field, and for
        values that it refuses."""
        known = [item.name for item in fields(self.request)]
        for given in values:
            check_choice(f"field of '{self.name}'", given, known)
        return self.request(**values)


AnyExperiment = Experiment[Any, Any, Any]  # found by its name, which no type checker can follow


def values_of(request: Request) -> dict[str, object]:
    """Return a request's fields as they are hashed and stored. Fields that were added later are
    left out at their default, so that earlier requests keep their keys."""
    kept, added = fields_of(type(request))
    values = {name: getattr(request, name) for name in kept}
    if not all(map(is_flat, values.values())):
        values = asdict(request)
    for name, default in added:
        if values[name] == default:
            del values[name]
    return values


@cache
def fields_of(kind: type[Request]) -> tuple[tuple[str, ...], tuple[tuple[str, object], ...]]:
    """Return the names of a request's fields, and those that were added later with their
    defaults."""
    every = fields(kind)
    added = tuple((item.name, item.default) for item in every if item.metadata.get(ADDED))
    return tuple(item.name for item in every), added


FLAT = (str, int, float, bool, type(None))


def is_flat(value: object) -> bool:
    """Return whether a value, or each of a tuple's, cannot be changed: it need not be copied."""
    return all(type(one) in FLAT for one in value) if type(value) is tuple else type(value) in FLAT


def check_dataset(name: str, value: object) -> str:
    """Check for the name or path of a data set; raises InvalidInput."""
    if not isinstance(value, str) or not value:
        raise InvalidInput(name, value, "the name of a data set, or the path of an .npz file")
    return value


@dataclass(frozen=True)
class OnDataset(Options):
    """What is asked of a data set, by its name or the path of an .npz file."""

    dataset: str = option("digits", check_dataset)


class Data(Protocol):
    """Whatever a computation reads: a `Dataset`, or a `FairnessDataset`."""

    @property
    def content_hash(self) -> str: ...


class Source(Hashable, Protocol):
    """Where a request's data comes from: hashable, equal for requests on the same data. `changed`
    says when the file behind it last did, 0 where there is none that can;
    `is_here`, whether it can be opened without a download."""

    def open(self, data_dir: Path | None, say: Say = silent) -> Data: ...

    def changed(self, data_dir: Path) -> float: ...

    def is_here(self, data_dir: Path) -> bool: ...


@dataclass(frozen=True)
class Features:
    """Features by the name or path of a data set."""

    name: str

    def open(self, data_dir: Path | None, say: Say = silent) -> Dataset:
        return load_dataset(self.name, data_dir)

    def changed(self, data_dir: Path) -> float:
        return changed_at(self.name, data_dir, ".npz")

    def is_here(self, data_dir: Path) -> bool:
        return self.name in dataset_names(data_dir) or Path(self.name).exists()


def source_of(request: Request) -> Source | None:
    """Return where a request's data comes from; None where the experiment makes its own."""
    source: Source | None = getattr(request, "source", None)
    if source is not None:
        return source
    return Features(request.dataset) if hasattr(request, "dataset") else None


def open_data(request: Request, data_dir: Path | None, say: Say = silent) -> Data | None:
    """Open the data that a request names; None where it makes its own. Raises InvalidInput,
    InvalidDataset, DataUnavailable; `say` hears of a download."""
    source = source_of(request)
    return None if source is None else source.open(data_dir, say)


def hash_of(dataset: Data | None) -> str:
    """Return the data's part of a result's key: its content hash, or `NO_DATA`."""
    return NO_DATA if dataset is None else dataset.content_hash


def train(content_hash: str, l2: float, device: str, version: int, dataset: Dataset) -> LinearModel:
    """Train the honest model; all arguments but the last are its key in joblib's memory, which sees
    no change in `fit` itself: the result version stands for that."""
    from engine.models.fit import fit

    return fit(dataset, l2=l2, device=device)


def train_network(
    content_hash: str,
    name: str,
    l2: float,
    device: str,
    version: int,
    architectures: int,
    dataset: Dataset,
) -> Model:
    """Do the same for a network, from the initial parameters of seed 0; `ARCHITECTURES_VERSION`
    stands for the modules that the names mean."""
    from engine.models.fit_network import fit_network

    return fit_network(dataset, name, l2=l2, device=device)


def chosen_or_there(request: object, name: str, there: int) -> int:
    """Return how many of something a request asks for; where that is the default, which nobody
    chose, at most as many as are there, and one at least."""
    asked = int(getattr(request, name))
    return asked if asked != getattr(type(request), name) else max(min(asked, there), 1)


class DrawsTargets(Protocol):
    """The fields of a request that draws its targets."""

    @property
    def n_targets(self) -> int: ...

    @property
    def seed(self) -> int: ...

    @property
    def damping(self) -> float: ...

    @property
    def order(self) -> str: ...

    @property
    def dtype(self) -> str: ...


def samples_outside(
    request: DrawsTargets, model: Model, dataset: Dataset, k: int, context: Context
) -> NDArray[np.int64]:
    """Return the training samples (their indices) that a model ranks below its top k."""
    from engine.influence.scores import influence_scores

    ranks = influence_scores(
        model,
        dataset,
        damping=request.damping,
        order=request.order,
        dtype=request.dtype,
        device=context.device,
    ).ranks
    return np.flatnonzero(ranks > k)


def draw_outside(
    request: DrawsTargets, model: Model, dataset: Dataset, k: int, context: Context
) -> list[int]:
    """Draw as many targets as a request asks for, by its seed, outside the honest top k; at the
    request's default fewer, where fewer are outside."""
    from engine.attacks.sweep import draw_targets

    outside = samples_outside(request, model, dataset, k, context)
    count = chosen_or_there(request, "n_targets", len(outside))
    drawn = draw_targets(outside, count, 1, request.seed)
    return [target for (target,) in drawn]


def honest_model(dataset: Dataset, l2: float, context: Context) -> LinearModel:
    remembered = context.memory.cache(train, ignore=["dataset"])
    return remembered(dataset.content_hash, l2, context.device, RESULT_VERSION, dataset=dataset)


def honest_model_of(kind: str, dataset: Dataset, l2: float, context: Context) -> Model:
    """Return the honest model of a kind in `engine.vocabulary`, trained once."""
    if kind == LINEAR:
        return honest_model(dataset, l2, context)
    from engine.models.network import ARCHITECTURES_VERSION

    remembered = context.memory.cache(train_network, ignore=["dataset"])
    asked = (
        *(dataset.content_hash, kind, l2, context.device),
        *(RESULT_VERSION, ARCHITECTURES_VERSION),
    )
    return remembered(*asked, dataset=dataset)
