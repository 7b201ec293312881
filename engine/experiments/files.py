"""The files of a result: arrays without pickle, scalars as JSON, tables as Parquet."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

import numpy as np
import pandas as pd

from engine.attacks.result import Ranking, Replay
from engine.errors import InvalidInput
from engine.models.linear import LinearModel
from engine.models.model import Model

TABLE = "table.parquet"
T = TypeVar("T")
Parts = dict[str, Any]  # fields of a result by name, each of the type that its class declares


def model_arrays(name: str, model: Model) -> dict[str, np.ndarray]:
    """Return a model's arrays: the parameters, and for a network its architecture. Raises
    InvalidInput for a network whose architecture has no name."""
    training = np.array([model.l2, model.gradient_norm, model.iterations])
    arrays = {f"{name}_parameters": model.parameters, f"{name}_training": training}
    if isinstance(model, LinearModel):
        return arrays
    built = getattr(model, "architecture", None)
    if built is None:
        raise InvalidInput("model", "a module of one's own", "one of those that have a name")
    return arrays | {
        f"{name}_architecture": np.array(built.name),
        f"{name}_shape": np.array([*built.shape, built.n_classes]),
    }


def read_model(name: str, arrays: Mapping[str, np.ndarray]) -> Model:
    """Read the model that `model_arrays` wrote under a name. Raises InvalidInput."""
    l2, gradient_norm, iterations = arrays[f"{name}_training"].tolist()
    theta = arrays[f"{name}_parameters"]
    if f"{name}_architecture" not in arrays:
        return LinearModel(theta[:, :-1], theta[:, -1], l2, gradient_norm, int(iterations))
    from engine.models.network import Architecture, Network  # here: it needs torch

    *shape, n_classes = arrays[f"{name}_shape"].tolist()
    built = Architecture(str(arrays[f"{name}_architecture"]), tuple(shape), n_classes)
    if built.n_parameters != theta.size:  # before so many are made
        raise InvalidInput("parameters", theta.size, f"{built.n_parameters}, as its shape says")
    return Network(built.build(), theta, l2, gradient_norm, int(iterations), architecture=built)


def ranking_arrays(name: str, ranking: Ranking) -> dict[str, np.ndarray]:
    return {f"{name}_scores": ranking.scores, f"{name}_ranks": ranking.ranks}


def read_ranking(name: str, arrays: Mapping[str, np.ndarray]) -> Ranking:
    return Ranking(arrays[f"{name}_scores"], arrays[f"{name}_ranks"])


def replay_arrays(name: str, replay: Replay) -> dict[str, np.ndarray]:
    return {f"{name}_{field.name}": getattr(replay, field.name) for field in fields(Replay)}


def read_replay(name: str, arrays: Mapping[str, np.ndarray]) -> Replay:
    return Replay(**{field.name: arrays[f"{name}_{field.name}"] for field in fields(Replay)})


def write_parts(
    folder: Path,
    arrays: Mapping[str, np.ndarray],
    scalars: Mapping[str, object],
    tables: Mapping[str, pd.DataFrame],
) -> None:
    np.savez_compressed(folder / "arrays.npz", allow_pickle=False, **arrays)
    (folder / "scalars.json").write_text(json.dumps(scalars, indent=1), encoding="utf-8")
    for name, table in tables.items():
        table.to_parquet(folder / f"{name}.parquet", index=False)


def read_parts(folder: Path) -> tuple[dict[str, np.ndarray], Parts]:
    with (folder / "arrays.npz").open("rb") as file, np.load(file, allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    return arrays, json.loads((folder / "scalars.json").read_text(encoding="utf-8"))


def form_of(hint: object) -> object:
    """Return the type that a field holds, `X` for `X | None` and for `X[...]`."""
    held = [one for one in get_args(hint) if one is not NoneType]
    if isinstance(hint, UnionType) and len(held) == 1:
        return form_of(held[0])
    return get_origin(hint) or hint


Write = Callable[[str, Any], dict[str, np.ndarray]]  # Any: a value of the type that it is for
Read = Callable[[str, Mapping[str, np.ndarray]], object]
ARRAYS: dict[object, tuple[Write, Read]] = {  # types of fields kept as arrays: to and from these
    np.ndarray: (lambda name, value: {name: value}, lambda name, arrays: arrays[name]),
    Ranking: (ranking_arrays, read_ranking),
    Replay: (replay_arrays, read_replay),
    Model: (model_arrays, read_model),
    LinearModel: (model_arrays, read_model),
}


def forms_of(kind: type) -> dict[str, object]:
    """Return the types that a result's fields hold, by name."""
    hints = get_type_hints(kind)
    return {item.name: form_of(hints[item.name]) for item in fields(kind)}


def save_fields(result: object, folder: Path) -> None:
    """Write a result that is a dataclass, each field by its type: arrays, rankings, replays and
    models as arrays, data frames as Parquet, and all others, which are plain values, as JSON. A
    field that is a dataclass is written with its own fields; one of arrays that is None is not."""
    write_parts(folder, *sorted_out(result))


def sorted_out(result: object) -> tuple[dict[str, np.ndarray], Parts, dict[str, pd.DataFrame]]:
    """Return arrays, plain values and tables by the names that they have in a result's files."""
    arrays: dict[str, np.ndarray] = {}
    scalars: Parts = {}
    tables: dict[str, pd.DataFrame] = {}
    for name, form in forms_of(type(result)).items():
        value = getattr(result, name)
        if form in ARRAYS:
            arrays |= {} if value is None else ARRAYS[form][0](name, value)
        elif form is pd.DataFrame:
            tables[name] = value
        elif is_dataclass(form):
            own = sorted_out(value)
            arrays, scalars, tables = arrays | own[0], scalars | own[1], tables | own[2]
        else:
            scalars[name] = value
    return arrays, scalars, tables


def load_fields(kind: type[T], folder: Path) -> T:
    """Read a result that `save_fields` wrote. A field that is not there gets its default: results
    of earlier versions lack it. Raises ValueError for values that are no fields."""
    arrays, scalars = read_parts(folder)
    result = put_together(kind, folder, arrays, scalars)
    if scalars:
        raise ValueError(f"{kind.__name__} has no fields {', '.join(scalars)}")
    return result


def put_together(
    kind: type[T], folder: Path, arrays: Mapping[str, np.ndarray], scalars: Parts
) -> T:
    """Make a result of its files, and take its plain values out of `scalars`."""
    parts: Parts = {}
    for name, form in forms_of(kind).items():
        if form in ARRAYS:
            if any(key == name or key.startswith(f"{name}_") for key in arrays):
                parts[name] = ARRAYS[form][1](name, arrays)
        elif form is pd.DataFrame:
            parts[name] = pd.read_parquet(folder / f"{name}.parquet")
        elif isinstance(form, type) and is_dataclass(form):
            parts[name] = put_together(form, folder, arrays, scalars)
        elif name in scalars:
            value = scalars.pop(name)
            parts[name] = tuple(value) if form is tuple else value  # JSON knows lists alone
    return kind(**parts)


def save_table(result: pd.DataFrame, folder: Path) -> None:
    """Write a result that is one table."""
    result.to_parquet(folder / TABLE, index=False)


def load_table(folder: Path) -> pd.DataFrame:
    return pd.read_parquet(folder / TABLE)
