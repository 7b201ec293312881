"""A new experiment needs its own module and `register`: command line, store, link and library then
know it. This one counts the samples of each class."""

import io
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pytest

from engine.__main__ import main
from engine.data.dataset import Dataset
from engine.errors import InvalidInput
from engine.experiments import EXPERIMENTS, make_request, register
from engine.experiments.base import Context, Experiment, OnDataset
from engine.experiments.files import load_fields, save_fields
from engine.options import at_least, option
from engine.results.bundle import write_bundle
from engine.results.library import open_library, select
from engine.results.store import Store
from engine.settings import Settings
from pages.common.lab import registry
from pages.common.words.reproduce import experiment_snippet
from pages.evidence.parts.main_numbers import side_by_side
from tests.support.pages import Open, words


@dataclass(frozen=True)
class SizesRequest(OnDataset):
    """Count the training samples of each class, those of fewer than `least` samples apart."""

    least: int = option(100, at_least(1))


@dataclass(frozen=True)
class Sizes:
    """Samples of the smallest and the largest class, and how many classes are too small."""

    smallest: int
    largest: int
    too_small: int


def run(request: SizesRequest, dataset: Dataset, context: Context) -> Sizes:
    sizes = np.bincount(dataset.y_train, minlength=dataset.n_classes)
    context.report(1, 1)
    return Sizes(int(sizes.min()), int(sizes.max()), int((sizes < request.least).sum()))


def describe(result: Sizes) -> str:
    return f"Classes of {result.smallest} to {result.largest} samples"


SIZES = Experiment(
    "class-sizes",
    "Count each class",
    SizesRequest,
    run,
    save_fields,
    partial(load_fields, Sizes),
    describe,
)


@pytest.fixture
def registered() -> Iterator[None]:
    register(SIZES)
    yield
    del EXPERIMENTS[SIZES.name]


@pytest.mark.usefixtures("registered")
def test_command_line_store_link_and_library_know_it(
    settings: Settings, open_page: Open, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["class-sizes", "--dataset", "small", "--least", "11"]) == 0
    said = capsys.readouterr().out
    assert "Classes of " in said and "computed now" in said
    assert main(["class-sizes", "--dataset", "small", "--least", "11"]) == 0
    assert "stored 20" in capsys.readouterr().out

    request = make_request("class-sizes", {"dataset": "small", "least": 11})
    (entry,) = select(open_library(Store.of(settings)).entries, "class-sizes")
    assert make_request(entry.experiment, entry.manifest.request) == request

    assert main(["library", "list", "--experiment", "class-sizes"]) == 0
    assert entry.key in capsys.readouterr().out

    app = open_page(registry.page("results"), experiment="class-sizes", result=entry.key)
    assert not app.exception
    assert describe(load_fields(Sizes, entry.folder)) in words(app) + "".join(
        c.value for c in app.code
    )
    (table,) = [d.value for d in app.dataframe if "asked for" in d.value]
    assert table["asked for"].tolist() == ["least 11"]

    numbers = side_by_side(entry.experiment, Sizes(1, 5, 2), Sizes(1, 7, 0))
    assert numbers["number"].tolist() == ["smallest", "largest", "too small"]
    assert numbers["B − A"].tolist() == [0, 2, -2]

    packed = io.BytesIO()
    write_bundle([entry], packed)
    assert packed.getvalue()


@pytest.mark.usefixtures("registered")
def test_the_snippet_imports_its_request_from_where_it_is() -> None:
    snippet = experiment_snippet("class-sizes", SizesRequest(least=5))
    assert f"from {__name__} import SizesRequest\n" in snippet
    assert "least=5" in snippet


@pytest.mark.usefixtures("registered")
def test_a_name_is_taken_once_and_makes_a_folder() -> None:
    with pytest.raises(InvalidInput, match="that no other experiment has"):
        register(SIZES)
    for name in ("", "Sizes", "../sizes", "class_sizes", "-a"):
        with pytest.raises(InvalidInput, match="lower-case letters"):
            register(replace(SIZES, name=name))
    assert "attack" in EXPERIMENTS and "" not in EXPERIMENTS
