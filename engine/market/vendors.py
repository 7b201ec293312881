"""Who owns which training sample: each sample belongs to exactly one vendor."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.checks import check_array, check_choice, check_integer, is_one_number
from engine.data.dataset import Dataset
from engine.errors import InvalidInput
from engine.models.model import check_dataset
from engine.options import entries
from engine.vocabulary import VENDORS

CLUSTER_STARTS = 4  # of k-means; the best is kept
MOST_VALUES = 50  # of a column that names vendors
EQUALS = " = "  # between a column and its value, in a feature's name: `engine.data.encoding`
OTHERS = "other values"
MOST_MORE = 10**8  # samples that one delivery holds


@dataclass(frozen=True, eq=False)
class Vendors:
    """Vendors by name, and the number of the vendor that owns each training sample.

    names: (v,), distinct. owner: (n,), whole numbers in [0, v).
    Raises InvalidInput for a vendor without samples, names that repeat, and numbers of vendors that
    there are not.
    """

    names: tuple[str, ...]
    owner: NDArray[np.int64]

    def __post_init__(self) -> None:
        names = tuple(str(name) for name in entries("names", self.names))
        owner = check_array("owner", self.owner)
        if len(set(names)) != len(names) or not names:
            raise InvalidInput("names", names, "distinct names, at least one")
        if owner.ndim != 1 or not len(owner) or (owner % 1).any():
            raise InvalidInput("owner", owner.shape, "a vendor's whole number for each sample")
        owner = owner.astype(np.int64)
        if owner.min() < 0 or owner.max() >= len(names):
            wrong = int(owner.min() if owner.min() < 0 else owner.max())
            raise InvalidInput("owner", wrong, f"numbers of vendors in [0, {len(names) - 1}]")
        idle = [
            name
            for name, count in zip(names, np.bincount(owner, minlength=len(names)), strict=True)
            if not count
        ]
        if idle:
            raise InvalidInput("vendors", idle[:5], "vendors that own at least one sample each")
        object.__setattr__(self, "names", names)
        object.__setattr__(self, "owner", owner)

    def __len__(self) -> int:
        return len(self.names)

    @property
    def n_samples(self) -> int:
        return len(self.owner)

    @property
    def counts(self) -> NDArray[np.int64]:
        """Return how many samples each vendor owns, (v,)."""
        return np.bincount(self.owner, minlength=len(self))

    def samples(self, vendor: int) -> NDArray[np.int64]:
        """Return the indices of a vendor's samples, ascending."""
        return np.flatnonzero(self.owner == check_integer("vendor", vendor, 0, len(self) - 1))

    def totals(self, values: NDArray) -> NDArray[np.float64]:
        """Add up values (n,) of the samples by vendor, (v,). Raises InvalidInput."""
        weights = check_array("values", values)
        if weights.shape != self.owner.shape:
            raise InvalidInput("values", weights.shape, f"of shape {self.owner.shape}")
        return np.bincount(self.owner, weights=weights, minlength=len(self)).astype(np.float64)

    def with_samples(self, vendor: int, count: int) -> "Vendors":
        """Return the same vendors after one has delivered `count` samples more, which come last.
        Raises InvalidInput."""
        check_integer("vendor", vendor, 0, len(self) - 1)
        check_integer("count", count, 0, MOST_MORE)
        return Vendors(self.names, np.append(self.owner, np.full(count, vendor)))

    def split(self, vendor: int, parts: Iterable[ArrayLike]) -> "Vendors":
        """Return the vendors after one has put each of `parts`, sets of its samples, under another
        name; what it keeps stays under its own. Raises InvalidInput for samples of others."""
        check_integer("vendor", vendor, 0, len(self) - 1)
        names, owner = list(self.names), self.owner.copy()
        for number, part in enumerate(entries("parts", parts), 2):
            last = self.n_samples - 1
            indices = [check_integer("sample", i, 0, last) for i in entries("parts", part)]
            if (owner[indices] != vendor).any():
                raise InvalidInput("parts", number, "sets of samples that the vendor owns, apart")
            owner[indices] = len(names)
            names.append(f"{self.names[vendor]}, name {number}")
        return Vendors(tuple(names), owner)


