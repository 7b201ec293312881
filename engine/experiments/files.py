"""The files of a result: arrays without pickle, scalars as JSON, tables as Parquet."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from engine.attacks.result import Ranking, Replay
from engine.errors import InvalidInput
from engine.models.linear import LinearModel
from engine.models.model import Model

TABLE = "table.parquet"
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


def write_fields(
    result: object,
    folder: Path,
    arrays: Iterable[str],
    tables: Iterable[str],
    scalars: Mapping[str, object],
) -> None:
    """Write those fields of a result that are arrays, rankings or models, those that are tables,
    and `scalars` beside them."""
    found: dict[str, np.ndarray] = {}
    for name in arrays:
        value = getattr(result, name)
        if isinstance(value, Ranking):
            found |= ranking_arrays(name, value)
        elif isinstance(value, Replay):
            found |= replay_arrays(name, value)
        else:
            found |= {name: value} if isinstance(value, np.ndarray) else model_arrays(name, value)
    write_parts(folder, found, scalars, {name: getattr(result, name) for name in tables})


def read_fields(
    folder: Path, arrays: Iterable[str], tables: Iterable[str], optional: Iterable[str] = ()
) -> Parts:
    """Return the fields that `write_fields` wrote, the scalars among them, by name; `optional`:
    fields of arrays that results from before have not."""
    found, parts = read_parts(folder)
    there = [name for name in optional if any(key.startswith(f"{name}_") for key in found)]
    for name in (*arrays, *there):
        if name in found:
            parts[name] = found[name]
        elif f"{name}_steps" in found:
            parts[name] = read_replay(name, found)
        else:
            read = read_ranking if f"{name}_scores" in found else read_model
            parts[name] = read(name, found)
    return parts | {name: pd.read_parquet(folder / f"{name}.parquet") for name in tables}


def save_table(result: pd.DataFrame, folder: Path) -> None:
    """Write a result that is one table."""
    result.to_parquet(folder / TABLE, index=False)


def load_table(folder: Path) -> pd.DataFrame:
    return pd.read_parquet(folder / TABLE)
