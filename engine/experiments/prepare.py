"""Preparing a data set as a job: what it makes lies in the data directory, its result says what."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from engine.data.inventory import files_of
from engine.data.prepare import Prepared, check_backbone, prepare_set
from engine.experiments.base import Context, Experiment, check_dataset
from engine.experiments.files import load_fields, save_fields
from engine.options import Options, settle
from engine.settings import read_settings


@dataclass(frozen=True)
class PrepareRequest(Options):
    """Fields as in `prepare_set`; an image set without a backbone gets the paper's."""

    name: str
    backbone: str = ""

    def __post_init__(self) -> None:
        name = check_dataset("dataset", self.name)
        settle(self, name=name, backbone=check_backbone(name, self.backbone))


def run_prepare(request: PrepareRequest, dataset: None, context: Context) -> Prepared:
    data_dir = read_settings().data_dir if context.data_dir is None else context.data_dir
    return prepare_set(request.name, request.backbone, data_dir, context.device, context.progress)


def is_there(result: Prepared, data_dir: Path) -> bool:
    """Return whether what a preparation made is still there: users can remove it, and ask for it
    again."""
    there = {str(path.relative_to(data_dir)) for path in files_of(result.name, data_dir)}
    return set(result.files) <= there


def describe_prepared(result: Prepared) -> str:
    files = ", ".join(result.files) or "it comes with the lab"
    return f"'{result.name}' is ready: {files} ({result.n_bytes / 1e6:.1f} MB)"


PREPARE = Experiment(
    "prepare",
    "Fetch a data set, and compute an image set's features",
    PrepareRequest,
    run_prepare,
    save_fields,
    partial(load_fields, Prepared),
    describe_prepared,
    lasts=is_there,
)