def vendors_of_sets(sets: Mapping[str, Iterable[int]], n: int) -> Vendors:
    """Make vendors from the samples of each, by name; `n` is the number of training samples.

    Raises InvalidInput for a vendor without samples, samples of two vendors or of none, and
    indices that there are not.
    """
    n = check_integer("n", n, 1)
    if not isinstance(sets, Mapping) or not sets:
        raise InvalidInput("sets", sets, "the samples of each vendor, by its name")
    owner: dict[int, int] = {}
    for number, (name, indices) in enumerate(sets.items()):
        if not isinstance(indices, Iterable) or is_one_number(indices):
            raise InvalidInput("sets", indices, "the samples of each vendor, by its name")
        chosen = [check_integer("sample", i, 0, n - 1) for i in indices]
        if not chosen:
            raise InvalidInput("vendors", name, "vendors that own at least one sample each")
        taken = sorted(owner.keys() & set(chosen))
        if taken:
            others = sorted({list(sets)[owner[i]] for i in taken})
            raise InvalidInput(
                "vendors",
                f"samples {taken[:5]} of '{name}' and of {others}",
                "sets that do not overlap: each sample belongs to one vendor",
            )
        owner |= dict.fromkeys(chosen, number)
    if len(owner) < n:
        first = next(i for i in range(n) if i not in owner)
        raise InvalidInput(
            "vendors",
            f"{n - len(owner)} samples without a vendor, the first {first}",
            "sets that hold every training sample",
        )
    return Vendors(tuple(sets), np.array([owner[i] for i in range(n)]))


def vendors_by_class(dataset: Dataset) -> Vendors:
    """Give each class's samples to a vendor of its name."""
    check_dataset(dataset)
    return Vendors(tuple(map(str, dataset.class_names)), dataset.y_train)


def vendors_at_random(n: int, count: int, seed: int = 0) -> Vendors:
    """Deal n samples out to `count` vendors of nearly equal size. Raises InvalidInput for more
    vendors than samples."""
    n = check_integer("n", n, 1)
    count = check_integer("count", count, 1, n)
    owner = np.random.default_rng(check_integer("seed", seed, 0)).permutation(n) % count
    return Vendors(numbered(count), owner)


def vendors_by_cluster(dataset: Dataset, count: int, seed: int = 0) -> Vendors:
    """Give each cluster of the training features (k-means) to a vendor: vendors who sell one kind
    of sample each. Raises InvalidInput for more clusters than distinct samples."""
    from sklearn.cluster import KMeans  # a second to import

    check_dataset(dataset)
    count = check_integer("count", count, 1, len(np.unique(dataset.X_train, axis=0)))
    seed = check_integer("seed", seed, 0, 2**32 - 1)
    found = KMeans(count, n_init=CLUSTER_STARTS, random_state=seed).fit(dataset.X_train)
    return Vendors(numbered(count), found.labels_)


def vendors_by_column(values: ArrayLike) -> Vendors:
    """Give samples with equal values (n,) of a column to one vendor, named after the value.

    For a table of one's own: values are those of its training rows. Raises InvalidInput for a
    column of more than MOST_VALUES values or with missing ones.
    """
    try:
        column = np.asarray(values)
    except ValueError as error:  # a ragged list
        raise InvalidInput("column", str(error), "one value for each training sample") from None
    if column.ndim != 1 or not len(column):
        raise InvalidInput("column", column.shape, "one value for each training sample")
    missing = [value is None or value != value for value in column.tolist()]
    if any(missing):
        raise InvalidInput(
            "column", f"no value for sample {missing.index(True)}", "without missing values"
        )
    if column.dtype.kind == "O":
        column = column.astype(str)
    names, owner = np.unique(column, return_inverse=True)
    if len(names) > MOST_VALUES:
        raise InvalidInput(
            "column", f"{len(names)} values", f"a column with at most {MOST_VALUES} values"
        )
    short = [f"{name:.4g}" if isinstance(name, float) else str(name) for name in names.tolist()]
    distinct = len(set(short)) == len(short)
    return Vendors(tuple(short if distinct else map(str, names.tolist())), owner)


def categories(dataset: Dataset) -> dict[str, dict[str, int]]:
    """Find the columns of texts in the table that a data set was made of: by the column's name, and
    by the value, the number of the 0/1 feature that says where the value stands."""
    found: dict[str, dict[str, int]] = {}
    for place, name in enumerate(dataset.feature_names or ()):
        column, between, value = name.partition(EQUALS)
        if between and len(np.unique(dataset.X_train[:, place])) == 2:
            found.setdefault(column, {})[value] = place
    return found


def table_columns(dataset: Dataset) -> list[str]:
    """List the columns of the table that a data set was made of: those of texts first, then the
    features that are no part of one, by name. Features without names are named by their numbers."""
    texts = categories(dataset)
    parts = {place for values in texts.values() for place in values.values()}
    names = dataset.feature_names or tuple(map(str, range(dataset.n_features)))
    return [*texts, *(name for place, name in enumerate(names) if place not in parts)]


def vendor_columns(dataset: Dataset, most: int = MOST_VALUES) -> list[str]:
    """List the columns whose every value may be a vendor: those with 2 to `most` values."""
    texts = categories(dataset)
    names = dataset.feature_names or tuple(map(str, range(dataset.n_features)))

    def values(name: str) -> int:
        if name in texts:
            return max(len(texts[name]), 2)
        return len(np.unique(dataset.X_train[:, names.index(name)]))

    return [name for name in table_columns(dataset) if 1 < values(name) <= most]


def vendors_of_column(dataset: Dataset, name: str) -> Vendors:
    """Give training samples with equal values in a column of the data set's table to one vendor.

    name: a column of texts, whose values name the vendors, or a feature by its name or number. The
    values of a feature are standardised; its vendors are numbered, from the least value up.
    Raises InvalidInput for a column that there is not, or with more than MOST_VALUES values.
    """
    texts = categories(dataset)
    names = dataset.feature_names or tuple(map(str, range(dataset.n_features)))
    if name in texts:
        values = texts[name]
        only = next(iter(values))  # a column of two values is one feature
        spelled = np.full(dataset.n_train, f"not {only}" if len(values) == 1 else OTHERS, object)
        for value, place in values.items():
            feature = dataset.X_train[:, place]
            spelled[feature > (feature.min() + feature.max()) / 2] = value
        return vendors_by_column(spelled)
    check_choice("column", name, table_columns(dataset))
    found = vendors_by_column(dataset.X_train[:, names.index(name)])
    count = len(found)
    return Vendors(tuple(f"value {number + 1} of {count}" for number in range(count)), found.owner)


def numbered(count: int) -> tuple[str, ...]:
    """Name vendors A, B, … Z, and by numbers where there are more."""
    if count <= 26:
        return tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ"[:count])
    return tuple(str(number + 1) for number in range(count))


def make_vendors(
    dataset: Dataset, scheme: str, count: int = 10, seed: int = 0, column: str = ""
) -> Vendors:
    """Make vendors by a scheme of `engine.vocabulary.VENDORS`.

    count and seed: of the vendors at random and by cluster. column: as in `vendors_of_column`, for
    vendors by column. Raises InvalidInput.
    """
    check_dataset(dataset)
    check_choice("vendors", scheme, VENDORS)
    if scheme == "class":
        return vendors_by_class(dataset)
    if scheme == "column":
        return vendors_of_column(dataset, column)
    if scheme == "cluster":
        return vendors_by_cluster(dataset, count, seed)
    return vendors_at_random(dataset.n_train, count, seed)
